"""How tables, numbers and paths are shown on a terminal."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mlesearch.study.output import say, visible_line
from mlesearch.types import ConfigError

DAY_S = 86_400.0


def table(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows of equal keys as aligned columns.

    Raises:
        ConfigError: there is no row.
    """
    if not rows:
        raise ConfigError("there is nothing to list")
    for line in table_lines(rows):
        say(line)


def table_lines(rows: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """At least one row of equal keys as aligned columns."""
    columns = list(rows[0])
    lines = [columns, *([visible_line(str(r[c])) for c in columns] for r in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for cells in lines:
        yield "  ".join(cell.ljust(w) for cell, w in zip(cells, widths, strict=True)).rstrip()


def number(n: float) -> str:
    """A count as short as it can be said."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if n >= size:
            return f"{n / (size if unit != ' k' else 1e3):,.1f}{unit}"
    return f"{n:,.0f}"


def money(usd: float | None) -> str:
    """USD, or that nobody knows."""
    return "unknown" if usd is None else f"${usd:,.2f}"


def duration(seconds: float) -> str:
    """Seconds in the unit that fits."""
    for size, unit in ((DAY_S, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size or unit == "minutes":
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.0f} seconds"


def shown(path: Path) -> str:
    """A path as short as it can be said from here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def shell_words(*words: str | Path) -> str:
    """A command of ours as it can be pasted into a shell; paths are as short as they can be said from here."""
    return shlex.join(["mlesearch", *(shown(word) if isinstance(word, Path) else word for word in words)])
