"""The journal of a run: append-only JSONL, a header first, one event a line.

An event is written with one `write` call and is complete or absent after any kill. A torn last line (a power cut) is
cut off when the journal is opened; a line that does not parse anywhere else is refused, with its number, because
what follows it can't be trusted. Events that hold a paid reply are fsynced together with their blob.

One process writes a journal at a time. A lock of the file says so among processes of one machine, a lease among all.
Where an earlier owner of the lease did not give it back, it may have a write under way yet: then the journal goes on
as a new file under the same name, and what is written late goes to the old one, which nobody reads.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, cast

from mlesearch.storage import cell_store
from mlesearch.storage.codec import Json, dumps
from mlesearch.storage.events import TYPES, Event, Header, HeaderFields
from mlesearch.storage.file_systems import naming
from mlesearch.storage.files import open_file, temporary_of, write_line, write_whole
from mlesearch.storage.leases import Lease, check_held
from mlesearch.storage.locks import try_lock
from mlesearch.types import MlesearchError

FORMAT = 1
JOURNAL = "journal.jsonl"
"""Its name in the run's folder."""
_HEADER_BYTES = 1 << 16
"""More than any first line has."""


class JournalError(MlesearchError):
    """A journal that can't be used, and why."""


class JournalBusy(JournalError):
    """Another process is writing it."""


def begun(path: Path) -> bool:
    """Whether a journal has its first line; one that a full disk or a kill has left without holds nothing."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return cell_store.holds(path)
    try:
        return b"\n" in os.read(fd, _HEADER_BYTES)
    finally:
        os.close(fd)


def whole_bytes(path: Path) -> int:
    """How long a journal is, a torn last line left out; 0 where there is none.

    It is opened anew each time: that is when a file system of the network asks its server.

    Raises:
        OSError: it can't be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        end = os.fstat(fd).st_size
        while end:
            begin = max(0, end - _HEADER_BYTES)
            at = os.pread(fd, end - begin, begin).rfind(b"\n")
            if at >= 0:
                return begin + at + 1
            end = begin
        return 0
    finally:
        os.close(fd)


def read(path: Path) -> tuple[Header, list[Event]]:
    """Header and events of a journal.

    A last line that is torn (no newline, or not JSON) is left out.

    Raises:
        JournalError: no header, an unknown format, a line before the last that is not an event, or two writers: an id
            was asked or told twice, or the run ended twice.
    """
    header, events, _ = _whole(path)
    return header, events


def follow(path: Path, offset: int = 0) -> tuple[list[Event], int]:
    """The events that were written since a journal was read last, and where to read on.

    What is not whole yet, or torn, is left for the next time. However often one looks while a journal grows, the
    events are those that `read` finds in it at once.

    Args:
        path: of the journal; it may be empty, if its writer has just made it.
        offset: in bytes; 0 at first, then what the last call returned.

    Raises:
        JournalError: as `read`, once what stands behind the wrong line shows that it is not torn.
    """
    _, events, sound = _parse(path, offset)
    return events, sound


def _whole(path: Path) -> tuple[Header, list[Event], int]:
    """Header, events, and the number of bytes that are sound."""
    header, events, sound = _parse(path, 0)
    if header is None:
        if not cell_store.read_bytes(path):
            raise JournalError(f"{path}: empty journal; delete the run's folder to start it anew")
        raise _no_header(path)
    _check_once(path, events)
    return header, events, sound


def _check_once(path: Path, events: Sequence[Event]) -> None:
    """Refuse a journal of two writers: each of them asked, was told and ended as if it were alone."""
    seen: dict[tuple[str, int | None], int] = {}
    for line, event in enumerate(events, start=2):
        said: tuple[str, int | None]
        match event["type"]:
            case "asked" if "p" in event:
                said = ("asked", event["p"]["id"])
            case "told" if "id" in event:
                said = ("told", event["id"])
            case "ended":
                said = ("ended", None)
            case _:
                continue
        first = seen.setdefault(said, line)
        if first != line:
            what = "it ended" if said[1] is None else f"id {said[1]} was {said[0]}"
            raise JournalError(
                f"{path}: {what} twice (lines {first} and {line}): two processes wrote this run at once, so nothing in "
                "it counts; move the run's folder away and launch again to have it anew"
            )


def _parse(path: Path, offset: int) -> tuple[Header | None, list[Event], int]:
    """The header if it stands at `offset`, the events from there on, and where the sound part of the file ends."""
    lines = cell_store.read_bytes(path, offset).split(b"\n")
    torn = lines.pop()  # what follows the last newline: empty in a sound journal
    header: Header | None = None
    events: list[Event] = []
    sound = offset
    for i, line in enumerate(lines):
        try:
            event = json.loads(line)
            if not isinstance(event, dict):
                raise ValueError("not an object")
        except ValueError as e:
            if i == len(lines) - 1 and not torn:
                break
            raise _corrupt(path, sound, str(e)) from None
        if sound == 0:
            header = _checked(path, event)
        elif isinstance(kind := event.get("type"), str) and kind in TYPES:
            events.append(cast("Event", event))
        else:
            raise _corrupt(path, sound, f"its type is {kind!r}")
        sound += len(line) + 1
    return header, events, sound


