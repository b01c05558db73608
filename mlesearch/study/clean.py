"""What may be removed of a study since it can be made again, or says nothing any more; no result is among it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlesearch.storage.cell_store import exists
from mlesearch.storage.columns import TABLES
from mlesearch.storage.documents import RUN
from mlesearch.storage.lease_files import LEASES, TIMES, generation_of, holder, read
from mlesearch.storage.processes import alive, gone
from mlesearch.storage.requests import REQUEUE
from mlesearch.storage.under_way import UNDER_WAY
from mlesearch.study.monitoring.standing import WorkerStatus
from mlesearch.study.monitoring.status import read_status
from mlesearch.study.tables.collected import RECORD
from mlesearch.types import ConfigError

OLD_S = 86_400.0
"""A temporary file of a write that was cut off is left alone for so long: its writer may be on another machine."""
_TEMPORARY = re.compile(r"\.stop-.+|\..+\.(?:[0-9a-f]{12}|[0-9]+)")


@dataclass(frozen=True, slots=True)
class Removable:
    """Files of one kind.

    Attributes:
        what: in words, and how it comes back.
        paths: files, or whole folders.
    """

    what: str
    paths: tuple[Path, ...]

    @property
    def size_bytes(self) -> int:
        """Of all of them."""
        return sum(_size_bytes(path) for path in self.paths)

    @property
    def files(self) -> int:
        """How many files they are."""
        return sum(1 + sum(len(names) for *_, names in os.walk(p)) - p.is_dir() for p in self.paths)


def removable(study: Path) -> list[Removable]:
    """What may be removed of a study on which nobody works.

    Raises:
        ConfigError: there is no study in this folder; or workers are at work, or may be.
    """
    found = read_status(study)
    busy = [w.state.id for w in found.workers if _busy(w)]
    if busy:
        raise ConfigError(f"{study}: worker {busy[0]} is at work, or may be; wait for it to end, or stop it")
    pages = [study / name for name in ("report.html", "report_tables", "report_figures")]
    kinds = [
        ("the report and its tables (`report` makes them again)", pages),
        ("leases and requests of workers that have ended", [*_leases(study), study / REQUEUE]),
        ("what was being written when a process was killed", list(_temporary(study))),
    ]
    tables = [study / f"{name}.parquet" for name in TABLES]
    if _can_be_made_again(study, tables[0]):
        kinds.insert(1, ("the collected tables (`collect` makes them again)", [*tables, study / RECORD]))
    made = (Removable(what, tuple(path for path in paths if path.exists())) for what, paths in kinds)
    return [kind for kind in made if kind.paths]


def remove(kinds: list[Removable]) -> None:
    """Remove them.

    Raises:
        OSError: one can't be removed; those before it are gone.
    """
    for kind in kinds:
        for path in kind.paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _can_be_made_again(study: Path, table: Path) -> bool:
    """Whether every run of the tables is here: those of a colleague, or of runs that were removed, are all there is."""
    import pandas as pd

    try:
        runs = pd.read_parquet(table, columns=["run_id", "status"])
    except (OSError, ValueError):
        return False
    made = runs.loc[runs["status"].isin(["ok", "timeout", "failed"]), "run_id"]
    return all(exists(study / str(run_id) / RUN) for run_id in made)


def _busy(worker: WorkerStatus) -> bool:
    """Whether a worker is at work, or may be; one of another machine is not once it is silent."""
    if worker.standing == "silent":
        return alive(worker.state.owner)
    return worker.standing in ("working", "paused", "stopping")


def _leases(study: Path) -> Iterator[Path]:
    """Files of leases, but for names of which a generation is held by a process that is not known to be dead.

    Of such a name no other generation goes either: a later one is what tells the earlier owner that it has lost it.
    """
    try:
        paths = [path for path in sorted((study / LEASES).iterdir()) if path.name != TIMES]
    except OSError:
        return
    held = {generation_of(path.name)[0] for path in paths if _held(path)}
    yield from (path for path in paths if generation_of(path.name)[0] not in held)


def _held(path: Path) -> bool:
    """Whether a file is that of a lease whose owner may live."""
    name, generation = generation_of(path.name)
    if not name:
        return False
    try:
        found = holder(read(path), generation)
    except OSError:  # given back meanwhile, or not to be read: it stays
        return True
    return found.held and not gone(found.owner)


def _temporary(study: Path) -> Iterator[Path]:
    """Temporary files of writes that were cut off long ago, stop files, and what runs said that they were doing."""
    now_s = time.time()
    for place, _, names in os.walk(study):
        for name in names:
            path = Path(place) / name
            if name == UNDER_WAY or _TEMPORARY.fullmatch(name):
                with contextlib.suppress(OSError):
                    if now_s - path.stat().st_mtime > OLD_S:
                        yield path


def _size_bytes(path: Path) -> int:
    if path.is_dir():
        return sum(_size_bytes(Path(place) / name) for place, _, names in os.walk(path) for name in names)
    try:
        return path.stat().st_size
    except OSError:
        return 0
