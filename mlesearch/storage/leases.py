"""Leases: which process, on whatever machine, works on a run now; they need no lock of the file system.

    <study>/leases/<name>.<generation>      made with O_EXCL; the highest generation of a name is the one that counts
    <study>/leases/times.json               the study's own times, where they are not the default

The owner beats: it changes its file every few seconds. It writes nothing once its last beat is `stop_s` old, and it
gives up for good where it could not beat for long. Others take a name over, by making its next generation, when they
have seen no beat for `takeover_s`; at once where the owner was a process of this machine and is dead. All of them go by
their own clock, which never stands still or jumps; no two clocks are compared. The method is that of heartbeats with a
grace period (C. Gray and D. Cheriton, "Leases", SOSP 1989), with generations as in Chubby's sequencers (M. Burrows,
OSDI 2006).

A write that was under way when its process was stopped may come after a takeover. What guards against it is that a run
that was taken over goes on in a new journal (`mlesearch.storage.journal`).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from mlesearch.storage.file_systems import naming
from mlesearch.storage.files import make_folder, open_file, write_whole
from mlesearch.storage.lease_files import (
    HEAD_BYTES,
    HELD,
    LEASES,
    RELEASED,
    Claimant,
    FruitlessDeath,
    LeaseHolder,
    LeaseTimes,
    deaths_after,
    file_name,
    generation_of,
    head,
    holder,
    read,
    remove,
    times_of,
)
from mlesearch.storage.processes import gone, owner
from mlesearch.types import MlesearchError

_ANYBODY = Claimant()

Before = Literal["new", "released", "dead", "silent", "left"]
"""What became of a name's last generation: there was none, its owner gave it back, died, or was not heard of; or it
died, and its supervisor lives and has not begun it anew for as long as that takes."""


class LeaseLost(MlesearchError):
    """Another process may work on the run: this one writes nothing more of it."""


def clock_s() -> float:
    """Seconds of a clock of this machine that goes on while it sleeps, where there is one."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Leases:
    """The leases of one study, as one process sees them. Not for use by a fork: it makes its own."""

    def __init__(self, study: Path, times: LeaseTimes | None = None, clock: Callable[[], float] = clock_s) -> None:
        """Nothing is made before the first claim.

        Args:
            study: its folder.
            times: None: the study's own (`leases/times.json`), or the default.
            clock: seconds that only grow.

        Raises:
            ConfigError: the study's own times can't be used.
        """
        self.folder = study / LEASES
        self.times = times or times_of(self.folder)
        self._clock = clock
        self._seen: dict[str, _Sight] = {}

    def claim(self, name: str, by: Claimant = _ANYBODY) -> Lease | None:
        """Take a name that is free; None where another process has it, or may have it.

        Whoever claims looks afterwards whether there is anything left to do: it may have been done meanwhile.

        Args:
            name: of a run, or of a chunk of runs; not empty.
            by: who claims it, where deaths are to be counted.

        Raises:
            OSError: the file system fails.
        """
        return next(self.claim_each([name], by), None)

    def claim_each(self, names: Iterable[str], by: Claimant = _ANYBODY) -> Iterator[Lease]:
        """Take names that are free, in their order, one at each step of the iteration; the folder is read once.

        Raises:
            OSError: the file system fails.
        """
        newest = self._newest()
        for name in names:
            lease = self._claim(name, newest.get(file_name(name), 0), by)
            if lease is not None:
                yield lease

    def _claim(self, name: str, generation: int, by: Claimant) -> Lease | None:
        file = file_name(name)
        if not generation:
            return self._make(name, "new", None, by)
        sight = self._look(file, generation)
        before = self._ended(sight, by)
        if before is None or sight.said is None:
            return None
        lease = self._make(name, before, holder(sight.said, generation), by)
        if lease is not None and not self._still(sight):
            lease.path.unlink(missing_ok=True)
            return None
        self._seen.pop(file, None)
        return lease

    def forget_deaths(self, names: Iterable[str], worker: str = "") -> None:
        """Let what is leased by some names be tried again as if no worker had died of it; what is held stays so.

        Args:
            names: of runs, or of chunks of runs.
            worker: whose own dead processes hold nothing; empty: nobody's in particular.

        Raises:
            OSError: the file system fails.
        """
        newest = self._newest()
        known = [name for name in names if file_name(name) in newest]
        for lease in self.claim_each(known, Claimant(worker, forgets=True)):
            lease.release(done=False)

    def holders(self) -> Iterator[LeaseHolder]:
        """What every name's newest file says, in the order of the files' names."""
        for file, generation in sorted(self._newest().items()):
            with contextlib.suppress(FileNotFoundError):
                yield holder(read(self.folder / f"{file}.{generation}"), generation)

    def _newest(self) -> dict[str, int]:
        """The highest generation of each name's file."""
        newest: dict[str, int] = {}
        with contextlib.suppress(FileNotFoundError):
            for entry in os.listdir(self.folder):
                file, generation = generation_of(entry)
                newest[file] = max(newest.get(file, 0), generation)
        newest.pop("", None)
        return newest

    def _look(self, file: str, generation: int) -> _Sight:
        """A lease's file, and since when it has said the same."""
        path = self.folder / f"{file}.{generation}"
        try:
            said = read(path)
        except FileNotFoundError:  # its name was given up meanwhile
            said = None
        known = self._seen.get(file)
        if known is None or (known.path, known.said) != (path, said):
            known = self._seen[file] = _Sight(path, said, self._clock(), generation)
        return known

    def _ended(self, sight: _Sight, by: Claimant) -> Before | None:
        """How the generation that was looked at has ended; None where it has not, as far as can be told.

        What a process has left behind is its supervisor's to begin anew, as long as that one lives.
        """
        if sight.said is None:
            return None
        found = holder(sight.said, sight.generation)
        if not found.held:
            return "released"
        silent = self._clock() - sight.since_s >= self.times.takeover_s
        if not gone(found.owner):
            return "silent" if silent else None
        if not found.supervisor or gone(found.supervisor) or found.worker == by.worker:
            return "dead"
        return "left" if silent else None

    def _still(self, sight: _Sight) -> bool:
        """Whether the generation that was taken over is as it was seen: else the look was too old to go by."""
        try:
            return read(sight.path) == sight.said
        except FileNotFoundError:
            return False

    def _make(self, name: str, before: Before, last: LeaseHolder | None, by: Claimant) -> Lease | None:
        make_folder(self.folder)
        generation, lost, mark, deaths = 1, 0, by.mark(), tuple[FruitlessDeath, ...]()
        if last is not None:
            generation, lost = last.generation + 1, last.lost + (before != "released")
            deaths = deaths_after(last, mark, by, outlived=before in ("released", "left"))
        path = self.folder / f"{file_name(name)}.{generation}"
        body = {
            "name": name,
            "owner": owner(),
            "host": os.uname().nodename,
            "token": secrets.token_hex(8),
            "lost": lost,
            "worker": by.worker,
            "mark": mark,
            "isolated": by.isolated,
            "supervisor": by.supervisor,
            "deaths": [asdict(death) for death in deaths],
        }
        began_s = self._clock()
        try:
            fd = open_file(path, os.O_RDWR | os.O_EXCL)
        except FileExistsError:
            return None
        text = f"{json.dumps(body)}\n".encode()
        try:
            try:
                write_whole(fd, head(HELD, 0) + text, path)
            finally:
                os.close(fd)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        beating = _Beating(text, began_s, self.times, self._clock)
        return Lease(path, holder(head(HELD, 0) + text, generation), before, last, beating)


