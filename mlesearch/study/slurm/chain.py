"""Workers of a study as chains of Slurm jobs: each job queues the next one before it works, and the last cancels it.

<study>/slurm/<n>.sbatch                the script of all jobs of a submission; jobs that follow take it as it is then
<study>/slurm/<name>-<job>.log          what a job said
<study>/slurm/<name>.jsonl              one line a job of a chain: how far the study was when it began

A chain is as long as it takes, and no longer: it ends when nothing is left to do, and when its last jobs got nowhere.
Its jobs share a name, and Slurm runs one of a name at a time (`singleton`).
"""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlesearch.config.settings import LauncherSettings
from mlesearch.storage.documents import RESULT
from mlesearch.storage.files import append_line, make_folder, read_lines, write_new
from mlesearch.storage.journal import JOURNAL
from mlesearch.storage.layout import slug
from mlesearch.storage.requests import why_paused
from mlesearch.study.slurm import commands as slurm
from mlesearch.types import ConfigError

FOLDER = "slurm"
"""Of scripts and logs, within a study."""
FRUITLESS = 5
"""So many jobs of a chain that get nowhere, one after the other, end it."""
_DELAYS_S = (0, 0, 60, 300, 900)
"""How much later than possible a job begins, by how many before it got nowhere."""
_RESULTS = f"*/*/*/*/seed-*/{RESULT}"
_MARGIN_S = 30.0
_AWAY_FOR_S = 300.0
_OURS = {
    "--array": "each worker is a chain of jobs of its own: use --workers",
    "--dependency": "each job of a chain depends on the one before it",
    "--job-name": "jobs of a chain are known by their name",
    "--time": "use --time, which workers have to know",
    "--parsable": "it is set",
    "--wait": "submit returns at once",
    "--wrap": "a script is queued",
    "--test-only": "use --check",
}
_SHORT = {"-a": "--array", "-d": "--dependency", "-J": "--job-name", "-t": "--time", "-W": "--wait"}


@dataclass(frozen=True, slots=True)
class SlurmRequest:
    """What is asked of Slurm for each worker of a study.

    Attributes:
        workers: chains of jobs, each of one job at a time.
        time: limit of a job, as Slurm writes it; None: the partition's own.
        partition: None: the cluster's default.
        gpus: of a job; as `sbatch --gpus` takes it.
        cpus: processors of a job.
        extra: further options of `sbatch`, as one would type them.
    """

    workers: int = 1
    time: str | None = None
    partition: str | None = None
    gpus: str | None = None
    cpus: int | None = None
    extra: str = ""

    def check(self) -> None:
        """Refuse what no chain can be made of.

        Raises:
            ConfigError: says of which option.
        """
        for option, count in (("--workers", self.workers), ("--cpus", self.cpus)):
            if count is not None and count < 1:
                raise ConfigError(f"{option}: {count}; at least 1 is needed")
        if self.time is not None and slurm.limit_s(self.time) < 60:
            raise ConfigError(f"--time: {self.time}; Slurm counts in minutes, so at least 1 is needed")
        try:
            words = shlex.split(self.extra)
        except ValueError as error:
            raise ConfigError(f"--sbatch: {self.extra!r} can't be read as options: {error}") from None
        for word in words:
            option = word.partition("=")[0] if word.startswith("--") else _SHORT.get(word[:2], "")
            if option in _OURS:
                raise ConfigError(f"--sbatch: {word} can't be given: {_OURS[option]}")
        if "\n" in self.extra or (words and not words[0].startswith("-")):
            raise ConfigError(f"--sbatch: {self.extra!r}; options of sbatch are expected, as '--account=lab --mem=64G'")


@dataclass(frozen=True, slots=True)
class QueuedWorkers:
    """What was queued: the script, and the chains by their names, each with the number of its first job."""

    script: Path
    jobs: dict[str, int]

    @property
    def stop(self) -> str:
        """The shell command that cancels all of it."""
        return stop_command(tuple(self.jobs))


def chain_names(submission: str, workers: int) -> list[str]:
    """The names of the chains of a submission."""
    return [f"{submission}-w{n}" for n in range(1, workers + 1)]


def submission_of(chain: str) -> str:
    """The name of the submission to which a chain belongs."""
    return chain.rpartition("-w")[0]


def script_of(study: Path, submission: str) -> Path:
    """The script of a submission."""
    return study / FOLDER / f"{submission.rpartition('-')[2]}.sbatch"


def stop_command(names: Sequence[str]) -> str:
    """The shell command that cancels all jobs of some chains."""
    return f"squeue --me --noheader --format=%A --name={','.join(names)} | xargs -r scancel"


def margin_s(limit_s: float, grace_s: float) -> float:
    """How long before its time limit a job's worker is asked to stop, so that it can end in order."""
    return min(grace_s + _MARGIN_S, limit_s / 3)


def queue_workers(
    study: Path,
    name: str,
    request: SlurmRequest,
    launcher: LauncherSettings,
    run_cpus: int,
    tell: Callable[[str], None],
) -> Iterator[QueuedWorkers]:
    """Write a submission's script and queue its chains.

    Args:
        study: its folder; it holds a list of runs.
        name: of the study.
        request: checked.
        launcher: of the study's settings.
        run_cpus: processors of one program.
        tell: is told once that the controller does not answer.

    Yields:
        What is queued so far, after each chain.

    Raises:
        SlurmError: Slurm refused one of them, or did not answer for minutes.
    """
    folder = study / FOLDER
    make_folder(folder)
    number = 1
    while not write_new(folder / f"{number}.sbatch", script(study, request, launcher, run_cpus).encode()):
        number += 1
    jobs: dict[str, int] = {}
    for chain in chain_names(f"mlesearch-{slug(name)[:40]}-{_digest(study)}-{number}", request.workers):
        jobs[chain] = _patiently(partial(_queue, folder, number, chain), chain, tell)
        yield QueuedWorkers(folder / f"{number}.sbatch", dict(jobs))


