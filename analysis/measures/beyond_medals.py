"""Outcomes of a run beyond yes and no: its place on the board, what it improved, how soon it was good.

Each is one number a run. Runs of a task are averaged, tasks weigh alike, and two strategies are compared on the same
tasks. A run without a valid program, or without a result, has the worst value: it is not left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlesearch.analysis.data.arrays import Floats, Ints
from mlesearch.analysis.data.claim import Arm, Models
from mlesearch.analysis.data.codes import arm_codes, run_rows
from mlesearch.analysis.data.columns import distinct, numbers, places_of
from mlesearch.analysis.data.tables import has_result
from mlesearch.analysis.data.unranked import counted
from mlesearch.analysis.measures.budget_axis import AXES, BudgetProgress, every_progress
from mlesearch.analysis.statistics.gaps import benjamini_hochberg, holm
from mlesearch.analysis.statistics.student import t_above, t_quantile

TARGETS: Mapping[str, Callable[[pd.DataFrame], Floats]] = {
    "median": lambda best: best["above_median"].to_numpy(dtype=np.float64),
    "bronze": lambda best: np.where(best["level"].isna(), np.nan, best["level"] >= 1),
    "silver": lambda best: np.where(best["level"].isna(), np.nan, best["level"] >= 2),
    "gold": lambda best: np.where(best["level"].isna(), np.nan, best["level"] >= 3),
}
"""What a program can reach: whether each row of the table of better programs has it; NaN where that is not known."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One outcome of every run.

    Attributes:
        key: its name in tables.
        title: its name for people, with its unit.
        values: shape (runs,): one a row of the table of runs on tasks with a leaderboard.
        axis: key of `AXES` where it is measured at a common budget, else empty.
        limit: that budget; NaN where there is none.
        lower_is_better: whether less is better.
    """

    key: str
    title: str
    values: Floats
    axis: str = ""
    limit: float = np.nan
    lower_is_better: bool = False


@dataclass(frozen=True, slots=True)
class MeasuredGap:
    """One measure of two strategies with one model, paired by task; or with all models together.

    Attributes:
        measure: key.
        axis: of its budget, or empty.
        limit: common budget, or NaN.
        model: its name; empty where it is the mean over all models.
        treatment: label.
        baseline: label.
        mean_treatment: mean over tasks of the mean over runs.
        mean_baseline: the same of the baseline.
        gap: their difference.
        low: lower limit of its 95 % t interval over tasks; NaN where not estimable.
        high: upper limit.
        p: two-sided, t over tasks; 1 where all tasks have the same gap of 0, NaN where not estimable.
        p_adjusted: by Holm over the declared ones, by Benjamini and Hochberg over all others of the report.
        declared: whether the claim declared it: its pair, with all models together.
        tasks: number of tasks.
        ahead: tasks on which the treatment is better.
        behind: tasks on which it is worse.
    """

    measure: str
    axis: str
    limit: float
    model: str
    treatment: str
    baseline: str
    mean_treatment: float
    mean_baseline: float
    gap: float
    low: float
    high: float
    p: float
    p_adjusted: float
    tasks: int
    ahead: int
    behind: int
    declared: bool = False


def ranked_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that measures are about: those on tasks with a leaderboard."""
    return counted(runs, "any_medal").reset_index(drop=True)


def measures(
    runs: pd.DataFrame, best: pd.DataFrame, progress: Mapping[str, BudgetProgress] | None = None
) -> tuple[Measure, ...]:
    """All measures that the tables allow.

    Args:
        runs: of `ranked_runs`.
        best: of `best_so_far`.
        progress: of `every_progress`, where it is there already.
    """
    if runs.empty:
        return ()
    done = has_result(runs).to_numpy(dtype=bool)
    place = np.where(done, np.nan_to_num(numbers(runs["percentile"]), nan=0.0), 0.0)
    found = [Measure("percentile", "percentile on the board", place)]
    known = best["percentile"].notna().to_numpy(dtype=bool)
    if known.any():
        first = _first(best, runs, np.nan_to_num(best["percentile"].to_numpy(dtype=np.float64), nan=0.0))
        change = np.where(done, normalised_change(first, place), 0.0)
        found.append(Measure("normalised_improvement", "normalised improvement", change))
    reached = {target: has(best) for target, has in TARGETS.items()}
    reached = {target: np.nan_to_num(has, nan=0.0) for target, has in reached.items() if not np.isnan(has).all()}
    for on in (every_progress(best, runs) if progress is None else progress).values():
        if not np.isnan(on.limit):
            found += _at_common_budget(on, best, reached, place_known=bool(known.any()))
    return tuple(found)


