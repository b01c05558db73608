"""The interpreter of a rung as the judge of programs' syntax, where it is another one than the harness'.

A process with that interpreter is started with the first program and asked once a program; what it says is kept. It
compiles and runs nothing. One that dies is started anew; a program at which it dies twice is no program.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any, Protocol

from mlesearch.sandbox.inside import messages
from mlesearch.sandbox.results import report
from mlesearch.types import SandboxUnavailable, printable

TIMEOUT_S = 30.0
"""For one program; a compiler that takes longer counts as dead."""

_TRIES = 2
_KEPT = 4096


class Helper(Protocol):
    """A started process that runs `inside/compiler.py`."""

    conn: Any

    def end(self) -> None:
        """Kill and forget it; more than once does no harm."""
        ...


class Compiler:
    """Asks the interpreter of a rung; one for a process, usable from several threads.

    Args:
        start: starts the process.
    """

    def __init__(self, start: Callable[[], Helper]) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._helper: Helper | None = None
        self._said: dict[str, str] = {}

    def fault(self, program: str) -> str:
        """Why that interpreter does not compile a program, in one line; empty where it does.

        Raises:
            SandboxUnavailable: it can't be started.
        """
        if os.getpid() != self._pid:  # a fork: the helper is the parent's, and so may be the lock
            self._lock, self._pid, self._helper = threading.Lock(), os.getpid(), None
        with self._lock:
            if program not in self._said:
                if len(self._said) >= _KEPT:
                    self._said.clear()
                self._said[program] = self._asked(program)
            return self._said[program]

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _asked(self, program: str) -> str:
        for _ in range(_TRIES):
            if self._helper is None:
                self._helper = self._start()
            conn = self._helper.conn
            with contextlib.suppress(OSError):
                messages.send(conn, {"program": program})
                said = report.hear(conn, TIMEOUT_S)
                if said is not None:
                    return printable(str(said["fault"]))
            self._end()
        return "an unknown line: the interpreter fails to compile it"

    def _end(self) -> None:
        helper, self._helper = self._helper, None
        if helper is not None and os.getpid() == self._pid:
            with contextlib.suppress(SandboxUnavailable, OSError):
                helper.end()
