"""Slots that ended in the middle of a run: what is said of it, and when the run is not begun again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from mlesearch.config.planning.plan import RunPlan
from mlesearch.storage.journal import JOURNAL
from mlesearch.storage.lease_files import Claimant
from mlesearch.storage.leases import Leases
from mlesearch.storage.run_log import log_run
from mlesearch.storage.worker_files import RunAttempt, WorkerState, attempt_at
from mlesearch.study.runs.execute import RunReport, write_failure
from mlesearch.study.runs.failures import LOSSES_SET_ASIDE
from mlesearch.study.runs.simulated import store_failure
from mlesearch.study.workers.pieces import Piece, one_by_one
from mlesearch.study.workers.slots import PieceOrder, SharedWork


@dataclass(frozen=True, slots=True)
class Loss:
    """What follows from a loss.

    Attributes:
        text: of it, one line.
        attempts: lines for the index.
        apart: of a chunk, its runs as pieces of their own, since one of them may end its worker each time.
        set_aside: reports of runs that are not begun again.
    """

    text: str
    attempts: tuple[RunAttempt, ...]
    apart: tuple[Piece, ...] = ()
    set_aside: tuple[RunReport, ...] = field(default=())


class Losses:
    """Counts how often each run ended its worker without getting any further in between."""

    def __init__(self, work: SharedWork) -> None:
        """Nothing was lost yet."""
        self._work = work
        self._at: dict[str, tuple[int, int]] = {}

    def note(self, state: WorkerState, order: PieceOrder, status: int, *, begun: bool) -> Loss:
        """A slot died in the middle of a piece, or on the way to it.

        Args:
            state: of the worker.
            order: what the slot was carrying out.
            status: of its end, as `os.waitpid` returns it.
            begun: whether it had begun the piece; else the run is another process's to write, if anybody's.
        """
        runs = [self._work.runs[n] for n in order.piece.numbers]
        how = ending(status)
        if len(runs) > 1:
            text = f"{order.piece.name}: its worker process {how}; its {len(runs)} runs are begun again one by one"
            return Loss(text, (), one_by_one(order.piece, self._work.runs))
        (run,) = runs
        times = self._count(run)
        lost = attempt_at(state, run.key.id, "lost", None, reason=how, error_class="lost", attempt=order.attempt)
        if not order.piece.virtual:
            log_run(run.folder, state, order.attempt, f"lost: the worker process {how}")
        if times < LOSSES_SET_ASIDE:
            return Loss(f"{run.key.id}: its worker process {how}; it goes on from its journal", (lost,))
        reason = f"it ended its worker process {times} times at the same point (the last one {how}); set aside"
        if not self._set_aside(run, order, reason, begun=begun):
            return Loss(f"{run.key.id}: its worker process {how}; another process has it by now", (lost,))
        if not order.piece.virtual:
            log_run(run.folder, state, order.attempt, reason)
        aside = attempt_at(state, run.key.id, "set_aside", None, reason=reason, error_class="poison")
        report = RunReport(run.key.id, "failed", reason, "poison", state.host)
        return Loss(f"{run.key.id}: {reason}", (lost, aside), set_aside=(report,))

    def _set_aside(self, run: RunPlan, order: PieceOrder, reason: str, *, begun: bool) -> bool:
        """Write that a run failed, unless somebody else has had its lease since: then it is not this worker's to end.

        What other workers died of it is forgotten: it is named now, and whoever asks for it begins anew.
        """
        if not self._work.leased:
            if begun:
                _write(run, order.piece, reason)
            return True
        leases, name = Leases(self._work.study), order.piece.name
        if not begun:
            with suppress(OSError):
                leases.forget_deaths([name], self._work.state.id)
            return True
        try:
            lease = leases.claim(name, Claimant(self._work.state.id, forgets=True))
        except OSError:
            return False
        if lease is None:
            return False
        try:
            own = lease.last is not None and lease.last.worker == self._work.state.id
            if own:
                _write(run, order.piece, reason)
        finally:
            with suppress(OSError):
                lease.release(done=False)
        return own

    def forget(self, run_ids: Iterable[str]) -> None:
        """Some runs are tried again as if nothing had been lost."""
        for run_id in run_ids:
            self._at.pop(run_id, None)

    def _count(self, run: RunPlan) -> int:
        """How often it was lost in a row with its journal no longer than now."""
        size = 0
        with suppress(OSError):
            size = os.stat(run.folder / JOURNAL).st_size
        times, before = self._at.get(run.key.id, (0, -1))
        self._at[run.key.id] = (times + 1 if size == before else 1, size)
        return self._at[run.key.id][0]


def _write(run: RunPlan, piece: Piece, reason: str) -> None:
    """Say where the run is kept that it failed."""
    if piece.virtual:
        store_failure(run, reason)
    else:
        write_failure(run, reason, 0.0)


def ending(status: int) -> str:
    """How a process ended, in words, from what `os.waitpid` returns."""
    if not os.WIFSIGNALED(status):
        return f"ended by itself with exit code {os.waitstatus_to_exitcode(status)}"
    signum = os.WTERMSIG(status)
    name = signal.Signals(signum).name if signum in set(signal.Signals) else f"signal {signum}"
    return f"was killed by {name}{' (out of memory?)' if signum == signal.SIGKILL else ''}"
