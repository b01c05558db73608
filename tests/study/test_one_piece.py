"""A launch with one run left, which is carried out in its own process: it waits and tries again as workers do."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import RunPlan
from mlesearch.sandbox.inside import landlock
from mlesearch.storage.layout import remove_failure
from mlesearch.storage.leases import Leases
from mlesearch.storage.requests import end_pause, pause
from mlesearch.storage.run_log import read_log
from mlesearch.storage.worker_files import read_attempts, read_workers
from mlesearch.study.launches import launch
from mlesearch.study.launches.launch import run_cell
from mlesearch.study.runs.execute import RunReport, execute_run
from mlesearch.study.runs.failures import RetryRule
from mlesearch.study.workers import slots
from mlesearch.study.workers.pieces import pieces_of
from tests.support.launched import listed
from tests.support.waiting import wait_for

pytestmark = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")


@pytest.fixture
def run(tmp_path: Path) -> RunPlan:
    """The one run."""
    (made,) = listed(tmp_path / "main", strategy=["random"], seeds=[0], budget={"steps": 1}).runs
    return made


def carried_out(run: RunPlan, meanwhile: Callable[[], object] = lambda: None) -> list[RunReport]:
    """The reports of its launch; something is done while it is at work."""
    reports: list[RunReport] = []

    def carry_out() -> None:
        with ProcessResources() as resources:
            reports.extend(run_cell([run], 1, run.study_dir / "stop", resources))

    thread = threading.Thread(target=carry_out)
    thread.start()
    try:
        meanwhile()
    finally:
        thread.join(60)
    return reports


DIES = """
import os, sys; from pathlib import Path; from mlesearch.storage.layout import remove_failure
from mlesearch.storage.leases import Leases
from mlesearch.storage.lease_files import Claimant
assert Leases(Path(sys.argv[1])).claim(sys.argv[2], Claimant(sys.argv[3], isolated=True)) is not None
os.kill(os.getpid(), 9)
"""


def die(study: Path, name: str, times: int) -> None:
    """Have workers claim a piece and die, with nothing else under way."""
    for n in range(times):
        subprocess.run([sys.executable, "-c", DIES, str(study), name, f"worker-{n}"], check=False)


def waits(study: Path) -> bool:
    return any(w.activity == "paused" for w in read_workers(study))


def test_it_keeps_to_a_pause(run: RunPlan, capsys: pytest.CaptureFixture[str]) -> None:
    pause(run.study_dir, "a new disk")

    def go_on() -> None:
        try:
            wait_for(lambda: waits(run.study_dir), 30)
            assert not run.folder.exists()
        finally:
            end_pause(run.study_dir)

    assert [r.status for r in carried_out(run, go_on)] == ["ok"]
    assert capsys.readouterr().err.count("waiting: the study is paused (a new disk)") == 1


def test_it_says_once_that_another_process_has_the_run(run: RunPlan, capsys: pytest.CaptureFixture[str]) -> None:
    lease = Leases(run.study_dir).claim(run.key.id)
    assert lease is not None

    def let_go() -> None:
        with lease.beating():
            wait_for(lambda: waits(run.study_dir), 30)
        lease.release(done=False)

    assert [r.status for r in carried_out(run, let_go)] == ["ok"]
    assert capsys.readouterr().err.count("held by another process; waiting") == 1


def test_a_failure_that_may_pass_is_tried_again(run: RunPlan, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    asked: list[bool] = []

    def fails_twice(run: RunPlan, *given: Any, may_retry: bool = False) -> RunReport:
        asked.append(may_retry)
        if len(asked) < 3:
            return RunReport(run.key.id, "failed", "the provider is down", "transient")
        return execute_run(run, *given, may_retry=may_retry)

    monkeypatch.setattr(slots, "execute_run", fails_twice)
    monkeypatch.setattr(launch, "RetryRule", partial(RetryRule, first_s=0.01))
    assert [r.status for r in carried_out(run)] == ["ok"]
    assert asked == [True, True, False]
    assert capsys.readouterr().err.count("the provider is down; tried again in ") == 2
    assert [a.attempt for a in read_attempts(run.study_dir)] == [1, 2, 3]


def test_of_how_many_workers_died_of_it_it_knows(run: RunPlan) -> None:
    """Two deaths are no reason yet, since it has nothing else under way; three are."""
    die(run.study_dir, run.key.id, 3)
    (report,) = carried_out(run)
    assert (report.status, report.error_class) == ("failed", "poison")
    assert "its worker ended 3 times without a word" in report.reason
    assert [a.status for a in read_attempts(run.study_dir)] == ["set_aside"]
    remove_failure(run.folder)
    die(run.study_dir, run.key.id, 2)
    assert [r.status for r in carried_out(run)] == ["ok"]
    taken = [entry.partition("taken over from worker ")[2].partition(" on ")[0] for entry in read_log(run.folder)]
    assert [worker for worker in taken if worker] == ["worker-2", "worker-1"]
    assert not list((run.study_dir / "leases").iterdir())


def test_a_chunk_whose_worker_died_is_carried_out_run_by_run(tmp_path: Path) -> None:
    given = {"strategy": ["random"], "seeds": [0, 1, 2], "budget": {"steps": 1}, "clock": "virtual"}
    runs = listed(tmp_path / "main", sandbox="auto", **given).runs
    (chunk,) = pieces_of(runs)
    assert len(chunk.numbers) == 3
    die(runs[0].study_dir, chunk.name, 1)
    die(runs[0].study_dir, runs[1].key.id, 3)
    with ProcessResources() as resources:
        reports = run_cell(runs, 1, runs[0].study_dir / "stop", resources)
    assert [r.status for r in reports] == ["ok", "failed", "ok"]
    assert reports[1].error_class == "poison"
    Leases(runs[0].study_dir).forget_deaths([runs[1].key.id])
    with ProcessResources() as resources:
        reports = run_cell(runs, 1, runs[0].study_dir / "stop", resources)
    assert [r.status for r in reports] == ["skipped", "ok", "skipped"]
