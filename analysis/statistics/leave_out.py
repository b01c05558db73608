"""The tests of gaps, slope and crossover with sets of tasks left out in turn.

Nothing is refitted: t statistics follow from sums less those of what is left out, and the permutations of capability
are drawn once for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

import numpy as np
import numpy.typing as npt

from mlesearch.analysis.data.arrays import Floats, Ints, Sums
from mlesearch.analysis.statistics.capability import DRAWS, EXACT_MODELS, ROUNDING, Alternative
from mlesearch.analysis.statistics.gaps import flips_of, holm, task_differences
from mlesearch.analysis.statistics.signflip import sign_flip
from mlesearch.analysis.statistics.student import t_above

NO_SPREAD = 1e-18
"""A variance of rates up to this is rounding."""

ROUNDING_SQUARES = 1e-12
"""A sum of squares up to this share of that of all tasks is rounding."""

_BLOCK = 2000
"""Permutations at a time: what is computed of them stays in the processor's cache."""

TaskSets = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sets:
    """What is left out, one set a row: first nothing, then each task, then each category.

    Attributes:
        rows: shape (1 + T + G, T).
        tasks: ids.
        categories: names; empty where none are known.
    """

    rows: TaskSets
    tasks: tuple[str, ...]
    categories: tuple[str, ...] = ()

    @classmethod
    def of(cls, tasks: Sequence[str], categories: Sequence[str] = (), codes: Ints | None = None) -> Sets:
        """Each task, and each category where their codes are known."""
        parts = [np.zeros((1, len(tasks)), dtype=np.bool_), each_alone(len(tasks))]
        if codes is not None:
            parts.append(each_category(codes))
        return cls(np.concatenate(parts), tuple(tasks), tuple(categories))

    def named(self, fallen: npt.ArrayLike) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The tasks and the categories of the rows that are marked; a category of one task is named as that task."""
        marked = np.asarray(fallen, dtype=np.bool_)[1:]
        tasks = tuple(name for name, hit in zip(self.tasks, marked, strict=False) if hit)
        sizes = self.rows[1 + len(self.tasks) :].sum(axis=1)
        rest = zip(self.categories, marked[len(self.tasks) :], sizes, strict=True)
        return tasks, tuple(name for name, hit, size in rest if hit and size > 1)


def each_alone(count: int) -> TaskSets:
    """Each of some tasks by itself, shape (count, count)."""
    return np.eye(count, dtype=np.bool_)


def each_category(codes: Ints) -> TaskSets:
    """The tasks of each category, shape (categories, T)."""
    return np.asarray(codes[None, :] == np.arange(int(codes.max()) + 1)[:, None])


def t_without(values: npt.ArrayLike, out: TaskSets) -> tuple[Floats, Ints, TaskSets]:
    """The t statistic of a mean over tasks, with sets of tasks left out in turn.

    Args:
        values: shape (..., T).
        out: shape (S, T): the tasks of each set.

    Returns:
        Statistics of shape (..., S), degrees of freedom of shape (S,), and where there is a spread, shape (..., S);
        elsewhere the statistic is 0.
    """
    x = np.asarray(values, dtype=np.float64)
    centre = x.mean(axis=-1, keepdims=True)
    d = x - centre  # sums of squares about the mean of all keep their digits
    gone = out.astype(np.float64)
    n = out.shape[1] - out.sum(axis=1)
    left = np.maximum(n, 2)
    total = d.sum(axis=-1, keepdims=True) - d @ gone.T
    squares = (d**2).sum(axis=-1, keepdims=True) - (d**2) @ gone.T
    mean = total / left
    rest = np.maximum(squares - total * mean, 0.0)
    variance = rest / (left - 1) / left
    known = (rest > ROUNDING_SQUARES * (d**2).sum(axis=-1, keepdims=True) + NO_SPREAD) & (n >= 2)
    statistic = np.where(known, (centre + mean) / np.sqrt(np.where(known, variance, 1.0)), 0.0)
    return np.asarray(statistic, dtype=np.float64), np.asarray(left - 1, dtype=np.int64), np.asarray(known)


def p_of_t(statistic: Floats, df: Ints, spread: TaskSets, signs: Floats, side: Alternative) -> Floats:
    """P of t statistics; without spread that of signs which all agree, `2^-n`.

    Args:
        statistic: shape (..., S).
        df: shape (S,).
        spread: where there is a statistic, shape (..., S).
        signs: of the means, shape (..., S).
        side: on which p is.
    """
    toward = {"greater": statistic, "less": -statistic, "two-sided": np.abs(statistic)}[side]
    by_t = t_above(toward, df) * (2.0 if side == "two-sided" else 1.0)
    agrees = {"greater": signs > 0, "less": signs < 0, "two-sided": signs != 0}[side]
    by_signs = np.where(agrees, 2.0 ** ((1.0 if side == "two-sided" else 0.0) - (df + 1.0)), 1.0)
    return np.asarray(np.where(spread, by_t, by_signs), dtype=np.float64)


def gap_p(hits: Sums, counts: Ints, out: TaskSets, mid_p: bool = False) -> tuple[Floats, Ints]:
    """P of the gap of each model, of its own test, with sets of tasks left out in turn.

    Args:
        hits: shape (M, 2, T): successful runs, treatment first; floats are sums of a measure.
        counts: shape (M, 2, T): runs.
        out: shape (S, T).
        mid_p: of the sign-flip test where few tasks differ, as in `paired_gap`.

    Returns:
        P and the sign of the gap, both of shape (M, S).
    """
    p, signs = np.ones((len(hits), len(out))), np.zeros((len(hits), len(out)), dtype=np.int64)
    for m, (h, k) in enumerate(zip(hits, counts, strict=True)):
        whole, _ = task_differences(h, k)
        statistic, df, spread = t_without(whole, out)
        signs[m] = np.sign(whole.sum() - out @ whole)
        informative = (whole != 0).sum() - out @ (whole != 0)
        p[m] = p_of_t(statistic, df, spread, signs[m].astype(np.float64), "two-sided")
        if mid_p:
            p[m] = np.where(spread, p[m], p[m] / 2.0)
        seen: dict[bytes, float] = {}
        for s in np.flatnonzero(informative <= flips_of(hits)):
            rest = np.sort(whole[~out[s]])
            key = rest[rest != 0].tobytes()
            if key not in seen:
                seen[key] = sign_flip(rest, mid_p)[0]
            p[m, s] = seen[key]
    return p, signs


def holm_each(p: Floats) -> Floats:
    """P of the gaps of models, shape (M, S), Holm-adjusted over the models for each set of tasks."""
    return np.stack([holm(column) for column in p.T], axis=1) if p.size else p


@lru_cache(maxsize=8)
def _orders(models: int, seed: int, draws: int) -> Ints:
    """Orders of models: all of them up to 8, else drawn; shape (n, models)."""
    if models <= EXACT_MODELS:
        found = np.array(list(permutations(range(models))), dtype=np.int64)
    else:
        rng = np.random.default_rng(seed)
        found = rng.permuted(np.broadcast_to(np.arange(models), (draws, models)), axis=1)
    found.flags.writeable = False
    return found


def permutation_p(
    means: npt.ArrayLike, capability: npt.ArrayLike, side: Alternative, seed: int = 0, draws: int = DRAWS
) -> Floats:
    """P of the permutation test of the slope over capability, of several sets of mean gaps at once.

    The same permutations as `slope_test` draws.

    Args:
        means: shape (M, S).
        capability: shape (M,).
        side: on which p is.
        seed: of the drawn permutations.
        draws: how many.

    Returns:
        Shape (S,).
    """
    c = np.asarray(capability, dtype=np.float64)
    x = np.asarray(means, dtype=np.float64)
    deviations = x - x.mean(axis=0)
    deviations[np.abs(deviations) < ROUNDING] = 0.0
    centred = c - c.mean()
    orders = _orders(c.size, seed, draws)
    observed = centred @ deviations
    slack = 1e-9 * np.linalg.norm(centred) * np.linalg.norm(deviations, axis=0)
    count = np.zeros(x.shape[1], dtype=np.int64)
    for first in range(0, len(orders), _BLOCK):
        null = centred[orders[first : first + _BLOCK]] @ deviations
        if side == "two-sided":
            count += (np.abs(null) >= np.abs(observed) - slack).sum(axis=0)
        elif side == "greater":
            count += (null >= observed - slack).sum(axis=0)
        else:
            count += (null <= observed + slack).sum(axis=0)
    return np.asarray(count / len(orders) if c.size <= EXACT_MODELS else (count + 1) / (len(orders) + 1))


def slope_p(
    gaps: Floats,
    capability: Floats,
    out: TaskSets,
    side: Alternative = "two-sided",
    seed: int = 0,
    draws: int = DRAWS,
) -> tuple[Floats, Ints]:
    """P of the slope over capability, with sets of tasks left out in turn: the larger of permutation and t over tasks.

    Args:
        gaps: shape (M, T).
        capability: shape (M,).
        out: shape (S, T).
        side: of both tests.
        seed: of the drawn permutations.
        draws: how many.

    Returns:
        P and the sign of the slope, both of shape (S,).
    """
    centred = capability - capability.mean()
    slopes = centred @ gaps / float(centred @ centred)
    slopes[np.abs(slopes) * np.ptp(capability) < ROUNDING] = 0.0
    statistic, df, spread = t_without(slopes, out)
    signs = np.sign(np.round((slopes.sum() - out @ slopes) / slopes.size, 12))
    sums = gaps.sum(axis=1, keepdims=True) - gaps @ out.T.astype(np.float64)
    p = permutation_p(sums / np.maximum(out.shape[1] - out.sum(axis=1), 1), capability, side, seed, draws)
    return np.maximum(p, p_of_t(statistic, df, spread, signs, side)), signs.astype(np.int64)


def crossing_p(
    gaps: Floats, capability: Floats, weak: npt.ArrayLike, strong: npt.ArrayLike, out: TaskSets, falls: bool = False
) -> Floats:
    """P of the crossover for these models, with sets of tasks left out in turn: the largest of its three parts.

    Args:
        gaps: shape (M, T).
        capability: shape (M,).
        weak: rows of the low group.
        strong: rows of the high group.
        out: shape (S, T).
        falls: whether the gap was declared to fall.

    Returns:
        Shape (S,).
    """
    d = -gaps if falls else gaps
    centred = capability - capability.mean()
    low, high = d[np.asarray(weak)].mean(axis=0), d[np.asarray(strong)].mean(axis=0)
    rows = np.stack([-low, high, centred @ d / float(centred @ centred)])
    statistic, df, spread = t_without(rows, out)
    signs = np.sign(np.round(rows.sum(axis=1, keepdims=True) - rows @ out.T.astype(np.float64), 12))
    p = p_of_t(statistic, df, spread, signs, "greater")
    p[2] = np.where(signs[2] > 0, np.minimum(2.0 * p[2], 1.0), 1.0)
    return np.asarray(p.max(axis=0), dtype=np.float64)
