"""What a design can detect: the error of a gap, the smallest gap it finds, and the seeds and tasks that a gap needs.

A paired gap over T tasks with K seeds of each strategy has SE^2 = (s + w / K) / T, with s the variance over tasks of
the tasks' own gaps and w the sum of both strategies' variances of one run: seeds remove w, and only tasks remove s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from mlesearch.analysis.planning.conditions import EndGroups, statistics
from mlesearch.analysis.planning.looks import LookBounds, LookProgress, take_look
from mlesearch.analysis.planning.simulation import CHUNK

ALPHA, POWER = 0.05, 0.8
MOST_TASKS = 1_000_000
"""More tasks than that are no answer."""

NODES = 200

_TWO_ENDS = EndGroups.of((0.0,), (1.0,))


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the error of a gap comes from, as variances of fractions.

    Attributes:
        own: of the tasks' own gaps, over tasks; mean over models.
        noise: of one run, both strategies together, mean over tasks; mean over models.
        ends_own: 2 x 2 covariance over tasks of the two end groups' own gaps; low, then high.
        ends_noise: of one seed of each group, both strategies together.
        source: where these are from, in words.
    """

    own: float
    noise: float
    ends_own: tuple[tuple[float, float], tuple[float, float]]
    ends_noise: tuple[float, float]
    source: str


@dataclass(frozen=True, slots=True)
class CrossoverPower:
    """What a plan makes of a crossover of a given shape.

    Attributes:
        power: probability to claim it.
        seeds_low: mean number of seeds that the low group is run with.
        seeds_high: likewise.
    """

    power: float
    seeds_low: float
    seeds_high: float


def standard_error(own: float, noise: float, tasks: int, seeds: float) -> float:
    """Of a paired gap, as a fraction.

    Args:
        own: variance of the tasks' own gaps; 0 where the tasks are fixed (E1).
        noise: of one run, both strategies together.
        tasks: T.
        seeds: K of each strategy; infinite: what tasks alone leave.
    """
    return math.sqrt((own + noise / seeds) / tasks)


def power_of(gap: float, error: float, tasks: int, tests: int = 1, alpha: float = ALPHA) -> float:
    """The probability that the t test over tasks rejects, two-sided at alpha / tests.

    `tests` is the size of the family: Holm's first step, which the least of several p-values has to pass.

    Args:
        gap: the true one.
        error: its standard error.
        tasks: T; the test has T - 1 degrees of freedom.
        tests: in the family.
        alpha: of the family.
    """
    if error == 0:
        return 1.0 if gap else 0.0
    spread, weights = _chi(tasks - 1)
    critical, ratio = float(special.stdtrit(tasks - 1, 1.0 - alpha / (2 * tests))), abs(gap) / error
    return float(weights @ (special.ndtr(ratio - critical * spread) + special.ndtr(-ratio - critical * spread)))


def detectable_in_errors(tasks: int, tests: int = 1, alpha: float = ALPHA, power: float = POWER) -> float:
    """The gap that is found with this power, in standard errors: 2.80 for one test and many tasks, 3.65 for ten tests.

    Raises:
        ValueError: fewer than two tasks.
    """
    if tasks < 2:
        raise ValueError("the error of a gap is estimated over tasks: at least two are needed")
    most = 10.0 + 3.0 * float(special.stdtrit(tasks - 1, 1.0 - alpha / (2 * tests)))
    return float(optimize.brentq(lambda g: power_of(g, 1.0, tasks, tests, alpha) - power, 0.0, most, xtol=1e-9))


def seeds_needed(own: float, noise: float, tasks: int, gap: float, tests: int = 1) -> int | None:
    """The least number of seeds with which a gap is found in 80 %; None: no number of seeds can, only more tasks."""
    wanted = (abs(gap) / detectable_in_errors(tasks, tests)) ** 2 * tasks - own
    if wanted <= 0:
        return None
    return max(1, math.ceil(noise / wanted * (1.0 - 1e-12)))


def tasks_needed(own: float, noise: float, seeds: float, gap: float, tests: int = 1) -> int | None:
    """The least number of tasks with which a gap is found in 80 %, with so many seeds; None: more than a million."""

    def found(tasks: int) -> bool:
        return detectable_in_errors(tasks, tests) * standard_error(own, noise, tasks, seeds) <= abs(gap)

    high = 2
    while not found(high):
        high *= 2
        if high > MOST_TASKS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


def crossover_power(
    gaps: tuple[float, float], spread: Spread, tasks: int, bounds: LookBounds, grids: int = 4000, seed: int = 0
) -> CrossoverPower:
    """The power to claim a crossover whose ends are as given, by simulation of the two groups' gaps on each task.

    The groups' own gaps are drawn normal with the covariance of `spread`; they share tasks and strategies, so a lucky
    draw of tasks for one end is an unlucky one for the other, which a product of two powers would not know. Success
    rates are not normal: the power is within some five points of that on simulated grids.

    Args:
        gaps: of the low and the high group, as fractions; the first below 0.
        spread: of the groups.
        tasks: T.
        bounds: of a sequential plan, or of one look.
        grids: simulated.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    root = _root(np.asarray(spread.ends_own))
    noise = np.sqrt(np.asarray(spread.ends_noise))[:, None]
    claimed, seeds = 0, np.zeros(2)
    for begun in range(0, grids, CHUNK):
        n = min(CHUNK, grids - begun)
        own = np.asarray(gaps)[:, None] + root @ rng.normal(size=(n, 2, tasks))
        total, run = np.zeros_like(own), np.zeros((n, 2), dtype=np.int64)
        progress = LookProgress.new(n)
        for more in np.diff(bounds.seeds, prepend=0).tolist():
            running = progress.going_on
            drawn = more * own + math.sqrt(more) * noise * rng.normal(size=own.shape)
            total += drawn * running[:, :, None]
            run += more * running
            progress = take_look(progress, statistics(total / np.maximum(run, 1)[:, :, None], _TWO_ENDS), bounds)
        claimed += int(progress.shown.sum())
        seeds += run.sum(axis=0)
    return CrossoverPower(claimed / grids, float(seeds[0]) / grids, float(seeds[1]) / grids)


@lru_cache(maxsize=256)
def _chi(df: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Nodes and weights over an estimated standard deviation, in units of the true one: chi with df, over sqrt(df).

    A noncentral t is a normal over such a deviation; integrated so it holds for any df and any noncentrality.
    """
    nodes, weights = _legendre()
    quantiles = special.chdtri(df, (1.0 - nodes) / 2.0)
    return np.sqrt(quantiles / df), np.asarray(weights / 2.0, dtype=np.float64)


@lru_cache(maxsize=1)
def _legendre() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return nodes, weights


def _root(covariance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A square root; directions of negative variance, which estimates may have, have none."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)), dtype=np.float64)
