"""Small jobs that threads hand in one by one, and that one thread does together.

Where many threads ask one database, each of them would wait for its lock, and for the interpreter at every statement.
Here what has been handed in meanwhile is done in one go: the busier the threads are, the more go together. The thread
that does it receives no signals, so that Ctrl-C never leaves a job half done.
"""

from __future__ import annotations

import atexit
import copy
import os
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Job = TypeVar("Job")

IDLE_S = 1.0
"""After so long without a job the thread ends; the next job starts another one."""

FINISH_S = 5.0
"""The end of the process waits so long for what has been handed in."""


class Combining(Generic[Job]):
    """Has jobs done, several together. Nothing is started before the first one.

    Args:
        work: does jobs, in the order in which they were handed in; never called by two threads at once.
    """

    def __init__(self, work: Callable[[Sequence[Job]], None]) -> None:
        self._work = work
        self._handed_in: SimpleQueue[_Entry[Job]] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def do(self, job: Job) -> None:
        """Have a job done, and come back when it is; a thread that is interrupted here leaves it to be done.

        Raises:
            Exception: what `work` raised when this job was among its own.
        """
        entry = _Entry(job)
        self._put(entry)
        entry.wait()
        if entry.error is not None:
            raise copy.copy(entry.error) from entry.error  # other threads raise it too

    def hand_in(self, job: Job) -> None:
        """Have a job done soon; no error of it is heard of."""
        self._put(_Entry(job))

    def finish(self, longest_s: float | None = None) -> None:
        """Wait until all is done that has been handed in before."""
        if self._thread is not None:
            last: _Entry[Job] = _Entry(None)
            self._put(last)
            last.wait(longest_s)

    def _put(self, entry: _Entry[Job]) -> None:
        self._handed_in.put(entry)
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
            while entries := self._next():
                self._do(entries)
        finally:
            atexit.unregister(finish)

    def _next(self) -> list[_Entry[Job]]:
        """What has been handed in; empty: nothing for long, and this thread is to end."""
        entries: list[_Entry[Job]] = []
        while not entries:
            try:
                entries.append(self._handed_in.get(timeout=IDLE_S))
            except Empty:
                with self._starting:
                    if self._handed_in.empty():
                        self._thread = None
                        return []
        while True:
            try:
                entries.append(self._handed_in.get_nowait())
            except Empty:
                return entries

    def _do(self, entries: list[_Entry[Job]]) -> None:
        jobs = [entry.job for entry in entries if entry.job is not None]
        error: BaseException | None = None
        try:
            if jobs:
                self._work(jobs)
        except BaseException as raised:  # whoever waits raises it
            error = raised
        for entry in entries:
            entry.end(error)


class _Entry(Generic[Job]):
    """A job, and what its thread waits for."""

    __slots__ = ("_ended", "error", "job")

    def __init__(self, job: Job | None) -> None:
        self.job = job
        self.error: BaseException | None = None
        self._ended = threading.Lock()
        self._ended.acquire()

    def wait(self, longest_s: float | None = None) -> None:
        self._ended.acquire(timeout=-1 if longest_s is None else longest_s)

    def end(self, error: BaseException | None) -> None:
        self.error = error
        self._ended.release()
