"""The journal of a run: append-only JSONL, a header first, one event a line.

An event is written with one `write` call and is complete or absent after any kill. A torn last line (a power cut) is
cut off when the journal is opened; a line that does not parse anywhere else is refused, with its number, because
what follows it can't be trusted. Events that hold a paid reply are fsynced together with their blob.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import cast

from mlesearch.storage.codec import Json, dumps
from mlesearch.storage.events import Event, Header
from mlesearch.types import MlesearchError

FORMAT = 1


class JournalError(MlesearchError):
    """A journal that can't be used, and why."""


class JournalBusy(JournalError):
    """Another process is writing it."""


def read(path: Path) -> tuple[Json, list[Json]]:
    """Header and events of a journal.

    A last line that is torn (no newline, or not JSON) is left out.

    Raises:
        JournalError: no header, an unknown format, or a line before the last that is not JSON.
    """
    header, events, _ = _parse(path)
    return header, events


def _parse(path: Path) -> tuple[Json, list[Json], int]:
    """Header, events, and the number of bytes that are sound."""
    data = path.read_bytes()
    if not data:
        raise JournalError(f"{path}: empty journal; delete the run's folder to start it anew")
    lines = data.split(b"\n")
    torn = lines.pop()  # what follows the last newline: empty in a sound journal
    parsed: list[Json] = []
    sound = 0
    for i, line in enumerate(lines):
        try:
            event = json.loads(line)
            if not isinstance(event, dict):
                raise ValueError("not an object")
        except ValueError as e:
            if i == len(lines) - 1 and not torn:
                break
            raise JournalError(
                f"{path}, line {i + 1}: not a journal event ({e}); the lines after it can't be trusted. "
                f"Restore the file, or delete the run's folder to start it anew"
            ) from None
        parsed.append(event)
        sound += len(line) + 1
    if not parsed or parsed[0].get("type") != "journal":
        raise JournalError(f"{path}, line 1: no journal header; delete the run's folder to start it anew")
    if parsed[0].get("format") != FORMAT:
        raise JournalError(
            f"{path}: journal format {parsed[0].get('format')!r}, written by mlesearch {parsed[0].get('mlesearch')}; "
            f"this version reads format {FORMAT}"
        )
    return parsed[0], parsed[1:], sound


class Journal:
    """The one writer of a run's journal. Holds a lock on the file until closed."""

    def __init__(self, path: Path, header: Mapping[str, object], *, lock_wait_s: float = 10.0) -> None:
        """Open for appending, creating it with `header` if absent; a torn tail is cut off.

        Args:
            path: of the journal.
            header: written into a new journal beside type and format.
            lock_wait_s: how long to wait for another writer to end.

        Raises:
            JournalError: it is corrupt, or another process is writing it.
        """
        self.path = path
        self.header: Header
        self.events: list[Event] = []
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            _lock(self._fd, path, lock_wait_s)
            if os.fstat(self._fd).st_size:
                self.header, self.events = self._recover()
            else:
                self.header = cast("Header", {"type": "journal", "format": FORMAT, **header})
                self.append(self.header, durable=True)
        except BaseException:
            os.close(self._fd)
            raise

    def _recover(self) -> tuple[Header, list[Event]]:
        header, events, sound = _parse(self.path)
        if os.fstat(self._fd).st_size != sound:
            os.ftruncate(self._fd, sound)
            os.fsync(self._fd)
        return cast("Header", header), cast("list[Event]", events)

    def append(self, event: Mapping[str, object], durable: bool = False) -> None:
        """Write one event; `durable` makes it survive a power cut.

        Raises:
            JournalError: the disk took only part of the line (which is then cut off again).
        """
        line = dumps(event).encode() + b"\n"
        written = os.write(self._fd, line)
        if written != len(line):
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            raise JournalError(f"{self.path}: the disk is full; free some space and run again, nothing is lost")
        if durable:
            os.fdatasync(self._fd)

    def close(self) -> None:
        """Give the lock back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def _lock(fd: int, path: Path, wait_s: float) -> None:
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            if time.monotonic() >= until:
                raise JournalBusy(
                    f"{path}: another process is writing this run; wait for it to end, or stop it"
                ) from None
            time.sleep(0.1)


DURATIONS = frozenset(
    {"t", "real_us", "wall_us", "cpu_us", "peak_bytes", "gpu_us", "gpu_wait_us", "service_us", "wait_us"}
)
"""Keys of measured durations (and peak memory): all that may differ between two equal runs."""


def without_durations(event: object) -> object:
    """An event without what two equal runs may differ in."""
    if isinstance(event, dict):
        return {k: without_durations(v) for k, v in event.items() if k not in DURATIONS}
    if isinstance(event, list | tuple):
        return [without_durations(v) for v in event]
    return event
