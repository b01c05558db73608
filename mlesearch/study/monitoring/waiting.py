"""What the progress of a launch says of calls: those under way, and once what is odd about their answers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mlesearch.storage.events import Event
from mlesearch.storage.under_way import calls_line
from mlesearch.study.output import above_bars

EVERY_S = 60.0
"""How often a launch without a terminal says what it waits for."""


class CallsUnderWay:
    """Reads what the runs of a launch wait for, once a second at most."""

    def __init__(self, folders: Callable[[], Sequence[Path]]) -> None:
        """Nothing was read yet; folders: of the runs that are under way."""
        self._folders = folders
        self._read = 0.0
        self._said = time.monotonic()

    def say(self, bars: Any, task: Any, console: Any) -> None:
        """Show it.

        Args:
            bars: rich's progress bars.
            task: the bar beside which it stands on a terminal.
            console: where lines go.
        """
        now = time.monotonic()
        if now - self._read < 1.0:
            return
        self._read = now
        if console.is_terminal:
            line = calls_line(self._folders(), time.time())
            bars.update(task, description=f"runs ({line})" if line else "runs")
        elif now - self._said >= EVERY_S:
            self._said = now
            line = calls_line(self._folders(), time.time())
            if line:
                above_bars(line, console)


def notes_of(events: Iterable[Event]) -> Iterator[str]:
    """What replies of a journal note: what was altered in a request, or does not add up in an answer."""
    for event in events:
        if event["type"] in ("reply", "review"):
            yield from event.get("notes", ())


class NotesOnce:
    """One warning for each kind of note in a launch: notes that differ in their numbers are of one kind."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._said: set[str] = set()

    def new(self, run_id: str, notes: list[str]) -> Iterator[str]:
        """Warnings for notes of kinds that were not met before; the notes are taken off the list."""
        for note in notes:
            kind = re.sub(r"\d+", "#", note)
            if kind not in self._said:
                self._said.add(kind)
                yield f"warning: {run_id}: {note} (said once; its journal has each reply's `notes`)"
        notes.clear()
