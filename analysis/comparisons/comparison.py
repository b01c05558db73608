"""A treatment against a baseline over all models: gaps, slope and crossover, bounded by the runs without a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mlesearch.analysis.comparisons.assumptions import Assumptions, Compared, assumptions_of, shared_level
from mlesearch.analysis.comparisons.bounds import LostBounds
from mlesearch.analysis.comparisons.sandboxes import Difference
from mlesearch.analysis.data.arrays import Floats, Ints
from mlesearch.analysis.data.claim import Arm, Models, TestedClaim
from mlesearch.analysis.data.outcomes import Outcomes
from mlesearch.analysis.measures.attrition import CellRuns
from mlesearch.analysis.statistics.capability import Alternative, Slope, design_p, slope_test
from mlesearch.analysis.statistics.crossover import ALPHA, Crossover, crossover, groups_by_capability, groups_by_tier
from mlesearch.analysis.statistics.dependence import Categories
from mlesearch.analysis.statistics.equivalence import NOT_TESTED, Equivalence, equivalences
from mlesearch.analysis.statistics.family import Family, family
from mlesearch.analysis.statistics.gaps import Gap, adjust, benjamini_hochberg, not_compared, paired_gap
from mlesearch.analysis.statistics.odds import OddsTrend, odds_trend
from mlesearch.storage.claim import Trend


@dataclass(frozen=True, slots=True)
class Comparison:
    """One treatment against the baseline, over all models.

    Attributes:
        treatment: arm.
        baseline: arm.
        confirmatory: whether it is the declared pair (Holm), else exploratory (BH over all such gaps).
        gaps: one per model.
        by_task: shape (M, T): the gap of each model on each task.
        slope: None where models have no order, there are fewer than two, or some model is not compared.
        crossover: None where the models have no order.
        sandboxes: in what the two sides were not run in the same sandbox.
        bound: the slope with every run without a result taken against it; None where all have one.
        family: of a confirmatory comparison, its parts adjusted over each other; None in exploration.
        odds: the trend of the log odds ratio; None where there is no slope.
        equivalence: one per model: what gap would have been found, and whether the two are equal within the margin.
        assumptions: how far the verdicts depend on assumptions; None for all but the claim's comparison.
    """

    treatment: Arm
    baseline: Arm
    confirmatory: bool
    gaps: tuple[Gap, ...]
    by_task: Floats
    slope: Slope | None
    crossover: Crossover | None
    sandboxes: tuple[Difference, ...] = ()
    bound: Slope | None = None
    family: Family | None = None
    odds: OddsTrend | None = None
    equivalence: tuple[Equivalence, ...] = ()
    assumptions: Assumptions | None = None

    @property
    def slope_p(self) -> float:
        """The p of the slope's verdict before adjustment, runs without a result taken against it; 1 without a slope."""
        if self.slope is None:
            return 1.0
        against = self.bound is not None and self.bound.slope * self.slope.slope <= 0
        return 1.0 if against else max(s.p_both for s in (self.slope, self.bound) if s is not None)

    @property
    def lost(self) -> int:
        """Runs of the two, over all models, that have no result."""
        return sum(gap.lost for gap in self.gaps)


@dataclass(frozen=True, slots=True)
class Grid:
    """What is compared: one outcome over all models, arms and tasks.

    Attributes:
        models: in their order.
        arms: in their order.
        counts: after the missing-run policy.
        planned: before it, of all runs of the grid.
        cells: what became of these runs.
    """

    models: Models
    arms: tuple[Arm, ...]
    counts: Outcomes
    planned: Outcomes
    cells: tuple[CellRuns, ...]

    def of_models(self, there: npt.NDArray[np.bool_]) -> Grid:
        """The part of some models, shape (M,)."""
        return replace(
            self,
            models=self.models.some(there),
            counts=self.counts.of_models(there),
            planned=self.planned.of_models(there),
        )


def assumed(grid: Grid, c: Comparison, claim: TestedClaim, categories: Categories | None) -> Comparison:
    """The claim's comparison, adjusted over its parts, with what its verdicts depend on."""
    pair = [grid.arms.index(c.treatment), grid.arms.index(c.baseline)]
    hits, counts = grid.counts.hits[:, pair, :], grid.counts.counts[:, pair, :]
    compared = Compared(
        grid.models,
        grid.counts.tasks,
        hits,
        counts,
        c.by_task,
        c.gaps,
        c.slope,
        c.crossover,
        c.confirmatory,
        LostBounds.of(grid.planned, pair) if grid.planned.lost[:, pair].any() else None,
    )
    return replace(c, assumptions=assumptions_of(compared, categories, shared_level(c.family, claim.order)))


