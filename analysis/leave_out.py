"""Does a verdict hang on one task, one category of tasks, or one model? Each is left out in turn.

Nothing is refitted: t statistics follow from sums less those of what is left out, and the permutations of capability
are drawn once for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations

import numpy as np
import numpy.typing as npt
from scipy import stats

from mlesearch.analysis.capability import DRAWS, EXACT_MODELS, ROUNDING, Alternative
from mlesearch.analysis.gaps import SIGN_FLIP_MAX, holm, sign_flip, task_differences
from mlesearch.analysis.rates import Floats, Ints

ALPHA = 0.05
NO_SPREAD = 1e-18
"""A variance of rates up to this is rounding."""

_BLOCK = 2000
"""Permutations at a time: what is computed of them stays in the processor's cache."""

Flags = npt.NDArray[np.bool_]
SignTest = Callable[[Ints], float]
"""Two-sided p of whole-number differences by their signs."""


@dataclass(frozen=True, slots=True)
class Hanging:
    """An established verdict, and what it falls without.

    Attributes:
        verdict: `gap`, `slope` or `crossover`.
        model: of a gap; empty otherwise.
        tasks: each of them, left out alone, undoes it.
        categories: likewise.
        models: likewise; a model without which it cannot be tested is not among them.
    """

    verdict: str
    model: str
    tasks: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether it stands without any one of them."""
        return not (self.tasks or self.categories or self.models)


@dataclass(frozen=True, slots=True)
class Sets:
    """What is left out, one set a row: first nothing, then each task, then each category.

    Attributes:
        rows: shape (1 + T + G, T).
        tasks: ids.
        categories: names; empty where none are known.
    """

    rows: Flags
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


def each_alone(count: int) -> Flags:
    """Each of some tasks by itself, shape (count, count)."""
    return np.eye(count, dtype=np.bool_)


def each_category(codes: Ints) -> Flags:
    """The tasks of each category, shape (categories, T)."""
    return np.asarray(codes[None, :] == np.arange(int(codes.max()) + 1)[:, None])


def t_without(values: npt.ArrayLike, out: Flags) -> tuple[Floats, Ints]:
    """The t statistic of a mean over tasks, with sets of tasks left out in turn.

    Args:
        values: shape (..., T).
        out: shape (S, T): the tasks of each set.

    Returns:
        Statistics of shape (..., S), 0 without spread, and degrees of freedom of shape (S,).
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
    variance = np.maximum(squares - total * mean, 0.0) / (left - 1) / left
    known = (variance > NO_SPREAD) & (n >= 2)
    statistic = np.where(known, (centre + mean) / np.sqrt(np.where(known, variance, 1.0)), 0.0)
    return np.asarray(statistic, dtype=np.float64), np.asarray(left - 1, dtype=np.int64)


def gap_signs(hits: Ints, counts: Ints, out: Flags, signs: SignTest | None = None, alpha: float = ALPHA) -> Ints:
    """In which direction the Holm-adjusted gap of each model is established, with sets of tasks left out in turn.

    Args:
        hits: shape (M, 2, T): successful runs, treatment first.
        counts: shape (M, 2, T): runs.
        out: shape (S, T).
        signs: the test where at most 20 tasks differ; None: the sign-flip test of `gaps`.
        alpha: level.

    Returns:
        Shape (M, S): +1, -1, or 0 where no difference is established.
    """
    test = signs or (lambda whole: sign_flip(whole)[0])
    p = np.ones((len(hits), len(out)))
    mean = np.zeros_like(p)
    for m, (h, k) in enumerate(zip(hits, counts, strict=True)):
        whole, _ = task_differences(h, k)
        statistic, df = t_without(whole, out)
        mean[m] = whole.sum() - out @ whole
        informative = (whole != 0).sum() - out @ (whole != 0)
        p[m] = 2.0 * stats.t.sf(np.abs(statistic), df)
        seen: dict[bytes, float] = {}
        for s in np.flatnonzero((informative <= SIGN_FLIP_MAX) | (statistic == 0)):
            rest = np.sort(whole[~out[s]])
            key = rest[rest != 0].tobytes()
            if key not in seen:
                seen[key] = test(rest)
            p[m, s] = seen[key]
    adjusted = np.stack([holm(column) for column in p.T], axis=1) if p.size else p
    return np.where(adjusted <= alpha, np.sign(mean), 0).astype(np.int64)


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


