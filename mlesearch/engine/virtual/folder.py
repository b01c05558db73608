"""A run's files kept in memory while it goes on: the same names and the same bytes that a run's folder would hold."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mlesearch.engine.folder import RunFolder
from mlesearch.storage import codec
from mlesearch.storage.blobs import BLOBS
from mlesearch.storage.documents import BEST, GRADES, BestFile, GradeLine
from mlesearch.storage.events import Event, Header, HeaderFields
from mlesearch.storage.journal import FORMAT, JOURNAL, JournalError
from mlesearch.types import Node


class MemoryJournal:
    """The lines of a journal."""

    def __init__(self, path: Path, header: HeaderFields) -> None:
        """Begin one."""
        self.path = path
        self.header: Header = {"type": "journal", "format": FORMAT, **header}
        self.events: list[Event] = []  # of an earlier process: none
        self.written: list[Event] = []
        self.lines = [codec.dumps(self.header)]

    def append(self, event: Event, durable: bool = False) -> None:
        """Add an event."""
        self.written.append(event)
        self.lines.append(codec.dumps(event))

    def close(self) -> None:
        """Nothing is open."""


class MemoryBlobs:
    """Texts by their sha256."""

    def __init__(self) -> None:
        """None yet."""
        self.texts: dict[str, str] = {}

    def put(self, text: str, durable: bool = False) -> str:
        """Keep a text; returns its sha256 in hex."""
        digest = hashlib.sha256(text.encode()).hexdigest()
        self.texts[digest] = text
        return digest

    def get(self, digest: str) -> str:
        """The text of a digest.

        Raises:
            JournalError: it was never put.
        """
        if digest not in self.texts:
            raise JournalError(f"{digest}: no such blob")
        return self.texts[digest]


class MemoryFolder(RunFolder):
    """The writer of a run whose programs are looked up: there are no submissions, and nothing is read back."""

    journal: MemoryJournal
    blobs: MemoryBlobs

    def __init__(self, folder: Path, header: HeaderFields, *, keep_prompts: bool) -> None:
        """Begin the run.

        Args:
            folder: where its files belong.
            header: of its journal.
            keep_prompts: store each prompt as a blob.
        """
        self._begin(folder, durable=False, keep_prompts=keep_prompts)
        self.journal = MemoryJournal(folder / JOURNAL, header)
        self.blobs = MemoryBlobs()
        self.grades: dict[int, GradeLine] = {}
        self._best: dict[str, str] = {}

    def files(self) -> dict[str, bytes]:
        """All that it holds, by names within its folder."""
        found = {JOURNAL: "".join(f"{line}\n" for line in self.journal.lines)}
        found[GRADES] = "".join(f"{codec.dumps(line)}\n" for line in self.grades.values())
        found |= {f"{BLOBS}/{digest}": text for digest, text in self.blobs.texts.items()} | self._best
        return {name: text.encode() for name, text in found.items()}

    def close(self) -> None:
        """Nothing is open."""

    def drop_outbox(self, id: int) -> None:
        """There is none."""

    def graded_ids(self) -> set[int]:
        """None: nothing is read back."""
        return set()

    def best(self, node: Node, outbox: Path | None) -> None:
        """Keep a node as the best."""
        best: BestFile = {"id": node.id, "validation_score": node.score}
        self._best = {"best/solution.py": node.code, BEST: codec.dumps(best) + "\n"}

    def drop_best(self) -> None:
        """No node counts (any more)."""
        self._best = {}

    def prune(self) -> None:
        """There is nothing to prune."""

    def _write_grade(self, line: GradeLine) -> None:
        self.grades[line["id"]] = line
