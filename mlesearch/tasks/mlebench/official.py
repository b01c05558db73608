"""What MLE-bench's own package says: of a competition, and of a submission that it graded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlesearch.types import Direction

REPORT_FIELDS = (
    "competition_id",
    "score",
    "gold_threshold",
    "silver_threshold",
    "bronze_threshold",
    "median_threshold",
    "any_medal",
    "gold_medal",
    "silver_medal",
    "bronze_medal",
    "above_median",
    "submission_exists",
    "valid_submission",
    "is_lower_better",
    "created_at",
    "submission_path",
)
"""Of its grading report, in its order."""

REAL_BOARD, TABLE_BOARD = "real", "table"
"""Where the thresholds of a report come from: the package's own leaderboard, or ours where that one is a pointer."""


@dataclass(frozen=True, slots=True)
class OfficialReport:
    """The grading report of one submission, and what is known beside it.

    Attributes:
        competition_id: of the competition.
        score: rounded by the grader to 5 decimals; may be NaN or infinite; None where the submission is invalid.
        gold_threshold: score that wins gold, inclusive; likewise the next two.
        silver_threshold: of silver.
        bronze_threshold: of bronze.
        median_threshold: the board's median; above it is strict.
        any_medal: whether it wins one.
        gold_medal: whether that is gold; medals exclude each other.
        silver_medal: silver.
        bronze_medal: bronze.
        above_median: whether it is better than the median.
        submission_exists: whether there was a file whose name ends in .csv.
        valid_submission: whether there is a score; one of NaN counts as valid there.
        is_lower_better: the direction, read from the board.
        created_at: local time, ISO 8601.
        submission_path: as it was asked for; the grader itself saw a copy.
        reason: why it is invalid, in the grader's words; empty where it is valid.
        nan: whether the score is NaN: valid there, and no medal.
        ends_batch: the exception by which MLE-bench's own command would have ended, with all that it was grading;
            empty where it would not.
        board: `real`, or `table` where the package's board is a Git-LFS pointer and ours was used.
        aligned_score: the score of the same rows and columns in the order of the answers and the sample, where that
            copy is graded differently: the grader compares by position. None where it is not.
        seconds: wall-clock time of the grading.
    """

    competition_id: str
    score: float | None
    gold_threshold: float
    silver_threshold: float
    bronze_threshold: float
    median_threshold: float
    any_medal: bool
    gold_medal: bool
    silver_medal: bool
    bronze_medal: bool
    above_median: bool
    submission_exists: bool
    valid_submission: bool
    is_lower_better: bool
    created_at: str
    submission_path: str
    reason: str = ""
    nan: bool = False
    ends_batch: str = ""
    board: str = REAL_BOARD
    aligned_score: float | None = None
    seconds: float = 0.0

    def official(self) -> dict[str, object]:
        """The report as MLE-bench writes it: its fields, in its order, and nothing else."""
        return {name: getattr(self, name) for name in REPORT_FIELDS}


@dataclass(frozen=True, slots=True)
class OfficialCompetition:
    """A competition as the package's registry gives it.

    Attributes:
        id: of the competition.
        title: for people.
        description: what an agent reads (markdown).
        metric: the grader's name.
        public_dir: prepared data for programs.
        private_dir: prepared answers.
        raw_dir: where the download is unpacked.
        answers: the file of answers.
        sample_submission: the file of the sample.
        gold_submission: a perfect submission; None where the package declares none but the answers.
        checksums: the file of recorded md5s.
        leaderboard: the file of its board.
        config: its `config.yaml`.
        grader: the file of its grader.
        direction: as the board has it; None where the board is missing or a pointer.
        board: `real`, or `table` where its own can't be used.
        prepared: whether the package finds what it needs for grading.
        why_unprepared: in words; empty where it is prepared.
    """

    id: str
    title: str
    description: str
    metric: str
    public_dir: Path
    private_dir: Path
    raw_dir: Path
    answers: Path
    sample_submission: Path
    gold_submission: Path | None
    checksums: Path
    leaderboard: Path
    config: Path
    grader: Path
    direction: Direction | None
    board: str
    prepared: bool
    why_unprepared: str = ""


def report_of(answer: Mapping[str, object], submission: str) -> OfficialReport:
    """A report from a worker's answer.

    Args:
        answer: its fields.
        submission: the path that was asked for.

    Raises:
        KeyError, ValueError, TypeError: a field is missing or no report's.
    """
    score = number(answer["score"])
    return OfficialReport(
        competition_id=str(answer["competition_id"]),
        score=score,
        gold_threshold=_finite(answer, "gold_threshold"),
        silver_threshold=_finite(answer, "silver_threshold"),
        bronze_threshold=_finite(answer, "bronze_threshold"),
        median_threshold=_finite(answer, "median_threshold"),
        any_medal=bool(answer["any_medal"]),
        gold_medal=bool(answer["gold_medal"]),
        silver_medal=bool(answer["silver_medal"]),
        bronze_medal=bool(answer["bronze_medal"]),
        above_median=bool(answer["above_median"]),
        submission_exists=bool(answer["submission_exists"]),
        valid_submission=bool(answer["valid_submission"]),
        is_lower_better=bool(answer["is_lower_better"]),
        created_at=str(answer["created_at"]),
        submission_path=submission,
        reason=str(answer["reason"]),
        nan=score is not None and math.isnan(score),
        ends_batch=str(answer["ends_batch"]),
        board=str(answer["board"]),
        aligned_score=number(answer["aligned_score"]),
        seconds=_finite(answer, "seconds"),
    )


def competition_of(answer: Mapping[str, object]) -> OfficialCompetition:
    """A competition from a worker's answer.

    Raises:
        KeyError: a field is missing.
    """
    lower, gold = answer["lower_is_better"], answer["gold_submission"]
    why = str(answer["why_unprepared"])
    return OfficialCompetition(
        id=str(answer["id"]),
        title=str(answer["title"]),
        description=str(answer["description"]),
        metric=str(answer["metric"]),
        public_dir=Path(str(answer["public_dir"])),
        private_dir=Path(str(answer["private_dir"])),
        raw_dir=Path(str(answer["raw_dir"])),
        answers=Path(str(answer["answers"])),
        sample_submission=Path(str(answer["sample_submission"])),
        gold_submission=None if gold is None else Path(str(gold)),
        checksums=Path(str(answer["checksums"])),
        leaderboard=Path(str(answer["leaderboard"])),
        config=Path(str(answer["config"])),
        grader=Path(str(answer["grader"])),
        direction=None if lower is None else Direction.MINIMIZE if lower else Direction.MAXIMIZE,
        board=str(answer["board"]),
        prepared=not why,
        why_unprepared=why,
    )


def number(value: object) -> float | None:
    """A score from a worker's answer: NaN and infinities travel as words, which JSON's own form has no room for."""
    return None if value is None else float(str(value))


def _finite(answer: Mapping[str, object], name: str) -> float:
    value = number(answer[name])
    if value is None or not math.isfinite(value):
        raise ValueError(f"{name} is {value}")
    return value
