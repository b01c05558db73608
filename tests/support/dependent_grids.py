"""Made-up rates under generators that break independence: categories of tasks, bad days, skew, several baselines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

UNEVEN = (16, 12, 9, 7, 6, 5, 4, 4, 3, 2, 2, 2, 1, 1, 1)
"""Sizes of 15 categories of 75 tasks."""


def logistic(x: npt.ArrayLike) -> Floats:
    """The inverse of the logit."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(x, dtype=np.float64))), dtype=np.float64)


def category_codes(tasks: int, sizes: Sequence[int] = UNEVEN) -> Ints:
    """The category of each task: sizes in these proportions, every category at least once where tasks suffice."""
    scaled = np.maximum(1, np.round(np.asarray(sizes) * tasks / sum(sizes))).astype(np.int64)
    while scaled.sum() > tasks:
        scaled[np.argmax(scaled)] -= 1
    scaled[0] += tasks - scaled.sum()
    return np.repeat(np.arange(len(sizes)), scaled)


def equal_arms(rng: np.random.Generator, arms: int, tasks: int, seeds: int) -> Floats:
    """Rates of arms that are alike on the average task, shape (arms, T)."""
    logit = -1.3 + 2.3 * rng.normal(size=tasks) + 0.7 * rng.normal(size=(arms, tasks))
    return np.asarray(rng.binomial(seeds, logistic(logit)) / seeds, dtype=np.float64)
