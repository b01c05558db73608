"""`mlesearch submit`: a launch that is checked here, and whose workers are queued on a cluster."""

from __future__ import annotations

import math
import re
import shlex
import shutil
from argparse import Namespace
from pathlib import Path

from mlesearch.analysis.text import plural
from mlesearch.cli.confirm import confirm
from mlesearch.cli.launches import say_checked
from mlesearch.cli.show_study import find_study_to_change, refuse_folder
from mlesearch.cli.terminal import seconds, shell_words, shown
from mlesearch.config.loading.compose import expand, jobs
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import plan
from mlesearch.config.settings import Settings
from mlesearch.storage.documents import STUDY
from mlesearch.storage.files import read_json
from mlesearch.study.launches.launch import begin
from mlesearch.study.launches.left_out import without_left_out
from mlesearch.study.output import complain, say
from mlesearch.study.slurm.chain import QueuedWorkers, SlurmRequest, queue_workers, stop_command
from mlesearch.study.slurm.commands import SlurmError
from mlesearch.study.work_list.files import list_numbers, read_list
from mlesearch.types import ConfigError

INTERRUPTED = 130
_NO_SBATCH = (
    "there is no sbatch on this machine; give the command on a login node of a Slurm cluster, or work on this machine "
    "with `mlesearch run`"
)


def submit(args: Namespace) -> int:
    """Check a launch, or take a study that was launched, and queue its workers; returns without waiting for them.

    Returns:
        0 queued, 1 not all of it, 130 stopped by Ctrl-C.
    """
    if not (args.slurm or args.list):
        raise ConfigError(
            "submit: say where to: --slurm, or --list for a system on which you start workers (docs/clusters.md)"
        )
    request = SlurmRequest(args.workers, _limit(args.time), args.partition, args.gpus, args.cpus, args.sbatch)
    request.check()
    if args.slurm and not args.check and shutil.which("sbatch") is None:
        raise ConfigError(f"--slurm: {_NO_SBATCH}")
    if len(args.overrides) == 1 and (Path(args.overrides[0]) / STUDY).is_file():
        study = find_study_to_change(Path(args.overrides[0]))
        if args.list:
            raise ConfigError(f"--list: {shown(study)} was launched; start workers: {shell_words('work', study)}")
        return _more_workers(study.absolute(), request, check=args.check)
    refuse_folder(args.overrides)
    options = [f"--{name}" for name in ("slurm", "list", "check", "yes") if getattr(args, name)]
    overrides = expand(args.overrides, shlex.join(["mlesearch", "submit", *options]), multirun=args.multirun)
    launch = jobs(overrides, args.multirun)
    with ProcessResources(complain) as resources:
        planned = plan([cell.settings for cell in launch.jobs], resources, on="workers")
        planned = without_left_out(planned, "`mlesearch run --left-out`", complain)
        if not say_checked(launch, planned, resources, check=args.check):
            return 1
        if args.check:
            return _able_to_queue() if args.slurm else 0
        if not confirm(planned, resources, args.yes):
            complain("nothing was queued or written")
            return 1
        begin(planned, resources)
        if args.list:
            say(f"the list is written; start workers: {shell_words('work', planned.folder)}")
            return 0
        return _queue(planned.folder, planned.header["name"], planned.runs[0].settings, request)


def _able_to_queue() -> int:
    """Say where no job can be submitted; returns the exit code of a check."""
    if shutil.which("sbatch") is not None:
        return 0
    complain(f"--slurm: no job can be submitted from here: {_NO_SBATCH}")
    return 1


def _limit(text: str | None) -> str | None:
    """A time limit as Slurm writes it; 11h30m is taken, too."""
    if text is None or not re.search("[hms]", text.lower()):
        return text
    minutes = math.ceil(seconds(text) / 60)
    return f"{minutes // 60}:{minutes % 60:02}:00"


def _more_workers(study: Path, request: SlurmRequest, *, check: bool) -> int:
    """Queue workers for a study that was launched."""
    numbers = list_numbers(study)
    if not numbers:
        raise ConfigError(
            f"{study}: it holds no list of runs (it is of an earlier version, or nothing was launched); give the "
            "overrides or the experiment of which it was made"
        )
    newest = read_list(study, numbers[-1])
    name = str(read_json(study / STUDY)["name"])
    say(f"study {name}: {plural(len(newest.runs), 'run')} on its newest list, in {shown(study)}")
    if check:
        say("nothing was queued or written (--check)")
        return _able_to_queue()
    return _queue(study, name, newest.runs[0].settings, request)


def _queue(study: Path, name: str, settings: Settings, request: SlurmRequest) -> int:
    """Queue the workers, and say how to look at them and how to stop them; what is queued is always named."""
    done: QueuedWorkers | None = None
    code = 0
    try:
        for queued in queue_workers(study, name, request, settings.launcher, settings.sandbox.cpu_count, complain):
            done = queued
    except SlurmError as error:
        code = 1
        complain(f"mlesearch: {error}")
    except KeyboardInterrupt:
        code = INTERRUPTED
    if done is None:
        complain("no job was queued")
        return code
    count = plural(request.workers, "worker")
    count = f"{len(done.jobs)} of {count}" if len(done.jobs) < request.workers else count
    numbers = ", ".join(map(str, done.jobs.values()))
    say(f"queued {count}, each a chain of jobs; the first ones: {numbers}; logs in {shown(done.script.parent)}")
    say(f"look:   {shell_words('status', study)}")
    say(f"stop:   {stop_command(list(done.jobs))}")
    say(f"report: {shell_words('report', study)}")
    return code
