"""When a worker stops: asked by signals or a file, at the end of its time; what is in flight may end, for a while."""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STOP_NOW = signal.SIGRTMIN
"""Asks a worker or a slot to end at once, in order. Batch systems send the others to all processes of a job."""
BATCH_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Sent by batch systems and container engines, shortly before they kill."""
TERMINAL_SIGNALS = (signal.SIGINT, signal.SIGHUP)
_SAME_S = 1.0
"""Signals within so long of the first are one: some systems send them to a process more than once."""


def left_to_others(signums: Sequence[int]) -> dict[int, Any]:
    """Do nothing at these signals, since another process obeys them; returns what was done before.

    They are caught, and not ignored: what is ignored stays so in every program that this process starts.
    """
    found = [s for s in signums if signal.getsignal(s) is not signal.SIG_IGN or s != signal.SIGHUP]
    return {s: signal.signal(s, lambda signum, frame: None) for s in found}


class StopFlag:
    """Whether work is to stop, for a process and all of its forks."""

    def __init__(self) -> None:
        """It is not."""
        self._shared = mmap.mmap(-1, 1)

    def ask(self) -> None:
        """Nothing new is begun from now on."""
        self._shared[0] = 1

    def asked(self) -> bool:
        """Whether it is to stop."""
        return self._shared[0] != 0


class Stopping:
    """Of a worker: whether it is to stop, why, and whether what is in flight may still end.

    Attributes:
        asked: why it is to stop; empty: it is not.
        at_once: what is in flight is stopped too.
        wakes: a descriptor that can be read once there is something to look at.
    """

    def __init__(
        self,
        flag: StopFlag,
        stop_file: Path | None,
        grace_s: float,
        say: Callable[[str], None],
        *,
        for_s: float | None = None,
        leads: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nobody asked yet.

        Args:
            flag: which slots look at.
            stop_file: exists once the launch was asked to stop; None: there is no launch above this worker.
            grace_s: what is in flight may take so long once a batch system asks, seconds.
            say: is told that it stops.
            for_s: nothing is begun after so long; None: no limit.
            leads: whether signals of the terminal are for this process, and not for the launch that started it.
            clock: seconds.
        """
        self.asked, self.at_once = "", False
        self._flag, self._file, self._grace_s, self._say = flag, stop_file, grace_s, say
        self._leads, self._clock = leads, clock
        self._until_s = None if for_s is None else clock() + for_s
        self._ends_s: float | None = None
        self._asked_s = 0.0
        self._signals: list[int] = []
        self.wakes, self._wake = os.pipe()
        os.set_blocking(self.wakes, False)
        os.set_blocking(self._wake, False)

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Within it, signals are heeded; in the main thread alone."""
        own = [*BATCH_SIGNALS, STOP_NOW, *(TERMINAL_SIGNALS if self._leads else ())]
        own = [s for s in own if not (s == signal.SIGHUP and signal.getsignal(s) is signal.SIG_IGN)]  # as by nohup
        before: dict[int, Any] = {s: signal.signal(s, self._caught) for s in own}
        if not self._leads:
            before |= left_to_others(TERMINAL_SIGNALS)
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)  # wakes
        wakeup = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for signum, handler in before.items():
                signal.signal(signum, handler)
            os.close(self.wakes)
            os.close(self._wake)

    def _caught(self, signum: int, frame: object) -> None:
        self._signals.append(signum)

    def look(self) -> None:
        """Take up what happened since the last look."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self.wakes, 4096):
                pass
        while self._signals:
            self._signalled(self._signals.pop(0))
        if not self.asked:
            if self._flag.asked() or (self._file is not None and self._file.exists()):
                self.ask("the launch was asked to stop")
            elif self._until_s is not None and self._clock() >= self._until_s:
                self.ask("its time is over", self._grace_s)
        if self._ends_s is not None and self._clock() >= self._ends_s:
            self.at_once = True

    def _signalled(self, signum: int) -> None:
        name = signal.Signals(signum).name if signum != STOP_NOW else ""
        if signum == STOP_NOW or (self.asked and self._clock() - self._asked_s >= _SAME_S):
            self.ask(name or "the launch was asked to stop at once")
            self.at_once = True
        elif not self.asked and signum == signal.SIGINT:
            self._say("stopping: the proposals in flight finish first (Ctrl-C again stops at once)")
            self.ask(name)
        elif not self.asked:
            self._say(f"stopping ({name}): what is in flight may take {self._grace_s:g} s, then it is stopped")
            self.ask(name, self._grace_s)

    def ask(self, why: str, grace_s: float | None = None) -> None:
        """Let nothing new begin.

        Args:
            why: in words.
            grace_s: what is in flight may take so long, seconds; None: as long as it takes.
        """
        if not self.asked:
            self.asked, self._asked_s = why, self._clock()
        if grace_s is not None:
            self._ends_s = self._clock() + grace_s
        self._flag.ask()
