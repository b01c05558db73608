"""Who carries out the blocking work of a run: one piece of work a worker, real (inline or threads) or virtual.

The engine hands a worker one piece of work at a time and asks for the next that is done. The optimizer and the
journal are touched by the engine's thread alone; workers only call models, embedders and sandboxes.
"""

from __future__ import annotations

import heapq
import queue
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

R = TypeVar("R")
"""What work ends with."""


@dataclass(frozen=True, slots=True)
class Done(Generic[R]):
    """Finished work of one worker: its result, or the exception that ended it (then there is no result)."""

    worker: int
    result: R | None = None
    error: BaseException | None = None


class Workers(Protocol[R]):
    """At most one piece of blocking work per worker at a time."""

    def submit(self, worker: int, work: Callable[[], R], order: tuple[int, int]) -> None:
        """Start work; `order` (proposal, stage) breaks ties between works that end at the same moment."""
        ...

    def next(self) -> Done[R]:
        """Wait for the next finished work."""
        ...

    def close(self) -> None:
        """Give threads back."""
        ...


def _perform(worker: int, work: Callable[[], R]) -> Done[R]:
    try:
        return Done(worker, work())
    except BaseException as e:
        return Done(worker, None, e)


class InlineWorkers(Generic[R]):
    """One worker, in the engine's own thread."""

    def __init__(self) -> None:
        self._waiting: tuple[int, Callable[[], R]] | None = None

    def submit(self, worker: int, work: Callable[[], R], order: tuple[int, int]) -> None:
        """Keep it until `next`."""
        self._waiting = (worker, work)

    def next(self) -> Done[R]:
        """Do it now."""
        if self._waiting is None:
            raise RuntimeError("no work was submitted")
        worker, work = self._waiting
        self._waiting = None
        return _perform(worker, work)

    def close(self) -> None:
        """Nothing to give back."""


class ThreadWorkers(Generic[R]):
    """Several workers, a thread each; results come in the order of completion."""

    def __init__(self, workers: int) -> None:
        """Start the threads."""
        self._done: queue.SimpleQueue[Done[R]] = queue.SimpleQueue()
        self._inbox: list[queue.SimpleQueue[Callable[[], R] | None]] = [queue.SimpleQueue() for _ in range(workers)]
        self._threads = [
            threading.Thread(target=self._serve, args=(w,), daemon=True, name=f"mlesearch-worker-{w}")
            for w in range(workers)
        ]
        for t in self._threads:
            t.start()

    def _serve(self, worker: int) -> None:
        while (work := self._inbox[worker].get()) is not None:
            self._done.put(_perform(worker, work))

    def submit(self, worker: int, work: Callable[[], R], order: tuple[int, int]) -> None:
        """Hand it to the worker's thread."""
        self._inbox[worker].put(work)

    def next(self) -> Done[R]:
        """Wait for whichever ends first."""
        return self._done.get()

    def close(self) -> None:
        """End the threads once their work is done."""
        for inbox in self._inbox:
            inbox.put(None)


class VirtualWorkers(Generic[R]):
    """Several workers on a virtual clock: work is done at once, its end is an event at its charged time.

    Results come in the order of (charged end, proposal, stage), so that a run with simulated durations is the same
    at any number of processors.
    """

    def __init__(self, now_us: Callable[[int], int], duration_us: Callable[[R], int]) -> None:
        """Use the engine's timelines.

        Args:
            now_us: where a worker's timeline stands.
            duration_us: what a result charges.
        """
        self._now_us = now_us
        self._duration_us = duration_us
        self._events: list[tuple[int, tuple[int, int], Done[R]]] = []

    def submit(self, worker: int, work: Callable[[], R], order: tuple[int, int]) -> None:
        """Do it now; it counts as done at its virtual end."""
        done = _perform(worker, work)
        duration = 0 if done.result is None else self._duration_us(done.result)
        heapq.heappush(self._events, (self._now_us(worker) + duration, order, done))

    def next(self) -> Done[R]:
        """The event that is earliest on the virtual clock."""
        return heapq.heappop(self._events)[2]

    def close(self) -> None:
        """Nothing to give back."""


class FollowingWorkers(Generic[R]):
    """Several workers in the order of a recording: work is done when it is its turn to end, and nothing waits.

    After a failure it can't be followed: what is under way ends with the same failure, so that the run stops.
    """

    def __init__(self, whose: Callable[[Collection[int]], int]) -> None:
        """`whose` tells which of the workers whose work is under way ends next."""
        self._whose = whose
        self._waiting: dict[int, Callable[[], R]] = {}
        self._failure: BaseException | None = None

    def submit(self, worker: int, work: Callable[[], R], order: tuple[int, int]) -> None:
        """Keep it until its turn."""
        self._waiting[worker] = work

    def next(self) -> Done[R]:
        """Do the work that ended next in the recording."""
        if self._failure is not None:
            return Done(self._waiting.popitem()[0], None, self._failure)
        try:
            worker = self._whose(self._waiting)
        except Exception as error:
            self._failure = error
            raise
        done = _perform(worker, self._waiting.pop(worker))
        self._failure = done.error
        return done

    def close(self) -> None:
        """Nothing to give back."""