def compare(
    grid: Grid,
    treatment: Arm,
    baseline: Arm,
    confirmatory: bool,
    trend: Trend | None = None,
    margin: float | None = None,
) -> Comparison:
    """One treatment against the baseline, over the models that the design has both with; see `_compare`."""
    pair = [grid.arms.index(treatment), grid.arms.index(baseline)]
    both = np.asarray(grid.planned.planned[:, pair].all(axis=1))
    if both.all():
        return _compare(grid, treatment, baseline, confirmatory, trend, margin)
    tasks = len(grid.counts.tasks)
    gaps = [
        not_compared("; ".join(f"{grid.arms[a].label}: not run by design" for a in pair if not there[a]), tasks, False)
        for there in grid.planned.planned
    ]
    by_task = np.full((both.size, tasks), np.nan)
    equal = [NOT_TESTED] * both.size
    if not both.any():
        nothing = Comparison(treatment, baseline, confirmatory, tuple(gaps), by_task, None, None)
        return replace(nothing, equivalence=tuple(equal))
    found = _compare(grid.of_models(both), treatment, baseline, confirmatory, trend, margin)
    for m, gap, e in zip(np.flatnonzero(both).tolist(), found.gaps, found.equivalence, strict=True):
        gaps[m], equal[m] = gap, e
    by_task[both] = found.by_task
    return replace(found, gaps=tuple(gaps), by_task=by_task, equivalence=tuple(equal))


def _compare(
    grid: Grid, treatment: Arm, baseline: Arm, confirmatory: bool, trend: Trend | None, margin: float | None
) -> Comparison:
    """One treatment against the baseline; p-values adjusted over the models by Holm.

    The slope is tested one-sided in the declared direction (`trend`), two-sided in exploration. Runs without a result
    bound every verdict: one that would fall if they had all come out against it is not reached.
    """
    models, pair = grid.models, [grid.arms.index(treatment), grid.arms.index(baseline)]
    hits, runs = grid.counts.hits[:, pair, :], grid.counts.counts[:, pair, :]
    refused = [_refusal(grid.cells, model, (treatment, baseline)) for model in models.names]
    tasks = len(grid.counts.tasks)
    gaps = adjust(
        [
            not_compared(why, tasks) if why else paired_gap(h, k, mid_p=not confirmatory)
            for why, h, k in zip(refused, hits, runs, strict=True)
        ],
        "holm",
    )
    bounds = LostBounds.of(grid.planned, pair)
    lost = grid.planned.lost[:, pair, :].sum(axis=(1, 2))
    gaps = _bounded(gaps, lost, bounds, mid_p=not confirmatory)
    rates = hits / runs
    by_task = np.asarray(rates[:, 0, :] - rates[:, 1, :], dtype=np.float64)
    by_task[[bool(why) for why in refused]] = np.nan
    slope = bound = None
    verdict: Crossover | None = None
    if models.capability is not None and any(refused):
        without = ", ".join(m for m, why in zip(models.names, refused, strict=True) if why)
        verdict = Crossover(f"{treatment.label} and {baseline.label} are not compared with {without}")
    elif models.capability is not None:
        weak, strong = groups(models)
        side: Alternative = "two-sided" if trend is None else "greater" if trend == "rises" else "less"
        goes: Trend = trend or "rises"
        if len(models.names) > 1 and np.ptp(models.capability) > 0:
            slope = slope_test(by_task, models.capability, side)
        verdict = crossover(models.names, by_task, models.capability, weak, strong, trend=goes, slope=slope)
        if slope is not None and lost.any():
            bound = slope_test(bounds.flattest(models.capability, rising=slope.slope > 0), models.capability, side)
            against = bounds.flattest(models.capability, rising=goes == "rises")
            worst = crossover(models.names, against, models.capability, weak, strong, trend=goes)
            verdict = replace(
                verdict,
                p=max(verdict.p, worst.p),
                p_adjusted=max(verdict.p, worst.p),
                these_models=verdict.these_models and worst.these_models,
                like_models=verdict.like_models and worst.like_models,
            )
    odds = None
    if slope is not None and models.capability is not None and hits.dtype.kind != "f":  # a measure has no odds
        odds = odds_trend(hits, runs, models.capability)
    equal = equivalences(by_task, margin, lost)
    return Comparison(
        treatment, baseline, confirmatory, gaps, by_task, slope, verdict, bound=bound, odds=odds, equivalence=equal
    )


