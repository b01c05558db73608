"""Tables on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlesearch.types import ConfigError


def table(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows of equal keys as aligned columns.

    Raises:
        ConfigError: there is no row.
    """
    if not rows:
        raise ConfigError("there is nothing to list")
    columns = list(rows[0])
    widths = [max(len(c), *(len(str(r[c])) for r in rows)) for c in columns]
    for cells in [columns, *([str(r[c]) for c in columns] for r in rows)]:
        print("  ".join(cell.ljust(w) for cell, w in zip(cells, widths, strict=True)).rstrip())
