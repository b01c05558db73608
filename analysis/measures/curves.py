"""Dynamics: the best node so far by validation, seen through its test result, against steps and charged time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.arrays import Floats, Ints
from mlesearch.analysis.data.codes import RowGroups, run_rows
from mlesearch.analysis.data.columns import categories, coded, numbers, one_of
from mlesearch.storage.columns import MEDALS

Axis = Literal["step", "t_charged_s"]
Value = Literal["standing", "medal"]

PROGRAM_OPS = ("draft", "debug", "improve", "merge")
POINTS = 200
"""Curves are drawn with at most this many points."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A mean curve over tasks.

    Attributes:
        x: shape (P,).
        mean: shape (P,): mean over tasks of the mean over seeds, 0 to 1.
        sem: shape (P,): standard error over tasks (ddof 1); NaN with one task.
        tasks: number of tasks.
        runs: number of runs.
    """

    x: Floats
    mean: Floats
    sem: Floats
    tasks: int
    runs: int


def best_so_far(nodes: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """One row for each time that a run found a better node by validation, in order of time.

    Nodes that are invalid or were declared void never count. `standing` is the node's test score as its rank among
    the test scores of all valid nodes on the task in this study: 0 the worst, 1 the best, ties in the middle. So
    tasks with different metrics can be averaged; it compares within this study alone.

    Returns:
        Columns run_id, task, step, t_charged_s, val_score, test_score, standing, medal (0 or 1; NaN where the study has
        no medals of single nodes), level (3 gold to 0 none), above_median, percentile, cum_tokens and cum_usd.
    """
    row = run_rows(nodes, runs)
    val, test, charged_s = (numbers(nodes[name]) for name in ("val_score", "test_score", "t_charged_s"))
    counts = one_of(nodes["op"], *PROGRAM_OPS) & nodes["valid"].to_numpy(dtype=bool) & ~np.isnan(val) & (row >= 0)
    kept = np.flatnonzero(counts & ~one_of(nodes["verdict"], "void"))
    kept = kept[_in_order(row[kept], charged_s[kept], numbers(nodes["proposal"])[kept])]
    run = row[kept]
    task, tasks = coded(runs["task"])
    sign = np.where(runs["lower_is_better"].to_numpy(dtype=bool), -1.0, 1.0)[run]
    better = np.flatnonzero(_improves(val[kept] * sign, run))
    ids = runs["run_id"].tolist()
    rank = np.empty(len(runs), dtype=np.int64)
    rank[sorted(range(len(ids)), key=ids.__getitem__)] = np.arange(len(runs))
    better = better[np.argsort(rank[run[better]], kind="stable")]
    place = _standing(test[kept] * sign, task[run], len(tasks))
    medal = np.full(kept.size, np.nan)
    if "medal" in nodes.columns and bool((known := coded(nodes["medal"])[0][kept] >= 0).any()):
        medal = (one_of(nodes["medal"], *MEDALS)[kept] & known).astype(np.float64)
    kept, run = kept[better], run[better]
    above = nodes["above_median"].to_numpy(dtype=bool)[kept] if "above_median" in nodes.columns else None
    return pd.DataFrame(
        {
            "run_id": categories(run, ids),
            "task": categories(task[run], tasks.tolist()),
            "step": numbers(nodes["step"])[kept],
            "t_charged_s": charged_s[kept],
            "val_score": val[kept],
            "test_score": test[kept],
            "standing": place[better],
            "medal": medal[better],
            "level": _levels(nodes, kept),
            "above_median": np.full(kept.size, np.nan) if above is None else above.astype(np.float64),
            **{name: _where_known(nodes, name, kept) for name in ("percentile", "cum_tokens", "cum_usd")},
        }
    )


def _where_known(nodes: pd.DataFrame, name: str, rows: Ints) -> Floats:
    """Numbers of some nodes; NaN where the table has no such column."""
    return numbers(nodes[name])[rows] if name in nodes.columns else np.full(rows.size, np.nan)


def _levels(nodes: pd.DataFrame, rows: Ints) -> Floats:
    """The medals of some nodes: 3 gold, 2 silver, 1 bronze, 0 none, NaN where that is not known."""
    if "medal" not in nodes.columns:
        return np.full(rows.size, np.nan)
    place, texts = coded(nodes["medal"])
    level = np.array([len(MEDALS) - MEDALS.index(t) if t in MEDALS else 0 for t in texts] + [np.nan])
    return np.asarray(level[place[rows]], dtype=np.float64)


def _in_order(run: Ints, charged_s: Floats, proposal: Floats) -> Ints:
    """The order by run, then time, then proposal; in collected tables the rows of a run have it already."""
    later = (charged_s[1:] > charged_s[:-1]) | ((charged_s[1:] == charged_s[:-1]) & (proposal[1:] >= proposal[:-1]))
    if bool(((run[1:] > run[:-1]) | ((run[1:] == run[:-1]) & later)).all()):
        return np.arange(run.size)
    return np.lexsort((proposal, charged_s, run))


def _improves(values: Floats, run: Ints) -> npt.NDArray[np.bool_]:
    """Whether each value is above all earlier ones of its run; the rows of a run stand together."""
    if not values.size:
        return np.zeros(0, dtype=bool)
    first = np.r_[True, run[1:] != run[:-1]]
    starts = np.flatnonzero(first)
    place = np.arange(values.size) - np.repeat(starts, np.diff(np.r_[starts, values.size]))
    highest, reach = values.copy(), 1  # of the `reach` values up to each, within its run
    while reach <= place.max():
        grown = np.maximum(highest[reach:], highest[:-reach])
        highest[reach:] = np.where(place[reach:] >= reach, grown, highest[reach:])
        reach *= 2
    return np.asarray(first | np.r_[True, values[1:] > highest[:-1]])


def _standing(values: Floats, task: Ints, tasks: int) -> Floats:
    """The rank of each value among those of its task, 0 to 1, ties in the middle; 0 where there is none."""
    found = np.zeros(values.size)
    parts = RowGroups.of(np.where(np.isnan(values), -1, task), tasks)
    for rows in (parts[t] for t in range(tasks)):
        order = np.argsort(values[rows])
        ordered = values[rows][order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if rows.size else rows
        ends = np.r_[starts[1:], rows.size]
        rank = np.repeat((starts + ends - 1) / 2.0, ends - starts) if rows.size else np.zeros(0)
        found[rows[order]] = rank / (rows.size - 1) if rows.size > 1 else 0.5
    return found


def mean_curve(
    best: pd.DataFrame, runs: pd.DataFrame, axis: Axis, value: Value, x: Floats, row: Ints | None = None
) -> Curve:
    """The mean over tasks of the value that the best node so far has, 0 before a run has any.

    A run that ended keeps its last value.

    Args:
        best: of `best_so_far`; rows of other runs are ignored.
        runs: the runs to average, of those that have a result; one without a program stays at 0.
        axis: what `x` counts.
        value: `standing` or `medal`.
        x: increasing, shape (P,).
        row: the place among `runs` of the run of each row of `best`, -1 where it is none, where that is known already.
    """
    row = run_rows(best, runs) if row is None else row
    own = np.flatnonzero(row >= 0)
    row = row[own]
    place = np.searchsorted(x, best[axis].to_numpy(dtype=np.float64)[own], side="left")
    values = best[value].to_numpy(dtype=np.float64)[own]
    order = np.argsort(row, kind="stable")
    before = np.empty(values.size)
    before[order] = np.where(np.r_[True, row[order][1:] != row[order][:-1]], 0.0, np.r_[0.0, values[order][:-1]])
    change = values - np.where(np.isnan(before), 0.0, before)
    steps = np.zeros((len(runs), x.size + 1))
    np.add.at(steps, (row, place), change)
    table = np.cumsum(steps[:, : x.size], axis=1)
    by_task = pd.DataFrame(table).groupby(runs["task"].to_numpy()).mean().to_numpy(dtype=np.float64)
    tasks = by_task.shape[0]
    sem = by_task.std(axis=0, ddof=1) / np.sqrt(tasks) if tasks > 1 else np.full(x.size, np.nan)
    return Curve(x, by_task.mean(axis=0), sem, tasks, len(runs))


def axis_points(best: pd.DataFrame, runs: pd.DataFrame, axis: Axis) -> Floats:
    """Where curves are evaluated: every step, or at most 200 even points of charged time."""
    if axis == "step":
        last = max(1, int(max(runs["steps"].max() if runs["steps"].notna().any() else 1, best["step"].max() or 1)))
        points = np.arange(0, last + 1, dtype=np.float64)
        return points if points.size <= POINTS else np.unique(np.linspace(0, last, POINTS).round())
    ends = np.concatenate((runs["charged_s"].dropna().to_numpy(), best["t_charged_s"].to_numpy(), [1e-9]))
    return np.linspace(0.0, float(ends.max()), POINTS)
