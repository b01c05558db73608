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


def _resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm", "rb") as file:
        return int(file.read().split()[1]) * PAGE


def _fields(pid: int, name: str, *keys: bytes) -> list[int]:
    """Some numbers in bytes of a file whose lines are `key: number kB`; 0 where one is missing."""
    found = dict.fromkeys(keys, 0)
    with open(f"/proc/{pid}/{name}", "rb") as file:
        for line in file:
            key, _, rest = line.partition(b":")
            if key in found:
                found[key] = int(rest.split()[0]) * 1024
    return list(found.values())


def _held(pid: int) -> tuple[int, int]:
    """(memory that the process holds, resident pages of mapped files), in bytes."""
    anonymous, shared_memory, of_files = _fields(pid, "status", b"RssAnon", b"RssShmem", b"RssFile")
    return anonymous + shared_memory, of_files


def _proportional(pid: int) -> int:
    """Memory that a process holds, where a page shared by n processes counts 1/n."""
    try:
        return sum(_fields(pid, "smaps_rollup", b"Pss_Anon", b"Pss_Shmem"))
    except PermissionError:
        return _held(pid)[0]  # it runs a program that it may not read


def resident(pids: list[int]) -> int:
    """Sum of the resident sets in bytes: what processes share counts once for each."""
    return _sum(_resident, pids)


def held(pid: int) -> int:
    """Memory that a process holds, in bytes; 0 where it has ended."""
    try:
        return _held(pid)[0]
    except OSError:
        return 0


class Memory:
    """What a tree of processes holds in memory, look by look.

    Resident pages of mapped files count for nothing, since the kernel takes them back where memory is short.

    Args:
        limit: in bytes.
        main: the first process of the tree, before its program begins.
        before: what that one holds of its own by then, in bytes; it counts for nothing.
    """

    def __init__(self, limit: int, main: int, before: int = 0) -> None:
        self._limit, self._before = limit, before
        self._shared = self._held = self._of_files = 0
        with contextlib.suppress(OSError):
            self._held, self._of_files = _held(main)
            if before == 0:
                self._shared = max(0, _resident(main) - sum(_fields(main, "smaps_rollup", b"Pss")))
        self._most_held, self._most_of_files = self._held, self._of_files

    def look(self, pids: list[int], exact: bool = True) -> int:
        """Memory of the tree in bytes; where it is far below the limit, a larger number that costs less.

        Sums of what each process holds count what a fork shares once for each process. The exact sum costs most, so
        it is taken only near the limit.

        Args:
            pids: the tree.
            exact: False: never take it.
        """
        total = resident(pids) - self._before
        if total > self._limit * 0.5:
            total = _sum(self._look_at, pids) - self._before
        if exact and total > self._limit * 0.8:
            total = (_sum(_proportional, pids) or total + self._before) - self._before
        return max(0, total)

    def _look_at(self, pid: int) -> int:
        held, of_files = _held(pid)
        self._most_held = max(self._most_held, held)
        self._most_of_files = max(self._most_of_files, of_files)
        return held

    def peak_of_one(self, resident_peak: int) -> int:
        """What one process held at most, from the peak of its resident set and the mapped files seen in the looks."""
        ahead = self._before + self._of_files if self._before else 0
        return max(0, resident_peak - ahead - (self._most_of_files - self._of_files))

    def one_was_over(self, resident_peak: int) -> bool:
        """Whether one process was over the limit between two looks, which saw it on its way.

        Args:
            resident_peak: of the process with the largest one.
        """
        on_its_way = self._most_held - self._held > self._limit * 0.5
        return on_its_way and self.peak_of_one(resident_peak) - self._shared > self._limit


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
