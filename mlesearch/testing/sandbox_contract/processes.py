"""Processes of this machine as the checks look for them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path


def processes_with(mark: str) -> list[int]:
    """Pids whose command line holds `mark`, this process left out."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                if mark.encode() in Path("/proc", name, "cmdline").read_bytes():
                    found.append(int(name))
            except OSError:
                continue
    return found


def gone(mark: str, within_s: float = 5.0) -> bool:
    """Whether no process with `mark` is left after at most that long."""
    end = time.monotonic() + within_s
    while processes_with(mark):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@contextlib.contextmanager
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process of this user that has nothing to do with any program."""
    with subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"]) as process:
        try:
            yield process
        finally:
            process.kill()


def signals_by_descriptor(pid: int) -> tuple[str, ...]:
    """Programs that make a process the owner of a descriptor, so that data which arrives there signals it."""
    pair = "import fcntl, socket, struct\nours, theirs = socket.socketpair()\n"
    arrive = "fcntl.fcntl(ours, 10, 9)\nfcntl.fcntl(ours, fcntl.F_SETFL, 0o20000)\ntheirs.send(b'x')"
    owners = (
        f"fcntl.fcntl(ours, fcntl.F_SETOWN, {pid})",
        f"fcntl.fcntl(ours, 15, struct.pack('=ii', 1, {pid}))",
        f"fcntl.ioctl(ours, 0x8901, struct.pack('=i', {pid}))",
        f"fcntl.ioctl(ours, 0x8902, struct.pack('=i', {pid}))",
    )
    return tuple(f"{pair}{owner}\n{arrive}" for owner in owners)


def sleeper(mark: str, seconds: int = 60) -> str:
    """Source of a list that starts a sleeping process with a mark in its command line."""
    return f"[sys.executable, '-S', '-c', 'import time; time.sleep({seconds})', '{mark}']"
