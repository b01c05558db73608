"""Beside the mean: the interquartile mean, and the probability that a run of one strategy beats one of another.

Both are on percentile scores (the share of the leaderboard that a score reaches), with a run without a valid score as
the worst value, 0. The interquartile mean is trimmed within each task: trimmed over the pool of all runs it would leave
out the hardest and the easiest tasks (as in Agarwal et al. 2021, on whose figures it is modelled). It hides failures
of up to a quarter of the runs, so it never stands without the mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.arrays import Floats
from mlesearch.analysis.data.claim import Arm, Models
from mlesearch.analysis.data.codes import arm_codes
from mlesearch.analysis.data.unranked import counted
from mlesearch.analysis.statistics.student import t_above, t_quantile

WORST = 0.0
"""Percentile of a run without a valid score."""


@dataclass(frozen=True, slots=True)
class MeanOverTasks:
    """A mean over tasks of one figure each, with its t interval over tasks.

    Attributes:
        mean: over tasks; NaN without any.
        low: lower limit of the 95 % interval, NaN where not estimable.
        high: upper limit.
        p: two-sided, of the mean that no difference would give; NaN where not estimable or not asked for.
        tasks: their number.
    """

    mean: float
    low: float
    high: float
    p: float
    tasks: int


@dataclass(frozen=True, slots=True)
class Percentiles:
    """The percentile scores of one model and strategy.

    Attributes:
        model: id.
        arm: label.
        mean: mean over tasks of the mean over runs.
        iqm: mean over tasks of the interquartile mean over runs.
        runs: that are counted.
        worst: of them at the worst value, most of them without a valid score.
    """

    model: str
    arm: str
    mean: MeanOverTasks
    iqm: MeanOverTasks
    runs: int
    worst: int


@dataclass(frozen=True, slots=True)
class Improvement:
    """How often a run of the treatment beats one of the baseline on the same task.

    Attributes:
        model: id.
        treatment: label.
        baseline: label.
        probability: of a higher score, ties count half; mean over tasks, with p of one half.
    """

    model: str
    treatment: str
    baseline: str
    probability: MeanOverTasks


def interquartile_mean(values: npt.ArrayLike) -> Floats:
    """The mean of the middle half of some values, those at its edges with the share that lies within it.

    Of four values the two in the middle; of three the middle one and a quarter of each of the others.

    Args:
        values: shape (..., n); NaN are no values.

    Returns:
        Shape (...); NaN without a value.
    """
    x = np.sort(np.asarray(values, dtype=np.float64), axis=-1)  # NaN last
    count = (~np.isnan(x)).sum(axis=-1, keepdims=True)
    place = np.arange(x.shape[-1], dtype=np.float64)
    inside = np.minimum(place + 1.0, 0.75 * count) - np.maximum(place, 0.25 * count)
    weights = np.maximum(inside, 0.0)
    total = (weights * np.nan_to_num(x)).sum(axis=-1)
    return np.asarray(total / np.where(count[..., 0] > 0, 0.5 * count[..., 0], np.nan), dtype=np.float64)


def probability_of_improvement(treatment: npt.ArrayLike, baseline: npt.ArrayLike) -> Floats:
    """The share of pairs of runs in which the treatment's is higher, ties count half (Mann and Whitney's U / nm).

    Args:
        treatment: shape (..., n); NaN are no runs.
        baseline: shape (..., m), likewise.

    Returns:
        Shape (...); NaN where one of them has no run.
    """
    a = np.asarray(treatment, dtype=np.float64)[..., :, None]
    b = np.asarray(baseline, dtype=np.float64)[..., None, :]
    pairs = (~np.isnan(a) & ~np.isnan(b)).sum(axis=(-2, -1))
    won = ((a > b) + 0.5 * (a == b)).sum(axis=(-2, -1))
    return np.asarray(won / np.where(pairs > 0, pairs, np.nan), dtype=np.float64)


def mean_over_tasks(by_task: npt.ArrayLike, null: float | None = None, level: float = 0.95) -> MeanOverTasks:
    """The mean of one figure a task with its t interval.

    Args:
        by_task: shape (T,); NaN are no tasks.
        null: the mean that p is of; None: no p.
        level: of the interval.
    """
    x = np.asarray(by_task, dtype=np.float64)
    x = x[~np.isnan(x)]
    if not x.size:
        return MeanOverTasks(math.nan, math.nan, math.nan, math.nan, 0)
    mean = float(x.mean())
    error = float(x.std(ddof=1)) / math.sqrt(x.size) if x.size > 1 else 0.0
    if not error > 1e-12:
        return MeanOverTasks(mean, math.nan, math.nan, math.nan, x.size)
    reach = float(t_quantile(0.5 + level / 2.0, x.size - 1)) * error
    p = math.nan if null is None else float(2.0 * t_above(abs(mean - null) / error, x.size - 1))
    return MeanOverTasks(mean, max(0.0, mean - reach), min(1.0, mean + reach), p, x.size)


def score_grid(runs: pd.DataFrame, models: Models, arms: Sequence[Arm]) -> Floats:
    """Percentile scores by cell and task, over the tasks that have a leaderboard.

    Returns:
        Shape (M, A, T, K): 0 for a run without a valid score, NaN where a task has fewer than K runs.
    """
    ranked = counted(runs, "any_medal")
    known = ranked["percentile"].to_numpy(dtype=np.float64, na_value=np.nan)
    valid = ranked["valid"].to_numpy(dtype=bool) & ~np.isnan(known)
    scores = np.where(valid, known, WORST)
    task, names = pd.factorize(ranked["task"], sort=True)
    model = pd.Index(models.names).get_indexer(pd.Index(ranked["model"]))
    cell = (model * len(arms) + arm_codes(ranked, arms)) * len(names) + task
    order = np.argsort(cell, kind="stable")
    counts = np.bincount(cell, minlength=len(models.names) * len(arms) * len(names))
    place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    width = int(counts.max(initial=1))
    grid = np.full((counts.size, width), np.nan)
    grid[cell[order], place] = scores[order]
    return grid.reshape(len(models.names), len(arms), len(names), width)


def percentiles(grid: Floats, models: Models, arms: Sequence[Arm]) -> tuple[Percentiles, ...]:
    """Mean and interquartile mean of every cell.

    Args:
        grid: of `score_grid`.
        models: in their order.
        arms: in their order.
    """
    counts = (~np.isnan(grid)).sum(axis=-1)
    means = np.nansum(grid, axis=-1) / np.where(counts > 0, counts, np.nan)
    middle = interquartile_mean(grid)
    return tuple(
        Percentiles(
            model=model,
            arm=arm.label,
            mean=mean_over_tasks(means[m, a]),
            iqm=mean_over_tasks(middle[m, a]),
            runs=int(counts[m, a].sum()),
            worst=int((grid[m, a] == WORST).sum()),
        )
        for m, model in enumerate(models.names)
        for a, arm in enumerate(arms)
    )


def improvements(
    grid: Floats, models: Models, arms: Sequence[Arm], treatments: Sequence[Arm], baseline: Arm
) -> tuple[Improvement, ...]:
    """The probability of improvement of some arms over a baseline, by model, over the tasks that both have runs on.

    Args:
        grid: of `score_grid`.
        models: in their order.
        arms: in their order.
        treatments: of these.
        baseline: of these.
    """
    place = {arm: i for i, arm in enumerate(arms)}
    b = grid[:, place[baseline]]
    return tuple(
        Improvement(model, treatment.label, baseline.label, mean_over_tasks(by_task, null=0.5))
        for treatment in treatments
        for model, by_task in zip(models.names, probability_of_improvement(grid[:, place[treatment]], b), strict=True)
    )
