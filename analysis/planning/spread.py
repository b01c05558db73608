"""The variances that a plan needs: from a pilot study's counts, or from a declared population of success rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy import optimize

from mlesearch.analysis.data.arrays import Floats
from mlesearch.analysis.planning.power import Spread
from mlesearch.analysis.planning.simulation import Population
from mlesearch.types import ConfigError

MANY_TASKS = 20_000
"""Of a declared population, from which its variances are read."""


def spread_of_counts(
    hits: npt.ArrayLike, counts: npt.ArrayLike, low: Sequence[int], high: Sequence[int], source: str
) -> Spread:
    """The variances of a pilot study, each without bias for any number of seeds above one.

    The variance over tasks of observed gaps holds the runs' noise too, p(1 - p) / (K - 1) of each strategy on each task
    (unbiased for p(1 - p) / K), which is taken off.

    Args:
        hits: shape (M, 2, T): successful runs, treatment first.
        counts: of the same shape: runs.
        low: rows of the low end group.
        high: rows of the high one.
        source: in words.

    Raises:
        ConfigError: a task with a single run of a strategy, or a single task.
    """
    h, k = np.asarray(hits, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    if h.shape[-1] < 2:
        raise ConfigError(f"{source}: one task; variances over tasks need at least two, name a study with more")
    if (k < 2).any():
        raise ConfigError(
            f"{source}: some task has a single seed, so that the noise of runs can't be told from the tasks' own gaps; "
            "run a second seed of it, or leave --from out to plan with assumed variances"
        )
    p = h / k
    in_gap = (p * (1.0 - p) / (k - 1.0)).mean(axis=-1).sum(axis=-1)
    of_run = (p * (1.0 - p) * k / (k - 1.0)).mean(axis=-1).sum(axis=-1)
    return _spread(p[:, 0] - p[:, 1], in_gap, of_run, low, high, source)


def spread_of_population(
    population: Population, capability: Sequence[float], low: Sequence[int], high: Sequence[int], source: str
) -> Spread:
    """The variances of a declared population; its tasks are drawn with a fixed seed.

    Args:
        population: of success rates.
        capability: of all models.
        low: rows of the low end group.
        high: rows of the high one.
        source: in words.
    """
    p = population.rates(np.random.default_rng(0), 1, capability, MANY_TASKS)[0]
    of_run = (p * (1.0 - p)).mean(axis=-1).sum(axis=-1)
    return _spread(p[:, 0] - p[:, 1], np.zeros_like(of_run), of_run, low, high, source)


def _spread(
    gaps: Floats, in_gap: Floats, of_run: Floats, low: Sequence[int], high: Sequence[int], source: str
) -> Spread:
    """From gaps, shape (M, T), the noise that is in their variance, and that of one run, both of shape (M,)."""
    own = max(0.0, float((gaps.var(axis=-1, ddof=1) - in_gap).mean()))
    ends = [list(low), list(high)]
    covariance = np.cov(np.stack([gaps[rows].mean(axis=0) for rows in ends]))
    covariance -= np.diag([in_gap[rows].sum() / len(rows) ** 2 for rows in ends])
    (a, b), (c, d) = covariance.tolist()
    noise = [float(of_run[rows].sum()) / len(rows) ** 2 for rows in ends]
    return Spread(own, float(of_run.mean()), ((max(a, 0.0), b), (c, max(d, 0.0))), (noise[0], noise[1]), source)


def assumed_spread(rate: float, models: int, group: int) -> Spread:
    """The variances of a population whose average run of the baseline succeeds at a given rate, with no gap.

    Difficulty, capability and the strategies' own standing on a task vary as in the simulations of docs/statistics.md;
    models are spread evenly over the range of capability.

    Args:
        rate: of the baseline's runs over all models and tasks, above 0 and below 1.
        models: how many.
        group: models of each end group.
    """
    capability = np.linspace(-1.4, 1.7, models).tolist() if models > 1 else [0.0]

    def excess(level: float) -> float:
        there = replace(population, level=level).rates(np.random.default_rng(0), 1, capability, MANY_TASKS // 10)
        return float(there[:, :, 1].mean()) - rate

    population = Population(lambda c: 0.0 * c)
    level = float(optimize.brentq(excess, -20.0, 20.0, xtol=1e-4))
    source = f"assumed: {100 * rate:g} % of the baseline's runs succeed, and tasks vary as in docs/statistics.md"
    rows = range(models)
    group = min(max(group, 1), models)
    return spread_of_population(replace(population, level=level), capability, rows[:group], rows[-group:], source)
