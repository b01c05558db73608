"""A plan of looks at a study, as it stands in study.json, and the looks that were taken, one line each.

<study>/looks.jsonl    append-only, in the order of the looks; the same data looked at again is the same look
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict, cast

from mlesearch.storage.files import append_line, read_lines

LOOKS = "looks.jsonl"


class SequentialJson(TypedDict):
    """When a study is looked at, and when it stops: written before its first run.

    looks: seeds on every task at each look, rising. alpha: one-sided, of each condition over all looks. futility: the
    conditional power below which it is given up; 0: never. bounds: at each look, what a condition's statistic must
    reach, in standard errors. gives_up_below: at each look; null: nothing is given up there. low, high: the models of
    the two groups, each with its capability. tasks: all of them. seeds: in the order in which they are run.
    """

    looks: list[int]
    alpha: float
    futility: float
    bounds: list[float]
    gives_up_below: list[float | None]
    low: dict[str, float]
    high: dict[str, float]
    tasks: list[str]
    seeds: list[int]


class LookLine(TypedDict):
    """A line of looks.jsonl.

    seeds: on every task, of the groups that were running. data: sha256 of the outcomes that were looked at.
    statistics: of each condition, in standard errors. crossed: conditions that have crossed, at this look or before.
    given_up: whether the study ends here without a claim.
    """

    seeds: int
    data: str
    statistics: dict[str, float]
    crossed: list[str]
    given_up: bool


def read_looks(study: Path) -> list[LookLine]:
    """The looks that were taken, in their order; none where none was."""
    return [cast("LookLine", line) for line in read_lines(study / LOOKS)]


def note_look(study: Path, line: LookLine) -> None:
    """Add a look."""
    append_line(study / LOOKS, cast("Mapping[str, object]", line))
