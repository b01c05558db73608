"""Where a line through the gaps crosses zero, with Fieller's set: a drawing, never a claim.

A line crosses zero somewhere unless it is flat, so a crossing says nothing about a crossover: see `crossover`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mlesearch.analysis.data.arrays import Floats
from mlesearch.analysis.statistics.student import t_quantile

SetShape = Literal["interval", "outside", "everywhere", "nowhere", "not estimable"]
"""Of the set: between two limits, outside of them (both rays), the whole line, empty, or none for lack of an error."""

TINY = 1e-15


@dataclass(frozen=True, slots=True)
class Crossing:
    """The capability at which the fitted line is zero.

    Attributes:
        at: -a/b; NaN where the line is flat.
        shape: of the 95 % set.
        low: its limits; NaN where it has none.
        high: likewise.
    """

    at: float
    shape: SetShape
    low: float
    high: float


def fieller(a: float, b: float, covariance: npt.ArrayLike, q: float) -> tuple[SetShape, float, float]:
    """Fieller's set of -a/b: all c with (a + b c)^2 <= q^2 Var(a + b c) (Fieller 1954).

    Args:
        a: intercept.
        b: slope.
        covariance: of both, shape (2, 2), positive semi-definite.
        q: quantile.
    """
    v = np.asarray(covariance, dtype=np.float64)
    square = b**2 - q**2 * v[1, 1]
    half = a * b - q**2 * v[0, 1]
    constant = a**2 - q**2 * v[0, 0]
    scale = max(b**2, q**2 * v[1, 1])
    root = half**2 - square * constant
    if abs(square) <= TINY * scale or scale == 0.0:  # linear: a ray, or nothing to say
        if half == 0.0 or scale == 0.0:
            return ("everywhere" if constant <= 0.0 else "nowhere"), math.nan, math.nan
        edge = -constant / (2.0 * half)
        return ("outside", -math.inf, edge) if half < 0 else ("outside", edge, math.inf)
    if root <= 0.0:
        return ("everywhere", math.nan, math.nan) if square < 0 else ("interval", -half / square, -half / square)
    one, two = (-half - math.sqrt(root)) / square, (-half + math.sqrt(root)) / square
    return ("interval" if square > 0 else "outside"), min(one, two), max(one, two)


def crossing(gaps: npt.ArrayLike, capability: npt.ArrayLike, level: float = 0.95) -> Crossing:
    """The crossing of the least-squares line through all gaps, tasks and models random.

    The covariance of intercept and slope is clustered by tasks and by models less by cells (Cameron, Gelbach and
    Miller 2011), its negative eigenvalues set to 0; t with models - 2 degrees of freedom.

    Args:
        gaps: shape (M, T).
        capability: shape (M,), not all equal.
        level: of the set.
    """
    d, c = np.asarray(gaps, dtype=np.float64), np.asarray(capability, dtype=np.float64)
    models, tasks = d.shape
    x = np.stack([np.ones(models), c], axis=1)
    bread = np.linalg.inv(x.T @ x)
    a, b = (float(value) for value in bread @ x.T @ d.mean(axis=1))
    at = -a / b if abs(b) * float(np.ptp(c)) > 1e-9 else math.nan
    if models < 3 or tasks < 2:
        return Crossing(at, "not estimable", math.nan, math.nan)
    covariance = _covariance(d, x, bread, a + b * c)
    shape, low, high = fieller(a, b, covariance, float(t_quantile(0.5 + level / 2.0, models - 2)))
    return Crossing(at, shape, low, high)


def _covariance(d: Floats, x: Floats, bread: Floats, fitted: Floats) -> Floats:
    """Two-way clustered covariance of intercept and slope, positive semi-definite."""
    tasks = d.shape[1]
    residual = d - fitted[:, None]
    by_task = x.T @ residual
    by_model = x * residual.sum(axis=1, keepdims=True)
    cells = (x[:, :, None] * x[:, None, :] * (residual**2).sum(axis=1)[:, None, None]).sum(axis=0)
    meat = by_task @ by_task.T + by_model.T @ by_model - cells
    both = bread @ meat @ bread / tasks**2
    values, vectors = np.linalg.eigh((both + both.T) / 2.0)
    return np.asarray(vectors @ np.diag(np.maximum(values, 0.0)) @ vectors.T, dtype=np.float64)
