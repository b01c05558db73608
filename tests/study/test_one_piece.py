"""A launch with one run left, which is carried out in its own process: it waits and tries again as workers do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import RunPlan
from mlesearch.sandbox.inside import landlock
from mlesearch.storage.leases import Leases
from mlesearch.storage.requests import end_pause, pause
from mlesearch.storage.worker_files import read_attempts, read_workers
from mlesearch.study.launches import launch
from mlesearch.study.launches.launch import run_cell
from mlesearch.study.runs.execute import RunReport, execute_run
from mlesearch.study.runs.failures import RetryRule
from mlesearch.study.workers import slots
from tests.support.launched import listed, wait_until

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


def waits(study: Path) -> bool:
    return any(w.activity == "paused" for w in read_workers(study))


def test_it_keeps_to_a_pause(run: RunPlan, capsys: pytest.CaptureFixture[str]) -> None:
    pause(run.study_dir, "a new disk")

    def go_on() -> None:
        try:
            wait_until(lambda: waits(run.study_dir), 30)
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
            wait_until(lambda: waits(run.study_dir), 30)
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
