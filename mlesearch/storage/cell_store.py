"""All runs of a cell in one file, for runs that take milliseconds each and would otherwise be fifty small files each.

    <study>/<model>/<strategy>/<variant>/runs.db

A SQLite database with one row a run: its name within the cell (`task/seed-0`), the digest of its identity, its status,
and where the rest of it lies. Runs that were put there together are a *batch*: their rows of the study's tables in one
compressed stream, and all files that their folders would hold in another, since most of what a run says is said by all
of its cell. A run is there whole or not at all; one that did not fail is never replaced, since it can only be the same.

Whatever reads a file of a run reads it by the functions below: a path that is no file on the disk is looked for in the
store of its cell, and in its packs (`mlesearch.storage.packs`). So each reader has one form, and knows nothing of where
a run is kept. Readers never write.
"""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from mlesearch.storage.columns import ResultStatus
from mlesearch.storage.entry import StoreError
from mlesearch.storage.file_systems import database_in_words
from mlesearch.storage.packs import Stamp, packed_cells, packed_file, packed_files, packed_size_bytes, runs_in
from mlesearch.storage.run_batches import apart, compressed, decompressed, joined

RUNS = "runs.db"
"""The store of a cell, in the cell's folder."""

FAILED: Final = "failed"
"""Status of a run that is replaced when it is carried out again."""

BUSY_S = 60.0
_SEED = "seed-"
_BATCHES = "CREATE TABLE IF NOT EXISTS batches (id INTEGER PRIMARY KEY, rows BLOB NOT NULL, files BLOB NOT NULL)"
_TABLE = """CREATE TABLE IF NOT EXISTS runs (
    name TEXT PRIMARY KEY, status TEXT NOT NULL, digest TEXT NOT NULL, batch INTEGER NOT NULL, place INTEGER NOT NULL
) WITHOUT ROWID"""
_HEAD = struct.Struct(">QI")
"""Before a stream: how many bytes it holds, and their CRC-32."""

