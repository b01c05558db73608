"""Ablations: variants of a strategy against its full variant, and the number of parallel traces as a contrast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.arrays import Floats, Ints
from mlesearch.analysis.data.claim import Arm
from mlesearch.analysis.data.codes import arm_codes, run_rows
from mlesearch.analysis.data.outcomes import Outcomes
from mlesearch.analysis.statistics.gaps import Gap, adjust, paired_gap
from mlesearch.analysis.statistics.student import t_above, t_quantile

FULL = "base"
"""The variant that others are compared with."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """A variant against the full one, over all models together.

    Attributes:
        strategy: name.
        variant: that is compared.
        gap: its rate minus that of the full variant, paired by task; Holm over all ablations.
    """

    strategy: str
    variant: str
    gap: Gap


@dataclass(frozen=True, slots=True)
class TraceContrast:
    """What doubling the number of parallel traces does to the rate of a strategy.

    Attributes:
        strategy: name.
        traces: number of traces of each variant, ascending.
        slope: change of the rate per doubling, least squares over log2 of the number of traces in each task.
        low: lower limit of the 95 % t interval over tasks; NaN without spread.
        high: upper limit.
        p: two-sided, t over tasks; 1 where no task changes.
        tasks: number of tasks.
    """

    strategy: str
    traces: tuple[int, ...]
    slope: float
    low: float
    high: float
    p: float
    tasks: int


def ablations(counts: Outcomes, arms: Sequence[Arm]) -> tuple[Ablation, ...]:
    """Every variant of a strategy that has a full variant, against that one.

    Runs of all models are pooled within a task, and tasks weigh alike. Models that have no result with one of the two
    are left out of the pair.

    Args:
        counts: hits and runs of all cells.
        arms: in their order.
    """
    full = {arm.strategy: i for i, arm in enumerate(arms) if arm.variant == FULL}
    pairs = [(arm, i, full[arm.strategy]) for i, arm in enumerate(arms) if arm.variant != FULL and arm.strategy in full]
    found = []
    for arm, own, whole in pairs:
        models = ~counts.bare[:, [own, whole]].any(axis=1)
        if models.any():
            pooled = (part[models][:, [own, whole]].sum(axis=0) for part in (counts.hits, counts.counts))
            found.append((arm, paired_gap(*pooled)))
    gaps = adjust([gap for _, gap in found], "holm")
    return tuple(Ablation(arm.strategy, arm.variant, gap) for (arm, _), gap in zip(found, gaps, strict=True))


def traces_of(runs: pd.DataFrame, nodes: pd.DataFrame, arms: Sequence[Arm]) -> Ints:
    """The number of parallel traces of each arm, the most that any of its runs had; 0 without a node. Shape (A,)."""
    of = np.append(arm_codes(runs, arms), -1)[run_rows(nodes, runs)]
    trace = nodes["trace"].fillna(0).to_numpy(dtype=np.int64) + 1
    found = np.zeros(len(arms), dtype=np.int64)
    known = of >= 0
    np.maximum.at(found, of[known], trace[known])
    return found


def trace_contrasts(counts: Outcomes, arms: Sequence[Arm], traces: npt.ArrayLike) -> tuple[TraceContrast, ...]:
    """The contrast in log2 n of every strategy that has variants with different numbers n of traces.

    Args:
        counts: hits and runs of all cells.
        arms: in their order.
        traces: shape (A,): of `traces_of`.
    """
    n = np.asarray(traces, dtype=np.int64)
    found = []
    for strategy in dict.fromkeys(arm.strategy for arm in arms):
        own = [i for i, arm in enumerate(arms) if arm.strategy == strategy and n[i] > 0]
        own = [i for i in own if not counts.bare[:, i].any()]
        if len(set(n[own].tolist())) < 2:
            continue
        rates = counts.hits[:, own].sum(axis=0) / np.maximum(counts.counts[:, own].sum(axis=0), 1)
        found.append(log2_contrast(strategy, rates, n[own]))
    return tuple(found)


def log2_contrast(strategy: str, rates: npt.ArrayLike, traces: npt.ArrayLike) -> TraceContrast:
    """The least-squares slope of the rate over log2 n in each task, and t over tasks.

    Args:
        strategy: name.
        rates: shape (variants, T).
        traces: shape (variants,), not all equal.
    """
    y = np.asarray(rates, dtype=np.float64)
    n = np.asarray(traces, dtype=np.int64)
    x: Floats = np.log2(n.astype(np.float64))
    centred = x - x.mean()
    slopes = centred @ y / float(centred @ centred)
    tasks, slope = slopes.size, float(slopes.mean())
    counts = tuple(sorted(n.tolist()))
    error = float(slopes.std(ddof=1)) / math.sqrt(tasks) if tasks > 1 else 0.0
    if not error > 1e-12:
        return TraceContrast(strategy, counts, slope, math.nan, math.nan, 1.0, tasks)
    reach = float(t_quantile(0.975, tasks - 1)) * error
    p = float(2.0 * t_above(abs(slope) / error, tasks - 1))
    return TraceContrast(strategy, counts, slope, slope - reach, slope + reach, p, tasks)