def _at_common_budget(
    on: BudgetProgress, best: pd.DataFrame, reached: Mapping[str, Floats], *, place_known: bool
) -> list[Measure]:
    """The area under the curve and the times to the targets on one axis."""
    name = AXES[on.axis].name
    column, what = ("percentile", "percentile") if place_known else ("standing", "standing in this study")
    values = np.nan_to_num(best[column].to_numpy(dtype=np.float64), nan=0.0)
    title = f"area under the best-so-far {what} over {name}"
    found = [Measure(f"auc_{on.axis}", title, on.area(values), on.axis, on.limit)]
    for target, has in reached.items():
        title = f"{name} to {target}, at most the common budget"
        key = f"to_{target}_{on.axis}"
        found.append(Measure(key, title, on.restricted_time(has), on.axis, on.limit, lower_is_better=True))
    return found


def _first(best: pd.DataFrame, runs: pd.DataFrame, values: Floats) -> Floats:
    """The value of each run's first valid program; 0 without any."""
    row = run_rows(best, runs)
    own = np.flatnonzero(row >= 0)
    found = np.zeros(len(runs))
    found[row[own][::-1]] = values[own][::-1]  # of several, the first is written last
    return found


def normalised_change(first: Floats, last: Floats) -> Floats:
    """The change from the first to the last as a share of the largest that was possible, -1 to 1.

    `(last - first) / (1 - first)` where it rose, `(last - first) / first` where it fell, 0 where it did not change
    (Marx and Cummings 2007, Am. J. Phys. 75).

    Args:
        first: shape (N,), 0 to 1.
        last: shape (N,), 0 to 1.
    """
    change = last - first
    room = np.where(change > 0, 1.0 - first, first)
    return np.where(change == 0, 0.0, change / np.where(room > 0, room, 1.0))


@dataclass(frozen=True, slots=True)
class TaskCells:
    """Which model, strategy and task each run is of, coded once.

    Attributes:
        code: shape (runs,): the place of each run's cell in the flattened grid.
        shape: of the grid: models, arms, tasks.
        counts: runs of each cell of the flattened grid.
    """

    code: Ints
    shape: tuple[int, int, int]
    counts: Ints

    @classmethod
    def of(cls, runs: pd.DataFrame, models: Models, arms: Sequence[Arm]) -> TaskCells:
        """Of a table of runs."""
        tasks = distinct(runs["task"])
        cell = places_of(runs["model"], models.names) * len(arms) + arm_codes(runs, arms)
        code = cell * len(tasks) + places_of(runs["task"], tasks)
        shape = (len(models.names), len(arms), len(tasks))
        return cls(code, shape, np.bincount(code, minlength=math.prod(shape)))

    def means(self, values: Floats) -> Floats:
        """Shape (M, A, T): the mean over the runs of each task that have a value; NaN where none has.

        Args:
            values: shape (runs,).
        """
        code, counts, empty = self.code, self.counts, np.isnan(values)
        if empty.any():
            code, values = code[~empty], values[~empty]
            counts = np.bincount(code, minlength=counts.size)
        with np.errstate(invalid="ignore"):
            means = np.bincount(code, values, counts.size) / counts
        return np.asarray(means.reshape(self.shape))


