"""The best of one group of strategies against the best of another, without the bias of choosing the best.

Whoever takes the strategy with the highest rate and reads its rate off the same tasks reads too much: of equal ones the
highest is high by luck. So the best is chosen on one half of the tasks and read off the other, and the other way round.
Tasks are divided rather than seeds, since luck with the tasks is shared by all seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mlesearch.analysis.data.arrays import Floats, Ints, Sums
from mlesearch.analysis.statistics.gaps import benjamini_hochberg, paired_gap
from mlesearch.analysis.statistics.student import t_quantile

SPLITS = 100
"""Divisions of the tasks into halves; the figure is the mean over them, so that it hangs on no single one."""

SEED = 20_251
"""Of these divisions: the same in every report."""

TIE = 1e-9
"""Rates that differ by no more are equal; of equal ones all are chosen, and their rates averaged."""


@dataclass(frozen=True, slots=True)
class BestGap:
    """The gap of the best of one group over the best of another, as a fraction.

    Attributes:
        gap: best chosen on half of the tasks and read off the other half, mean over both halves and `SPLITS` divisions;
            NaN with fewer than two tasks.
        low: lower limit of the 95 % t interval with the jackknife error over tasks; NaN with fewer than four tasks.
        high: upper limit.
        p: that no strategy of the first group is ahead of all of the other: see `best_gap`.
        p_adjusted: over the family.
        tasks: number of tasks.
    """

    gap: float
    low: float
    high: float
    p: float
    p_adjusted: float
    tasks: int

    def ahead(self, alpha: float = 0.05) -> bool:
        """Whether it is established that the first group's best is ahead."""
        return self.p_adjusted <= alpha and self.gap > 0


def best_gap(hits: tuple[Sums, Sums], counts: tuple[Ints, Ints]) -> BestGap:
    """The gap of the best of the first group over the best of the second, paired by task.

    Test: a strategy is ahead of all of the second group where it is ahead of each (intersection-union), so its p is the
    largest of its two-sided paired tests, 1 where it is behind one of them. Of several in the first group the smallest
    p counts, times their number (Bonferroni). Nothing is chosen by the data in it.

    Args:
        hits: of each group, shape (strategies, T): successful runs per task.
        counts: likewise: runs per task, at least 1.
    """
    first, second = (np.asarray(h / k, dtype=np.float64) for h, k in zip(hits, counts, strict=True))
    alone = [_ahead_of_all(h, k, hits[1], counts[1]) for h, k in zip(hits[0], counts[0], strict=True)]
    p = min(1.0, len(alone) * min(alone))
    tasks = first.shape[1]
    halves = divisions(tasks)
    if not halves.size:
        return BestGap(math.nan, math.nan, math.nan, p, p, tasks)
    gap = float(rate_of_best(first, halves)[0] - rate_of_best(second, halves)[0])
    low = high = math.nan
    if tasks >= 4:
        left_out = rate_of_best(first, halves, leave_out=True) - rate_of_best(second, halves, leave_out=True)
        error = math.sqrt((tasks - 1) / tasks * float(((left_out - left_out.mean()) ** 2).sum()))
        reach = float(t_quantile(0.975, tasks - 1)) * error
        low, high = (max(-1.0, gap - reach), min(1.0, gap + reach)) if error > 0 else (math.nan, math.nan)
    return BestGap(gap, low, high, p, p, tasks)


def adjusted(gaps: Sequence[BestGap]) -> tuple[BestGap, ...]:
    """The gaps of a family with p-values by Benjamini and Hochberg."""
    values = benjamini_hochberg([gap.p for gap in gaps])
    return tuple(replace(gap, p_adjusted=float(p)) for gap, p in zip(gaps, values, strict=True))


def divisions(tasks: int, splits: int = SPLITS, seed: int = SEED) -> npt.NDArray[np.bool_]:
    """Halves of the tasks, shape (splits, tasks); no rows where there are fewer than two tasks."""
    if tasks < 2:
        return np.zeros((0, tasks), dtype=np.bool_)
    rng = np.random.default_rng(seed)
    half = np.arange(tasks) < tasks // 2
    return np.array([rng.permutation(half) for _ in range(splits)], dtype=np.bool_)


def _ahead_of_all(hits: Sums, counts: Ints, others: Sums, of_others: Ints) -> float:
    """The p of one strategy being ahead of each of the others."""
    found = [paired_gap(np.stack((hits, h)), np.stack((counts, k))) for h, k in zip(others, of_others, strict=True)]
    return max(gap.p if gap.gap > 0 else 1.0 for gap in found)


def rate_of_best(rates: Floats, halves: npt.NDArray[np.bool_], *, leave_out: bool = False) -> Floats:
    """The rate of the best strategy, chosen on one half and read off the other, both ways, mean over divisions.

    Args:
        rates: shape (strategies, T).
        halves: shape (R, T).
        leave_out: whether with each task left out in turn.

    Returns:
        Shape (1,), or (T,) with each task left out.
    """
    whole = rates.sum(axis=1)[None, :, None]
    one = (rates @ halves.T)[None]  # (1, S, R): sums over the half
    size = halves.sum(axis=1)[None, None, :].astype(np.float64)
    total = float(rates.shape[1])
    if leave_out:
        own = rates.T[:, :, None]  # (T, S, 1)
        inside = halves.T[:, None, :]  # (T, 1, R)
        one, whole = one - own * inside, whole - own
        size, total = size - inside, total - 1
    other = whole - one
    read = _of_best(one / size, other) + _of_best(other / (total - size), one)
    return np.asarray(read.mean(axis=1) / total, dtype=np.float64)


def _of_best(chosen_by: Floats, read_off: Floats) -> Floats:
    """Of the strategies (axis 1) that are best by one figure, the mean of the other."""
    best = chosen_by >= chosen_by.max(axis=1, keepdims=True) - TIE
    return np.asarray((best * read_off).sum(axis=1) / best.sum(axis=1), dtype=np.float64)
