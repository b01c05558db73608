"""Whole numbers in place of names: which run a row belongs to, of which arm a run is, and the rows of each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlesearch.analysis.data.arrays import Flags, Floats, Ints
from mlesearch.analysis.data.claim import Arm
from mlesearch.analysis.data.columns import pair_places, places_of


def arm_codes(runs: pd.DataFrame, arms: Sequence[Arm]) -> Ints:
    """The place of each run's arm among `arms`, shape (runs,).

    Raises:
        KeyError: a run is of none of them.
    """
    return pair_places(runs["strategy"], runs["variant"], [(arm.strategy, arm.variant) for arm in arms])


def run_rows(frame: pd.DataFrame, runs: pd.DataFrame) -> Ints:
    """The place among `runs` of the run that each row of another table belongs to; -1 where it is none of them."""
    return places_of(frame["run_id"], runs["run_id"].tolist())


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
    def of(cls, codes: Ints, groups: int) -> RowGroups:
        """By the group of each row.

        Args:
            codes: shape (N,): from -1 to groups - 1.
            groups: how many there are.
        """
        small = codes.astype(np.int16) if groups < np.iinfo(np.int16).max else codes  # sorted by radix
        order = np.argsort(small, kind="stable")
        order = order[np.count_nonzero(codes < 0) :]
        return cls(order, np.r_[0, np.cumsum(np.bincount(codes[order], minlength=groups))])

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
        sorted_values = np.where(np.isnan(values), 0.0, values)[self.order]
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
