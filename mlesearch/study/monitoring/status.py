"""Where a study stands now: its runs by cell and state, workers, failures, spend, and how long it will take.

Read from the small files of workers, and from run folders where no worker says anything (a study of an earlier version,
or one whose workers were of one). Nothing is written, so a study that can only be read is read like any other.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mlesearch.storage.cell_store import FAILED, cells, rows_of_cell, statuses_of
from mlesearch.storage.documents import RESULT, STUDY, finished_row, read_result, read_study
from mlesearch.storage.journal import JOURNAL, JournalError
from mlesearch.storage.layout import declared, is_simulated
from mlesearch.storage.packs import packed_cells, runs_in
from mlesearch.storage.processes import alive, gone
from mlesearch.storage.requests import asked_again_s, why_paused
from mlesearch.storage.worker_files import (
    ENDED,
    WORKERS,
    ErrorClass,
    RunAttempt,
    WorkerState,
    attempt_of,
    read_attempts,
    read_workers,
)
from mlesearch.study.monitoring.standing import (
    FailedRuns,
    RunProgress,
    StudyStatus,
    WorkerStanding,
    WorkerStatus,
    budgets_of,
    cells_of,
    duration_s,
)
from mlesearch.study.runs.fold import PROGRAMS, fold
from mlesearch.study.work_list.files import shared_limits
from mlesearch.types import NANODOLLARS, ConfigError

SILENT_S = 90.0
"""A worker that has not been heard of for so long stands still, or its machine can't be reached."""
FOLDED = 200
"""The journals of so many runs that are not over are read for what they have cost."""

_CLOCKS_APART_S = 60.0
"""A result that is so much younger than the index that names it may be another one."""
_WITH_RESULT: frozenset[str] = ENDED | {"failed", "set_aside"}


def read_status(study: Path) -> StudyStatus:
    """Where a study stands.

    Raises:
        ConfigError: there is no study in this folder, or a file is damaged.
    """
    if not (study / STUDY).is_file():
        raise ConfigError(f"{study}: no study here (no study.json); name the folder that a launch wrote")
    now_s = time.time()
    workers = read_worker_statuses(study)
    runs = _runs(study, workers)
    counts = tuple(cells_of(runs.values(), now_s))
    return StudyStatus(
        study,
        read_study(study)["name"],
        is_simulated(study),
        runs,
        workers,
        _failures(study, runs.values()),
        sum(1 for r in runs.values() if duration_s(r) is not None),
        now_s,
        counts,
        why_paused(study),
        tuple(budgets_of(counts, *shared_limits(study))),
    )


# workers


def read_worker_statuses(study: Path) -> tuple[WorkerStatus, ...]:
    """Where each worker of a study stands that it has or had."""
    now_s = time.time()
    return tuple(_worker(study, state, now_s) for state in read_workers(study))


def _worker(study: Path, state: WorkerState, now_s: float) -> WorkerStatus:
    """By two clocks: that of its machine, and that of whoever keeps the files; the later one holds.

    Of a worker of another machine only its silence can be known; one of this machine before it started anew is gone.
    """
    try:
        written_s = os.stat(study / WORKERS / f"{state.id}.json").st_mtime
    except OSError:
        written_s = 0.0
    heard_s = max(0.0, now_s - max(written_s, state.beat_s))
    standing: WorkerStanding = state.activity
    silent = heard_s > SILENT_S
    if standing != "ended" and (gone(state.owner) or (silent and _of_this_host(state) and not alive(state.owner))):
        standing = "gone"
    elif standing != "ended" and silent:
        standing = "silent"
    return WorkerStatus(state, standing, heard_s)


def _of_this_host(state: WorkerState) -> bool:
    return state.host == socket.gethostname()


# runs


