"""Which row goes where: at random with equal shares of classes, by groups, or by time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlesearch.types import ConfigError

TRAIN, VALIDATION, TEST = 0, 1, 2
GROUP_DRAWS = 200
"""So many ways to deal the groups are tried; the best one that serves is taken."""


@dataclass(frozen=True, slots=True)
class SplitSizes:
    """How many rows each part is to have.

    Attributes:
        rows: in all.
        test_share: of all rows, above 0 and below 1.
        validation_share: of the rows that are not test; 0 where programs report their own score.
    """

    rows: int
    test_share: float
    validation_share: float

    @property
    def parts(self) -> tuple[float, float, float]:
        """Shares of all rows: train, validation, test."""
        validation = (1 - self.test_share) * self.validation_share
        return (1 - self.test_share - validation, validation, self.test_share)


def at_random(sizes: SplitSizes, labels: npt.NDArray[np.intp] | None, seed: int) -> npt.NDArray[np.intp]:
    """A random split; of classes each part has the same share, and at least one row of each.

    Args:
        sizes: of the parts.
        labels: shape (rows,), class of each row from 0; None: rows are not of classes.
        seed: of the draw.

    Returns:
        Shape (rows,): TRAIN, VALIDATION or TEST.
    """
    rng = np.random.default_rng(seed)
    where = np.full(sizes.rows, TRAIN, dtype=np.intp)
    order = rng.permutation(sizes.rows)
    labels = np.zeros(sizes.rows, dtype=np.intp) if labels is None else labels
    number = int(labels.max()) + 1
    wanted = [_dealt(np.bincount(labels, minlength=number), share) for share in sizes.parts]
    for label in range(number):
        own = order[labels[order] == label]
        test, validation = int(wanted[TEST][label]), int(wanted[VALIDATION][label])
        where[own[:test]] = TEST
        where[own[test : test + validation]] = VALIDATION
    return where


def _dealt(counts: npt.NDArray[np.intp], share: float) -> npt.NDArray[np.intp]:
    """Of each class so many rows that all together are the share of all; at least one where the share is above 0."""
    exact = counts * share
    dealt: npt.NDArray[np.intp] = np.floor(exact).astype(np.intp)
    lacking = round(float(exact.sum())) - int(dealt.sum())
    most_lacking = np.argsort(-(exact - dealt), kind="stable")[: max(0, lacking)]
    dealt[most_lacking] += 1
    if share > 0:
        dealt[(dealt == 0) & (counts > 0)] = 1
    return dealt


def by_groups(
    sizes: SplitSizes,
    groups: npt.NDArray[np.intp],
    labels: npt.NDArray[np.intp] | None,
    seed: int,
    name: str,
    *,
    everywhere: bool,
) -> npt.NDArray[np.intp]:
    """A split in which no group is on two sides: the most even one, in rows and in classes, of `GROUP_DRAWS` draws.

    Args:
        sizes: of the parts.
        groups: shape (rows,), group of each row from 0.
        labels: as `at_random`.
        seed: of the draws.
        name: of the column of groups, for messages.
        everywhere: whether each class is needed in the validation and the test rows too; else in training alone.

    Returns:
        Shape (rows,): TRAIN, VALIDATION or TEST.

    Raises:
        ConfigError: too few groups, or no draw serves.
    """
    number = int(groups.max()) + 1
    parts = [part for part in (TRAIN, VALIDATION, TEST) if sizes.parts[part] > 0]
    if number < len(parts):
        raise ConfigError(f"--group: {name!r} has {number} groups, and a split needs at least {len(parts)}")
    if number == sizes.rows:
        raise ConfigError(f"--group: {name!r} has another value in each row, so it groups nothing; leave it out")
    members = np.bincount(groups, minlength=number)
    rng = np.random.default_rng(seed)
    best, found = np.inf, None
    for _ in range(GROUP_DRAWS):
        where = _drawn(sizes, members, rng)[groups]
        cost = _unevenness(sizes, where, labels, parts, everywhere=everywhere)
        if cost < best:
            best, found = cost, where
    if found is None:
        where_needed = "each of train, validation and test" if everywhere else "train"
        raise ConfigError(
            f"--group: no way was found to deal the {number:,} groups of {name!r} so that {where_needed} has every "
            "class, and no part lacks rows; split by another column, or merge classes"
        )
    return found


def _drawn(sizes: SplitSizes, members: npt.NDArray[np.intp], rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Groups in a random order; each goes to the part that lacks the largest share of its rows."""
    wanted = np.array(sizes.parts) * sizes.rows
    lacking = wanted.copy()
    where = np.zeros(len(members), dtype=np.intp)
    for group in rng.permutation(len(members)):
        part = int(np.argmax(np.where(wanted > 0, lacking / np.maximum(wanted, 1), -np.inf)))
        where[group] = part
        lacking[part] -= members[group]
    return where


