"""Dynamics: the best node so far by validation, seen through its test result, against steps and charged time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from mlesearch.analysis.codes import run_rows
from mlesearch.analysis.rates import Floats

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
        Columns run_id, task, step, t_charged_s, val_score, test_score, standing, and medal (0 or 1; NaN where the
        study has no medals of single nodes).
    """
    row = run_rows(nodes, runs)
    counts = nodes["op"].isin(PROGRAM_OPS) & nodes["valid"] & nodes["val_score"].notna() & (row >= 0)
    counts &= nodes["verdict"].fillna("") != "void"
    rank = np.empty(len(runs), dtype=np.int64)
    rank[np.argsort(runs["run_id"].to_numpy(dtype=object), kind="stable")] = np.arange(len(runs))
    kept = np.flatnonzero(counts.to_numpy(dtype=bool))
    times = (nodes[name].to_numpy(dtype=np.float64)[kept] for name in ("proposal", "t_charged_s"))
    kept = kept[np.lexsort((*times, rank[row[kept]]))]
    frame, run = nodes.iloc[kept].reset_index(drop=True), row[kept]
    frame = frame.assign(task=runs["task"].to_numpy(dtype=object)[run])
    sign = np.where(runs["lower_is_better"].to_numpy(dtype=bool)[run], -1.0, 1.0)
    oriented = pd.Series(frame["val_score"].to_numpy(dtype=np.float64) * sign, index=frame.index)
    before = oriented.groupby(run).cummax().groupby(run).shift()
    test = pd.Series(frame["test_score"].to_numpy(dtype=np.float64) * sign, index=frame.index)
    ranks = test.groupby(frame["task"]).rank(method="average")
    sizes = test.groupby(frame["task"]).transform("count")
    standing = ((ranks - 1) / (sizes - 1).clip(lower=1)).where(sizes > 1, 0.5)
    medal = pd.Series(np.nan, index=frame.index)
    if "medal" in frame.columns and bool(frame["medal"].notna().any()):
        medal = frame["medal"].isin(["gold", "silver", "bronze"]).astype(np.float64)
    steps = frame["step"].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    found = pd.DataFrame(
        {
            "run_id": frame["run_id"],
            "task": frame["task"],
            "step": steps,
            "t_charged_s": frame["t_charged_s"],
            "val_score": frame["val_score"],
            "test_score": frame["test_score"],
            "standing": standing.where(test.notna(), 0.0),
            "medal": medal,
        }
    )
    return found[before.isna() | (oriented > before)].reset_index(drop=True)


def mean_curve(best: pd.DataFrame, runs: pd.DataFrame, axis: Axis, value: Value, x: Floats) -> Curve:
    """The mean over tasks of the value that the best node so far has, 0 before a run has any.

    A run that ended keeps its last value.

    Args:
        best: of `best_so_far`; rows of other runs are ignored.
        runs: the runs to average, of those that have a result; one without a program stays at 0.
        axis: what `x` counts.
        value: `standing` or `medal`.
        x: increasing, shape (P,).
    """
    order = {run_id: row for row, run_id in enumerate(runs["run_id"])}
    part = best[best["run_id"].isin(order)]
    row = part["run_id"].map(order).to_numpy(dtype=np.int64)
    place = np.searchsorted(x, part[axis].to_numpy(dtype=np.float64), side="left")
    values = part[value].to_numpy(dtype=np.float64)
    change = values - pd.Series(values).groupby(row).shift().fillna(0.0).to_numpy()
    steps = np.zeros((len(order), x.size + 1))
    np.add.at(steps, (row, place), change)
    table = np.cumsum(steps[:, : x.size], axis=1)
    by_task = pd.DataFrame(table).groupby(runs["task"].to_numpy()).mean().to_numpy(dtype=np.float64)
    tasks = by_task.shape[0]
    sem = by_task.std(axis=0, ddof=1) / np.sqrt(tasks) if tasks > 1 else np.full(x.size, np.nan)
    return Curve(x, by_task.mean(axis=0), sem, tasks, len(order))


def axis_points(best: pd.DataFrame, runs: pd.DataFrame, axis: Axis) -> Floats:
    """Where curves are evaluated: every step, or at most 200 even points of charged time."""
    if axis == "step":
        last = max(1, int(max(runs["steps"].max() if runs["steps"].notna().any() else 1, best["step"].max() or 1)))
        points = np.arange(0, last + 1, dtype=np.float64)
        return points if points.size <= POINTS else np.unique(np.linspace(0, last, POINTS).round())
    ends = np.concatenate((runs["charged_s"].dropna().to_numpy(), best["t_charged_s"].to_numpy(), [1e-9]))
    return np.linspace(0.0, float(ends.max()), POINTS)
