"""Slurm's own commands, as a launch and its jobs need them; what one of them objects to is one line.

What they take and print: Slurm's manual pages sbatch, squeue, scancel and scontrol.
"""

from __future__ import annotations

import _thread
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlesearch.types import ConfigError, MlesearchError

_PATIENCE_S = 120.0
_LOOK_S = 2.0
_GONE_LOOKS = 5
_AWAY = re.compile(
    r"unable to contact slurm controller|socket timed out|connection refused|connect failure|connection failure|"
    r"zero bytes were transmitted|temporarily unable to accept|resource temporarily unavailable|standby mode|"
    r"unexpected message received",
    re.IGNORECASE,
)
"""What commands say while the controller does not answer: the same command may succeed later."""
_OF_A_JOB = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "ZE_AFFINITY_MASK")
"""Variables that Slurm sets for the GPUs of a job, and that are nothing to the next one."""
_TIME = re.compile(
    r"(?:(?P<days>\d+)-(?P<hours>\d+)(?::(?P<minutes>\d+)(?::(?P<seconds>\d+))?)?"
    r"|(?:(?P<h>\d+):)?(?P<m>\d+):(?P<s>\d+)|(?P<only>\d+))"
)


class SlurmError(MlesearchError):
    """A command of Slurm refused what it was asked for."""


class ControllerAway(SlurmError):
    """Slurm's controller does not answer now."""


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job that is not over: its number, its name, and its state as `squeue` writes it."""

    number: int
    name: str
    state: str


def submit(script: Path, *options: str) -> int:
    """Queue a script; returns the job's number.

    Args:
        script: an existing file.
        options: of `sbatch`, which stand above those in the script.

    Raises:
        ControllerAway: the controller does not answer; the job may have been taken all the same.
        SlurmError: it was refused.
    """
    printed = _command("sbatch", "--parsable", *options, str(script))
    found = re.match(r"(\d+)", printed.strip())
    if found is None:
        raise SlurmError(f"sbatch: it printed no number of a job: {printed.strip()[:200]!r}")
    return int(found[1])


def queued(names: Sequence[str]) -> list[QueuedJob]:
    """The jobs of this user that have these names and are not over.

    Raises:
        ControllerAway: the controller does not answer.
        SlurmError: it was refused.
    """
    lines = _command("squeue", "--me", "--noheader", "--format=%A|%T|%j", f"--name={','.join(names)}").splitlines()
    fields = [line.split("|", 2) for line in lines if line.count("|") >= 2]
    return [QueuedJob(int(number), name, state) for number, state, name in fields]


def cancel(numbers: Sequence[int]) -> None:
    """Cancel jobs; those that are over are left as they are.

    Raises:
        ControllerAway: the controller does not answer.
        SlurmError: it was refused.
    """
    if numbers:
        _command("scancel", *map(str, numbers))


def requeue(number: int) -> None:
    """Have a job begin again under its own number.

    Raises:
        ControllerAway: the controller does not answer.
        SlurmError: it was refused.
    """
    _command("scontrol", "requeue", str(number))


@contextmanager
def naming_jobs_left(stopped: Callable[[], bool], tell: Callable[[str], None]) -> Iterator[None]:
    """Follow jobs that something else queues in here, and waits for, from this folder.

    Once the launch was asked to stop, those that still wait in the queue are named, and this ends as soon as all are
    over, whatever else is waited for. Where it ends by an exception, jobs that are not over are named.

    Args:
        stopped: whether the launch was asked to stop: then each job ends by itself as soon as it works.
        tell: is told which jobs there are, and what cancels them.

    Raises:
        SlurmError: the launch was asked to stop, and all of its jobs are over, some of them before their end.
    """
    before = frozenset(number for number, _ in _jobs_from_here() or ())
    left, all_over = threading.Event(), threading.Event()
    told = (before, stopped, tell, left, all_over)
    threading.Thread(target=_follow, args=told, daemon=True, name="mlesearch-jobs").start()
    try:
        yield
    except BaseException as error:
        if all_over.is_set() and isinstance(error, KeyboardInterrupt):
            raise SlurmError("all jobs of this launch are over") from None
        if isinstance(error, Exception) and stopped():
            while (jobs := _jobs_from_here()) is None or _numbers(jobs, before):
                time.sleep(_LOOK_S)
        numbers = _numbers(_jobs_from_here() or (), before)
        if numbers:
            tell(f"jobs of this launch are still queued or at work; this cancels them: scancel {' '.join(numbers)}")
        raise
    finally:
        left.set()


def _follow(
    before: Collection[str],
    stopped: Callable[[], bool],
    tell: Callable[[str], None],
    left: threading.Event,
    all_over: threading.Event,
) -> None:
    """Once the launch was asked to stop: name the jobs that wait, and interrupt the main thread after the last one.

    It waits for what accounting says of them, which comes late where jobs were cancelled, and in some clusters never.
    """
    told = seen = False
    gone = 0
    while not left.wait(_LOOK_S):
        jobs = _jobs_from_here() if stopped() else None
        if jobs is None:
            continue
        waiting = _numbers((job for job in jobs if job[1] == "PENDING"), before)
        if waiting and not told:
            told = True
            tell(
                "jobs of this launch wait in Slurm's queue, and end as soon as they begin; this cancels them: "
                f"scancel --state=PENDING {' '.join(waiting)}"
            )
        there = bool(_numbers(jobs, before))
        seen = seen or there
        gone = 0 if there or not seen else gone + 1
        if gone == _GONE_LOOKS:  # else it would have ended by what the jobs have left
            all_over.set()
            _thread.interrupt_main()
            return


def _numbers(jobs: Iterable[tuple[str, str]], before: Collection[str]) -> list[str]:
    """The numbers of jobs that were not there before."""
    return sorted({number for number, _ in jobs if number not in before})


def _jobs_from_here() -> list[tuple[str, str]] | None:
    """Number and state of the jobs that were queued from this folder and are not over; None: nobody can tell now."""
    try:
        lines = _command("squeue", "--me", "--noheader", "--format=%F|%T|%Z").splitlines()
    except SlurmError:
        return None
    fields = [line.split("|", 2) for line in lines if line.count("|") >= 2]
    return [(number, state) for number, state, folder in fields if folder == os.getcwd()]


def time_left_s(number: int) -> float | None:
    """Seconds until a job's time limit; None where there is none, or where nobody can tell now."""
    try:
        return limit_s(_command("squeue", "--noheader", "--format=%L", f"--jobs={number}").strip())
    except (SlurmError, ConfigError):
        return None