def _unevenness(
    sizes: SplitSizes,
    where: npt.NDArray[np.intp],
    labels: npt.NDArray[np.intp] | None,
    parts: Sequence[int],
    *,
    everywhere: bool,
) -> float:
    """How far a split is from the wanted shares of rows and of classes; infinite where it does not serve."""
    shares = np.bincount(where, minlength=3) / sizes.rows
    if any(shares[part] == 0 for part in parts):
        return float(np.inf)
    cost = float(sum(abs(shares[part] / sizes.parts[part] - 1) for part in parts))
    if labels is None:
        return cost
    number = int(labels.max()) + 1
    whole = np.bincount(labels, minlength=number) / sizes.rows
    for part in parts:
        counts = np.bincount(labels[where == part], minlength=number)
        if (everywhere or part == TRAIN) and (counts[whole > 0] == 0).any():
            return float(np.inf)
        cost += float(np.abs(counts / counts.sum() - whole).sum())
    return cost


def by_time(sizes: SplitSizes, times: npt.NDArray[np.float64], name: str) -> npt.NDArray[np.intp]:
    """A split in which the last rows are the test, and those before them the validation; equal times stay together.

    Args:
        sizes: of the parts.
        times: shape (rows,).
        name: of the column of times, for messages.

    Returns:
        Shape (rows,): TRAIN, VALIDATION or TEST.

    Raises:
        ConfigError: too few different times.
    """
    ordered = np.sort(times)
    train, validation, _ = sizes.parts
    where = np.full(sizes.rows, TRAIN, dtype=np.intp)
    cuts = [train + validation] if validation == 0 else [train, train + validation]
    starts = [ordered[min(sizes.rows - 1, round(cut * sizes.rows))] for cut in cuts]
    for start, part in zip(starts, [TEST] if validation == 0 else [VALIDATION, TEST], strict=True):
        where[times >= start] = part
    needed = [TRAIN, TEST] if validation == 0 else [TRAIN, VALIDATION, TEST]
    if any((where == part).sum() == 0 for part in needed):
        distinct = len(np.unique(ordered))
        raise ConfigError(
            f"--time: {name!r} has {distinct:,} different values, too few or too unevenly filled for a split into "
            f"{len(needed)} parts; name a finer column, or another --test-share"
        )
    return where


def check_parts(where: npt.NDArray[np.intp], labels: npt.NDArray[np.intp], classes: Sequence[str], why: str) -> None:
    """Refuse a split that lacks a class in a part where it has to be scored.

    Args:
        where: shape (rows,), the part of each row.
        labels: shape (rows,), its class.
        classes: their names.
        why: begins the message.

    Raises:
        ConfigError: some part lacks one.
    """
    for part, words in ((TRAIN, "training"), (VALIDATION, "validation"), (TEST, "test")):
        own = where == part
        if not own.any():
            continue
        lacking = [name for label, name in enumerate(classes) if not (labels[own] == label).any()]
        if lacking:
            raise ConfigError(
                f"{why}: the {int(own.sum()):,} {words} rows have none with {lacking[0]}, which the metric needs "
                "there; change --test-share, or choose another metric or split"
            )
