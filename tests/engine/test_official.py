"""A scorer that asks MLE-bench: what a search learns of a submission, and what stays in the reports."""

import json
import math
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.engine.official import NOTHING_SAID, OfficialReports, OfficialScorer
from mlesearch.engine.scoring import grade, judge, judge_sample
from mlesearch.storage.documents import OFFICIAL, read_official
from mlesearch.tasks.mlebench.official import OfficialReport
from mlesearch.tasks.protocol import Medal, OfficialGrading, Task, Thresholds, Validation
from mlesearch.types import (
    Artefact,
    Captured,
    Direction,
    ExecResult,
    ExecStatus,
    GraderUnavailable,
    MlesearchError,
    Status,
)

OFFICIAL_TERMS = OfficialGrading("abc", (("pandas", "2.3.3"),), feedback="message", unpack="auto", board="table")
TASK = Task(
    id="competition",
    title="A competition",
    version="mlebench-1",
    metric="mean-error",
    direction=Direction.MINIMIZE,
    validation=Validation.REPORTED,
    description="",
    public_dir=Path("public"),
    private_dir=Path("private"),
    id_column="id",
    target_columns=("y",),
    thresholds=Thresholds(0.1, 0.2, 0.3, 0.5, 100),
    program_time_s=60.0,
    board=Path("table.csv"),
    official=OFFICIAL_TERMS,
)
BARE = OfficialReport(
    "competition",
    0.15,
    0.1,
    0.2,
    0.3,
    0.5,
    True,
    False,
    True,
    False,
    True,
    True,
    True,
    True,
    "2026-01-01",
    "/host/x.csv",
)
INVALID = replace(
    BARE, score=None, any_medal=False, silver_medal=False, above_median=False, valid_submission=False, reason="a  b\nc"
)


def scorer(
    folder: Path, made: OfficialReport | Exception, *, feedback: str = "message", recorded: Path | None = None
) -> tuple[OfficialScorer, list[Path]]:
    """A scorer of a run in a folder, whose grader gives one report for all, and what that one was asked."""
    asked: list[Path] = []

    def graded(path: Path) -> OfficialReport:
        asked.append(path)
        if isinstance(made, Exception):
            raise made
        return made

    folder.mkdir(exist_ok=True)
    task = replace(TASK, official=replace(OFFICIAL_TERMS, feedback=feedback))
    return OfficialScorer(task, OfficialReports(folder, recorded), graded, threading.Lock()), asked


def executed(folder: Path, content: str = "id,y\n1,2\n", printed: str = "validation_score: 0.25") -> ExecResult:
    path = folder / "submission.csv"
    path.write_text(content)
    return ExecResult(
        ExecStatus.OK,
        0,
        stdout=Captured(printed, "", len(printed)),
        artefacts={"submission.csv": Artefact(path.name, path)},
    )


def test_a_valid_submission_has_the_programs_own_score_and_the_official_grade(tmp_path: Path) -> None:
    made, asked = scorer(tmp_path / "run", BARE)
    result = executed(tmp_path)
    judged = judge(result, made)
    assert (judged.status, judged.score, judged.problem) == (Status.OK, 0.25, "")
    found = grade(result, made)
    assert (found.score, found.medal, found.above_median, found.valid) == (0.15, Medal.SILVER, True, True)
    assert len(asked) == 1, "the same file is graded once"
    assert judge_sample(result, made) == ""
    again, asked = scorer(tmp_path / "run", GraderUnavailable("not asked again"))
    assert grade(result, again) == found, "a resumed run reads what was graded"
    assert asked == []


def test_an_unreported_score_is_the_programs_fault_and_not_the_submissions(tmp_path: Path) -> None:
    made, _ = scorer(tmp_path / "run", BARE)
    assert judge(executed(tmp_path, printed="done"), made).status is Status.NO_SCORE