def _refusal(cells: Sequence[CellRuns], model: str, pair: Sequence[Arm]) -> str:
    """Why two arms are not compared with a model, or nothing."""
    labels = [arm.label for arm in pair]
    return "; ".join(f"{c.arm}: {c.refused}" for c in cells if c.model == model and c.arm in labels and c.refused)


def _bounded(gaps: tuple[Gap, ...], lost: Ints, bounds: LostBounds, *, mid_p: bool) -> tuple[Gap, ...]:
    """The gaps with what the runs without a result could make of them."""
    if not lost.any():
        return gaps
    low, high = (
        adjust([paired_gap(h, k, mid_p=mid_p) for h, k in zip(side, bounds.counts, strict=True)], "holm")
        for side in (bounds.least, bounds.most)
    )
    return tuple(
        replace(
            gap,
            lost=int(n),
            least=a.gap,
            most=b.gap,
            held=not n or (a.rejects() and a.gap > 0 if gap.gap > 0 else b.rejects() and b.gap < 0),
        )
        for gap, n, a, b in zip(gaps, lost, low, high, strict=True)
    )


def groups(models: Models) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The two groups of a crossover: lowest and highest declared tier, else lowest and highest third."""
    if models.capability is None:
        return (), ()
    if models.tier_order:
        low, high = groups_by_tier(models.names, models.tier, models.tier_order)
    else:
        low, high = groups_by_capability(models.names, models.capability)
    return tuple(low), tuple(high)


def adjusted(
    main: Comparison, others: tuple[Comparison, ...], claim: TestedClaim
) -> tuple[Comparison, tuple[Comparison, ...]]:
    """Exploratory gaps share one BH family, and exploratory slopes another; the declared pair keeps Holm."""
    exploratory = [c for c in (main, *others) if not c.confirmatory]
    shared = iter(adjust([gap for c in exploratory for gap in c.gaps if gap.planned], "bh"))

    def declared(c: Comparison) -> bool:
        return c.confirmatory and claim.capability

    trends = [c.slope_p for c in (main, *others) if c.slope is not None and not declared(c)]
    slopes = iter(benjamini_hochberg(trends).tolist())

    def redone(c: Comparison) -> Comparison:
        gaps = c.gaps if c.confirmatory else tuple(next(shared) if g.planned else g for g in c.gaps)
        slope = c.slope if c.slope is None or declared(c) else c.slope.adjusted(next(slopes))
        return replace(c, gaps=gaps, slope=slope)

    first = redone(main)
    return first, tuple(redone(c) for c in others)


def in_family(main: Comparison, claim: TestedClaim, models: Models) -> Comparison:
    """The declared comparison with its parts adjusted over each other; an exploratory one as it is."""
    if not main.confirmatory:
        return main
    slope = crossing = None
    capability = models.some(np.array([gap.planned for gap in main.gaps])).capability
    if claim.capability and capability is not None and main.slope is not None:
        if design_p(capability) <= (ALPHA if claim.order else ALPHA / 2.0):
            slope = main.slope_p
        if main.crossover is not None and not main.crossover.refused:
            crossing = main.crossover.p
    parts = family([g.p_adjusted if g.held else 1.0 for g in main.gaps if g.planned], slope, crossing, claim.order)
    over_parts = iter(parts.gaps)
    gaps = tuple(_over_parts(gap, next(over_parts)) if gap.planned else gap for gap in main.gaps)
    verdict = main.crossover
    if crossing is not None and verdict is not None:
        established = parts.crossover <= ALPHA
        verdict = replace(
            verdict,
            p_adjusted=parts.crossover,
            these_models=verdict.these_models and established,
            like_models=verdict.like_models and established,
        )
    trend = main.slope if main.slope is None or slope is None else main.slope.adjusted(parts.slope)
    return replace(main, gaps=gaps, slope=trend, crossover=verdict, family=parts)


def _over_parts(gap: Gap, p: float) -> Gap:
    return replace(gap, p_adjusted=p) if gap.held else gap
