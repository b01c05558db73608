"""Small jobs that threads hand in one by one, and that one of them does for all: flat combining.

Where many threads ask one database, each of them would wait for its lock, and for the interpreter at every statement.
Here the first that comes does what all have handed in meanwhile, in one go; the busier they are, the more go together.

Source: Hendler, Incze, Shavit, Tzafrir, "Flat combining and the synchronization-parallelism tradeoff", SPAA 2010.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Job = TypeVar("Job")


class Combining(Generic[Job]):
    """Has jobs done, several together.

    Args:
        work: does jobs, in the order in which they were handed in; never called by two threads at once.
    """

    def __init__(self, work: Callable[[Sequence[Job]], None]) -> None:
        self._work = work
        self._handed_in: deque[_Entry[Job]] = deque()
        self._at_work = threading.Lock()

    def do(self, job: Job) -> None:
        """Have a job done, and come back when it is.

        A thread that is interrupted here (Ctrl-C) may leave its job to the others.

        Raises:
            Exception: what `work` raised when this job was among its own.
        """
        entry = _Entry(job, waits=True)
        self._handed_in.append(entry)
        try:
            while not entry.done:
                if self._at_work.acquire(blocking=False):
                    self._work_once(entry)
                    self._hand_over()
                else:
                    entry.wait()
        except BaseException:
            entry.waits = False
            self._hand_over()
            raise
        if entry.error is not None:
            raise entry.error

    def hand_in(self, job: Job) -> None:
        """Have a job done: here if nobody is at work, else soon, by whoever is; no error of it is heard of."""
        self._handed_in.append(_Entry(job, waits=False))
        self._hand_over()

    def _hand_over(self) -> None:
        """See that somebody does what has been handed in, and not this thread while others wait for something."""
        while handed_in := list(self._handed_in):
            waiting = next((entry for entry in handed_in if entry.waits), None)
            if waiting is not None:
                waiting.wake()
                return
            if not self._at_work.acquire(blocking=False):
                return  # whoever is at work looks here afterwards
            self._work_once(None)

    def _work_once(self, own: _Entry[Job] | None) -> None:
        """Do what has been handed in, and give up the work."""
        entries = [self._handed_in.popleft() for _ in range(len(self._handed_in))]
        try:
            self._do(entries)
        except BaseException:  # this thread is interrupted: that ends its own job alone
            self._handed_in.extendleft(entry for entry in reversed(entries) if entry is not own)
            self._at_work.release()
            raise
        self._at_work.release()
        for entry in entries:
            if entry is not own:
                entry.wake()

    def _do(self, entries: list[_Entry[Job]]) -> None:
        error: Exception | None = None
        try:
            if entries:
                self._work([entry.job for entry in entries])
        except Exception as raised:
            error = raised
        for entry in entries:
            entry.error, entry.done = error, True


class _Entry(Generic[Job]):
    """A job and the thread that waits for it, if one does."""

    __slots__ = ("_woken", "done", "error", "job", "waits")

    def __init__(self, job: Job, *, waits: bool) -> None:
        self.job = job
        self.waits = waits
        self.done = False
        self.error: Exception | None = None
        self._woken = threading.Lock()
        self._woken.acquire()

    def wait(self) -> None:
        """Until it is done, or somebody has to do it."""
        self._woken.acquire()

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # it was woken already and has not run since
            self._woken.release()
