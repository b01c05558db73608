"""`mlesearch solve`: one run on data without answers, by the engine of `mlesearch run`, that hands its best over."""

from __future__ import annotations

import shlex
from argparse import Namespace
from dataclasses import dataclass, replace
from pathlib import Path

from mlesearch.analysis.text import plural
from mlesearch.cli.confirm import confirm
from mlesearch.cli.terminal import duration, seconds, shell_words, shown
from mlesearch.config.loading.compose import expand, jobs
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import RunPlan, StudyPlan, plan
from mlesearch.config.planning.preflight import preflight, refuse_faults
from mlesearch.config.settings import Settings
from mlesearch.config.solving import check_server, delivery_of
from mlesearch.storage.documents import finished_row
from mlesearch.storage.file_systems import in_words
from mlesearch.study.launches.interrupt import stop_file_of, stoppable
from mlesearch.study.launches.launch import begin, run_cell
from mlesearch.study.monitoring.progress import Progress, describe
from mlesearch.study.output import complain, say
from mlesearch.tasks.folder import DEFAULT_PROGRAM_TIME_S
from mlesearch.tasks.protocol import Validity
from mlesearch.tasks.ungraded_folder import UngradedRequest, write_ungraded
from mlesearch.types import ConfigError, Level

_OWN = {
    "model": "--model",
    "strategy": "--strategy",
    "sandbox": "--sandbox",
    "seeds": "--seed",
    "tasks": "FOLDER",
    "study.dir": "--study",
    "budget.steps": "--steps",
    "budget.time_s": "--time",
    "budget.real_time_s": "--time",
    "mlebench.validate_url": "--validate",
}
"""Settings that have an option here."""
_NOT_HERE = ("claim", "study.name", "variant", "launcher", "clock")
"""Settings of studies of many runs."""

LONGEST_PROGRAM_S, SHORTEST_PROGRAM_S, PROGRAM_SHARE = 32_400.0, 60.0, 0.25
"""A program may take a quarter of a search's time, and no more than nine hours, unless a setting says otherwise."""


@dataclass(frozen=True, slots=True)
class SearchPlaces:
    """Where a search lies.

    Attributes:
        data: what programs read.
        out: the submission that is handed over.
        study: the study of its one run.
        task: the task's folder, beside the study.
    """

    data: Path
    out: Path
    study: Path
    task: Path


def solve(args: Namespace) -> int:
    """Search, and keep the best submission at `--out`.

    Returns:
        0 a submission was handed over; 1 none was, or the run failed; 130 stopped.
    """
    time_s = None if args.time is None else seconds(args.time)
    places = _places(args)
    settings = _settings(args, places, time_s)
    try:
        write_ungraded(_request(args, places, time_s))
    except OSError as error:
        raise ConfigError(f"--study: {in_words(error, places.task)}") from None
    with ProcessResources() as resources:
        planned = _planned(settings, places, resources)
        (run,) = planned.runs
        check_server(run, resources)
        found = preflight(planned, resources)
        for told in found:
            if told.finding.level is not Level.ERROR:
                complain(str(told))
        refuse_faults(found, [settings])
        delivery = delivery_of(run, resources)
        delivery.check()
        _say_plan(run, places)
        if not confirm(planned, resources, args.yes):
            complain("nothing was run")
            return 1
        begin(planned, resources)
        stop_file = stop_file_of(planned.folder)
        with stoppable(stop_file, complain, run.settings.launcher.grace_s), Progress(planned.runs):
            (report,) = run_cell(planned.runs, 1, stop_file, resources)
        if report.status in ("failed", "unpaid"):
            complain(f"{report.status}: {report.reason}; run the same command again to go on")
        best = run.folder / "best"
        handed_over = (best / "submission.csv").is_file()
        if handed_over and finished_row(run.folder) is not None:
            delivery.put(best)
    return _said(run, places, report.status, handed_over=handed_over)


def _places(args: Namespace) -> SearchPlaces:
    """Where all of it lies; nothing of it may lie in the data, and no data in it.

    Raises:
        ConfigError: something does.
    """
    out = Path(args.out).absolute()
    study = Path(args.study).absolute() if args.study else out.with_name(f"{out.stem}-study")
    task = study.with_name(study.name.removesuffix("-study") + "-task")
    data = Path(args.folder)
    if out.suffix.lower() == ".py":
        raise ConfigError(f"--out: {args.out}: the program goes there; name a CSV file, such as submission.csv")
    for option, path in (("--out", out), ("--study", study)):
        if path.resolve().is_relative_to(data.resolve()):
            raise ConfigError(f"{option}: {shown(path)} lies in the data, which programs read; name another place")
    if data.resolve().is_relative_to(study.resolve()):
        raise ConfigError(f"--study: the data lie in {shown(study)}; name another folder")
    return SearchPlaces(data, out, study, task)


