"""What a tree of processes uses: memory, tasks, disk. Read from /proc by its supervisor. Standard library only."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import time
from collections.abc import Callable

from . import files

PAGE = os.sysconf("SC_PAGESIZE")
MAX_DEPTH = 128
KILL_AGAIN_S = 0.001
"""Killed processes take about so long to end."""
_REMOVED = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)
"""Meanwhile, by the program."""


class TooDeep(Exception):
    """A tree of folders that is deeper than MAX_DEPTH."""


class Hidden(Exception):
    """A folder that can't be listed or searched, even by its owner."""


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

    It goes down from descriptor to descriptor, so no path gets too long. A folder that was closed is opened up.

    Raises:
        TooDeep: the tree is deeper than MAX_DEPTH.
        Hidden: a folder in it can't be listed or searched.
    """
    return _below(root, None, 0)


def _below(name: str, parent: int | None, depth: int) -> tuple[int, int]:
    if depth > MAX_DEPTH:
        raise TooDeep
    try:
        try:
            return _inside(name, parent, depth)
        except PermissionError:
            if parent is not None:
                os.fchmod(parent, 0o700)  # it was open when it was listed
            files.open_up(name, parent)
            return _inside(name, parent, depth)
    except PermissionError as error:
        raise Hidden from error
    except OSError as error:
        if error.errno not in _REMOVED:
            raise
        return 0, 0


def _inside(name: str, parent: int | None, depth: int) -> tuple[int, int]:
    total = entries = 0
    folders = []
    fd = os.open(name, files.FOLDER, dir_fd=parent)
    try:
        with os.scandir(fd) as listing:
            for entry in listing:
                entries += 1
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError as error:
                    if error.errno not in _REMOVED:
                        raise
                    continue
                if stat.S_ISDIR(status.st_mode):
                    folders.append(entry.name)
                total += status.st_blocks * 512
        for folder in folders:
            more = _below(folder, fd, depth + 1)
            total, entries = total + more[0], entries + more[1]
    finally:
        os.close(fd)
    return total, entries


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
