"""What two processes find out about a folder that they share: whether its file system keeps what a study rests on.

Both follow the same steps, as side 0 and side 1, and meet at files that each makes: so they may be on two machines,
which share nothing but the folder.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from mlesearch.storage.files import open_file, write_atomically, write_new, write_whole
from mlesearch.types import ConfigError, MlesearchError

NAMES = 200
"""That both sides try to make."""
LINES = 200
"""That each side appends."""
ROUNDS = 10
"""Of one side writing and the other seeing it."""
REPLACED = 100
_PAGE_CHARS = 20_000


class OtherSideSilent(MlesearchError):
    """The other process does not answer."""


@dataclass(frozen=True, slots=True)
class SharedFolderFacts:
    """What was found.

    Attributes:
        made_twice: how many names both sides made, of `NAMES`, though each may be made once.
        made_never: how many neither made.
        lines_lost: how many of the lines that both appended are missing or torn, of twice `LINES`.
        half_seen: how often a file that was replaced was missing or not whole.
        flock: what a lock of one side was for the other: "held", "not held", or why there is none, in the
            system's words.
        record_lock: likewise by `fcntl`, as SQLite locks.
        seen_after_s: how long it took until the other side saw a change, the slowest of `ROUNDS`.
        clock_ahead_s: how far the other side's clock is ahead of this one.
        clock_within_s: and how exactly that is known.
        synced_s: how long it takes to bring a small file to the disk, the median; None: it can't be.
        links: whether a file may have two names.
    """

    made_twice: int
    made_never: int
    lines_lost: int
    half_seen: int
    flock: str
    record_lock: str
    seen_after_s: float
    clock_ahead_s: float
    clock_within_s: float
    synced_s: float | None
    links: bool


class Side:
    """One of the two processes.

    Args:
        folder: that both share, and which is empty at first.
        number: 0 or 1.
        patience_s: how long to wait for the other.
    """

    def __init__(self, folder: Path, number: int, patience_s: float = 60.0) -> None:
        self.folder = folder
        self.number = number
        self.patience_s = patience_s
        self._met = 0

    def run(self) -> SharedFolderFacts:
        """Do all steps with the other side; both find the same.

        Raises:
            OtherSideSilent: it does not answer.
            OSError: the folder can't be written.
        """
        made = self._make_names()
        self._append()
        half_seen = self._replace()
        flock = self._lock(_flock)
        record_lock = self._lock(_record_lock)
        seen_after_s = self._see_changes()
        ahead_s, within_s = self._compare_clocks()
        own: dict[str, Any] = {
            "made": made,
            "half_seen": half_seen,
            "flock": flock,
            "record_lock": record_lock,
            "seen_after_s": seen_after_s,
            "ahead_s": ahead_s,
            "within_s": within_s,
            "synced_s": self._sync(),
            "links": self._link(),
        }
        self._write(f"found.{self.number}", json.dumps(own))
        self._meet()
        theirs: dict[str, Any] = json.loads((self.folder / f"found.{1 - self.number}").read_text(encoding="utf-8"))
        first = own if self.number == 0 else theirs
        second = theirs if self.number == 0 else own
        synced = [side["synced_s"] for side in (own, theirs)]
        return SharedFolderFacts(
            made_twice=len({*own["made"]} & {*theirs["made"]}),
            made_never=NAMES - len({*own["made"]} | {*theirs["made"]}),
            lines_lost=self._lines_lost(),
            half_seen=second["half_seen"],
            flock=second["flock"],
            record_lock=second["record_lock"],
            seen_after_s=max(own["seen_after_s"], theirs["seen_after_s"]),
            clock_ahead_s=first["ahead_s"],
            clock_within_s=first["within_s"],
            synced_s=None if None in synced else max(synced),
            links=own["links"] and theirs["links"],
        )

    # meeting

    def _meet(self) -> None:
        """Wait until the other side is here too."""
        self._met += 1
        self._write(f"met-{self._met}.{self.number}", "")
        self._until((self.folder / f"met-{self._met}.{1 - self.number}").exists)

    def wait_for(self, name: str, patience_s: float) -> None:
        """Wait for a file of the other side.

        Raises:
            OtherSideSilent: it does not come.
        """
        self._until((self.folder / name).exists, patience_s)

    def _until(self, happens: Callable[[], bool], patience_s: float | None = None) -> None:
        patience_s = self.patience_s if patience_s is None else patience_s
        until = time.monotonic() + patience_s
        while not happens():
            if time.monotonic() > until:
                raise OtherSideSilent(
                    f"{self.folder}: the other process was not heard of for {patience_s:g} s; if it runs on another "
                    "machine, see that it names the same folder"
                )
            os.listdir(self.folder)  # has a file system of the network look anew
            time.sleep(0.001)

    def _write(self, name: str, text: str) -> None:
        write_atomically(self.folder / name, text, durable=False)

    # steps

    def _make_names(self) -> list[int]:
        made = []
        self._meet()
        for n in range(NAMES):
            with contextlib.suppress(FileExistsError):
                os.close(open_file(self.folder / f"name-{n}", os.O_WRONLY | os.O_EXCL))
                made.append(n)
        return made

    def _append(self) -> None:
        path = self.folder / "appended"
        fd = open_file(path, os.O_WRONLY | os.O_APPEND)
        try:
            self._meet()
            for n in range(LINES):
                write_whole(fd, f"{self.number} {n} {'x' * (n * 7 % 900)}\n".encode(), path)
        finally:
            os.close(fd)
        self._meet()

    def _lines_lost(self) -> int:
        lines = (self.folder / "appended").read_text(encoding="utf-8", errors="replace").splitlines()
        whole = {f"{side} {n} {'x' * (n * 7 % 900)}" for side in (0, 1) for n in range(LINES)}
        return len(whole - {*lines})

    def _replace(self) -> int:
        """Side 0 replaces a file, side 1 reads it; returns how often that was missing or not whole."""
        path = self.folder / "replaced"
        if self.number == 0:
            self._write(path.name, "a" * _PAGE_CHARS)
        self._meet()
        if self.number == 0:
            for n in range(REPLACED):
                self._write(path.name, chr(ord("a") + n % 25) * _PAGE_CHARS)
            self._write(path.name, "z" * _PAGE_CHARS)
            self._meet()
            return 0
        wrong, text = 0, ""

        def read_last() -> bool:
            nonlocal wrong, text
            try:
                text = path.read_text(encoding="ascii")
                wrong += len(text) != _PAGE_CHARS or len({*text}) != 1
            except OSError:
                wrong += 1
            return text.startswith("z")

        self._until(read_last)
        self._meet()
        return wrong

    def _lock(self, lock: Callable[[int], None]) -> str:
        """Side 0 locks a file, then side 1 tries to; returns what it met."""
        path = self.folder / f"locked-{lock.__name__}"
        fd, said = open_file(path, os.O_RDWR), "held"
        try:
            if self.number == 0:
                said = _tried(lock, fd)
            self._meet()
            if self.number == 1:
                said = {"had": "not held"}.get(tried := _tried(lock, fd), tried)
            self._meet()
        finally:
            os.close(fd)
        return said

    def _see_changes(self) -> float:
        """Each side in turn overwrites a file in place, as the beat of a lease does; the slowest that was seen."""
        own, other = (self.folder / f"beat.{n}" for n in (self.number, 1 - self.number))
        own.write_bytes(b"00")
        self._meet()
        slowest = 0.0
        for n in range(1, ROUNDS + 1):
            began = time.monotonic()
            if self.number == 0:
                _overwrite(own, n)
            self._until(partial(_holds, other, b"%02d" % n))
            if self.number == 1:
                _overwrite(own, n)
            else:
                slowest = max(slowest, (time.monotonic() - began) / 2)
        self._meet()
        return slowest

    def _compare_clocks(self) -> tuple[float, float]:
        """How far side 1's clock is ahead, and within what: side 0 asks, and knows when it asked and was answered."""
        best = (0.0, float("inf"))
        for n in range(ROUNDS):
            ask, answer = self.folder / f"ask-{n}", self.folder / f"answer-{n}"
            if self.number == 0:
                asked = time.time()
                ask.touch()
                self._until(answer.exists)
                answered = time.time()
                said = float(answer.read_text(encoding="ascii"))
                best = min(best, (said - (asked + answered) / 2, (answered - asked) / 2), key=lambda found: found[1])
            else:
                self._until(ask.exists)
                self._write(answer.name, repr(time.time()))
        self._meet()
        return best

    def _sync(self) -> float | None:
        taken = []
        fd = open_file(self.folder / f"synced.{self.number}", os.O_WRONLY)
        try:
            for _ in range(ROUNDS):
                began = time.monotonic()
                os.write(fd, b"x" * 100)
                os.fsync(fd)
                taken.append(time.monotonic() - began)
        except OSError:
            return None
        finally:
            os.close(fd)
        return median(taken)

    def _link(self) -> bool:
        try:
            os.link(self.folder / f"synced.{self.number}", self.folder / f"linked.{self.number}")
        except OSError:
            return False
        return True


