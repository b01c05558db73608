"""A grader and what it reports."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from mlebench.utils import Table

logger = logging.getLogger(__name__)


class InvalidSubmissionError(Exception):
    """A submission that cannot be graded."""


class Grader:
    """The function of a competition; whatever it raises makes a submission invalid."""

    def __init__(self, name: str, grade_fn: str) -> None:
        module, function = grade_fn.split(":")
        self.name = name
        self.grade_fn: Callable[[Any, Any], Any] = getattr(importlib.import_module(module), function)

    def is_lower_better(self, leaderboard: Table) -> bool:
        """By the first and the last score of the board."""
        return float(leaderboard["score"][0]) < float(leaderboard["score"][-1])

    def __call__(self, submission: Table, answers: Table) -> Any:
        """The score, rounded; None where there is none."""
        try:
            score = self.grade_fn(submission, answers)
        except Exception as error:
            logger.warning("no score: %s", ascii(str(error))[:300])
            return None
        return round(score, 5)


@dataclass(frozen=True)
class CompetitionReport:
    """In the real one's order of fields."""

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
    created_at: datetime
    submission_path: str

    def to_dict(self) -> dict[str, Any]:
        """As it is written to a file."""
        return {**asdict(self), "created_at": self.created_at.isoformat()}
