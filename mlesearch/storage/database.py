"""A small SQLite database that the processes of one machine use at once: opened safely, forked safely.

What it holds and means belongs to the modules above: the store of entries, the shared budget, the call counters.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from mlesearch.storage.file_systems import database_in_words
from mlesearch.storage.files import make_folder, make_private, open_file
from mlesearch.storage.locks import lock
from mlesearch.types import MlesearchError

BUSY_S = 60.0
"""How long a writer waits for another one."""

Synced = Literal["FULL", "NORMAL", "OFF"]


class Database:
    """One connection a process; usable from several threads, one at a time.

    Args:
        path: of the file; None: in memory, of this process alone. Nothing is made before the first use.
        prepare: makes the tables where they are missing; called with each new connection, by one process at a time.
        synced: FULL: a transaction has reached the disk when it returns; NORMAL: a power cut may lose the last ones, a
            kill none; OFF: a power cut may lose all.
        failed: the error to raise where the database can't be used, made from the reason in words.
        private: the folder that it makes for the file is its user's alone.
    """

    def __init__(
        self,
        path: Path | None,
        prepare: Callable[[sqlite3.Connection], None],
        *,
        synced: Synced,
        failed: Callable[[str], MlesearchError],
        private: bool = False,
    ) -> None:
        self.path = path
        self._prepare = prepare
        self._synced: Synced = synced
        self._failed = failed
        self._private = private
        self._lock = threading.RLock()
        self._open: sqlite3.Connection | None = None
        self._pid = os.getpid()
        self._of_parents: list[sqlite3.Connection] = []  # kept unclosed: closing belongs to the process that opened

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; no other process writes meanwhile."""
        with self.reading() as db:
            try:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # an interruption may come before it has begun, and after it has ended
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Each statement on its own; the one way to use a file that can't be written."""
        try:
            with self._lock:
                yield self._connection()
        except (sqlite3.Error, OSError) as error:
            why = str(error) if self.path is None else database_in_words(error, self.path)
            raise self._failed(why) from error

    def close(self) -> None:
        """Give the file up; used again, it is opened again."""
        with self._lock:
            if self._open is not None and self._pid == os.getpid():
                self._open.close()
                self._open = None

    def _connection(self) -> sqlite3.Connection:
        """This process' own; a fork never uses its parent's."""
        if self._pid != os.getpid():
            if self._open is not None:
                self._of_parents.append(self._open)
            self._open, self._pid = None, os.getpid()
        if self._open is None:
            self._open = self._connect()
        return self._open

    def _connect(self) -> sqlite3.Connection:
        if self.path is None:
            return self._made(":memory:")
        (make_private if self._private else make_folder)(self.path.parent)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            lock(folder, self.path)  # two that turn on the WAL at once may fail each other
            if self.path.exists() and not os.access(self.path, os.W_OK):
                return self._connect_to_read(self.path)
            if not self.path.exists():  # else closing it would give up the locks of this process' other connections
                os.close(open_file(self.path, os.O_RDWR))  # SQLite gives the files beside it the rights of this one
            return self._made(str(self.path))
        finally:
            os.close(folder)

    def _made(self, name: str) -> sqlite3.Connection:
        db = sqlite3.connect(name, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(f"PRAGMA synchronous={self._synced}")
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    @staticmethod
    def _connect_to_read(path: Path) -> sqlite3.Connection:
        """A published file: where its WAL was taken in, it is read as it lies, and no file is made beside it."""
        wal = path.with_name(f"{path.name}-wal")
        how = "mode=ro" if wal.exists() and wal.stat().st_size else "immutable=1"
        uri = f"file:{quote(str(path.absolute()))}?{how}"
        return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
