"""What each column of a table is, for whoever reads the description and for the reference pipelines."""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlesearch.tasks.new.dates import read_dates
from mlesearch.tasks.new.numbers import is_nothing

if TYPE_CHECKING:
    import pandas as pd

FEW_VALUES = 12
"""Of a column with at most so many different values, all are named."""
TEXT_WORDS, TEXT_CHARS, TEXT_DISTINCT = 4.0, 30.0, 0.5
"""Cells of at least so many words, or characters, on average, most of them different, are free text."""
SHOWN_CHARS = 40


class ColumnKind(enum.StrEnum):
    """What the cells of a column are."""

    WHOLE = "whole number"
    NUMBER = "number"
    DATE = "date"
    CATEGORY = "category"
    TEXT = "free text"
    CONSTANT = "one value only"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What is said of a column.

    Attributes:
        name: as in the header.
        kind: of its cells.
        missing: share of empty cells, 0 to 1.
        words: its range, values or examples.
    """

    name: str
    kind: ColumnKind
    missing: float
    words: str


def facts(name: str, cells: pd.Series[str], *, number: bool, text: bool) -> ColumnFacts:
    """The facts about a column.

    Args:
        name: of the column.
        cells: texts; numbers as Python writes them.
        number: whether they are numbers.
        text: whether it was declared to be free text.
    """
    import pandas as pd

    present = cells[~is_nothing(cells)]
    missing = 1 - len(present) / len(cells) if len(cells) else 0.0
    if present.empty:
        return ColumnFacts(name, ColumnKind.EMPTY, missing, "")
    distinct = int(present.nunique())
    if distinct == 1:
        return ColumnFacts(name, ColumnKind.CONSTANT, missing, _short(present.iloc[0]))
    if number and not text:
        values = pd.to_numeric(present)
        whole = bool((values == values.round()).all())
        kind = ColumnKind.WHOLE if whole else ColumnKind.NUMBER
        return ColumnFacts(name, kind, missing, f"{values.min():.6g} to {values.max():.6g}")
    dates = None if text else read_dates(cells)
    if dates is not None:
        ends = f"{dates.times.min():%Y-%m-%d} to {dates.times.max():%Y-%m-%d}"
        either = f" (or {dates.also}: both fit)" if dates.also else ""
        return ColumnFacts(name, ColumnKind.DATE, missing, f"{dates.words}{either}, {ends}")
    if text or _is_text(present, distinct):
        words = present.str.count(r"\S+")
        return ColumnFacts(
            name, ColumnKind.TEXT, missing, f"median {words.median():.0f} words, longest {words.max():,}"
        )
    return ColumnFacts(name, ColumnKind.CATEGORY, missing, _values(present, distinct))


def _is_text(present: pd.Series[str], distinct: int) -> bool:
    words, chars = float(present.str.count(r"\S+").mean()), float(present.str.len().mean())
    return distinct > TEXT_DISTINCT * len(present) and (words >= TEXT_WORDS or chars >= TEXT_CHARS)


def _values(present: pd.Series[str], distinct: int) -> str:
    if distinct <= FEW_VALUES:
        return ", ".join(_short(value) for value in sorted(present.unique()))
    counts = present.value_counts()
    often = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))[:3]
    if counts.iloc[0] == 1:
        return "another value in each row, such as " + ", ".join(_short(value) for value in present.iloc[:3])
    return f"{distinct:,} values, most often " + ", ".join(_short(str(value)) for value, _ in often)


def _short(value: str) -> str:
    text = " ".join(value.split())
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "..."


def columns_of(found: Collection[ColumnFacts], *kinds: ColumnKind) -> list[str]:
    """The names of the columns of some kinds."""
    return [column.name for column in found if column.kind in kinds]
