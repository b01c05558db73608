"""`mlesearch run --sequential`: the rounds of seeds that a study's declared looks ask for, one after the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mlesearch.analysis.text import plural
from mlesearch.config.loading.compose import Launch
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.checks import LOCAL
from mlesearch.config.planning.plan import StudyPlan
from mlesearch.storage.layout import RunKey, open_study
from mlesearch.study.launches.interrupt import stoppable
from mlesearch.study.launches.launch import begin, run_cell
from mlesearch.study.monitoring.progress import Progress
from mlesearch.study.output import complain, say
from mlesearch.study.runs.execute import RunReport
from mlesearch.types import ConfigError


def part_of_plan(launch: Launch, planned: StudyPlan) -> StudyPlan:
    """The runs of a launch that its declared looks may ask for: both strategies with the models at the ends.

    Raises:
        ConfigError: no looks are declared, or another launcher sends the runs elsewhere, so that nothing can be looked
            at here between two rounds.
    """
    claim = planned.header["claim"]
    looks = None if claim is None else claim.get("sequential")
    if claim is None or looks is None:
        raise ConfigError(
            "--sequential: no looks are declared; declare them before the first run, as "
            "'claim.sequential.looks=[1,2,3,4,5]' with as many seeds"
        )
    if not launch.here or any(cell.settings.launcher.backend != LOCAL for cell in launch.jobs):
        raise ConfigError(
            "--sequential: this launcher sends runs elsewhere, and looks are taken here between rounds; leave "
            "hydra/launcher and launcher.backend out, or launch round by round what `mlesearch next` says"
        )
    arms = [(s, v or "base") for s, _, v in (claim[arm].partition("/") for arm in ("treatment", "baseline"))]
    models, seeds = {*looks["low"], *looks["high"]}, looks["seeds"][: looks["looks"][-1]]

    def asked(key: RunKey) -> bool:
        arm = (key.strategy, key.variant)
        return key.model in models and arm in arms and key.task in looks["tasks"] and key.seed in seeds

    return replace(planned, runs=tuple(r for r in planned.runs if asked(r.key)))


def follow_looks(planned: StudyPlan, stop_file: Path, resources: ProcessResources) -> list[RunReport]:
    """Carry out round after round, with a look after each, until the study is decided or something stops it.

    Args:
        planned: of the launch, the part that `part_of_plan` returns.
        stop_file: exists once the user asked to stop.
        resources: of this process.

    Returns:
        One report a run that was carried out.

    Raises:
        ConfigError: a round needs runs that this launch does not have.
    """
    from mlesearch.cli.next_round import decision, heading, look_at, look_rows, todo
    from mlesearch.cli.terminal import shown, table

    open_study(planned.folder, planned.header)
    by_key, reports, said = {r.key: r for r in planned.runs}, list[RunReport](), 0
    while True:
        found = look_at(planned.folder)
        if not reports and not said:
            say(heading(found, shown(planned.folder)))
        if len(found.looks) > said:
            table(look_rows(found, said))
            said = len(found.looks)
        say(decision(found) if found.decided else todo(found))
        if found.decided:
            return reports
        lacking = [key for key in found.to_run if key not in by_key]
        if lacking:
            raise ConfigError(
                f"--sequential: the look after {plural(found.next_seeds, 'seed')} needs {plural(len(lacking), 'run')} "
                f"that this launch lacks, such as {lacking[0].id}; launch all models, strategies, tasks and seeds of "
                "the plan together"
            )
        runs = tuple(by_key[key] for key in found.to_run)
        round_plan = replace(planned, runs=runs, states={r.key: planned.states[r.key] for r in runs})
        number = begin(round_plan, resources)
        launcher = runs[0].settings.launcher
        with stoppable(stop_file, complain, launcher.grace_s):
            made = run_cell(runs, launcher.n_jobs, stop_file, resources, number=number, beside=Progress(runs))
        reports += made
        if any(report.status in ("failed", "unpaid", "interrupted", "missing") for report in made):
            return reports
