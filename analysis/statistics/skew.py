"""How far the level of a one-sided t test over tasks is off because gaps are skewed, as forecast by Edgeworth's series.

Where a strategy loses a little on most tasks and rescues a few, the mean is below 0 in most samples that hold none of
the rescued tasks, and t takes it for established more often than its level says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mlesearch.analysis.statistics.student import normal_density, normal_upper_quantile

ALPHA = 0.05
FLAGGED = 0.07
"""A level above this is flagged."""

TIE = 1e-9
"""Gaps up to this are level."""


@dataclass(frozen=True, slots=True)
class SkewForecast:
    """The shape of gaps over tasks, and what it does to the test of their mean.

    Attributes:
        skewness: of the gaps; NaN without spread.
        level: of the test that is called 5 %, on the side asked for; 0.05 without spread.
        ahead: tasks on which the treatment is ahead.
        behind: tasks on which it is behind.
        equal: tasks on which the two are level.
    """

    skewness: float
    level: float
    ahead: int
    behind: int
    equal: int

    @property
    def flagged(self) -> bool:
        """Whether the forecast level is above 7 %."""
        return self.level > FLAGGED


def skew_forecast(gaps: npt.ArrayLike, side: Literal["less", "greater"]) -> SkewForecast:
    """The forecast level of a one-sided 5 % t test of a mean over tasks.

    `alpha ± skewness (2 z^2 + 1) phi(z) / (6 sqrt(T))`, plus for "less" (Hall 1987): gaps that are skewed to the right
    make "below 0" too easy and "above 0" too hard.

    Args:
        gaps: shape (T,).
        side: of the test.
    """
    d = np.asarray(gaps, dtype=np.float64)
    counts = int((d > TIE).sum()), int((d < -TIE).sum()), int((np.abs(d) <= TIE).sum())
    if d.size < 3 or not np.ptp(d) > TIE:
        return SkewForecast(math.nan, ALPHA, *counts)
    centred = d - d.mean()
    square = centred**2
    skewness = float((square * centred).mean() / square.mean() ** 1.5)
    z = normal_upper_quantile(ALPHA)
    shift = skewness * (2.0 * z**2 + 1.0) * normal_density(z) / (6.0 * math.sqrt(d.size))
    level = ALPHA + shift if side == "less" else ALPHA - shift
    return SkewForecast(skewness, min(1.0, max(0.0, level)), *counts)
