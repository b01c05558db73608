"""A launch: the study's folder made ready, then all its runs carried out, side by side and each of them safely.

A finished run is skipped, a begun or failed one goes on from its journal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mlesearch.config.compose import Launch, sweep
from mlesearch.config.node_check import fix_sandboxes
from mlesearch.config.plan import RunPlan, StudyPlan, plan
from mlesearch.config.resources import ProcessResources, reset_breakers
from mlesearch.config.settings import Settings
from mlesearch.config.virtual import is_virtual
from mlesearch.storage.documents import RESULT
from mlesearch.storage.layout import check_run, note_launch, open_study
from mlesearch.storage.machine import processors
from mlesearch.study.execute import RunReport, execute_run
from mlesearch.study.pool import in_chunks, in_forks, in_workers
from mlesearch.study.rounds import in_rounds


def begin(planned: StudyPlan, resources: ProcessResources) -> None:
    """Write the study's header and its grid, and clear away what earlier launches left: orphans, failures, refusals."""
    first = planned.runs[0].settings
    if not planned.later:
        resources.sandbox(first).reap_orphans()
    open_study(planned.folder, planned.header)
    fix_sandboxes(planned)
    reset_breakers(first)
    note_launch(planned.folder, [r.key for r in planned.runs])
    for r in planned.runs:
        if planned.states[r.key] == "failed" and not is_virtual(r.settings):
            (r.folder / RESULT).unlink(missing_ok=True)


def run_all(
    launch: Launch,
    planned: StudyPlan,
    stop_file: Path,
    resources: ProcessResources,
    ended: Callable[[str], None] = lambda run_id: None,
) -> list[RunReport]:
    """Carry out the runs of a launch by the launcher that it chose.

    Args:
        launch: as composed.
        planned: of the same launch; it has begun.
        stop_file: exists once the user asked to stop.
        resources: of this process.
        ended: is told of each run that ended in this process or its workers.

    Returns:
        One report a run that was carried out in this process or its workers. What other launchers send elsewhere is
        told by the folders alone.
    """
    reports: list[RunReport] = []

    def here(cells: Sequence[Settings]) -> None:
        reports.extend(run_cell(planned.runs, cells[0].launcher.n_jobs, stop_file, resources, ended))

    def elsewhere(cells: Sequence[Settings]) -> None:
        with ProcessResources() as own:
            runs = plan(cells, own).runs
            reports.extend(run_cell(runs, cells[0].launcher.n_jobs, stop_file, own))

    sweep(launch, here if launch.here else elsewhere)
    return reports


def run_cell(
    runs: Sequence[RunPlan],
    n_jobs: int,
    stop_file: Path,
    resources: ProcessResources,
    ended: Callable[[str], None] = lambda run_id: None,
) -> list[RunReport]:
    """Carry out runs in rounds of seeds: one after the other here, or several at once in processes.

    Args:
        runs: as planned.
        n_jobs: at a time; -1: one per processor.
        stop_file: exists once the user asked to stop.
        resources: of this process.
        ended: is told of each run that was carried out.

    Returns:
        One report a run, in the order given. Nothing is raised for a run that fails.
    """
    finished = [check_run(r.folder, r.identity) == "finished" for r in runs]
    done = {r.key.id: RunReport(r.key.id, "skipped") for r, skipped in zip(runs, finished, strict=True) if skipped}
    todo = [r for r, skipped in zip(runs, finished, strict=True) if not skipped]
    most = processors() if n_jobs == -1 else n_jobs
    looked_up = [r for r in todo if is_virtual(r.settings)]
    if looked_up:
        done |= {report.run_id: report for report in in_chunks(looked_up, most, stop_file, resources)}
    todo = in_rounds([r for r in todo if not is_virtual(r.settings)])
    jobs = min(len(todo), most)
    if jobs <= 1:
        for run in todo:
            done[run.key.id] = execute_run(run, stop_file, resources)
            ended(run.key.id)
    else:
        replays = all(run.recorded is not None for run in todo)
        try:
            for report in in_forks(todo, jobs, stop_file, resources) if replays else in_workers(todo, jobs, stop_file):
                done[report.run_id] = report
                ended(report.run_id)
        except BaseException as e:
            if isinstance(e, KeyboardInterrupt):
                raise
            lost = f"a worker process ended abruptly ({type(e).__name__}); run again to go on"
            for run in todo:
                done.setdefault(run.key.id, RunReport(run.key.id, "failed", lost))
    return [done.get(r.key.id, RunReport(r.key.id, "interrupted")) for r in runs]
