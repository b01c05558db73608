"""How far the verdicts of a comparison depend on assumptions: independent tasks, no single task, gaps without skew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlesearch.analysis.capability import Slope
from mlesearch.analysis.claim import Models
from mlesearch.analysis.crossover import Crossover
from mlesearch.analysis.dependence import Categories, ClusteredMean, clustered_mean
from mlesearch.analysis.gaps import Gap, holm
from mlesearch.analysis.leave_out import Hanging, Sets, hanging_crossover, hanging_gaps, hanging_slope
from mlesearch.analysis.rates import Floats, Ints
from mlesearch.analysis.skew import SkewForecast, skew_forecast

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class ByCategory:
    """A comparison with variances clustered by category of task.

    Attributes:
        categories: of the tasks.
        gaps: one per model; None where the model is not compared.
        p_adjusted: of the gaps, Holm over the models; 1 where a model is not compared.
        slope: the mean slope over capability, on the side of the test; None where it is not tested.
        low: the gap of the low group, one-sided below 0; None without a crossover verdict.
        high: the gap of the high group, one-sided above 0; likewise.
        rises: the mean slope, two-sided, as the crossover takes it; likewise.
    """

    categories: Categories
    gaps: tuple[ClusteredMean | None, ...]
    p_adjusted: tuple[float, ...]
    slope: ClusteredMean | None
    low: ClusteredMean | None
    high: ClusteredMean | None
    rises: ClusteredMean | None

    @property
    def crossed(self) -> bool:
        """Whether a crossover for these models is established so too."""
        if self.low is None or self.high is None or self.rises is None:
            return False
        return self.low.p <= ALPHA and self.high.p <= ALPHA and self.rises.mean > 0 and self.rises.p <= ALPHA


@dataclass(frozen=True, slots=True)
class Checks:
    """Of one comparison.

    Attributes:
        by_category: None where no categories are known and repeated.
        hanging: the established verdicts, each with what it falls without.
        low_skew: of the low group's gaps, for "below 0"; None without a crossover verdict.
        high_skew: of the high group's gaps, for "above 0"; likewise.
        gap_skews: one per model, on the side of its gap; None where the model is not compared.
    """

    by_category: ByCategory | None
    hanging: tuple[Hanging, ...]
    low_skew: SkewForecast | None
    high_skew: SkewForecast | None
    gap_skews: tuple[SkewForecast | None, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """What is checked: one comparison over all models.

    Attributes:
        models: in their order.
        tasks: ids.
        hits: shape (M, 2, T), treatment first.
        counts: shape (M, 2, T).
        by_task: shape (M, T): gaps; NaN where a model is not compared.
        gaps: one per model.
        slope: as tested; None where it is not.
        crossover: the verdict; None where the models have no order.
    """

    models: Models
    tasks: tuple[str, ...]
    hits: Ints
    counts: Ints
    by_task: Floats
    gaps: Sequence[Gap]
    slope: Slope | None
    crossover: Crossover | None

    @property
    def groups(self) -> tuple[Floats, Floats] | None:
        """The mean gap on each task of the low and of the high group; None without a crossover verdict."""
        x = self.crossover
        if x is None or x.weak is None or x.strong is None:
            return None
        low, high = (
            self.by_task[[self.models.names.index(name) for name in group.models]].mean(axis=0)
            for group in (x.weak, x.strong)
        )
        return low, high


def checks_of(c: Compared, categories: Categories | None) -> Checks:
    """All checks of a comparison.

    Args:
        c: the comparison.
        categories: of its tasks; None where none are known and repeated.
    """
    compared = [m for m, gap in enumerate(c.gaps) if not gap.refused]
    established = {c.models.names[m] for m in compared if c.gaps[m].rejects()}
    sets = Sets.of(c.tasks, categories.names, categories.codes) if categories else Sets.of(c.tasks)
    names = [c.models.names[m] for m in compared]
    hanging: list[Hanging] = []
    if len(c.tasks) > 1:
        found = hanging_gaps(names, c.hits[compared], c.counts[compared], sets)
        hanging += [h for h in found if h.model in established]
    groups, capability = c.groups, c.models.capability
    x = c.crossover
    if capability is not None and c.slope is not None and len(c.tasks) > 1:
        trend = hanging_slope(c.models.names, c.by_task, capability, sets, c.slope.alternative)
        hanging += [trend] if trend is not None else []
        if x is not None and x.these_models and x.weak is not None and x.strong is not None:
            pair = x.weak.models, x.strong.models
            across = hanging_crossover(c.models.names, c.by_task, capability, *pair, sets)
            hanging += [across] if across is not None else []
    return Checks(
        by_category=_by_category(c, categories) if categories else None,
        hanging=tuple(hanging),
        low_skew=skew_forecast(groups[0], "less") if groups else None,
        high_skew=skew_forecast(groups[1], "greater") if groups else None,
        gap_skews=tuple(
            None if gap.refused else skew_forecast(row, "less" if gap.gap < 0 else "greater")
            for gap, row in zip(c.gaps, c.by_task, strict=True)
        ),
    )


def _by_category(c: Compared, categories: Categories) -> ByCategory:
    gaps = tuple(
        None if gap.refused else clustered_mean(row, categories) for gap, row in zip(c.gaps, c.by_task, strict=True)
    )
    adjusted = holm([1.0 if g is None else g.p for g in gaps])
    slope = low = high = rises = None
    if c.slope is not None and c.models.capability is not None:
        centred = c.models.capability - c.models.capability.mean()
        slopes = centred @ c.by_task / float(centred @ centred)
        slope = clustered_mean(slopes, categories, c.slope.alternative)
        if c.groups is not None:
            low = clustered_mean(c.groups[0], categories, "less")
            high = clustered_mean(c.groups[1], categories, "greater")
            rises = clustered_mean(slopes, categories)
    return ByCategory(categories, gaps, tuple(np.asarray(adjusted).tolist()), slope, low, high, rises)
