"""Small jobs that threads hand in one by one, and that are done together, by one thread at a time.

Where many threads ask one database, each of them would wait for its lock, and for the interpreter at every statement.
Here what has been handed in meanwhile is done in one go: the busier the threads are, the more go together. A thread
that finds nobody at work does its own job, and those of others with it; all else is done by a thread of ours. The main
thread never works, so that Ctrl-C, which Python raises there, leaves no job half done.

Source of the idea: Hendler, Incze, Shavit, Tzafrir, "Flat combining and the synchronization-parallelism tradeoff", SPAA
2010.
"""

from __future__ import annotations

import atexit
import copy
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

J = TypeVar("J")

IDLE_S = 1.0
"""After so long without a job the thread ends; the next job starts another one."""

FINISH_S = 5.0
"""The end of the process waits so long for what has been handed in."""


class Combining(Generic[J]):
    """Has jobs done, several together. Nothing is started before the first one.

    Args:
        work: does jobs, in the order in which they were handed in; never called by two threads at once.
    """

    def __init__(self, work: Callable[[Sequence[J]], None]) -> None:
        self._work = work
        self._handed_in: deque[_Entry[J]] = deque()
        self._at_work = threading.Lock()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def do(self, job: J) -> None:
        """Have a job done, and come back when it is; a thread that is interrupted here leaves it to be done.

        Raises:
            Exception: what `work` raised when this job was among its own.
        """
        entry = _Entry(job)
        self._handed_in.append(entry)
        if threading.current_thread() is not threading.main_thread() and self._at_work.acquire(blocking=False):
            try:
                self._do_all()
            finally:
                self._at_work.release()
        else:
            self._ring()
        entry.wait()
        if entry.error is not None:
            raise copy.copy(entry.error) from entry.error  # other threads raise it too

    def hand_in(self, job: J) -> None:
        """Have a job done soon, by another thread; no error of it is heard of."""
        self._handed_in.append(_Entry(job))
        self._ring()

    def finish(self, longest_s: float | None = None) -> None:
        """Wait until all is done that has been handed in before."""
        if self._handed_in or self._at_work.locked():
            last: _Entry[J] = _Entry(None)
            self._handed_in.append(last)
            self._ring()
            last.wait(longest_s)

    def _ring(self) -> None:
        """Have our thread look, once whoever is at work has ended."""
        self._bell.put(None)
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._serve, name="mlesearch-jobs", daemon=True)
                self._thread.start()

    def _serve(self) -> None:
        pid = os.getpid()

        def finish() -> None:
            if os.getpid() == pid:  # a forked child has nothing to finish
                self.finish(FINISH_S)

        atexit.register(finish)
        try:
            while self._rung():
                with self._at_work:
                    self._do_all()
        finally:
            atexit.unregister(finish)

    def _rung(self) -> bool:
        """Wait for the bell; False: it was silent for long, and this thread is to end."""
        while True:
            try:
                self._bell.get(timeout=IDLE_S)
            except Empty:
                with self._starting:
                    if self._bell.empty():
                        self._thread = None
                        return False
            else:
                return True

    def _do_all(self) -> None:
        """Do what has been handed in; of the threads that call it, one at a time."""
        entries = [self._handed_in.popleft() for _ in range(len(self._handed_in))]
        jobs = [entry.job for entry in entries if entry.job is not None]
        error: BaseException | None = None
        try:
            if jobs:
                self._work(jobs)
        except BaseException as raised:  # whoever waits raises it
            error = raised
        for entry in entries:
            entry.end(error)


class _Entry(Generic[J]):
    """A job, and what its thread waits for."""

    __slots__ = ("_ended", "error", "job")

    def __init__(self, job: J | None) -> None:
        self.job = job
        self.error: BaseException | None = None
        self._ended = threading.Lock()
        self._ended.acquire()

    def wait(self, longest_s: float | None = None) -> None:
        self._ended.acquire(timeout=-1 if longest_s is None else longest_s)

    def end(self, error: BaseException | None) -> None:
        self.error = error
        self._ended.release()