@dataclass(frozen=True, slots=True)
class _Sight:
    """A lease's file as it was seen: what it said (None: it was not there), and since when it says so."""

    path: Path
    said: bytes | None
    since_s: float
    generation: int


@dataclass(slots=True)
class _Beating:
    """What an owner knows of its own beats; `text` is what its file says after the head."""

    text: bytes
    beaten_s: float
    times: LeaseTimes
    clock: Callable[[], float]
    beats: int = 0
    lost: str = ""


class Lease:
    """A name that this process has, until it gives it back or loses it. Its methods may be called by any thread.

    Attributes:
        name: what is leased.
        generation: from 1; what was written under an earlier one may have a write under way yet.
        before: what became of the generation before.
        lost: how many generations of this name were lost: their owners died, or were not heard of.
        last: what the file of the generation before said; None where there was none.
        deaths: of workers, one after the other, without what is leased getting any further; see `Claimant`.
    """

    def __init__(
        self, path: Path, made: LeaseHolder, before: Before, last: LeaseHolder | None, beating: _Beating
    ) -> None:
        """Made by `Leases.claim`."""
        self.path = path
        self.name, self.generation, self.lost, self.deaths = made.name, made.generation, made.lost, made.deaths
        self.before = before
        self.last = last
        self._next = path.with_name(f"{file_name(made.name)}.{made.generation + 1}")
        self._state = beating
        self._turn = threading.Lock()

    @property
    def taken_over(self) -> bool:
        """Whether an owner before this one did not give it back, and may have a write under way."""
        return self.lost > 0

    def check(self) -> None:
        """Before each write: whether this process still has the lease.

        Raises:
            LeaseLost: it may be another's; nothing may be written.
        """
        state = self._state
        if not state.lost and state.clock() - state.beaten_s >= state.times.stop_s:
            self.beat()
        if not state.lost and state.clock() - state.beaten_s >= state.times.stop_s:
            raise LeaseLost(self._why(f"no beat could be written for {state.times.stop_s:g} s"))
        if not state.lost and os.path.exists(self._next):
            state.lost = "another process has taken it over"
        if state.lost:
            raise LeaseLost(self._why(state.lost))

    def _why(self, why: str) -> str:
        return f"{self.name}: its lease is lost ({why}); nothing more is written here, and the run goes on elsewhere"

    def beat(self) -> None:
        """Show that this process lives. Never raises: a beat that can't be written is one that did not happen."""
        state = self._state
        with self._turn:
            began_s = state.clock()
            if state.lost or self._too_late():
                return
            try:
                self._write(HELD)
            except FileNotFoundError:
                state.lost = "its file was removed"
                return
            except OSError as error:
                if error.errno == errno.ESTALE:
                    state.lost = "its file was removed"
                return
            if os.path.exists(self._next):
                state.lost = "another process has taken it over"
            elif not self._too_late():  # it may have taken long
                state.beaten_s = began_s

    def _too_late(self) -> bool:
        state = self._state
        if state.clock() - state.beaten_s < state.times.give_up_s:
            return False
        state.lost = f"it could not beat for {state.times.give_up_s:g} s: stopped, asleep, or cut off from its disk"
        return True

    def _write(self, what: str) -> None:
        """Change the head of the file, where that is still this lease's."""
        state = self._state
        fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if os.pread(fd, len(state.text) + 1, HEAD_BYTES) != state.text:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))
            with naming(self.path):
                state.beats += 1
                os.pwrite(fd, head(what, state.beats), 0)
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def beating(self, after_each: Callable[[], None] = lambda: None) -> Iterator[Lease]:
        """Within it, a thread of its own beats, and does something after each beat that raises nothing."""
        ended = threading.Event()

        def beat_on() -> None:
            while not ended.wait(self._state.times.beat_s):
                self.beat()
                after_each()

        thread = threading.Thread(target=beat_on, name=f"beats of {self.name}", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            ended.set()
            thread.join()

    def release(self, *, done: bool) -> None:
        """Give the name back; one that is lost is left as it is.

        Args:
            done: whether nothing is left to do of it, and what was done is on the disk: then its files are removed.
                Else the next who claims it may have it at once.

        Raises:
            OSError: the file can't be written; then others wait until they have seen no beat for long.
        """
        try:
            self.check()
        except LeaseLost:
            return
        with self._turn:
            self._state.lost = "it was given back"
            if done:
                self.forget()
            else:
                self._write(RELEASED)

    def forget(self) -> None:
        """Remove all files of the name up to this generation, the newest last: until then it counts as held."""
        remove(self.path.parent, file_name(self.name), self.generation)


def check_held(lease: Lease | None) -> None:
    """Before a write: that the lease is not lost, where there is one.

    Raises:
        LeaseLost: it is.
    """
    if lease is not None:
        lease.check()
