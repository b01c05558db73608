"""Looks at a study while it grows: which conditions have crossed their bounds, which groups go on, when it is over.

One rule for one study and for thousands of simulated ones: every array here has a leading axis of studies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlesearch.analysis.data.arrays import Flags, Floats, Ints
from mlesearch.analysis.planning.conditions import CONDITIONS
from mlesearch.analysis.planning.spending import SAFE_RATIO, futility_bounds, information_fractions, upper_bounds

NOT_YET = -1
SLOPE = CONDITIONS.index("slope")


@dataclass(frozen=True, slots=True)
class LookBounds:
    """When a condition is shown, and when it is given up.

    Attributes:
        seeds: at each look, on every task; rising.
        upper: at each look, what a condition's statistic must reach, in standard errors.
        futile: at each look, below what the study is given up; minus infinity: never.
    """

    seeds: tuple[int, ...]
    upper: tuple[float, ...]
    futile: tuple[float, ...]

    @classmethod
    def of(cls, seeds: Sequence[int], alpha: float, futility: float, ratio: float = SAFE_RATIO) -> LookBounds:
        """The bounds of a plan.

        Args:
            seeds: at each look.
            alpha: one-sided, of each condition over all looks.
            futility: conditional power below which the study is given up; 0: never.
            ratio: see `information_fractions`.
        """
        fractions = information_fractions(seeds, ratio)
        upper = upper_bounds(fractions, alpha)
        given_up = futility_bounds(fractions, upper, futility)
        return cls(tuple(seeds), tuple(upper.tolist()), tuple(given_up.tolist()))


@dataclass(frozen=True, slots=True)
class LookProgress:
    """Where studies stand after some looks.

    Attributes:
        crossed: shape (S, 3): the look, from 0, at which each condition crossed; `NOT_YET`.
        given_up: shape (S,): the look at which the study was given up; `NOT_YET`.
        looks: taken so far.
    """

    crossed: Ints
    given_up: Ints
    looks: int = 0

    @classmethod
    def new(cls, studies: int = 1) -> LookProgress:
        """Before the first look."""
        return cls(np.full((studies, len(CONDITIONS)), NOT_YET), np.full(studies, NOT_YET))

    @property
    def shown(self) -> Flags:
        """Shape (S,): whether all conditions have crossed."""
        return np.asarray((self.crossed != NOT_YET).all(axis=1))

    @property
    def decided(self) -> Flags:
        """Shape (S,): whether nothing has to be run any more, before the last look."""
        return np.asarray(self.shown | (self.given_up != NOT_YET))

    @property
    def going_on(self) -> Flags:
        """Shape (S, 2): whether the low and the high group have to be run on.

        A group stops once its own condition has crossed; where only the slope is open, both go on.
        """
        open_groups = self.crossed[:, :SLOPE] == NOT_YET
        slope_alone = (self.crossed[:, SLOPE] == NOT_YET) & ~open_groups.any(axis=1)
        return np.asarray((open_groups | slope_alone[:, None]) & ~self.decided[:, None])


def take_look(before: LookProgress, z: Floats, bounds: LookBounds) -> LookProgress:
    """The next look.

    Args:
        before: where the studies stood.
        z: shape (S, 3): the statistics now.
        bounds: of the plan.
    """
    look = before.looks
    going = ~before.decided
    untested = (before.crossed == NOT_YET) & going[:, None]
    crossed = np.where(untested & (z >= bounds.upper[look]), look, before.crossed)
    hopeless = (crossed == NOT_YET) & (z < bounds.futile[look])
    given_up = np.where(going & hopeless.any(axis=1), look, before.given_up)
    return replace(before, crossed=crossed, given_up=given_up, looks=look + 1)
