"""Budget as an axis: what a run had spent when it found its best program so far, and what it showed at any budget.

At a budget a run shows the test result of its best program by validation up to there. Runs are compared at budgets that
all of them were followed to, so that none is judged by what it had no chance to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlesearch.analysis.data.arrays import Floats, Ints
from mlesearch.analysis.data.codes import run_rows
from mlesearch.analysis.data.columns import numbers, one_of
from mlesearch.analysis.data.tables import has_result


@dataclass(frozen=True, slots=True)
class BudgetAxis:
    """One of the budgets by which runs can be compared.

    Attributes:
        name: as people call it, with its unit.
        found_at: column of `best_so_far`: what a run had spent at each better program.
        spent: columns of runs whose sum a run spent in all.
    """

    name: str
    found_at: str
    spent: tuple[str, ...]


AXES: Mapping[str, BudgetAxis] = {
    "steps": BudgetAxis("steps", "step", ("steps",)),
    "time_s": BudgetAxis("charged time, s", "t_charged_s", ("charged_s",)),
    "tokens": BudgetAxis("tokens", "cum_tokens", ("tokens_in", "tokens_out")),
    "usd": BudgetAxis("US dollars", "cum_usd", ("cost_usd",)),
}
"""The budgets by key."""


@dataclass(frozen=True, slots=True)
class BudgetProgress:
    """When each run found a better program on one axis, and up to where all runs were followed.

    Attributes:
        axis: key of `AXES`.
        limit: the common budget: the largest that every run was followed to; NaN where there is none.
        run: shape (N,): the run of each better program, rising.
        at: shape (N,): what the run had spent when it was found.
        rows: shape (N,): its row in the table of better programs.
        runs: number of runs.
    """

    axis: str
    limit: float
    run: Ints
    at: Floats
    rows: Ints
    runs: int

    def values_at(self, budgets: Sequence[float], values: Floats) -> Floats:
        """Shape (budgets, runs): the value of each run's best program so far at some budgets; 0 before it has any.

        Args:
            budgets: on this axis, rising.
            values: shape (rows of the table of better programs,).
        """
        after = sum((self.at > budget).astype(np.int32) for budget in budgets)  # so many are too small for a program
        last = np.full((len(budgets) + 1, self.runs), -1)  # of each run, the last program found between two budgets
        last[after, self.run] = np.arange(self.at.size)
        last = np.maximum.accumulate(last[:-1], axis=0)
        return np.asarray(np.append(values[self.rows], 0.0)[last])

    def area(self, values: Floats) -> Floats:
        """Shape (runs,): the area under the curve of that value up to the common budget, as a share of the budget."""
        ends = np.r_[np.where(self.run[1:] == self.run[:-1], self.at[1:], np.inf), np.inf][: self.at.size]
        width = np.minimum(ends, self.limit) - np.minimum(self.at, self.limit)
        return np.bincount(self.run, width * values[self.rows], minlength=self.runs) / self.limit

    def restricted_time(self, reached: Floats) -> Floats:
        """Shape (runs,): what each run spent until its best program had the target, at most the common budget.

        Args:
            reached: shape (rows of the table of better programs,): whether each has it, 0 or 1.
        """
        first = np.full(self.runs, self.limit)
        hit = reached[self.rows] > 0
        np.minimum.at(first, self.run[hit], self.at[hit])
        return first


def every_progress(
    best: pd.DataFrame, runs: pd.DataFrame, limits: Mapping[str, float] | None = None
) -> dict[str, BudgetProgress]:
    """`budget_progress` on each axis, by its key; `limits` are common budgets, where they are those of other runs."""
    row = run_rows(best, runs)
    own = {axis: None if limits is None else limits.get(axis, np.nan) for axis in AXES}
    return {axis: budget_progress(best, runs, axis, row, limit) for axis, limit in own.items()}


def budget_progress(
    best: pd.DataFrame, runs: pd.DataFrame, axis: str, row: Ints | None = None, limit: float | None = None
) -> BudgetProgress:
    """How runs came to better programs on one axis.

    A run whose strategy had nothing more to propose would have found nothing with more budget: it is followed
    everywhere. Any other was followed to what it spent. Runs without a result are left out of the common budget, and
    what they found counts for nothing.

    Args:
        best: of `best_so_far`.
        runs: table of runs, in its order.
        axis: key of `AXES`.
        row: the run of each row of `best`, where it is known already (`run_rows`).
        limit: the common budget, where it is that of other runs.
    """
    one = AXES[axis]
    spent = sum((numbers(runs[name]) for name in one.spent), np.zeros(len(runs)))
    done = has_result(runs).to_numpy(dtype=bool)
    finished = one_of(runs["ended"], "finished") if "ended" in runs.columns else np.zeros(len(runs), dtype=bool)
    followed = spent[done & ~finished] if bool((done & ~finished).any()) else spent[done]
    if limit is None:
        limit = float(followed.min()) if followed.size and not np.isnan(followed).any() else np.nan
    row = run_rows(best, runs) if row is None else row
    at = best[one.found_at].to_numpy(dtype=np.float64)
    own = np.flatnonzero((row >= 0) & ~np.isnan(at) & np.append(done, False)[row])
    own = own[np.argsort(row[own], kind="stable")]
    return BudgetProgress(axis, limit if limit > 0 else np.nan, row[own], at[own], own, len(runs))
