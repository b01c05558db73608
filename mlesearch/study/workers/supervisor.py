"""The supervisor of a worker: keeps its slots at work until nothing is left, and outlives whatever ends one of them.

It runs no run itself, has no threads, and has imported what runs need: a slot is a fork of it. A slot that dies costs
its run's step in flight; another one is forked, and the run goes on from its journal.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait

from mlesearch.storage.requests import RequestReader
from mlesearch.storage.worker_files import SlotState, WorkerActivity
from mlesearch.study.monitoring.notices import Notices
from mlesearch.study.monitoring.watching import Watched
from mlesearch.study.runs.execute import RunReport
from mlesearch.study.runs.failures import RetryRule
from mlesearch.study.workers.disk_room import DiskRoom
from mlesearch.study.workers.losses import Losses, ending
from mlesearch.study.workers.pieces import Piece, PieceQueue, one_by_one
from mlesearch.study.workers.record import WorkerRecord
from mlesearch.study.workers.slot_process import SlotProcess, fork_slot
from mlesearch.study.workers.slots import PieceAnswer, PieceOrder, SharedWork
from mlesearch.study.workers.stopping import STOP_NOW, Stopping

HELD_AGAIN_S = 2.0
"""What another process has is asked for again after so long."""
FORK_AGAIN_S = 5.0
LOOK_S = 1.0
"""So often it looks whether it was asked to stop."""
CLOSING_S = 10.0
"""A slot that is to end has so long to close what it has open."""
_DEAD_AT_START = 5
"""So many pieces in a row whose slots die before they begin end the worker: it is the machine."""
_BEGIN_AGAIN_S = 2.0
"""A piece whose slot died before it began is begun again after so long, and after twice as long the next time."""


@dataclass(slots=True)
class WorkEnd:
    """How a worker's work ended.

    Attributes:
        stopped: why it stopped before nothing was left; empty where nothing was.
        failed: runs that failed and are not tried again.
        unpaid: runs that a spent budget left unfinished.
        left: pieces that are left to whoever starts next.
        unfit: runs that this machine can't carry out as they are listed, by the reason.
    """

    stopped: str = ""
    failed: int = 0
    unpaid: int = 0
    left: int = 0
    unfit: Counter[str] = field(default_factory=Counter)


class Supervisor:
    """Carries out pieces of work by slots, in the main thread of a process that has no other."""

    def __init__(
        self,
        work: SharedWork,
        jobs: int,
        retries: RetryRule,
        stopping: Stopping,
        record: WorkerRecord,
        room: DiskRoom,
        tell: Callable[[Sequence[RunReport]], None],
        say: Callable[[str], None],
        *,
        stop_when_lost: bool = False,
        notices: Notices | None = None,
        failed_before: Collection[int] = (),
        requests: RequestReader | None = None,
    ) -> None:
        """Nothing is forked yet.

        Args:
            work: what is to be done.
            jobs: slots at most.
            retries: of failures that may pass.
            stopping: when to stop, and how.
            record: what is written of the worker.
            room: on the study's disk.
            tell: is told of runs that ended.
            say: is told what the user should know, one line each.
            stop_when_lost: a lease that was lost ends the worker, rather than being waited for.
            notices: tell whom the user named; None: nobody.
            failed_before: numbers of pieces whose runs had failed, begun only where the user asks for it.
            requests: of the user, from before it was known what had failed; None: there are none.
        """
        self._work, self._jobs, self._retries, self._stopping = work, jobs, retries, stopping
        self._room, self._lack = room, ""
        self._record, self._tell, self._say, self._stop_when_lost = record, tell, say, stop_when_lost
        self._pieces: list[Piece] = list(work.pieces)
        self._queue = PieceQueue([n for n in range(len(self._pieces)) if n not in failed_before])
        self._slots: list[SlotProcess] = []
        self._attempts: Counter[int] = Counter()
        self._failures: Counter[int] = Counter()
        self._losses = Losses(work)
        self._dead_at_start: set[int] = set()
        self._fork_after_s = 0.0
        self._kill_after_s: float | None = None
        self._notices = notices
        self._requests = requests or RequestReader(None)
        self._unfinished: dict[str, tuple[int, str]] = {
            work.runs[i].key.id: (n, "failed") for n in failed_before for i in self._pieces[n].numbers
        }
        self._end = WorkEnd(failed=len(self._unfinished))

    def run(self) -> WorkEnd:
        """Work until nothing is left that may be done here, or it is to stop."""
        with self._stopping.heeded():
            self._note("working", changed=True)
            while True:
                self._reap()
                self._stopping.look()
                self._try_again(self._requests.look())
                if self._notices is not None:
                    self._notices.look(self._record.state.id)
                if not self._stopping.asked:
                    self._lack = self._room.lacking()
                    if not self._lack and not self._requests.why_waiting:
                        self._assign()
                elif self._stopping.at_once:
                    self._end_slots()
                if not self._busy() and (self._stopping.asked or not len(self._queue)):
                    self._try_again(self._requests.look(at_once=True))  # what was asked since it last looked
                    if self._stopping.asked or not len(self._queue):
                        break
                at_work = self._busy() and not self._requests.why_waiting
                self._note("stopping" if self._stopping.asked else "working" if at_work else "paused")
                self._wait()
            self._close_slots()
        self._end.stopped, self._end.left = self._stopping.asked, self._end.left + len(self._queue)
        self._note("ended", changed=True)
        if self._notices is not None:
            self._notices.end(self._record.state.id, stopped=bool(self._end.stopped))
        return self._end

    # slots

    def _busy(self) -> bool:
        return any(slot.order for slot in self._slots)

    def _isolated(self) -> bool:
        """Whether a run is under way beside which nothing may begin."""
        return any(slot.isolates(self._work) for slot in self._slots)

    def _assign(self) -> None:
        """Give idle slots work, and fork slots where there is work for more."""
        while not self._isolated():
            idle = next((slot for slot in self._slots if slot.order is None), None)
            if idle is None and (len(self._slots) >= self._jobs or time.monotonic() < self._fork_after_s):
                return
            number = self._queue.next(idle=not self._busy())
            if number is None:
                return
            slot = idle or self._fork()
            if slot is None:
                self._queue.put_back(number)
                return
            may_retry = self._retries.wait_s(self._failures[number] + 1) is not None
            isolated = self._queue.isolated(number)
            attempt, limit, alone = self._attempts[number] + 1, self._requests.limit, isolated or self._jobs == 1
            order = PieceOrder(number, self._pieces[number], attempt, may_retry, alone, limit)
            slot.give(order, self._work, isolated=isolated)

    def _fork(self) -> SlotProcess | None:
        """Another slot; None where the machine has no process to spare, for a while."""
        try:
            slot = fork_slot(self._work)
        except OSError as error:
            self._fork_after_s = time.monotonic() + FORK_AGAIN_S
            self._say(f"warning: no process can be started ({error.strerror}); trying again in {FORK_AGAIN_S:g} s")
            return None
        self._slots.append(slot)
        return slot

    def _reap(self) -> None:
        """Take up what slots answered, and what became of those that ended."""
        for slot in list(self._slots):
            self._take_answers(slot)
            pid, status = os.waitpid(slot.pid, os.WNOHANG)
            if pid:
                self._take_answers(slot)  # what it answered last
                slot.orders.close()
                self._slots.remove(slot)
                self._died(slot, status)

    def _take_answers(self, slot: SlotProcess) -> None:
        with suppress(EOFError, OSError):
            while slot.orders.poll():
                self._answered(slot, slot.orders.recv())

    def _died(self, slot: SlotProcess, status: int) -> None:
        order = slot.order
        if order is None:
            return
        if self._stopping.at_once:
            self._queue.put_back(order.number)
            return
        if not slot.begun:
            self._dead_at_start.add(order.number)
            if len(self._dead_at_start) >= _DEAD_AT_START:
                self._queue.put_back(order.number)
                self._stopping.ask(f"{_DEAD_AT_START} processes in a row ended before they began: {ending(status)}")
                return
        wait_s = 0.0 if slot.begun else _BEGIN_AGAIN_S * 2 ** min(5, self._attempts[order.number])
        self._queue.put_back(order.number, wait_s)
        self._attempts[order.number] += 1
        told = self._losses.note(self._record.state, order, status, begun=slot.begun)
        self._record.ended(told.attempts)
        self._say(told.text)
        if told.apart:
            self._divide(order.number, told.apart)
        elif told.set_aside:
            self._queue.drop([order.number])
            self._end.failed += len(told.set_aside)
            self._unfinished |= {report.run_id: (order.number, "failed") for report in told.set_aside}
            self._tell(told.set_aside)

    def _divide(self, number: int, apart: Sequence[Piece]) -> None:
        """Begin the runs of a chunk one by one."""
        self._queue.drop([number])
        first = len(self._pieces)
        self._pieces += apart
        for each in range(first, len(self._pieces)):
            self._queue.put_back(each)

    # answers

    def _answered(self, slot: SlotProcess, answer: PieceAnswer) -> None:
        order = slot.order
        if order is None:
            return
        if answer.outcome == "begun":
            slot.begun, slot.order = True, replace(order, attempt=answer.attempt)
            self._dead_at_start.clear()
            slot.watched = None if order.piece.virtual else Watched(self._work.runs[order.piece.numbers[0]])
            self._note("working", changed=not order.piece.virtual)
            return
        slot.order, slot.begun, slot.watched = None, False, None
        if answer.outcome == "held":
            self._queue.put_back(order.number, HELD_AGAIN_S)
        elif answer.outcome == "unfit":
            self._leave(order, answer.why)
        elif answer.outcome == "doubtful" and len(order.piece.numbers) > 1:
            self._divide(order.number, one_by_one(order.piece, self._work.runs))
        elif answer.outcome == "doubtful":
            self._say(f"{order.piece.name}: workers may have ended by it; it comes last, with nothing else under way")
            self._queue.isolate(order.number)
        else:
            self._attempts[order.number] += 1
            self._record.ended(answer.attempts)
            self._ended(order, answer.reports)

    def _leave(self, order: PieceOrder, why: str) -> None:
        """Leave a piece to others, and all others that this machine can't carry out for the same reason."""
        runs, like = self._work.runs, self._work.runs[order.piece.numbers[0]]

        def alike(piece: Piece) -> bool:
            run = runs[piece.numbers[0]]
            return run.settings is like.settings and run.task == like.task

        numbers = [n for n in self._queue.numbers if alike(self._pieces[n])]
        self._queue.drop(numbers)
        left = [order.piece, *(self._pieces[n] for n in numbers)]
        if why not in self._end.unfit:
            self._say(f"left to other machines: {like.key.cell} on {like.key.task} and what is like it: {why}")
        ids = [runs[n].key.id for piece in left for n in piece.numbers]
        self._end.unfit[why] += len(ids)
        self._record.leaves(why, ids)

    def _ended(self, order: PieceOrder, reports: Sequence[RunReport]) -> None:
        """Runs ended: some are told of, some are tried again."""
        told = []
        again_s: float | None = None
        interrupted = False
        for report in reports:
            if report.status == "lost":
                again_s = HELD_AGAIN_S
                if self._stop_when_lost:
                    self._say(f"stopping: {report.reason}")
                    self._stopping.ask("a lease was lost")
            elif report.status == "interrupted":
                interrupted = True
                told.append(report)
            elif report.disk_full and self._is_full():
                again_s = 0.0
            elif report.status == "failed" and report.error_class == "transient" and order.may_retry:
                self._failures[order.number] += 1
                again_s = self._retries.wait_s(self._failures[order.number]) or 0.0
                self._say(f"{report.run_id}: {report.reason}; tried again in {again_s:g} s")
            else:
                self._end.failed += report.status == "failed"
                self._end.unpaid += report.status == "unpaid"
                if report.status in ("failed", "unpaid"):
                    self._unfinished[report.run_id] = order.number, report.status
                if report.status == "unpaid":
                    self._requests.unpaid(report.run_id, order.limit)
                told.append(report)
        if again_s is not None:
            self._queue.put_back(order.number, again_s)
        elif interrupted:
            self._end.left += 1
        self._tell(told)

    def _is_full(self) -> bool:
        """Whether it is the study's own disk that was full, so that nothing helps but room on it."""
        here = self._room.was_full()
        self._lack = self._room.lacking()
        return here

    def _try_again(self, run_ids: Sequence[str]) -> None:
        """Let runs that failed here be begun again, as the user asked."""
        numbers = set()
        for run_id in run_ids:
            number, status = self._unfinished.pop(run_id, (-1, ""))
            self._end.failed -= status == "failed"
            self._end.unpaid -= status == "unpaid"
            numbers |= {number} - {-1}
        for number in numbers:
            self._failures.pop(number, None)
            self._losses.forget(self._work.runs[n].key.id for n in self._pieces[number].numbers)
            self._queue.put_back(number)

    # its own state

    def _note(self, activity: WorkerActivity, *, changed: bool = False) -> None:
        due = changed or self._record.due_s() <= 0.0
        states = []
        for slot in self._slots:
            if slot.order is None or not slot.begun:
                states.append(SlotState())
                continue
            if due and slot.watched is not None:
                slot.watched.poll()
            steps = 0 if slot.watched is None else slot.watched.steps
            run_id = self._work.runs[slot.order.piece.numbers[0]].key.id
            states.append(SlotState(run_id, slot.since_s, steps, slot.order.attempt))
        why = self._stopping.asked
        if activity == "paused":
            others = f"other processes have what is left, or it is tried again later ({len(self._queue)})"
            why = self._lack or self._requests.why_waiting or others
        self._record.now(states, activity, why, changed=changed)

    def _wait(self) -> None:
        timeout_s = min(LOOK_S, self._record.due_s() + 0.01)
        queue_s = self._queue.wait_s()
        room = len(self._slots) < self._jobs or any(slot.order is None for slot in self._slots)
        held_back = self._lack or self._requests.why_waiting or self._stopping.asked or self._isolated()
        if queue_s is not None and room and not held_back:
            timeout_s = min(timeout_s, max(queue_s, self._fork_after_s - time.monotonic(), 0.0))
        wait([*(slot.orders for slot in self._slots), self._stopping.wakes], timeout_s)

    # ends

    def _end_slots(self) -> None:
        """Have the slots end at once, in order; those that do not are killed."""
        now = time.monotonic()
        signum: int = STOP_NOW
        if self._kill_after_s is None:
            self._kill_after_s = now + CLOSING_S
        elif now >= self._kill_after_s:
            signum = 9
        else:
            return
        for slot in self._slots:
            with suppress(ProcessLookupError):
                os.kill(slot.pid, signum)

    def _close_slots(self) -> None:
        """Let idle slots end, once they have closed what they have open."""
        for slot in self._slots:
            with suppress(OSError):
                slot.orders.send(None)
        until_s = time.monotonic() + CLOSING_S
        while self._slots:
            self._reap()
            self._stopping.look()
            if self._stopping.at_once or time.monotonic() >= until_s:
                self._end_slots()
            if self._slots:
                wait([*(slot.orders for slot in self._slots), self._stopping.wakes], 0.2)
