"""The files of leases: their names, what stands in them, and the times that all processes of a study go by.

The first line of a lease's file changes and has one length, so that it is overwritten in place, which a full disk
allows; the second is what its owner wrote when it made the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from mlesearch.storage.files import make_folder, read_json, write_atomically
from mlesearch.types import ConfigError

LEASES = "leases"
"""The folder's name within a study."""
TIMES = "times.json"

HELD, RELEASED = "held", "released"
HEAD_BYTES = len(f"{RELEASED:8} {0:012d}\n")
_READABLE_CHARS = 100
_DEATHS = 20
"""So many deaths of a name are kept."""
_FILE = re.compile(r"(.+)\.([1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """How the processes of a study deal with its leases, in seconds; all of them by the same times.

    Attributes:
        beat_s: between two beats.
        stop_s: the owner writes nothing once its beat is so old.
        takeover_s: others take over when they have seen no beat for so long.
    """

    beat_s: float = 10.0
    stop_s: float = 30.0
    takeover_s: float = 90.0

    def __post_init__(self) -> None:
        """Refuse times that protect nothing.

        Raises:
            ConfigError: a beat does not come before the owner stops, or that not before others take over.
        """
        if not 0 < self.beat_s < self.stop_s < self.takeover_s:
            raise ConfigError(f"leases: 0 < beat_s < stop_s < takeover_s is needed, not {asdict(self)}")

    @property
    def give_up_s(self) -> float:
        """A beat that comes so long after the last one is too late: others may be about to take over."""
        return (self.stop_s + self.takeover_s) / 2


def _nowhere() -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims a name, and what its lease is to say of it.

    Attributes:
        worker: its id; empty: nothing is counted.
        mark: how far what is leased has got, as a number that grows with it; asked once the last owner is out.
        isolated: whether the worker has nothing else under way, so that its death can be nothing else's.
        forgets: what was counted before counts no more, since somebody wants it tried again.
        supervisor: by `processes.owner`, whoever outlives this process and begins anew what it leaves behind; empty:
            nobody does.
    """

    worker: str = ""
    mark: Callable[[], int] = _nowhere
    isolated: bool = False
    forgets: bool = False
    supervisor: str = ""


@dataclass(frozen=True, slots=True)
class FruitlessDeath:
    """The end of a worker that had a lease, did not give it back, and had got no further with what is leased.

    Attributes:
        worker: its id.
        host: of the worker.
        isolated: whether it had nothing else under way.
    """

    worker: str
    host: str
    isolated: bool


@dataclass(frozen=True, slots=True)
class LeaseHolder:
    """What the file of a lease says.

    Attributes:
        name: what is leased; empty while its file is being made.
        generation: from 1.
        held: whether its owner has not given it back.
        owner: by `processes.owner`.
        host: of the owner.
        lost: how many generations before this one ended without being given back.
        beats: how often its owner has beaten.
        worker: id of the owner's worker; empty where it is not known.
        mark: how far what is leased had got when it was leased.
        isolated: whether the worker had nothing else under way.
        deaths: of workers before this one, one after the other, without what is leased getting any further.
        supervisor: as its claimant has it.
    """

    name: str
    generation: int
    held: bool
    owner: str
    host: str
    lost: int
    beats: int
    worker: str = ""
    mark: int = 0
    isolated: bool = False
    deaths: tuple[FruitlessDeath, ...] = ()
    supervisor: str = ""


def set_times(study: Path, times: LeaseTimes) -> None:
    """Give a study times of its own, before any process has a lease of it."""
    make_folder(study / LEASES)
    write_atomically(study / LEASES / TIMES, json.dumps(asdict(times)) + "\n")


def times_of(folder: Path) -> LeaseTimes:
    """The times of a study, by the folder of its leases.

    Raises:
        ConfigError: they can't be used.
    """
    path = folder / TIMES
    if not path.exists():
        return LeaseTimes()
    try:
        return LeaseTimes(**{name: float(value) for name, value in read_json(path).items()})
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{path}: beat_s, stop_s and takeover_s in seconds are needed ({error})") from None


@lru_cache(maxsize=1 << 14)
def file_name(name: str) -> str:
    """A name as the name of a file: its end, to be read by people, and a digest that tells names apart."""
    if not name:
        raise ValueError("a lease needs a name")
    readable = re.sub(r"[^A-Za-z0-9_=-]", "-", name)[-_READABLE_CHARS:]
    return f"{readable}~{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def generation_of(entry: str) -> tuple[str, int]:
    """A file of the folder: the file's name without its generation, and that; empty for a file of no lease."""
    found = _FILE.fullmatch(entry)
    return (found[1], int(found[2])) if found else ("", 0)


def head(what: str, beats: int) -> bytes:
    """The part of a lease's file that changes; always of one length, so that it is overwritten in place."""
    return f"{what:8} {beats:012d}\n".encode()


def read(path: Path) -> bytes:
    """A lease's file. It is opened anew each time: that is when a file system of the network asks its server."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 1 << 16)
    finally:
        os.close(fd)


def remove(folder: Path, file: str, newest: int) -> int:
    """Remove all generations of a file up to one, the newest last; returns how many there were."""
    removed = 0
    for generation in range(1, newest + 1):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(folder / f"{file}.{generation}")
            removed += 1
    return removed


def holder(said: bytes, generation: int) -> LeaseHolder:
    """What a lease's file says; of one that is being made, that it is held by somebody."""
    try:
        head, _, body = said.partition(b"\n")
        state, beats = head.split()
        found = json.loads(body)
        return LeaseHolder(
            found["name"],
            generation,
            state.decode() != RELEASED,
            found["owner"],
            found["host"],
            int(found["lost"]),
            int(beats),
            str(found.get("worker", "")),  # those of an earlier version have none of the rest
            int(found.get("mark", 0)),
            bool(found.get("isolated", False)),
            tuple(FruitlessDeath(**death) for death in found.get("deaths", ())),
            str(found.get("supervisor", "")),
        )
    except (ValueError, KeyError, TypeError):
        return LeaseHolder("", generation, True, "", "", 0, 0)


def deaths_after(last: LeaseHolder, mark: int, by: Claimant, *, outlived: bool) -> tuple[FruitlessDeath, ...]:
    """The deaths that count against what is leased, for whoever claims it now.

    None does once it has got further. A process of the claimant's own worker that ended is that worker's to count: its
    worker lives.

    Args:
        last: what the file of the last generation says.
        mark: how far what is leased has got now.
        by: who claims it.
        outlived: whether the last owner gave it back, or its worker has outlived it, rather than to die or fall silent.
    """
    if by.forgets or mark > last.mark:
        return ()
    if outlived or not by.worker or last.worker in ("", by.worker):
        return last.deaths
    return (*last.deaths, FruitlessDeath(last.worker, last.host, last.isolated))[-_DEATHS:]
