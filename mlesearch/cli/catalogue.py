"""What can be asked for by name: tasks, models, strategies, experiments; as rows and lines, from their files alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mlesearch.config.catalogue.groups import describe, names, origin
from mlesearch.config.catalogue.strategies import ListedStrategy, strategies, strategy
from mlesearch.config.settings import ModelSettings
from mlesearch.models.registry import MODEL_KINDS
from mlesearch.tasks import folder, own, sources
from mlesearch.tasks.mlebench.facts import table
from mlesearch.tasks.mlebench.names import PREFIX
from mlesearch.tasks.mlebench.prepared import data_folder, look
from mlesearch.tasks.synthetic import names as synthetic

WIDTH = 118
"""Characters of a line of text on a terminal."""


def task_rows() -> list[dict[str, object]]:
    """One row for each task of the mini suite and own one, by their task.yaml, task of a source, competition.

    Of synthetic tasks there is one row a suite.

    Returns:
        Dicts with id, title, metric, direction, validation, rows (train/validation/test) and suite; of an own task,
        its id is its name and its suite the path of its folder.
    """
    rows: list[dict[str, object]] = []
    mini = [(name, folder.MINI / name) for name in folder.names()]
    for name, place in (*mini, *own.task_folders(folder.DECLARED)):
        content = folder.declared(place)
        row = {key: content.get(key, "") for key in ("id", "title", "metric", "direction", "validation")}
        counts = "/".join(str(count) for count in content.get("rows", {}).values())
        suite = content.get("suite", "own") if (name, place) in mini else str(place)
        rows.append(row | {"id": name, "rows": counts, "suite": suite})
    unknown = dict.fromkeys(("title", "metric", "direction", "validation", "rows"), "-")
    for name, package in sources.listed():
        rows.append({"id": name, **unknown, "suite": f"plug-in of {package}"})
    rows += [
        {"id": f"{synthetic.PREFIX}{suite}", **unknown, "suite": f"{len(synthetic.tasks(suite))} synthetic tasks"}
        for suite in synthetic.DIFFICULTIES
    ]
    return [*rows, *_competition_rows()]


def _competition_rows() -> Iterator[dict[str, object]]:
    """One row a competition of MLE-bench, with what of it is in the usual folder."""
    data = data_folder(None)
    for known in table().values():
        yield {
            "id": f"{PREFIX}{known.id}",
            "title": known.category or "-",
            "metric": known.metric,
            "direction": known.direction.value,
            "validation": "reported",
            "rows": "-",
            "suite": f"mlebench {known.split}, {look(data, known).state}",
        }


def model_rows(models: Sequence[ModelSettings]) -> list[dict[str, object]]:
    """One row a model, from its file alone: nothing is imported and nobody is asked."""
    packages, known = MODEL_KINDS.plugins(), names("model")
    places = (_own_place("model", m.name) if m.name in known else "" for m in models)
    return [_model_row(m, packages.get(m.kind), place) for m, place in zip(models, places, strict=True)]


def _model_row(m: ModelSettings, package: str | None, place: str) -> dict[str, object]:
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
        "id": f"{m.params.get('model') or (f'plug-in of {package}' if package else '-')}{place}",
    }


def name_lines(group: str) -> list[str]:
    """One line a name of a group of files, its plug-ins included."""
    return [f"{name:14} {describe(group, name)}{_own_place(group, name)}" for name in names(group)]


def _own_place(group: str, name: str) -> str:
    """Where an own file of a group is, in parentheses; empty for what is shipped or brought by a plug-in."""
    place = origin(group, name)
    return f" ({place})" if place and not place.startswith("plug-in of") else ""


def strategy_lines() -> Iterator[str]:
    """Every strategy: its idea and source in a line each, its parameters with defaults and ranges, its presets."""
    for s in strategies():
        yield _head(s)
        if s.family:
            yield f"  family: {s.family}"
        if s.source:
            yield f"  source: {s.source}"
        if s.parameters:
            yield from _wrapped("  params: ", [f"{p.name}={p.default} ({_short(p.allowed)})," for p in s.parameters])
        yield from (f"  {preset.name:14} {preset.line}{_own_place('strategy', preset.name)}" for preset in s.presets)
        yield ""
    yield "`mlesearch strategies NAME` says what each parameter of a strategy or preset means."


def full_strategy_lines(name: str) -> Iterator[str]:
    """One strategy, or preset, in full: what each of its parameters is, may be and means.

    Raises:
        ConfigError: no strategy or preset has this name, or it can't be imported.
    """
    s, preset = strategy(name)
    yield _head(s)
    if s.family:
        yield f"  family: {s.family}"
    if s.source:
        yield f"  source: {s.source}"
    if preset is not None:
        yield f"  preset {preset.name}: {preset.line}"
    for p in s.parameters:
        value = p.default if preset is None else preset.params.get(p.name, p.default)
        usual = "" if value == p.default else f", by default {p.default}"
        yield f"  strategy.params.{p.name}={value}: {p.allowed}{usual}"
        yield from _wrapped("      ", p.meaning.split())
    if not s.parameters:
        yield "  It does not say what parameters it has; see the documentation of its package."
    yield from (f"  preset {other.name}: {other.line}" for other in s.presets if other != preset)


def _head(s: ListedStrategy) -> str:
    """Name and idea; of a plug-in also its package."""
    variant = ", ".join(f"{key}: {value}" for key, value in (s.given or {}).items())
    plug_in = "" if s.package is None else f"plug-in of {s.package}"
    return f"{s.kind}{f' ({variant})' if variant else ''}  {'; '.join(filter(None, (s.idea, plug_in)))}"


def _short(allowed: str) -> str:
    """What a parameter may be, without "a number"."""
    return re.sub(r"^a (whole )?number( from| of)? ?", "", allowed) or allowed


def _wrapped(start: str, items: Sequence[str]) -> list[str]:
    """Items one after the other, none of them cut; further lines are indented as far as the first."""
    lines = [start]
    for item in items:
        if len(lines[-1]) > len(start) and len(lines[-1]) + len(item) > WIDTH:
            lines.append(" " * len(start))
        lines[-1] += f"{item} "
    return [line.rstrip(" ,") if line is lines[-1] else line.rstrip() for line in lines]
