"""Samples of whole tasks, for figures that have no closed form.

A task is drawn with all its seeds, and for all strategies and models at once, so that the difficulty of the tasks in a
sample is common to whatever is compared. The rates and gaps of a report have closed forms and need none of this.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlesearch.analysis.data.arrays import Floats

DRAWS = 10_000
"""Samples of tasks."""


def task_samples(tasks: int, seed: int = 0, draws: int = DRAWS) -> Floats:
    """How often each task is in each sample, shape (draws, T).

    Args:
        tasks: how many there are, and are in a sample.
        seed: of the samples.
        draws: how many.
    """
    drawn = np.random.default_rng(seed).integers(0, tasks, size=(draws, tasks))
    drawn += np.arange(0, draws * tasks, tasks)[:, None]
    return np.bincount(drawn.ravel(), minlength=draws * tasks).reshape(draws, tasks).astype(np.float64)


def resampled_limits(
    by_task: npt.ArrayLike, seed: int = 0, draws: int = DRAWS, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Percentile limits of means over tasks, all from the same samples of tasks (Efron 1979).

    Args:
        by_task: shape (..., T): a figure of each task, such as its rate; one row a cell.
        seed: of the samples.
        draws: how many.
        level: of the interval.

    Returns:
        Lower and upper limits, each of shape (...).

    Raises:
        ValueError: no task.
    """
    x = np.asarray(by_task, dtype=np.float64)
    tasks = x.shape[-1] if x.ndim else 0
    if not tasks:
        raise ValueError("at least one task is needed")
    means = x.reshape(-1, tasks) / tasks @ task_samples(tasks, seed, draws).T
    low, high = np.quantile(means, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=1)
    return np.asarray(low.reshape(x.shape[:-1])), np.asarray(high.reshape(x.shape[:-1]))
