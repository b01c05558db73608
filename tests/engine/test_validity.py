"""A grading server that says what is valid: its messages, its failures, and what a run keeps of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlesearch.engine import validity
from mlesearch.engine.scoring import judge
from mlesearch.engine.validity import ServerScorer, ValidationServer
from mlesearch.storage.documents import VALIDATED
from mlesearch.tasks import folder
from mlesearch.tasks.grading import UNGRADED
from mlesearch.tasks.protocol import Task, Validity
from mlesearch.tasks.ungraded_folder import UngradedRequest, write_ungraded
from mlesearch.types import Artefact, Captured, ExecResult, ExecStatus, GraderUnavailable, MlesearchError, Status
from tests.support.unanswered import GradingServer, write_data

MESSAGE = "Submission invalid! The attempt to grade the submission has resulted in the following error message:\nNo id."


@pytest.fixture
def task(tmp_path: Path) -> Task:
    data = write_data(tmp_path / "data", rows=4)
    write_ungraded(UngradedRequest(data, tmp_path / "task", Validity.SERVER, metric="rmse"))
    return folder.load(tmp_path / "task")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validity, "PAUSE_S", 0.0)


def left(place: Path, text: str) -> ExecResult:
    """A program that ended well, reported 0.5, and left this submission."""
    place.mkdir(exist_ok=True)
    path = place / "submission.csv"
    path.write_text(text)
    return ExecResult(
        ExecStatus.OK, stdout=Captured("validation_score: 0.5"), artefacts={path.name: Artefact(path.name, path)}
    )


def test_valid_and_invalid_are_the_servers_words_and_asked_once(task: Task, tmp_path: Path) -> None:
    with GradingServer(lambda text: "Submission is valid." if text == "good\n" else MESSAGE) as server:
        scorer = ServerScorer(task, tmp_path, ValidationServer(server.url))
        for _ in range(2):
            good = judge(left(tmp_path / "a", "good\n"), scorer)
            assert (good.status, good.score) == (Status.OK, 0.5)
            bad = judge(left(tmp_path / "b", "b\u00e4d\n"), scorer)
            assert bad.status is Status.INVALID_SUBMISSION
            assert bad.problem == " ".join(MESSAGE.split())
        assert server.seen == ["good\n", "b\u00e4d\n"]
    assert scorer.test(left(tmp_path / "a", "good\n")) == UNGRADED
    lines = [json.loads(line) for line in (tmp_path / VALIDATED).read_text().splitlines()]
    assert [(line["valid"], line["message"]) for line in lines] == [(True, "Submission is valid."), (False, MESSAGE)]
    replayed = ServerScorer(task, tmp_path / "replay", None, tmp_path)
    (tmp_path / "replay").mkdir()
    assert judge(left(tmp_path / "a", "good\n"), replayed).score == 0.5
    with pytest.raises(MlesearchError, match="was not recorded"):
        replayed.submission_problem(left(tmp_path / "c", "never seen\n"))


def test_an_error_of_the_servers_own_code_is_told_and_ends_no_run(task: Task, tmp_path: Path) -> None:
    failed = (500, {"error": "An unexpected error occurred.", "details": "list index out of range"})
    with GradingServer(lambda _: failed) as server:
        found = judge(left(tmp_path / "a", "x\n"), ServerScorer(task, tmp_path, ValidationServer(server.url)))
    assert found.status is Status.INVALID_SUBMISSION
    assert found.problem == "the grading server failed on it: list index out of range"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [(404, {}, "it answers 404"), (200, {"other": 1}, "'result'"), (200, {"result": 7}, "its result is 7")],
)
def test_what_is_no_grading_server_stops_the_run(
    task: Task, tmp_path: Path, status: int, body: Mapping[str, object], said: str
) -> None:
    with GradingServer(lambda _: (status, body)) as server:
        scorer = ServerScorer(task, tmp_path, ValidationServer(server.url))
        with pytest.raises(GraderUnavailable, match=said) as error:
            judge(left(tmp_path / "a", "x\n"), scorer)
        assert len(server.seen) == validity.TRIES
    assert "\n" not in str(error.value)
    assert not (tmp_path / VALIDATED).exists()


def test_a_server_that_is_gone_stops_the_run_and_one_that_comes_back_is_asked(task: Task, tmp_path: Path) -> None:
    with GradingServer(lambda _: "Submission is valid.") as server:
        url = server.url
    with pytest.raises(GraderUnavailable, match="start it, and run the same command again"):
        judge(left(tmp_path / "a", "x\n"), ServerScorer(task, tmp_path, ValidationServer(url)))
    answers = iter([(503, {}), "Submission is valid."])
    with GradingServer(lambda _: next(answers)) as server:
        assert judge(left(tmp_path / "a", "x\n"), ServerScorer(task, tmp_path, ValidationServer(server.url))).score


def test_what_a_program_must_not_leave_is_never_sent(task: Task, tmp_path: Path) -> None:
    with GradingServer(lambda _: "Submission is valid.") as server:
        scorer = ServerScorer(task, tmp_path, ValidationServer(server.url))
        secret = tmp_path / "secret"
        secret.write_text("answers")
        result = left(tmp_path / "a", "x\n")
        link = tmp_path / "a/submission.csv"
        link.unlink()
        link.symlink_to(secret)
        assert "symbolic link" in judge(result, scorer).problem
        assert server.seen == []
