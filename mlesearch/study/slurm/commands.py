"""Slurm's own commands, as a launch and its jobs need them; what one of them objects to is one line.

What they take and print: Slurm's manual pages sbatch, squeue, scancel and scontrol.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlesearch.types import ConfigError, MlesearchError

_PATIENCE_S = 120.0
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
def naming_jobs_left(tell: Callable[[str], None]) -> Iterator[None]:
    """Where this ends by an exception, name the jobs that were queued in it from this folder and are not over.

    Args:
        tell: is told which, and what cancels them.
    """
    before = _jobs_from_here()
    try:
        yield
    except BaseException:
        left = sorted(_jobs_from_here() - before)
        if left:
            tell(f"jobs of this launch are still queued or at work; this cancels them: scancel {' '.join(left)}")
        raise


def _jobs_from_here() -> set[str]:
    try:
        lines = _command("squeue", "--me", "--noheader", "--format=%F|%Z").splitlines()
    except SlurmError:
        return set()
    return {number for number, _, folder in (line.partition("|") for line in lines) if folder == os.getcwd()}


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
    if done.returncode == 0:
        return done.stdout
    said = [re.sub(rf"^{name}: (?:error: |fatal: )?", "", line.strip()) for line in done.stderr.splitlines()]
    text = f"{name}: {'; '.join(line for line in said if line) or f'exit code {done.returncode}'}"
    raise (ControllerAway if _AWAY.search(text) else SlurmError)(text)