def slope_signs(
    gaps: Floats,
    capability: Floats,
    out: Flags,
    side: Alternative = "two-sided",
    seed: int = 0,
    draws: int = DRAWS,
    alpha: float = ALPHA,
) -> Ints:
    """In which direction the slope over capability is established, with sets of tasks left out in turn.

    It is where both the permutation test over models and t over tasks reject.

    Args:
        gaps: shape (M, T).
        capability: shape (M,).
        out: shape (S, T).
        side: of both tests.
        seed: of the drawn permutations.
        draws: how many.
        alpha: level.

    Returns:
        Shape (S,): +1, -1 or 0.
    """
    centred = capability - capability.mean()
    slopes = centred @ gaps / float(centred @ centred)
    statistic, df = t_without(slopes, out)
    sums = gaps.sum(axis=1, keepdims=True) - gaps @ out.T.astype(np.float64)
    p = permutation_p(sums / np.maximum(out.shape[1] - out.sum(axis=1), 1), capability, side, seed, draws)
    toward = {"greater": statistic, "less": -statistic, "two-sided": np.abs(statistic)}[side]
    over_tasks = stats.t.sf(toward, df) * (2.0 if side == "two-sided" else 1.0)
    both = (p <= alpha) & (over_tasks <= alpha)
    return np.where(both, np.sign(statistic), 0).astype(np.int64)


def crossed(gaps: Floats, capability: Floats, weak: Ints, strong: Ints, out: Flags, alpha: float = ALPHA) -> Flags:
    """Whether a crossover is established for these models, with sets of tasks left out in turn; shape (S,).

    Args:
        gaps: shape (M, T).
        capability: shape (M,).
        weak: rows of the low group.
        strong: rows of the high group.
        out: shape (S, T).
        alpha: level.
    """
    centred = capability - capability.mean()
    rows = np.stack([gaps[weak].mean(axis=0), gaps[strong].mean(axis=0), centred @ gaps / float(centred @ centred)])
    (low, high, slope), df = t_without(rows, out)
    one, two = stats.t.isf(alpha, df), stats.t.isf(alpha / 2.0, df)
    return np.asarray((low <= -one) & (high >= one) & (slope >= two))


def hanging_gaps(
    models: Sequence[str], hits: Ints, counts: Ints, sets: Sets, signs: SignTest | None = None
) -> tuple[Hanging, ...]:
    """The established gaps, each with what it falls without.

    Args:
        models: names, length M.
        hits: shape (M, 2, T).
        counts: shape (M, 2, T).
        sets: what is left out.
        signs: as in `gap_signs`.
    """
    found = gap_signs(hits, counts, sets.rows, signs)
    return tuple(
        Hanging("gap", name, *sets.named(found[m] != found[m, 0])) for m, name in enumerate(models) if found[m, 0]
    )


def hanging_slope(
    models: Sequence[str], gaps: Floats, capability: Floats, sets: Sets, side: Alternative
) -> Hanging | None:
    """The slope with what it falls without; None where it is not established."""
    found = slope_signs(gaps, capability, sets.rows, side)
    if not found[0]:
        return None
    lost = []
    none = np.zeros((1, gaps.shape[1]), dtype=np.bool_)
    for m, name in enumerate(models):
        rest = np.arange(len(models)) != m
        known = rest.sum() > 1 and np.ptp(capability[rest]) > 0
        if known and slope_signs(gaps[rest], capability[rest], none, side)[0] != found[0]:
            lost.append(name)
    return Hanging("slope", "", *sets.named(found != found[0]), tuple(lost))


def hanging_crossover(
    models: Sequence[str], gaps: Floats, capability: Floats, weak: Sequence[str], strong: Sequence[str], sets: Sets
) -> Hanging | None:
    """The crossover for these models with what it falls without; None where it is not established."""
    low, high = (np.array([list(models).index(m) for m in group], dtype=np.int64) for group in (weak, strong))
    found = crossed(gaps, capability, low, high, sets.rows)
    if not found[0]:
        return None
    lost = []
    none = np.zeros((1, gaps.shape[1]), dtype=np.bool_)
    for m, name in enumerate(models):
        rest = np.arange(len(models)) != m
        weaker, stronger = (np.flatnonzero(np.isin(np.flatnonzero(rest), group)) for group in (low, high))
        known = min(weaker.size, stronger.size) >= 2 and np.ptp(capability[rest]) > 0
        if known and not crossed(gaps[rest], capability[rest], weaker, stronger, none)[0]:
            lost.append(name)
    return Hanging("crossover", "", *sets.named(~found), tuple(lost))
