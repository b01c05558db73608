"""Work on many items shared among forks of this process: for what is pure computation and gives back plain data.

A fork inherits all that is loaded and writes what it made into a pipe; this process does a share of its own meanwhile.
Nothing waits on a lock that another process holds, and a fork whose parent is gone ends at its next write. What a fork
could not give back, for whatever reason, is done here: the answer is the same, and an error is raised as if alone.
"""

from __future__ import annotations

import os
import pickle
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import TypeVar

from mlesearch.storage.machine import processors

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")

FEWEST = 200
"""Of fewer items no fork is made: that would take longer than it saves."""


def in_shares(work: Callable[[Sequence[_Item]], _Made], items: Sequence[_Item], most: int | None = None) -> list[_Made]:
    """What a function makes of some shares of the items, which together are all of them, each in the given order.

    Args:
        work: of one share; neither threads nor files that are open here may be used in it.
        items: to be shared.
        most: shares; None: one a processor, or one alone where there are few items or this process has threads.

    Raises:
        Exception: whatever `work` raises.
    """
    alone = len(items) < FEWEST or threading.active_count() > 1 or not hasattr(os, "fork")
    shares = most or (1 if alone else processors())
    parts = [items[i::shares] for i in range(shares)]
    forks: list[tuple[int, int]] = []
    try:
        for part in parts[1:]:
            forks.append(_fork(work, part, [fd for _, fd in forks]))
        made = [work(parts[0])]
        for part in parts[1:]:
            pid, fd = forks[0]
            data = _received(fd)
            forks.pop(0)
            os.waitpid(pid, 0)
            made.append(work(part) if data is None else pickle.loads(data))
        return made
    finally:
        for pid, fd in forks:
            os.close(fd)
            os.kill(pid, 9)
            os.waitpid(pid, 0)


def _fork(work: Callable[[Sequence[_Item]], _Made], part: Sequence[_Item], others: Sequence[int]) -> tuple[int, int]:
    """Begin a share in a fork; returns its process id and the pipe that its answer comes through."""
    reads, writes = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of numeric libraries, which no fork uses
        pid = os.fork()
    if pid:
        os.close(writes)
        return pid, reads
    try:
        for fd in (reads, *others):
            os.close(fd)
        with os.fdopen(writes, "wb") as pipe:
            pipe.write(pickle.dumps(work(part), pickle.HIGHEST_PROTOCOL) + _WHOLE)
    finally:
        os._exit(0)


_WHOLE = b"whole"
"""Behind an answer: without it the fork ended before it had one."""


def _received(fd: int) -> bytes | None:
    """All that a fork wrote; None where it is not whole."""
    with os.fdopen(fd, "rb") as pipe:
        data = pipe.read()
    return data.removesuffix(_WHOLE) if data.endswith(_WHOLE) else None
