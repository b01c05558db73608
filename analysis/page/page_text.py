"""A report's page as words with their places, to compare two pages and to say where they differ."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser

_SVG = re.compile(r"<svg\b.*?</svg>", re.DOTALL)
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A text of the page.

    Attributes:
        place: where it stands, in words.
        text: what it says.
    """

    place: str
    text: str


def figures_in(page: str) -> list[str]:
    """The `<svg>` elements of a page, in order."""
    return _SVG.findall(page)


def without_figures(page: str) -> str:
    """A page with an empty element in place of each figure."""
    return _SVG.sub("<svg></svg>", page)


def phrases(page: str) -> list[Phrase]:
    """All texts of a page, in order."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.found


class _Reader(HTMLParser):
    """Keeps what is said, and where: section, table, row and column."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Phrase] = []
        self._section = self._table = self._heading = ""
        self._columns: list[str] = []
        self._row: list[str] = []
        self._column = -1
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A section, a table, a row or a cell begins."""
        named = dict(attrs)
        self._open.append(tag)
        if tag == "section":
            self._section = named.get("id") or ""
        elif tag == "table":
            self._table, self._columns = (named.get("id") or "").removeprefix("t-"), []
        elif tag == "tr":
            self._row, self._column = [], -1
        elif tag in ("td", "th"):
            self._column += 1

    def handle_endtag(self, tag: str) -> None:
        """It ends."""
        while self._open and self._open.pop() != tag:
            pass
        if tag == "table":
            self._table, self._column = "", -1
        elif tag == "section":
            self._section = ""

    def handle_data(self, data: str) -> None:
        """A text."""
        text = _SPACE.sub(" ", data).strip()
        if not text or {"style", "script", "svg"} & set(self._open):
            return
        self.found.append(Phrase(self._place(), text))
        if self._table and "thead" in self._open:
            self._columns.append(text)
        elif self._table and "th" in self._open:
            self._row.append(text)

    def _place(self) -> str:
        parts = [f"section {self._section}"] if self._section else ["top of the page"]
        if self._table:
            parts.append(f"table {self._table}")
            if self._row and "td" in self._open:
                parts.append(f"row {' / '.join(self._row)}")
            if "tbody" in self._open and 0 <= self._column < len(self._columns):
                parts.append(f"column {self._columns[self._column]}")
        return ", ".join(parts)