def excluded_nodes(number: int) -> str:
    """The nodes that a job may not run on, as `--exclude` takes them; empty where there are none.

    Raises:
        ControllerAway: the controller does not answer.
        SlurmError: it was refused.
    """
    found = _command("squeue", "--noheader", "--format=%x", f"--jobs={number}").strip()
    return "" if found in ("(null)", "N/A") else found


def limit_s(text: str) -> float:
    """A time as Slurm writes it: minutes, minutes:seconds, hours:minutes:seconds, days-hours[:minutes[:seconds]].

    Raises:
        ConfigError: it is none.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"--time: {text!r} is no time of Slurm's; write hours:minutes:seconds as 12:00:00, days-hours as 2-12, or "
            "minutes as 90"
        )
    part = {name: int(value or 0) for name, value in found.groupdict().items()}
    minutes = part["minutes"] + part["m"] + part["only"]
    return part["days"] * 86_400.0 + (part["hours"] + part["h"]) * 3600 + minutes * 60 + part["seconds"] + part["s"]


def environment() -> dict[str, str]:
    """Of a command of Slurm: without what Slurm has set for the job in which it may be given."""
    kept = ("SLURM_CONF", "SLURM_CLUSTERS")
    found = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_") or name in kept}
    if "SLURM_JOB_ID" in os.environ:
        found = {name: value for name, value in found.items() if name not in _OF_A_JOB}
    return found


def _command(name: str, *words: str) -> str:
    """What a command printed."""
    try:
        done = subprocess.run(
            [name, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=environment(),
            timeout=_PATIENCE_S,
            check=False,
        )
    except FileNotFoundError:
        raise SlurmError(
            f"{name}: there is no such program here; give the command on a login node of a Slurm cluster, or work on "
            "this machine with `mlesearch run`"
        ) from None
    except subprocess.TimeoutExpired:
        raise ControllerAway(f"{name}: no answer within {_PATIENCE_S:g} s") from None
    except OSError as error:  # no process can be made now
        raise SlurmError(f"{name}: it can't be started: {error.strerror}") from None
    if done.returncode == 0:
        return done.stdout
    said = [re.sub(rf"^{name}: (?:error: |fatal: )?", "", line.strip()) for line in done.stderr.splitlines()]
    text = f"{name}: {'; '.join(line for line in said if line) or f'exit code {done.returncode}'}"
    raise (ControllerAway if _AWAY.search(text) else SlurmError)(text)
