"""What a slot of a worker is given at a time: a run, or a chunk of runs on the virtual clock; and which one is next."""

from __future__ import annotations

import hashlib
import heapq
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlesearch.config.parts.virtual import is_virtual
from mlesearch.config.planning.plan import RunPlan
from mlesearch.study.runs.simulated import chunks
from mlesearch.study.work_list.rounds import in_rounds


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of work.

    Attributes:
        name: by which it is leased: the id of its run, or one that any launch of the same runs gives the chunk.
        numbers: of its runs, in the list that it is of.
        virtual: whether they are on a virtual clock.
    """

    name: str
    numbers: tuple[int, ...]
    virtual: bool


def pieces_of(runs: Sequence[RunPlan]) -> list[Piece]:
    """All pieces of a launch in the order in which they are begun.

    Runs on a virtual clock come first, in chunks of one cell each; then the others, round by round of seeds. The chunks
    depend on the launch alone, and not on what of it is done, so that two launches of the same have the same.
    """
    looked_up = [i for i, run in enumerate(runs) if is_virtual(run.settings)]
    found = []
    for places in chunks([runs[i] for i in looked_up]):
        numbers = tuple(looked_up[place] for place in places)
        digest = hashlib.sha256("\n".join(runs[i].key.id for i in numbers).encode()).hexdigest()[:16]
        found.append(Piece(f"{runs[numbers[0]].key.cell}/chunk-{digest}", numbers, virtual=True))
    others = [i for i, run in enumerate(runs) if not is_virtual(run.settings)]
    order = [others[at] for at in in_rounds([runs[i].key for i in others])]
    return found + [Piece(runs[i].key.id, (i,), virtual=False) for i in order]


def one_by_one(piece: Piece, runs: Sequence[RunPlan]) -> tuple[Piece, ...]:
    """The runs of a chunk as pieces of their own, since one of them may end its worker each time."""
    return tuple(Piece(runs[n].key.id, (n,), piece.virtual) for n in piece.numbers)


class PieceQueue:
    """The pieces that are left to begin: those that may be begun now, in their order, and those that wait.

    A piece that may have ended its workers comes after all that may be begun, when nothing else is under way: it ends
    no other run then, and no other run's end is taken for its own.
    """

    def __init__(self, numbers: Sequence[int], clock: Callable[[], float] = time.monotonic) -> None:
        """All of these numbers of pieces may be begun now."""
        self._ready = sorted(numbers)
        self._waiting: list[tuple[float, int]] = []
        self._last: list[int] = []
        self._isolated: set[int] = set()
        self._clock = clock

    def __len__(self) -> int:
        return len(self._ready) + len(self._waiting) + len(self._last)

    @property
    def numbers(self) -> list[int]:
        """All that are left."""
        return [*self._ready, *(number for _, number in self._waiting), *self._last]

    def next(self, *, idle: bool = False) -> int | None:
        """Take the first that may be begun now; None where there is none.

        Args:
            idle: whether nothing is under way.
        """
        now = self._clock()
        while self._waiting and self._waiting[0][0] <= now:
            number = heapq.heappop(self._waiting)[1]
            heapq.heappush(self._last if number in self._isolated else self._ready, number)
        if self._ready:
            return heapq.heappop(self._ready)
        return heapq.heappop(self._last) if idle and self._last else None

    def put_back(self, number: int, wait_s: float = 0.0) -> None:
        """Let a piece be begun (again), after a while."""
        heapq.heappush(self._waiting, (self._clock() + wait_s, number))

    def isolate(self, number: int) -> None:
        """Let a piece be begun when nothing else is under way, from now on."""
        self._isolated.add(number)
        self.put_back(number)

    def isolated(self, number: int) -> bool:
        """Whether nothing else may be under way with a piece."""
        return number in self._isolated

    def drop(self, numbers: Sequence[int]) -> int:
        """Leave pieces to others; returns how many of them were in here."""
        gone = set(numbers)
        before = len(self)
        self._ready = [number for number in self._ready if number not in gone]
        self._waiting = [entry for entry in self._waiting if entry[1] not in gone]
        self._last = [number for number in self._last if number not in gone]
        heapq.heapify(self._ready)
        heapq.heapify(self._waiting)
        heapq.heapify(self._last)
        return before - len(self)

    def wait_s(self) -> float | None:
        """Seconds until one may be begun; None where none is left, but those that come last."""
        if self._ready:
            return 0.0
        return max(0.0, self._waiting[0][0] - self._clock()) if self._waiting else None
