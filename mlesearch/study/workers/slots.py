"""A slot of a worker: a process that carries out one piece of work after the other, and keeps what is warm.

A slot is a fork of its supervisor (`mlesearch.study.workers.supervisor`), and knows the runs by their numbers. It
leases each piece itself, so that a slot that stands still loses it; what it writes stops with the lease. It ends with
its supervisor, by the kernel's hand.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, NoReturn

from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.node_check import NodeCheck, NodeDiffers
from mlesearch.config.planning.plan import RunPlan
from mlesearch.storage import file_systems
from mlesearch.storage.cell_store import FAILED, finished_of
from mlesearch.storage.documents import read_result
from mlesearch.storage.files import make_folder, write_atomically
from mlesearch.storage.journal import JOURNAL, whole_bytes
from mlesearch.storage.layout import check_run
from mlesearch.storage.lease_files import Claimant
from mlesearch.storage.leases import Lease, Leases
from mlesearch.storage.lifeline import end_with_parent
from mlesearch.storage.processes import collect_rarely
from mlesearch.storage.run_log import log_run, next_attempt
from mlesearch.storage.worker_files import ATTEMPTED, RunAttempt, WorkerState, attempt_at
from mlesearch.study.output import complain
from mlesearch.study.runs.execute import RunReport, execute_run, write_failure
from mlesearch.study.runs.failures import LOSSES_SET_ASIDE, deaths_in_words, error_class_of
from mlesearch.study.runs.simulated import carry_out, store_failure
from mlesearch.study.workers.pieces import Piece
from mlesearch.study.workers.stopping import BATCH_SIGNALS, STOP_NOW, TERMINAL_SIGNALS, left_to_others
from mlesearch.types import MlesearchError

_TAKEN_OVER = {
    "dead": "ended without a word",
    "silent": "was not heard of any more",
    "left": "lost its process and did not go on",
}
"""What is said of a worker that did not give a lease back, by what became of that."""


@dataclass(frozen=True, slots=True)
class SharedWork:
    """What the slots of a worker share.

    Attributes:
        study: its folder.
        runs: of the launch.
        pieces: into which they are divided.
        resources: that forks begin with.
        state: of the worker, as it began.
        should_stop: whether it is to stop.
        verify: whether this machine has yet to show that it yields the runs that are listed.
        leased: whether other processes may be at work on the study.
        private: descriptors of the supervisor, which slots close.
    """

    study: Path
    runs: Sequence[RunPlan]
    pieces: Sequence[Piece]
    resources: ProcessResources
    state: WorkerState
    should_stop: Callable[[], bool]
    verify: bool
    leased: bool
    private: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PieceOrder:
    """Carry out a piece.

    Attributes:
        number: of the piece.
        piece: what is to be done.
        attempt: the how many-th it is, from 1; a run's log may know of more.
        may_retry: whether a failure that may pass is tried again.
        isolated: whether the worker has nothing else under way.
        limit: what was set as the study's limit when it was given.
    """

    number: int
    piece: Piece
    attempt: int
    may_retry: bool
    isolated: bool = False
    limit: bytes = b""


@dataclass(frozen=True, slots=True)
class PieceAnswer:
    """What became of an order.

    Attributes:
        outcome: begun; then ended. Or held (another process has it), unfit (this machine yields other runs), or
            doubtful (it may have ended workers: a run is begun with nothing else under way, a chunk run by run).
        reports: of the runs that were carried out, or had ended before.
        attempts: lines for the index.
        why: it is unfit.
        attempt: of a piece that is begun, the how many-th it is.
    """

    outcome: Literal["begun", "ended", "held", "unfit", "doubtful"]
    reports: tuple[RunReport, ...] = ()
    attempts: tuple[RunAttempt, ...] = ()
    why: str = ""
    attempt: int = 1

    def over(self, piece: Piece) -> bool:
        """Whether nothing is left to do of the piece, nor to be known of it."""
        statuses = {report.status for report in self.reports}
        kept = piece.virtual and any(report.error_class == "poison" for report in self.reports)  # each worker tries it
        return self.outcome == "ended" and not kept and statuses.isdisjoint({"interrupted", "lost"})


class WorkerSlot:
    """Carries out pieces in this process, one at a time."""

    def __init__(self, work: SharedWork) -> None:
        """Nothing is begun."""
        self._work = work
        self._leases = Leases(work.study) if work.leased else None
        self._node = NodeCheck(work.resources) if work.verify else None

    def carry_out(self, order: PieceOrder) -> Iterator[PieceAnswer]:
        """Say that a piece is begun, and then what became of it; or why it is not begun."""
        try:
            yield from self._carried_out(order)
        except (MlesearchError, OSError) as error:  # around the run itself: a lease, a look at its folder
            reason = file_systems.in_words(error) if isinstance(error, OSError) else str(error)
            kind, full, host = error_class_of(error), file_systems.is_full(error), self._work.state.host
            ids = [self._work.runs[n].key.id for n in order.piece.numbers]
            reports = tuple(RunReport(run_id, "failed", reason, kind, host, disk_full=full) for run_id in ids)
            yield PieceAnswer("ended", reports, self._attempts(reports, order))
        except (
            Exception,
            SystemExit,
        ) as error:  # of a plug-in: it ends its run, and not this process
            yield self._unexpected(order, error)

    def _unexpected(self, order: PieceOrder, error: BaseException) -> PieceAnswer:
        """The runs of a piece have failed around their own work; where, is said in their logs."""
        where, said = traceback.extract_tb(error.__traceback__)[-1], traceback.format_exc()
        at = f"{os.path.basename(where.filename)} line {where.lineno}"
        runs = [self._work.runs[n] for n in order.piece.numbers]
        if order.piece.virtual:
            complain(said)
            reason = f"{type(error).__name__}: {error} ({at})"
        else:
            reason = f"{type(error).__name__}: {error} ({at}; see error.txt)"
            (run,) = runs
            with contextlib.suppress(OSError):
                make_folder(run.folder)
                write_atomically(run.folder / "error.txt", said)
            log_run(run.folder, self._work.state, order.attempt, f"failed: {reason}")
        host = self._work.state.host
        reports = tuple(RunReport(run.key.id, "failed", reason, "permanent", host) for run in runs)
        return PieceAnswer("ended", reports, self._attempts(reports, order))

    def _carried_out(self, order: PieceOrder) -> Iterator[PieceAnswer]:
        piece = order.piece
        try:
            runs = self._runs(piece)
        except NodeDiffers as error:
            yield PieceAnswer("unfit", why=str(error))
            return
        if self._leases is None:
            yield from self._begun(order, runs, None)
            return
        ended = self._ended(piece, runs)
        if len(ended) == len(runs):
            yield PieceAnswer("ended", tuple(ended.values()))
            return
        mark = _nothing if piece.virtual else partial(whole_bytes, runs[0].folder / JOURNAL)
        state = self._work.state
        by = Claimant(state.id, mark, order.isolated, supervisor=state.owner)
        lease = self._leases.claim(piece.name, by)
        if lease is None:
            yield PieceAnswer("held")
            return
        if not piece.virtual:
            order = replace(order, attempt=max(order.attempt, next_attempt(runs[0].folder)))
        done = False
        try:
            with lease.beating():
                for answer in self._leased(order, runs, lease):
                    done = answer.over(piece)
                    yield answer
        finally:
            with contextlib.suppress(MlesearchError, OSError):
                lease.release(done=done)

    def _runs(self, piece: Piece) -> list[RunPlan]:
        """The runs of a piece as this machine carries them out.

        Raises:
            NodeDiffers: it yields others.
        """
        runs = [self._work.runs[n] for n in piece.numbers]
        return runs if self._node is None else [self._node.complete(run) for run in runs]

    def _ended(self, piece: Piece, runs: Sequence[RunPlan]) -> dict[str, RunReport]:
        """Reports of those runs of a piece that have a result, by their ids: of this launch or an earlier one."""
        if piece.virtual:
            finished = finished_of(runs[0].folder.parent.parent)
            ended = [run for run in runs if f"{run.folder.parent.name}/{run.folder.name}" in finished]
            return {run.key.id: RunReport(run.key.id, "skipped") for run in ended}
        (run,) = runs
        state = check_run(run.folder, run.identity)
        if state == "finished":
            return {run.key.id: RunReport(run.key.id, "skipped")}
        result = read_result(run.folder) if state == "failed" else None
        if result is None or result["status"] != FAILED:
            return {}
        return {run.key.id: RunReport(run.key.id, "failed", str(result.get("reason", "")), "permanent")}

    def _leased(self, order: PieceOrder, runs: Sequence[RunPlan], lease: Lease) -> Iterator[PieceAnswer]:
        """Carry a piece out; or leave it, where workers may have ended by it."""
        deaths = lease.deaths
        self._log_takeover(order, runs, lease)
        if len(runs) > 1 and deaths:
            yield PieceAnswer("doubtful")
        elif len(deaths) >= LOSSES_SET_ASIDE and deaths[-1].isolated:
            yield self._set_aside(order, runs, lease)
        elif len(deaths) >= LOSSES_SET_ASIDE - 1 and not order.isolated:
            yield PieceAnswer("doubtful")
        else:
            yield from self._begun(order, runs, lease)

    def _log_takeover(self, order: PieceOrder, runs: Sequence[RunPlan], lease: Lease) -> None:
        """Say in a run's log whose it was, where another worker has not given it back."""
        last, state = lease.last, self._work.state
        how = _TAKEN_OVER.get(lease.before)
        if order.piece.virtual or last is None or how is None or last.worker == state.id:
            return
        worker = f"worker {last.worker}" if last.worker else "a worker"
        with contextlib.suppress(OSError):
            make_folder(runs[0].folder)
        log_run(runs[0].folder, state, order.attempt, f"taken over from {worker} on {last.host}, which {how}")

    def _set_aside(self, order: PieceOrder, runs: Sequence[RunPlan], lease: Lease) -> PieceAnswer:
        """Say that a run has failed, by which workers ended again and again."""
        ended = self._ended(order.piece, runs)  # before the lease was had
        if ended:
            return PieceAnswer("ended", tuple(ended.values()))
        (run,), reason = runs, deaths_in_words(lease.deaths)
        lease.check()
        if order.piece.virtual:
            store_failure(run, reason)
        else:
            write_failure(run, reason, 0.0)
            log_run(run.folder, self._work.state, order.attempt, reason)
        report = RunReport(run.key.id, "failed", reason, "poison", self._work.state.host)
        attempts = (replace(made, status="set_aside") for made in self._attempts((report,), order))
        return PieceAnswer("ended", (report,), tuple(attempts))

    def _begun(self, order: PieceOrder, runs: Sequence[RunPlan], lease: Lease | None) -> Iterator[PieceAnswer]:
        work, piece = self._work, order.piece
        ended = {} if lease is None else self._ended(piece, runs)  # it may have ended before the lease was had
        todo = [run for run in runs if run.key.id not in ended]
        yield PieceAnswer("begun", attempt=order.attempt)
        made = []
        if piece.virtual and todo:
            made = list(carry_out(todo, work.should_stop, work.resources, lease))
        elif todo:
            made = [self._one(todo[0], order, lease)]
        reports = [replace(r, host=work.state.host) for r in made]
        attempts = self._attempts(reports, order)
        sent = (*ended.values(), *(replace(r, result=None) for r in reports))
        yield PieceAnswer("ended", sent, attempts)

    def _attempts(self, reports: Sequence[RunReport], order: PieceOrder) -> tuple[RunAttempt, ...]:
        """The lines of the index for runs that were carried out; what a full disk ended is no attempt."""
        return tuple(
            attempt_at(
                self._work.state,
                report.run_id,
                report.status,
                report.result,
                reason=report.reason,
                error_class=report.error_class,
                attempt=order.attempt,
            )
            for report in reports
            if report.status in ATTEMPTED and not report.disk_full
        )

    def _one(self, run: RunPlan, order: PieceOrder, lease: Lease | None) -> RunReport:
        work = self._work
        if lease is None:
            return execute_run(run, work.should_stop, work.resources)  # a replay: in one process, or not at all
        began_s = time.monotonic()
        with contextlib.suppress(OSError):
            make_folder(run.folder)
        log_run(run.folder, work.state, order.attempt, "began")
        report = execute_run(run, work.should_stop, work.resources, lease, may_retry=order.may_retry)
        why = f": {report.reason}" if report.reason else ""
        log_run(run.folder, work.state, order.attempt, f"{report.status} after {time.monotonic() - began_s:.1f} s{why}")
        return report


