"""Numbers as people write them: decimal commas, groups of three digits; and cells that stand for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlesearch.types import ConfigError

if TYPE_CHECKING:
    import pandas as pd

NOTHING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "?"})
"""What stands for a missing cell, in small letters. A word such as "none" can be a value."""
NO_NUMBER = NOTHING | {"none", "-", "--", ".", "nil", "missing", "unknown"}
"""What stands for one among numbers."""

_PLAIN = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_GROUPED_BY_COMMAS = r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?"
_GROUPED_BY_POINTS = r"[+-]?\d{1,3}(?:\.\d{3})+"
_COMMA = r"[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+)(?:,\d+)?"


def is_nothing(cells: pd.Series[str]) -> pd.Series[bool]:
    """Which cells are missing, whatever the column holds."""
    return cells.str.lower().isin(NOTHING)


def told(cells: pd.Series[str]) -> pd.Series[str]:
    """The different cells of a column of numbers that stand for one."""
    import pandas as pd

    found = pd.Series(cells.unique(), dtype=object)
    return found[~found.str.lower().isin(NO_NUMBER)]


def decimal_mark(columns: list[pd.Series[str]], delimiter: str) -> str:
    """The decimal mark of a file: `,` where a column can only be read so, and none has decimal points.

    Args:
        columns: the different cells of each column, those that stand for nothing left out.
        delimiter: of the file. Where all is open (1,234), cells between commas are grouped, others have decimals.
    """
    comma = point = undecided = False
    for cells in columns:
        if cells.empty:
            continue
        if cells.str.fullmatch(_PLAIN).all():
            point |= bool((cells.str.contains(".", regex=False) & ~cells.str.fullmatch(_GROUPED_BY_POINTS)).any())
        elif cells.str.fullmatch(_COMMA).all():
            commas = cells[cells.str.contains(",", regex=False)]
            if commas.str.fullmatch(_GROUPED_BY_COMMAS).all():
                undecided = True
            else:
                comma = True
    if comma != point:
        return "," if comma else "."
    return "," if undecided and not comma and delimiter != "," else "."


def plain_numbers(cells: pd.Series[str], mark: str) -> pd.Series[str] | None:
    """A column of numbers as Python writes them, missing cells empty; None where some cell is no number.

    Args:
        cells: of the column.
        mark: the decimal mark of the file.
    """
    values = told(cells)
    if values.empty:
        return None
    rewritten = _rewritten(values, mark)
    if rewritten is None:
        return None
    return cells.map(dict(zip(values, rewritten, strict=True))).fillna("")


def _rewritten(values: pd.Series[str], mark: str) -> pd.Series[str] | None:
    by_comma = values.str.fullmatch(_COMMA).all()
    if mark == "," and by_comma:
        return values.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    if values.str.fullmatch(_PLAIN).all():
        return values
    if values.str.fullmatch(f"(?:{_PLAIN})|(?:{_GROUPED_BY_COMMAS})").all():
        return values.str.replace(",", "", regex=False)
    if by_comma:
        return values.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    return None


def check_mark(given: str) -> str:
    """A decimal mark that was given.

    Raises:
        ConfigError: it is none.
    """
    found = {"comma": ",", "point": ".", "dot": "."}.get(given, given)
    if found not in (",", "."):
        raise ConfigError(f"--decimal: {given!r} is no decimal mark; there are: comma, point")
    return found
