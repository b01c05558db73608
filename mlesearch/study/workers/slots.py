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
from mlesearch.storage.layout import check_run
from mlesearch.storage.leases import Lease, Leases
from mlesearch.storage.lifeline import end_with_parent
from mlesearch.storage.run_log import log_run
from mlesearch.storage.worker_files import RunAttempt, WorkerState, attempt_at
from mlesearch.study.output import complain
from mlesearch.study.runs.execute import RunReport, execute_run
from mlesearch.study.runs.failures import error_class_of
from mlesearch.study.runs.simulated import carry_out
from mlesearch.study.workers.pieces import Piece
from mlesearch.study.workers.stopping import BATCH_SIGNALS, STOP_NOW, TERMINAL_SIGNALS, left_to_others
from mlesearch.types import MlesearchError

_GC_THRESHOLD = 50_000
"""Runs on a virtual clock make many objects and hardly a circle."""


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
        attempt: the how many-th it is, from 1.
        may_retry: whether a failure that may pass is tried again.
    """

    number: int
    piece: Piece
    attempt: int
    may_retry: bool


@dataclass(frozen=True, slots=True)
class PieceAnswer:
    """What became of an order.

    Attributes:
        outcome: begun; then ended. Or held (another process has it), or unfit (this machine yields other runs).
        reports: of the runs that were carried out, or had ended before.
        attempts: lines for the index.
        why: it is unfit.
    """

    outcome: Literal["begun", "ended", "held", "unfit"]
    reports: tuple[RunReport, ...] = ()
    attempts: tuple[RunAttempt, ...] = ()
    why: str = ""


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
            yield PieceAnswer("ended", reports, tuple(self._attempt(r, order) for r in reports if not full))
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
        return PieceAnswer("ended", reports, tuple(self._attempt(r, order) for r in reports))

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
        lease = self._leases.claim(piece.name)
        if lease is None:
            yield PieceAnswer("held")
            return
        done = False
        try:
            with lease.beating():
                for answer in self._begun(order, runs, lease):
                    done = all(r.status not in ("interrupted", "lost") for r in answer.reports)
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

    def _begun(self, order: PieceOrder, runs: Sequence[RunPlan], lease: Lease | None) -> Iterator[PieceAnswer]:
        work, piece = self._work, order.piece
        ended = {} if lease is None else self._ended(piece, runs)  # it may have ended before the lease was had
        todo = [run for run in runs if run.key.id not in ended]
        yield PieceAnswer("begun")
        made = []
        if piece.virtual and todo:
            made = list(carry_out(todo, work.should_stop, work.resources, lease))
        elif todo:
            made = [self._one(todo[0], order, lease)]
        reports = [replace(r, host=work.state.host) for r in made]
        attempts = [self._attempt(r, order) for r in reports if not r.disk_full]
        sent = (*ended.values(), *(replace(r, result=None) for r in reports))
        yield PieceAnswer("ended", sent, tuple(attempts))

    def _attempt(self, report: RunReport, order: PieceOrder) -> RunAttempt:
        """The line of the index for a run that was carried out."""
        return attempt_at(
            self._work.state,
            report.run_id,
            report.status,  # type: ignore[arg-type]
            report.result,
            reason=report.reason,
            error_class=report.error_class,
            attempt=order.attempt,
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
        if any(piece.virtual for piece in work.pieces):
            gc.set_threshold(_GC_THRESHOLD)
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
