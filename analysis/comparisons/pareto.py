"""What successes, or a measure, cost, and which strategies are on the front of rate and cost, with the tasks resampled.

Both figures are ratios of sums. The bootstrap resamples whole tasks, all models, seeds and strategies with them, so
that the difficulty of the tasks drawn is common to the strategies that are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.arrays import Floats
from mlesearch.analysis.data.claim import Arm
from mlesearch.analysis.data.codes import arm_codes

DRAWS = 10_000
"""Samples of tasks."""


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Rate and cost of one strategy over all models.

    Attributes:
        arm: label.
        rate: mean over tasks of the share of successful runs, or of the mean of a measure.
        cost: mean over tasks of the cost of a run.
        per_unit: successes (or the measure) per unit of cost, the ratio of the sums; NaN where nothing was spent.
        low: 2.5 % point of it over samples of tasks.
        high: 97.5 % point.
        on_front: whether no other strategy has a rate at least as high for at most the cost, and one of them better.
        front_share: share of the samples of tasks in which it is.
    """

    arm: str
    rate: float
    cost: float
    per_unit: float
    low: float
    high: float
    on_front: bool
    front_share: float


@dataclass(frozen=True, slots=True)
class TaskSums:
    """Sums by strategy and task.

    Attributes:
        hits: shape (A, T): successful runs, or the sum of a measure.
        cost: shape (A, T): of all runs.
        runs: shape (A, T): at least 1.
    """

    hits: Floats
    cost: Floats
    runs: Floats


def task_sums(runs: pd.DataFrame, arms: Sequence[Arm], values: Floats, cost: Floats) -> TaskSums | None:
    """Sums of an outcome, cost and runs; None where the cost of a run is not known, or a strategy lacks a task.

    Args:
        runs: that have a result.
        arms: in their order.
        values: shape (runs,): 1 or 0, or a measure.
        cost: shape (runs,).
    """
    task, names = pd.factorize(runs["task"], sort=True)
    if runs.empty or np.isnan(cost).any():
        return None
    cell = arm_codes(runs, arms) * len(names) + task
    shape = len(arms), len(names)
    parts = [np.bincount(cell, each, minlength=shape[0] * shape[1]) for each in (values, cost, np.ones(len(runs)))]
    hits, costs, counts = (np.asarray(part, dtype=np.float64).reshape(shape) for part in parts)
    return TaskSums(hits, costs, counts) if counts.min() > 0 else None


def dominated(rate: npt.ArrayLike, cost: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Whether another one is at least as good in both and better in one.

    Args:
        rate: shape (..., A): more is better.
        cost: shape (..., A): less is better.
    """
    r, c = np.asarray(rate, dtype=np.float64), np.asarray(cost, dtype=np.float64)
    other_r, own_r, other_c, own_c = r[..., None, :], r[..., :, None], c[..., None, :], c[..., :, None]
    better = (other_r >= own_r) & (other_c <= own_c) & ((other_r > own_r) | (other_c < own_c))
    return np.asarray(better.any(axis=-1))


@lru_cache(maxsize=1)
def _samples(tasks: int, seed: int, draws: int) -> Floats:
    """How often each task is in each sample, shape (draws, T)."""
    drawn = np.random.default_rng(seed).multinomial(tasks, np.full(tasks, 1.0 / tasks), size=draws)
    found = drawn.astype(np.float64)
    found.flags.writeable = False
    return found


def efficiencies(sums: TaskSums, labels: Sequence[str], seed: int = 0, draws: int = DRAWS) -> tuple[Efficiency, ...]:
    """Rate, cost, successes per unit of cost, and the probability of being on the front.

    Args:
        sums: by strategy and task.
        labels: of the strategies.
        seed: of the samples of tasks.
        draws: how many.
    """
    arms, tasks = sums.hits.shape
    columns = np.concatenate([sums.hits / sums.runs, sums.cost / sums.runs, sums.hits, sums.cost]).T
    rate, cost, hits, spent = np.split(_samples(tasks, seed, draws) @ columns, [arms, 2 * arms, 3 * arms], axis=1)
    shares = 1.0 - dominated(np.round(rate, 9), np.round(cost, 12)).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(spent > 0, hits / spent, np.nan)
        whole = np.where(sums.cost.sum(axis=1) > 0, sums.hits.sum(axis=1) / sums.cost.sum(axis=1), np.nan)
    limits = np.stack([np.quantile(column, [0.025, 0.975]) for column in ratios.T])
    means = (sums.hits / sums.runs).mean(axis=1), (sums.cost / sums.runs).mean(axis=1)
    front = ~dominated(*means)
    return tuple(
        Efficiency(
            arm=labels[a],
            rate=float(means[0][a]),
            cost=float(means[1][a]),
            per_unit=float(whole[a]),
            low=float(limits[a, 0]),
            high=float(limits[a, 1]),
            on_front=bool(front[a]),
            front_share=float(shares[a]),
        )
        for a in range(arms)
    )
