"""The crossover verdict: is the treatment worse than the baseline with weak models and better with strong ones?

Or, where the claim declares that the gap falls, the other way round.

Two groups of models are fixed by the declaration, and each end must be proved by itself. No line is fitted, because a
fitted line manufactures crossovers: it reads a negative low end out of a slope alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlesearch.analysis.data.arrays import Floats
from mlesearch.analysis.statistics.capability import ONE_SIDED_LEVEL, Slope, slope_test
from mlesearch.analysis.statistics.signflip import alike_p
from mlesearch.analysis.statistics.student import t_above, t_quantile
from mlesearch.storage.claim import Trend

ALPHA = 0.05
NO_SPREAD = 1e-18
"""A variance of rates up to this is rounding: gaps are multiples of some 1/(tasks × seeds)."""

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True, slots=True)
class GroupGap:
    """The gap of one group of models, as a fraction.

    Attributes:
        models: its models.
        gap: mean over models and tasks.
        low: lower limit of the 90 % t interval over tasks (models fixed), which belongs to a one-sided test at 5 %; NaN
            where not estimable.
        high: upper limit.
        p: one-sided in the direction that a crossover needs, models fixed, t over tasks; by the signs of the tasks
            where these are all alike.
        p_like: one-sided, the variance between the group's models added, t with (all models - 2) degrees of freedom;
            NaN with fewer than three models in the group.
    """

    models: tuple[str, ...]
    gap: float
    low: float
    high: float
    p: float
    p_like: float


@dataclass(frozen=True, slots=True)
class Crossover:
    """The verdict.

    Attributes:
        refused: why there is no verdict; empty when there is one.
        weak: the low group; None when refused.
        strong: the high group; None when refused.
        slope: the slope that the verdict used; None when refused.
        these_models: claimed for these models (tasks random).
        like_models: claimed for models like these (models random too).
        like_refused: why the second grade has no verdict; empty when it has.
        failed: the parts of the first grade's condition that failed, in words.
        p: of the first grade: the largest of its three parts, an intersection-union test; NaN when refused.
        trend: in which direction it was looked for.
        p_adjusted: `p` adjusted over its family.
    """

    refused: str
    weak: GroupGap | None = None
    strong: GroupGap | None = None
    slope: Slope | None = None
    these_models: bool = False
    like_models: bool = False
    like_refused: str = ""
    failed: tuple[str, ...] = ()
    p: float = math.nan
    trend: Trend = "rises"
    p_adjusted: float = math.nan


def groups_by_capability(models: Sequence[str], capability: npt.ArrayLike) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lowest and the highest third of the models, two at least; a model tied with the last of a group is in it.

    Names play no part: where ties let the two groups meet, both hold the same models, and no verdict is given.
    """
    values = np.asarray(capability, dtype=np.float64)
    if not values.size:
        return (), ()
    ranked = sorted(zip(values.tolist(), models, strict=True))
    size = min(max(2, len(ranked) // 3), len(ranked))
    low, high = ranked[size - 1][0], ranked[-size][0]
    return tuple(m for c, m in ranked if c <= low), tuple(m for c, m in ranked if c >= high)


def groups_by_tier(
    models: Sequence[str], tier: Sequence[str], order: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The models of the lowest and of the highest declared tier."""
    low = tuple(m for m, t in zip(models, tier, strict=True) if t == order[0])
    high = tuple(m for m, t in zip(models, tier, strict=True) if t == order[-1])
    return low, high


def crossover(
    models: Sequence[str],
    gaps: npt.ArrayLike,
    capability: npt.ArrayLike,
    weak: Sequence[str],
    strong: Sequence[str],
    seed: int = 0,
    trend: Trend = "rises",
    slope: Slope | None = None,
) -> Crossover:
    """The two-group verdict.

    Claimed for these models only if the weak group's gap is below 0 and the strong group's above 0 (the other way round
    where the gap was declared to fall), each one-sided at 5 % by t over the tasks' group means, and the slope test over
    tasks rejects (two-sided 5 %, in that direction). For models like these, the variance between a group's models is
    added (its component beyond the task noise, over the number of models), t with M - 2 degrees of freedom, and the
    slope must also pass the two-sided permutation test over models.

    Args:
        models: all models, length M.
        gaps: shape (M, T): the gap of model m on task t, as a fraction.
        capability: shape (M,): external figures or the ranks of declared tiers.
        weak: models of the low group.
        strong: models of the high group.
        seed: of the drawn permutations.
        trend: in which direction the gap was declared to go.
        slope: of these gaps, where it is known.
    """
    d = np.asarray(gaps, dtype=np.float64)
    refused = _refusal(len(models), weak, strong, d.shape[1], np.asarray(capability, dtype=np.float64))
    if refused:
        return Crossover(refused=refused)
    if slope is None:
        slope = slope_test(d, capability, "greater", seed=seed)
    up = 1 if trend == "rises" else -1
    index = {name: row for row, name in enumerate(models)}
    low = _group(tuple(weak), d[[index[m] for m in weak]], -up, len(models))
    high = _group(tuple(strong), d[[index[m] for m in strong]], up, len(models))
    p_slope = slope.p_tasks_two_sided if up * slope.slope > 0 else 1.0
    below, above, change = ("below", "above", "rise") if up > 0 else ("above", "below", "fall")
    failed = [
        text
        for p, text in (
            (low.p, f"the low group's gap is not shown to be {below} 0"),
            (high.p, f"the high group's gap is not shown to be {above} 0"),
            (p_slope, f"the gap is not shown to {change} with capability"),
        )
        if p > ALPHA
    ]
    smallest = min(len(weak), len(strong))
    like_refused = (
        f"at least three models a group are needed to speak of models like these, the smaller group has {smallest}"
        if smallest < 3
        else ""
    )
    both_like = low.p_like <= ALPHA and high.p_like <= ALPHA
    like = not failed and not like_refused and both_like and slope.p_two_sided <= ALPHA
    p = max(low.p, high.p, p_slope)
    return Crossover("", low, high, slope, not failed, like, like_refused, tuple(failed), p, trend, p)


def _refusal(models: int, weak: Sequence[str], strong: Sequence[str], tasks: int, capability: Floats) -> str:
    """Why no verdict is possible, in words, or nothing."""
    if np.ptp(capability) == 0 and models >= 4:
        return "all models have the same capability, so there is nothing for a gap to cross over"
    if models >= 4 and set(weak) & set(strong):
        return (
            "models of the same capability are in one group, and so the lowest and the highest group meet; give "
            "figures of capability that tell the models apart, or declare tiers"
        )
    if min(len(weak), len(strong)) < 2 or models < 4:
        count = _WORDS[models] if models < len(_WORDS) else str(models)
        verb = "is" if models == 1 else "are"
        if models >= 4:
            return (
                f"the groups have {len(weak)} and {len(strong)} models, too few for a crossover: one needs at least "
                "two in the lowest and two in the highest group"
            )
        return (
            f"{count} model{'' if models == 1 else 's'} {verb} too few for a crossover: one needs at least two in the "
            "lowest and two in the highest group, so at least four in all"
        )
    if tasks < 2:
        return "one task is too few for a crossover: the error of a gap is estimated over tasks"
    return ""


def _group(models: tuple[str, ...], d: Floats, sign: int, all_models: int) -> GroupGap:
    """A group's gap with both one-sided p-values. `d` has shape (models of the group, T)."""
    count, tasks = d.shape
    by_task = d.mean(axis=0)
    gap = float(by_task.mean())
    over_tasks = float(by_task.var(ddof=1)) / tasks
    p = _one_sided(sign * gap, over_tasks, tasks - 1, tasks)
    p_like = math.nan
    if count >= 3:
        by_model = d.mean(axis=1)
        residual = d - by_model[:, None] - by_task + gap
        noise = float((residual**2).sum()) / ((count - 1) * (tasks - 1)) / tasks
        between = max(0.0, float(by_model.var(ddof=1)) - noise)
        p_like = _one_sided(sign * gap, over_tasks + between / count, all_models - 2, tasks)
    low = high = math.nan
    if over_tasks > NO_SPREAD:
        reach = float(t_quantile(0.5 + ONE_SIDED_LEVEL / 2.0, tasks - 1)) * math.sqrt(over_tasks)
        widest = 1.0 if float(np.abs(d).max()) <= 1.0 else 2.0  # a measure from -1 to 1 has wider gaps than rates
        low, high = max(-widest, gap - reach), min(widest, gap + reach)
    return GroupGap(models, gap, low, high, p, p_like)


def _one_sided(distance: float, variance: float, df: int, tasks: int) -> float:
    """P of a t statistic at least this far; without any spread over tasks, of signs that all agree."""
    if variance > NO_SPREAD:
        return float(t_above(distance / math.sqrt(variance), df))
    return alike_p(distance if distance**2 > NO_SPREAD else 0.0, tasks, "greater")