def _nothing() -> int:
    """How far a piece on a virtual clock has got that is not whole."""
    return 0


def serve(orders: Connection, work: SharedWork, parent: int) -> NoReturn:
    """Be a slot, in a fork: carry out orders until there is none any more.

    Args:
        orders: from the supervisor; answers go back.
        work: what is to be done.
        parent: process id of the supervisor.
    """
    code = 1
    try:
        end_with_parent(parent)
        for fd in work.private:
            os.close(fd)
        left_to_others((*BATCH_SIGNALS, *TERMINAL_SIGNALS))
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(STOP_NOW, _stop_now)
        signal.set_wakeup_fd(-1)
        work.resources.after_fork()
        gc.freeze()  # what is the supervisor's stays: no collection has to look through it
        collect_rarely()
        slot = WorkerSlot(work)
        while (order := orders.recv()) is not None:
            for answer in slot.carry_out(order):
                orders.send(answer)
        code = 0
    except (KeyboardInterrupt, EOFError):
        code = 130
    except BaseException:  # the process ends without Python's own word
        complain(traceback.format_exc())
    finally:
        with contextlib.suppress(BaseException):
            work.resources.close()
        os._exit(code)


def _stop_now(signum: int, frame: object) -> None:
    signal.signal(signum, signal.SIG_IGN)  # once is enough: what closes things is not to be cut short
    raise KeyboardInterrupt
