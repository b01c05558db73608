"""The processes below one: which there are, and their end. Standard library only."""

from __future__ import annotations

import contextlib
import os
import signal
import time

KILL_AGAIN_S = 0.001
"""Killed processes take about so long to end."""


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):  # the process has ended meanwhile
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                found += [int(word) for word in file.read().split()]  # unless this thread has
    return found


def _children_by_scan(pid: int) -> list[int]:
    """For kernels without the `children` file."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    if int(file.read().rpartition(b")")[2].split()[1]) == pid:
                        found.append(int(name))
            except OSError:
                pass
    return found


def children(pid: int) -> list[int]:
    """Pids of the direct children, zombies included."""
    return _children(pid) if os.path.exists(f"/proc/{pid}/task/{pid}/children") else _children_by_scan(pid)


def living(pids: list[int]) -> list[int]:
    """Those that are no zombies."""
    found = []
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                if file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X"):
                    found.append(pid)
        except OSError:
            pass
    return found


def descendants(root: int) -> list[int]:
    """Pids of all processes below `root`, zombies included, parents before children."""
    found = children(root)
    seen = set(found)
    for pid in found:  # grows while it is walked
        for child in children(pid):
            if child not in seen:
                seen.add(child)
                found.append(child)
    return found


def tasks(pids: list[int]) -> int:
    """Processes and threads in the tree; a zombie counts as one."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                total += int(file.read().rpartition(b")")[2].split()[17])
        except OSError:
            pass
    return total


def kill(pids: list[int]) -> None:
    """Kill them; one that has ended already, or that may not be killed, is passed over."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def kill_all(root: int) -> None:
    """Kill and reap all below `root` (the calling process, a subreaper), until nothing is left.

    A listed process may start another before it is killed, so the tree is listed again for as long as there is one.
    """
    while True:
        kill(descendants(root))
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(KILL_AGAIN_S)
