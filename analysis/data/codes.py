"""Whole numbers in place of names: which run a row belongs to, of which arm a run is, and the rows of each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.arrays import Flags, Floats, Ints
from mlesearch.analysis.data.claim import Arm
from mlesearch.analysis.data.columns import categories, coded, pair_places, places_of

NAMES = ("model", "strategy", "variant", "task", "status", "ended", "rung", "promises", "environment")
"""Columns of runs whose texts are compared again and again."""


def arm_codes(runs: pd.DataFrame, arms: Sequence[Arm]) -> Ints:
    """The place of each run's arm among `arms`, shape (runs,).

    Raises:
        KeyError: a run is of none of them.
    """
    return pair_places(runs["strategy"], runs["variant"], [(arm.strategy, arm.variant) for arm in arms])


def with_codes(runs: pd.DataFrame) -> pd.DataFrame:
    """A table of runs whose names are coded once for all that read it; categories are in the order of the rows."""
    return runs.assign(**{name: categories(*coded(runs[name])) for name in NAMES if name in runs.columns})


def run_rows(frame: pd.DataFrame, runs: pd.DataFrame) -> Ints:
    """The place among `runs` of the run that each row of another table belongs to; -1 where it is none of them."""
    known = runs["run_id"].to_numpy(dtype=object)
    places, texts = coded(frame["run_id"])
    return places if np.array_equal(texts, known) else places_of(frame["run_id"], known)


@dataclass(frozen=True, slots=True)
class RowGroups:
    """The rows of each group of a table, in their order.

    Attributes:
        order: shape (N,): rows, group by group; those of no group (a code below 0) are left out.
        starts: shape (groups + 1,): where each group begins in `order`.
    """

    order: Ints
    starts: Ints

    @classmethod
    def of(cls, codes: npt.NDArray[np.integer[Any]], groups: int) -> RowGroups:
        """By the group of each row.

        Args:
            codes: shape (N,): from -1 to groups - 1.
            groups: how many there are.
        """
        small = codes.astype(np.int16) if groups < np.iinfo(np.int16).max else codes  # sorted by radix
        sizes = np.bincount(small + 1, minlength=groups + 1)  # first, those of no group
        return cls(np.argsort(small, kind="stable")[sizes[0] :], np.r_[0, np.cumsum(sizes[1:])])

    def __len__(self) -> int:
        """How many groups there are."""
        return self.starts.size - 1

    def __getitem__(self, group: int) -> Ints:
        """The rows of a group."""
        return self.order[self.starts[group] : self.starts[group + 1]]

    @property
    def sizes(self) -> Ints:
        """Shape (groups,): rows of each."""
        return np.diff(self.starts)

    def sums(self, values: Floats) -> Floats:
        """Shape (groups,): the sum of each group's values, in their order; NaN counts as 0.

        Args:
            values: shape (N,): one a row of the table.
        """
        sorted_values = values[self.order]
        if (empty := np.isnan(sorted_values)).any():
            sorted_values = np.where(empty, 0.0, sorted_values)
        parts = np.split(sorted_values, self.starts[1:-1])[: len(self)]
        return np.array([part.sum() for part in parts], dtype=np.float64)

    def whole_sums(self, values: Ints) -> Ints:
        """Shape (groups,): the same of whole numbers, exactly."""
        parts = np.split(values[self.order], self.starts[1:-1])[: len(self)]
        return np.array([part.sum() for part in parts], dtype=np.int64)

    def each(self, true: Flags) -> Flags:
        """Shape (groups,): whether something is so of all rows of a group."""
        if true.all():
            return np.ones(len(self), dtype=bool)
        return np.asarray(self.whole_sums(true.astype(np.int64)) == self.sizes)
