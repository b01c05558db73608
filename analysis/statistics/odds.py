"""Does the odds ratio of two strategies change with capability? A trend that a change of scale cannot remove.

A constant advantage in log odds is a growing gap in rates where weak models are near the floor. So beside the slope of
the rates stands the trend of the log odds ratio: `log OR = a + b * capability`, conditional on the number of successes
in each (model, task), which removes what is particular to model and task (Cox 1970; Breslow and Day 1980). No cell
needs a success.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from mlesearch.analysis.data.arrays import Floats, Ints
from mlesearch.analysis.statistics.student import t_above

STEPS = 50
"""Newton steps at most."""

BOUND = 30.0
"""Log odds ratios beyond this count as infinite: one strategy never succeeds, or always, where the other does not."""


@dataclass(frozen=True, slots=True)
class OddsTrend:
    """The trend of the log odds ratio over capability.

    Attributes:
        trend: change per unit of capability, by conditional maximum likelihood; infinite where the data separate.
        p: two-sided, of the score test of no trend, clustered by task: t with tasks - 1 degrees of freedom.
        tasks: number of tasks that tell anything: with a (model, task) in which some runs succeed and some do not.
        informative: number of such (model, task) pairs.
    """

    trend: float
    p: float
    tasks: int
    informative: int


def odds_trend(hits: npt.ArrayLike, counts: npt.ArrayLike, capability: npt.ArrayLike) -> OddsTrend:
    """Estimates the trend of the log odds ratio over capability, and tests it.

    Under the null all (model, task) share one odds ratio, which is estimated. The score of the trend, less its
    regression on the score of that ratio, is summed by task; these sums are compared with zero by t.

    Args:
        hits: shape (M, 2, T): successful runs, treatment first.
        counts: shape (M, 2, T): runs.
        capability: shape (M,).

    Returns:
        NaN where fewer than two models of different capability, or fewer than two tasks, tell anything.
    """
    h, k = np.asarray(hits, dtype=np.int64), np.asarray(counts, dtype=np.int64)
    c = np.broadcast_to(np.asarray(capability, dtype=np.float64)[:, None], h[:, 0].shape)
    total = h.sum(axis=1)
    inside = (total > 0) & (total < k.sum(axis=1))
    rows, task = h[:, 0][inside], np.nonzero(inside)[1]
    x = c[inside]
    tasks = int(np.unique(task).size)
    if tasks < 2 or np.ptp(x) == 0:
        return OddsTrend(math.nan, math.nan, tasks, int(inside.sum()))
    width = int(k.max()) + 1
    key = ((np.nonzero(inside)[0] * 2 * width + total[inside]) * width + k[:, 0][inside]) * width + k[:, 1][inside]
    _, first, alike, n = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    values, base = _strata(total[inside][first], k[:, 0][inside][first], k[:, 1][inside][first])
    treated = np.asarray(np.bincount(alike, weights=rows), dtype=np.float64)
    at = x[first]  # of all strata of one model with the same margins
    common = _common_ratio(treated, n, values, base)
    mean, variance = _moments(values, base, np.full(n.size, common))
    variance = n * variance
    centre = float(variance @ at / variance.sum()) if variance.sum() > 0 else float(x.mean())
    score = np.bincount(task, weights=(x - centre) * (rows - mean[alike]), minlength=h.shape[2])
    score = score[np.bincount(task, minlength=h.shape[2]) > 0]
    error = float(score.std(ddof=1)) * math.sqrt(tasks)
    p = float(2.0 * t_above(abs(score.sum()) / error, tasks - 1)) if error > 1e-12 else math.nan
    return OddsTrend(_conditional_fit(treated, n, values, base, at, common), p, tasks, int(inside.sum()))


def _strata(total: Ints, treated: Ints, others: Ints) -> tuple[Floats, Floats]:
    """The possible successes of the treatment in each stratum, and the logarithm of their ways; both (n, V).

    Ways are -inf where a value is impossible there.
    """
    values = np.arange(int(treated.max()) + 1, dtype=np.float64)
    t, k, m = total[:, None], treated[:, None], others[:, None]
    possible = (values <= np.minimum(t, k)) & (values >= t - m)

    def ways(n: npt.NDArray[np.generic], r: npt.NDArray[np.generic]) -> Floats:
        whole, part = n.astype(np.float64), np.clip(r.astype(np.float64), 0.0, n)
        return np.asarray(gammaln(whole + 1) - gammaln(part + 1) - gammaln(whole - part + 1), dtype=np.float64)

    base = np.where(possible, ways(k, values[None, :]) + ways(m, t - values), -np.inf)
    return values, np.asarray(base, dtype=np.float64)


def _moments(values: Floats, base: Floats, log_ratio: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of the treatment's successes, given their sum, in each stratum (noncentral hypergeometric)."""
    weight = base + log_ratio[:, None] * values
    weight = np.exp(weight - weight.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    mean = weight @ values
    return mean, weight @ values**2 - mean**2


def _common_ratio(treated: Floats, n: Ints, values: Floats, base: Floats) -> float:
    """The conditional maximum-likelihood log odds ratio of all strata together, by Newton's method.

    `treated` has the treatment's successes, summed over the `n` strata of each row of `base`.
    """
    theta, total = 0.0, float(treated.sum())
    for _ in range(STEPS):
        mean, variance = _moments(values, base, np.full(n.size, theta))
        information = float(n @ variance)
        if information <= 1e-12 or abs(theta) > BOUND:
            break
        step = (total - float(n @ mean)) / information
        theta += math.copysign(min(abs(step), 2.0), step)
        if abs(step) < 1e-12:
            break
    return float(np.clip(theta, -BOUND, BOUND))


def _conditional_fit(treated: Floats, n: Ints, values: Floats, base: Floats, x: Floats, start: float) -> float:
    """The trend of the conditional likelihood with intercept and trend; infinite where it has no maximum."""
    beta = np.array([start, 0.0])
    design = np.column_stack((np.ones_like(x), x - x.mean()))
    for _ in range(STEPS):
        mean, variance = _moments(values, base, design @ beta)
        information = design.T @ ((n * variance)[:, None] * design)
        if np.linalg.det(information) <= 1e-12 or np.abs(design @ beta).max() > BOUND:
            return math.copysign(math.inf, float(beta[1]))
        step = np.linalg.solve(information, design.T @ (treated - n * mean))
        beta = beta + step / max(1.0, float(np.abs(step).max()) / 2.0)
        if np.abs(step).max() < 1e-10:
            break
    return float(beta[1])
