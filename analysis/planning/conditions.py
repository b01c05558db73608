"""The three conditions of a crossover as statistics that can be looked at after every seed.

A crossover needs all three (an intersection-union test, so each is tested at the full level): the low group's gap is
below 0, the high group's is above 0, and the gap rises with capability. Each is a t over tasks, the models fixed, with
T - 1 degrees of freedom, and is put on the scale of a standard normal by its tail, which is what bounds are given on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from mlesearch.analysis.data.arrays import Floats
from mlesearch.analysis.statistics.crossover import NO_SPREAD

CONDITIONS = ("low", "high", "slope")
"""Of a crossover, in the order of every array here."""

WORDS = {
    "low": ("the low group's gap is below 0", "the low group's gap is above 0"),
    "high": ("the high group's gap is above 0", "the high group's gap is below 0"),
    "slope": ("the gap rises with capability", "the gap falls with capability"),
}
"""Each condition in words: of a claim that the gap rises with capability, and of one that it falls."""


@dataclass(frozen=True, slots=True)
class EndGroups:
    """The two groups of models at the ends of the range of capability.

    Attributes:
        capability: shape (M,): of the models of both groups, the low ones first.
        low: how many of them are the low group.
    """

    capability: tuple[float, ...]
    low: int

    @classmethod
    def of(cls, low: Sequence[float], high: Sequence[float]) -> EndGroups:
        """From the capabilities of the two groups."""
        return cls((*low, *high), len(low))


def statistics(gaps: npt.ArrayLike, ends: EndGroups) -> Floats:
    """The three statistics, each large where its condition holds.

    Args:
        gaps: shape (..., M, T): of the models of both groups, the low ones first, on each task.
        ends: the groups.

    Returns:
        Shape (..., 3), in the order of `CONDITIONS`: standard normal at the border of each condition.
    """
    d = np.asarray(gaps, dtype=np.float64)
    c = np.asarray(ends.capability, dtype=np.float64)
    centred = c - c.mean()
    low, high = d[..., : ends.low, :].mean(axis=-2), d[..., ends.low :, :].mean(axis=-2)
    slope = np.einsum("m,...mt->...t", centred / float(centred @ centred), d)
    return np.stack([normal_score(by_task) for by_task in (-low, high, slope)], axis=-1)


def normal_score(values: npt.ArrayLike) -> Floats:
    """The t statistic of a mean over tasks as the standard normal of the same tail.

    Args:
        values: shape (..., T).

    Returns:
        Shape (...); 0 where the values have no spread, which proves nothing either way.
    """
    x = np.asarray(values, dtype=np.float64)
    tasks = x.shape[-1]
    variance = x.var(axis=-1, ddof=1) / tasks
    known = variance > NO_SPREAD
    t = np.where(known, x.mean(axis=-1) / np.sqrt(np.where(known, variance, 1.0)), 0.0)
    tail = special.stdtr(tasks - 1, -np.abs(t))  # of the far side, where it has digits
    return np.asarray(np.sign(t) * -special.ndtri(np.maximum(tail, 1e-300)) + 0.0, dtype=np.float64)