def measured_gaps(
    found: Sequence[Measure],
    runs: pd.DataFrame,
    models: Models,
    arms: Sequence[Arm],
    baseline: Arm,
    treatment: Arm | None = None,
    declared: Collection[str] = (),
) -> tuple[MeasuredGap, ...]:
    """Every other arm against the baseline, by measure, with all models together and with each.

    Args:
        found: of `measures`.
        runs: of `ranked_runs`.
        models: in their order.
        arms: in their order.
        baseline: what the others are compared with.
        treatment: of the claim.
        declared: measures that the claim declared for these two.
    """
    others = [arm for arm in arms if arm != baseline]
    if not others or not found:
        return ()
    labels, pairs = [], []
    names = [*([""] if len(models.names) > 1 else []), *models.names]
    cells = TaskCells.of(runs, models, arms)
    for measure in found:
        table = cells.means(measure.values)
        if len(models.names) > 1:
            table = np.concatenate((table.mean(axis=0, keepdims=True), table))
        for arm in others:
            labels += [(measure, name, arm.label) for name in names]
            pairs.append(table[:, [arms.index(arm), arms.index(baseline)], :])
    both = np.concatenate(pairs)
    d = both[:, 0] - both[:, 1]
    both = np.where(np.isnan(d)[:, None, :], np.nan, both)
    low, high, p = mean_intervals(d)
    chosen = treatment.label if treatment is not None else ""
    claimed = np.array([m.key in declared and name == names[0] and label == chosen for m, name, label in labels])
    adjusted = np.full(p.size, np.nan)
    for family, adjust in ((claimed, holm), (~claimed, benjamini_hochberg)):
        tested = family & ~np.isnan(p)
        adjusted[tested] = adjust(p[tested])
    tasks = (~np.isnan(d)).sum(axis=1)
    with np.errstate(invalid="ignore"):
        means = np.nansum(both, axis=2) / tasks[:, None]
        gap = np.nansum(d, axis=1) / tasks
    above, below = (d > 0).sum(axis=1).tolist(), (d < 0).sum(axis=1).tolist()
    return tuple(
        MeasuredGap(
            measure=measure.key,
            axis=measure.axis,
            limit=measure.limit,
            model=name,
            treatment=label,
            baseline=baseline.label,
            mean_treatment=float(means[g, 0]),
            mean_baseline=float(means[g, 1]),
            gap=float(gap[g]),
            low=float(low[g]),
            high=float(high[g]),
            p=float(p[g]),
            p_adjusted=float(adjusted[g]),
            tasks=int(tasks[g]),
            ahead=below[g] if measure.lower_is_better else above[g],
            behind=above[g] if measure.lower_is_better else below[g],
            declared=bool(claimed[g]),
        )
        for g, (measure, name, label) in enumerate(labels)
    )


def mean_intervals(d: Floats, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """The t interval over tasks of each mean, and its two-sided p against 0.

    Where all differences are alike there is no spread to judge by: no interval, and p is 1 where they are 0, else NaN.

    Args:
        d: shape (G, T): differences by task, NaN where there is none.
        level: of the intervals.

    Returns:
        Lower limits, upper limits and p, each of shape (G,).
    """
    known = ~np.isnan(d)
    tasks = known.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(d, axis=1) / tasks
        error = np.sqrt(np.nansum((d - mean[:, None]) ** 2, axis=1) / (tasks - 1) / tasks)
        spread = np.where(known, d, -np.inf).max(axis=1, initial=-np.inf) > np.where(known, d, np.inf).min(
            axis=1, initial=np.inf
        )
        usable = (tasks > 1) & spread & (error > 0)
        reach = t_quantile(0.5 + level / 2.0, np.maximum(tasks - 1, 1)) * error
        p = 2.0 * t_above(np.abs(mean) / error, np.maximum(tasks - 1, 1))
    level_zero = (tasks > 0) & ~spread & (mean == 0)
    low, high = (np.where(usable, limit, np.nan) for limit in (mean - reach, mean + reach))
    return low, high, np.where(usable, p, np.where(level_zero, 1.0, np.nan))