@pytest.mark.parametrize(("feedback", "said"), [("message", "a b c"), ("valid", NOTHING_SAID)])
def test_of_an_invalid_submission_a_search_learns_the_message_or_nothing(
    tmp_path: Path, feedback: str, said: str
) -> None:
    made, _ = scorer(tmp_path / "run", INVALID, feedback=feedback)
    judged = judge(executed(tmp_path), made)
    assert (judged.status, judged.score, judged.problem) == (Status.INVALID_SUBMISSION, None, said)
    assert judge_sample(executed(tmp_path), made) == said
    (line,) = read_official(tmp_path / "run").values()
    assert line["reason"] == "a  b\nc", "the report has it all"


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_valid_and_flagged(tmp_path: Path, score: float) -> None:
    gold = score == -math.inf
    report = replace(BARE, score=score, nan=math.isnan(score), any_medal=gold, gold_medal=gold, silver_medal=False)
    made, _ = scorer(tmp_path / "run", report)
    result = executed(tmp_path)
    assert judge(result, made).status is Status.OK
    found = grade(result, made)
    assert (found.score, found.valid) == (None, True)
    assert found.problem == f"the score is {score}, which MLE-bench counts as valid"
    assert found.medal is (Medal.GOLD if gold else Medal.NONE)
    json.loads((tmp_path / "run" / OFFICIAL).read_text(), parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


def test_a_fault_of_the_grader_stops_the_run_and_is_no_node_s(tmp_path: Path) -> None:
    made, _ = scorer(tmp_path / "run", GraderUnavailable("the grader died twice"))
    for ask in (judge, grade, judge_sample):
        with pytest.raises(GraderUnavailable, match="died twice"):
            ask(executed(tmp_path), made)  # type: ignore[operator]  # three functions of one form
    assert read_official(tmp_path / "run") == {}


def test_reports_name_no_path_of_the_machine_and_keep_what_is_odd(tmp_path: Path) -> None:
    made, _ = scorer(tmp_path / "run", replace(BARE, aligned_score=0.05, ends_batch="UnicodeDecodeError: x"))
    grade(executed(tmp_path), made)
    text = (tmp_path / "run" / OFFICIAL).read_text()
    assert "/host" not in text
    (line,) = read_official(tmp_path / "run").values()
    assert (line["aligned_score"], line["ends_batch"], line["board"]) == (0.05, "UnicodeDecodeError: x", "real")
    assert list(line["report"]) == list(BARE.official())


def test_a_program_that_left_nothing_never_reaches_the_grader(tmp_path: Path) -> None:
    made, asked = scorer(tmp_path / "run", BARE)
    judged = judge(ExecResult(ExecStatus.OK, 0), made)
    assert "wrote no submission.csv" in judged.problem
    assert asked == []


def replayed(tmp_path: Path, make: Callable[[], OfficialScorer]) -> ExecResult:
    made, _ = scorer(tmp_path / "recorded", BARE)
    result = executed(tmp_path)
    expected = grade(result, made)
    assert grade(result, make()) == expected
    return result


def test_a_replay_needs_neither_data_nor_grader(tmp_path: Path) -> None:
    (tmp_path / "replay").mkdir()

    def make() -> OfficialScorer:
        return OfficialScorer(TASK, OfficialReports(tmp_path / "replay", tmp_path / "recorded"), None, threading.Lock())

    replayed(tmp_path, make)
    with pytest.raises(MlesearchError, match="no report of this submission was recorded"):
        grade(executed(tmp_path, "another"), make())


def test_a_replay_with_a_grader_says_what_is_graded_otherwise(tmp_path: Path) -> None:
    later = replace(BARE, created_at="2027-01-01", submission_path="/elsewhere/x.csv")
    result = replayed(tmp_path, lambda: scorer(tmp_path / "same", later, recorded=tmp_path / "recorded")[0])
    other, _ = scorer(tmp_path / "other", replace(BARE, score=0.16), recorded=tmp_path / "recorded")
    with pytest.raises(MlesearchError, match="grades a recorded submission otherwise"):
        grade(result, other)
