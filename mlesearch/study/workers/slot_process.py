"""A slot of a worker as its supervisor has it: a fork, what it was given, and whether anything may begin beside it."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from mlesearch.storage.journal import JOURNAL, whole_bytes
from mlesearch.study.monitoring.watching import Watched
from mlesearch.study.workers.slots import PieceOrder, SharedWork, serve


@dataclass(slots=True)
class SlotProcess:
    """A slot as its supervisor has it.

    Attributes:
        pid: of the process.
        orders: to it; its answers come back.
        order: what it was given and has not answered for; None: it waits.
        begun: whether it has begun that.
        since_s: when it was given that, seconds since 1970.
        watched: the run's journal, once it is begun.
        isolated_at: nothing else begins while the run's journal is no longer than so many bytes; None: others may.
    """

    pid: int
    orders: Connection
    order: PieceOrder | None = None
    begun: bool = False
    since_s: float = 0.0
    watched: Watched | None = None
    isolated_at: int | None = None

    def give(self, order: PieceOrder, work: SharedWork, *, isolated: bool) -> None:
        """Give it a piece to carry out.

        Args:
            order: to carry it out.
            work: of the worker.
            isolated: nothing else is to begin before the piece has got further.
        """
        self.order, self.begun, self.since_s, self.watched = order, False, time.time(), None
        self.isolated_at = _how_far(order, work) if isolated else None
        with suppress(OSError):  # it is dead, as will be seen
            self.orders.send(order)

    def isolates(self, work: SharedWork) -> bool:
        """Whether nothing else may begin beside what it carries out."""
        if self.order is None or self.isolated_at is None:
            return False
        if _how_far(self.order, work) > self.isolated_at:
            self.isolated_at = None
        return self.isolated_at is not None


def fork_slot(work: SharedWork) -> SlotProcess:
    """Make a slot, a fork of this process.

    Raises:
        OSError: the machine has no process to spare.
    """
    ours, theirs = Pipe()
    supervisor = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        raise
    if pid == 0:
        ours.close()
        serve(theirs, work, supervisor)
    theirs.close()
    return SlotProcess(pid, ours)


def _how_far(order: PieceOrder, work: SharedWork) -> int:
    """How far the run of a piece has got; one on a virtual clock is whole or nothing."""
    with suppress(OSError):
        return whole_bytes(work.runs[order.piece.numbers[0]].folder / JOURNAL)
    return 0
