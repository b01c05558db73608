"""Signals that reach a launch's worker before it heeds them, while it still imports: they are the launch's to obey."""

from __future__ import annotations

import os
import signal
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from mlesearch.config.parts.resources import ProcessResources
from mlesearch.study.launches import local
from mlesearch.study.launches.interrupt import stop_file_of, stoppable
from mlesearch.study.launches.local import LocalWork, carry_out
from mlesearch.study.workers.stopping import BATCH_SIGNALS, TERMINAL_SIGNALS
from mlesearch.study.workers.work import WorkTerms


@pytest.mark.parametrize("signum", [*TERMINAL_SIGNALS, *BATCH_SIGNALS])
def test_a_worker_that_is_about_to_begin_goes_on(
    signum: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def work_off(*_: Any, **__: Any) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signum)
        (tmp_path / "got here").touch()

    monkeypatch.setattr(local, "work_off", work_off)
    stop_file = stop_file_of(tmp_path)
    said: list[str] = []
    before = signal.getsignal(signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with ProcessResources() as resources, stoppable(stop_file, said.append):
            work = LocalWork(tmp_path, (), frozenset(), WorkTerms(1, 0.0, stop_file=stop_file))
            assert carry_out(work, resources, lambda _run_id: None, nullcontext()) == {}
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (tmp_path / "got here").exists()
    assert capfd.readouterr().err == ""
