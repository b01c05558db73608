"""Where a study stands now: its runs by cell and state, workers, failures, spend, and how long it will take.

Read from the small files of workers, and from run folders where no worker says anything (a study of an earlier version,
or one whose workers were of one). Nothing is written, so a study that can only be read is read like any other.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mlesearch.storage.cell_store import FAILED, cells, rows_of_cell, statuses_of
from mlesearch.storage.documents import RESULT, STUDY, read_result, read_study
from mlesearch.storage.journal import JOURNAL, JournalError
from mlesearch.storage.layout import RunKey, declared, is_simulated
from mlesearch.storage.processes import alive
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
from mlesearch.study.fold import PROGRAMS, fold
from mlesearch.types import NANODOLLARS, ConfigError

SILENT_S = 90.0
"""A worker that has not been heard of for so long stands still, or its machine can't be reached."""
FOLDED = 200
"""The journals of so many runs that are not over are read for what they have cost."""

_CLOCKS_APART_S = 60.0
"""A result that is so much younger than the index that names it may be another one."""
_WITH_RESULT: frozenset[str] = ENDED | {"failed", "set_aside"}

RunStanding = Literal["ended", "failed", "under_way", "begun", "waiting"]
"""Of a run: it has its result; it failed; a worker is on it; it was begun and nobody is on it; or it was not begun."""

WorkerStanding = Literal["working", "paused", "stopping", "ended", "silent", "gone"]
"""What a worker says of itself; or that it has not been heard of, or that its process is gone."""


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Where a run stands.

    Attributes:
        key: its place in the grid.
        state: see `RunStanding`.
        last: the last attempt at it that ended; None where none did.
        usd: what it has cost so far; None where that is not known.
        steps: its programs so far.
        since_s: where a worker is on it: since when.
        worker: the id of that worker.
    """

    key: RunKey
    state: RunStanding
    last: RunAttempt | None = None
    usd: float | None = 0.0
    steps: int = 0
    since_s: float = 0.0
    worker: str = ""

    @property
    def rated(self) -> bool:
        """Whether it has a result on a task with medals."""
        return self.state == "ended" and self.last is not None and not (self.last.no_board or self.last.ungraded)


@dataclass(frozen=True, slots=True)
class CellCounts:
    """Where the runs of a cell stand.

    Attributes:
        cell: model, strategy and variant, as in the study's folder.
        planned: runs that were asked for.
        ended, failed, under_way, begun, waiting: of these, how many are in which state.
        rated: runs with a result on tasks with medals.
        medals: of these, runs with any medal.
        usd: what its runs have cost so far, those whose cost is not known left out.
        usd_unknown: how many have a cost that is not known.
        left_s: work that is left, in seconds of one slot; None where no run has ended anywhere.
    """

    cell: str
    planned: int
    ended: int
    failed: int
    under_way: int
    begun: int
    waiting: int
    rated: int
    medals: int
    usd: float
    usd_unknown: int
    left_s: float | None


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """Where a worker stands.

    Attributes:
        state: what it says of itself.
        standing: whether that can still be so.
        heard_s: seconds since it was heard of last.
    """

    state: WorkerState
    standing: WorkerStanding
    heard_s: float


@dataclass(frozen=True, slots=True)
class FailedRuns:
    """Runs that failed for one reason.

    Attributes:
        reason: in words.
        error_class: whether it may pass.
        run_ids: the runs.
        host: of the first of them, where it failed.
        job: of the batch system.
        log: what to read of it: a file in the first run's folder; None where there is none.
    """

    reason: str
    error_class: ErrorClass
    run_ids: tuple[str, ...]
    host: str
    job: str
    log: Path | None


@dataclass(frozen=True, slots=True)
class StudyStatus:
    """Where a study stands.

    Attributes:
        folder: of the study.
        name: of the study.
        simulated: whether simulated engineers answer; None where no run was begun.
        runs: of its grid, by id.
        workers: that it has or had.
        failures: by reason, most runs first.
        measured: how many runs that ended the durations are from.
        now_s: when this was found out, seconds since 1970.
    """

    folder: Path
    name: str
    simulated: bool | None
    runs: Mapping[str, RunProgress]
    workers: tuple[WorkerStatus, ...]
    failures: tuple[FailedRuns, ...]
    measured: int
    now_s: float
    cells: tuple[CellCounts, ...] = field(default=())

    def count(self, *states: RunStanding) -> int:
        """How many runs are in some states."""
        return sum(run.state in states for run in self.runs.values())

    @property
    def missing(self) -> int:
        """Runs that have no result and did not fail."""
        return self.count("under_way", "begun", "waiting")

    @property
    def slots(self) -> int:
        """How many runs can be carried out at once by the workers that are at work."""
        return sum(len(w.state.slots) for w in self.workers if w.standing in ("working", "paused"))

    @property
    def usd(self) -> float:
        """What all runs have cost so far, as far as it is known."""
        return math.fsum(cell.usd for cell in self.cells)

    @property
    def left_s(self) -> float | None:
        """Work that is left, in seconds of one slot; None where no run has ended."""
        parts = [cell.left_s for cell in self.cells]
        return None if None in parts else math.fsum(p for p in parts if p is not None)

    @property
    def eta_s(self) -> float | None:
        """Seconds until nothing is left, with the workers that are at work; None where that can't be said."""
        left_s = self.left_s
        return None if left_s is None or not self.slots or not self.missing else left_s / min(self.slots, self.missing)

    @property
    def unpaid(self) -> dict[str, int]:
        """How many runs wait for money, by the reason that was given."""
        last = [run.last for run in self.runs.values() if run.state in ("begun", "waiting") and run.last is not None]
        return dict(Counter(attempt.reason for attempt in last if attempt.status == "unpaid"))


