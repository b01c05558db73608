"""Files as tables: columns by name, cells as texts."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

Table = dict[str, list[str]]

logging.basicConfig(level=logging.INFO)


def read_csv(path: Path) -> Table:
    """A CSV; an empty file is an empty table."""
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    return {name: [row[i] for row in rows[1:]] for i, name in enumerate(rows[0])} if rows else {}
