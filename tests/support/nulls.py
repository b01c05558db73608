"""Simulated grids of runs in which nothing, or not what is claimed, is true: for the size of the tests of the analysis.

`grid_hits` draws the runs of two strategies with ten models; a null says what is true of them. The common part is that
of `synthetic_study.grid_probabilities`: logit p = -1.3 + 2.3 z_task + .9 c + an effect of strategy and task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.support.synthetic_study import CAPABILITY, Floats


@dataclass(frozen=True)
class Truth:
    """What is true of a simulated grid.

    Attributes:
        effect: of the treatment over capability, in logits.
        arm_sd: standard deviation of what is particular to strategy and task, in logits.
        model_sd: of what is particular to treatment and model.
        category_sd: of what is particular to strategy and category of tasks.
        rescued: share of tasks on which the treatment succeeds nearly always, and hardly ever on the others, so that
            the low group's mean gap is 0 and skewed; with such tasks the other fields but `effect` play no part.
    """

    effect: Callable[[Floats], Floats] = lambda c: 0.0 * c
    arm_sd: float = 0.7
    model_sd: float = 0.0
    category_sd: float = 0.0
    rescued: float = 0.0


def grid_probabilities(rng: np.random.Generator, truth: Truth, tasks: int, capability: Floats) -> Floats:
    """Success probabilities of one grid: shape (M, 2, T), treatment first."""
    if truth.rescued:
        return _rescue(rng, truth, tasks, capability)
    c = capability
    z, z_arm, z_model = rng.normal(size=tasks), rng.normal(size=(2, tasks)), rng.normal(size=c.size)
    logit = -1.3 + 2.3 * z + 0.9 * c[:, None, None] + truth.arm_sd * z_arm[None]
    logit[:, 0] += (truth.effect(c) + truth.model_sd * z_model)[:, None]
    if truth.category_sd:
        category = rng.integers(0, 15, size=tasks)
        logit = logit + truth.category_sd * rng.normal(size=(2, 15))[:, category][None]
    return np.asarray(1.0 / (1.0 + np.exp(-logit)), dtype=np.float64)


def _rescue(rng: np.random.Generator, truth: Truth, tasks: int, capability: Floats) -> Floats:
    """The low group: .98 on the rescued tasks and .02 on the others, against a baseline of the same mean."""
    saved = rng.random(tasks) < truth.rescued
    low = np.where(saved, 0.98, 0.02)
    p = np.empty((capability.size, 2, tasks))
    p[:, 1] = truth.rescued * 0.98 + (1 - truth.rescued) * 0.02
    p[:, 0] = low
    gain = truth.effect(capability)[:, None]
    p[:, 0] = np.where(gain > 0, np.clip(p[:, 1] + gain, 0.0, 0.98), p[:, 0])
    return p


def grid_hits(
    rng: np.random.Generator,
    truth: Truth,
    tasks: int,
    seeds: int | npt.NDArray[np.int64],
    capability: tuple[float, ...] = CAPABILITY,
) -> npt.NDArray[np.int64]:
    """Successful runs of one grid: shape (M, 2, T), treatment first; `seeds` may be one for each of these."""
    return rng.binomial(seeds, grid_probabilities(rng, truth, tasks, np.asarray(capability)))


def _step(at: float, gain: float) -> Callable[[Floats], Floats]:
    return lambda c: np.where(c > at, gain, 0.0)


TREND_NULLS: Mapping[str, Truth] = {
    "strategies alike on every task": Truth(arm_sd=0.0),
    "arm x task sd .7": Truth(),
    "arm x task sd 1.4": Truth(arm_sd=1.4),
    "arm x task sd .7, models differ by .3": Truth(model_sd=0.3),
}
"""No trend of the gap anywhere: what differs by task moves all models alike."""

ODDS_NULLS: Mapping[str, Truth] = {
    "strategies alike on every task": Truth(arm_sd=0.0),
    "arm x task sd .7": Truth(),
    "arm x task sd 1.4": Truth(arm_sd=1.4),
    "constant +.6": Truth(effect=lambda c: 0.0 * c + 0.6),
    "constant +.6, strategies alike on every task": Truth(effect=lambda c: 0.0 * c + 0.6, arm_sd=0.0),
    "constant -1.0": Truth(effect=lambda c: 0.0 * c - 1.0),
}
"""No interaction on the scale of log odds with these models."""

CROSSOVER_NULLS: Mapping[str, Truth] = {
    "no gap": Truth(),
    "edge": Truth(effect=lambda c: 0.4 * (c + 1.4)),
    "outside the range": Truth(effect=lambda c: 0.4 * (c + 1.8)),
    "above the range": Truth(effect=lambda c: 0.4 * (c - 1.7)),
    "bend": Truth(effect=lambda c: np.maximum(0.0, 0.9 * (c - 0.1))),
    "step in the middle": Truth(effect=_step(0.0, 1.0)),
    "step at the top": Truth(effect=_step(0.5, 1.0)),
    "step down, nothing above": Truth(effect=lambda c: np.where(c < 0.0, -1.0, 0.0)),
    "negative in the middle": Truth(effect=lambda c: np.where(np.abs(c) < 0.7, -1.0, 0.0)),
    "vee": Truth(effect=lambda c: 0.8 * np.abs(c) - 0.6),
    "one weak outlier": Truth(effect=lambda c: np.where(c == c.min(), -1.5, 0.0)),
    "one strong outlier": Truth(effect=lambda c: np.where(c == c.max(), 1.5, 0.0)),
}
"""No crossover: at least one end has no gap in the direction that one needs, or the wrong one. Independent tasks."""

DEPENDENT_NULLS: Mapping[str, Truth] = {
    "step in the middle, strategies differ by category": Truth(effect=_step(0.0, 1.0), category_sd=0.6),
    "bend, strategies differ by category": Truth(effect=lambda c: np.maximum(0.0, 0.9 * (c - 0.1)), category_sd=0.6),
    "rescue of 5 % of the tasks": Truth(effect=lambda c: np.where(c > 0.0, 0.15, 0.0), rescued=0.05),
}
"""Tasks that depend, or gaps that are skewed: the tests do not keep their level here, and the page has to say so."""
