"""A clock for the ledger that a test moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from mlesearch.models.limits import counters as ledger


class Clock:
    """All of `time` that the ledger reads."""

    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@contextmanager
def moved_clock() -> Iterator[Clock]:
    """All ledgers go by it meanwhile."""
    clock = Clock()
    with patch.object(ledger, "time", clock):
        yield clock
