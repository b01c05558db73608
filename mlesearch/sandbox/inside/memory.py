"""What a tree of processes holds in memory, read from /proc. Standard library only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

PAGE = os.sysconf("SC_PAGESIZE")


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


class TreeMemory:
    """What a tree of processes holds in memory, look by look.

    Resident pages of mapped files count for nothing, since the kernel takes them back where memory is short.

    Args:
        limit: in bytes.
        main: the first process of the tree, before its program begins.
        before: what that one holds of its own by then, in bytes; it counts for nothing. With 0, what it holds by then
            is shared with the server that it was forked from, and its share of that counts for nothing.
    """

    def __init__(self, limit: int, main: int, before: int = 0) -> None:
        self._limit, self._before = limit, before
        self._shared = self._share = self._held = self._of_files = 0
        with contextlib.suppress(OSError):
            self._held, self._of_files = _held(main)
            if before == 0:
                clean, dirty, own = _fields(main, "smaps_rollup", b"Shared_Clean", b"Shared_Dirty", b"Private_Dirty")
                self._shared, self._share = clean + dirty, max(0, _proportional(main) - own)
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
            total = (_sum(_proportional, pids) or total + self._before) - self._before - self._share
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
