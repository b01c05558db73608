"""A measure as the outcome of a claim: its sums by task, and its means with their intervals.

It is taken so that more is better and no run is beyond the range of `MEASURE_RANGES`: a spend until a target as what it
leaves of the common budget. So gaps, trends and bounds are those of rates, in points of that range.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlesearch.analysis.data.arrays import Floats
from mlesearch.analysis.data.claim import Arm, Models
from mlesearch.analysis.data.outcomes import Outcomes, measured_outcomes, succeeded
from mlesearch.analysis.data.tables import Tables, has_result
from mlesearch.analysis.data.unranked import counted
from mlesearch.analysis.measures.beyond_medals import Measure, measures, ranked_runs
from mlesearch.analysis.measures.boards import Board
from mlesearch.analysis.measures.budget_axis import every_progress
from mlesearch.analysis.measures.curves import best_so_far
from mlesearch.analysis.statistics.dependence import Categories, clustered_variance
from mlesearch.analysis.statistics.rates import Rates
from mlesearch.analysis.statistics.student import t_quantile

NO_SPREAD = 1e-18
"""A variance up to this is rounding."""


def claimed_sums(
    found: Sequence[Measure], tables: Tables, planned: Tables, models: Models, arms: Sequence[Arm], outcome: str
) -> tuple[Outcomes, Outcomes] | None:
    """The sums of a measure after the policy for missing runs, and before it; None where the tables do not give it.

    Both are at the common budget of the runs that the policy keeps.

    Args:
        found: of `measures`, of the runs after the policy.
        tables: after the policy.
        planned: before it.
        models: of the study.
        arms: of the study.
        outcome: one of `MEASURES`.
    """
    own = _named(found, outcome)
    if own is None:
        return None
    kept = measured_outcomes(ranked_runs(tables.runs), models, arms, outcome, own)
    if len(tables.runs) == len(planned.runs):
        return kept, kept
    runs = ranked_runs(planned.runs)
    limits = {measure.axis: measure.limit for measure in found if measure.axis}
    best = best_so_far(planned.nodes, planned.runs)
    before = _named(measures(runs, best, every_progress(best, runs, limits)), outcome)
    return None if before is None else (kept, measured_outcomes(runs, models, arms, outcome, before))


def _named(found: Sequence[Measure], outcome: str) -> Floats | None:
    """The values of a measure, more being better."""
    measure = next((one for one in found if one.key == outcome), None)
    if measure is None:
        return None
    return 1.0 - measure.values / measure.limit if measure.lower_is_better else measure.values


def claimed_values(runs: pd.DataFrame, outcome: str, found: Sequence[Measure]) -> tuple[pd.DataFrame, Floats]:
    """The runs with a result that an outcome is about, and what each has of it: 1 or 0, or its measure, more is better.

    Args:
        runs: of the study, after the policy.
        outcome: one of `CLAIMABLE`, which the tables give.
        found: of `measures`, of the same runs.
    """
    values = _named(found, outcome)
    own = counted(runs, outcome) if values is None else ranked_runs(runs)
    done = has_result(own).to_numpy(dtype=bool)
    kept = own[done]
    if values is None:
        return kept, np.asarray(succeeded(kept, outcome).to_numpy(), dtype=np.float64)
    return kept, np.asarray(values[done], dtype=np.float64)


def measured_board(counts: Outcomes, outcome: str, categories: Categories | None) -> Board:
    """The mean of a measure in every cell, with its t interval over tasks; there is neither E1 nor parity of it.

    Args:
        counts: its sums.
        outcome: one of `MEASURES`.
        categories: of the tasks; None where none are known and repeated.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        by_task = np.where(counts.bare[:, :, None], np.nan, counts.hits / np.maximum(counts.counts, 1))
    tasks = by_task.shape[-1]
    nothing = np.full(counts.bare.shape, np.nan)
    variance = by_task.var(axis=-1, ddof=1) / tasks if tasks > 1 else nothing
    clustered = None
    if categories is not None and categories.df >= 1:
        clustered = _interval(by_task, clustered_variance(by_task, categories), categories.df, counts)
    return Board(
        outcome=outcome,
        counts=counts,
        e2=_interval(by_task, variance, tasks - 1.0, counts),
        e1=Rates(nothing, nothing, nothing, nothing, nothing),
        parity=tuple((None,) * counts.bare.shape[1] for _ in range(counts.bare.shape[0])),
        by_category=clustered,
    )


def _interval(by_task: Floats, variance: Floats, df: float, counts: Outcomes) -> Rates:
    """Means with t intervals within the measure's range; no limits without spread."""
    mean = by_task.mean(axis=-1)
    reach = float(t_quantile(0.975, max(df, 1.0))) * np.sqrt(np.where(variance > NO_SPREAD, variance, np.nan))
    low, high = (np.clip(limit, counts.low, counts.high) for limit in (mean - reach, mean + reach))
    return Rates(mean, low, high, np.full(mean.shape, np.nan), np.full(mean.shape, df))