def _checked(path: Path, header: Json) -> Header:
    """The first line of a journal, if it is a header of the format that is read here."""
    if header.get("type") != "journal":
        raise _no_header(path)
    if header.get("format") != FORMAT:
        raise JournalError(
            f"{path}: journal format {header.get('format')!r}, written by mlesearch {header.get('mlesearch')}; "
            f"this version reads format {FORMAT}"
        )
    return cast("Header", header)


def _no_header(path: Path) -> JournalError:
    return JournalError(f"{path}, line 1: no journal header; delete the run's folder to start it anew")


def _corrupt(path: Path, at: int, why: str) -> JournalError:
    """The error for the line that begins at byte `at`."""
    number = cell_store.read_bytes(path)[:at].count(b"\n") + 1
    return JournalError(
        f"{path}, line {number}: not a journal event ({why}); the lines after it can't be trusted. "
        f"Restore the file, or delete the run's folder to start it anew"
    )


class JournalWriter(Protocol):
    """What a run's events are written to."""

    path: Path
    header: Header
    events: list[Event]

    def append(self, event: Event, durable: bool = False) -> None:
        """Write one event."""
        ...

    def close(self) -> None:
        """Nothing more is written."""
        ...


class Journal:
    """The one writer of a run's journal. Holds a lock on the file until closed."""

    def __init__(
        self, path: Path, header: HeaderFields, *, lock_wait_s: float = 10.0, lease: Lease | None = None
    ) -> None:
        """Open for appending, creating it with `header` if absent; a torn tail is cut off.

        Args:
            path: of the journal.
            header: written into a new journal beside type and format.
            lock_wait_s: how long to wait for another writer to end.
            lease: of the run; looked at before each write. With it no lock of the file is needed.

        Raises:
            JournalError: it is corrupt or has had two writers, or another process is writing it.
            LeaseLost: the lease is.
            OSError: it can't be written, or its file system has no locks and there is no lease.
        """
        self.path = path
        self.header: Header
        self.events: list[Event] = []
        self._lease = lease
        check_held(self._lease)
        self._fd = self._open(lock_wait_s)
        try:
            self._end = os.fstat(self._fd).st_size
            if self._end and not begun(path):
                self._cut(0)
            if self._end:
                self.header, self.events = self._recover()
            else:
                self._renew(0)
                self.header = {"type": "journal", "format": FORMAT, **header}
                self._write(self.header, durable=True)
        except BaseException:
            os.close(self._fd)
            raise

    def _open(self, wait_s: float) -> int:
        """The file, locked; once more where it was replaced while its lock was waited for."""
        while True:
            fd = open_file(self.path, os.O_RDWR | os.O_APPEND)
            try:
                _lock(fd, self.path, wait_s, self._lease)
                if _same_file(os.fstat(fd), os.stat(self.path)):
                    return fd
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

    def _recover(self) -> tuple[Header, list[Event]]:
        header, events, sound = _whole(self.path)
        self._renew(sound)
        if self._end != sound:
            self._cut(sound)
        return header, events

    def _renew(self, sound: int) -> None:
        """Go on in a new file, which an earlier owner of the lease does not know."""
        if self._lease is None or not self._lease.taken_over:
            return
        temporary = temporary_of(self.path)
        fd = open_file(temporary, os.O_RDWR | os.O_APPEND | os.O_EXCL)
        try:
            write_whole(fd, os.pread(self._fd, sound, 0), self.path)
            with naming(self.path):
                os.fsync(fd)
            with contextlib.suppress(OSError):
                try_lock(fd, temporary)
            check_held(self._lease)
            os.replace(temporary, self.path)
        except BaseException:
            os.close(fd)
            temporary.unlink(missing_ok=True)
            raise
        os.close(self._fd)
        self._fd, self._end = fd, sound

    def _cut(self, sound: int) -> None:
        check_held(self._lease)
        with naming(self.path):
            os.ftruncate(self._fd, sound)
            os.fsync(self._fd)
        self._end = sound

    def append(self, event: Event, durable: bool = False) -> None:
        """Write one event; `durable` makes it survive a power cut.

        Raises:
            OSError: the disk did not take all of it; what it took is cut off again.
            LeaseLost: the run is another process's now; nothing was written.
            JournalBusy: likewise, as the file shows.
        """
        self._write(event, durable)

    def _write(self, event: Event | Header, durable: bool) -> None:
        line = dumps(event).encode() + b"\n"
        check_held(self._lease)
        mine, there = os.fstat(self._fd), os.stat(self.path)
        if not _same_file(mine, there):
            raise JournalBusy(f"{self.path}: another process has taken this run over; nothing more is written here")
        if mine.st_size != self._end:
            raise OSError(errno.EIO, "its last line is torn", str(self.path))  # what is added now would be lost with it
        write_line(self._fd, line, self.path)
        self._end += len(line)
        if durable:
            with naming(self.path):
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


def _same_file(a: os.stat_result, b: os.stat_result) -> bool:
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)


def _lock(fd: int, path: Path, wait_s: float, lease: Lease | None) -> None:
    """Lock a journal, if its file system has locks; a lease does without, and its earlier owner may keep the lock."""
    until = time.monotonic() + wait_s
    try:
        while not try_lock(fd, path):
            if lease is not None and lease.taken_over:
                return
            if time.monotonic() >= until:
                raise JournalBusy(f"{path}: another process is writing this run; wait for it to end, or stop it")
            time.sleep(0.1)
    except OSError as error:
        if lease is None or error.errno != errno.ENOLCK:
            raise
