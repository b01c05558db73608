"""Does a verdict hang on one task, one category of tasks, or one model? Each is left out in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlesearch.analysis.data.arrays import Flags, Floats, Ints, Sums
from mlesearch.analysis.statistics.capability import Alternative
from mlesearch.analysis.statistics.leave_out import Sets, TaskSets, crossing_p, gap_p, holm_each, slope_p

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class PartValues:
    """P-values of the parts of a claim.

    Attributes:
        gaps: Holm-adjusted over the models, one per model.
        slope: None where it is not tested.
        crossover: likewise.
    """

    gaps: tuple[float, ...]
    slope: float | None = None
    crossover: float | None = None


SharedLevel = Callable[[PartValues], PartValues]
"""Adjusts the parts over each other."""


@dataclass(frozen=True, slots=True)
class Hanging:
    """An established verdict, and what it falls without.

    Attributes:
        verdict: `gap`, `slope` or `crossover`.
        model: of a gap; empty otherwise.
        tasks: each of them, left out alone, undoes it.
        categories: likewise.
        models: likewise; a model without which it cannot be tested is not among them.
    """

    verdict: str
    model: str
    tasks: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether it stands without any one of them."""
        return not (self.tasks or self.categories or self.models)


@dataclass(frozen=True, slots=True)
class LeftBounds:
    """The same comparison with the runs without a result all against the treatment, or all for it.

    Attributes:
        least: shape (M, 2, T'), treatment first: all against it.
        most: all for it.
        counts: shape (M, 2, T').
        slope: shape (M, T'): gaps that flatten the slope most; None where it is not tested.
        crossing: likewise those that a crossover in the declared direction has most against it.
        kept: shape (T,): the places of the compared tasks among the T' before any policy for missing runs.
    """

    least: Sums
    most: Sums
    counts: Ints
    slope: Floats | None
    crossing: Floats | None
    kept: Ints

    def without(self, rest: Flags) -> LeftBounds:
        """The part of some models, shape (M,)."""
        slope, crossing = (None if part is None else part[rest] for part in (self.slope, self.crossing))
        return LeftBounds(self.least[rest], self.most[rest], self.counts[rest], slope, crossing, self.kept)

    def sets(self, out: TaskSets) -> TaskSets:
        """Sets of the compared tasks among all of them, shape (S, T')."""
        wide = np.zeros((len(out), self.counts.shape[-1]), dtype=np.bool_)
        wide[:, self.kept] = out
        return wide

    def held(self, signs: Ints, out: TaskSets, mid_p: bool) -> Flags:
        """Whether the gaps reject on the side of their signs whatever those runs were, both of shape (M, S)."""
        (low, low_signs), (high, high_signs) = (
            gap_p(hits, self.counts, self.sets(out), mid_p) for hits in (self.least, self.most)
        )
        above, below = (holm_each(low) <= ALPHA) & (low_signs > 0), (holm_each(high) <= ALPHA) & (high_signs < 0)
        return np.asarray(np.where(signs > 0, above, below), dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Left:
    """A comparison whose parts are tested with something left out.

    Attributes:
        models: names, length M.
        hits: shape (M, 2, T), treatment first; floats are sums of a measure.
        counts: shape (M, 2, T).
        gaps: shape (M, T).
        capability: shape (M,); None where the models have no order.
        side: of the test of the slope; None where it is not tested.
        groups: names of the low and of the high group; None where there is no crossover verdict.
        falls: whether the gap was declared to fall.
        mid_p: of the sign-flip test of gaps.
        lost: bounds by runs without a result; None where all have one.
    """

    models: tuple[str, ...]
    hits: Sums
    counts: Ints
    gaps: Floats
    capability: Floats | None = None
    side: Alternative | None = None
    groups: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    falls: bool = False
    mid_p: bool = False
    lost: LeftBounds | None = None

    def without(self, model: str) -> Left | None:
        """The same without a model; None where its groups, or the order of the others, are gone."""
        rest = np.array([name != model for name in self.models])
        names = tuple(name for name in self.models if name != model)
        if self.capability is None or len(names) < 2 or not np.ptp(self.capability[rest]) > 0:
            return None
        groups = None
        if self.groups is not None:
            low, high = (tuple(name for name in group if name != model) for group in self.groups)
            groups = (low, high) if min(len(low), len(high)) >= 2 else None
        return Left(
            names,
            self.hits[rest],
            self.counts[rest],
            self.gaps[rest],
            self.capability[rest],
            self.side,
            groups,
            self.falls,
            self.mid_p,
            None if self.lost is None else self.lost.without(rest),
        )

    def verdicts(self, out: TaskSets, p: Floats, signs: Ints, shared: SharedLevel) -> tuple[Ints, Ints, Ints]:
        """In which direction each part is established, with sets of tasks left out in turn: +1, -1 or 0.

        Args:
            out: shape (S, T): the tasks of each set.
            p: shape (M, S): of the gaps, of `gap_p`.
            signs: shape (M, S): of the gaps, likewise.
            shared: adjusts the parts over each other.

        Returns:
            Of the gaps, shape (M, S); of the slope and of the crossover (+1 or 0), shape (S,).
        """
        p_gaps = holm_each(p)
        if self.lost is not None:
            p_gaps = np.where(self.lost.held(signs, out, self.mid_p), p_gaps, 1.0)
        p_slope = p_crossing = None
        rising = np.zeros(len(out), dtype=np.int64)
        if self.capability is not None and self.side is not None:
            p_slope, rising = slope_p(self.gaps, self.capability, out, self.side)
            if self.lost is not None and self.lost.slope is not None:
                bound, goes = slope_p(self.lost.slope, self.capability, self.lost.sets(out), self.side)
                p_slope = np.where(goes == rising, np.maximum(p_slope, bound), 1.0)
            if self.groups is not None:
                low, high = ([self.models.index(name) for name in group] for group in self.groups)
                p_crossing = crossing_p(self.gaps, self.capability, low, high, out, self.falls)
                if self.lost is not None and self.lost.crossing is not None:
                    wide = self.lost.sets(out)
                    bound = crossing_p(self.lost.crossing, self.capability, low, high, wide, self.falls)
                    p_crossing = np.maximum(p_crossing, bound)
        gaps, slope, across = np.zeros_like(signs), np.zeros_like(rising), np.zeros_like(rising)
        for s in range(len(out)):
            found = shared(
                PartValues(
                    tuple(p_gaps[:, s].tolist()),
                    None if p_slope is None else float(p_slope[s]),
                    None if p_crossing is None else float(p_crossing[s]),
                )
            )
            gaps[:, s] = np.where(np.array(found.gaps) <= ALPHA, signs[:, s], 0)
            slope[s] = rising[s] if found.slope is not None and found.slope <= ALPHA else 0
            across[s] = int(found.crossover is not None and found.crossover <= ALPHA)
        return gaps, slope, across


def hanging(c: Left, sets: Sets, shared: SharedLevel = lambda parts: parts) -> tuple[Hanging, ...]:
    """The established verdicts, each with what it falls without.

    Args:
        c: the comparison.
        sets: of tasks that are left out.
        shared: adjusts the parts over each other.
    """
    p, signs = gap_p(c.hits, c.counts, sets.rows, c.mid_p)
    gaps, slope, across = c.verdicts(sets.rows, p, signs, shared)
    found = [Hanging("gap", name, *sets.named(gaps[m] != gaps[m, 0])) for m, name in enumerate(c.models) if gaps[m, 0]]
    if not slope[0] and not across[0]:
        return tuple(found)
    lost: dict[str, list[str]] = {"slope": [], "crossover": []}
    none = np.zeros((1, len(sets.tasks)), dtype=np.bool_)
    for m, model in enumerate(c.models):
        rest = c.without(model)
        if rest is None:
            continue
        others = np.arange(len(c.models)) != m
        _, (fewer,), (crossed,) = rest.verdicts(none, p[others, :1], signs[others, :1], shared)
        if fewer != slope[0]:
            lost["slope"].append(model)
        if rest.groups is not None and crossed != across[0]:
            lost["crossover"].append(model)
    for verdict, values in (("slope", slope), ("crossover", across)):
        if values[0]:
            found.append(Hanging(verdict, "", *sets.named(values != values[0]), tuple(lost[verdict])))
    return tuple(found)
