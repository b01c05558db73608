"""Dates and times as tables write them, in one format a column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_DAYS = (
    ("YYYY-MM-DD", "%Y-%m-%d", r"\d{4}-\d{1,2}-\d{1,2}"),
    ("YYYY/MM/DD", "%Y/%m/%d", r"\d{4}/\d{1,2}/\d{1,2}"),
    ("YYYY-MM", "%Y-%m", r"\d{4}-\d{1,2}"),
    ("DD.MM.YYYY", "%d.%m.%Y", r"\d{1,2}\.\d{1,2}\.\d{4}"),
    ("DD.MM.YY", "%d.%m.%y", r"\d{1,2}\.\d{1,2}\.\d{2}"),
    ("DD/MM/YYYY", "%d/%m/%Y", r"\d{1,2}/\d{1,2}/\d{4}"),
    ("MM/DD/YYYY", "%m/%d/%Y", r"\d{1,2}/\d{1,2}/\d{4}"),
    ("DD-MM-YYYY", "%d-%m-%Y", r"\d{1,2}-\d{1,2}-\d{4}"),
    ("MM-DD-YYYY", "%m-%d-%Y", r"\d{1,2}-\d{1,2}-\d{4}"),
    ("DD-Mon-YYYY", "%d-%b-%Y", r"\d{1,2}-[A-Za-z]{3}-\d{4}"),
    ("DD Mon YYYY", "%d %b %Y", r"\d{1,2} [A-Za-z]{3} \d{4}"),
    ("Mon DD, YYYY", "%b %d, %Y", r"[A-Za-z]{3} \d{1,2}, \d{4}"),
    ("Month DD, YYYY", "%B %d, %Y", r"[A-Za-z]{4,9} \d{1,2}, \d{4}"),
)
_TIMES = (("", "", ""), (" HH:MM", " %H:%M", r" \d{1,2}:\d{2}"), (" HH:MM:SS", " %H:%M:%S", r" \d{1,2}:\d{2}:\d{2}"))
_ISO = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?"


@dataclass(frozen=True, slots=True)
class ReadDates:
    """A column of dates.

    Attributes:
        words: the format, e.g. "DD.MM.YYYY HH:MM".
        times: of each cell, UTC where it has no zone; NaT where a cell is missing or no date of this format.
        also: another format that all cells fit as well, so that days and months may be confused; else empty.
    """

    words: str
    times: pd.Series[Any]
    also: str = ""


def read_dates(cells: pd.Series[str]) -> ReadDates | None:
    """The dates of a column whose cells, the missing ones apart, are all dates of one format; else None."""
    found = _fitting(cells)
    if not found:
        return None
    present = cells != ""
    whole = [read for read in found if bool(read.times[present].notna().all())]
    if not whole:
        return None
    other = next((read.words for read in whole[1:] if not read.times.equals(whole[0].times)), "")
    return ReadDates(whole[0].words, whole[0].times, other)


def closest_dates(cells: pd.Series[str]) -> ReadDates | None:
    """The dates of the format that fits the most cells; None where none fits the first ones."""
    found = _fitting(cells)
    return max(found, key=lambda read: int(read.times.notna().sum()), default=None)


def strptime_form(words: str) -> str:
    """A format in words, as `strptime` takes it; that of times with a zone is read by pandas alone.

    Args:
        words: of `ReadDates`.
    """
    forms = {day + time: form + time_form for day, form, _ in _DAYS for time, time_form, _ in _TIMES}
    return forms.get(words, "ISO8601")


def _fitting(cells: pd.Series[str]) -> list[ReadDates]:
    """The column read in each format that one of its first cells has."""
    import pandas as pd

    first: Sequence[str] = list(cells[cells != ""].head(20))
    if not any(re.search(r"\d", cell) for cell in first):
        return []
    made = []
    for words, form, pattern in _DAYS:
        for time_words, time_form, time_pattern in _TIMES:
            if any(re.fullmatch(pattern + time_pattern, cell) for cell in first):
                times = pd.to_datetime(cells, format=form + time_form, errors="coerce", utc=True)
                made.append(ReadDates(words + time_words, times))
    if any(re.fullmatch(_ISO, cell) for cell in first):
        made.append(ReadDates("ISO 8601", pd.to_datetime(cells, format="ISO8601", errors="coerce", utc=True)))
    return [read for read in made if read.times.notna().any()]
