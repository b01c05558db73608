"""What a tree of processes uses: memory, tasks, disk. Read from /proc by its supervisor. Standard library only."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import time
from collections.abc import Callable

PAGE = os.sysconf("SC_PAGESIZE")
MAX_DEPTH = 128
KILL_AGAIN_S = 0.001
"""Killed processes take about so long to end."""


class TooDeep(Exception):
    """A tree of folders that is deeper than MAX_DEPTH."""


class Hidden(Exception):
    """A folder that can't be listed, even by its owner."""


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                found += [int(word) for word in file.read().split()]
    except OSError:
        pass  # it ended meanwhile
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


def _resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm", "rb") as file:
        return int(file.read().split()[1]) * PAGE


def _proportional(pid: int) -> int:
    """Resident memory where a page shared by n processes counts 1/n."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except PermissionError:
        return _resident(pid)  # it runs a program that it may not read
    return 0


def memory(pids: list[int], limit: int) -> int:
    """Memory of the tree in bytes.

    The sum of resident sets counts pages that a fork shares once for each process; the exact sum costs more, so it
    is taken only where the cheap one comes near the limit.
    """
    total = resident(pids)
    if total > limit * 0.8:
        exact = _sum(_proportional, pids)
        return exact or total
    return total


def resident(pids: list[int]) -> int:
    """Sum of the resident sets in bytes: what processes share counts once for each."""
    return _sum(_resident, pids)


def shared(pid: int) -> int:
    """Bytes of a process' resident set that other processes hold too."""
    try:
        return max(0, _resident(pid) - _proportional(pid))
    except OSError:
        return 0


def _sum(of: Callable[[int], int], pids: list[int]) -> int:
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += of(pid)
    return total


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


def disk(root: str) -> tuple[int, int]:
    """(bytes, entries) below a folder: blocks in use, links not followed.

    Raises:
        TooDeep: the tree is deeper than MAX_DEPTH.
        Hidden: a folder in it can't be listed.
    """
    total = entries = 0
    pending = [(root, 0)]
    closed: set[str] = set()
    while pending:
        folder, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise TooDeep
        try:
            with os.scandir(folder) as listing:
                for entry in listing:
                    entries += 1
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue
                    if stat.S_ISDIR(status.st_mode):
                        pending.append((entry.path, depth + 1))
                    total += status.st_blocks * 512
        except PermissionError as error:
            if folder in closed:
                raise Hidden from error
            closed.add(folder)
            with contextlib.suppress(OSError):
                _open_up(folder)
            pending.append((folder, depth))
        except OSError:
            continue  # removed meanwhile
    return total, entries


def _open_up(folder: str) -> None:
    """Make a folder listable that its owner, who runs this, has closed."""
    fd = os.open(folder, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chmod(f"/proc/self/fd/{fd}", 0o700)
    finally:
        os.close(fd)


def deleted_files(pids: list[int]) -> int:
    """Bytes of regular files that processes hold open and that have no name any more."""
    total = 0
    seen: set[tuple[int, int]] = set()
    for pid in pids:
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in names:
            try:
                status = os.stat(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 0 and (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                total += status.st_blocks * 512
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
