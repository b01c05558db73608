"""The limits of one program, kept by its supervisor: on tasks, on memory, on disk. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from . import disk, tree
from .cgroup import Counters
from .memory import TreeMemory


class Watchdog:
    """Looks at a program's tree now and then, and says which limit it is over.

    Args:
        request: the limits, and the folders that the program may write.
        memory_folders: private file systems whose content is memory.
        counters: of the program's control group, if it has one.
        main: its first process, before the program begins.
        before_bytes: what that one holds by then and that does not count as the program's.

    Attributes:
        limit: the kind of limit that it went over first, and in words; None: it keeps them all.
        peak_tasks: the most processes and threads at once.
    """

    def __init__(
        self,
        request: dict[str, Any],
        memory_folders: Sequence[str],
        counters: Counters | None,
        main: int,
        before_bytes: int,
    ) -> None:
        self.limit: tuple[str, str] | None = None
        self.peak_tasks = 0
        self._request, self._memory_folders, self._counters = request, memory_folders, counters
        self._memory = TreeMemory(request["memory_bytes"], main, before_bytes)
        self._peak_memory = 0

    def look(self, pids: list[int]) -> None:
        """Compare a tree that runs with its limits."""
        tasks = tree.tasks(pids)
        self.peak_tasks = max(self.peak_tasks, tasks)
        if tasks > self._request["processes"]:
            self.limit = ("pids", f"ran more than {self._request['processes']} processes and threads at once")
            return
        limit = self._request["memory_bytes"]
        used = self._memory.look(pids, exact=self._counters is None)
        if self._counters is not None:
            used = min(used, limit)  # the kernel keeps it, and the cheap sum is good enough for the peak
        for folder in self._memory_folders:
            inside = os.statvfs(folder)
            used += (inside.f_blocks - inside.f_bfree) * inside.f_frsize
        self._peak_memory = max(self._peak_memory, used)
        self._check_counters()
        if self.limit is None and self._counters is None and used > limit:
            self._out_of_memory()
        if self.limit is None:
            self._check_disk(pids)

    def look_back(self, resident_peak: int) -> None:
        """Once the tree has ended: what it did between two looks, and what it left.

        Args:
            resident_peak: of the process with the largest resident set, in bytes.
        """
        if self.limit is None:
            self._check_counters()
        if self.limit is None and self._counters is None and self._memory.one_was_over(resident_peak):
            self._out_of_memory()
        if self.limit is None:
            self._check_disk([])

    def peak_memory(self, resident_peak: int) -> int:
        """The most memory that the tree or one of its processes was seen with, in bytes.

        Args:
            resident_peak: of the process with the largest resident set, in bytes.
        """
        return max(self._peak_memory, self._memory.peak_of_one(resident_peak))

    def _check_counters(self) -> None:
        """What the program's cgroup says; it knows of processes that came and went between two ticks."""
        if self._counters is None:
            return
        if self._counters.oom_kills() > 0:
            self._out_of_memory()
        elif self._counters.refused_tasks() > 0:
            self.peak_tasks = max(self.peak_tasks, self._request["processes"])

    def _out_of_memory(self) -> None:
        mib = self._request["memory_bytes"] / (1 << 20)
        self.limit = ("oom", f"used more than its memory limit of {mib:g} MiB")

    def _check_disk(self, pids: list[int]) -> None:
        allowed = self._request["disk_bytes"]
        used = disk.deleted_files(pids)
        try:
            for root in self._request["read_write"]:
                size, entries = disk.usage(root)
                used += size
                self._check_entries(entries)
            for folder in self._memory_folders:
                inside = os.statvfs(folder)
                self._check_entries(inside.f_files - inside.f_ffree)
        except disk.TooDeep:
            self.limit = ("disk_limit", f"nested folders deeper than {disk.MAX_DEPTH}")
        except disk.Hidden:
            self.limit = ("disk_limit", "made a folder that can't be listed, so its size is not known")
        if used > allowed:
            self.limit = ("disk_limit", f"wrote more than its disk limit of {allowed / (1 << 20):g} MiB")

    def _check_entries(self, entries: int) -> None:
        if entries > self._request["entries"]:
            self.limit = ("disk_limit", f"left more than {self._request['entries']} files and folders")
