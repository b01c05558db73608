"""For tests of limits on calls: a clock that a test moves, and what a window holds at most."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence
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
