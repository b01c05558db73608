"""Equal spend: how much of each declared budget the runs of a strategy spent, and why some spent less.

A run ends by the first of its budgets that is spent, so it is *within a step* where it spent all of one of them up to
the cost of a step, and no more of any than that. The cost of a step is the largest that the run itself had.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.arrays import Floats, Ints
from mlesearch.analysis.data.claim import Arm
from mlesearch.analysis.data.codes import arm_codes, run_rows
from mlesearch.analysis.data.reasons import ordered, reasons_text
from mlesearch.analysis.data.tables import has_result

SLACK = 1e-9
"""Share of a budget by which sums of floats may miss it."""

ENDS: Mapping[str, str] = {
    "finished": "the strategy had nothing more to propose",
    "budget": "what was left was less than the next call may cost",
    "real_time": "wall-clock time was up",
}
"""Why a run ended before a budget was spent, by how it ended."""


@dataclass(frozen=True, slots=True)
class BudgetColumns:
    """Where the tables have a budget and what was spent of it.

    Attributes:
        name: of the budget, as users set it.
        limit: column of runs: what was declared.
        spent: columns of runs whose sum was spent.
        so_far: column of nodes: what was spent up to each; empty where each node is one.
    """

    name: str
    limit: str
    spent: tuple[str, ...]
    so_far: str


BUDGETS = (
    BudgetColumns("steps", "budget_steps", ("steps",), ""),
    BudgetColumns("time_s", "budget_time_s", ("charged_s",), "t_charged_s"),
    BudgetColumns("cost_usd", "budget_usd", ("cost_usd",), "cum_usd"),
    BudgetColumns("tokens", "budget_tokens", ("tokens_in", "tokens_out"), "cum_tokens"),
)


@dataclass(frozen=True, slots=True)
class Spend:
    """What some runs spent of one budget.

    Attributes:
        model: empty where it is of all models.
        arm: label of the strategy.
        budget: its name.
        runs: with a result and this budget.
        mean: of the share that each spent; 1 is all of it.
        least: smallest share.
        most: largest share.
        step: mean over runs of the cost of the run's largest step, as a share of the budget.
        within: runs that are within a step, by all of their budgets.
        over: runs that spent more of this budget than a step beyond it.
        short: runs that spent none of their budgets up to a step.
        why_short: how these ended.
        lost: runs without a result, which are in none of the above.
    """

    model: str
    arm: str
    budget: str
    runs: int
    mean: float
    least: float
    most: float
    step: float
    within: int
    over: int
    short: int
    why_short: str
    lost: int


@dataclass(frozen=True, slots=True)
class _Shares:
    """Of each run with a result: what it spent of each budget and its largest step; NaN where it has no such budget."""

    spent: Floats  # (budgets, runs)
    step: Floats  # (budgets, runs)

    @property
    def over(self) -> npt.NDArray[np.bool_]:
        """Shape (budgets, runs): whether more than a step beyond the budget was spent."""
        return np.asarray(self.spent > 1 + self.step + SLACK)

    @property
    def short(self) -> npt.NDArray[np.bool_]:
        """Shape (runs,): whether no budget was spent up to a step."""
        return np.asarray(~(self.spent >= 1 - self.step - SLACK).any(axis=0))


def spends(runs: pd.DataFrame, nodes: pd.DataFrame, models: Sequence[str], arms: Sequence[Arm]) -> tuple[Spend, ...]:
    """The spend of every arm, with all models and then with each; empty where the tables do not know the budgets.

    Args:
        runs: table of runs; an earlier version's has no budgets.
        nodes: table of nodes.
        models: in display order.
        arms: in display order.
    """
    if not {budget.limit for budget in BUDGETS} <= set(runs.columns):
        return ()
    done = has_result(runs).to_numpy(dtype=bool)
    ended = runs[done]
    shares = _shares(ended, nodes)
    if np.isnan(shares.spent).all():
        return ()
    arm, whose = arm_codes(runs, arms), runs["model"].map({m: i for i, m in enumerate(models)}).to_numpy(dtype=np.int64)
    ends = ended["ended"].fillna("").to_numpy() if "ended" in ended.columns else np.full(len(ended), "", dtype=object)
    found: list[Spend] = []
    for m, model in ((-1, ""), *enumerate(models)):
        for a, one in enumerate(arms):
            own = (arm == a) & ((whose == m) if model else True)
            found += _of(shares, ends, own[done], model, one.label, int((own & ~done).sum()))
    return tuple(found)


def _shares(ended: pd.DataFrame, nodes: pd.DataFrame) -> _Shares:
    row = run_rows(nodes, ended)
    order = np.flatnonzero(row >= 0)
    order = order[np.argsort(row[order], kind="stable")]
    spent, step = (np.full((len(BUDGETS), len(ended)), np.nan) for _ in range(2))
    for b, budget in enumerate(BUDGETS):
        limit = _numbers(ended[budget.limit])
        whole = np.sum([_numbers(ended[column]) for column in budget.spent], axis=0)
        largest = np.ones(len(ended))
        if budget.so_far:
            largest = _largest_step(row[order], _numbers(nodes[budget.so_far])[order], whole)
        spent[b], step[b] = whole / limit, largest / limit
    return _Shares(spent, step)


def _numbers(values: pd.Series[float]) -> Floats:
    return np.asarray(values.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _largest_step(row: Ints, so_far: Floats, whole: Floats) -> Floats:
    """The largest rise of what was spent so far, from 0 to the whole of each run.

    Args:
        row: shape (N,): the run of each node, in order of the runs.
        so_far: shape (N,): what its run had spent with it.
        whole: shape (R,): what each run spent.

    Returns:
        Shape (R,); what came after the last node counts as a rise of its own.
    """
    largest = whole.copy()
    if not row.size:
        return largest
    first = np.r_[True, row[1:] != row[:-1]]
    last = np.r_[first[1:], True]
    rises = np.where(first, so_far, so_far - np.r_[0.0, so_far[:-1]])
    largest[row[last]] = whole[row[last]] - so_far[last]
    with np.errstate(invalid="ignore"):  # of runs without a known price
        np.maximum.at(largest, row, rises)
    return largest


def _of(
    shares: _Shares, ends: npt.NDArray[np.object_], there: npt.NDArray[np.bool_], model: str, arm: str, lost: int
) -> Iterator[Spend]:
    """One a budget that these runs have."""
    short = shares.short & there
    within = there & ~short & ~shares.over.any(axis=0)
    for b, budget in enumerate(BUDGETS):
        known = there & ~np.isnan(shares.spent[b])
        if not known.any():
            continue
        spent = shares.spent[b][known]
        why = Counter(ENDS.get(str(end), "it is not known why") for end in ends[short & known])
        yield Spend(
            model,
            arm,
            budget.name,
            int(known.sum()),
            float(spent.mean()),
            float(spent.min()),
            float(spent.max()),
            float(shares.step[b][known].mean()),
            int((within & known).sum()),
            int((shares.over[b] & known).sum()),
            int((short & known).sum()),
            reasons_text(ordered(why)),
            lost,
        )


def frame(found: Sequence[Spend]) -> pd.DataFrame:
    """The same as a table, for a CSV file; `model` is empty where it is of all models."""
    names = {"arm": "strategy", "mean": "mean_share", "least": "least_share", "most": "most_share"}
    rows = [asdict(spend) for spend in found]
    return pd.DataFrame(rows, columns=list(Spend.__dataclass_fields__)).rename(columns=names | {"step": "step_share"})
