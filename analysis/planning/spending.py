"""Bounds of a one-sided group-sequential test, by alpha spending (Lan and DeMets 1983, Biometrika 70).

Statistics Z_1, ..., Z_K at information I_1 < ... < I_K have the canonical joint distribution: Z_k is normal with mean
theta sqrt(I_k) and variance 1, and Cov(Z_j, Z_k) = sqrt(I_j / I_k) for j <= k. Everything here is numerical integration
over the statistic at one look, given the one before (Armitage, McPherson and Rowe 1969, J. R. Stat. Soc. A 132), on the
grid of Jennison and Turnbull (2000, Group Sequential Methods, chapter 19).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy import special

from mlesearch.analysis.data.arrays import Floats

SAFE_RATIO = 20.0
"""Variance of one run's noise over that of the tasks' own gaps, for which the shipped bounds are computed.

The ratio of a study is unknown beforehand. One that is too small takes the looks for more alike than they are, and the
test is then wrong too often; one that is too large costs a little power and nothing else.
"""

GRID = 18
"""The r of Jennison and Turnbull's grid: 12 r - 3 points a look, errors below 1e-6."""

BEYOND = 12.0
"""A bound that nothing crosses, in standard errors."""


def information_fractions(seeds: npt.ArrayLike, ratio: float = SAFE_RATIO) -> Floats:
    """The information after so many seeds a task, over that after the last of them.

    With the tasks' own gaps of variance s and one run's noise of variance w = ratio s, a mean gap over T tasks has
    information T / (s + w / K) after K seeds: in proportion to K / (K + ratio).

    Args:
        seeds: numbers of seeds, rising; shape (looks,).
        ratio: w / s; infinite: information in proportion to seeds.

    Returns:
        Shape (looks,), the last one 1.
    """
    k = np.asarray(seeds, dtype=np.float64)
    known = k if math.isinf(ratio) else k / (k + ratio)
    return np.asarray(known / known[-1], dtype=np.float64)


def obrien_fleming_spent(fractions: npt.ArrayLike, alpha: float) -> Floats:
    """The error that may be spent up to each look, one-sided, much as O'Brien and Fleming (1979) would.

    `2 - 2 Phi(z / sqrt(t))` with z the upper alpha / 2 quantile (Lan and DeMets 1983).

    Args:
        fractions: of the information, in (0, 1].
        alpha: of the whole test, one-sided.
    """
    t = np.asarray(fractions, dtype=np.float64)
    return np.asarray(2.0 * special.ndtr(special.ndtri(alpha / 2.0) / np.sqrt(t)), dtype=np.float64)


def upper_bounds(fractions: Sequence[float] | Floats, alpha: float) -> Floats:
    """The bounds that Z must reach, look by look, so that under no effect the test rejects with probability alpha.

    Args:
        fractions: information fractions, rising, in (0, 1].
        alpha: one-sided.

    Returns:
        Shape (looks,), in standard errors.
    """
    t = _checked(fractions)
    to_spend = np.diff(obrien_fleming_spent(t, alpha), prepend=0.0)
    bounds = np.empty_like(t)
    bounds[0] = -special.ndtri(to_spend[0]) if to_spend[0] > 0 else BEYOND
    for k in range(1, t.size):

        def excess(bound: float, k: int = k) -> float:
            trial = np.append(bounds[:k], bound)
            return float(crossing(t[: k + 1], trial)[-1]) - float(to_spend[k])

        bounds[k] = _root(excess, xtol=1e-10) if excess(BEYOND) < 0 else BEYOND
    return bounds


def crossing(information: Sequence[float] | Floats, bounds: Sequence[float] | Floats, drift: float = 0.0) -> Floats:
    """The probability to cross at each look for the first time.

    Args:
        information: at the looks, rising; shape (looks,).
        bounds: upper ones, on the scale of Z; shape (looks,).
        drift: theta: the mean of Z is drift x sqrt(information).

    Returns:
        Shape (looks,); their sum is the power of the test.
    """
    i, b = _checked(information, limit=math.inf), np.asarray(bounds, dtype=np.float64)
    found = np.empty_like(i)
    found[0] = special.ndtr(drift * math.sqrt(i[0]) - b[0])
    z, weights = _grid(drift * math.sqrt(i[0]), b[0])
    density = weights * _normal(z - drift * math.sqrt(i[0]))
    for k in range(1, i.size):
        step = i[k] - i[k - 1]
        start = z * math.sqrt(i[k - 1]) + drift * step
        found[k] = density @ special.ndtr((start - b[k] * math.sqrt(i[k])) / math.sqrt(step))
        if k + 1 < i.size:
            z, weights = _grid(drift * math.sqrt(i[k]), b[k])
            moved = _normal((z[:, None] * math.sqrt(i[k]) - start) / math.sqrt(step))
            density = weights * math.sqrt(i[k] / step) * (moved @ density)
    return found


