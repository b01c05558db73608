"""Scores submissions: validation rows for the search, test rows and medals for after it."""

from __future__ import annotations

import bisect
import functools
import math
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlesearch.tasks import graders, leaderboard, metrics, strict_metrics, submission
from mlesearch.tasks.answers import answers as read_answers
from mlesearch.tasks.medals import Positions, above_median, medal, positions, thresholds
from mlesearch.tasks.metrics import MetricProblem
from mlesearch.tasks.protocol import Grade, Medal, Scored, Task, Thresholds, Validation
from mlesearch.tasks.reported import reported_score
from mlesearch.tasks.submission import Submission
from mlesearch.tasks.submission import read as read_submission
from mlesearch.types import ConfigError, Direction

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Positions",
    "Submission",
    "above_median",
    "grade_scores",
    "grade_test",
    "medal",
    "positions",
    "read_submission",
    "report",
    "score_frame",
    "score_validation",
    "thresholds",
]

THRESHOLDS = ("gold", "silver", "bronze", "median")
SCORE_DECIMALS = 5
"""The grader rounds a test score to this many decimals before it meets the thresholds, which are never rounded."""

UNGRADED = Grade(None, Medal.NONE, above_median=False, valid=True)
"""Of a valid submission where there are no answers to grade it with."""


def score_frame(task: Task, predicted: pd.DataFrame, truth: pd.DataFrame) -> Scored:
    """The unrounded score of a frame of predictions.

    Args:
        task: whose metric or grade.py scores.
        predicted: id and target columns. A named metric needs the rows in the order of `truth`.
        truth: the answers to these rows.

    Raises:
        ConfigError: the answers cannot be scored with this metric, or grade.py cannot be loaded.
    """
    try:
        if task.grader is not None:
            # Copies, so that a grader that changes its arguments does not spoil the cached answers.
            score = graders.load(task.grader, task.version)(predicted.copy(), truth.copy())
        else:
            score = _by_metric(task, predicted, truth)
    except MetricProblem as problem:
        return Scored(None, str(problem))
    except graders.GraderFailed as error:
        return Scored(None, f"grade.py could not score it: {error}")
    if not math.isfinite(score):
        return Scored(None, f"the score is {score}; expected predictions that give a finite one")
    return Scored(score)


def _by_metric(task: Task, predicted: pd.DataFrame, truth: pd.DataFrame) -> float:
    """The score by the task's named metric.

    Raises:
        ConfigError: the metric can't score these answers, whatever is predicted.
        MetricProblem: it can't score these predictions.
    """
    targets = list(task.target_columns)
    answers = truth[targets].to_numpy()
    with np.errstate(all="ignore"):  # what overflows is refused by the caller
        try:
            return float(_scored(task, answers, predicted[targets].to_numpy()))
        except MetricProblem:
            raise
        except Exception as error:
            try:
                _scored(task, answers, answers.copy())
            except Exception:
                raise ConfigError(f"{task.private_dir}: {task.metric} cannot score these answers: {error}") from error
            raise MetricProblem(f"{task.metric} cannot score these predictions: {graders.said(error)}") from error


def _scored(task: Task, answers: metrics.Values, predictions: metrics.Values) -> float:
    return strict_metrics.score(task.metric, task.metric_rules, task.prediction_range, answers, predictions)


def score_validation(
    task: Task, path: Path, stdout: str = "", metrics_path: Path | None = None, stderr: str = ""
) -> Scored:
    """The validation score that the search sees.

    With `validation: harness` it is computed on the validation rows of the submission, which must hold all rows of
    the sample submission. With `reported` the submission is checked all the same, and the score is the program's own.

    Args:
        task: the task.
        path: the submission.
        stdout: what the program printed (its tail is enough).
        metrics_path: its metrics.json, where it left one; that one wins over the printed line.
        stderr: what it printed there, for a score that a logger wrote.

    Raises:
        ConfigError: the task itself is broken.
    """
    read = read_submission(path, task)
    if read.frame is None:
        return Scored(None, read.problem)
    if task.validation is Validation.REPORTED:
        return reported_score(stdout, stderr, metrics_path)
    truth = read_answers(task).validation
    if truth is None:
        raise ConfigError(f"{task.private_dir}: no validation answers, but validation is harness")
    return score_frame(task, submission.split(read.frame, task)[0], truth)


def percentile(task: Task, score: float) -> float | None:
    """Share of the board's teams that the score beats or equals, 0 to 1; None without a board of scores."""
    if task.board is None or task.board.name != leaderboard.BOARD:
        return None
    ascending = _ascending(task.board, task.version)
    if task.direction is Direction.MAXIMIZE:
        reached = bisect.bisect_right(ascending, score)
    else:
        reached = len(ascending) - bisect.bisect_left(ascending, score)
    return reached / len(ascending)


@functools.lru_cache(maxsize=32)
def _ascending(board: Path, _version: str) -> list[float]:
    return sorted(leaderboard.scores(board))


def grade_test(task: Task, path: Path) -> Grade:
    """The test grade of a submission: score rounded to 5 decimals, medal, and its place on the board.

    The validation rows may be there or not. A score that is not finite makes the submission invalid. Of an ungraded
    task, a submission of the right form is valid, and has no score.

    Raises:
        ConfigError: the task itself is broken.
    """
    read = read_submission(path, task, only_test=True)
    if read.frame is None:
        return Grade(None, Medal.NONE, above_median=False, valid=False, problem=read.problem)
    if task.ungraded is not None:
        return UNGRADED
    scored = score_frame(task, read.frame, read_answers(task).test)
    if scored.score is None:
        return Grade(None, Medal.NONE, above_median=False, valid=False, problem=scored.problem)
    score = round(scored.score, SCORE_DECIMALS)
    return Grade(
        score,
        medal(score, task.thresholds, task.direction),
        above_median=above_median(score, task.thresholds, task.direction),
        valid=True,
        percentile=percentile(task, score),
    )


def grade_scores(score: float | None, limits: Thresholds, direction: Direction) -> dict[str, object]:
    """The medal fields of mle-bench's report for a score, thresholds and all; None without a board."""
    won = medal(score, limits, direction)
    known = {name: None if math.isnan(value := getattr(limits, name)) else value for name in THRESHOLDS}
    return {
        "score": score,
        **{f"{name}_threshold": value for name, value in known.items()},
        "any_medal": won is not Medal.NONE,
        "gold_medal": won is Medal.GOLD,
        "silver_medal": won is Medal.SILVER,
        "bronze_medal": won is Medal.BRONZE,
        "above_median": above_median(score, limits, direction),
    }


def report(task: Task, path: Path) -> dict[str, object]:
    """The grading report of one submission, field for field what mle-bench writes.

    Raises:
        ConfigError: the task itself is broken.
    """
    grade = grade_test(task, path)
    return {
        "competition_id": task.id,
        **grade_scores(grade.score, task.thresholds, task.direction),
        "submission_exists": path.is_file(),
        "valid_submission": grade.valid,
        "is_lower_better": task.direction is Direction.MINIMIZE,
        "created_at": datetime.now().isoformat(),
        "submission_path": str(path),
    }
