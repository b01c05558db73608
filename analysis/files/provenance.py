"""What a page was made of: digests of its files and figures, kept in the page, so that others can check it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mlesearch import __version__
from mlesearch.storage.columns import TABLES
from mlesearch.storage.imported import IMPORTED_RESULTS
from mlesearch.types import ConfigError

FORMAT = 1
ELEMENT = "made-of"
"""Id of the page's element that holds it."""

_OPEN, _SHUT = f'<script type="application/json" id="{ELEMENT}">', "</script>"


@dataclass(frozen=True, slots=True)
class MadeOf:
    """What a page was made of.

    Attributes:
        mlesearch: version that wrote the page.
        missing: policy for missing runs; empty on the page of an unfinished study, which has none.
        interim: whether it shows the first rounds of seeds alone.
        files: sha256 of each file of the study that it was made from, by name.
        figures: sha256 of each figure's element, by section.
        format: of this description.
    """

    mlesearch: str
    missing: str
    interim: bool
    files: Mapping[str, str]
    figures: Mapping[str, str]
    format: int = FORMAT

    def to_json(self) -> str:
        """As it stands in the page."""
        return json.dumps(asdict(self), indent=1)


def made_of(study: Path, missing: str, figures: Mapping[str, str], *, interim: bool) -> MadeOf:
    """What a page is made of, now.

    Args:
        study: its folder.
        missing: the policy.
        figures: the elements, by section.
        interim: whether it is an interim report.
    """
    drawn = {name: hashlib.sha256(element.encode()).hexdigest() for name, element in figures.items()}
    return MadeOf(__version__, missing, interim, digests(study), drawn)


def digests(study: Path) -> dict[str, str]:
    """The sha256 of study.json, of each table of a study and of each import, of those that are there."""
    names = ["study.json", *(f"{name}.parquet" for name in TABLES)]
    names += [f"{IMPORTED_RESULTS}/{path.name}" for path in sorted((study / IMPORTED_RESULTS).glob("*.json"))]
    return {name: hashlib.sha256((study / name).read_bytes()).hexdigest() for name in names if (study / name).is_file()}


def stated_in(page: str) -> MadeOf:
    """What a page says that it was made of.

    Raises:
        ConfigError: it says nothing, or nothing that can be read.
    """
    _, opening, rest = page.partition(_OPEN)
    text, closing, _ = rest.partition(_SHUT)
    if not opening or not closing:
        raise ConfigError("this page does not say what it was made of; a report of `mlesearch report` is expected")
    try:
        found = json.loads(text)
        stated = MadeOf(**found)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"what this page says that it was made of can't be read ({error})") from None
    if stated.format != FORMAT:
        raise ConfigError(f"this page is of format {stated.format}, and this version reads format {FORMAT}")
    return stated
