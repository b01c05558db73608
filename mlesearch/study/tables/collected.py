"""What the tables of a study were made from, so that they are made again of what changed since, and of nothing else.

<study>/collected.json names every file that went into a table by its size, times and number. It can be removed at any
time, and is never trusted further than it can be checked: against the files as they are now, against the tables that
it belongs to, byte by byte, and against the code that made them. What differs in any of these is read anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from functools import lru_cache
from pathlib import Path

from mlesearch import __version__
from mlesearch.storage import cell_store
from mlesearch.storage.columns import TABLES
from mlesearch.storage.documents import GRADES, LAUNCHES, OFFICIAL, RESULT, RUN
from mlesearch.storage.files import write_atomically
from mlesearch.storage.journal import JOURNAL
from mlesearch.study.tables.run_rows import RunFacts, StateOnDisk

RECORD = "collected.json"
FILES = (RUN, JOURNAL, GRADES, OFFICIAL, RESULT)
"""Of a run: what its rows are made from."""

UNSETTLED = ""
"""The stamp of what changed so lately that its next change could bear the same time."""

_FINE_NS, _COARSE_NS = 50_000_000, 2_000_000_000
"""How far apart two changes have to be to bear two times, on file systems that keep nanoseconds or seconds alone."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What lies in a study now.

    Attributes:
        runs: the stamp of each run that was begun in a folder of its own, or failed in the store of its cell; by id.
        cells: the stamp of each store of a cell, by the cell.
        launches: of the list of launches.
    """

    runs: Mapping[str, str]
    cells: Mapping[str, str]
    launches: str

    @property
    def settled(self) -> bool:
        """Whether whatever changes from now on will show."""
        return UNSETTLED not in self.runs.values() and UNSETTLED not in self.cells.values()


@dataclass(frozen=True, slots=True)
class Known:
    """What a run was when the tables were made.

    Attributes:
        stamp: of its files.
        state: whether it had a result, failed, or neither.
        facts: what it says of its model and its task.
    """

    stamp: str
    state: StateOnDisk
    facts: RunFacts


@dataclass(frozen=True, slots=True)
class KnownCell:
    """What the store of a cell was when the tables were made.

    Attributes:
        stamp: of its file.
        run_ids: the runs in it that did not fail, in the order of the tables.
        facts: what they say, each once.
    """

    stamp: str
    run_ids: tuple[str, ...]
    facts: tuple[RunFacts, ...]


@dataclass(frozen=True, slots=True)
class Collected:
    """What the tables of a study were made from.

    Attributes:
        tables: sha256 of each table's file.
        launches: stamp of the list of launches.
        runs: by id, in the order of the tables.
        cells: by the cell.
    """

    tables: Mapping[str, str]
    launches: str
    runs: Mapping[str, Known]
    cells: Mapping[str, KnownCell]

    def made_from(self, now: Sources) -> bool:
        """Whether tables made now would be these."""
        return (
            now.settled
            and self.launches == now.launches
            and {name: run.stamp for name, run in self.runs.items()} == now.runs
            and {name: cell.stamp for name, cell in self.cells.items()} == now.cells
        )


def look(study: Path) -> Sources:
    """What lies in a study now; nothing is read but the list of launches."""
    places = cell_store.cells(study)
    stores = {cell.relative_to(study).as_posix(): _stamp_of([f"{cell}/{cell_store.RUNS}"]) for cell in places}
    folders = set(_run_ids(study))
    for cell in stores:
        statuses = cell_store.statuses_of(study / cell).items()
        folders |= {f"{cell}/{name}" for name, status in statuses if status == cell_store.FAILED}
        folders -= {f"{cell}/{name}" for name, status in statuses if status != cell_store.FAILED}
    runs = {}
    for run_id in sorted(folders, key=lambda run_id: run_id.split("/")):
        paths = [f"{study}/{run_id}/{name}" for name in FILES]
        cell = run_id.rsplit("/", 2)[0]
        runs[run_id] = _stamp_of([*paths, f"{study}/{cell}/{cell_store.RUNS}"] if cell in stores else paths)
    return Sources(runs, stores, _digest_of(study / LAUNCHES))


def _run_ids(study: Path) -> Iterator[str]:
    """The ids of all runs that have a folder with a run.json, in no order."""
    level = [""]
    for _ in range(4):
        level = [f"{above}{name}/" for above in level for name in _folders(f"{study}/{above}")]
    for task in level:
        for name in _folders(f"{study}/{task}"):
            if name.startswith("seed-") and os.path.exists(f"{study}/{task}{name}/{RUN}"):
                yield task + name


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir()]
    except OSError:
        return []


def _stamp_of(paths: list[str]) -> str:
    """A text that changes whenever one of some files does; `UNSETTLED` where the last change is too young to tell."""
    seen: list[tuple[int, ...]] = []
    newest, granule = 0, _FINE_NS
    for path in paths:
        try:
            s = os.stat(path)
        except OSError:
            seen.append(())
            continue
        seen.append((s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino))
        newest = max(newest, s.st_mtime_ns, s.st_ctime_ns)
        if s.st_mtime_ns % 1_000_000_000 == 0:
            granule = _COARSE_NS
    if newest + granule >= time.time_ns():
        return UNSETTLED
    return hashlib.blake2b(repr(seen).encode(), digest_size=12).hexdigest()


def _digest_of(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


# the record


def read_record(study: Path) -> Collected | None:
    """What the tables of a study were made from; None where that is not known, or they are not these any more."""
    try:
        content = json.loads((study / RECORD).read_bytes())
        if content["code"] != _code():
            return None
        facts = [RunFacts(*row) for row in content["facts"]]
        found = Collected(
            content["tables"],
            content["launches"],
            {run_id: Known(stamp, state, facts[i]) for run_id, (stamp, state, i) in content["runs"].items()},
            {
                cell: KnownCell(stamp, tuple(run_ids), tuple(facts[i] for i in numbers))
                for cell, (stamp, run_ids, numbers) in content["cells"].items()
            },
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None
    same = all(_digest_of(study / f"{name}.parquet") == found.tables.get(name) for name in TABLES)
    return found if same else None


def write_record(study: Path, made: Collected) -> None:
    """Keep it; where that can't be, the next tables are made from all files."""
    numbers: dict[RunFacts, int] = {}

    def number(facts: RunFacts) -> int:
        return numbers.setdefault(facts, len(numbers))

    runs = {run_id: (run.stamp, run.state, number(run.facts)) for run_id, run in made.runs.items()}
    cells = {name: (c.stamp, c.run_ids, [number(f) for f in c.facts]) for name, c in made.cells.items()}
    content = {
        "code": _code(),
        "tables": made.tables,
        "launches": made.launches,
        "runs": runs,
        "cells": cells,
        "facts": [astuple(f) for f in numbers],
    }
    with contextlib.suppress(OSError):
        write_atomically(study / RECORD, json.dumps(content, separators=(",", ":")), durable=False)


@lru_cache(maxsize=1)
def _code() -> str:
    """A digest of the modules that make rows of files: other code may make other rows."""
    package = Path(__file__).resolve().parents[2]
    makers = {
        "study/tables": ("collected", "collect", "run_rows"),
        "study/runs": ("fold", "mechanism", "official_reports", "summary"),
        "storage": ("codec", "columns", "journal"),
    }
    paths = [package / folder / f"{name}.py" for folder, names in makers.items() for name in names]
    digest = hashlib.sha256(__version__.encode())
    for path in paths:
        digest.update(_digest_of(path).encode())
    return digest.hexdigest()
