"""Of all threads and processes that ask for one key at once, one makes the call."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlesearch.storage.files import make_folder, open_file
from mlesearch.storage.locks import lock


class SingleFlight:
    """Single flight: of all threads and processes that ask for one key at once, one makes the call.

    Processes exclude each other by a lock file a key beside the store; where the file system has no locks, only threads
    do, and the first reply that is stored counts for all.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` holds the lock files; it is made when it is needed."""
        self._folder = folder
        self._guard = threading.Lock()
        self._keys: dict[str, tuple[threading.Lock, int]] = {}  # with how many threads hold or wait for it

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Hold a key."""
        with self._guard:
            lock, count = self._keys.get(key, (threading.Lock(), 0))
            self._keys[key] = (lock, count + 1)
        try:
            with lock, self._among_processes(key):
                yield
        finally:
            with self._guard:
                count = self._keys[key][1] - 1
                if count:
                    self._keys[key] = (lock, count)
                else:
                    del self._keys[key]

    @contextmanager
    def _among_processes(self, key: str) -> Iterator[None]:
        make_folder(self._folder)
        path = self._folder / key
        while True:
            fd = open_file(path, os.O_RDWR)
            try:
                lock(fd, path)
            except OSError:
                break  # no locks here
            try:
                if os.fstat(fd).st_ino == os.stat(path).st_ino:
                    break
            except FileNotFoundError:
                pass  # its holder has removed it meanwhile
            os.close(fd)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            os.close(fd)