def script(study: Path, request: SlurmRequest, launcher: LauncherSettings, run_cpus: int) -> str:
    """The script of all jobs of a submission."""
    grace_s, cpus = launcher.grace_s, request.cpus
    if cpus is None and launcher.n_jobs > 0:
        cpus = launcher.n_jobs * run_cpus
    options = ["--requeue", "--open-mode=append", "--kill-on-invalid-dep=yes", "--ntasks=1", "--nodes=1"]
    if request.time is not None:
        early_s = round(margin_s(slurm.limit_s(request.time), grace_s))
        options += [f"--time={request.time}", f"--signal=B:USR2@{early_s}"]
    options += [] if request.partition is None else [f"--partition={request.partition}"]
    options += [] if request.gpus is None else [f"--gpus={request.gpus}"]
    options += [] if cpus is None else [f"--cpus-per-task={cpus}"]
    lines = "\n".join(f"#SBATCH {option}" for option in [*options, *([request.extra] if request.extra else [])])
    words = ["-m", "mlesearch.study.slurm.job", str(study), "--workers", str(request.workers), f"--grace-s={grace_s:g}"]
    words += ["--all-cpus"] if launcher.n_jobs == -1 else []
    words += [] if request.time is None else [f"--limit-s={slurm.limit_s(request.time):g}"]
    python, log = shlex.quote(sys.executable), shlex.quote(_log(study / FOLDER, ""))
    return f"""#!/bin/bash
# A worker of a study. Jobs of this chain that are queued later take this file as it is then: change options here.
{lines}
if [ ! -x {python} ] && [ "${{MLESEARCH_MOVED:=0}}" -lt {FRUITLESS} ]; then
    echo {python} is not on "$SLURMD_NODENAME": another node is tried
    export MLESEARCH_MOVED=$((MLESEARCH_MOVED + 1))
    sbatch --job-name="$SLURM_JOB_NAME" --output={log}"$SLURM_JOB_NAME"-%j.log --exclude="$SLURMD_NODENAME" "$0"
    exit 75
fi
exec {shlex.join([sys.executable, *words])}
"""


def queue_next(script_path: Path, name: str, after: int, fruitless: int, not_on: str = "") -> int:
    """Queue the job that follows in a chain; returns its number.

    Args:
        script_path: of the submission.
        name: of the chain.
        after: the job before it.
        fruitless: jobs before it that got nowhere, one after the other.
        not_on: a node that can do nothing for the study, beside those that the job before was kept from.

    Raises:
        SlurmError: Slurm refused it, or does not answer.
    """
    nodes = ",".join(each for each in (slurm.excluded_nodes(after), not_on) if each)
    later_s = _DELAYS_S[min(fruitless, len(_DELAYS_S) - 1)]
    begin = [f"--begin=now+{later_s}seconds"] if later_s else []
    return slurm.submit(
        script_path,
        *_named(script_path.parent, name),
        f"--dependency=afternotok:{after},singleton",
        "--kill-on-invalid-dep=yes",
        *begin,
        *([f"--exclude={nodes}"] if nodes else []),
    )


def note_begin(study: Path, name: str, job: int) -> int:
    """Note that a job of a chain begins; returns how many before it got nowhere, one after the other.

    A job of a study that is paused has nothing to do, and counts as one that got somewhere; so does one that sets a run
    aside.

    Args:
        study: its folder.
        name: of the chain.
        job: its number.
    """
    path = study / FOLDER / f"{name}.jsonl"
    before = list(read_lines(path))
    now = {"journaled_bytes": journaled_bytes(study), "results": sum(1 for _ in study.glob(_RESULTS))}
    append_line(path, {"job": job, **now, "paused": bool(why_paused(study))})
    got_on = (n for n, line in enumerate(reversed(before)) if line["paused"] or {**now, **line} != {**line, **now})
    return next(got_on, len(before))


def journaled_bytes(study: Path) -> int:
    """How much the journals of a study hold: it grows with each thing that a run does, and with nothing else."""
    total = 0
    for pattern in (f"*/*/*/*/seed-*/{JOURNAL}", "*/*/*/runs.db"):
        for path in study.glob(pattern):
            try:
                total += os.stat(path).st_size
            except FileNotFoundError:
                continue
    return total


def _queue(folder: Path, number: int, chain: str) -> int:
    return slurm.submit(folder / f"{number}.sbatch", *_named(folder, chain))


def _named(folder: Path, name: str) -> list[str]:
    """The options that a chain's jobs share beside those in the script; `%j` is the job's number."""
    return [f"--job-name={name}", f"--output={_log(folder, name)}-%j.log"]


def _log(folder: Path, name: str) -> str:
    """The beginning of the path of a job's log, in which a percent sign is meant as one."""
    return f"{folder}/{name}".replace("%", "%%")


def _patiently(queue: Callable[[], int], name: str, tell: Callable[[str], None]) -> int:
    """Queue a chain, though the controller may be away for some minutes: it may have taken the job all the same."""
    end, pause_s, told = time.monotonic() + _AWAY_FOR_S, 2.0, False
    while True:
        try:
            if told and (known := slurm.queued([name])):
                return known[0].number
            return queue()
        except slurm.ControllerAway as error:
            if time.monotonic() + pause_s > end:
                raise
            if not told:
                tell(f"{error}; trying again for {_AWAY_FOR_S / 60:g} minutes")
            told = True
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 20.0)


def _digest(study: Path) -> str:
    return hashlib.sha256(os.fsencode(study)).hexdigest()[:6]
