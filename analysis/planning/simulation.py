"""Simulated grids for the errors of sequential plans: how often they claim a crossover, and what they run.

Many grids at once: one array of successes by grid, model, arm and task, to which one seed is added at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mlesearch.analysis.data.arrays import Floats
from mlesearch.analysis.planning.conditions import EndGroups, statistics
from mlesearch.analysis.planning.looks import LookBounds, LookProgress, take_look

CHUNK = 250
"""Grids at a time: some tens of MB."""


@dataclass(frozen=True, slots=True)
class Population:
    """Where the success rates of runs come from: logit p = level + task + gain c + arm, and the effect for treatment.

    Attributes:
        effect: the treatment's advantage on the logit scale, of an array of capabilities.
        level: of a model of capability 0 on the average task.
        task_sd: of the tasks' difficulties.
        gain: of a unit of capability.
        arm_sd: of a strategy's own standing on a task, which all models share.
    """

    effect: Callable[[Floats], Floats]
    level: float = -1.3
    task_sd: float = 2.3
    gain: float = 0.9
    arm_sd: float = 0.7

    def rates(self, rng: np.random.Generator, grids: int, capability: Sequence[float], tasks: int) -> Floats:
        """Success rates of runs, shape (grids, M, 2, T), treatment first."""
        c = np.asarray(capability, dtype=np.float64)
        difficulty = self.task_sd * rng.normal(size=(grids, 1, 1, tasks))
        arm = self.arm_sd * rng.normal(size=(grids, 1, 2, tasks))
        effect = np.stack((self.effect(c), np.zeros_like(c)), axis=-1)
        logit = self.level + difficulty + self.gain * c[:, None, None] + arm + effect[:, :, None]
        return np.asarray(1.0 / (1.0 + np.exp(-logit)), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class PlanOutcome:
    """What a plan did on many grids.

    Attributes:
        claimed: share of grids on which the crossover was claimed.
        given_up: share on which it was given up.
        runs: mean number of runs a grid.
        ratio: variance of one run's noise over that of the tasks' own gaps (see `spending`), of the group's mean gap
            that has the larger one.
    """

    claimed: float
    given_up: float
    runs: float
    ratio: float


def sequential(
    population: Population, ends: EndGroups, bounds: LookBounds, tasks: int, grids: int, rng: np.random.Generator
) -> PlanOutcome:
    """A sequential plan on many grids.

    Args:
        population: of success rates.
        ends: the groups.
        bounds: of the plan.
        tasks: of each grid.
        grids: how many.
        rng: of all draws.
    """
    found = [
        _sequential(population, ends, bounds, tasks, min(CHUNK, grids - begun), rng) for begun in range(0, grids, CHUNK)
    ]
    return PlanOutcome(*(float(sum(column)) / grids for column in zip(*found, strict=True)))


def _sequential(
    population: Population, ends: EndGroups, bounds: LookBounds, tasks: int, grids: int, rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """Sums over the grids of one chunk: claims, studies given up, runs, ratios of variances."""
    rates = population.rates(rng, grids, ends.capability, tasks)
    below = rates.astype(np.float32)
    sizes = np.array((ends.low, len(ends.capability) - ends.low))
    of_group = np.repeat((0, 1), sizes)
    progress = LookProgress.new(grids)
    hits = np.zeros(rates.shape, dtype=np.int16)
    seeds = np.zeros((grids, len(ends.capability)), dtype=np.int64)
    for more in np.diff(bounds.seeds, prepend=0).tolist():
        running = progress.going_on[:, of_group]
        for _ in range(more):
            hits += (rng.random(rates.shape, dtype=np.float32) < below) & running[:, :, None, None]
            seeds += running
        gaps = (hits[:, :, 0] - hits[:, :, 1]) / np.maximum(seeds, 1)[:, :, None]
        progress = take_look(progress, statistics(gaps, ends), bounds)
    runs = 2 * tasks * int(seeds.sum())
    return float(progress.shown.sum()), float((progress.given_up >= 0).sum()), runs, _ratios(rates, ends)


def _ratios(rates: Floats, ends: EndGroups) -> float:
    """The sum over grids of the ratio of variances, the larger one of the two groups."""
    groups = (rates[:, : ends.low], rates[:, ends.low :])
    noise = [(p * (1.0 - p)).sum(axis=(1, 2)).mean(axis=-1) / p.shape[1] ** 2 for p in groups]
    own = [(p[:, :, 0] - p[:, :, 1]).mean(axis=1).var(axis=-1, ddof=1) for p in groups]
    return float(np.maximum(noise[0] / own[0], noise[1] / own[1]).sum())
