"""One outcome of a study's runs over its whole grid: counts of successes, or sums of a measure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.arrays import Floats, Ints, Sums
from mlesearch.analysis.data.claim import Arm, Models
from mlesearch.analysis.data.columns import distinct, pair_places, places_of
from mlesearch.analysis.data.tables import has_result
from mlesearch.storage.claimed_measures import MEASURE_NAMES, MEASURE_RANGES, MEASURES
from mlesearch.storage.columns import MEDALS

RATES: Mapping[str, str] = {
    "any_medal": "any-medal rate",
    "gold": "gold-medal rate",
    "above_median": "above-median rate",
    "valid": "valid-submission rate",
    **{name: f"mean {words}" for name, words in MEASURE_NAMES.items()},
}
"""What the share of runs with each outcome is called, and the mean of each measure."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One outcome over the whole grid: counts of successes, or sums of a measure.

    Attributes:
        tasks: ids, sorted.
        hits: shape (M, A, T): successful runs, whole numbers; of a measure the sum of its values over runs.
        counts: shape (M, A, T): runs.
        lost: shape (M, A, T): how many of these runs have no result; they add nothing to `hits`.
        low: the least that a run can add to `hits`.
        high: the most.
    """

    tasks: tuple[str, ...]
    hits: Sums
    counts: Ints
    lost: Ints
    low: int = 0
    high: int = 1

    def of_models(self, there: npt.NDArray[np.bool_]) -> Outcomes:
        """The part of some models, shape (M,)."""
        return replace(self, hits=self.hits[there], counts=self.counts[there], lost=self.lost[there])

    def of_tasks(self, there: npt.NDArray[np.bool_]) -> Outcomes:
        """The part of some tasks, shape (T,)."""
        tasks = tuple(task for task, kept in zip(self.tasks, there, strict=True) if kept)
        hits, counts, lost = self.hits[:, :, there], self.counts[:, :, there], self.lost[:, :, there]
        return replace(self, tasks=tasks, hits=hits, counts=counts, lost=lost)

    @property
    def bare(self) -> npt.NDArray[np.bool_]:
        """Shape (M, A): whether no run has a result, so that there is no rate."""
        return np.asarray((self.lost == self.counts).all(axis=-1))

    @property
    def planned(self) -> npt.NDArray[np.bool_]:
        """Shape (M, A): whether the design has any run there."""
        return np.asarray((self.counts > 0).any(axis=-1))

    @property
    def unequal(self) -> npt.NDArray[np.bool_]:
        """Shape (M, A): whether some task has another number of runs than another."""
        return np.asarray(np.ptp(self.counts, axis=-1) > 0)

    @property
    def most(self) -> Floats:
        """Shape (M, A): the rate if all runs without a result had been successful, or had had the most."""
        return self._with_lost(self.high)

    @property
    def least(self) -> Floats:
        """Shape (M, A): the rate if all of them had been without success, or had had the least."""
        return self._with_lost(self.low)

    def _with_lost(self, each: int) -> Floats:
        sums = (self.hits + each * self.lost) / np.maximum(self.counts, 1)
        return np.asarray(sums.mean(axis=-1), dtype=np.float64)


def succeeded(runs: pd.DataFrame, outcome: str) -> pd.Series[bool]:
    """Whether each run had the outcome."""
    if outcome == "any_medal":
        return runs[list(MEDALS)].any(axis=1)
    return runs[outcome].astype(bool)


def outcomes(runs: pd.DataFrame, models: Models, arms: Sequence[Arm], outcome: str) -> Outcomes:
    """Counts of a yes-or-no outcome by model, arm and task."""
    return _gathered(runs, models, arms, succeeded(runs, outcome).to_numpy(dtype=bool))


def measured_outcomes(
    runs: pd.DataFrame, models: Models, arms: Sequence[Arm], measure: str, values: Floats
) -> Outcomes:
    """Sums of a measure by model, arm and task.

    Args:
        runs: on tasks that have a leaderboard.
        models: of the study.
        arms: of the study.
        measure: one of `MEASURES`.
        values: shape (runs,), more is better; of a run without a result whatever it is, it adds nothing.
    """
    done = has_result(runs).to_numpy(dtype=bool)
    low, high = MEASURE_RANGES[measure]
    return replace(_gathered(runs, models, arms, np.where(done, values, 0.0)), low=low, high=high)


def is_measure(outcome: str) -> bool:
    """Whether an outcome of a claim is a measure, and no yes or no."""
    return outcome in MEASURES


def _gathered(
    runs: pd.DataFrame, models: Models, arms: Sequence[Arm], values: npt.NDArray[np.bool_] | Floats
) -> Outcomes:
    """Sums by model, arm and task: whole numbers of flags, else floats."""
    tasks = tuple(distinct(runs["task"]))
    shape = (len(models.names), len(arms), len(tasks))
    arm = pair_places(runs["strategy"], runs["variant"], [(one.strategy, one.variant) for one in arms])
    cell = places_of(runs["model"], models.names) * len(arms) + arm
    cell = cell * len(tasks) + places_of(runs["task"], tasks)
    size = math.prod(shape)
    gone = ~has_result(runs).to_numpy(dtype=bool)
    counts, lost = (np.bincount(part, minlength=size).reshape(shape) for part in (cell, cell[gone]))
    if values.dtype == np.bool_:
        return Outcomes(tasks, np.bincount(cell[values], minlength=size).reshape(shape), counts, lost)
    return Outcomes(tasks, np.bincount(cell, values, minlength=size).reshape(shape), counts, lost)