_REMEDY = "restore it, or remove it and launch again"


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One run of a cell.

    Attributes:
        name: within the cell: `task/seed-0`.
        status: of its result.
        digest: of its identity.
        rows: its rows of the tables, as plain JSON; null of a run that failed.
        files: what its folder would hold, by names within it.
    """

    name: str
    status: ResultStatus
    digest: str
    rows: Any
    files: Mapping[str, bytes]


# writing


def put(cell: Path, runs: Sequence[StoredRun]) -> None:
    """Add runs to the store of a cell, all of them or none; those that are there already stay, unless they failed.

    Args:
        cell: its folder, which is there.
        runs: at least one.

    Raises:
        StoreError: the store can't be written.
    """
    path = cell / RUNS
    rows = _packed(json.dumps([r.rows for r in runs]).encode())
    files = _packed(joined([r.files for r in runs]))
    try:
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, os.stat(cell).st_mode & 0o666))
        with closing(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute("BEGIN IMMEDIATE")
            db.execute(_BATCHES)
            db.execute(_TABLE)
            batch = db.execute("INSERT INTO batches (rows, files) VALUES (?, ?)", (rows, files)).lastrowid
            db.executemany(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?) ON CONFLICT(name) DO UPDATE SET status=excluded.status, "
                "digest=excluded.digest, batch=excluded.batch, place=excluded.place WHERE status = 'failed'",
                [(r.name, r.status, r.digest, batch, place) for place, r in enumerate(runs)],
            )
            db.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        raise _failed(path, error) from error


def _packed(data: bytes) -> bytes:
    return _HEAD.pack(len(data), zlib.crc32(data)) + compressed(data)


# files of runs, wherever they are kept


def read_bytes(path: Path, offset: int = 0) -> bytes:
    """A file from some byte on, from the disk, or else from the store or a pack of its cell.

    Raises:
        OSError: it is in none; or it can't be read.
        StoreError: the store is damaged, or a pack.
    """
    try:
        return _on_disk(path, offset)
    except (FileNotFoundError, NotADirectoryError):
        found = _stored(path)
        return _on_disk(path, offset) if found is None else found[offset:]  # it may have been unpacked meanwhile


def _on_disk(path: Path, offset: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read()


def exists(path: Path) -> bool:
    """Whether a file is on the disk, or in the store or a pack of its cell.

    Raises:
        StoreError: the store is damaged.
    """
    return path.exists() or holds(path) or path.exists()  # it may have been unpacked meanwhile


def holds(path: Path) -> bool:
    """Whether the store of its cell holds a file, or a pack, whatever is on the disk.

    Raises:
        StoreError: the store is damaged, or a pack.
    """
    return _stored(path) is not None


def files_of(run: Path) -> dict[str, bytes]:
    """What the store and the packs of its cell hold of a run, by names within its folder; nothing where they hold none.

    Raises:
        StoreError: the store is damaged, or a pack.
    """
    place = _place(run)
    return {} if place is None else packed_files(place.cell, place.run) | _files_at(place)


def files_in(run: Path, folder: str) -> list[Path]:
    """The paths of all files in a folder of a run, on the disk or in what its cell keeps, in order."""
    place = run / folder
    kept = [run / name for name in files_of(run) if name.startswith(f"{folder}/")]
    return sorted({*kept, *(place.iterdir() if place.is_dir() else ())})


def size_bytes(run: Path) -> int:
    """What a run takes on the disk: its files and its share of packs, or that of the store of its cell."""
    if state_of(run) is None:
        packed = packed_size_bytes(run.parent.parent, f"{run.parent.name}/{run.name}")
        return packed + sum(path.stat().st_size for path in run.rglob("*") if path.is_file())
    query = (
        "SELECT (length(b.rows) + length(b.files)) / (SELECT count(*) FROM runs WHERE batch = b.id) "
        "FROM batches b JOIN runs r ON r.batch = b.id WHERE r.name = ?"
    )
    return int(_asked(run.parent.parent / RUNS, query, f"{run.parent.name}/{run.name}")[0][0])


def state_of(run: Path) -> tuple[str, str] | None:
    """Status and identity's digest of a run in the store of its cell; None where it holds none.

    Raises:
        StoreError: the store is damaged.
    """
    place = _place(run)
    stamp = None if place is None else _stamp(place.store)
    return None if place is None or stamp is None else _index(place.store, stamp).get(place.run)


def finished_of(cell: Path) -> frozenset[str]:
    """Names of the runs in the store of a cell that did not fail; see `statuses_of`."""
    return frozenset(name for name, status in statuses_of(cell).items() if status != FAILED)


def statuses_of(cell: Path) -> dict[str, str]:
    """The status of each run in the store of a cell, by its name; none where there is no store.

    Raises:
        StoreError: the store is damaged.
    """
    store = f"{cell}/{RUNS}"
    stamp = _stamp(store)
    return {} if stamp is None else {name: status for name, (status, _) in _index(store, stamp).items()}


def stored_runs(study: Path) -> list[Path]:
    """The folders that all runs in the stores and packs of a study would have.

    Raises:
        StoreError: a store is damaged, or a pack.
    """
    found = [cell / name for cell in packed_cells(study) for name in runs_in(cell)]
    for cell in cells(study):
        store = f"{cell}/{RUNS}"
        found += [cell / name for name in _index(store, _stamp(store) or (0, 0, 0))]
    return found


def cells(study: Path) -> list[Path]:
    """The folders of a study's cells that have a store."""
    return sorted(path.parent for path in study.glob(f"*/*/*/{RUNS}"))


