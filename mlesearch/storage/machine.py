"""How much of this machine is this process's to use: processors and memory, by affinity and control groups.

A container, a batch system and `taskset` give a process a part of a machine: some of its processors by affinity, a
share of their time by a quota, an amount of memory by a limit. The kernel's own counts are of the whole machine. What
limits a control group limits all groups below it, so the least of a group's and those above it counts (Linux,
Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst, scheduler/sched-bwc.rst).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from mlesearch.storage.file_systems import unescaped

PROC = Path("/proc/self")


def processors(proc: Path = PROC) -> int:
    """Processors that this process may keep busy: those of its affinity, or fewer by a quota (rounded up)."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = min(_limits(proc, "cpu", _cpu_quota), default=math.inf)
    return max(1, min(allowed, math.ceil(quota) if math.isfinite(quota) else allowed))


def memory_bytes(proc: Path = PROC) -> int:
    """Memory that this process and its children may fill: the machine's, or less by a limit."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return int(min([installed, *_limits(proc, "memory", _memory_limit)]))


def _limits(proc: Path, controller: str, read: Callable[[Path], float | None]) -> Iterator[float]:
    """The limits that a controller sets this process: in its groups of both versions, and in those above them."""
    try:
        groups = (proc / "cgroup").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        mounts = (proc / "mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    paths = {names: path for _, names, path in (line.split(":", 2) for line in groups if line.count(":") >= 2)}
    for line in mounts:
        own, _, kind = line.partition(" - ")
        place, fields = own.split(" "), kind.split(" ")
        if len(place) < 5 or len(fields) < 3:
            continue
        root, mounted = unescaped(place[3]), Path(unescaped(place[4]))
        if fields[0] == "cgroup2":
            path = paths.get("")
        elif fields[0] == "cgroup" and controller in fields[2].split(","):
            path = next((path for names, path in paths.items() if controller in names.split(",")), None)
        else:
            continue
        if path is not None:
            yield from _upwards(mounted, _below(path, root), read)


def _below(path: str, root: str) -> str:
    """A group's path below what is mounted; the mounted one itself where the group is not to be seen from here."""
    if root == "/":
        return "" if path.startswith("/..") else path.strip("/")
    return path[len(root) :].strip("/") if path == root or path.startswith(f"{root}/") else ""


def _upwards(mounted: Path, below: str, read: Callable[[Path], float | None]) -> Iterator[float]:
    folder = mounted / below
    while True:
        found = read(folder)
        if found is not None:
            yield found
        if folder == mounted:
            return
        folder = folder.parent


def _cpu_quota(group: Path) -> float | None:
    """Processors' worth of time that a group may use; None where it is not limited."""
    both = _words(group / "cpu.max")
    if not both:
        both = [*_words(group / "cpu.cfs_quota_us"), *_words(group / "cpu.cfs_period_us")]
    numbers = [int(word) for word in both if re.fullmatch(r"\d+", word)]
    return numbers[0] / numbers[1] if len(numbers) == 2 and numbers[0] and numbers[1] else None


def _memory_limit(group: Path) -> float | None:
    """Bytes that a group may use; None where it is not limited."""
    names = ("memory.max", "memory.high", "memory.limit_in_bytes")
    return min((float(w) for name in names for w in _words(group / name) if re.fullmatch(r"\d+", w)), default=None)


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []
