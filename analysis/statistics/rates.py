"""Rates with error bars that hold: two targets, one formula, and what the benchmark's own board prints.

E2 ("tasks like these") treats the tasks as random, E1 ("this benchmark") only the runs. Both are Wilson's score
interval (Wilson 1927) at an effective number of trials: `n_eff = r (1 - r) / V`, with V the variance of the rate r.
Every function works on whole arrays of cells at once: tasks lie along the last axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlesearch.analysis.data.arrays import Floats, Ints
from mlesearch.analysis.statistics.student import t_quantile


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates with intervals, one per cell; all arrays have the shape of the input without its last axis.

    Attributes:
        rate: mean over tasks of the share of successful seeds.
        low: lower limit; NaN where the interval is not estimable.
        high: upper limit; NaN where the interval is not estimable.
        n_eff: effective number of trials; NaN where not estimable.
        df: degrees of freedom of the quantile.
    """

    rate: Floats
    low: Floats
    high: Floats
    n_eff: Floats
    df: Floats


@dataclass(frozen=True, slots=True)
class Parity:
    """What MLE-bench's own aggregation reports, in percent.

    Attributes:
        mean: over seeds, of each seed's percentage.
        sem: standard error of that mean over seeds (ddof 1); 0 for one seed.
        low: mean - 1.96 sem.
        high: mean + 1.96 sem.
        seeds: number of seeds that were averaged.
        tasks: number of tasks in each.
    """

    mean: float
    sem: float
    low: float
    high: float
    seeds: int
    tasks: int