def rows_of_cell(cell: Path) -> Iterator[tuple[str, Any]]:
    """Names and rows of all runs of a cell that did not fail, in the order of their names.

    Raises:
        StoreError: the store is damaged.
    """
    path = cell / RUNS

    @lru_cache(maxsize=4)
    def rows(batch: int) -> Any:
        ((packed,),) = _asked(path, "SELECT rows FROM batches WHERE id = ?", batch)
        return json.loads(_unpacked(path, packed))

    for name, batch, place in _asked(
        path, "SELECT name, batch, place FROM runs WHERE status <> 'failed' ORDER BY name"
    ):
        try:
            found = rows(batch)[place]
        except (ValueError, IndexError) as error:
            raise _failed(path, error) from error
        yield name, found


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file of a run would be in a store.

    Attributes:
        cell: path of its cell.
        run: the run's name within the cell.
        file: the file's name within the run's folder; empty for the folder itself.
    """

    cell: str
    run: str
    file: str

    @property
    def store(self) -> str:
        """Path of the store of its cell."""
        return f"{self.cell}/{RUNS}"


def _place(path: Path) -> _Place | None:
    """Where a path would be in a store; None where it is not within a run's folder. Looks at no disk."""
    text = os.fspath(path)
    seed = text.rfind(f"/{_SEED}")
    task = text.rfind("/", 0, max(seed, 0))
    if task < 0:
        return None
    end = text.find("/", seed + 1)
    end = len(text) if end < 0 else end
    return _Place(text[:task], text[task + 1 : end], text[end + 1 :])


def _stored(path: Path) -> bytes | None:
    """The content of a file that the store or a pack of its cell holds."""
    place = _place(path)
    if place is None:
        return None
    found = _files_at(place).get(place.file)
    return packed_file(place.cell, place.run, place.file) if found is None else found


def _files_at(place: _Place) -> dict[str, bytes]:
    stamp = _stamp(place.store)
    return {} if stamp is None or place.run not in _index(place.store, stamp) else _files(place.store, stamp, place.run)


def _stamp(store: str) -> Stamp | None:
    try:
        found = os.stat(store)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@lru_cache(maxsize=64)
def _index(store: str, stamp: Stamp) -> dict[str, tuple[str, str]]:
    """Status and digest of each run."""
    rows = _asked(Path(store), "SELECT name, status, digest FROM runs ORDER BY name")
    return {name: (status, digest) for name, status, digest in rows}


@lru_cache(maxsize=8)
def _files(store: str, stamp: Stamp, name: str) -> dict[str, bytes]:
    path = Path(store)
    ((batch, place),) = _asked(path, "SELECT batch, place FROM runs WHERE name = ?", name)
    try:
        files: dict[str, bytes] = _batch(store, stamp, batch)[place]
    except IndexError as error:
        raise _failed(path, error) from error
    return files


@lru_cache(maxsize=4)
def _batch(store: str, stamp: Stamp, id: int) -> list[dict[str, bytes]]:
    """The files of the runs of a batch."""
    path = Path(store)
    try:
        ((packed,),) = _asked(path, "SELECT files FROM batches WHERE id = ?", id)
        return apart(_unpacked(path, packed))
    except ValueError as error:
        raise _failed(path, error) from error


def _unpacked(path: Path, packed: bytes) -> bytes:
    try:
        size, crc = _HEAD.unpack_from(packed)
        data = decompressed(packed[_HEAD.size :], size)
    except (struct.error, ValueError) as error:
        raise _failed(path, error) from error
    if zlib.crc32(data) != crc:
        raise _failed(path, ValueError("a checksum does not match"))
    return data


def _asked(path: Path, query: str, *values: str | int) -> list[tuple[Any, ...]]:
    """What a query finds; the database is opened to be read alone."""
    try:
        with closing(_opened(path)) as db:
            begun = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone()
            return db.execute(query, values).fetchall() if begun else []  # its first writer has not committed yet
    except sqlite3.Error as error:
        raise _failed(path, error) from error


def _opened(path: Path) -> sqlite3.Connection:
    """A connection that can't write.

    A writer that was killed leaves a journal, which the next one takes back; until then nothing can be read. So where
    it may be written, it is opened for that once.
    """
    if os.path.exists(f"{path}-journal") and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        with closing(sqlite3.connect(path, timeout=BUSY_S)) as db:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_S)


def _failed(path: Path, error: Exception) -> StoreError:
    known = database_in_words(error, path) if isinstance(error, sqlite3.Error | OSError) else str(error)
    return StoreError(f"{path}: it can't be used: {known}; {_REMEDY}")
