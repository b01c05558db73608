"""A private control group for one program, where one can be written: a hard memory limit and an exact verdict.

Version 1 (a folder for each controller) and version 2 (one for all). Runs inside the sandbox's own processes too, so it
imports the standard library only. Source: the kernel's `Documentation/admin-guide/cgroup-v1/memory.rst` and
`cgroup-v2.rst`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PREFIX = "mlesearch-"
_ROOT = "/sys/fs/cgroup"
_CONTROLLERS = ("memory", "pids")


@dataclass(frozen=True, slots=True)
class Group:
    """A control group that waits for its program.

    Attributes:
        folders: one for each controller (version 1) or one for all; processes enter all of them.
        memory_events: a file with a line `oom_kill N`.
        pids_events: a file with a line `max N`; None where tasks aren't counted.
    """

    folders: tuple[str, ...]
    memory_events: str
    pids_events: str | None

    def as_request(self) -> dict[str, Any]:
        """For a supervisor."""
        return {
            "folders": list(self.folders),
            "memory_events": self.memory_events,
            "pids_events": self.pids_events,
        }

    def limit_memory(self, memory_bytes: int) -> None:
        """Change the limit of all its memory.

        Raises:
            OSError: it holds more than that.
        """
        _limit_memory(self.folders, memory_bytes)

    def remove(self) -> None:
        """Remove it; its processes have ended."""
        for folder in self.folders:
            remove(folder)


class Counters:
    """How often the kernel killed for memory and refused a task, since this object was made."""

    def __init__(self, memory_events: int, pids_events: int | None) -> None:
        self._memory, self._pids = memory_events, pids_events
        self._killed = _read(memory_events, b"oom_kill")
        self._refused = 0 if pids_events is None else _read(pids_events, b"max")

    @classmethod
    def of(cls, request: Mapping[str, Any] | None) -> Counters | None:
        """From a request's part; None where there is no control group."""
        if not request:
            return None
        flags = os.O_RDONLY | os.O_CLOEXEC
        pids = request["pids_events"]
        return cls(os.open(request["memory_events"], flags), None if pids is None else os.open(pids, flags))

    def fds(self) -> tuple[int, ...]:
        """The descriptors, for another process."""
        return (self._memory,) if self._pids is None else (self._memory, self._pids)

    def close(self) -> None:
        """Give the descriptors up."""
        for fd in self.fds():
            os.close(fd)

    def oom_kills(self) -> int:
        """Processes that the kernel killed because the group was over its memory limit."""
        return _read(self._memory, b"oom_kill") - self._killed

    def refused_tasks(self) -> int:
        """Processes and threads that the kernel did not start because of the group's limit."""
        return 0 if self._pids is None else _read(self._pids, b"max") - self._refused


def _read(fd: int, key: bytes) -> int:
    for line in os.pread(fd, 4096, 0).splitlines():
        name, _, value = line.partition(b" ")
        if name == key:
            return int(value)
    return 0


def own_events() -> dict[str, Any] | None:
    """The counters of the group that the calling process sees as the top one: in a container, its own."""
    for memory, pids in (
        ("memory.events", "pids.events"),
        ("memory/memory.oom_control", "pids/pids.events"),
    ):
        memory, pids = os.path.join(_ROOT, memory), os.path.join(_ROOT, pids)
        with contextlib.suppress(OSError), open(memory, "rb") as file:
            if b"oom_kill " in file.read():
                return {"memory_events": memory, "pids_events": pids if os.path.exists(pids) else None}
    return None


def parents() -> tuple[str, ...]:
    """Folders in which a group can be made: one for memory and one for pids, or the same one; () where none can."""
    return _parents(os.geteuid())


@functools.cache
def _parents(uid: int) -> tuple[str, ...]:
    try:
        found = _version_two() or _version_one()
        for folder in found:
            trial = os.path.join(folder, f"{PREFIX}trial-{secrets.token_hex(4)}")
            os.mkdir(trial)
            os.rmdir(trial)
    except OSError:
        return ()
    return found


def _own(controller: str) -> str | None:
    """The path of this process' group in one hierarchy; "" names version 2."""
    with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            _, names, path = line.rstrip("\n").split(":", 2)
            if controller in names.split(","):
                return path
    return None


