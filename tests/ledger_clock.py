"""A clock for the ledger that a test moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlesearch.models import ledger


class Clock:
    """All of `time` that the ledger reads."""

    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@contextmanager
def moved_clock() -> Iterator[Clock]:
    """All ledgers go by it meanwhile."""
    clock, real = Clock(), ledger.time
    ledger.time = clock  # type: ignore[assignment]
    try:
        yield clock
    finally:
        ledger.time = real
