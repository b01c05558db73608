"""Made-up rates under generators that break independence: categories of tasks, bad days, skew, several baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tests.support.synthetic_study import CAPABILITY

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

UNEVEN = {22: (8, 4, 4, 2, 2, 1, 1), 75: (26, 10, 9, 6, 4, 3, 3, 2, 2, 2, 2, 2, 2, 1, 1)}
"""Sizes of MLE-bench's categories in its low split and in all of it, by number of tasks."""


def logistic(x: npt.ArrayLike) -> Floats:
    """The inverse of the logit."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(x, dtype=np.float64))), dtype=np.float64)


def codes_of(sizes: Sequence[int]) -> Ints:
    """The category of each task, of categories of these sizes."""
    return np.repeat(np.arange(len(sizes)), sizes)


def equal_arms(rng: np.random.Generator, arms: int, tasks: int, seeds: int) -> Floats:
    """Rates of arms that are alike on the average task, shape (arms, T)."""
    logit = -1.3 + 2.3 * rng.normal(size=tasks) + 0.7 * rng.normal(size=(arms, tasks))
    return np.asarray(rng.binomial(seeds, logistic(logit)) / seeds, dtype=np.float64)


def category_task_rates(
    rng: np.random.Generator, replicates: int, codes: Ints, share: float, sd: float = 1.6, mean: float = -0.8
) -> Floats:
    """Success probabilities of tasks whose categories differ, shape (replicates, T).

    Args:
        rng: generator.
        replicates: how many samples of tasks.
        codes: shape (T,): the category of each task.
        share: of the tasks' variance on the logit scale that is between categories.
        sd: of the tasks on that scale.
        mean: of the tasks on that scale.
    """
    between = rng.normal(size=(replicates, int(codes.max()) + 1))[:, codes]
    within = rng.normal(size=(replicates, codes.size))
    return logistic(mean + sd * (np.sqrt(share) * between + np.sqrt(1.0 - share) * within))


def category_arm_hits(
    rng: np.random.Generator, replicates: int, codes: Ints, sd: float, seeds: int, shock: float = 0.0
) -> tuple[Ints, Ints]:
    """Hits of two arms that differ by category though not on the average, each of shape (replicates, T).

    Args:
        rng: generator.
        replicates: how many pairs.
        codes: shape (T,): the category of each task.
        sd: of the arms by category, on the logit scale.
        seeds: runs per task.
        shock: sd of what hits one seed of one arm on all of its tasks, on the logit scale.
    """
    tasks, groups = codes.size, int(codes.max()) + 1
    task = -1.3 + 2.3 * rng.normal(size=(replicates, 1, tasks))
    own = 0.7 * rng.normal(size=(replicates, 2, tasks)) + sd * rng.normal(size=(replicates, 2, groups))[:, :, codes]
    day = shock * rng.normal(size=(replicates, 2, 1, seeds))
    wins = rng.random((replicates, 2, tasks, seeds)) < logistic((task + own)[..., None] + day)
    hits = wins.sum(axis=-1)
    return hits[:, 0], hits[:, 1]


def seed_shock_cells(rng: np.random.Generator, cells: int, tasks: int, seeds: int, shock: float) -> list[Floats]:
    """Runs of several cells on the same tasks, each of shape (T, K): 1 where a run succeeded.

    Args:
        rng: generator.
        cells: how many.
        tasks: T.
        seeds: K.
        shock: sd of what hits one seed of one cell on all tasks, on the logit scale.
    """
    task = -1.3 + 2.3 * rng.normal(size=tasks)
    made = []
    for _ in range(cells):
        own = 0.9 * rng.normal() + 0.7 * rng.normal(size=tasks)
        p = logistic((task + own)[:, None] + shock * rng.normal(size=seeds))
        made.append((rng.random((tasks, seeds)) < p).astype(np.float64))
    return made


def rescue_gaps(
    rng: np.random.Generator, replicates: int, tasks: int, seeds: int, share: float, models: int = 3
) -> Floats:
    """Gaps of a treatment that rescues a few tasks and loses a little on the others, with a mean of 0 over tasks.

    The treatment succeeds with .98 on a share of the tasks and .02 on the others (.95 and .05 where that is a tenth),
    the baseline with the mean of that everywhere.

    Args:
        rng: generator.
        replicates: how many grids.
        tasks: T.
        seeds: runs of each model on each task.
        share: of tasks that are rescued.
        models: M.

    Returns:
        Shape (replicates, M, T).
    """
    high, low = (0.98, 0.02) if share < 0.1 else (0.95, 0.05)
    rescued = rng.random((replicates, 1, tasks)) < share
    shape = (replicates, models, tasks)
    a = rng.binomial(seeds, np.broadcast_to(np.where(rescued, high, low), shape))
    b = rng.binomial(seeds, share * high + (1.0 - share) * low, shape)
    return np.asarray((a - b) / seeds, dtype=np.float64)


def category_grid(
    rng: np.random.Generator, effect: Callable[[Floats], Floats], codes: Ints, sd: float, seeds: int
) -> Floats:
    """Gaps of ten models in a grid whose strategies differ by category, shape (M, T).

    Args:
        rng: generator.
        effect: of the treatment by capability, on the logit scale.
        codes: shape (T,): the category of each task.
        sd: of each strategy by category, the same for all models, on the logit scale.
        seeds: runs of each model on each task.
    """
    c = np.asarray(CAPABILITY)
    own = 0.7 * rng.normal(size=(2, codes.size)) + sd * rng.normal(size=(2, int(codes.max()) + 1))[:, codes]
    logit = (-1.3 + 2.3 * rng.normal(size=codes.size) + 0.9 * c[:, None]) + own[:, None, :]
    logit[0] += effect(c)[:, None]
    rate = rng.binomial(seeds, logistic(logit)) / seeds
    return np.asarray(rate[0] - rate[1], dtype=np.float64)
