"""The board of a study: one outcome in every cell, as rates with their intervals and as MLE-bench would print it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.accounts import arm_labels
from mlesearch.analysis.claim import Arm, Models, Outcomes, outcomes, succeeded
from mlesearch.analysis.dependence import categories_of, category_rates
from mlesearch.analysis.rates import Parity, Rates, e1_rates, e2_rates, parity
from mlesearch.analysis.unranked import counted


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
    lists = _reports(runs, models, arms, outcome)
    bare, some = counts.bare, np.maximum(counts.counts, 1)
    groups = categories_of(runs, counts.tasks)
    return Board(
        outcome=outcome,
        counts=counts,
        e2=_known(e2_rates(counts.hits, some), bare),
        e1=_known(e1_rates(counts.hits, some), bare),
        parity=tuple(
            tuple(None if bare[m, a] else parity(lists[model, arm.label]) for a, arm in enumerate(arms))
            for m, model in enumerate(models.names)
        ),
        by_category=_known(category_rates(counts.hits, some, groups), bare) if groups else None,
    )


def _known(rates: Rates, bare: npt.NDArray[np.bool_]) -> Rates:
    """The same rates, with none where no run has a result."""
    return Rates(*(np.where(bare, np.nan, getattr(rates, f.name)) for f in fields(rates)))


def _reports(
    runs: pd.DataFrame, models: Models, arms: Sequence[Arm], outcome: str
) -> dict[tuple[str, str], list[list[bool]]]:
    """By cell: one list of outcomes per task, in the order of the table."""
    hit = succeeded(runs, outcome).to_numpy(dtype=bool)
    labels = arm_labels(runs, arms)
    tasks: dict[str, int] = {name: i for i, name in enumerate(sorted(set(runs["task"])))}
    cells: dict[tuple[str, str], list[list[bool]]] = {
        (model, arm.label): [[] for _ in tasks] for model in models.names for arm in arms
    }
    for model, label, task, value in zip(runs["model"], labels, runs["task"], hit, strict=True):
        cells[model, label][tasks[task]].append(bool(value))
    return cells
