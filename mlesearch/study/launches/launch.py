"""A launch: the study's folder made ready, then all its runs carried out, side by side and each of them safely.

A finished run is skipped, a begun or failed one goes on from its journal.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mlesearch.config.loading.compose import Launch, sweep
from mlesearch.config.parts.resources import ProcessResources, reset_breakers
from mlesearch.config.parts.virtual import is_virtual
from mlesearch.config.planning.checks import LOCAL
from mlesearch.config.planning.node_check import fix_sandboxes
from mlesearch.config.planning.plan import RunPlan, StudyPlan
from mlesearch.config.settings import Settings
from mlesearch.storage.layout import check_run, note_launch, open_study, remove_failure
from mlesearch.storage.leases import Leases
from mlesearch.storage.machine import processors
from mlesearch.storage.processes import owner
from mlesearch.storage.requests import RequestReader
from mlesearch.storage.worker_files import SlotState, new_worker_id, this_worker
from mlesearch.study.launches.backends import carry_out_under
from mlesearch.study.launches.interrupt import others_uninterrupted
from mlesearch.study.launches.local import LocalWork, carry_out
from mlesearch.study.launches.outcome import LaunchOutcome
from mlesearch.study.launches.remote import RemoteWork, work_on_cell
from mlesearch.study.output import complain
from mlesearch.study.runs.execute import RunReport
from mlesearch.study.runs.failures import RetryRule
from mlesearch.study.slurm.commands import SlurmError, naming_jobs_left
from mlesearch.study.work_list.files import write_list
from mlesearch.study.workers.disk_room import GIB, DiskRoom
from mlesearch.study.workers.pieces import Piece, one_by_one, pieces_of
from mlesearch.study.workers.record import WorkerRecord
from mlesearch.study.workers.slots import PieceOrder, SharedWork, WorkerSlot
from mlesearch.study.workers.spending import check_counted, note_launched_limit
from mlesearch.study.workers.supervisor import HELD_AGAIN_S
from mlesearch.study.workers.work import WorkTerms
from mlesearch.types import ConfigError

_NOTHING = nullcontext()


def begin(planned: StudyPlan, resources: ProcessResources) -> int:
    """Write the study's header, its grid and the launch's list, and clear away what earlier launches left.

    That is orphans, failures and refusals.

    Returns:
        The number of the launch's list.

    Raises:
        ConfigError: it has a limit that can't be kept.
    """
    check_counted(planned.folder, planned.runs)
    first = planned.runs[0].settings
    if not planned.later:
        resources.sandbox(first).reap_orphans()
    open_study(planned.folder, planned.header)
    fix_sandboxes(planned)
    reset_breakers(first)
    note_launch(planned.folder, [r.key for r in planned.runs])
    note_launched_limit(planned.folder, planned.runs)
    failed = [r for r in planned.runs if planned.states[r.key] == "failed"]
    for r in failed:
        if not is_virtual(r.settings):
            remove_failure(r.folder)
    Leases(planned.folder).forget_deaths(r.key.id for r in failed)
    return write_list(planned.folder, planned.runs)


def run_all(
    launch: Launch,
    planned: StudyPlan,
    number: int,
    stop_file: Path,
    resources: ProcessResources,
    ended: Callable[[str], None] = lambda run_id: None,
    beside: AbstractContextManager[object] = _NOTHING,
) -> list[RunReport]:
    """Carry out the runs of a launch by the launcher that it chose.

    Args:
        launch: as composed.
        planned: of the same launch; it has begun.
        number: of its list.
        stop_file: exists once the user asked to stop.
        resources: of this process.
        ended: is told of each run that ended in this process or its workers.
        beside: is entered while they are carried out; it may have threads.

    Returns:
        One report a run, in the order of the plan.

    Raises:
        ConfigError: another launcher can't start its jobs, or lost them.
    """
    reports: list[RunReport] = []

    def here(cells: Sequence[Settings]) -> None:
        reports.extend(run_cell(planned.runs, cells[0].launcher.n_jobs, stop_file, resources, ended, number, beside))

    first = planned.runs[0].settings.launcher
    if launch.here and first.backend == LOCAL:
        sweep(launch, here)
        return reports
    outcome = LaunchOutcome(planned.folder)
    terms = WorkTerms(
        first.n_jobs,
        first.grace_s,
        first.retries,
        first.min_free_gib,
        stop_file=stop_file,
        launch=number,
        verify=True,
    )
    cells = tuple(dict.fromkeys(r.key.cell for r in planned.runs))
    if len(cells) != len(launch.jobs):
        cells = tuple(_cell_of(job.settings) for job in launch.jobs)
    remote = RemoteWork(str(planned.folder), cells, terms, owner(), launch.side_by_side)
    with beside, others_uninterrupted():
        if launch.here:
            carry_out_under(first.backend, remote, planned.runs[0].settings)
        else:
            queued = launch.launcher == "submitit_slurm"
            try:
                with naming_jobs_left(stop_file.exists, complain) if queued else _NOTHING:
                    sweep(launch, here, partial(work_on_cell, remote))
            except (ConfigError, SlurmError):  # that jobs were lost is no news where the user cancelled them
                if not stop_file.exists():
                    raise
    done = {r.key.id: RunReport(r.key.id, "skipped") for r in planned.runs if planned.states[r.key] == "finished"}
    return outcome.reports(planned.runs, done, stopped=stop_file.exists())


def run_cell(
    runs: Sequence[RunPlan],
    n_jobs: int,
    stop_file: Path,
    resources: ProcessResources,
    ended: Callable[[str], None] = lambda run_id: None,
    number: int = 0,
    beside: AbstractContextManager[object] = _NOTHING,
) -> list[RunReport]:
    """Carry out runs in rounds of seeds, several at once by a worker's processes, or one here.

    Args:
        runs: as planned.
        n_jobs: at a time; -1: one per processor.
        stop_file: exists once the user asked to stop.
        resources: of this process.
        ended: is told of each run that was carried out, those on a virtual clock excepted.
        number: of the launch's list; 0: it has none.
        beside: is entered while they are carried out; it may have threads.

    Returns:
        One report a run, in the order given. Nothing is raised for a run that fails.
    """
    done = {r.key.id for r in runs if check_run(r.folder, r.identity) == "finished"}
    reports = {run_id: RunReport(run_id, "skipped") for run_id in done}
    pieces = [p for p in pieces_of(runs) if any(runs[n].key.id not in done for n in p.numbers)]
    if not pieces:
        return list(reports.values())
    study, launcher = runs[0].study_dir, runs[0].settings.launcher
    most = processors() if n_jobs == -1 else n_jobs
    terms = WorkTerms(
        most,
        launcher.grace_s,
        launcher.retries,
        launcher.min_free_gib,
        stop_file=stop_file,
        launch=number,
        leased=all(r.recorded is None for r in runs),
    )
    quiet = {r.key.id for r in runs if is_virtual(r.settings)}

    def tell(run_id: str) -> None:
        if run_id not in quiet:
            ended(run_id)

    outcome = LaunchOutcome(study)
    if len(pieces) == 1 or (most == 1 and _stays_here(runs)):
        with beside:
            made = _in_this_process(study, runs, pieces, terms, resources, tell)
    else:
        made = carry_out(LocalWork(study, runs, frozenset(done), terms), resources, tell, beside)
    return outcome.reports(runs, reports | made, stopped=stop_file.exists())


def _stays_here(runs: Sequence[RunPlan]) -> bool:
    """Whether runs, one after the other, are carried out in this process: it has threads, or they can't end it."""
    return threading.active_count() > 1 or all(is_virtual(r.settings) or r.recorded is not None for r in runs)


