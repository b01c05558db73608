"""`mlesearch run | estimate | replay`: a launch checked as a whole, carried out, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mlesearch.analysis.text import plural
from mlesearch.cli.confirm import confirm, estimate_lines, estimate_rows
from mlesearch.cli.follow_looks import follow_looks, part_of_plan
from mlesearch.cli.models import ask_endpoints
from mlesearch.cli.report import import_for_report, report_of_now, write_report
from mlesearch.cli.terminal import shell_words, shown, table
from mlesearch.config.loading.compose import Launch, jobs
from mlesearch.config.parts.mlebench import check_competitions
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.parts.virtual import is_virtual
from mlesearch.config.planning.checks import LOCAL
from mlesearch.config.planning.plan import RunPlan, StudyPlan, plan
from mlesearch.config.planning.preflight import preflight, refuse_faults
from mlesearch.config.settings import Settings
from mlesearch.models.registry import make_model
from mlesearch.storage.documents import finished_row
from mlesearch.storage.file_systems import in_words
from mlesearch.storage.layout import note_launch
from mlesearch.storage.machine import processors
from mlesearch.storage.run_log import RUN_LOG
from mlesearch.study.archive import replay as replays
from mlesearch.study.estimates.estimate import estimate_plan
from mlesearch.study.launches.interrupt import stop_file_of, stoppable
from mlesearch.study.launches.launch import begin, run_all, run_cell
from mlesearch.study.launches.left_out import without_left_out
from mlesearch.study.monitoring.progress import Progress, describe
from mlesearch.study.output import complain, say
from mlesearch.study.runs.execute import RunReport
from mlesearch.study.runs.fold import ProgramTime, program_time
from mlesearch.study.work_list.rounds import RoundReports
from mlesearch.study.workers.work import notices_of
from mlesearch.types import ConfigError

INTERRUPTED = 130
SHOWN = 10
"""So many runs are named, where more are missing."""


def run(
    overrides: Sequence[str],
    *,
    multirun: bool,
    check: bool,
    yes: bool,
    sequential: bool = False,
    left_out: bool = False,
) -> int:
    """Check a launch as a whole, carry it out, and say what came of it.

    Args:
        overrides: for Hydra.
        multirun: sweep over several values.
        check: run and write nothing; ask the endpoints of live models whether they are there, which costs nothing.
        yes: the user has agreed to what it costs.
        sequential: follow the looks that the study declares, and stop where they say so.
        left_out: carry out runs, too, that the study leaves out by design; not together with `sequential`.

    Returns:
        0 done, 1 something is missing, 130 stopped.

    Raises:
        ConfigError: the launch can't be carried out: what is wrong and what to do.
    """
    if sequential and left_out:
        raise ConfigError(
            "--left-out: with --sequential the looks say which runs are carried out; to carry out what they left out, "
            "leave --sequential out"
        )
    launch = jobs(overrides, multirun)
    with ProcessResources(complain) as resources:
        here = launch.here and all(cell.settings.launcher.backend == LOCAL for cell in launch.jobs)
        planned = plan([cell.settings for cell in launch.jobs], resources, on="here" if here else "workers")
        if sequential:
            planned = part_of_plan(launch, planned)
        elif not left_out:
            planned = without_left_out(planned, "--left-out", complain)
        runs = planned.runs
        if not say_checked(launch, planned, resources, check=check, at_most=sequential):
            return 1
        if check:
            return 0
        if not confirm(planned, resources, yes):
            complain("nothing was run or written")
            return 1
        finished = sum(state == "finished" for state in planned.states.values())
        if finished == len(runs) > 1 and not sequential:
            note_launch(planned.folder, [r.key for r in runs])
            page = report_of_now(planned.folder)
            if page is not None:
                say(f"nothing is left to run, and the report is of all there is: {shown(page)}")
                return 0
        begun = [r.folder for r in runs if planned.states[r.key] not in ("new", "finished")]
        before, began_s = program_time(begun), time.monotonic()
        stop_file = stop_file_of(planned.folder)
        if sequential:
            reports = follow_looks(planned, stop_file, resources)
        else:
            number = begin(planned, resources)
            done = [k for k, state in planned.states.items() if state == "finished"]
            rounds = RoundReports(runs, done, partial(report_rounds, planned.folder))
            grace_s = runs[0].settings.launcher.grace_s
            with stoppable(stop_file, complain, grace_s, others_follow=not here):
                beside = _with_report_at_hand(runs) if here and len(runs) > 1 else Progress(runs)
                reports = run_all(launch, planned, number, stop_file, resources, rounds.ended, beside)
        launch_s = time.monotonic() - began_s
    code = conclude(reports, len(runs), planned.folder)
    notices_of(planned.folder, runs, complain).end(stopped=code == INTERRUPTED)
    if len(runs) == 1:
        say_run(runs[0].folder)
    else:
        say(write_report(planned.folder, None))
    asked = {r.run_id for r in reports} if sequential else {r.key.id for r in runs}
    todo = [r for r in runs if r.key.id in asked and planned.states[r.key] != "finished"]
    unfinished = [r.folder for r in todo if not is_virtual(r.settings)]
    if launch.here and len(unfinished) < len(todo):
        looked_up = len(todo) - len(unfinished)
        say(f"{plural(looked_up, 'run')} on a virtual clock; the launch took {launch_s:,.1f} s")
    if launch.here and unfinished:
        live = any(not r.labels["simulated"] for r in runs)
        jobs_at_once = _side_by_side(planned, len(unfinished))
        say(_own_time(before, program_time(unfinished), launch_s, jobs_at_once, live=live))
    if code == INTERRUPTED:
        complain("stopped; run the same command again to go on")
    return code


@contextmanager
def _with_report_at_hand(runs: Sequence[RunPlan]) -> Iterator[None]:
    """Progress of a launch; and while its runs wait for their models, what its report needs is imported."""
    with Progress(runs):
        if not all(is_virtual(r.settings) for r in runs):
            import_for_report()
        yield


def conclude(reports: Sequence[RunReport], planned: int, folder: Path) -> int:
    """Say which runs failed, or are missing and why, one line a reason.

    Args:
        reports: of a launch, as they are known when it is over.
        planned: how many runs it has.
        folder: of the study.

    Returns:
        The exit code of the launch: 0 done, 1 something is missing, 130 stopped.
    """
    failed, unpaid, missing = (
        [r for r in reports if r.status in statuses] for statuses in (("failed",), ("unpaid",), ("missing", "lost"))
    )
    for line in (*_failures(failed, folder), *_unpaid(unpaid, planned), *_missing(missing, planned)):
        complain(line)
    if any(r.status == "interrupted" for r in reports):
        return INTERRUPTED
    return 1 if failed or unpaid or missing else 0


def say_checked(
    launch: Launch, planned: StudyPlan, resources: ProcessResources, *, check: bool, at_most: bool = False
) -> bool:
    """Say what a launch is, and what its preflight found.

    Args:
        launch: as composed.
        planned: of the same launch.
        resources: of this process.
        check: no more is to follow: ask the endpoints of live models too.
        at_most: not all of its runs may be needed.

    Returns:
        Whether it can go on; False only where an endpoint does not answer.

    Raises:
        ConfigError: a task has faults.
    """
    finished = sum(state == "finished" for state in planned.states.values())
    most, place = "at most " if at_most else "", shown(planned.folder)
    count = f"{most}{plural(len(planned.runs), 'run')}, {finished:,} of them finished"
    say(f"study {planned.header['name']}: {count}, in {place}")
    if not any(left.setting == "sandbox" for left in planned.later):  # which says it
        for why in sorted({str(r.labels["sandbox_why"]) for r in planned.runs}):
            say(f"sandbox: {why}")
    for left in planned.later:
        say(f"checked on workers: {left}")
    cells = [cell.settings for cell in launch.jobs]
    _preflight(cells, planned, resources, all_known=check)
    for line in check_competitions([r.settings for r in _cells_to_do(planned)], resources):
        complain(f"warning: {line}")
    if not check:
        return True
    heard = ask_endpoints(cells, lambda m: make_model(m.name, m.kind, m.params))
    for _, line in heard:
        complain(line)
    if not all(answers for answers, _ in heard):
        say("nothing was run or written (--check)")
        return False
    all_known = "what can be checked here" if planned.later else "all of it"
    say(f"{all_known} can run; nothing was run or written (--check)")
    return True


def estimate(overrides: Sequence[str], *, multirun: bool, like: Sequence[Path], gpus: int | None) -> int:
    """Say what a launch would take; see `estimate_lines`."""
    launch = jobs(overrides, multirun)
    with ProcessResources() as resources:
        planned = plan([cell.settings for cell in launch.jobs], resources, keys=False, on="workers")
        found = estimate_plan(planned, resources, like)
    if not found.rows:
        say("nothing is left to run")
        return 0
    table(estimate_rows(found))
    say("\n".join(estimate_lines(found, planned, gpus, _side_by_side(planned, len(planned.runs)))))
    return 0


def replay(
    study: Path,
    out: Path,
    n_jobs: int,
    *,
    cassette: Path | None,
    executions: Path | None,
    trust: bool = False,
    own_tasks: Sequence[str] = (),
) -> int:
    """Replay a recorded study and say whether it came out the same.

    Args:
        study: the recorded one.
        out: where the replayed study goes.
        n_jobs: processes; -1: one per processor.
        cassette: where its model calls are, if not in its folder.
        executions: likewise.
        trust: whether tasks that came with the study may be loaded.
        own_tasks: the user's own tasks, used where they are those of the study.
    """
    began_s = time.monotonic()
    with ProcessResources() as resources:
        planned = replays.plan_replay(study, out, resources, cassette, executions, trust=trust, own_tasks=own_tasks)
        replays.begin(study, out, planned.unfinished)
        stop_file = stop_file_of(out)
        with stoppable(stop_file, complain):
            reports = run_cell(planned.runs, n_jobs, stop_file, resources)
        took_s = time.monotonic() - began_s
    failed = [r for r in reports if r.status == "failed"]
    for r in failed:
        complain(f"failed: {r.run_id}: {r.reason}")
    same = sum(r.status not in ("failed", "interrupted") for r in reports)
    say(
        f"{same:,} of {plural(len(planned.runs), 'run')} came out the same, event by event, in {shown(out)}: "
        f"{plural(planned.calls, 'call')} and {plural(planned.executions, 'execution')} from the stores; "
        f"unfinished runs that were taken over: {len(planned.unfinished):,}"
    )
    say(f"recorded in {planned.recorded_s:,.1f} s of runs, replayed in {took_s:,.2f} s")
    return 1 if failed else 0 if same == len(planned.runs) else 130


def _preflight(cells: Sequence[Settings], planned: StudyPlan, resources: ProcessResources, *, all_known: bool) -> None:
    """Say what the preflight of the tasks found, one line each; warnings of earlier launches only where asked for."""
    found = preflight(planned, resources)
    for told in found:
        if all_known or not told.known:
            complain(str(told))
    refuse_faults(found, cells)


def report_rounds(folder: Path, over: int, rounds: int, run_ids: Collection[str]) -> None:
    """The first rounds of seeds, when they are over and others follow; a launch outlives whatever goes wrong in it."""
    try:
        found = write_report(folder, None, run_ids)
    except Exception as error:
        why = in_words(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        complain(f"warning: no report of the first {over} of {plural(rounds, 'seed')}: {why}")
        return
    say(f"so far, with {over} of {plural(rounds, 'seed')} of every cell and task:\n{found}")


def _cells_to_do(planned: StudyPlan) -> list[RunPlan]:
    """One run a cell of those that a launch has still to carry out."""
    cells = {id(r.settings): r for r in planned.runs if planned.states[r.key] != "finished"}
    return list(cells.values())


def _unpaid(reports: Sequence[RunReport], planned: int) -> list[str]:
    """Which runs a spent budget left unfinished, and why."""
    if not reports:
        return []
    reasons = sorted({r.reason for r in reports})
    names = ", ".join(r.run_id for r in reports[:SHOWN])
    more = f" and {len(reports) - SHOWN} more" if len(reports) > SHOWN else ""
    return [f"stopped: {reasons[0]}", f"missing: {len(reports):,} of {plural(planned, 'run')}: {names}{more}"]


def _failures(failed: Sequence[RunReport], folder: Path) -> list[str]:
    """One line a reason: a refused key ends all runs of its model alike. With the node and the log of the first."""
    by_reason: dict[str, list[RunReport]] = {}
    for r in failed:
        by_reason.setdefault(r.reason, []).append(r)
    lines = []
    for reason, reports in by_reason.items():
        first = reports[0]
        more = f" and {len(reports) - 1} more" if len(reports) > 1 else ""
        log = folder / first.run_id / RUN_LOG
        places = [f"on {first.host}"] if first.host else []
        places += [f"log: {shown(log)}"] if log.exists() else []
        where = f" ({', '.join(places)})" if places else ""
        lines.append(f"failed: {first.run_id}{more}: {reason}{where}")
    return lines


def _missing(missing: Sequence[RunReport], planned: int) -> list[str]:
    """Which runs nobody has carried out, and why, one line a reason."""
    by_reason: dict[str, list[str]] = {}
    for r in missing:
        by_reason.setdefault(r.reason, []).append(r.run_id)
    lines = []
    for reason, ids in by_reason.items():
        names = ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")
        count = f"{len(ids):,} of {plural(planned, 'run')}"
        lines.append(f"missing: {count}: {names}: {reason}; run the same command again to go on")
    return lines


def _side_by_side(plan: StudyPlan, runs: int) -> int:
    """Programs that a launch of this many runs on this machine may have running at once."""
    settings = plan.runs[0].settings
    jobs = processors() if settings.launcher.n_jobs == -1 else settings.launcher.n_jobs
    return min(runs, jobs) * settings.run.workers


def _own_time(before: ProgramTime, after: ProgramTime, launch_s: float, side_by_side: int, *, live: bool) -> str:
    """What the programs of a launch took themselves, against what the launch took.

    The ratio of the two is the harness's own time, unless it waited for a live model: then it says nothing.
    """
    programs, run_s = after.programs - before.programs, after.run_s - before.run_s
    if not programs:
        return f"no program ran; the launch took {launch_s:,.1f} s"
    text = f"{plural(programs, 'program')} ran for {run_s:,.1f} s ({after.cpu_s - before.cpu_s:,.1f} s of processors)"
    text += f", at most {side_by_side} at a time; the launch took {launch_s:,.1f} s"
    if run_s <= 0 or live:
        return text
    least_s = run_s / side_by_side
    times = f"{launch_s / least_s:,.1f} times the {least_s:,.1f} s in which these programs alone would have ended"
    return f"{text}: {times}, {side_by_side} at a time"


def say_run(folder: Path) -> None:
    """What one run found, and how to see it."""
    row = finished_row(folder)
    if row is not None:
        best = () if row["selected"] is None else ("--best",)
        say(f"{describe(folder)}\nsee it with: {shell_words('show', folder, *best)}")
