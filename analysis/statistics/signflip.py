"""The sign-flip test over tasks: exact, with mid-p, and the interval that it leaves.

Under the null a task's difference is as likely as its opposite. All sign patterns are counted, none is drawn. The
differences are whole numbers, so that ties are exact (Pitman 1937; mid-p: Lancaster 1961).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mlesearch.analysis.data.arrays import Floats, Ints

Numbers = TypeVar("Numbers", Ints, Floats)

HALVINGS = 44
"""Steps in the search for a limit: its error is 2^-44 of the range."""

NEAR = 2.0**-50
"""Means nearer to each other than this, in units of the largest difference, may be told apart by rounding alone."""

DENSE = 100_000
"""Up to so many pairs of a number of tasks and a sum, all are kept; beyond, those alone that occur."""

ROUNDING = 1e-9
"""Limits nearer to zero than this, in units of the differences, are zero."""


def sign_flip(differences: npt.ArrayLike, mid_p: bool = False) -> tuple[float, float]:
    """The two-sided sign-flip test of whole-number differences.

    Exact: `p = P(|S| >= |s|)` over all sign patterns; its size is never above the level. With mid-p:
    `p = P(|S| > |s|) + P(|S| = |s|) / 2`, which keeps the level on average only (at 5 %, .077 with 16 equal ones).

    Args:
        differences: whole numbers, shape (T,); zeros carry no information.
        mid_p: half of the probability of what was observed is left out.

    Returns:
        The p-value, and the smallest that these absolute differences could attain (1 without any).
    """
    d = np.abs(np.asarray(differences, dtype=np.int64))
    observed = abs(int(np.asarray(differences, dtype=np.int64).sum()))
    d = d[d > 0]
    if d.size == 0:
        return 1.0, 1.0
    sums, ways = _sign_sums(d)
    size, share = np.abs(sums), 0.5 if mid_p else 1.0
    p = float(ways[size > observed].sum() + share * ways[size == observed].sum())
    return p, float(share * ways[size == d.sum()].sum())


def sign_flip_above(differences: npt.ArrayLike) -> float:
    """One-sided p of a mean above 0, plain exact, of differences that need not be whole: `p = P(S >= s)`.

    Args:
        differences: shape (T,), at most some 20 of different sizes; those nearer to zero than `ROUNDING` carry no
            information, and sums nearer to each other than T of it are the same.
    """
    d = np.asarray(differences, dtype=np.float64)
    d = d[np.abs(d) > ROUNDING]
    sums, ways = _sign_sums(np.abs(d))
    return min(1.0, float(ways[sums >= d.sum() - (d.size + 1) * ROUNDING].sum()))


def sign_flip_interval(differences: npt.ArrayLike, level: float = 0.95, mid_p: bool = False) -> tuple[float, float]:
    """The mean differences that the same test, applied to the differences less that mean, does not reject.

    The test rejects a mean below a value where few subsets of the tasks have a mean difference up to it, so the limits
    are quantiles of the means of all subsets of tasks (Hartigan 1969). Zero lies within the limits where `sign_flip`
    does not reject at 1 - level; with mid-p it may be a limit itself and rejected.

    Args:
        differences: whole numbers, shape (T,), at most some 20 of them not zero.
        level: of the interval.
        mid_p: as in `sign_flip`.

    Returns:
        The limits, in units of the differences; NaN where all are alike, or where so few tasks reject nothing.
    """
    d = np.asarray(differences, dtype=np.int64)
    tail = (1.0 - level) / 2.0
    empty = (0.5 if mid_p else 1.0) * 2.0**-d.size
    if d.size == 0 or np.ptp(d) == 0 or empty > tail:
        return math.nan, math.nan
    sizes, sums, shares = _subsets(d[d != 0])
    zeros = int((d == 0).sum())
    chosen = np.array([math.comb(zeros, j) for j in range(zeros + 1)], dtype=np.float64) / 2.0**zeros
    below = np.concatenate(([0.0], np.cumsum(chosen)))  # share of the zeros' subsets with fewer than j members
    reach = float(np.abs(d).max())
    threshold = tail + (2.0**-d.size - empty)

    def limit(totals: Floats) -> float:
        low, high, step = -reach, reach, math.nan
        for _ in range(HALVINGS):
            middle = (low + high) / 2.0
            if math.isnan(step) and (high - low) * d.size**2 < 1.0:  # one mean of a subset is left: where it changes
                step = float(Fraction(middle).limit_denominator(d.size))
            if abs(middle - step) > NEAR * reach:
                kept = middle > step
            else:
                kept = _share_up_to(middle, members, totals, shares, below) > threshold
            low, high = (low, middle) if kept else (middle, high)
        return 0.0 if abs(high) < ROUNDING else high

    members = sizes.astype(np.float64)
    return limit(sums.astype(np.float64)), -limit(-sums.astype(np.float64))


def alike_p(difference: float, tasks: int, alternative: str) -> float:
    """The exact sign-flip p of tasks that all differ by the same amount: t has no scale there, the signs have.

    Args:
        difference: of every task.
        tasks: their number.
        alternative: "greater", "less" or "two-sided".
    """
    if difference == 0.0 or (alternative == "greater" and difference < 0) or (alternative == "less" and difference > 0):
        return 1.0
    return 2.0 ** ((1 if alternative == "two-sided" else 0) - tasks)


def _sign_sums(sizes: Numbers) -> tuple[Numbers, Floats]:
    """Every sum of the sizes with signs, up to rounding, and the share of all sign patterns that have it."""
    if sizes.dtype == np.int64 and (reach := int(sizes.sum())) <= DENSE // max(1, sizes.size):
        table: Floats = np.zeros(2 * reach + 1)
        table[reach] = 1.0
        for step in sizes.tolist():
            both: Floats = np.zeros_like(table)
            both[step:] = table[:-step]
            both[:-step] += table[step:]
            table = both / 2.0
        there: npt.NDArray[Any] = np.flatnonzero(table)
        return there - reach, table[there]
    sums: npt.NDArray[Any] = np.zeros(1, dtype=sizes.dtype)
    ways: Floats = np.ones(1, dtype=np.float64)  # whole numbers over a power of two: exact up to 2^53 patterns
    for step in np.sort(sizes):
        signed = np.round(np.concatenate((sums - step, sums + step)), 9)
        sums, where = np.unique(signed, return_inverse=True)
        ways = np.bincount(where, weights=np.concatenate((ways, ways)) / 2.0).astype(np.float64)
    return sums, ways


def _shifted(table: Floats, by: int) -> Floats:
    """The same so many places further on along the last axis; no sum is beyond its edges, so nothing is lost."""
    moved = np.zeros_like(table)
    if by > 0:
        moved[..., by:] = table[..., :-by]
    else:
        moved[..., : table.shape[-1] + by] = table[..., -by:]
    return moved


def _subsets(values: Ints) -> tuple[Ints, Ints, Floats]:
    """All subsets of the values by number of members and sum, with the share of the subsets that have these."""
    reach = int(np.abs(values).sum())
    span = 2 * reach + 1
    if (values.size + 1) * span <= DENSE:
        table = np.zeros((values.size + 1, span))
        table[0, reach] = 1.0
        for value in values:
            table[1:] += _shifted(table[:-1], int(value))
        members, place = np.nonzero(table)
        return members, place - reach, table[members, place] / 2.0**values.size
    keys = np.zeros(1, dtype=np.int64)  # members * span + sum, the sum taken as negative above span / 2
    ways: Floats = np.ones(1, dtype=np.float64)
    for value in np.sort(values):
        keys, where = np.unique(np.concatenate((keys, keys + span + value)), return_inverse=True)
        ways = np.bincount(where, weights=np.concatenate((ways, ways))).astype(np.float64)
    sums = (keys + span // 2) % span - span // 2
    return (keys - sums) // span, sums, ways / 2.0**values.size


def _share_up_to(mean: float, members: Floats, sums: Floats, shares: Floats, below: Floats) -> float:
    """Share of all subsets whose sum is at most `mean` times their number of members, the zeros among these."""
    if mean == 0.0:
        return float(shares[sums <= 0].sum())
    needed = sums / mean - members  # zeros that make it so: for a mean above 0 at least so many, below 0 at most
    fewer = np.ceil(needed) if mean > 0 else np.floor(needed) + 1.0
    counted = below.take(np.minimum(np.maximum(fewer, 0.0), below.size - 1.0).astype(np.int64))
    return float(np.add.reduce(shares * (below[-1] - counted if mean > 0 else counted)))
