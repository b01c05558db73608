"""A keyed store of what was done once and should not be done again: executions now, model calls in the same form.

Two forms hold the same entries (`mlesearch.storage.entry`), byte for byte:

    sqlite   one database in WAL mode; several processes of one machine
    files    <path>/<first two digits>/<key>, one file an entry; several machines on a network file system

An entry is whole or absent, whenever its writer was killed; one that was damaged later is an error that names it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from mlesearch.storage.database import Database
from mlesearch.storage.diff import differences
from mlesearch.storage.entry import Entry, StoreError, decode, encode
from mlesearch.storage.file_systems import in_words
from mlesearch.storage.files import make_folder, temporary_of, write_file, write_new
from mlesearch.types import ConfigError

FORMS = ("sqlite", "files")


class Store(Protocol):
    """Entries by key; usable from several threads and processes at once. Nothing is made before the first `put`."""

    def get(self, key: str) -> Entry | None:
        """The entry, or None.

        Raises:
            StoreError: it is damaged, or the store can't be read.
        """
        ...

    def put(self, entry: Entry, near: str, *, replace: bool = False) -> Entry:
        """Keep an entry; returns the one that is stored, which is an earlier one where there is one.

        Args:
            entry: what to keep.
            near: where it belongs, so that a miss can name what is stored close by: entries with one `near` are
                neighbours, and so are those whose names sort beside each other.
            replace: take the place of an earlier one.

        Raises:
            StoreError: it is too large, or the store can't be written.
        """
        ...

    def neighbours(self, near: str) -> list[Entry]:
        """Entries stored under this name; else those under the names that sort just before and after it."""
        ...

    def keys(self) -> list[str]:
        """All keys, sorted."""
        ...

    def close(self) -> None:
        """Give up what is open; used again, the store is opened again."""
        ...


def open_store(path: Path, form: str = "sqlite", *, must_exist: bool = False) -> Store:
    """A store at this path.

    Args:
        path: of the database, or of the folder.
        form: one of FORMS.
        must_exist: refuse a path where nothing is stored.

    Raises:
        ConfigError: unknown form, or the path holds nothing, or something of another form.
    """
    if form not in FORMS:
        raise ConfigError(f"store: {form!r} is no form of a store; there are: {', '.join(FORMS)}")
    if not path.exists():
        if must_exist:
            raise ConfigError(f"store: nothing is at {path}; name the store that was recorded")
    elif path.is_dir() != (form == "files"):
        kind, other = ("a folder", "files") if path.is_dir() else ("a file", "sqlite")
        raise ConfigError(f"store: {path} is {kind}, which is the form {other}; this one was asked for as {form}")
    return FileStore(path) if form == "files" else SqliteStore(path)


def nearest(store: Store, fields: Mapping[str, object], near: str) -> str:
    """In words, what a missing key differs in from the nearest stored one."""
    found = [(len(diff), e.key, diff) for e in store.neighbours(near) if (diff := differences(e.fields, fields))]
    if not found:
        return f"nothing is stored near {near}"
    _, key, diff = min(found)
    return f"the nearest stored key is {key[:12]} and differs in {'; '.join(diff)}"


# one database


class SqliteStore:
    """The form `sqlite`. Every commit reaches the disk before `put` returns."""

    def __init__(self, path: Path) -> None:
        """Nothing is made before the first `put`."""
        self.path = path
        self._database = Database(
            path, _make_table, synced="FULL", failed=lambda why: StoreError(f"store: {path} can't be used: {why}")
        )

    def get(self, key: str) -> Entry | None:
        """See `Store`."""
        if not self.path.exists():
            return None
        with self._database.reading() as db:
            row = db.execute("SELECT entry FROM entries WHERE key = ?", (key,)).fetchone()
        return None if row is None else decode(row[0], key)

    def put(self, entry: Entry, near: str, *, replace: bool = False) -> Entry:
        """See `Store`."""
        key, data = entry.key, encode(entry)
        how = "REPLACE" if replace else "IGNORE"
        with self._database.transaction() as db:
            done = db.execute(f"INSERT OR {how} INTO entries(key, near, entry) VALUES (?, ?, ?)", (key, near, data))
            if done.rowcount == 1:
                return entry
            row = db.execute("SELECT entry FROM entries WHERE key = ?", (key,)).fetchone()
        return decode(row[0], key)

    def neighbours(self, near: str) -> list[Entry]:
        """See `Store`."""
        if not self.path.exists():
            return []
        with self._database.reading() as db:
            names = [near]
            if not db.execute("SELECT 1 FROM entries WHERE near = ? LIMIT 1", (near,)).fetchone():
                before = db.execute("SELECT max(near) FROM entries WHERE near < ?", (near,)).fetchone()[0]
                after = db.execute("SELECT min(near) FROM entries WHERE near > ?", (near,)).fetchone()[0]
                names = [n for n in (before, after) if n is not None]
            rows = [
                row
                for n in names
                for row in db.execute("SELECT key, entry FROM entries WHERE near = ? ORDER BY key", (n,))
            ]
        return [decode(data, key) for key, data in rows]

    def keys(self) -> list[str]:
        """See `Store`."""
        if not self.path.exists():
            return []
        with self._database.reading() as db:
            return [row[0] for row in db.execute("SELECT key FROM entries ORDER BY key")]

    def close(self) -> None:
        """See `Store`."""
        self._database.close()


def _make_table(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE IF NOT EXISTS entries(key TEXT PRIMARY KEY, near TEXT, entry BLOB)")
    db.execute("CREATE INDEX IF NOT EXISTS by_near ON entries(near)")


# one file an entry


class FileStore:
    """The form `files`: an entry appears under its name whole, by a link that fails where there is one already."""

    def __init__(self, path: Path) -> None:
        """Nothing is made before the first `put`."""
        self.path = path

    def get(self, key: str) -> Entry | None:
        """See `Store`."""
        try:
            return decode(self._place(key).read_bytes(), key)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"store: {in_words(error, self._place(key))}; it can't be read") from error

    def put(self, entry: Entry, near: str, *, replace: bool = False) -> Entry:
        """See `Store`."""
        key, data = entry.key, encode(entry)
        place = self._place(key)
        temporary = temporary_of(place)
        try:
            make_folder(place.parent)
            make_folder(self.path / "near")
            self._name(self.path / "near" / key, near.encode(), self.path / "near" / temporary.name)
            if replace:
                write_file(temporary, data, os.O_TRUNC, durable=True)
                os.replace(temporary, place)
            elif not write_new(place, data, links=True):
                return decode(place.read_bytes(), key)
        except OSError as error:
            raise StoreError(f"store: {in_words(error, place)}; it can't be written") from error
        finally:
            temporary.unlink(missing_ok=True)
        return entry

    @staticmethod
    def _name(place: Path, near: bytes, temporary: Path) -> None:
        if place.exists():
            return
        try:
            write_file(temporary, near, os.O_TRUNC, durable=False)
            os.replace(temporary, place)
        finally:
            temporary.unlink(missing_ok=True)

    def neighbours(self, near: str) -> list[Entry]:
        """See `Store`."""
        names: dict[str, list[str]] = {}
        for path in self._files("near"):
            names.setdefault(path.read_text(encoding="utf-8"), []).append(path.name)
        before = max((n for n in names if n < near), default=None)
        after = min((n for n in names if n > near), default=None)
        chosen = [near] if near in names else [n for n in (before, after) if n is not None]
        found = [self.get(key) for n in chosen for key in sorted(names[n])]
        return [entry for entry in found if entry is not None]

    def keys(self) -> list[str]:
        """See `Store`."""
        return sorted(path.name for path in self._files("[0-9a-f][0-9a-f]"))

    def close(self) -> None:
        """Nothing is open."""

    def _files(self, folder: str) -> Iterable[Path]:
        return sorted(p for p in self.path.glob(f"{folder}/*") if not p.name.startswith("."))

    def _place(self, key: str) -> Path:
        return self.path / key[:2] / key
