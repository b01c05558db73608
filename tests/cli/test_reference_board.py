"""A new task's board: made of the test scores of executed pipelines, or refused where these tell nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlesearch.cli import reference_board
from mlesearch.sandbox.protocol import Job, Slot, Spec
from mlesearch.tasks import check, folder
from mlesearch.tasks.new import make, pipelines
from mlesearch.tasks.new.write import write_task
from mlesearch.types import ConfigError, ExecResult, ExecStatus
from tests.support.tables import cases, request_of

Submission = Callable[[Spec, int], pd.DataFrame | None]
"""What the program of a team leaves; None: it fails."""


@dataclass
class WritingSandbox:
    """Runs nothing: writes the submission of a team."""

    submission: Submission
    name: str = "writing"
    jobs: list[Job] = field(default_factory=list)
    closed: bool = False

    def identity(self) -> Mapping[str, object]:
        return {"rung": self.name}

    def packages(self) -> Mapping[str, str]:
        return {}

    def check(self) -> None: ...

    def prepare(self, spec: Spec) -> Slot:
        return Slot(spec)

    def run(self, slot: Slot, job: Job) -> ExecResult:
        self.jobs.append(job)
        frame = self.submission(slot.spec, int(job.address.removeprefix("board/")))
        if frame is None:
            return ExecResult(ExecStatus.ERROR, exit_code=1, wall_us=1, reason="ValueError: no such column")
        job.outbox.mkdir(parents=True)
        frame.to_csv(job.outbox / "submission.csv", index=False)
        return ExecResult(ExecStatus.OK, 0, wall_us=1)

    def close(self) -> None:
        self.closed = True

    def reap_orphans(self) -> int:
        return 0


@dataclass(frozen=True)
class Chosen:
    """Stands for the rung that was chosen."""

    name: str = "writing"


@pytest.fixture
def planned(tmp_path: Path) -> make.PlannedTask:
    case = cases()["semicolons"]
    case.write(tmp_path)
    made = make.plan(request_of(case, tmp_path))
    (tmp_path / "task").mkdir()
    write_task(made, tmp_path / "task")
    return made


def add(planned: make.PlannedTask, place: Path, monkeypatch: pytest.MonkeyPatch, sandbox: WritingSandbox) -> str:
    monkeypatch.setattr(reference_board.ladder, "choose", lambda name: Chosen())
    monkeypatch.setattr(reference_board.ladder, "open_chosen", lambda chosen, params: sandbox)
    return reference_board.add_board(planned, place)


def noisy(spec: Spec, team: int) -> pd.DataFrame | None:
    """The answers, and noise that grows with the number of the team; every tenth team fails."""
    if team % 10 == 9:
        return None
    parts = [pd.read_csv(spec.hidden[0] / f"{part}.csv") for part in ("validation", "test")]
    frame = pd.concat(parts)
    frame["Preis"] += np.random.default_rng(team).normal(scale=50 + 10 * team, size=len(frame))
    return frame


def test_a_board_holds_the_test_scores_of_the_pipelines_that_gave_one(planned, tmp_path, monkeypatch):
    place, sandbox = tmp_path / "task", WritingSandbox(noisy)
    said = add(planned, place, monkeypatch, sandbox)
    assert "a board of 36 reference pipelines" in said
    assert "says nothing of people" in said
    assert sandbox.closed
    assert len(sandbox.jobs) == pipelines.TEAMS
    assert all(re.search(r"\nmain\(\{'id'", job.program) for job in sandbox.jobs)
    scores = [float(line) for line in (place / "leaderboard.csv").read_text().splitlines()[1:]]
    assert scores == sorted(scores), "best first: lower is better"
    declared = folder.declared(place)["leaderboard"]
    assert (declared["teams"], declared["seed"]) == (36, 0)
    assert "reference pipelines" in declared["source"]
    assert "4 gave no score" in declared["source"]
    assert check.check(place) == []


def test_pipelines_that_can_not_be_told_apart_make_no_board(planned, tmp_path, monkeypatch):
    sandbox = WritingSandbox(lambda spec, team: pd.read_csv(spec.input_dir / folder.SAMPLE))
    with pytest.raises(ConfigError, match="are not all different, so medals would tell nothing"):
        add(planned, tmp_path / "task", monkeypatch, sandbox)


def test_too_few_scores_make_no_board_and_the_first_reason_is_said(planned, tmp_path, monkeypatch):
    sandbox = WritingSandbox(lambda spec, team: None)
    with pytest.raises(ConfigError, match=r"40 of 40 reference pipelines gave no score.*ValueError: no such column"):
        add(planned, tmp_path / "task", monkeypatch, sandbox)
    assert sandbox.closed