def _settings(args: Namespace, places: SearchPlaces, time_s: float | None) -> Settings:
    """The settings of the one run: the chosen files and overrides, and what the options say.

    Raises:
        ConfigError: an override of what has an option, or of what one run has not; no limit.
    """
    for word in args.overrides:
        key = word.partition("=")[0].lstrip("+~")
        option = _OWN.get(key)
        if option is not None:
            raise ConfigError(f"{word}: say it by {option}")
        if key.partition(".")[0] in _NOT_HERE or key in _NOT_HERE:
            raise ConfigError(f"{word}: this is of a study of many runs, and one is made here; leave it out")
    command = shlex.join(["mlesearch", "solve", args.folder])
    chosen = [f"model={args.model}", f"strategy={args.strategy}", f"sandbox={args.sandbox}", *args.overrides]
    (cell,) = jobs(expand(chosen, command, multirun=False), False).jobs
    s = cell.settings
    if args.steps is not None and args.steps < 1:
        raise ConfigError(f"--steps: {args.steps}; at least 1 is needed")
    s.budget.steps, s.budget.time_s, s.budget.real_time_s = args.steps, time_s, time_s
    if s.budget.steps is None and time_s is None and s.budget.cost_usd is None and s.budget.tokens is None:
        raise ConfigError("--time: no limit is set; give --time 2h, --steps 20, or budget.cost_usd=5")
    s.study.name, s.study.dir = places.study.name, str(places.study)
    s.tasks, s.seeds = [str(places.task)], [args.seed]
    s.mlebench.validate_url = args.validate
    s.launcher.n_jobs = 1
    return s


def _request(args: Namespace, places: SearchPlaces, time_s: float | None) -> UngradedRequest:
    program_s = DEFAULT_PROGRAM_TIME_S if time_s is None else PROGRAM_SHARE * time_s
    return UngradedRequest(
        data=places.data,
        place=places.task,
        validity=Validity.SAMPLE if args.validate is None else Validity.SERVER,
        description=None if args.description is None else Path(args.description),
        metric=args.metric,
        direction=args.direction,
        sample=None if args.sample is None else Path(args.sample),
        competition=args.competition or "",
        modality=args.modality,
        group=args.group,
        program_time_s=min(max(program_s, SHORTEST_PROGRAM_S), LONGEST_PROGRAM_S),
    )


def _planned(settings: Settings, places: SearchPlaces, resources: ProcessResources) -> StudyPlan:
    """The plan of the one run, which hands over.

    Raises:
        ConfigError: as `plan`; or a file lies at `--out` that this search did not write.
    """
    planned = plan([settings], resources)
    (run,) = planned.runs
    if planned.states[run.key] == "new" and places.out.exists():
        raise ConfigError(
            f"--out: {shown(places.out)} is there already, and this search did not write it; move it away, or name "
            "another file"
        )
    return replace(planned, runs=(replace(run, out=places.out),))


def _say_plan(run: RunPlan, places: SearchPlaces) -> None:
    budget, limits = run.budget, run.limits
    steps = "" if budget.steps is None else f"at most {plural(budget.steps, 'program')}, "
    time = "" if budget.time_s is None else f"{duration(budget.time_s)} in all, "
    say(
        f"{run.key.task}: {steps}{time}{duration(limits.time_s)} a program; the search is kept in {shown(places.study)}"
    )
    say(f"sandbox: {run.labels['sandbox_why']}")


def _said(run: RunPlan, places: SearchPlaces, status: str, *, handed_over: bool) -> int:
    """What came of it."""
    if finished_row(run.folder) is not None:
        say(describe(run.folder))
    if handed_over:
        say(f"submission: {shown(places.out)}; its program: {shown(places.out.with_suffix('.py'))}")
        say(f"see it with: {shell_words('show', run.folder, '--best')}")
    if status == "interrupted":
        complain("stopped; run the same command again to go on")
        return 130
    if not handed_over:
        complain(
            f"no program was valid, so nothing is at {shown(places.out)}; see why: {shell_words('show', run.folder)}"
        )
    return 1 if status in ("failed", "unpaid") or not handed_over else 0
