"""A worker on whatever machine a launcher chose: started again where it is killed, and what it refuses is one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import pytest

from mlesearch.sandbox.inside import landlock
from mlesearch.storage.layout import state_of_result
from mlesearch.storage.processes import owner
from mlesearch.storage.worker_files import read_workers
from mlesearch.study.launches.remote import RemoteWork, work_on_cell
from mlesearch.study.workers.work import WorkTerms
from tests.support.launched import busy, listed
from tests.support.waiting import wait_for


@pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")
def test_a_cell_s_worker_that_is_killed_is_started_again(tmp_path: Path) -> None:
    study = tmp_path / "main"
    (run,) = listed(study, strategy=["random"], seeds=[0], budget={"steps": 2}).runs
    terms = WorkTerms(1, 5.0, stop_file=study / "stop", launch=1, verify=True)
    remote = RemoteWork(str(study), (run.key.cell,), terms, owner(), side_by_side=1)
    job = threading.Thread(target=work_on_cell, args=(remote, 0))
    job.start()
    wait_for(lambda: busy(study))
    (worker,) = read_workers(study)
    os.kill(worker.pid, signal.SIGKILL)
    job.join(120)
    assert state_of_result(run.folder) == "finished"
    assert len(read_workers(study)) == 2


def test_what_a_worker_refuses_is_one_line(tmp_path: Path) -> None:
    terms = {**asdict(WorkTerms(1, 5.0, launch=1)), "stop_file": str(tmp_path / "stop")}
    request = json.dumps({"study": str(tmp_path), "terms": terms, "parent": os.getpid()})
    words = [sys.executable, "-m", "mlesearch.study.launches.worker_process", request]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith("mlesearch: ")
    assert done.stderr.count("\n") == 1
