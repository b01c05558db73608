"""How far the verdicts of a comparison depend on assumptions: independent tasks, no single task, gaps without skew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlesearch.analysis.comparisons.bounds import LostBounds
from mlesearch.analysis.data.arrays import Floats, Ints, Sums
from mlesearch.analysis.data.claim import Models
from mlesearch.analysis.statistics.capability import Slope
from mlesearch.analysis.statistics.crossover import Crossover
from mlesearch.analysis.statistics.dependence import Categories, ClusteredMean, clustered_mean
from mlesearch.analysis.statistics.family import Family, family
from mlesearch.analysis.statistics.gaps import Gap, holm
from mlesearch.analysis.statistics.hanging import Hanging, Left, LeftBounds, PartValues, SharedLevel, hanging
from mlesearch.analysis.statistics.leave_out import Sets
from mlesearch.analysis.statistics.skew import SkewForecast, skew_forecast
from mlesearch.storage.claim import ClaimPart

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class ByCategory:
    """A comparison with variances clustered by category of task.

    Attributes:
        categories: of the tasks.
        gaps: one per model; None where the model is not compared.
        p_adjusted: of the gaps, Holm over the models and, as of the plain tests, over the parts of the claim; 1 where a
            model is not compared.
        slope: the mean slope over capability, on the side of the test; None where it is not tested.
        low: the gap of the low group, one-sided as a crossover needs it; None without a crossover verdict.
        high: the gap of the high group, likewise.
        change: the mean slope in the declared direction (with its sign turned where the gap was declared to fall),
            two-sided, as the crossover takes it; likewise.
        p_slope: of the trend, the larger of permutation and the clustered t, over the parts of the claim likewise.
        p_crossover: of the crossover, the largest of its three clustered parts, likewise.
    """

    categories: Categories
    gaps: tuple[ClusteredMean | None, ...]
    p_adjusted: tuple[float, ...]
    slope: ClusteredMean | None
    low: ClusteredMean | None
    high: ClusteredMean | None
    change: ClusteredMean | None
    p_slope: float | None = None
    p_crossover: float | None = None

    @property
    def rises(self) -> bool:
        """Whether the trend is established so too."""
        return self.p_slope is not None and self.p_slope <= ALPHA

    @property
    def crossed(self) -> bool:
        """Whether a crossover for these models is established so too."""
        return self.p_crossover is not None and self.p_crossover <= ALPHA


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Of one comparison.

    Attributes:
        by_category: None where no categories are known and repeated.
        hanging: the established verdicts, each with what it falls without.
        low_skew: of the low group's gaps, on the side that a crossover needs; None without a crossover verdict.
        high_skew: of the high group's gaps, likewise.
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
        confirmatory: whether it was declared.
        bounds: with the runs without a result all against the treatment, and all for it; None where all have one.
    """

    models: Models
    tasks: tuple[str, ...]
    hits: Sums
    counts: Ints
    by_task: Floats
    gaps: Sequence[Gap]
    slope: Slope | None
    crossover: Crossover | None
    confirmatory: bool
    bounds: LostBounds | None = None

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


def shared_level(parts: Family | None, declared: Sequence[ClaimPart]) -> SharedLevel:
    """How parts with something left out share one level: as those of the claim do.

    Args:
        parts: of the claim, as they were adjusted over each other; None in exploration: each has its own level.
        declared: the declared order.
    """

    def shared(values: PartValues) -> PartValues:
        if parts is None:
            return values
        slope = values.slope if "slope" in parts.order else None
        crossing = values.crossover if "crossover" in parts.order else None
        found = family(values.gaps, slope, crossing, declared)
        return PartValues(
            found.gaps,
            values.slope if slope is None else found.slope,
            values.crossover if crossing is None else found.crossover,
        )

    return shared


