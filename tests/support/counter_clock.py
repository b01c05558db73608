"""A clock for the counters that a test moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from mlesearch.models.limits import counters


class Clock:
    """All of `time` that the counters read."""

    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@contextmanager
def moved_clock() -> Iterator[Clock]:
    """All ledgers go by it meanwhile."""
    clock = Clock()
    with patch.object(counters, "time", clock):
        yield clock
