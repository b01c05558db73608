"""How tables, numbers and paths are shown on a terminal."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mlesearch.analysis.text import plural
from mlesearch.study.output import say, visible_line
from mlesearch.types import ConfigError

DAY_S = 86_400.0


_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0}
_TIME = re.compile(r"(?:\d+(?:\.\d+)?[hms])+|\d+(?:\.\d+)?", re.IGNORECASE | re.ASCII)


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
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return plural(round(seconds), "second") if seconds >= 0.5 else "less than a second"


def seconds(text: str, option: str = "--time") -> float:
    """A duration: `2h`, `90m`, `1h30m`, or plain seconds.

    Raises:
        ConfigError: it is none, or not above 0.
    """
    word = text.strip()
    if not _TIME.fullmatch(word):
        raise ConfigError(f"{option}: {text!r} is no duration; write 2h, 90m, 1h30m, or seconds")
    parts = re.findall(r"(\d+(?:\.\d+)?)([hms])", word.lower())
    total = sum(float(number) * _UNITS_S[unit] for number, unit in parts) if parts else float(word)
    if total <= 0:
        raise ConfigError(f"{option}: {text!r}; more than 0 is needed, such as 2h")
    return total


def shown(path: Path) -> str:
    """A path as short as it can be said from here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def shell_words(*words: str | Path) -> str:
    """A command of ours as it can be pasted into a shell; paths are as short as they can be said from here."""
    return shlex.join(["mlesearch", *(shown(word) if isinstance(word, Path) else word for word in words)])