def assumptions_of(c: Compared, categories: Categories | None, shared: SharedLevel) -> Assumptions:
    """What the verdicts of a comparison depend on.

    Args:
        c: the comparison.
        categories: of its tasks; None where none are known and repeated.
        shared: how its parts share one level.
    """
    groups, falls = c.groups, c.crossover is not None and c.crossover.trend == "falls"
    return Assumptions(
        by_category=_by_category(c, categories, shared) if categories else None,
        hanging=_hanging(c, categories, shared) if len(c.tasks) > 1 else (),
        low_skew=skew_forecast(groups[0], "greater" if falls else "less") if groups else None,
        high_skew=skew_forecast(groups[1], "less" if falls else "greater") if groups else None,
        gap_skews=tuple(
            None if gap.refused else skew_forecast(row, "less" if gap.gap < 0 else "greater")
            for gap, row in zip(c.gaps, c.by_task, strict=True)
        ),
    )


def _hanging(c: Compared, categories: Categories | None, shared: SharedLevel) -> tuple[Hanging, ...]:
    """What the established verdicts fall without; of those alone that runs without a result leave standing."""
    sets = Sets.of(c.tasks, categories.names, categories.codes) if categories else Sets.of(c.tasks)
    rows = [m for m, gap in enumerate(c.gaps) if not gap.refused]
    x = c.crossover
    left = Left(
        models=tuple(c.models.names[m] for m in rows),
        hits=c.hits[rows],
        counts=c.counts[rows],
        gaps=c.by_task[rows],
        capability=None if c.models.capability is None else c.models.capability[rows],
        side=None if c.slope is None else c.slope.alternative,
        groups=None if x is None or x.weak is None or x.strong is None else (x.weak.models, x.strong.models),
        falls=x is not None and x.trend == "falls",
        mid_p=not c.confirmatory,
        lost=_left_bounds(c, rows),
    )
    standing = {c.models.names[m] for m in rows if c.gaps[m].rejects()}
    found = hanging(left, sets, shared)
    return tuple(
        h
        for h in found
        if (h.verdict == "gap" and h.model in standing)
        or h.verdict == "slope"
        or (h.verdict == "crossover" and x is not None and x.these_models)
    )


def _left_bounds(c: Compared, rows: Sequence[int]) -> LeftBounds | None:
    """The bounds of what is compared, for leaving tasks out of them too."""
    if c.bounds is None:
        return None
    own = c.bounds.of_models(np.array(rows, dtype=np.int64))
    slope = crossing = None
    if c.models.capability is not None and c.slope is not None:
        capability = c.models.capability[rows]
        slope = own.flattest(capability, rising=c.slope.slope > 0)
        crossing = own.flattest(capability, rising=c.crossover is None or c.crossover.trend == "rises")
    kept = np.array([own.tasks.index(task) for task in c.tasks], dtype=np.int64)
    return LeftBounds(own.least, own.most, own.counts, slope, crossing, kept)


def _by_category(c: Compared, categories: Categories, shared: SharedLevel) -> ByCategory:
    gaps = tuple(
        None if gap.refused else clustered_mean(row, categories) for gap, row in zip(c.gaps, c.by_task, strict=True)
    )
    adjusted = holm([1.0 if g is None else g.p for g in gaps])
    slope = low = high = change = None
    if c.slope is not None and c.models.capability is not None:
        rows = [m for m, gap in enumerate(c.gaps) if not gap.refused]
        centred = c.models.capability[rows] - c.models.capability[rows].mean()
        slopes = centred @ c.by_task[rows] / float(centred @ centred)
        slope = clustered_mean(slopes, categories, c.slope.alternative)
        if c.groups is not None:
            falls = c.crossover is not None and c.crossover.trend == "falls"
            low = clustered_mean(c.groups[0], categories, "greater" if falls else "less")
            high = clustered_mean(c.groups[1], categories, "less" if falls else "greater")
            change = clustered_mean(-slopes if falls else slopes, categories)
    crossing = None
    if low is not None and high is not None and change is not None:
        crossing = max(low.p, high.p, change.p if change.mean > 0 else 1.0)
    trend = None if slope is None or c.slope is None else max(slope.p, c.slope.p)
    parts = shared(PartValues(tuple(np.asarray(adjusted).tolist()), trend, crossing))
    return ByCategory(categories, gaps, parts.gaps, slope, low, high, change, parts.slope, parts.crossover)