def _version_two() -> tuple[str, ...]:
    """The nearest group above this process that hands both controllers down and can be written."""
    if not os.path.exists(f"{_ROOT}/cgroup.controllers"):
        return ()
    path = _own("")
    while path is not None:
        folder = f"{_ROOT}{path}".rstrip("/")
        with contextlib.suppress(OSError), open(f"{folder}/cgroup.subtree_control", encoding="ascii") as file:
            usable = os.access(folder, os.W_OK) and os.access(f"{folder}/cgroup.procs", os.W_OK)
            if usable and set(_CONTROLLERS) <= set(file.read().split()):
                return (folder,)
        path = None if path in ("/", "") else os.path.dirname(path)
    return ()


def _version_one() -> tuple[str, ...]:
    folders = []
    for controller in _CONTROLLERS:
        path = _own(controller)
        folder = f"{_ROOT}/{controller}{path}".rstrip("/")
        if path is None or not os.access(folder, os.W_OK):
            return ()
        folders.append(folder)
    return tuple(folders)


def create(memory_bytes: int, tasks: int) -> Group | None:
    """A group of this process' own; None where none can be written.

    Args:
        memory_bytes: limit of all its memory, swap included.
        tasks: limit of its processes and threads.
    """
    name = f"{PREFIX}{os.getpid()}-{_started(os.getpid())}-{secrets.token_hex(4)}"
    folders = tuple(os.path.join(parent, name) for parent in parents())
    if not folders:
        return None
    made: list[str] = []
    try:
        for folder in folders:
            os.mkdir(folder)
            made.append(folder)
        memory, pids = folders[0], folders[-1]
        if len(folders) == 1:
            _write(f"{memory}/memory.swap.max", 0, must=False)
        _limit_memory(folders, memory_bytes)
        _write(f"{pids}/pids.max", tasks)
        events = f"{memory}/{'memory.events' if len(folders) == 1 else 'memory.oom_control'}"
        with open(events, "rb") as file:
            if b"oom_kill " not in file.read():
                raise OSError("this kernel does not count what it kills for memory")
        pids_events = f"{pids}/pids.events"
        return Group(folders, events, pids_events if os.path.exists(pids_events) else None)
    except OSError:
        for folder in made:
            remove(folder)
        return None


def _limit_memory(folders: tuple[str, ...], memory_bytes: int) -> None:
    if len(folders) == 1:
        _write(f"{folders[0]}/memory.max", memory_bytes)
        return
    # with swap it is never less than without: raised first, lowered last
    _write(f"{folders[0]}/memory.limit_in_bytes", memory_bytes, must=False)
    _write(f"{folders[0]}/memory.memsw.limit_in_bytes", memory_bytes, must=False)
    _write(f"{folders[0]}/memory.limit_in_bytes", memory_bytes)


def _write(path: str, value: int, must: bool = True) -> None:
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(str(value))
    except OSError:
        if must:
            raise


def enter(folder: str, pid: int) -> None:
    """Move a process into a group.

    Raises:
        OSError: it has ended, or may not be moved.
    """
    with open(f"{folder}/cgroup.procs", "w", encoding="ascii") as file:
        file.write(str(pid))


def remove(folder: str, within_s: float = 2.0) -> bool:
    """Remove a group whose processes are ending; whether it is gone."""
    end = time.monotonic() + within_s
    while True:
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            return True
        except OSError:
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        else:
            return True


def reap() -> int:
    """Remove the groups whose orchestrator has died; returns how many."""
    removed: set[str] = set()
    for parent in parents():
        for name in sorted(os.listdir(parent)):
            owner = name.removeprefix(PREFIX).split("-")
            if not name.startswith(PREFIX) or len(owner) != 3 or not owner[0].isdigit():
                continue
            if _started(int(owner[0])) != owner[1] and remove(os.path.join(parent, name), 0.0):
                removed.add(name)
    return len(removed)


def _started(pid: int) -> str:
    """When a process that lives began, or nothing; as `mlesearch.storage.processes`, which can't be imported here."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if stat[0] in (b"Z", b"X") else stat[19].decode()
