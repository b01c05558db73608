"""Work that Hydra's other launchers send elsewhere: the cell of a number, by a worker on whatever machine that is.

What travels is small: where the study is, which list, and the names of its cells. The worker is a fresh process, since
the one that a launcher starts may have threads, signal handlers and a life of its own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from mlesearch.storage.machine import processors
from mlesearch.storage.processes import gone
from mlesearch.study.workers.stopping import left_to_others
from mlesearch.study.workers.work import WorkTerms

_LOOK_S = 0.25
_END_S = 5.0
_STARTS = 5


@dataclass(frozen=True, slots=True)
class RemoteWork:
    """What travels to wherever a launcher carries out a job.

    Attributes:
        study: its folder.
        cells: the cell of each job, by its path in the study.
        terms: of the work; slots -1: one per processor.
        launcher: the launching process, by `processes.owner`.
        side_by_side: jobs at work on the launching machine at one time, which end with the launch; 0: elsewhere.
    """

    study: str
    cells: tuple[str, ...]
    terms: WorkTerms
    launcher: str
    side_by_side: int


def work_on_cell(remote: RemoteWork, job: int) -> None:
    """Carry out the runs of a job's cell, by a worker, to its end; one that is killed is started again.

    What comes of the runs stands on the disk.

    Args:
        remote: what travelled.
        job: its number in the sweep.
    """
    _by_workers(remote, remote.cells[job])


def work_on_study(remote: RemoteWork) -> None:
    """Carry out runs of all cells, by a worker, until none is left; one that is killed is started again.

    Args:
        remote: what travelled.
    """
    _by_workers(remote, None)


def _by_workers(remote: RemoteWork, cell: str | None) -> None:
    for _ in range(_STARTS):
        if not os.WIFSIGNALED(_by_a_worker(remote, cell)):
            return


def _by_a_worker(remote: RemoteWork, cell: str | None) -> int:
    """How the worker ended, as `waitpid` says it."""
    jobs = remote.terms.jobs
    if jobs == -1:
        jobs = max(1, processors() // max(1, remote.side_by_side))
    terms = {**asdict(replace(remote.terms, jobs=jobs)), "stop_file": str(remote.terms.stop_file)}
    request = {"study": remote.study, "terms": terms, "cell": cell, "parent": os.getpid()}
    if remote.side_by_side and threading.current_thread() is threading.main_thread():
        left_to_others([signal.SIGINT])  # the launch decides
    words = [sys.executable, "-m", "mlesearch.study.launches.worker_process", json.dumps(request)]
    pid = os.posix_spawn(sys.executable, words, os.environ)
    ended, status = False, 0
    try:
        while not ended:
            found, status = os.waitpid(pid, os.WNOHANG)
            ended = found != 0
            if not ended and remote.side_by_side and gone(remote.launcher):
                os.kill(pid, signal.SIGKILL)
                os._exit(1)  # a process of the launcher, which would wait for its next job for minutes
            if not ended:
                time.sleep(_LOOK_S)
        return status
    except BaseException:  # of the launcher: its job is to end, as by a signal of a batch system
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        until_s = time.monotonic() + remote.terms.grace_s + _END_S
        while not ended and time.monotonic() < until_s:
            ended = os.waitpid(pid, os.WNOHANG)[0] != 0
            time.sleep(0.05)
        raise
    finally:
        if not ended:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
