"""For tests of limits on calls: a clock that a test moves, and what a window holds at most."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import patch

from mlesearch.models.limits import counters
from mlesearch.models.limits.breakers import Refused
from mlesearch.models.limits.counters import CallCounters
from mlesearch.models.limits.windows import Admitted, Caps, Wait


class Clock:
    """All of `time` that the counters read."""

    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@contextmanager
def moved_clock() -> Iterator[Clock]:
    """All counters go by it meanwhile."""
    clock = Clock()
    with patch.object(counters, "time", clock):
        yield clock


def busiest(times: Sequence[float], weights: Sequence[int], window_s: float) -> int:
    """The largest sum of weights in any window."""
    order = sorted(zip(times, weights, strict=True))
    at = [t for t, _ in order]
    sums = [0, *itertools.accumulate(w for _, w in order)]
    return max(sums[i + 1] - sums[bisect.bisect_right(at, t - window_s)] for i, t in enumerate(at))


def admit(counters: CallCounters, caps: Caps, tokens: int = 1, ticket: int | None = None) -> Admitted | Wait | Refused:
    """Ask for a call of the one model with the one key."""
    return counters.reserve("key", "model", caps, tokens, ticket, 30.0)
