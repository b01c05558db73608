"""What the runs without a result could make of a comparison: all against the treatment, or all for it (Manski 1990)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlesearch.analysis.data.arrays import Flags, Floats, Ints, Sums
from mlesearch.analysis.data.outcomes import Outcomes


@dataclass(frozen=True, slots=True)
class LostBounds:
    """Two strategies under both extremes, before any policy for missing runs.

    Attributes:
        tasks: ids.
        least: sums, shape (M, 2, T), treatment first: every run without a result spoke against the treatment.
        most: likewise, for it.
        counts: runs, shape (M, 2, T).
    """

    tasks: tuple[str, ...]
    least: Sums
    most: Sums
    counts: Ints

    @classmethod
    def of(cls, planned: Outcomes, pair: Sequence[int]) -> LostBounds:
        """Of a grid before any policy.

        Args:
            planned: sums of all its runs.
            pair: places of treatment and baseline among the arms.
        """
        hits, counts, lost = planned.hits[:, pair, :], planned.counts[:, pair, :], planned.lost[:, pair, :]
        low, high = hits + planned.low * lost, hits + planned.high * lost
        least, most = np.stack((low[:, 0], high[:, 1]), axis=1), np.stack((high[:, 0], low[:, 1]), axis=1)
        return cls(planned.tasks, least, most, counts)

    def of_models(self, there: Flags | Ints) -> LostBounds:
        """The part of some models."""
        return LostBounds(self.tasks, self.least[there], self.most[there], self.counts[there])

    def flattest(self, capability: Floats, *, rising: bool) -> Floats:
        """Gaps by model and task, shape (M, T), that make the slope over capability smallest, or largest.

        The slope is linear in the gaps, with weights c - mean(c).

        Args:
            capability: shape (M,).
            rising: of a rising slope the smallest, of a falling one the largest.
        """
        low, high = (
            part[:, 0] / self.counts[:, 0] - part[:, 1] / self.counts[:, 1] for part in (self.least, self.most)
        )
        above = (capability - capability.mean())[:, None] > 0
        return np.asarray(np.where(above == rising, low, high), dtype=np.float64)
