"""Small file systems of their own, and writes that fail: for what a full disk does to a study."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

MIB = 1 << 20


@contextlib.contextmanager
def small_disk(place: Path, size_bytes: int) -> Iterator[Path]:
    """A file system of this size; the test is skipped where this machine lets nobody mount one."""
    place.mkdir()
    options = f"size={size_bytes},mode=700"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def used_bytes(place: Path) -> int:
    """What a file system holds."""
    status = os.statvfs(place)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def fill(place: Path, leave_bytes: int) -> Path:
    """Fill a file system but for so much; returns the file that does, which can be removed."""
    ballast = place / "ballast"
    status = os.statvfs(place)
    size = max(0, status.f_bavail * status.f_frsize - leave_bytes)
    with open(ballast, "wb") as file, contextlib.suppress(OSError):
        os.posix_fallocate(file.fileno(), 0, max(1, size))
    return ballast


class FailingWrites:
    """A layer over `os.write` and what else takes space: from one moment on, the disk is full (or has another fault).

    The write of that moment takes a part of its bytes, as a real disk does.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, below: Path, number: int = errno.ENOSPC) -> None:
        """Watch writes to files below a folder; none fails before `after` is set."""
        self.after: int | None = None
        self.writes = 0
        self._below, self._number = str(below), number
        self._write, self._open = os.write, os.open
        monkeypatch.setattr(os, "write", self.write)
        monkeypatch.setattr(os, "open", self.open)

    def write(self, fd: int, data: bytes) -> int:
        """As `os.write`."""
        if not self._is_below(fd):
            return self._write(fd, data)
        self.writes += 1
        if self.after is None or self.writes < self.after:
            return self._write(fd, data)
        if self.writes == self.after:
            return self._write(fd, data[: len(data) // 2])
        raise self._error()

    def _is_below(self, fd: int) -> bool:
        with contextlib.suppress(OSError):
            return os.readlink(f"/proc/self/fd/{fd}").startswith(self._below)
        return False

    def open(self, path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        """As `os.open`; a full disk makes no new file."""
        full = self.after is not None and self.writes >= self.after and flags & os.O_CREAT
        if full and str(path).startswith(self._below) and not os.path.exists(path):
            raise self._error(str(path))
        return self._open(path, flags, mode, dir_fd=dir_fd)

    def _error(self, path: str | None = None) -> OSError:
        return OSError(self._number, os.strerror(self._number), path)
