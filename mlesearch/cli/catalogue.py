"""What can be asked for by name: tasks, models, strategies, experiments; as rows and lines, from their files alone."""

from __future__ import annotations

from collections.abc import Sequence

from mlesearch.config.groups import describe, names
from mlesearch.config.settings import ModelSettings
from mlesearch.models.registry import MODEL_KINDS
from mlesearch.tasks import folder, sources


def task_rows() -> list[dict[str, object]]:
    """One row a task of the mini suite, of which task.yaml is read, then one a task of each source, named only.

    Returns:
        Dicts with id, title, metric, direction, validation, rows (train/validation/test) and suite.
    """
    rows: list[dict[str, object]] = []
    for name in folder.names():
        content = folder.declared(folder.MINI / name)
        row = {key: content.get(key, "") for key in ("id", "title", "metric", "direction", "validation")}
        counts = "/".join(str(count) for count in content.get("rows", {}).values())
        rows.append(row | {"rows": counts, "suite": content.get("suite", "own")})
    unknown = dict.fromkeys(("title", "metric", "direction", "validation", "rows"), "-")
    for name, package in sources.listed():
        rows.append({"id": name, **unknown, "suite": f"plug-in of {package}"})
    return rows


def model_rows(models: Sequence[ModelSettings]) -> list[dict[str, object]]:
    """One row a model, from its file alone: nothing is imported and nobody is asked."""
    packages = MODEL_KINDS.plugins()
    return [_model_row(m, packages.get(m.kind)) for m in models]


def _model_row(m: ModelSettings, package: str | None) -> dict[str, object]:
    price = m.params.get("price") or {}
    usd = [price.get(f"{side}_usd_per_mtok") for side in ("input", "output", "cache_write")]
    free = m.kind == "simulated" or usd[:2] == [0, 0]
    return {
        "name": m.name,
        "kind": m.kind,
        "tier": m.tier or "-",
        "capability": "-" if m.capability is None else f"{m.capability:g}",
        "USD/M in": "free" if free else "unknown" if usd[0] is None else f"{usd[0]:g}",
        "USD/M out": "free" if free else "unknown" if usd[1] is None else f"{usd[1]:g}",
        "USD/M cache write": "-" if usd[2] is None else f"{usd[2]:g}",
        "as of": price.get("as_of") or "-",
        "context": m.params.get("context_window") or "-",
        "id": m.params.get("model") or (f"plug-in of {package}" if package else "-"),
    }


def name_lines(group: str) -> list[str]:
    """One line a name of a group (strategy or experiments), plug-ins included."""
    return [f"{name:14} {describe(group, name)}" for name in names(group)]