def _runs(study: Path, workers: Sequence[WorkerStatus]) -> dict[str, RunProgress]:
    last = {attempt.run_id: attempt for attempt in read_attempts(study)}
    asked_s, newest_s = asked_again_s(study), max((w.state.begun_s for w in workers), default=0.0)
    stale = {i for i, attempt in last.items() if attempt.ended_s < max(newest_s, asked_s.get(i, 0.0))}
    stored = _stored(study, last)
    living = [w for standing in (True, False) for w in workers if (w.standing == "silent") is standing]
    slots = {s.run_id: (s, w.state.id) for w in living if w.standing not in ("ended", "gone") for s in w.state.slots}
    found = {}
    folded = 0
    for key in declared(study):
        run_id, folder = key.id, f"{study}/{key.id}"
        attempt = stored.get(run_id) or _of_folder(Path(folder), run_id, last.get(run_id), stale=run_id in stale)
        if attempt is not None and attempt.status in ENDED:
            found[run_id] = RunProgress(key, "ended", attempt, attempt.usd, attempt.steps)
            continue
        usd, steps = (0.0, 0) if attempt is None else (attempt.usd, attempt.steps)
        slot, worker = slots.get(run_id, (None, ""))
        begun = os.path.exists(f"{folder}/{JOURNAL}")
        if begun and folded < FOLDED:
            folded += 1
            usd, steps = _so_far(Path(folder), usd, steps)
        elif begun:
            usd = None
        if slot is not None:
            found[run_id] = RunProgress(key, "under_way", attempt, usd, max(steps, slot.step), slot.since_s, worker)
        elif attempt is not None and attempt.status in ("failed", "set_aside"):
            found[run_id] = RunProgress(key, "failed", attempt, usd, steps)
        else:
            found[run_id] = RunProgress(key, "begun" if begun else "waiting", attempt, usd, steps)
    return found


def _stored(study: Path, last: Mapping[str, RunAttempt]) -> dict[str, RunAttempt]:
    """The runs in the stores and packs of cells, as their indices say them, or else as their results do."""
    found: dict[str, RunAttempt] = {}
    for cell in cells(study):
        name = cell.relative_to(study).as_posix()
        ids = {f"{name}/{run}": status for run, status in statuses_of(cell).items()}
        known = {run_id: last[run_id] for run_id in ids if run_id in last}
        ended = {run_id for run_id, status in ids.items() if status != FAILED}
        if any(run_id not in known or known[run_id].status not in ENDED for run_id in ended):
            known |= {
                row["run"]["run_id"]: attempt_of(row["run"], row["run"]["run_id"]) for _, row in rows_of_cell(cell)
            }
        found |= {run_id: known.get(run_id) or RunAttempt(run_id, "failed") for run_id in ids}
    for cell in packed_cells(study):
        name = cell.relative_to(study).as_posix()
        for run_id in sorted(f"{name}/{run}" for run in runs_in(cell)):  # in the order in which they lie there
            attempt = last.get(run_id)
            if attempt is None or attempt.status not in ENDED:
                row = finished_row(study / run_id)
                attempt = attempt if row is None else attempt_of(row, run_id)
            found |= {} if attempt is None else {run_id: attempt}
    return found


def _of_folder(folder: Path, run_id: str, last: RunAttempt | None, *, stale: bool) -> RunAttempt | None:
    """The last attempt at a run, by its index, as long as its folder does not say otherwise.

    Args:
        folder: of the run.
        run_id: of the run.
        last: the last attempt that an index has.
        stale: whether a worker has begun since, or the run was asked for again: then a failure is over.
    """
    try:
        written_s = os.stat(f"{folder}/{RESULT}").st_mtime
    except OSError:  # what had ended was launched again, or removed; or a disk did not take what a failure says
        if last is None or last.status not in _WITH_RESULT:
            return last
        return None if stale or last.status in ENDED or last.error_class == "transient" else last
    if last is not None and last.status in ENDED and written_s < last.ended_s + _CLOCKS_APART_S:
        return last
    result = read_result(folder)
    if result is None or (last is not None and result["status"] == "failed" and last.status in _WITH_RESULT - ENDED):
        return last
    return attempt_of(result, run_id)


def _so_far(folder: Path, usd: float | None, steps: int) -> tuple[float | None, int]:
    """What a run that is not over has cost, and its steps, by its journal."""
    try:
        f = fold(folder)
    except (JournalError, OSError):
        return usd, steps
    costs = [u.cost_nusd for u in f.usages]
    known = None if None in costs else sum(c for c in costs if c is not None) / NANODOLLARS
    return known, sum(e["outcome"]["op"] in PROGRAMS for e in f.told.values())


def _failures(study: Path, runs: Iterable[RunProgress]) -> tuple[FailedRuns, ...]:
    by_reason: dict[tuple[str, ErrorClass], list[RunAttempt]] = {}
    for run in runs:
        if run.state == "failed" and run.last is not None:
            by_reason.setdefault((run.last.reason, run.last.error_class), []).append(run.last)
    found = []
    for (reason, error_class), attempts in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        first = attempts[0]
        folder = study / first.run_id
        logs = (folder / name for name in ("error.txt", "run.log"))
        log = next((path for path in logs if path.is_file()), None)
        ids = tuple(a.run_id for a in attempts)
        found.append(FailedRuns(reason, error_class, ids, first.host, first.job, log))
    return tuple(found)
