"""Columns that tell the target by themselves: how well each one predicts it in rows that were not looked at.

A column's values (of numbers also the nearest ones, or their quantiles) are given the most frequent class, or the mean,
of one half of the rows, and are judged on the other half, both ways round. Of texts that differ in every row, what
remains without digits and the first number in them are tried as well, as in "pos_0017".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

CLASS_SHARE, NUMBER_SHARE = 0.97, 0.999
"""A column that takes away so much of the error (of the squared error) of a constant tells the target."""
SUSPECT_SHARE = 0.9
"""One that takes away so much is worth a look."""
ID_SHARE = 0.5
"""Ids are no knowledge: they tell the target where they take away so much."""
Coding = Callable[[npt.NDArray[np.bool_]], npt.NDArray[np.intp]]
"""Given which rows are fitted, shape (rows,), a number from 0 for each row, shape (rows,)."""

BINS = 256
ROWS = 20_000
"""So many rows are looked at, at most."""


@dataclass(frozen=True, slots=True)
class TellingColumn:
    """A column that predicts a target.

    Attributes:
        column: its name.
        target: which target it predicts.
        share: of a constant's error that it takes away, up to 1.
        certain: whether that is so much that it tells the target.
    """

    column: str
    target: str
    share: float
    certain: bool


def telling_columns(
    features: pd.DataFrame,
    numbers: Mapping[str, pd.Series[str] | None],
    targets: Mapping[str, npt.NDArray[Any]],
    *,
    classes: bool,
    half: npt.NDArray[np.bool_],
    seed: int,
    ids: str | None = None,
) -> list[TellingColumn]:
    """The columns that predict a target by themselves, the most telling first.

    Args:
        features: columns of texts.
        numbers: the same as numbers, by name; None where a column is no numbers.
        targets: numbers, or numbers of classes from 0, by name.
        classes: whether the targets are classes.
        half: shape (rows,), one half of the rows. Of grouped rows whole groups, of rows in time the earlier ones: what
            tells the target there does so for rows that are split alike.
        seed: of the rows that are looked at, where there are more than `ROWS`.
        ids: the column among them that holds the ids.
    """
    order = np.random.default_rng(seed).permutation(len(features))[:ROWS]
    half = half[order]
    wanted = {name: np.asarray(values)[order] for name, values in targets.items()}
    rows = features.iloc[order]
    found = []
    for name in map(str, features):
        column = numbers[name]
        shares = dict.fromkeys(wanted, 0.0)
        ways = list(_ways(rows[name], None if column is None else column.iloc[order]))
        for way in ways:
            codes = [way(fitted) for fitted in (half, ~half)]
            for target, values in wanted.items():
                shares[target] = max(shares[target], _share(codes, values, half, classes=classes))
        target = max(shares, key=lambda each: shares[each])
        enough = ID_SHARE if name == ids else CLASS_SHARE if classes else NUMBER_SHARE
        if shares[target] >= min(SUSPECT_SHARE, enough):
            certain = shares[target] >= enough
            found.append(TellingColumn(name, target, shares[target], certain))
    return sorted(found, key=lambda each: -each.share)


def _ways(cells: pd.Series[str], numbers: pd.Series[str] | None) -> Iterator[Coding]:
    """The ways in which the values of a column are told apart."""
    import pandas as pd

    if numbers is not None:
        yield from _ways_of_numbers(pd.to_numeric(numbers).to_numpy(dtype=float))
        return
    yield _as_they_are(cells)
    if cells.nunique() > len(cells) / 2:
        yield _as_they_are(cells.str.replace(r"\d+", "", regex=True))
        inside = pd.to_numeric(cells.str.extract(r"(\d{1,15})", expand=False), errors="coerce").to_numpy(dtype=float)
        if np.isfinite(inside).any():
            yield from _ways_of_numbers(inside)


def _as_they_are(cells: pd.Series[str]) -> Coding:
    import pandas as pd

    codes = pd.factorize(cells)[0].astype(np.intp)
    return lambda _fitted: codes


def _ways_of_numbers(values: npt.NDArray[np.float64]) -> Iterator[Coding]:
    """Each number goes with the nearest one of the fitted half, or with its quantile; missing ones with each other."""
    known = np.isfinite(values)

    def nearest(fitted: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
        at = np.unique(values[known & fitted])
        return _cut(values, (at[:-1] + at[1:]) / 2)

    quantiles = np.unique(np.quantile(values[known], np.linspace(0, 1, BINS)))
    yield nearest
    yield lambda _fitted: _cut(values, quantiles)


def _cut(values: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    codes = np.searchsorted(edges, values, side="right")
    return np.where(np.isfinite(values), codes, len(edges) + 1).astype(np.intp)


def _share(
    codes: Sequence[npt.NDArray[np.intp]],
    target: npt.NDArray[Any],
    half: npt.NDArray[np.bool_],
    *,
    classes: bool,
) -> float:
    """The share of a constant's error that a coding takes away, over both halves, each with the codes made for it."""
    left = whole = 0.0
    for fitted, coded in zip((half, ~half), codes, strict=True):
        made = _class_errors if classes else _squared_errors
        with_column, constant = made(coded, target, fitted)
        left, whole = left + with_column, whole + constant
    return 1 - left / whole if whole > 0 else 0.0


def _class_errors(
    codes: npt.NDArray[np.intp], target: npt.NDArray[Any], fitted: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    k = int(target.max()) + 1
    usual = int(np.bincount(target[fitted], minlength=k).argmax())
    pairs, counts = np.unique(codes[fitted] * k + target[fitted], return_counts=True)
    best = np.full(int(codes.max()) + 1, usual)
    ascending = np.argsort(counts, kind="stable")  # the most frequent class of a code is written last
    best[pairs[ascending] // k] = pairs[ascending] % k
    asked = ~fitted
    return float((best[codes[asked]] != target[asked]).sum()), float((target[asked] != usual).sum())


def _squared_errors(
    codes: npt.NDArray[np.intp], target: npt.NDArray[Any], fitted: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    mean, size = float(target[fitted].mean()), int(codes.max()) + 1
    counts = np.bincount(codes[fitted], minlength=size)
    sums = np.bincount(codes[fitted], weights=target[fitted], minlength=size)
    said = np.where(counts > 0, sums / np.maximum(counts, 1), mean)
    asked = ~fitted
    return float(((said[codes[asked]] - target[asked]) ** 2).sum()), float(((target[asked] - mean) ** 2).sum())