def _flock(fd: int) -> None:
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _record_lock(fd: int) -> None:
    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _tried(lock: Callable[[int], None], fd: int) -> str:
    try:
        lock(fd)
    except OSError as error:
        held = error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
        return "held" if held else error.strerror or str(error)
    return "had"


def _overwrite(path: Path, n: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.pwrite(fd, b"%02d" % n, 0)
    finally:
        os.close(fd)


MEETING = ".doctor"
"""Where two machines meet, in a study's folder."""


@contextlib.contextmanager
def with_another_process(study: Path) -> Iterator[Side]:
    """Side 0, in an empty folder within a study; side 1 is a process beside it.

    Raises:
        OSError: nothing can be written there.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{MEETING}-", dir=study))
    try:
        with subprocess.Popen([sys.executable, "-m", __name__, str(folder)], stderr=subprocess.DEVNULL) as other:
            try:
                yield Side(folder, 0)
            finally:
                other.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _holds(path: Path, content: bytes) -> bool:
    return path.read_bytes() == content


@contextlib.contextmanager
def with_another_machine(study: Path, wait_s: float) -> Iterator[Side]:
    """Side 0 where this machine is the first to come, and removes the folder in the end; side 1 where it is the second.

    Args:
        study: its folder.
        wait_s: how long the first waits for the second.

    Raises:
        ConfigError: two are there already.
        OSError: nothing can be written there.
    """
    folder = study / MEETING
    try:
        folder.mkdir()
    except FileExistsError:
        if not write_new(folder / "joined", b""):
            raise ConfigError(f"{folder}: two machines are at it; if they are not, remove that folder") from None
        yield Side(folder, 1)
        return
    try:
        side = Side(folder, 0)
        side.wait_for("joined", wait_s)
        yield side
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    Side(Path(sys.argv[1]), 1).run()
