"""The blobs of a run: texts that are too long for its journal, or that many events share."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Protocol

from mlesearch.storage.cell_store import read_bytes
from mlesearch.storage.events import Executed, SampleRan
from mlesearch.storage.file_systems import naming
from mlesearch.storage.files import make_folder, rights_of, sync_folder, write_whole
from mlesearch.storage.journal import JournalError
from mlesearch.storage.nouns import OutputJson

BLOBS = "blobs"
"""Their folder within a run's."""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC


class BlobStore(Protocol):
    """What texts are put into, by their sha256."""

    def put(self, text: str, durable: bool = False) -> str:
        """Store a text; returns its sha256 in hex."""
        ...

    def get(self, digest: str) -> str:
        """The text of a digest."""
        ...


class Blobs:
    """Content-addressed texts of a run: programs, outputs, prompts and replies, each in a file named by its sha256.

    A file is written under its final name with one call before the event that names it, so an event never names a
    blob that is not there.
    """

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which is made when a text is put into it."""
        self.folder = folder
        self._known: set[str] = set()
        self._rights = 0
        self._prefix = f"{folder}/"

    def put(self, text: str, durable: bool = False) -> str:
        """Store a text; returns its sha256 in hex."""
        data = text.encode()
        digest = hashlib.sha256(data).hexdigest()
        if digest in self._known:
            return digest
        if not self._known:
            make_folder(self.folder)
            self._rights = rights_of(self.folder) & 0o666
        path = self._prefix + digest
        try:
            fd = os.open(path, _NEW | os.O_EXCL, self._rights)
        except FileExistsError:
            if Path(path).read_bytes() == data:
                self._known.add(digest)
                return digest
            fd = os.open(path, _NEW | os.O_TRUNC, self._rights)
        with naming(Path(path)):
            try:
                write_whole(fd, data, Path(path))
                if durable:
                    os.fdatasync(fd)
            finally:
                os.close(fd)
        if durable:
            sync_folder(self.folder)
        self._known.add(digest)
        return digest

    def get(self, digest: str) -> str:
        """The text of a digest.

        Raises:
            JournalError: absent, or its content does not match its name.
        """
        path = self.folder / digest
        try:
            data = read_bytes(path)
        except FileNotFoundError:
            raise JournalError(f"{path}: the journal names this blob, and it is not there") from None
        if hashlib.sha256(data).hexdigest() != digest:
            raise JournalError(f"{path}: its content does not match its name")
        return data.decode()


def output_of(event: Executed | SampleRan, blobs: BlobStore) -> OutputJson | None:
    """Both streams of an *executed* or *sample_run* event; None when the program printed nothing."""
    output = event.get("output")
    if isinstance(output, str):
        loaded: OutputJson = json.loads(blobs.get(output))
        return loaded
    return output
