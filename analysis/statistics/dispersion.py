"""Do seeds differ by more than independent runs would? A bad day that hits one seed on all tasks makes them.

An outage, an overloaded machine or another version of a model behind the same name hits all runs of one round alike.
Runs are then not independent, and every interval is too short. Seeds are compared by a two-way analysis of variance
of each cell (tasks × seeds), pooled over the cells.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.arrays import Floats
from mlesearch.analysis.data.columns import alphabetical
from mlesearch.analysis.statistics.student import f_above

ROUNDING = 1e-18
"""A sum of squares up to this is rounding: of a measure that is the same in all runs of a task."""

FLAGGED = 0.01
"""A p-value up to this is flagged."""


@dataclass(frozen=True, slots=True)
class Dispersion:
    """Spread between seeds, against that of independent runs.

    Attributes:
        ratio: F, the pooled mean square of seeds over that of the residuals; NaN where not estimable.
        df_seeds: degrees of freedom of the first.
        df_runs: of the second.
        p: one-sided, of no spread beyond that of independent runs; 1 where not estimable.
        cells: cells that were pooled: those with two seeds and two tasks at least.
        worst: model, strategy and seed whose rate is furthest from that of its cell; empty where not estimable.
        worst_rate: the rate of that seed, or the mean of a measure.
        cell_rate: that of its cell.
    """

    ratio: float
    df_seeds: int
    df_runs: int
    p: float
    cells: int
    worst: tuple[str, ...] = ()
    worst_rate: float = math.nan
    cell_rate: float = math.nan

    @property
    def flagged(self) -> bool:
        """Whether seeds differ by more than independent runs do."""
        return self.p <= FLAGGED


def dispersion(
    cells: Sequence[npt.ArrayLike], names: Sequence[tuple[str, str]] = (), seeds: Sequence[Sequence[int]] = ()
) -> Dispersion:
    """The pooled F test of spread between seeds.

    `F = (sum SS_seeds / sum (K - 1)) / (sum SS_residual / sum (T - 1)(K - 1))` over the cells. Cells where every task
    always or never succeeded say nothing, and add nothing.

    Args:
        cells: each of shape (T, K): whether each run succeeded, or its measure, the same seeds for all its tasks.
        names: model and strategy of each cell; without them the cells' numbers stand there.
        seeds: of each cell; without them their places stand there.
    """
    squares = residual = 0.0
    df_seeds = df_runs = count = 0
    worst: tuple[float, int, int] = (0.0, -1, -1)
    arrays = [np.asarray(cell, dtype=np.float64) for cell in cells]
    for c, y in enumerate(arrays):
        if min(y.shape) < 2:
            continue
        tasks, columns = y.shape
        by_task, by_seed, mean = y.mean(axis=1), y.mean(axis=0), y.mean()
        rest = float(((y - by_task[:, None] - by_seed + mean) ** 2).sum())
        within = float(((y - by_task[:, None]) ** 2).sum())
        if not within > ROUNDING:
            continue
        squares += tasks * float(((by_seed - mean) ** 2).sum())
        residual += rest
        df_seeds, df_runs, count = df_seeds + columns - 1, df_runs + (tasks - 1) * (columns - 1), count + 1
        far = np.abs(by_seed - mean) * tasks / math.sqrt(within)
        if float(far.max()) > worst[0]:
            worst = float(far.max()), c, int(far.argmax())
    if not count or not residual > ROUNDING:
        return Dispersion(math.nan, df_seeds, df_runs, 1.0, count)
    ratio = (squares / df_seeds) / (residual / df_runs)
    p = f_above(ratio, df_seeds, df_runs)
    _, c, k = worst
    if c < 0:
        return Dispersion(ratio, df_seeds, df_runs, p, count)
    worst_name = (*(names[c] if names else (str(c),)), str(seeds[c][k] if seeds else k))
    rates = float(arrays[c][:, k].mean()), float(arrays[c].mean())
    return Dispersion(ratio, df_seeds, df_runs, p, count, worst_name, *rates)


def study_dispersion(runs: pd.DataFrame, success: npt.ArrayLike, labels: Iterable[str]) -> Dispersion:
    """The same, of the runs of a study that have a result.

    Of each cell those tasks count that have a run of every seed of the cell.

    Args:
        runs: the runs that have a result, columns model, task and seed.
        success: whether each had the outcome, or its measure.
        labels: the arm of each.
    """
    texts = [alphabetical(values) for values in (runs["model"], pd.Series(labels, dtype=object), runs["task"])]
    (models, arms, tasks), numbers = (known for _, known in texts), np.unique(runs["seed"].to_numpy(dtype=np.int64))
    shape = len(models), len(arms), len(tasks), numbers.size
    place = np.ravel_multi_index((*(codes for codes, _ in texts), np.searchsorted(numbers, runs["seed"])), shape)
    size = math.prod(shape)
    counts = np.bincount(place, minlength=size).reshape(shape)
    hits = np.bincount(place, weights=np.asarray(success, dtype=np.float64), minlength=size).reshape(shape)
    cells: list[Floats] = []
    names: list[tuple[str, str]] = []
    seeds: list[list[int]] = []
    for m, a in np.argwhere(counts.sum(axis=(2, 3)) > 0).tolist():
        of_cell = counts[m, a].any(axis=0)
        whole = counts[m, a][:, of_cell].all(axis=1)
        cells.append(hits[m, a][np.ix_(whole, of_cell)] / counts[m, a][np.ix_(whole, of_cell)])
        names.append((str(models[m]), str(arms[a])))
        seeds.append(numbers[of_cell].tolist())
    return dispersion(cells, names, seeds)
