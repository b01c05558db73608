"""One event loop on one background thread per process, for clients that keep their connections open.

A loop per call would leak a client and its descriptors each time. Nothing is started at import; a forked child
starts its own loop and never touches the one it inherited.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")

MAX_IN_FLIGHT = 64
GRACE_S = 2.0
CLOSE_S = 2.0
LONGEST_S = 1e6  # what threading and asyncio can wait for has an end

Closer = Callable[[], Awaitable[Any]]


class BackgroundLoop:
    """The loop and its thread. Use `background_loop()`, which keeps one per process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._slots: SimpleQueue[None] = SimpleQueue()  # of free ones: several times as quick as a semaphore
        for _ in range(MAX_IN_FLIGHT):
            self._slots.put(None)
        self._closers: list[Closer] = []
        self._thread = threading.Thread(target=self._serve, name="mlesearch-models", daemon=True)
        self._thread.start()

    def run(self, make: Callable[[], Coroutine[Any, Any, T]], *, limit_s: float, deadline_s: float) -> T:
        """Run one coroutine to its end, from any thread but the loop's own.

        The limits hold even if the coroutine ignores its cancellation.

        Args:
            make: makes the coroutine, on the loop.
            limit_s: for the coroutine alone.
            deadline_s: for waiting for a free slot and the coroutine together.

        Raises:
            TimeoutError: a limit was reached.
        """
        start = time.monotonic()
        deadline_s = min(deadline_s, LONGEST_S)
        try:
            self._slots.get(timeout=max(0.0, deadline_s))
        except Empty:
            raise TimeoutError from None
        limit_s = max(0.0, min(limit_s, deadline_s - (time.monotonic() - start)))
        running = _Running(make, limit_s, self._loop, self._free)
        try:
            self._loop.call_soon_threadsafe(running.start)
            return running.result(limit_s + GRACE_S)
        except BaseException:
            running.give_up()
            raise

    def _free(self) -> None:
        self._slots.put(None)

    def at_close(self, closer: Closer) -> None:
        """Have something closed, on the loop, when the process ends."""
        self._closers.append(closer)

    def close(self) -> None:
        """Close what was registered and stop the loop; bounded in time."""
        if not self._loop.is_running():
            return
        with contextlib.suppress(Exception):  # the process is ending: nothing can be done about a failed close
            asyncio.run_coroutine_threadsafe(self._shut_down(), self._loop).result(CLOSE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_S)

    async def _shut_down(self) -> None:
        for closer in self._closers:
            with contextlib.suppress(Exception):
                await closer()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


class _Running(Generic[T]):
    """A coroutine on the loop, and the thread that waits for it.

    Each step that may hand the interpreter from one thread to another costs more than all others together where many
    calls are in flight; `asyncio.run_coroutine_threadsafe` with `asyncio.timeout` takes three times as long as this.
    """

    def __init__(
        self,
        make: Callable[[], Coroutine[Any, Any, T]],
        limit_s: float,
        loop: asyncio.AbstractEventLoop,
        free: Callable[[], None],
    ) -> None:
        self._make = make
        self._limit_s = limit_s
        self._loop = loop
        self._free = [free]  # called by whoever comes first and takes it
        self._task: asyncio.Task[T] | None = None
        self._error: BaseException | None = None
        self._expired = False
        self._done = threading.Lock()
        self._done.acquire()

    def start(self) -> None:
        """On the loop."""
        try:
            self._task = self._loop.create_task(self._make())
        except BaseException as error:
            self._error = error
            self._end(None)
            return
        timer = self._loop.call_later(self._limit_s, self._expire)
        self._task.add_done_callback(lambda _task: self._end(timer))

    def result(self, longest_s: float) -> T:
        """On the thread that waits.

        Raises:
            TimeoutError: the coroutine was cut off, or has not even ended then.
        """
        if not self._done.acquire(timeout=longest_s):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        if self._task is None or (self._task.cancelled() and self._expired):
            raise TimeoutError
        if self._task.cancelled():
            raise CancelledError
        return self._task.result()

    def give_up(self) -> None:
        """On the thread that waited: its slot is free, even if the coroutine ignores its cancellation."""
        self._free_slot()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nothing runs on it
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _expire(self) -> None:
        self._expired = True
        self._cancel()

    def _end(self, timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
        self._free_slot()
        if self._task is not None and not self._task.cancelled():
            self._task.exception()  # else one that nobody waits for would be reported as never retrieved
        self._done.release()

    def _free_slot(self) -> None:
        with contextlib.suppress(IndexError):
            self._free.pop()()


class _Process:
    """What belongs to this process: replaced as a whole in a forked child."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.loop: BackgroundLoop | None = None


_process = _Process()
_inherited: list[_Process] = []  # kept for ever: collecting a parent's loop would touch descriptors it still uses
_hooked = False


def background_loop() -> BackgroundLoop:
    """This process's loop, started at the first call."""
    global _hooked  # noqa: PLW0603  one hook per interpreter, inherited by forks
    started = _process.loop
    if started is not None:
        return started
    with _process.lock:
        if _process.loop is None:
            _process.loop = BackgroundLoop()
            atexit.register(_process.loop.close)
            if not _hooked:
                _hooked = True
                os.register_at_fork(after_in_child=_forked)
        return _process.loop


def _forked() -> None:
    global _process  # noqa: PLW0603  the child's own; the parent's lock may be held for ever here
    if _process.loop is not None:
        atexit.unregister(_process.loop.close)
    _inherited.append(_process)
    _process = _Process()