def _in_this_process(
    study: Path,
    runs: Sequence[RunPlan],
    pieces: Sequence[Piece],
    terms: WorkTerms,
    resources: ProcessResources,
    ended: Callable[[str], None],
) -> dict[str, RunReport]:
    """Carry out one piece after the other, with no process between the user and what goes on in a run."""
    stop_file, reports = terms.stop_file, dict[str, RunReport]()
    record = WorkerRecord(study if terms.leased else None, this_worker(new_worker_id(), terms.launch))

    def should_stop() -> bool:
        return stop_file is not None and stop_file.exists()

    room = DiskRoom(study, round(terms.min_free_gib * GIB), complain)
    slot = WorkerSlot(SharedWork(study, runs, pieces, resources, record.state, should_stop, False, terms.leased))
    waits = _Waits(
        record,
        room,
        RequestReader(study if terms.leased else None, say=complain),
        RetryRule(terms.retries),
        should_stop,
    )
    try:
        with record.beating():
            for number, piece in enumerate(pieces):
                if should_stop():
                    break
                order = PieceOrder(number, piece, 1, may_retry=False, isolated=True)
                for report in _until_ended(slot, order, runs, waits):
                    reports[report.run_id] = report
                    ended(report.run_id)
    finally:
        record.now([SlotState()], "ended", changed=True)
    return reports


