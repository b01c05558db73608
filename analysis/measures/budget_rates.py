"""Medal rates and gaps at any budget, and whether one strategy is ahead with little and the other with much.

The crossover in budget follows the rule of the crossover in capability: two groups of budgets, declared before the
first run; behind in one, ahead in the other, and a difference between them, each tested over tasks. No curve is fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlesearch.analysis.data.arrays import Floats
from mlesearch.analysis.data.claim import Arm, Models
from mlesearch.analysis.measures.beyond_medals import TaskCells, mean_intervals
from mlesearch.analysis.measures.budget_axis import AXES, BudgetProgress, budget_progress, every_progress
from mlesearch.analysis.statistics.student import t_above
from mlesearch.analysis.text import amount
from mlesearch.storage.claimed_measures import budgets_problem
from mlesearch.types import ConfigError

TENTHS = range(1, 11)
"""Tenths of the common budget at which rates are given."""

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class BudgetGap:
    """Any-medal rates of two strategies at one budget, all models together, paired by task.

    Attributes:
        axis: key of `AXES`.
        budget: on it.
        share: of the common budget.
        treatment: label.
        baseline: label.
        rate_treatment: mean over tasks of the mean over models and runs.
        rate_baseline: the same of the baseline.
        gap: their difference.
        low: lower limit of its 95 % t interval over tasks; NaN where not estimable.
        high: upper limit.
        p: two-sided, t over tasks, of this budget alone.
        tasks: number of tasks.
    """

    axis: str
    budget: float
    share: float
    treatment: str
    baseline: str
    rate_treatment: float
    rate_baseline: float
    gap: float
    low: float
    high: float
    p: float
    tasks: int


@dataclass(frozen=True, slots=True)
class BudgetCrossover:
    """Whether the treatment is behind with small budgets and ahead with large ones, or the other way round.

    Attributes:
        axis: key of `AXES`.
        low_budgets: declared.
        high_budgets: declared.
        low_gap: mean gap over the small budgets.
        high_gap: mean gap over the large ones.
        p_low: one-sided, that the gap is on the side of zero that it is seen on; t over tasks.
        p_high: likewise.
        p_change: two-sided, that both gaps are equal; t over tasks.
        tasks: number of tasks.
        refused: why there is no verdict; empty where there is one.
    """

    axis: str
    low_budgets: tuple[float, ...]
    high_budgets: tuple[float, ...]
    low_gap: float = np.nan
    high_gap: float = np.nan
    p_low: float = np.nan
    p_high: float = np.nan
    p_change: float = np.nan
    tasks: int = 0
    refused: str = ""

    @property
    def established(self) -> bool:
        """Whether all three tests reject and the two gaps have opposite signs."""
        opposite = self.low_gap * self.high_gap < 0
        return opposite and max(self.p_low, self.p_high, self.p_change) <= ALPHA


def budget_gaps(
    runs: pd.DataFrame,
    best: pd.DataFrame,
    models: Models,
    arms: Sequence[Arm],
    treatment: Arm,
    baseline: Arm,
    progress: Mapping[str, BudgetProgress] | None = None,
) -> tuple[BudgetGap, ...]:
    """The gap at each tenth of the common budget, on each axis; empty where nodes have no medals.

    Args:
        runs: of `measures.ranked_runs`.
        best: of `best_so_far`.
        models: in their order.
        arms: in their order.
        treatment: one of them.
        baseline: another.
        progress: of `every_progress`, where it is there already.
    """
    if best["level"].isna().all():
        return ()
    found = []
    cells, chosen = TaskCells.of(runs, models, arms), [arms.index(treatment), arms.index(baseline)]
    for axis, on in (every_progress(best, runs) if progress is None else progress).items():
        if np.isnan(on.limit):
            continue
        budgets = [k * on.limit / 10 for k in TENTHS]
        rates = _rates(on, best, cells, chosen, budgets)
        d = rates[:, 0] - rates[:, 1]
        low, high, p = mean_intervals(d)
        for b, tenth in enumerate(TENTHS):
            own = rates[b][:, ~np.isnan(d[b])]
            means = own.mean(axis=1) if own.size else np.full(2, np.nan)
            found.append(
                BudgetGap(
                    axis,
                    budgets[b],
                    tenth / 10,
                    treatment.label,
                    baseline.label,
                    float(means[0]),
                    float(means[1]),
                    float(means[0] - means[1]),
                    float(low[b]),
                    float(high[b]),
                    float(p[b]),
                    own.shape[1],
                )
            )
    return tuple(found)


def _rates(
    on: BudgetProgress, best: pd.DataFrame, cells: TaskCells, chosen: Sequence[int], budgets: Sequence[float]
) -> Floats:
    """Shape (budgets, 2, T): the any-medal rate of the chosen arms at each budget, mean over models."""
    medal = np.nan_to_num(best["level"].to_numpy(dtype=np.float64), nan=0.0) >= 1
    return np.stack([cells.means(row).mean(axis=0)[list(chosen)] for row in on.values_at(budgets, medal * 1.0)])


def declared_budgets(study: Mapping[str, Any]) -> tuple[str, tuple[float, ...], tuple[float, ...]] | None:
    """The axis, the small and the large budgets that a claim declared; None where it declared none.

    Raises:
        ConfigError: the claim's budgets are none.
    """
    claim = study.get("claim")
    raw = claim.get("budgets") if isinstance(claim, Mapping) else None
    if not raw:
        return None
    if not isinstance(raw, Mapping) or not {"axis", "low", "high"} <= set(raw):
        raise ConfigError("study.json: claim.budgets needs axis, low and high")
    sides = []
    for side in ("low", "high"):
        values = raw[side]
        if not isinstance(values, Sequence) or not all(isinstance(v, int | float) for v in values):
            raise ConfigError(f"study.json: claim.budgets.{side} needs two amounts or more")
        sides.append(tuple(float(v) for v in values))
    if problem := budgets_problem(str(raw["axis"]), *sides):
        raise ConfigError(f"study.json: {problem}")
    return str(raw["axis"]), sides[0], sides[1]


def budget_crossover(
    runs: pd.DataFrame,
    best: pd.DataFrame,
    models: Models,
    arms: Sequence[Arm],
    pair: tuple[Arm, Arm],
    declared: tuple[str, tuple[float, ...], tuple[float, ...]],
) -> BudgetCrossover:
    """The crossover at declared budgets, all models together, for tasks like these.

    Args:
        runs: of `measures.ranked_runs`.
        best: of `best_so_far`.
        models: in their order.
        arms: in their order.
        pair: treatment and baseline.
        declared: of `declared_budgets`.
    """
    axis, low_budgets, high_budgets = declared
    on = budget_progress(best, runs, axis)
    if np.isnan(on.limit) or high_budgets[-1] > on.limit:
        reach = "no common budget" if np.isnan(on.limit) else f"runs are followed to {amount(on.limit)} alone"
        return BudgetCrossover(axis, low_budgets, high_budgets, refused=f"{AXES[axis].name}: {reach}")
    if best["level"].isna().all():
        return BudgetCrossover(
            axis, low_budgets, high_budgets, refused="single programs have no medals in these tables"
        )
    cells, chosen = TaskCells.of(runs, models, arms), [arms.index(arm) for arm in pair]
    rates = _rates(on, best, cells, chosen, (*low_budgets, *high_budgets))
    d = rates[:, 0] - rates[:, 1]
    return crossing_of(axis, low_budgets, high_budgets, d)


def crossing_of(
    axis: str, low_budgets: tuple[float, ...], high_budgets: tuple[float, ...], gaps: Floats
) -> BudgetCrossover:
    """The verdict on gaps at declared budgets.

    Args:
        axis: key of `AXES`.
        low_budgets: declared.
        high_budgets: declared.
        gaps: shape (budgets, T), the small budgets first; NaN on a task that has none.
    """
    groups = np.stack((gaps[: len(low_budgets)].mean(axis=0), gaps[len(low_budgets) :].mean(axis=0)))
    groups = groups[:, ~np.isnan(groups).any(axis=0)]
    tasks = groups.shape[1]
    low, high, change = (_t(values) for values in (groups[0], groups[1], groups[1] - groups[0]))
    return BudgetCrossover(
        axis,
        low_budgets,
        high_budgets,
        float(groups[0].mean()),
        float(groups[1].mean()),
        _tail(low, tasks),
        _tail(high, tasks),
        min(1.0, 2.0 * _tail(change, tasks)),
        tasks,
    )


def _t(values: Floats) -> float:
    """Student's t of a mean against 0; 0 without spread, which rejects nothing."""
    if values.size < 2 or np.ptp(values) == 0:
        return 0.0
    return float(values.mean() / (values.std(ddof=1) / np.sqrt(values.size)))


def _tail(t: float, tasks: int) -> float:
    return float(t_above(abs(t), max(1, tasks - 1)))
