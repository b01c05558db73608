"""Does a report say what its tables say? Every number is computed again from the study's files.

The page is written anew from study.json and the three tables, and compared with the page that is there, text by text.
Figures take the longest to draw, so their elements are held against the digests that the page states; on request they
are drawn anew, too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from mlesearch.analysis.data.policies import POLICIES
from mlesearch.analysis.data.tables import read
from mlesearch.analysis.figures import dynamics
from mlesearch.analysis.files.provenance import MadeOf, stated_in
from mlesearch.analysis.page.page_text import figures_in, phrases, without_figures
from mlesearch.analysis.page.sections import sections
from mlesearch.analysis.report import TABLES_FOLDER, Ink, csv_files, draw, render
from mlesearch.analysis.results import Results, analyse
from mlesearch.storage.sequential import LOOKS, read_looks
from mlesearch.types import ConfigError

_NUMBER = re.compile(r">[^<>]*\d[^<>]*<")

SHOWN = 160
"""Characters of a text that a finding shows."""


@dataclass(frozen=True, slots=True)
class Recheck:
    """What a recheck found.

    Attributes:
        differs: the first thing that differs, in words; empty where nothing does.
        numbers: how many texts with a digit were compared.
        figures: how many figures were compared.
        drawn: whether they were drawn anew, else held against their digests.
    """

    differs: str
    numbers: int
    figures: int
    drawn: bool


def recheck(page: Path, study: Path | None = None, *, redraw: bool = False) -> Recheck:
    """Compare a page, and the CSV files beside it, with what the study's files give now.

    Args:
        page: the HTML file.
        study: the study's folder; None: the page's own.
        redraw: draw the figures anew.

    Raises:
        ConfigError: there is no such page, it states nothing that can be checked, or the tables are refused.
    """
    folder = page.parent if study is None else study
    try:
        text = page.read_bytes().decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{page} can't be read ({error.strerror}); name the report's HTML file") from None
    except UnicodeDecodeError:
        return Recheck(f"{page.name} is no UTF-8 text", 0, 0, drawn=redraw)
    stated = stated_in(text)
    if stated.interim:
        raise ConfigError(f"{page}: an interim report is not rechecked: its study has gone on; make the whole report")
    policy = next((name for name in POLICIES if name == stated.missing), None)
    if policy is None and stated.missing:
        raise ConfigError(f"{page}: it names the policy {stated.missing!r}; known: {', '.join(POLICIES)}")
    results = analyse(read(folder), policy)
    differences = _differences(page, text, stated, folder, results, redraw=redraw)
    numbers = len(_NUMBER.findall(without_figures(text).partition("<body")[2].partition("<script")[0]))
    return Recheck(next(differences, ""), numbers, len(stated.figures), drawn=redraw)


def _differences(
    page: Path, text: str, stated: MadeOf, folder: Path, results: Results, *, redraw: bool
) -> Iterator[str]:
    """All that differs, what tells most first."""
    curves = dynamics.all_curves(results)
    parts = sections(results, curves)
    again = render(results, parts, folder, _ink(text, stated, redraw=redraw))
    yield from _of_words(text, again)
    yield from _of_files(stated, stated_in(again))
    yield from _of_figures(text, stated)
    yield from _of_bytes(text if redraw else without_figures(text), again if redraw else without_figures(again))
    yield from _of_looks(results, folder)
    yield from _of_csv(page.parent / TABLES_FOLDER, csv_files(results, curves))


def _ink(text: str, stated: MadeOf, *, redraw: bool) -> Ink:
    """Draws figures anew, or takes those of the page."""
    if redraw:
        return draw
    kept = dict(zip(stated.figures, figures_in(text), strict=False))
    return lambda section: kept.get(section.id, "")


def _of_words(text: str, again: str) -> Iterator[str]:
    text, again = without_figures(text), without_figures(again)
    if text == again:
        return
    for there, here in zip_longest(phrases(text), phrases(again)):
        if there != here:
            place = (here or there).place
            said, given = ("nothing" if phrase is None else repr(phrase.text[:SHOWN]) for phrase in (there, here))
            yield f"{place}: the page says {said}, the tables give {given}"
            return


def _of_files(stated: MadeOf, found: MadeOf) -> Iterator[str]:
    for name in sorted(stated.files.keys() | found.files.keys()):
        if stated.files.get(name) != found.files.get(name):
            yield f"{name}: it is not the file that the page was made from (its sha256 is another)"


def _of_looks(results: Results, folder: Path) -> Iterator[str]:
    """The looks that were recorded when they were taken; a look that is not recorded yet is no difference."""
    lines = [] if results.looks is None else [look.to_line() for look in results.looks.looks]
    for number, recorded in enumerate(read_looks(folder), 1):
        if number > len(lines) or recorded != lines[number - 1]:
            yield f"{LOOKS}, line {number}: the tables give another look"


def _of_figures(text: str, stated: MadeOf) -> Iterator[str]:
    elements = figures_in(text)
    if len(elements) != len(stated.figures):
        yield f"the page has {len(elements)} figures, and states that it has {len(stated.figures)}"
    for (name, digest), element in zip(stated.figures.items(), elements, strict=False):
        if hashlib.sha256(element.encode()).hexdigest() != digest:
            yield f"section {name}: its figure is not the one that was drawn (its sha256 is another)"


def _of_bytes(text: str, again: str) -> Iterator[str]:
    """What no reader sees: attributes, styles, scripts, what the page states of itself."""
    for number, (there, here) in enumerate(zip_longest(text.split("\n"), again.split("\n")), 1):
        if there != here:
            said, given = ("nothing" if line is None else repr(line.strip()[:SHOWN]) for line in (there, here))
            yield f"line {number} of the page without its figures: it is {said}, and would be {given}"
            return


def _of_csv(folder: Path, files: Mapping[str, str]) -> Iterator[str]:
    for name, content in files.items():
        path = folder / f"{name}.csv"
        if path.is_file() and (there := path.read_bytes()) != content.encode():
            lines = zip_longest(there.split(b"\n"), content.encode().split(b"\n"))
            at = next(i for i, (a, b) in enumerate(lines, 1) if a != b)
            yield f"{TABLES_FOLDER}/{path.name}, line {at}: it is not what the tables give"
