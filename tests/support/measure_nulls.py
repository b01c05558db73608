"""Simulated grids of measures, and of medals at several budgets, in which nothing, or not what is claimed, is true.

The common part is that of `nulls`: a task's difficulty, the models' capability, and what is particular to a strategy on
a task. Runs differ by a normal error of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mlesearch.analysis.measures.beyond_medals import normalised_change
from tests.support.synthetic_study import CAPABILITY, Floats

BUDGETS = (1.0, 2.0, 8.0, 10.0)
"""Two small ones and two large ones."""

BUDGET_NULLS: Mapping[str, tuple[Sequence[float], float]] = {
    "no gap": ((0, 0, 0, 0), 0.7),
    "no gap, arm x task sd 1.4": ((0, 0, 0, 0), 1.4),
    "ahead everywhere": ((0.6, 0.6, 0.6, 0.6), 0.7),
    "level with little, ahead with much": ((0, 0, 1, 1), 0.7),
    "behind with little, level with much": ((-1, -1, 0, 0), 0.7),
    "ahead with little, more with much": ((0.3, 0.3, 1, 1), 0.7),
}
"""The treatment's effect at each budget, in logits, and the sd of what is particular to strategy and task."""

KINDS = ("percentile", "normalised improvement", "area", "budget left at bronze", "budget left at gold")


def logistic(x: Floats) -> Floats:
    """Of logits."""
    return np.asarray(1.0 / (1.0 + np.exp(-x)), dtype=np.float64)


def measure_sums(
    rng: np.random.Generator,
    kind: str,
    tasks: int,
    seeds: int,
    arm_sd: float,
    effect: Sequence[float] = (0.0,),
    capability: Sequence[float] = (0.1,),
) -> Floats:
    """Sums over seeds of one measure: shape (M, 2, T), treatment first.

    Args:
        rng: of the draws.
        kind: one of `KINDS`.
        tasks: number of tasks.
        seeds: runs of each.
        arm_sd: of what is particular to strategy and task, in logits.
        effect: of the treatment with each model, in logits.
        capability: of each model.
    """
    c = np.asarray(capability)[:, None, None]
    z, z_arm = rng.normal(size=tasks), rng.normal(size=(2, tasks))
    base = 0.9 * c + arm_sd * z_arm[None]
    base[:, 0] += np.asarray(effect)[:, None]
    shape = (seeds, *base.shape)
    if kind.startswith("budget left"):
        hard = (-1.3, 2.3) if kind.endswith("bronze") else (-3.5, 1.5)
        hit = rng.random(shape) < logistic(base + hard[0] + hard[1] * z)
        return np.asarray(np.where(hit, rng.random(shape), 0.0).sum(axis=0))
    latent = base - 0.3 + 1.4 * z + rng.normal(size=shape)
    place = np.where(rng.random(shape) < 0.15, 0.0, logistic(latent))
    if kind == "area":
        return np.asarray((place * rng.beta(3.0, 1.5, size=shape)).sum(axis=0))
    if kind == "normalised improvement":
        last = logistic(latent + 0.3 + 0.6 * rng.normal(size=shape))
        return np.asarray(np.where(place > 0, normalised_change(place, last), 0.0).sum(axis=0))
    return np.asarray(place.sum(axis=0))


def budget_gaps_of(
    rng: np.random.Generator, null: str, tasks: int, seeds: int, capability: Sequence[float] = CAPABILITY
) -> Floats:
    """Gaps of any-medal rates at each of `BUDGETS`, mean over models and seeds: shape (budgets, T).

    A run that has a medal at a budget has one at every larger one.
    """
    effect, arm_sd = BUDGET_NULLS[null]
    c, b = np.asarray(capability)[:, None, None], np.log(np.asarray(BUDGETS) / BUDGETS[-1])[:, None, None, None]
    logit = -1.3 + 2.3 * rng.normal(size=tasks) + 0.9 * c + arm_sd * rng.normal(size=(2, tasks)) + 0.8 * b
    logit[:, :, 0] += np.asarray(effect)[:, None, None]
    hit = rng.random((seeds, len(capability), 2, tasks))[:, None] < logistic(logit)
    rate = hit.mean(axis=(0, 2))
    return np.asarray(rate[:, 0] - rate[:, 1], dtype=np.float64)