def wilson(rate: npt.ArrayLike, n: npt.ArrayLike, q: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Wilson's score interval: both limits.

    Args:
        rate: observed rates, 0 to 1.
        n: numbers of trials, not necessarily whole.
        q: quantiles of the reference distribution (1.96 for a normal one at 95 %).
    """
    r, m, z = (np.asarray(value, dtype=np.float64) for value in (rate, n, q))
    scale = 1.0 + z**2 / m
    centre = (r + z**2 / (2.0 * m)) / scale
    half = z / scale * np.sqrt(np.maximum(r * (1.0 - r), 0.0) / m + z**2 / (4.0 * m**2))
    return np.clip(centre - half, 0.0, r), np.clip(centre + half, r, 1.0)


def checked_counts(hits: npt.ArrayLike, counts: npt.ArrayLike) -> tuple[Ints, Ints]:
    """Hits and runs as whole numbers of one shape.

    Raises:
        ValueError: no task, a task without a run, or more hits than runs.
    """
    h, k = np.broadcast_arrays(np.asarray(hits, dtype=np.int64), np.asarray(counts, dtype=np.int64))
    if h.ndim == 0 or h.shape[-1] == 0:
        raise ValueError("at least one task is needed")
    if (k < 1).any() or (h < 0).any() or (h > k).any():
        raise ValueError("every task needs at least one run, and 0 <= hits <= runs")
    return h, k


def wilson_at_variance(
    rate: Floats, variance: Floats, df: Floats, n_max: Floats, n_edge: Floats, edge: Any, level: float
) -> Rates:
    """Wilson at n_eff, given a variance of the rate.

    Args:
        rate: shape (...).
        variance: of it, likewise.
        df: degrees of freedom of the t quantile; below 1 the interval is not estimable.
        n_max: the most that n_eff may be.
        n_edge: n_eff where the rate is 0 or 1.
        edge: where it is exactly that.
        level: of the interval.
    """
    spread = np.maximum(rate * (1.0 - rate), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        n_eff = np.where(variance > 0, spread / variance, np.inf)
    n_eff = np.where(edge, n_edge, np.minimum(n_eff, n_max))
    estimable = df >= 1
    q = t_quantile(0.5 + level / 2.0, np.where(estimable, df, 1.0))
    low, high = wilson(rate, n_eff, q)
    return Rates(
        rate=rate,
        low=np.where(estimable, low, np.nan),
        high=np.where(estimable, high, np.nan),
        n_eff=np.where(estimable, n_eff, np.nan),
        df=df,
    )


def e2_rates(hits: npt.ArrayLike, counts: npt.ArrayLike, level: float = 0.95) -> Rates:
    """The rate on tasks like these: tasks and runs random.

    `V = Var_t(p_t, ddof 1) / T`, quantile t with T - 1 degrees of freedom, n_eff at most the number of runs, and T at
    a rate of exactly 0 or 1. Not estimable with one task.

    Args:
        hits: shape (..., T): successful runs per task.
        counts: broadcastable to it: runs per task, at least 1.
        level: of the interval.
    """
    h, k = checked_counts(hits, counts)
    tasks = h.shape[-1]
    p = h / k
    rate = p.mean(axis=-1)
    variance = p.var(axis=-1, ddof=1) / tasks if tasks > 1 else np.zeros_like(rate)
    runs = k.sum(axis=-1).astype(np.float64)
    edge = (h == 0).all(axis=-1) | (h == k).all(axis=-1)
    df = np.full_like(rate, tasks - 1)
    return wilson_at_variance(rate, variance, df, runs, np.full_like(rate, tasks), edge, level)


def e1_rates(hits: npt.ArrayLike, counts: npt.ArrayLike, level: float = 0.95) -> Rates:
    """The rate on this benchmark: tasks fixed, runs random.

    `V = sum_t p_t (1 - p_t) / (K_t - 1) / T^2`, not below half of what one task with a single differing run would
    give, `(K - 1) / K^2 / T^2`; quantile t with `sum_t (K_t - 1)` degrees of freedom; n_eff the number of runs at a
    rate of exactly 0 or 1. Not estimable where a task has a single seed.

    Args:
        hits: shape (..., T): successful runs per task.
        counts: broadcastable to it: runs per task, at least 1.
        level: of the interval.
    """
    h, k = checked_counts(hits, counts)
    tasks = h.shape[-1]
    p = h / k
    rate = p.mean(axis=-1)
    several = np.maximum(k - 1, 1)
    variance = (p * (1.0 - p) / several).sum(axis=-1) / tasks**2
    fewest = k.min(axis=-1)
    floor = 0.5 * (fewest - 1) / fewest**2 / tasks**2
    runs = k.sum(axis=-1).astype(np.float64)
    edge = (h == 0).all(axis=-1) | (h == k).all(axis=-1)
    df = np.where(fewest > 1, (k - 1).sum(axis=-1), 0).astype(np.float64)
    return wilson_at_variance(rate, np.maximum(variance, floor), df, np.full_like(rate, np.inf), runs, edge, level)


def parity(reports: Sequence[Sequence[bool]], padded: bool = False) -> Parity:
    """The mean and its standard error over seeds, as MLE-bench's aggregation script computes them.

    Seed k is made of the k-th report of each task. Covers the noise of the runs alone, and that poorly with few
    seeds: 80 % of E1 and 47 to 68 % of E2 at three seeds.

    Args:
        reports: one sequence per task, its runs in file order.
        padded: fill tasks that have fewer runs with failures; otherwise cut all to the smallest number of runs.

    Raises:
        ValueError: no task, or no complete seed.
    """
    lengths = [len(task) for task in reports]
    seeds = (max(lengths) if padded else min(lengths)) if lengths else 0
    if not seeds:
        raise ValueError("no complete seed: every task needs at least one run (or some task, when padded)")
    return parity_of([sum(bool(task[k]) for task in reports if k < len(task)) for k in range(seeds)], len(reports))


def parity_of(hits: Sequence[int], tasks: int) -> Parity:
    """The same from the number of tasks on which each seed was successful.

    Args:
        hits: one number a seed, at least one.
        tasks: how many tasks each seed has.
    """
    seeds = len(hits)
    if not seeds:
        raise ValueError("no complete seed: every task needs at least one run")
    percent = [h / tasks * 100 for h in hits]
    mean = float(np.mean(percent))
    sem = float(np.std(percent, ddof=1) / np.sqrt(seeds)) if seeds > 1 else 0.0
    return Parity(mean, sem, mean - 1.96 * sem, mean + 1.96 * sem, seeds, tasks)
