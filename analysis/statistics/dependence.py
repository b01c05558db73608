"""What becomes of a rate and of a gap if tasks of one category are not independent of each other.

Tasks of one category succeed and fail together more than tasks of different ones, so that the tasks count for fewer
than they are. The variance of a mean over tasks is then clustered by category (Liang and Zeger 1986), and the quantile
is that of t with G* - 1 degrees of freedom: `G* = T^2 / sum n_c^2` is the number of equal categories that would weigh
as much as those of sizes n_c (Kish 1965). It is never below the variance of independent tasks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.arrays import Floats, Ints
from mlesearch.analysis.statistics.capability import Alternative
from mlesearch.analysis.statistics.rates import Rates, checked_counts, wilson_at_variance
from mlesearch.analysis.statistics.student import t_above, t_quantile
from mlesearch.types import ConfigError

NO_SPREAD = 1e-18
"""A variance of rates up to this is rounding."""


@dataclass(frozen=True, slots=True)
class Categories:
    """The categories of a study's tasks.

    Attributes:
        names: of the categories, sorted; a task without one is a category of its own.
        codes: shape (T,): the category of each task.
        sizes: shape (G,): tasks of each.
        effective: G*, the number of equal categories that would weigh as much.
    """

    names: tuple[str, ...]
    codes: Ints
    sizes: Ints
    effective: float

    @property
    def tasks(self) -> int:
        """Number of tasks."""
        return self.codes.size

    @property
    def df(self) -> float:
        """Degrees of freedom of the t quantile."""
        return self.effective - 1.0


@dataclass(frozen=True, slots=True)
class ClusteredMean:
    """A mean over tasks with its variance clustered by category.

    Attributes:
        mean: over tasks.
        error: its standard error; NaN where not estimable.
        low: lower limit of the 95 % interval.
        high: upper limit.
        p: of a mean of 0, on the side that was asked for; 1 without spread.
    """

    mean: float
    error: float
    low: float
    high: float
    p: float


def categories_of(runs: pd.DataFrame, tasks: Sequence[str]) -> Categories | None:
    """The categories of tasks; None where the table knows none, or where none of them has two tasks.

    Args:
        runs: the table of runs; an older one has no column `category`.
        tasks: ids, in the order of the codes.

    Raises:
        ConfigError: a task has two categories.
    """
    if "category" not in runs.columns:
        return None
    known = runs[["task", "category"]].dropna().drop_duplicates()
    twice = known["task"].duplicated()
    if bool(twice.any()):
        task = str(known.loc[twice, "task"].iloc[0])
        found = ", ".join(sorted(known.loc[known["task"] == task, "category"].astype(str)))
        raise ConfigError(
            f"task {task} has more than one category in table runs ({found}); give it one and collect again"
        )
    by_task = {str(t): str(c) for t, c in zip(known["task"], known["category"], strict=True) if str(c)}
    return categories(by_task, tasks)


def categories(by_task: Mapping[str, str], tasks: Sequence[str]) -> Categories | None:
    """The same, of categories by task."""
    own = [("", by_task[task]) if task in by_task else (task, "") for task in tasks]
    keys = sorted(set(own))
    place = {key: i for i, key in enumerate(keys)}
    codes = np.array([place[key] for key in own], dtype=np.int64)
    sizes = np.bincount(codes, minlength=len(keys)).astype(np.int64)
    if not by_task or len(keys) < 2 or int(sizes.max()) < 2:
        return None
    names = tuple(category or f"{task} alone" for task, category in keys)
    return Categories(names, codes, sizes, float(len(tasks) ** 2 / (sizes**2).sum()))


def clustered_variance(values: npt.ArrayLike, of: Categories) -> Floats:
    """The variance of a mean over tasks, clustered by category, not below that of independent tasks.

    `G / (G - 1) * sum_c (sum_t in c (x_t - mean))^2 / T^2`, the sandwich estimator with the usual correction for few
    clusters.

    Args:
        values: shape (..., T).
        of: the categories of the tasks.
    """
    x = np.asarray(values, dtype=np.float64)
    tasks, groups = of.tasks, len(of.names)
    centred = x - x.mean(axis=-1, keepdims=True)
    member = np.zeros((tasks, groups))
    member[np.arange(tasks), of.codes] = 1.0
    clustered = groups / (groups - 1.0) * ((centred @ member) ** 2).sum(axis=-1) / tasks**2
    return np.asarray(np.maximum(clustered, x.var(axis=-1, ddof=1) / tasks), dtype=np.float64)


def category_rates(hits: npt.ArrayLike, counts: npt.ArrayLike, of: Categories, level: float = 0.95) -> Rates:
    """The rate on tasks like these, in categories like these: Wilson at the effective number of trials, as E2.

    The variance is clustered by category; n_eff is G* at a rate of exactly 0 or 1. Not estimable where G* is below 2.

    Args:
        hits: shape (..., T): successful runs per task.
        counts: broadcastable to it: runs per task, at least 1.
        of: the categories of the tasks.
        level: of the interval.
    """
    h, k = checked_counts(hits, counts)
    p = h / k
    rate = p.mean(axis=-1)
    edge = (h == 0).all(axis=-1) | (h == k).all(axis=-1)
    variance, df = clustered_variance(p, of), np.full_like(rate, of.df)
    return wilson_at_variance(
        rate, variance, df, k.sum(axis=-1).astype(np.float64), np.full_like(rate, of.effective), edge, level
    )


def clustered_mean(
    values: npt.ArrayLike, of: Categories, side: Alternative = "two-sided", level: float = 0.95
) -> ClusteredMean:
    """A mean over tasks (of gaps, of slopes) tested against 0 by t with the variance clustered by category.

    Args:
        values: shape (T,).
        of: the categories of the tasks.
        side: on which p is.
        level: of the interval.
    """
    x = np.asarray(values, dtype=np.float64)
    mean, variance = float(x.mean()), float(clustered_variance(x, of))
    if of.df < 1 or not variance > NO_SPREAD:
        return ClusteredMean(mean, math.nan, math.nan, math.nan, 1.0)
    error = math.sqrt(variance)
    reach = float(t_quantile(0.5 + level / 2.0, of.df)) * error
    statistic = mean / error if side == "greater" else -mean / error if side == "less" else abs(mean) / error
    p = float(t_above(statistic, of.df)) * (2.0 if side == "two-sided" else 1.0)
    return ClusteredMean(mean, error, mean - reach, mean + reach, p)
