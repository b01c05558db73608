"""The tasks that can be asked for by name, as rows to show."""

from __future__ import annotations

from mlesearch.tasks import folder, sources


def list_rows() -> list[dict[str, object]]:
    """What `mlesearch tasks list` shows: one row a task of the mini suite, then one a task of each task source.

    Of the former task.yaml is read only, of the latter the name is known only.

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
