"""`mlesearch resume`: what is missing of a launched study, on this machine, without the words of its launch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from mlesearch.analysis.text import plural
from mlesearch.cli.confirm import confirm
from mlesearch.cli.launches import INTERRUPTED, conclude, report_rounds, say_run
from mlesearch.cli.report import write_report
from mlesearch.cli.show_study import find_study_to_change
from mlesearch.cli.terminal import shell_words
from mlesearch.config.parts.resources import ProcessResources, reset_breakers
from mlesearch.config.parts.virtual import is_virtual
from mlesearch.config.planning.plan import RunPlan, StudyPlan
from mlesearch.config.settings import Settings
from mlesearch.storage.documents import read_study
from mlesearch.storage.layout import check_run, remove_failure, state_of_any
from mlesearch.storage.leases import Leases
from mlesearch.storage.machine import processors
from mlesearch.storage.requests import end_pause, study_usd_in_force
from mlesearch.study.launches.interrupt import stop_file_of, stoppable
from mlesearch.study.launches.local import LocalWork, carry_out
from mlesearch.study.launches.outcome import LaunchOutcome
from mlesearch.study.monitoring.progress import Progress
from mlesearch.study.output import complain, say
from mlesearch.study.work_list.files import write_list
from mlesearch.study.work_list.rounds import RoundReports
from mlesearch.study.workers.spending import check_limit, check_priced, set_limit
from mlesearch.study.workers.work import WorkTerms, go_to, runs_to_work_on
from mlesearch.types import ConfigError


def resume(folder: Path, n_jobs: int | None, study_usd: float | None, *, yes: bool) -> int:
    """Carry out what is missing of a study, failed runs among it, and say what came of it.

    Runs, settings and identities are those of the lists that launches left: nothing is composed anew, and a run that
    this machine can't carry out as it is listed is left to others.

    Args:
        folder: of the study, or within it.
        n_jobs: runs side by side; None: as it was launched.
        study_usd: another `budget.study_usd`, for all workers; None: as it is.
        yes: the user has agreed to what it costs.

    Returns:
        0 done, 1 something is missing, 130 stopped.

    Raises:
        ConfigError: there is no study here, or no list of its runs; or a limit can't be kept, a price not being known.
    """
    if n_jobs is not None and n_jobs < 1:
        raise ConfigError(f"--jobs: {n_jobs}; a number from 1 on is needed")
    if study_usd is not None:
        check_limit("--study-usd", study_usd)
    study = Path(os.path.abspath(find_study_to_change(folder)))
    runs, launched = runs_to_work_on(study)
    here = Path.cwd()
    go_to(launched)
    launched_usd = runs[0].settings.budget.study_usd
    limit_usd = study_usd_in_force(study, launched_usd) if study_usd is None else study_usd
    if limit_usd != launched_usd:
        runs = _with_budget(runs, limit_usd)
    states = {r.key: state_of_any(r.folder) if r.sandbox_open else check_run(r.folder, r.identity) for r in runs}
    planned = StudyPlan(study, read_study(study), runs, states)
    todo = [r for r in runs if states[r.key] != "finished"]
    failed = [r for r in todo if states[r.key] == "failed"]
    again = f", {len(failed):,} of these failed" if failed else ""
    say(f"study {planned.header['name']}: {plural(len(runs), 'run')}, {len(todo):,} of them to do{again}")
    if not todo:
        os.chdir(here)
        _end_pause(study)
        say(f"nothing is left to run; its report: {shell_words('report', study)}")
        return 0
    with ProcessResources(complain) as resources:
        if limit_usd is not None:
            check_priced(todo, resources)
        if not confirm(planned, resources, yes):
            complain("nothing was run or written")
            return 1
        if study_usd is not None:
            set_limit(study, study_usd, listed=True)
        first = todo[0].settings
        reset_breakers(first)
        for run in failed:
            if not is_virtual(run.settings):
                remove_failure(run.folder)
        Leases(study).forget_deaths(run.key.id for run in failed)
        number = launched.number
        if study_usd is not None:
            number = write_list(study, runs)
        _end_pause(study)
        outcome = LaunchOutcome(study)
        done = frozenset(r.key.id for r in runs if states[r.key] == "finished")
        stop_file = stop_file_of(study)
        jobs = n_jobs or (processors() if first.launcher.n_jobs == -1 else first.launcher.n_jobs)
        terms = WorkTerms(
            jobs,
            first.launcher.grace_s,
            first.launcher.retries,
            first.launcher.min_free_gib,
            stop_file=stop_file,
            launch=number,
            verify=True,
        )
        rounds = RoundReports(runs, [r.key for r in runs if r.key.id in done], partial(report_rounds, study))
        with stoppable(stop_file, complain, first.launcher.grace_s):
            made = carry_out(LocalWork(study, runs, done, terms), resources, rounds.ended, Progress(runs))
            reports = outcome.reports(todo, made, stopped=stop_file.exists())
    os.chdir(here)  # what is named from now on is named from where the user is
    code = conclude(reports, len(runs), study)
    if len(runs) == 1:
        say_run(runs[0].folder)
    else:
        say(write_report(study, None))
    if code == INTERRUPTED:
        complain(f"stopped; to go on: {shell_words('resume', study)}")
    return code


def _end_pause(study: Path) -> None:
    if end_pause(study):
        complain("the study was paused, and is no longer: workers begin runs again")


def _with_budget(runs: Sequence[RunPlan], study_usd: float | None) -> tuple[RunPlan, ...]:
    """The same runs under another limit of the whole study, which is no part of any run's identity."""
    raised: dict[int, Settings] = {}
    for run in runs:
        s = run.settings
        raised.setdefault(id(s), replace(s, budget=replace(s.budget, study_usd=study_usd)))
    return tuple(replace(run, settings=raised[id(run.settings)]) for run in runs)