def read_status(study: Path) -> StudyStatus:
    """Where a study stands.

    Raises:
        ConfigError: there is no study in this folder, or a file is damaged.
    """
    if not (study / STUDY).is_file():
        raise ConfigError(f"{study}: no study here (no study.json); name the folder that a launch wrote")
    now_s = time.time()
    workers = tuple(_worker(study, state, now_s) for state in read_workers(study))
    runs = _runs(study, workers)
    return StudyStatus(
        study,
        read_study(study)["name"],
        is_simulated(study),
        runs,
        workers,
        _failures(study, runs.values()),
        sum(1 for r in runs.values() if _duration_s(r) is not None),
        now_s,
        tuple(_cells(runs.values(), now_s)),
    )


# workers


def _worker(study: Path, state: WorkerState, now_s: float) -> WorkerStatus:
    """By two clocks: that of its machine, and that of whoever keeps the files; the later one holds."""
    try:
        written_s = os.stat(study / WORKERS / f"{state.id}.json").st_mtime
    except OSError:
        written_s = 0.0
    heard_s = max(0.0, now_s - max(written_s, state.beat_s))
    standing: WorkerStanding = state.activity
    if standing != "ended" and state.owner and not alive(state.owner):
        standing = "gone"
    elif standing != "ended" and heard_s > SILENT_S:
        standing = "silent"
    return WorkerStatus(state, standing, heard_s)


# runs


def _runs(study: Path, workers: Sequence[WorkerStatus]) -> dict[str, RunProgress]:
    last = {attempt.run_id: attempt for attempt in read_attempts(study)}
    stored = _stored(study, last)
    slots = {s.run_id: (s, w.state.id) for w in workers if w.standing not in ("ended", "gone") for s in w.state.slots}
    found = {}
    folded = 0
    for key in declared(study):
        run_id, folder = key.id, f"{study}/{key.id}"
        attempt = stored.get(run_id) or _of_folder(Path(folder), run_id, last.get(run_id))
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
    """The runs in the stores of cells, as their indices say them, or else as their rows do."""
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
    return found


def _of_folder(folder: Path, run_id: str, last: RunAttempt | None) -> RunAttempt | None:
    """The last attempt at a run, by its index, as long as its folder does not say otherwise."""
    try:
        written_s = os.stat(f"{folder}/{RESULT}").st_mtime
    except OSError:  # what had ended was launched again, or removed, since the index was written
        return None if last is not None and last.status in _WITH_RESULT else last
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


# cells, and what is left


def _duration_s(run: RunProgress) -> float | None:
    """How long a run took, if that was measured."""
    return run.last.real_s if run.state == "ended" and run.last is not None and run.last.real_s > 0 else None


def _cells(runs: Iterable[RunProgress], now_s: float) -> Iterable[CellCounts]:
    by_cell: dict[str, list[RunProgress]] = {}
    for run in runs:
        by_cell.setdefault(run.key.cell, []).append(run)
    of_cell = {cell: _mean_s(members) for cell, members in by_cell.items()}
    by_strategy: dict[str, list[RunProgress]] = {}
    for members in by_cell.values():
        by_strategy.setdefault(members[0].key.strategy, []).extend(members)
    of_strategy = {strategy: _mean_s(members) for strategy, members in by_strategy.items()}
    of_all = _mean_s([run for members in by_cell.values() for run in members])
    for cell, members in by_cell.items():
        each_s = of_cell[cell] or of_strategy[members[0].key.strategy] or of_all
        states = Counter(run.state for run in members)
        rated = [run for run in members if run.rated]
        yield CellCounts(
            cell,
            len(members),
            states["ended"],
            states["failed"],
            states["under_way"],
            states["begun"],
            states["waiting"],
            len(rated),
            sum(run.last is not None and run.last.medal for run in rated),
            math.fsum(run.usd for run in members if run.usd is not None),
            sum(run.usd is None for run in members),
            _left_s(members, each_s, now_s),
        )


def _mean_s(runs: Sequence[RunProgress]) -> float | None:
    durations = [d for run in runs if (d := _duration_s(run)) is not None]
    return math.fsum(durations) / len(durations) if durations else None


def _left_s(runs: Sequence[RunProgress], each_s: float | None, now_s: float) -> float | None:
    """What runs that are not over will take, if they take as long as those that ended; nothing, if one takes longer."""
    todo = [run for run in runs if run.state in ("under_way", "begun", "waiting")]
    if not todo:
        return 0.0
    if each_s is None:
        return None
    spent_s = (max(0.0, now_s - run.since_s) if run.state == "under_way" else 0.0 for run in todo)
    return math.fsum(max(0.0, each_s - s) for s in spent_s)
