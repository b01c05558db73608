"""Whole numbers in place of names: which run a row belongs to, and of which arm a run is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlesearch.analysis.claim import Arm
from mlesearch.analysis.rates import Ints


def arm_codes(runs: pd.DataFrame, arms: Sequence[Arm]) -> Ints:
    """The place of each run's arm among `arms`, shape (runs,).

    Raises:
        KeyError: a run is of none of them.
    """
    place = {(arm.strategy, arm.variant): i for i, arm in enumerate(arms)}
    return np.array([place[key] for key in zip(runs["strategy"], runs["variant"], strict=True)], dtype=np.int64)


def run_rows(frame: pd.DataFrame, runs: pd.DataFrame) -> Ints:
    """The place among `runs` of the run that each row of another table belongs to; -1 where it is none of them."""
    return np.asarray(pd.Index(runs["run_id"]).get_indexer(pd.Index(frame["run_id"])), dtype=np.int64)


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
        order = np.argsort(codes, kind="stable")
        order = order[np.searchsorted(codes[order], 0) :]
        return cls(order, np.r_[0, np.cumsum(np.bincount(codes[order], minlength=groups))])

    def __getitem__(self, group: int) -> Ints:
        """The rows of a group."""
        return self.order[self.starts[group] : self.starts[group + 1]]
