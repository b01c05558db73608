"""Scores competitions of MLE-bench by its own grader: validity for the search, the report for after it.

A search learns whether a submission is valid, and the grader's message where it is not: what MLE-bench's own agents may
ask for too. It never learns a score. The validation score is the program's own.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlesearch.engine.scoring import own_score, submission_of
from mlesearch.storage.documents import (
    OFFICIAL,
    OFFICIAL_VALIDATION,
    OfficialLine,
    read_official,
    read_official_validation,
)
from mlesearch.storage.files import append_line
from mlesearch.tasks import medals
from mlesearch.tasks.grading import percentile
from mlesearch.tasks.mlebench.official import OfficialReport
from mlesearch.tasks.protocol import Grade, Medal, Scored, Task, Thresholds
from mlesearch.types import Direction, ExecResult, MlesearchError, printable

REASON_CHARS = 1000
"""How much of a grader's message a search is shown."""
NOTHING_SAID = "MLE-bench's grader finds the submission invalid"

GradeFile = Callable[[Path], OfficialReport]
"""Has MLE-bench grade one file."""


class OfficialReports:
    """The reports of a run, one for each submission that differs from all before it.

    Those by the competition's answers are in official.jsonl, those by held-out sets in official_validation.jsonl.
    """

    def __init__(self, run: Path, recorded: Path | None = None, *, split: int | None = None) -> None:
        """Read what an earlier process wrote.

        Args:
            run: its folder; made when the first report is written.
            recorded: folder of the run that this one replays.
            split: of held-out sets, 0 that of the search, else the seed of a fresh one; None: the competition's own.
        """
        self._run = run
        self._split = split
        self._known = self._read(run)
        self._recorded = {} if recorded is None else self._read(recorded)

    def _read(self, run: Path) -> dict[str, OfficialLine]:
        return read_official(run) if self._split is None else read_official_validation(run, self._split)

    def find(self, submission: str) -> OfficialLine | None:
        """The report of a submission that this run has graded, by the sha256 of the file."""
        return self._known.get(submission)

    def recorded(self, submission: str) -> OfficialLine | None:
        """The report of it in the run that this one replays."""
        return self._recorded.get(submission)

    def add(self, line: OfficialLine) -> None:
        """Write a report."""
        path = self._run / (OFFICIAL if self._split is None else OFFICIAL_VALIDATION)
        if self._split:
            line = {**line, "split": self._split}
        append_line(path, line)
        self._known[line["submission"]] = line


@dataclass(frozen=True, slots=True)
class OfficialScorer:
    """A `Scorer` that asks MLE-bench.

    Attributes:
        task: the competition.
        reports: of the run.
        grade: has a file graded; None where it is replayed without data or grader.
        lock: programs on a sample are judged by several threads.
    """

    task: Task
    reports: OfficialReports
    grade: GradeFile | None
    lock: threading.Lock

    def validation(self, result: ExecResult) -> Scored:
        """See `Scorer`: the program's own score, where MLE-bench finds its submission valid."""
        return own_score(result, self.submission_problem(result))

    def submission_problem(self, result: ExecResult) -> str:
        """See `Scorer`: the grader's message, or no more than that it is invalid."""
        submission, problem = submission_of(result)
        if submission is None:
            return problem
        line = self._report(submission)
        if line["report"]["valid_submission"]:
            return ""
        shows = self.task.official is not None and self.task.official.feedback == "message"
        return _in_words(line["reason"]) if shows else NOTHING_SAID

    def test(self, result: ExecResult) -> Grade:
        """See `Scorer`: what their report says."""
        submission, problem = submission_of(result)
        if submission is None:
            raise ValueError(problem)
        return grade_of(self.task, self._report(submission))

    def score(self, result: ExecResult) -> float | None:
        """The score of a submission, as MLE-bench gives it; None where it is invalid."""
        submission, _ = submission_of(result)
        score = None if submission is None else self._report(submission)["report"]["score"]
        return None if score is None else float(score)

    def _report(self, submission: Path) -> OfficialLine:
        """The report of a file, graded once.

        Raises:
            GraderUnavailable: the grader can't be run; the submission is not to blame.
            MlesearchError: a replay has no report of it, or another one.
        """
        with submission.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        with self.lock:
            line = self.reports.find(digest)
            if line is None:
                line = self._graded(digest, submission)
                self.reports.add(line)
            return line

    def _graded(self, digest: str, submission: Path) -> OfficialLine:
        recorded = self.reports.recorded(digest)
        if self.grade is None:
            if recorded is None:
                raise MlesearchError(
                    f"{self.task.id}: no report of this submission was recorded, and no grader is here"
                )
            return recorded
        line = line_of(digest, self.grade(submission))
        if recorded is not None and _judgement(recorded) != _judgement(line):
            raise MlesearchError(
                f"{self.task.id}: MLE-bench grades a recorded submission otherwise here: {_judgement(recorded)} was "
                f"recorded, here it is {_judgement(line)}"
            )
        return line


def line_of(digest: str, report: OfficialReport) -> OfficialLine:
    """A report as a run keeps it.

    Args:
        digest: sha256 of the submission.
        report: of MLE-bench.
    """
    fields = {name: _plain(value) for name, value in report.official().items()}
    fields["submission_path"] = Path(report.submission_path).name
    line: OfficialLine = {
        "submission": digest,
        "report": fields,
        "reason": printable(report.reason),
        "board": report.board,
    }
    if report.aligned_score is not None:
        aligned = report.aligned_score
        line["aligned_score"] = aligned if math.isfinite(aligned) else str(aligned)
        line["aligned_medal"] = medals.medal(aligned, _thresholds(report), _direction(report)).value
    if report.ends_batch:
        line["ends_batch"] = printable(report.ends_batch)
    return line


def _thresholds(report: OfficialReport) -> Thresholds:
    """The limits of a report; how many teams there were is not in it."""
    r = report
    return Thresholds(r.gold_threshold, r.silver_threshold, r.bronze_threshold, r.median_threshold, teams=0)


def _direction(report: OfficialReport) -> Direction:
    return Direction.MINIMIZE if report.is_lower_better else Direction.MAXIMIZE


def _plain(value: object) -> object:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _judgement(line: OfficialLine) -> Mapping[str, Any]:
    """What of a report must not change."""
    return {k: v for k, v in line["report"].items() if k not in ("created_at", "submission_path")}


def grade_of(task: Task, line: OfficialLine) -> Grade:
    """A report as the grade of a node. A score that is not finite stands in the report alone."""
    report = line["report"]
    score = None if report["score"] is None else float(report["score"])
    medal = next((m for m in (Medal.GOLD, Medal.SILVER, Medal.BRONZE) if report[f"{m.value}_medal"]), Medal.NONE)
    valid, problem = bool(report["valid_submission"]), ""
    if not valid:
        problem = _in_words(line["reason"])
    elif score is not None and not math.isfinite(score):
        problem, score = f"the score is {score}, which MLE-bench counts as valid", None
    return Grade(
        score,
        medal,
        above_median=bool(report["above_median"]),
        valid=valid,
        problem=problem,
        percentile=None if score is None else percentile(task, score),
        submission=line["submission"],
    )


def _in_words(reason: str) -> str:
    return " ".join(reason.split())[:REASON_CHARS] or NOTHING_SAID
