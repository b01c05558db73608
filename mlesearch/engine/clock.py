"""Charged time: one timeline a worker, in integer microseconds; and, beside it, the wall clock.

A worker's timeline grows by the service time of its model calls and the run time of its programs, and by nothing
else: waiting for a rate limit, backoff and the time a run was down are recorded beside it. The same code serves
measured durations (real) and recorded or simulated ones (virtual); see `mlesearch.engine.workers` for who waits.
"""

from __future__ import annotations

import time
from collections.abc import Collection

from mlesearch.types import MICROSECONDS


class Timelines:
    """Charged time of each worker of a run, microseconds."""

    def __init__(self, workers: int) -> None:
        """All timelines start at 0."""
        self._at = [0] * workers

    def at(self, worker: int) -> int:
        """Where a worker's timeline stands."""
        return self._at[worker]

    def charge(self, worker: int, duration_us: int) -> int:
        """Let a worker's time pass; returns where it stands then."""
        self._at[worker] += duration_us
        return self._at[worker]

    def start(self, worker: int, not_before_us: int) -> int:
        """A worker that idled starts again, not before the event that gave it work."""
        self._at[worker] = max(self._at[worker], not_before_us)
        return self._at[worker]

    def restore(self, worker: int, at_us: int) -> None:
        """Put a timeline where a journal says it stood."""
        self._at[worker] = at_us

    @property
    def furthest(self) -> int:
        """The run's charged time: that of the furthest worker."""
        return max(self._at)

    def next_idle(self, busy: Collection[int]) -> int | None:
        """Of the workers that are not busy the one that stands earliest; ties go to the lower number."""
        if len(busy) == len(self._at):
            return None
        return min((w for w in range(len(self._at)) if w not in busy), key=self._at.__getitem__)


class WallClock:
    """Wall-clock time of a run: of this process since it was made, and of those before it."""

    def __init__(self, runs: bool = True) -> None:
        """It runs from now on, or stands still at 0."""
        self.before_us = 0
        self._now_s = time.monotonic if runs else float
        self._started_s = self._now_s()

    @property
    def process_s(self) -> float:
        """Time of this process on the run, seconds."""
        return self._now_s() - self._started_s

    @property
    def run_us(self) -> int:
        """Time of all processes on the run, microseconds."""
        return self.before_us + int(self.process_s * MICROSECONDS)
