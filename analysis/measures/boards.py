"""The board of a study: one outcome in every cell, as rates with their intervals and as MLE-bench would print it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.claim import Arm, Models
from mlesearch.analysis.data.codes import RowGroups, arm_codes
from mlesearch.analysis.data.columns import places_of
from mlesearch.analysis.data.outcomes import Outcomes, outcomes, succeeded
from mlesearch.analysis.data.unranked import counted
from mlesearch.analysis.statistics.dependence import categories_of, category_rates
from mlesearch.analysis.statistics.rates import Parity, Rates, e1_rates, e2_rates, parity_of


@dataclass(frozen=True, slots=True)
class Board:
    """One outcome over all cells.

    Attributes:
        outcome: key of `OUTCOMES`.
        counts: successes and runs by model, arm and task.
        e2: shape (M, A); all NaN where no run has a result.
        e1: shape (M, A); likewise.
        parity: by model, then by arm; None where no run has a result.
        by_category: E2 clustered by category of task, shape (M, A); None where no categories are known and repeated.
    """

    outcome: str
    counts: Outcomes
    e2: Rates
    e1: Rates
    parity: tuple[tuple[Parity | None, ...], ...]
    by_category: Rates | None = None


def board(runs: pd.DataFrame, models: Models, arms: Sequence[Arm], outcome: str) -> Board:
    """The rates of one outcome in every cell, over the tasks that can have it."""
    runs = counted(runs, outcome)
    counts = outcomes(runs, models, arms, outcome)
    bare, some = counts.bare, np.maximum(counts.counts, 1)
    groups = categories_of(runs, counts.tasks)
    return Board(
        outcome=outcome,
        counts=counts,
        e2=_known(e2_rates(counts.hits, some), bare),
        e1=_known(e1_rates(counts.hits, some), bare),
        parity=_parities(runs, models, arms, counts, outcome),
        by_category=_known(category_rates(counts.hits, some, groups), bare) if groups else None,
    )


def _known(rates: Rates, bare: npt.NDArray[np.bool_]) -> Rates:
    """The same rates, with none where no run has a result."""
    return Rates(*(np.where(bare, np.nan, getattr(rates, f.name)) for f in fields(rates)))


def _parities(
    runs: pd.DataFrame, models: Models, arms: Sequence[Arm], counts: Outcomes, outcome: str
) -> tuple[tuple[Parity | None, ...], ...]:
    """What MLE-bench's aggregation reports of each cell, its runs in the order of the table."""
    hit = succeeded(runs, outcome).to_numpy(dtype=bool)
    cell = places_of(runs["model"], models.names) * len(arms) + arm_codes(runs, arms)
    groups = RowGroups.of(cell * len(counts.tasks) + places_of(runs["task"], counts.tasks), counts.counts.size)
    seeds = counts.counts.min(axis=-1)
    rank = np.arange(groups.order.size) - np.repeat(groups.starts[:-1], groups.sizes)
    whose = cell[groups.order]
    most = max(1, int(seeds.max(initial=0)))
    kept = (rank < seeds.ravel()[whose]) & hit[groups.order]
    hits = np.bincount(whose[kept] * most + rank[kept], minlength=seeds.size * most).reshape(*seeds.shape, most)
    bare = counts.bare
    return tuple(
        tuple(
            None if bare[m, a] else parity_of(hits[m, a, : seeds[m, a]].tolist(), len(counts.tasks))
            for a in range(len(arms))
        )
        for m in range(len(models.names))
    )
