"""Whether a published rate can be one at all: the granularity of means over tasks and seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishedRate:
    """Which numbers of seeds a published mean ± SEM over seeds can come from.

    Attributes:
        by_mean: numbers of seeds with which the mean is a whole number of successes, within rounding.
        by_both: those of them with which the SEM is possible too.
    """

    by_mean: tuple[int, ...]
    by_both: tuple[int, ...]

    @property
    def words(self) -> str:
        """What may be said of it."""
        if self.by_both:
            return f"possible with {', '.join(map(str, self.by_both))} seeds"
        return "no common number of seeds: unequal numbers of runs, other tasks or other rounding give such figures too"


def published_rate(
    mean_pct: float, sem_pct: float | None, tasks: int, decimals: int = 1, seeds: Iterable[int] = range(1, 21)
) -> PublishedRate:
    """The granularity test of means (GRIM; Brown and Heathers 2017) for a rate over tasks and seeds.

    With K seeds of T tasks a rate is a multiple of 1/(T K), and the SEM over seeds (ddof 1) is that of K whole numbers
    of successes with this sum.

    Args:
        mean_pct: as published.
        sem_pct: as published; None: not published.
        tasks: T, all with the same number of seeds.
        decimals: with which both were published.
        seeds: numbers of seeds that are tried.
    """
    half = 0.5 * 10.0**-decimals + 1e-9
    means, both = [], []
    for count in seeds:
        unit = 100.0 / (tasks * count)
        low, high = math.ceil((mean_pct - half) / unit), math.floor((mean_pct + half) / unit)
        sums = range(max(low, 0), min(high, tasks * count) + 1)
        if not sums:
            continue
        means.append(count)
        if sem_pct is None or any(_has_sem(hits, count, tasks, sem_pct, half) for hits in sums):
            both.append(count)
    return PublishedRate(tuple(means), tuple(both))


def _has_sem(hits: int, seeds: int, tasks: int, sem_pct: float, half: float) -> bool:
    """Whether some `seeds` whole numbers of successes with this sum have the SEM, within rounding.

    Whole numbers x_k with sum S have `SEM^2 = sum (x_k - S/K)^2 / (K (K - 1))` in units of a task. All sums of squares
    that can be reached are enumerated, as the bits of one number for each sum of deviations.
    """
    if seeds == 1:
        return sem_pct <= half
    base = round(hits / seeds)
    offset = seeds * (hits / seeds - base) ** 2
    scale = (tasks / 100.0) ** 2 * seeds * (seeds - 1)
    low = math.ceil(max(sem_pct - half, 0.0) ** 2 * scale + offset - 1e-9)
    high = math.floor((sem_pct + half) ** 2 * scale + offset + 1e-9)
    if high < low:
        return False
    mask = (1 << (high + 1)) - 1
    reach = math.isqrt(high)
    steps = range(-min(reach, base), min(reach, tasks - base) + 1)
    reached = {0: 1}
    for _ in range(seeds):
        further: dict[int, int] = {}
        for total, squares in reached.items():
            for step in steps:
                found = squares << step * step & mask
                if found:
                    further[total + step] = further.get(total + step, 0) | found
        reached = further
    return bool(reached.get(hits - seeds * base, 0) >> low)
