"""What is known of MLE-bench's competitions: splits, sizes, places of files, and how graders treat odd submissions.

The table ships with the package; `experiments/make_mlebench_facts.py` makes it. Thresholds and directions stand in a
table of their own (`mlesearch.tasks.leaderboard`).
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlesearch.tasks.leaderboard import mlebench_thresholds
from mlesearch.tasks.protocol import Modality
from mlesearch.types import ConfigError, Direction, did_you_mean

TABLE = Path(__file__).parent.parent / "data" / "mlebench_competitions.csv"
SPLITS = ("low", "medium", "high", "dev")

_QUIRKS = {
    "rows_by_position": "its grader compares rows by position: rows in another order are graded wrongly",
    "columns_by_position": "its grader compares columns by position: columns in another order are graded wrongly",
    "range_checked": "values outside the metric's range are invalid",
    "sums_checked": "rows whose probabilities do not sum to 1 are invalid",
    "extra_column_invalid": "a further column, such as an index, is invalid",
    "empty_cell_valid": "an empty cell is a valid answer",
    "sample_scores_nan": "its own sample submission scores NaN, which counts as valid",
}
"""Columns of the table that say how a grader differs from what one would expect, and what a `yes` there means."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One competition.

    Attributes:
        id: of Kaggle, and of MLE-bench.
        split: low, medium, high or dev.
        category: in MLE-bench's words; empty for the split dev.
        modality: of the data.
        raw_gb: of the download, 10^9 bytes; None where it is not known.
        metric: title of the grader.
        direction: of the metric.
        sample: the sample submission, below the folder `prepared`.
        answers: likewise.
        gold: a perfect submission, likewise; the answers where they are one.
        archives: of the public folder, which programs would have to unpack.
        rules_open: whether a new account can accept the rules, without which there is no download; None: not known.
        clean: whether nothing is listed upstream as leaking, broken or degenerate; None outside the low split.
        broken_by_new_pandas: whether right submissions are invalid where MLE-bench runs with pandas 3 or numpy 2.4.
        twice: whether preparing the public data once more was tried: tested, by reading, no, or empty.
        quirks: how its grader differs from what one would expect, in words.
        issue: what is known to be wrong with it; empty where nothing is.
    """

    id: str
    split: str
    category: str
    modality: Modality
    raw_gb: float | None
    metric: str
    direction: Direction
    sample: str
    answers: str
    gold: str
    archives: tuple[str, ...]
    rules_open: bool | None
    clean: bool | None
    broken_by_new_pandas: bool
    twice: str
    quirks: tuple[str, ...]
    sample_scores_nan: bool
    issue: str


@functools.cache
def table() -> Mapping[str, Facts]:
    """All competitions by id: those of low, medium, high, dev, each in the order of its split's file."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["id"]: _facts(row) for row in csv.DictReader(file)}


def facts(competition_id: str) -> Facts:
    """The facts of one competition.

    Raises:
        ConfigError: there is none of this id.
    """
    known = table()
    if competition_id not in known:
        hint = did_you_mean(competition_id, known)
        raise ConfigError(
            f"no MLE-bench competition is called {competition_id!r}{hint}; `mlesearch tasks list` has all"
        )
    return known[competition_id]


def _facts(row: Mapping[str, str]) -> Facts:
    return Facts(
        id=row["id"],
        split=row["split"],
        category=row["category"],
        modality=Modality(row["modality"]),
        raw_gb=float(row["raw_gb"]) if row["raw_gb"] else None,
        metric=row["metric"],
        direction=mlebench_thresholds(row["id"])[1],
        sample=row["sample"],
        answers=row["answers"],
        gold=row["gold"] or row["answers"],
        archives=tuple(row["archives"].split()),
        rules_open=_yes_or_no(row["rules_open"]),
        clean=_yes_or_no(row["clean"]),
        broken_by_new_pandas=row["broken_by_new_pandas"] == "yes",
        twice=row["twice"],
        quirks=tuple(words for column, words in _QUIRKS.items() if row[column] == "yes"),
        sample_scores_nan=row["sample_scores_nan"] == "yes",
        issue=row["issue"],
    )


def _yes_or_no(cell: str) -> bool | None:
    return None if not cell else cell == "yes"
