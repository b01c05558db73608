"""What a replay follows: the journal of the recorded run, event by event.

With several workers the order in which work ended is part of what happened, so a replay takes it from the journal and
waits for nothing. Every event that the replay would write is compared with the recorded one, byte for byte; only the
wall-clock time that has passed is taken over, since it is the recording's that the journal tells of.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from mlesearch import __version__
from mlesearch.storage.codec import dumps
from mlesearch.storage.diff import differences
from mlesearch.storage.events import Event
from mlesearch.storage.journal import Journal, read
from mlesearch.storage.leases import Lease
from mlesearch.types import MlesearchError


class ReplayDiffers(MlesearchError):
    """A replay that comes to another event than the recorded run."""


class Recording:
    """The events of a recorded run, and how far a replay has come."""

    def __init__(self, path: Path) -> None:
        """Read a journal.

        Raises:
            JournalError: it is corrupt.
        """
        self.path = path
        self.header, self._events = read(path)
        self._workers = {e["p"]["id"]: e["worker"] for e in self._events if e["type"] == "asked"}
        self._last_asked = max((i for i, e in enumerate(self._events) if e["type"] == "asked"), default=-1)
        self._at = 0

    def skip(self, count: int) -> None:
        """A replay that was killed has written this many events already."""
        self._at = count

    @property
    def asks(self) -> bool:
        """Whether the next thing that happened was a proposal, and no work that ended."""
        return self._at < len(self._events) and self._events[self._at]["type"] == "asked"

    @property
    def cut(self) -> bool:
        """Whether the wall clock has ended the recorded run, and that no proposal is left."""
        ended = self._events[-1]
        return ended["type"] == "ended" and ended["status"] == "real_time" and self._at > self._last_asked

    def whose(self, waiting: Collection[int]) -> int:
        """The worker whose work ends next, of those whose work is under way.

        Raises:
            ReplayDiffers: that one has none.
        """
        for i in range(self._at, len(self._events)):
            worker = self._ended_by(self._events[i])
            if worker is None:
                continue
            if worker in waiting:
                return worker
            raise self._differs(i, f"worker {worker} ended a piece of work there, and has begun none here")
        raise self._differs(len(self._events), "the recording ends there, and there is work under way here")

    def _ended_by(self, event: Event) -> int | None:
        """The worker whose work an event ends; None for the others, which end none."""
        match event["type"]:
            case "revalidated" | "full_run":
                return event["worker"]
            case "reply" | "review" | "embedded" | "executed" | "sample_run":
                return self._workers[event["id"]]
        return None

    def follow(self, event: Event) -> Event:
        """The recorded event in place of an equal one.

        Raises:
            ReplayDiffers: it is another one; names the field.
        """
        if self._at >= len(self._events):
            raise self._differs(self._at, f"the recording ends there, and here follows {event['type']}")
        recorded = self._events[self._at]
        mine = {**event, "real_us": recorded["real_us"]} if "real_us" in recorded else event
        if dumps(mine) != dumps(recorded):
            found = differences(recorded, json.loads(dumps(mine))) or ["the order of its fields"]
            raise self._differs(self._at, f"its {recorded['type']} differs in {'; '.join(found[:3])}")
        self._at += 1
        return recorded

    def _differs(self, at: int, what: str) -> ReplayDiffers:
        version = self.header.get("mlesearch")
        by = "" if version == __version__ else f" (recorded by mlesearch {version}, this is {__version__})"
        return ReplayDiffers(f"replay of {self.path}, line {at + 2}: {what}{by}")


class FollowedJournal(Journal):
    """A journal that takes an event only where it is the recorded one."""

    def __init__(self, path: Path, recording: Recording, lease: Lease | None = None) -> None:
        """Open for appending, with the recording's header."""
        self._recording: Recording | None = None
        super().__init__(path, recording.header, lease=lease)
        recording.skip(len(self.events))
        self._recording = recording

    def append(self, event: Event, durable: bool = False) -> None:
        """Write the recorded event; it can be had again, so the disk is not waited for.

        Raises:
            ReplayDiffers: the recorded event is another one.
        """
        super().append(event if self._recording is None else self._recording.follow(event))
