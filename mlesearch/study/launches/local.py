"""The worker of a launch on this machine, as the launch sees it: started, followed, and started again where it died.

Where this process has one thread, the worker is a fork of it, which has planned and imported already. Else it is a
fresh process that reads the launch's list: a fork of several threads may find what another thread held locked for good.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import RunPlan
from mlesearch.storage.lifeline import end_with_parent
from mlesearch.storage.requests import RequestReader
from mlesearch.study.output import complain
from mlesearch.study.runs.execute import RunReport
from mlesearch.study.workers.losses import ending
from mlesearch.study.workers.stopping import BATCH_SIGNALS, STOP_NOW, TERMINAL_SIGNALS, left_to_others
from mlesearch.study.workers.work import EndedBefore, WorkTerms, work_off

_STARTS = 5
"""A worker that dies so often in a row, with no run ended in between, is not started again."""
_CLOSING_S = 20.0
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class LocalWork:
    """What is to be done on this machine.

    Attributes:
        study: its folder.
        runs: of the launch, all of them.
        done: ids of those that have ended.
        terms: of the work.
    """

    study: Path
    runs: Sequence[RunPlan]
    done: frozenset[str]
    terms: WorkTerms


def carry_out(
    work: LocalWork, resources: ProcessResources, ended: Callable[[str], None], beside: AbstractContextManager[object]
) -> dict[str, RunReport]:
    """Have a worker carry out the runs of a launch, to its end.

    Args:
        work: what is to be done.
        resources: of this process.
        ended: is told of each run that ended, once.
        beside: is entered once a worker is started, which is a fork of this process while it has no other thread.

    Returns:
        Reports by the ids of the runs that were carried out.

    Raises:
        KeyboardInterrupt: it is to stop at once; the worker has ended.
    """
    reports: dict[str, RunReport] = {}
    deaths = 0
    with ExitStack() as entered:
        while True:
            before = len(reports)
            with _started(work, resources) as worker:
                if not deaths:
                    entered.enter_context(beside)
                for report in worker.reports():
                    new = report.run_id not in reports
                    reports[report.run_id] = report
                    if new and report.status != "interrupted":
                        ended(report.run_id)
            status = worker.status
            if status is None or os.WIFEXITED(status):
                return reports
            deaths = 1 if len(reports) > before else deaths + 1
            complain(f"the worker of this launch {ending(status)}; it is started again, and its runs go on")
            if deaths >= _STARTS:
                complain(f"it ended so {deaths} times in a row; run the same command again to go on")
                return reports


class _WorkerProcess:
    """A worker, and what it reports."""

    def __init__(self, pid: int, reports: int) -> None:
        self.pid, self._fd = pid, reports
        self.status: int | None = None

    def reports(self) -> Iterator[RunReport]:
        """What it says, until it has ended and said all."""
        rest = b""
        while True:
            readable = bool(select.select([self._fd], [], [], _LOOK_S)[0])
            data = os.read(self._fd, 1 << 16) if readable else b""
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield RunReport(**json.loads(line))
            if (readable and not data) or (not readable and self._ended()):
                return

    def _ended(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = status if pid else None
        return self.status is not None

    def close(self, within_s: float) -> None:
        """Wait for its end; it is killed where that does not come."""
        until_s = time.monotonic() + within_s
        while not self._ended():
            if time.monotonic() >= until_s:
                os.kill(self.pid, signal.SIGKILL)
                _, self.status = os.waitpid(self.pid, 0)
                break
            time.sleep(0.02)
        os.close(self._fd)

    def stop_now(self) -> None:
        """Have it end at once, in order."""
        if not self._ended():
            os.kill(self.pid, STOP_NOW)


@contextmanager
def _started(work: LocalWork, resources: ProcessResources) -> Iterator[_WorkerProcess]:
    """A worker, at work; it has ended afterwards."""
    out, into = os.pipe()
    fresh = work.terms.launch > 0 and threading.active_count() > 1
    try:
        pid = _fresh(work, into) if fresh else _forked(work, resources, out, into)
    finally:
        os.close(into)
    worker = _WorkerProcess(pid, out)
    try:
        yield worker
    except BaseException:
        worker.stop_now()
        raise
    finally:
        worker.close(_CLOSING_S)


def _fresh(work: LocalWork, into: int) -> int:
    terms = {**asdict(work.terms), "stop_file": str(work.terms.stop_file)}
    request = {"study": str(work.study), "terms": terms, "reports": into, "parent": os.getpid()}
    os.set_inheritable(into, True)
    words = [sys.executable, "-m", "mlesearch.study.launches.worker_process", json.dumps(request)]
    return os.posix_spawn(sys.executable, words, os.environ)


def _forked(work: LocalWork, resources: ProcessResources, out: int, into: int) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        left_to_others((*BATCH_SIGNALS, *TERMINAL_SIGNALS))  # to the launch, until the worker heeds them itself
        end_with_parent(parent)
        os.close(out)
        resources.after_fork()
        tell = partial(write_reports, into)
        before = EndedBefore(work.done, (), RequestReader(work.study))
        work_off(work.study, work.runs, before, work.terms, resources, tell, complain, private=[into])
        code = 0
    except BaseException:
        complain(traceback.format_exc())
    finally:
        with suppress(BaseException):
            resources.close()
        os._exit(code)


def write_reports(into: int, reports: Sequence[RunReport]) -> None:
    """Tell the launch, which may have ended, of runs that did.

    Args:
        into: a pipe.
        reports: a line each.
    """
    lines = [json.dumps({k: v for k, v in asdict(r).items() if k != "result"}) + "\n" for r in reports]
    data = memoryview("".join(lines).encode())
    with suppress(BrokenPipeError):
        while data:
            data = data[os.write(into, data) :]
