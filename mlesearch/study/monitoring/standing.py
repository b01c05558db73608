"""What is known of a study that is under way, as data; `mlesearch.study.monitoring.status` finds it out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlesearch.storage.layout import RunKey
from mlesearch.storage.worker_files import ErrorClass, RunAttempt, WorkerState

RunStanding = Literal["ended", "failed", "under_way", "begun", "waiting"]
"""Of a run: it has its result; it failed; a worker is on it; it was begun and nobody is on it; or it was not begun."""

WorkerStanding = Literal["working", "paused", "stopping", "ended", "silent", "gone"]
"""What a worker says of itself; or that it has not been heard of, or that its process is gone."""


NEARLY_SPENT = 0.8
"""Of a budget."""


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
class BudgetStanding:
    """How much of a budget that runs share is spent, by their journals.

    Attributes:
        setting: that limits it.
        cell: whose it is; empty: the study's.
        usd: spent, as far as it is known.
        limit_usd: that may be spent.
    """

    setting: Literal["budget.study_usd", "budget.cell_usd"]
    cell: str
    usd: float
    limit_usd: float

    @property
    def nearly_spent(self) -> bool:
        """Whether so much is spent that somebody should know."""
        return self.usd >= NEARLY_SPENT * self.limit_usd


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
        cells: of its grid.
        paused: why nothing new is to begin; empty where something may.
        budgets: that its runs share, the study's first.
    """

    folder: Path
    name: str
    simulated: bool | None
    runs: Mapping[str, RunProgress]
    workers: tuple[WorkerStatus, ...]
    failures: tuple[FailedRuns, ...]
    measured: int
    now_s: float
    cells: tuple[CellCounts, ...] = ()
    paused: str = ""
    budgets: tuple[BudgetStanding, ...] = ()

    def count(self, *states: RunStanding) -> int:
        """How many runs are in some states."""
        return sum(run.state in states for run in self.runs.values())

    @property
    def missing(self) -> int:
        """Runs that have no result and did not fail."""
        return self.count("under_way", "begun", "waiting")

    def left_by(self, worker: WorkerStatus) -> tuple[str, ...]:
        """Of the runs that a worker says it carries out, those that nobody has ended or taken over since."""
        return tuple(i for i in worker.state.run_ids if i in self.runs and _is_still_of(worker.state, self.runs[i]))

    @property
    def stalled(self) -> tuple[WorkerStatus, ...]:
        """Workers that were not heard of, as long as that costs something.

        That is a run that stands still, or a slot where runs are missing and no worker has begun since.
        """
        return tuple(w for w in self.workers if w.standing == "silent" and (self.left_by(w) or self._lacks(w)))

    @property
    def broken_off(self) -> tuple[WorkerStatus, ...]:
        """Workers whose process is gone, and whose runs nobody has ended or taken over since."""
        return tuple(w for w in self.workers if w.standing == "gone" and self.left_by(w))

    def _lacks(self, worker: WorkerStatus) -> bool:
        last_s = self.now_s - worker.heard_s
        return self.missing > 0 and not any(w.state.begun_s > last_s for w in self.workers if w is not worker)

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


def _is_still_of(worker: WorkerState, run: RunProgress) -> bool:
    """Whether a run that a worker names has no result, and no other worker was on it later."""
    if run.state in ("ended", "failed") or run.worker not in ("", worker.id):
        return False
    last = run.last
    return last is None or last.worker in ("", worker.id) or last.ended_s <= worker.beat_s


def budgets_of(
    cells: Sequence[CellCounts], study_usd: float | None, cell_usd: Mapping[str, float]
) -> Iterator[BudgetStanding]:
    """How much is spent of the budgets that runs share.

    Args:
        cells: of the study.
        study_usd: what the study may cost; None: not limited.
        cell_usd: what cells may cost, those that are limited.
    """
    if study_usd is not None:
        yield BudgetStanding("budget.study_usd", "", math.fsum(cell.usd for cell in cells), study_usd)
    for cell in cells:
        if cell.cell in cell_usd:
            yield BudgetStanding("budget.cell_usd", cell.cell, cell.usd, cell_usd[cell.cell])


def duration_s(run: RunProgress) -> float | None:
    """How long a run took, if that was measured."""
    return run.last.real_s if run.state == "ended" and run.last is not None and run.last.real_s > 0 else None


def cells_of(runs: Iterable[RunProgress], now_s: float) -> Iterator[CellCounts]:
    """The counts of each cell, in the order of asking; what is left is reckoned from the mean of runs that ended.

    That of the cell, else of its strategy with other models, else of all.
    """
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
    durations = [d for run in runs if (d := duration_s(run)) is not None]
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
