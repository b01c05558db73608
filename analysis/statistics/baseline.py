"""The gap to the best of several baselines, without the bias of having chosen it on the same tasks.

The observed best of several baselines is better than any of them is on new tasks, so the gap to it is biased against
the treatment. Here the best is chosen on one half of the tasks and compared on the other, and the halves are swapped;
the result is averaged over many splits, so that it does not hang on the order of the tasks. Splitting the seeds instead
would not do: the choice would still be made on the same tasks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlesearch.analysis.data.arrays import Floats
from mlesearch.analysis.statistics.best_of import SPLITS, TIE, divisions, rate_of_best
from mlesearch.analysis.statistics.gaps import SIGN_FLIP_MAX
from mlesearch.analysis.statistics.signflip import sign_flip_above
from mlesearch.analysis.statistics.student import t_above, t_quantile

MIN_TASKS = 4
"""Two tasks a half: with fewer nothing is chosen and compared."""


@dataclass(frozen=True, slots=True)
class BestBaseline:
    """The gap of a treatment to the best of several baselines, as a fraction (0.03 is 3 points).

    Attributes:
        gap: the treatment's rate minus that of the baseline that the other half of the tasks chose.
        low: lower limit of the 95 % interval: jackknife over tasks, t with tasks - 1 degrees of freedom; NaN without
            spread.
        high: upper limit.
        error: the jackknife standard error.
        p_ahead: one-sided, of "ahead of every baseline": the largest of the p-values against each (intersection-union
            test, Berger 1982). Each is by plain exact sign-flip where at most 20 tasks differ, else by t over tasks.
        p_behind: one-sided, of "behind some baseline": the smallest of the p-values against each times their number
            (Bonferroni).
        observed: the gap to the baseline that is best on all tasks; biased against the treatment.
        chosen: by baseline, the share of the halves that chose it; ties are shared.
        tasks: number of tasks.
        splits: number of splits.
    """

    gap: float
    low: float
    high: float
    error: float
    p_ahead: float
    p_behind: float
    observed: float
    chosen: tuple[float, ...]
    tasks: int
    splits: int


def best_baseline(
    treatment: npt.ArrayLike,
    baselines: npt.ArrayLike,
    seed: int = 0,
    splits: int = SPLITS,
    level: float = 0.95,
) -> BestBaseline:
    """The gap of a treatment to the best of several baselines on tasks like these.

    Args:
        treatment: shape (T,): its rate (or any score of which more is better) on each task.
        baselines: shape (B, T): theirs on the same tasks.
        seed: of the splits.
        splits: how many.
        level: of the interval.

    Raises:
        ValueError: no baseline, fewer than four tasks, or shapes that do not match.
    """
    a = np.asarray(treatment, dtype=np.float64)
    b = np.asarray(baselines, dtype=np.float64)
    if b.ndim != 2 or not len(b) or a.shape != b.shape[1:]:
        raise ValueError(f"rates of shape (T,) and (baselines, T) are expected, not {a.shape} and {b.shape}")
    tasks = a.size
    if tasks < MIN_TASKS:
        raise ValueError(
            f"at least {MIN_TASKS} tasks are needed: the best is chosen on one half, compared on the other"
        )
    halves = divisions(tasks, splits, seed)
    gap = float(a.mean()) - float(rate_of_best(b, halves)[0])
    without = (a.sum() - a) / (tasks - 1) - rate_of_best(b, halves, leave_out=True)
    error = math.sqrt((tasks - 1) / tasks * float(((without - without.mean()) ** 2).sum()))
    reach = float(t_quantile(0.5 + level / 2.0, tasks - 1)) * error if error > TIE else math.nan
    against = np.array([_p_above(a - row) for row in b])
    behind = np.array([_p_above(row - a) for row in b])
    return BestBaseline(
        gap=gap,
        low=gap - reach,
        high=gap + reach,
        error=error,
        p_ahead=float(against.max()),
        p_behind=min(1.0, float(behind.min()) * len(b)),
        observed=float(a.mean() - b.mean(axis=1).max()),
        chosen=tuple(_chosen(b, halves).tolist()),
        tasks=tasks,
        splits=splits,
    )


def _p_above(d: Floats) -> float:
    """Of paired differences with mean 0 or less: one-sided p of being above 0, by sign-flip or, with more, by t."""
    if np.count_nonzero(np.abs(d) > TIE) > SIGN_FLIP_MAX and np.ptp(d) > TIE:
        error = float(d.std(ddof=1)) / math.sqrt(d.size)
        return float(t_above(float(d.mean()) / error, d.size - 1))
    return sign_flip_above(d)


def _chosen(b: Floats, halves: npt.NDArray[np.bool_]) -> Floats:
    """The share of the halves that choose each baseline, ties shared, shape (B,)."""
    first = halves.astype(np.float64) @ b.T
    sums = np.stack((first, b.sum(axis=1) - first), axis=1)
    best = (sums >= sums.max(axis=-1, keepdims=True) - TIE).astype(np.float64)
    return np.asarray((best / best.sum(axis=-1, keepdims=True)).mean(axis=(0, 1)), dtype=np.float64)
