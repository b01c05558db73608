"""From an execution to a status and a validation score: the task's rules, on the host."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from mlesearch.storage.file_systems import is_fault
from mlesearch.tasks.graders import said
from mlesearch.tasks.grading import grade_test, read_submission, score_validation
from mlesearch.tasks.protocol import Grade, Medal, Scored, Task
from mlesearch.tasks.reported import METRICS_BYTES, reported_score
from mlesearch.types import ExecResult, ExecStatus, MlesearchError, Status, printable

SUBMISSION = "submission.csv"
METRICS = "metrics.json"
OUTPUT_CHARS = 6000
"""How much of a program's output a node keeps for prompts, head and tail together."""


def artefact_bytes(task: Task) -> tuple[tuple[str, int], ...]:
    """How much of each file that a program leaves can be used: what is larger is refused, whatever is in it."""
    return (SUBMISSION, task.max_submission_bytes), (METRICS, METRICS_BYTES)


class Scorer(Protocol):
    """What the engine needs of a task."""

    def validation(self, result: ExecResult) -> Scored:
        """The validation score of an execution that ended well, or what was wrong with what it left."""
        ...

    def submission_problem(self, result: ExecResult) -> str:
        """What is wrong with the form of the submission of an execution that ended well; empty where nothing is."""
        ...

    def test(self, result: ExecResult) -> Grade:
        """The test grade of a valid node; the engine writes it down and never looks at it."""
        ...


@dataclass(frozen=True, slots=True)
class TaskScorer:
    """Scores by a task's folder."""

    task: Task

    def validation(self, result: ExecResult) -> Scored:
        """See `Scorer`."""
        submission, problem = submission_of(result)
        if submission is None:
            return Scored(None, problem)
        metrics = result.artefacts.get(METRICS)
        return score_validation(
            self.task,
            submission,
            stdout=result.stdout.text,
            metrics_path=metrics.path if metrics else None,
            stderr=result.stderr.text,
        )

    def submission_problem(self, result: ExecResult) -> str:
        """See `Scorer`."""
        submission, problem = submission_of(result)
        return problem if submission is None else read_submission(submission, self.task).problem

    def test(self, result: ExecResult) -> Grade:
        """See `Scorer`."""
        path = result.artefacts[SUBMISSION].path
        if path is None:
            raise ValueError("only a valid node is graded")
        return grade_test(self.task, path)


def submission_of(result: ExecResult) -> tuple[Path | None, str]:
    """The submission that an execution left, or why there is none."""
    submission = result.artefacts.get(SUBMISSION)
    if submission is not None and submission.path is not None:
        return submission.path, ""
    why = submission.problem if submission else "absent"
    return None, "the program wrote no submission.csv in its working directory" if why == "absent" else why


def own_score(result: ExecResult, problem: str) -> Scored:
    """The score that a program reports of itself.

    Args:
        result: of its execution.
        problem: why its submission is not valid, so that the score does not count; empty: it is.
    """
    if problem:
        return Scored(None, problem)
    metrics = result.artefacts.get(METRICS)
    return reported_score(result.stdout.text, result.stderr.text, metrics.path if metrics else None)


@dataclass(frozen=True, slots=True)
class Judged:
    """What an execution is worth to the search."""

    status: Status
    score: float | None
    problem: str


def judge(result: ExecResult, scorer: Scorer) -> Judged:
    """Status and score of an execution; a NaN, infinite or missing score is a failure."""
    if result.status is not ExecStatus.OK:
        return Judged(Status(result.status.value), None, result.reason)
    try:
        scored = scorer.validation(result)
    except MlesearchError:
        raise
    except Exception as error:
        scored = Scored(None, _not_scored(error))
    if scored.score is None or not math.isfinite(scored.score):
        status = Status.NO_SCORE if scored.unreported else Status.INVALID_SUBMISSION
        problem = scored.problem or "the validation score is missing or not finite"
        return Judged(status, None, printable(problem))
    return Judged(Status.OK, float(scored.score), "")


def judge_sample(result: ExecResult, scorer: Scorer) -> str:
    """Why a run on a sample, or on the full data, is not passed; empty where it left a submission of the right form."""
    if result.status is not ExecStatus.OK:
        return result.reason
    try:
        return printable(scorer.submission_problem(result))
    except MlesearchError:
        raise
    except Exception as error:
        return _not_scored(error)


def grade(result: ExecResult, scorer: Scorer) -> Grade:
    """The test grade of a valid node; whatever goes wrong in it is an invalid submission."""
    try:
        found = scorer.test(result)
    except MlesearchError:
        raise
    except Exception as error:
        found = Grade(None, Medal.NONE, above_median=False, valid=False, problem=_not_scored(error))
    return replace(found, problem=printable(found.problem)) if found.problem else found


def _not_scored(error: Exception) -> str:
    """Scoring reads what a program wrote: an exception there is the submission's, and never ends a run.

    A disk that fails is nobody's submission.
    """
    if is_fault(error):
        raise error
    return f"the submission could not be scored: {said(error)}"


def output_text(result: ExecResult, problem: str) -> str:
    """What a prompt shows of an execution: the problem first, then both streams, bounded."""
    parts = [problem] if problem else []
    if result.stdout.bytes_seen:
        parts.append(result.stdout.text.strip())
    if result.stderr.bytes_seen:
        parts.append(result.stderr.text.strip())
    text = "\n".join(p for p in parts if p)
    if len(text) <= OUTPUT_CHARS:
        return text
    half = OUTPUT_CHARS // 2
    return f"{text[:half]}\n[... cut ...]\n{text[-half:]}"
