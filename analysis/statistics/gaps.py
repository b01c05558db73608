"""The gap between two strategies, paired by task: estimate, interval, test, and what the test could attain.

Seeds are not pairs: seed 3 of one strategy has nothing to do with seed 3 of another, so nothing is matched on them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from mlesearch.analysis.data.arrays import Floats, Ints, Sums
from mlesearch.analysis.statistics.signflip import sign_flip, sign_flip_interval
from mlesearch.analysis.statistics.student import t_above, t_quantile

Method = Literal["exact sign-flip", "mid-p sign-flip", "t over tasks", "none"]
Adjustment = Literal["holm", "bh"]

SIGN_FLIP_MAX = 20
"""At most this many nonzero differences are tested by sign-flip, more by t."""

MEASURE_FLIPS = 14
"""The same of a measure, whose differences are seldom alike, so that there are as many sums as sign patterns."""

RESOLUTION = 1_000_000
"""Means of a measure that differ by less than one such part of a whole are taken as alike by sign-flip."""


def flips_of(hits: Sums) -> int:
    """How many nonzero differences at most are tested by sign-flip: of successes, or of a measure's sums."""
    return MEASURE_FLIPS if hits.dtype.kind == "f" else SIGN_FLIP_MAX


@dataclass(frozen=True, slots=True)
class Gap:
    """One paired gap, as a fraction (0.03 is 3 points).

    Attributes:
        gap: mean over tasks of the difference of the two rates.
        low: lower limit of the interval that the test leaves; NaN where not estimable.
        high: upper limit.
        p: two-sided.
        attainable_p: smallest p that these data could attain, whatever their signs.
        method: the test.
        tasks: number of tasks.
        informative: number of tasks on which the two differ.
        p_adjusted: over the family of models.
        attainable_adjusted: the same adjustment of the smallest attainable p of the family.
        refused: why the two are not compared; empty where they are. Then there is no gap, and p is 1.
        lost: runs of the two that have no result.
        least: the gap if every one of these had spoken against the treatment.
        most: the gap if every one of them had spoken for it.
        held: whether the test rejects in the same direction then too; so without such runs.
        planned: whether the design has both with this model; where not, it is no test of the family.
    """

    gap: float
    low: float
    high: float
    p: float
    attainable_p: float
    method: Method
    tasks: int
    informative: int
    p_adjusted: float
    attainable_adjusted: float
    refused: str = ""
    lost: int = 0
    least: float = math.nan
    most: float = math.nan
    held: bool = True
    planned: bool = True

    def rejects(self, alpha: float = 0.05) -> bool:
        """Whether the adjusted test rejects a gap of zero, however the runs without a result had come out."""
        return self.p_adjusted <= alpha and self.held

    def can_reject(self, alpha: float = 0.05) -> bool:
        """Whether these data could have rejected at all."""
        return self.attainable_adjusted <= alpha


def task_differences(hits: npt.ArrayLike, counts: npt.ArrayLike) -> tuple[Ints, int]:
    """Differences of two arms' rates per task as whole multiples of a common unit, so that ties are exact.

    Args:
        hits: shape (2, T): treatment, then baseline; whole numbers, or sums of a measure, which are rounded.
        counts: shape (2, T).

    Returns:
        The differences in units of 1/denominator, shape (T,), and the denominator.
    """
    h = np.asarray(hits)
    k = np.asarray(counts, dtype=np.int64)
    unit = int(np.lcm.reduce(np.unique(k)))
    if h.dtype.kind == "f":
        whole = np.rint(h * (RESOLUTION * (unit // k))).astype(np.int64)
        return whole[0] - whole[1], RESOLUTION * unit
    whole = h.astype(np.int64) * (unit // k)
    return whole[0] - whole[1], unit


def paired_gap(hits: npt.ArrayLike, counts: npt.ArrayLike, level: float = 0.95, mid_p: bool = False) -> Gap:
    """The gap of two arms over the same tasks.

    Test: sign-flip where at most 20 differences are nonzero (14 of a measure), else t over tasks. Interval: the
    inversion of the same test. It is not estimable where all differences are alike, or where so few tasks could reject
    nothing.

    Args:
        hits: shape (2, T): successful runs per task, treatment first; floats are sums of a measure.
        counts: shape (2, T): runs per task, at least 1.
        level: of the interval.
        mid_p: sign-flip with mid-p, for exploration; else exact.
    """
    h = np.asarray(hits)
    whole, unit = task_differences(h, counts)
    tasks, flips, measured = whole.size, flips_of(h), h.dtype.kind == "f"
    informative = int((whole != 0).sum())
    rates = h / np.asarray(counts)
    d = rates[0] - rates[1] if measured else whole / unit
    gap = float(d.mean())
    method: Method = "mid-p sign-flip" if mid_p else "exact sign-flip"
    alike = bool(np.ptp(whole) == 0)
    low = high = math.nan
    widest = math.inf if measured else 1.0
    if informative > flips and not alike:
        error = float(d.std(ddof=1) / np.sqrt(tasks))
        p, attainable, method = float(2.0 * t_above(abs(gap) / error, tasks - 1)), 0.0, "t over tasks"
        reach = float(t_quantile(0.5 + level / 2.0, tasks - 1)) * error
        low, high = max(-widest, gap - reach), min(widest, gap + reach)
    elif informative > flips:  # all tasks differ by the same amount: t has no scale, the signs have
        p = attainable = 2.0 ** ((0 if mid_p else 1) - informative)
    else:
        p, attainable = sign_flip(whole, mid_p)
        low, high = (limit / unit for limit in sign_flip_interval(whole, level, mid_p))
        method = method if informative else "none"
    return Gap(gap, low, high, p, attainable, method, tasks, informative, p, attainable)


def not_compared(refused: str, tasks: int, planned: bool = True) -> Gap:
    """The place of a gap that there is none of.

    Args:
        refused: why, in words.
        tasks: number of tasks.
        planned: whether the design has both strategies with this model.
    """
    nan = math.nan
    return Gap(nan, nan, nan, 1.0, 1.0, "none", tasks, 0, 1.0, 1.0, refused, planned=planned)


def holm(p: Sequence[float] | Floats) -> Floats:
    """Holm's step-down adjustment (Holm 1979): strong control of any false rejection. Shape kept."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def benjamini_hochberg(p: Sequence[float] | Floats) -> Floats:
    """The step-up adjustment of Benjamini and Hochberg (1995): control of the share of false rejections."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    stepped = np.minimum.accumulate(values[order] * values.size / np.arange(values.size, 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def adjust(gaps: Sequence[Gap], method: Adjustment) -> tuple[Gap, ...]:
    """The family's gaps with adjusted p-values: Holm for the declared pair, BH for exploration."""
    correct = holm if method == "holm" else benjamini_hochberg
    if not gaps:
        return ()
    p = correct([gap.p for gap in gaps])
    attainable = correct([gap.attainable_p for gap in gaps])
    return tuple(
        replace(gap, p_adjusted=float(a), attainable_adjusted=float(b))
        for gap, a, b in zip(gaps, p, attainable, strict=True)
    )