@dataclass(frozen=True, slots=True)
class _Waits:
    """What work in this process waits for."""

    record: WorkerRecord
    room: DiskRoom
    requests: RequestReader
    retries: RetryRule
    should_stop: Callable[[], bool]

    def lacking(self) -> str:
        """Why nothing may be begun now; empty where it may."""
        self.requests.look()
        return self.room.lacking() or self.requests.why_waiting

    def wait(self, for_s: float, why: str) -> None:
        """Wait, unless it is to stop."""
        until_s = time.monotonic() + for_s
        self.record.now([SlotState()], "paused", why, changed=True)
        while not self.should_stop() and (left_s := until_s - time.monotonic()) > 0:
            self.record.now([SlotState()], "paused", why)
            time.sleep(min(left_s, HELD_AGAIN_S))


def _until_ended(slot: WorkerSlot, order: PieceOrder, runs: Sequence[RunPlan], waits: _Waits) -> Sequence[RunReport]:
    """The reports of a piece; it waits for another process that has it, room on the disk, and the end of a pause.

    Failures that may pass are tried again.
    """
    run_id = runs[order.piece.numbers[0]].key.id
    ended: dict[str, RunReport] = {}
    failures, said = 0, set[str]()

    def say_once(text: str) -> None:
        if text not in said:
            said.add(text)
            complain(text)

    while not waits.should_stop():
        if lack := waits.lacking():
            waits.wait(HELD_AGAIN_S, lack)
            continue
        may_retry = waits.retries.wait_s(failures + 1) is not None
        waits.record.now([SlotState(run_id, time.time())], "working", changed=True)
        *_, answer = slot.carry_out(replace(order, attempt=failures + 1, may_retry=may_retry))
        if answer.outcome == "doubtful":
            alone = [replace(order, piece=piece) for piece in one_by_one(order.piece, runs)]
            return [report for each in alone for report in _until_ended(slot, each, runs, waits)]
        if answer.outcome == "held":
            say_once(f"{run_id}: held by another process; waiting")
            waits.wait(HELD_AGAIN_S, "another process has what is left")
            continue
        if any(report.disk_full for report in answer.reports) and waits.room.was_full():
            waits.wait(HELD_AGAIN_S, "the disk was full")
            continue
        waits.record.ended(answer.attempts)
        again = [r for r in answer.reports if may_retry and r.status == "failed" and r.error_class == "transient"]
        ended |= {
            r.run_id: r for r in answer.reports if r not in again and (r.status != "skipped" or r.run_id not in ended)
        }
        if not again:
            break
        failures += 1
        wait_s = waits.retries.wait_s(failures) or 0.0
        complain(f"{again[0].run_id}: {again[0].reason}; tried again in {wait_s:g} s")
        waits.wait(wait_s, "it is tried again later")
    return tuple(ended.values())


def _cell_of(s: Settings) -> str:
    from mlesearch.storage.layout import RunKey

    return RunKey(s.model.name, s.strategy.name, s.variant, "", 0).cell
