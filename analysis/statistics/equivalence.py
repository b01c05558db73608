"""What "no difference" means: the gap that would have been found, and equality within a declared margin.

That a test does not reject is no evidence of equality. Equality within a margin is shown by two one-sided tests
(Schuirmann 1987, J. Pharmacokinet. Biopharm. 15): the gap is above -margin and below +margin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mlesearch.analysis.data.arrays import Ints
from mlesearch.analysis.statistics.gaps import holm
from mlesearch.analysis.statistics.student import t_above, t_below, t_quantile

POWER = 0.80
"""With which a detectable gap would have been found."""


@dataclass(frozen=True, slots=True)
class Equivalence:
    """What the tasks of one model say about a gap of nearly zero.

    Attributes:
        detectable: the gap, as a fraction, that the two-sided t test over tasks finds in 80 % of such studies, with the
            smallest of Holm's levels over the models; NaN without spread over tasks.
        p: of the two one-sided t tests at the margin; NaN without a margin or without spread, 1 where runs have no
            result.
        p_adjusted: Holm over the models.
    """

    detectable: float
    p: float
    p_adjusted: float


NOT_TESTED = Equivalence(math.nan, math.nan, math.nan)
"""In the place of a model that is not compared."""


def detectable_gap(error: float, tasks: int, tests: int = 1, level: float = 0.05, power: float = POWER) -> float:
    """The gap that a two-sided t test finds with the given power: (t(1 - level / 2 tests) + t(power)) * error.

    Args:
        error: standard error of the gap.
        tasks: number of tasks; tasks - 1 degrees of freedom.
        tests: among which the level is shared.
        level: of all tests together.
        power: of one.
    """
    return _errors_found(tasks - 1, tests, level, power) * error


@lru_cache(maxsize=64)
def _errors_found(df: int, tests: int, level: float, power: float) -> float:
    """How many standard errors a gap must be large."""
    return float(t_quantile(1 - level / (2 * tests), df) + t_quantile(power, df))


def two_one_sided(gap: float, error: float, tasks: int, margin: float) -> float:
    """The p of the hypothesis that the gap is at least as far from zero as the margin: the larger of two t tests.

    Args:
        gap: mean over tasks.
        error: its standard error over tasks.
        tasks: number of tasks.
        margin: above 0, in the unit of the gap.
    """
    return float(max(t_above((gap + margin) / error, tasks - 1), t_below((gap - margin) / error, tasks - 1)))


def equivalences(by_task: npt.ArrayLike, margin: float | None, lost: Ints) -> tuple[Equivalence, ...]:
    """Each model's detectable gap, and its test of equality.

    Args:
        by_task: shape (M, T): the gap of each model on each task; NaN where a model is not compared.
        margin: declared, as a fraction; None: none is.
        lost: shape (M,): runs without a result: with these, no equality is shown.
    """
    d = np.asarray(by_task, dtype=np.float64)
    models, tasks = d.shape
    detectable, p = np.full(models, math.nan), np.full(models, math.nan)
    for m, row in enumerate(d):
        if tasks < 2 or np.isnan(row).any() or np.ptp(row) < 1e-12:
            continue
        error = float(row.std(ddof=1)) / math.sqrt(tasks)
        detectable[m] = detectable_gap(error, tasks, models)
        if margin is not None:
            p[m] = 1.0 if lost[m] else two_one_sided(float(row.mean()), error, tasks, margin)
    known = ~np.isnan(p)
    adjusted = np.full(models, math.nan)
    adjusted[known] = holm(np.where(known, p, 1.0))[known]
    return tuple(Equivalence(*map(float, row)) for row in zip(detectable, p, adjusted, strict=True))
