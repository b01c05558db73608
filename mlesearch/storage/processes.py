"""Who holds something that processes share, and whether that one still lives."""

from __future__ import annotations

import contextlib
import gc
import os
import re
from functools import lru_cache
from pathlib import Path

COLLECT_AFTER = 50_000
"""Python looks for circles of objects that nothing holds after so many new ones; by default, after 700."""


def collect_rarely() -> None:
    """Have Python look for circles of garbage seldom, in a process that imports much and makes hardly any of them.

    Its looks through all that was imported took a quarter of the time of an import of litellm.
    """
    gc.set_threshold(COLLECT_AFTER)


def owner() -> str:
    """This process, named so that another one of this machine can tell whether it still lives."""
    return _owner(os.getpid())


def alive(whose: str) -> bool:
    """Whether a process named by `owner` still lives.

    Of one in another container, and by a name that `owner` did not make, that can't be told: then it does.
    """
    name = re.fullmatch(r"(\d+):(\d+):(.+)", whose)
    return name is None or name[1] != _namespace() or _started(int(name[2])) == name[3]


def gone(whose: str) -> bool:
    """Whether a process named by `owner` is known to be dead; of one of another machine, or container, it is not."""
    name = re.fullmatch(r"(\d+):(\d+):(\d+)\.(.+)", whose)
    if name is None or name[1] != _namespace() or name[4] != _boot() or "0" in (name[1], name[4]):
        return False
    try:
        with contextlib.suppress(PermissionError):
            os.kill(int(name[2]), 0)
        stat = _stat(int(name[2]))
    except ProcessLookupError:
        return True
    except OSError:  # another user's that may not be looked at, or gone meanwhile: the next look tells
        return False
    return stat[0] in ("Z", "X") or stat[19] != name[3]


def running(pid: int) -> bool:
    """Whether a process of this number runs; one that was killed and is not yet waited for does not."""
    try:
        os.kill(pid, 0)
        return _stat(pid)[0] not in ("Z", "X")
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except OSError:  # gone meanwhile, or a system without /proc
        return not Path("/proc/self").exists()


@lru_cache(maxsize=4)
def _owner(pid: int) -> str:
    return f"{_namespace()}:{pid}:{_started(pid)}"


@lru_cache(maxsize=1)
def _namespace() -> str:
    with contextlib.suppress(OSError):
        return os.readlink("/proc/self/ns/pid").strip("pid:[]")
    return "0"


def _started(pid: int) -> str:
    """When a process started: ticks since the machine did, and which start that was; empty: none lives."""
    try:
        stat = _stat(pid)
    except OSError:
        return ""
    return "" if stat[0] in ("Z", "X") else f"{stat[19]}.{_boot()}"


@lru_cache(maxsize=1)
def _boot() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    return "0"


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the name, which may hold blanks: the first is the state."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