def conditional_power(look: int, z: float, fractions: Sequence[float] | Floats, bounds: Sequence[float] | Floats,
                      drift: float | None = None) -> float:  # fmt: skip
    """The probability to cross at some later look, given the statistic at this one.

    Args:
        look: of the looks, from 0.
        z: the statistic there.
        fractions: information fractions of all looks.
        bounds: of all looks.
        drift: theta at information 1; None: as it is estimated now, z / sqrt(fraction).

    Returns:
        0 after the last look.
    """
    t, b = _checked(fractions), np.asarray(bounds, dtype=np.float64)
    if look + 1 >= t.size:
        return 0.0
    now = t[look]
    theta = z / math.sqrt(now) if drift is None else drift
    later = t[look + 1 :] - now  # what comes is a new process, that starts at 0
    reach = (b[look + 1 :] * np.sqrt(t[look + 1 :]) - z * math.sqrt(now)) / np.sqrt(later)
    return float(crossing(later, reach, theta).sum())


def futility_bounds(fractions: Sequence[float] | Floats, bounds: Sequence[float] | Floats, power: float) -> Floats:
    """The statistics below which the conditional power, by the trend seen so far, is less than some figure.

    They bind nobody: the upper bounds are computed without them, so that going on all the same costs no error.

    Args:
        fractions: information fractions.
        bounds: upper bounds.
        power: the conditional power below which to give up; 0: never.

    Returns:
        Shape (looks,); the last is the upper bound itself, since nothing comes after it.
    """
    t, b = _checked(fractions), np.asarray(bounds, dtype=np.float64)
    found = np.full_like(t, -np.inf)
    found[-1] = b[-1]
    if power > 0:
        for k in range(t.size - 1):
            found[k] = _root(partial(_beyond, power, k, t, b))
    return found


def _beyond(power: float, look: int, fractions: Floats, bounds: Floats, z: float) -> float:
    return conditional_power(look, z, fractions, bounds) - power


def _root(excess: Callable[[float], float], xtol: float = 2e-12) -> float:
    """Where a function of one bound is zero; what finds it is loaded where a study has bounds, which few have."""
    from scipy.optimize import brentq

    return float(brentq(excess, -BEYOND, BEYOND, xtol=xtol))


def _checked(information: Sequence[float] | Floats, limit: float = 1.0 + 1e-12) -> Floats:
    """Information that rises from above 0.

    Raises:
        ValueError: it does not, or exceeds the limit.
    """
    i = np.asarray(information, dtype=np.float64)
    if i.ndim != 1 or i.size == 0 or not (np.diff(i, prepend=0.0) > 0).all() or i[-1] > limit:
        raise ValueError(f"information must rise from above 0 up to {limit:g}, not {i.tolist()}")
    return i


def _normal(x: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi), dtype=np.float64)


def _grid(centre: float, upper: float) -> tuple[Floats, Floats]:
    """Points up to a bound, and the weights of Simpson's rule at them."""
    r = GRID
    tail = 3.0 + 4.0 * np.log(r / np.arange(1.0, r))
    x = centre + np.concatenate((-tail, -3.0 + 3.0 * np.arange(4 * r + 1) / (2.0 * r), tail[::-1]))
    x = np.append(x[x < upper], upper) if upper < x[-1] else x
    if x.size < 2:
        x = np.array([upper - 1.0, upper])
    points = np.empty(2 * x.size - 1)
    points[::2], points[1::2] = x, (x[1:] + x[:-1]) / 2.0
    gaps = np.diff(x)
    weights = np.zeros_like(points)
    weights[1::2] = 4.0 * gaps / 6.0
    weights[:-1:2] += gaps / 6.0
    weights[2::2] += gaps / 6.0
    return points, weights
