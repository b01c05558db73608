"""What a Slurm job of a chain does: queue the next job, work, and say by its exit code whether the next one is needed.

    python -m mlesearch.study.slurm.job STUDY --workers 8 --grace-s 60      in the script that `mlesearch submit` writes

The next job waits for this one to end without success (`afternotok`), which is what a time limit, a node that is lost
and a preemption are, too. Only where nothing is left to do is it cancelled.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from mlesearch.storage.machine import processors
from mlesearch.study.monitoring.status import read_status
from mlesearch.study.output import complain, prepare_streams, say
from mlesearch.study.slurm import commands as slurm
from mlesearch.study.slurm.chain import (
    FRUITLESS,
    chain_names,
    margin_s,
    note_begin,
    queue_next,
    script_of,
    submission_of,
)

NOTHING_LEFT, SOME_FAILED, REFUSED, AGAIN = 0, 1, 2, 75
"""Exit codes of `mlesearch work`; those of a job are the same."""
WORK = (sys.executable, "-m", "mlesearch", "work")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)
_RETRY_S = 15.0
_REFUSED_RETRY_S = 300.0
"""Jobs that a limit leaves no room for may find some once others of the user have ended."""


class Successor:
    """The next job of a chain: queued at once, or as soon as the controller answers and takes it."""

    def __init__(self, script: Path, name: str, job: int, fruitless: int) -> None:
        """Nothing is queued yet.

        Args:
            script: of the submission.
            name: of the chain.
            job: this one.
            fruitless: jobs before it that got nowhere, one after the other.
        """
        self._script, self._name, self._job, self._fruitless = script, name, job, fruitless
        self._there = threading.Event()
        self._ended = threading.Event()
        self._turn = threading.Lock()
        self._refused = ""

    def begin(self) -> None:
        """Queue it; where the controller is away, or refuses it, go on trying beside the work."""
        if not self._try(aloud=True):
            threading.Thread(target=self._go_on, daemon=True).start()

    def cancel(self, others: Sequence[str] = ()) -> None:
        """Cancel it, and the other chains that are not at work: there is nothing left for them.

        What follows a job at work is left to that job. A controller that is away keeps no job from ending: the next one
        finds nothing to do, and tries again.
        """
        self._ended.set()
        try:
            jobs = [j for j in slurm.queued([self._name, *others]) if j.number != self._job]
            at_work = {j.name for j in jobs if j.state != "PENDING"}
            slurm.cancel([j.number for j in jobs if j.state == "PENDING" and j.name not in at_work])
        except slurm.SlurmError as error:
            complain(f"the jobs that follow are not cancelled ({error}); they will end by themselves")

    def move(self, node: str) -> None:
        """Have it run on another node than this one, which can do nothing for the study."""
        self.cancel()
        try:
            number = queue_next(self._script, self._name, self._job, self._fruitless, not_on=node)
            say(f"next: job {number}, on another node than {node}")
        except slurm.SlurmError as error:
            complain(f"no next job on another node than {node}: {error}")

    def ensure(self) -> None:
        """Wait until it is queued; where Slurm refuses one more job, this one begins again under its own number."""
        self._ended.set()
        while not self._try(aloud=False):
            if self._refused:
                complain(f"no next job ({self._refused}): this one is put back into the queue")
                try:
                    slurm.requeue(self._job)
                    return
                except slurm.ControllerAway as error:
                    complain(f"it is not put back yet ({error}); trying again")
                except slurm.SlurmError as error:
                    study = self._script.parent.parent
                    complain(f"this chain ends ({error}); to go on: mlesearch submit --slurm {study}")
                    return
            time.sleep(_RETRY_S)

    def _go_on(self) -> None:
        while not self._ended.wait(_REFUSED_RETRY_S if self._refused else _RETRY_S):
            if self._try(aloud=False):
                return

    def _try(self, *, aloud: bool) -> bool:
        """Whether it is queued; one thread at a time, so that it is queued once."""
        with self._turn:
            if self._there.is_set():
                return True
            before, self._refused = self._refused, ""
            try:
                known = [j.number for j in slurm.queued([self._name]) if j.number != self._job]
                number = known[0] if known else queue_next(self._script, self._name, self._job, self._fruitless)
            except slurm.ControllerAway as error:
                if aloud:
                    complain(f"the next job is not queued yet ({error}); trying again while this one works")
                return False
            except slurm.SlurmError as error:
                self._refused = str(error)
                if self._refused != before:
                    complain(f"the next job is not queued: {error}")
                return False
            say(f"next: job {number}")
            self._there.set()
            return True


class Worker:
    """`mlesearch work` as a child that is told of every signal."""

    def __init__(self) -> None:
        """It is started by `run`; signals count from now on."""
        self._child: subprocess.Popen[bytes] | None = None
        self._pending: list[int] = []
        for each in _SIGNALS:
            signal.signal(each, self._told)

    def _told(self, signum: int, frame: FrameType | None) -> None:
        if self._child is None:
            self._pending.append(signum)
        else:
            self._child.send_signal(signum)

    def run(self, words: Sequence[str]) -> int:
        """Its exit code; `AGAIN` where it was asked to stop before it began."""
        if self._pending:
            return AGAIN
        self._child = subprocess.Popen(words)
        for signum in self._pending:
            self._child.send_signal(signum)
        return self._child.wait()


def main(argv: Sequence[str] | None = None) -> int:
    """Do one job; returns its exit code."""
    prepare_streams()
    p = argparse.ArgumentParser(prog="python -m mlesearch.study.slurm.job", description=__doc__)
    p.add_argument("study", metavar="STUDY", type=Path)
    p.add_argument("--workers", type=int, required=True, metavar="N", help="chains of the submission")
    p.add_argument("--grace-s", type=float, required=True, metavar="SECONDS", help="that a worker may take to stop")
    p.add_argument("--limit-s", type=float, metavar="SECONDS", help="of a job, where the controller can't be asked")
    p.add_argument("--all-cpus", action="store_true", help="a run for each processor that the job has")
    args = p.parse_args(argv)
    work = [*WORK, "--jobs", str(cpus())] if args.all_cpus else WORK
    job, name = int(os.environ["SLURM_JOB_ID"]), os.environ["SLURM_JOB_NAME"]
    return carry_out(args.study, name, job, args.workers, args.grace_s, args.limit_s, work)


def cpus() -> int:
    """Processors of this job: not all clusters keep its processes to them."""
    given = os.environ.get("SLURM_CPUS_ON_NODE", "")
    return min(processors(), int(given)) if given.isdecimal() and int(given) else processors()


def carry_out(
    study: Path, name: str, job: int, workers: int, grace_s: float, limit_s: float | None, work: Sequence[str] = WORK
) -> int:
    """A job of a chain, from its begin to its end; returns its exit code.

    Args:
        study: its folder.
        name: of the chain.
        job: its number.
        workers: chains of the submission.
        grace_s: that a worker may take to stop.
        limit_s: of a job, where the controller can't be asked.
        work: the command of a worker, to which the study and a time are added.
    """
    worker = Worker()
    submission = submission_of(name)
    script = script_of(study, submission)
    again = os.environ.get("SLURM_RESTART_COUNT", "0")
    say(f"job {job} on {os.uname().nodename}" + (f", begun again ({again})" if again != "0" else ""))
    fruitless = note_begin(study, name, job)
    if fruitless >= FRUITLESS:
        complain(
            f"the last {fruitless} jobs of {name} got nowhere, so no other follows: see their logs in {script.parent}, "
            f"then queue workers anew with `mlesearch submit --slurm {study}`"
        )
        return SOME_FAILED
    successor = Successor(script, name, job, fruitless)
    successor.begin()
    told_s = slurm.time_left_s(job)
    left_s = limit_s if told_s is None else told_s
    limit = [] if left_s is None else ["--for", f"{max(1, round(left_s - margin_s(left_s, grace_s)))}s"]
    code = worker.run([*work, str(study), *limit])
    if code in (NOTHING_LEFT, SOME_FAILED):
        code = _standing(study)
    if code in (NOTHING_LEFT, SOME_FAILED):
        successor.cancel(chain_names(submission, workers))
        return code
    if code == REFUSED:
        successor.move(os.environ.get("SLURMD_NODENAME", os.uname().nodename))
        return code
    if code != AGAIN:
        complain(f"the worker ended abruptly ({_ending(code)})")
    successor.ensure()
    return AGAIN


def _standing(study: Path) -> int:
    """The exit code of a job that found nothing left: of the whole study, to which runs may have been added since."""
    found = read_status(study)
    if found.missing:
        return AGAIN
    if found.failures:
        complain("nothing is left to do, and runs have failed (on whatever worker, or in an earlier job)")
    return SOME_FAILED if found.failures else NOTHING_LEFT


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by signal {-code}"


if __name__ == "__main__":
    sys.exit(main())
