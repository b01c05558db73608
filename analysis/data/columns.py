"""Columns of a table as arrays: texts as whole numbers, numbers as floats.

Comparing texts row by row is what analysing a large study would cost most. Each column of them is looked at once here,
and not at all where reading has coded it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.arrays import Flags, Floats, Ints

Texts = npt.NDArray[np.object_]


def coded(values: pd.Series[str]) -> tuple[Ints, Texts]:
    """The place of each value among the different ones, -1 where it is empty, and these.

    Args:
        values: shape (N,); objects, or categories, which are coded already.

    Returns:
        Places, shape (N,), and texts, which may hold some that occur nowhere.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        known = values.cat.categories.to_numpy()
        return np.asarray(values.cat.codes.to_numpy(), dtype=np.int64), np.asarray(known, dtype=object)
    places, texts = pd.factorize(values)
    return np.asarray(places, dtype=np.int64), np.asarray(texts, dtype=object)


def distinct(values: pd.Series[str]) -> list[str]:
    """The different texts of a column, sorted."""
    return sorted(used(*coded(values))[1].tolist())


def used(places: Ints, texts: Texts) -> tuple[Ints, Texts]:
    """The same with those texts alone that occur, in their order."""
    there = np.bincount(places[places >= 0], minlength=len(texts)) > 0
    return np.append(np.cumsum(there) - 1, -1)[places], texts[there]


def places_of(values: pd.Series[str], known: Sequence[str]) -> Ints:
    """The place of each value among some known texts, all different; -1 where it is none of them."""
    codes, texts = coded(values)
    place = pd.Index(np.array(known, dtype=object)).get_indexer(pd.Index(texts))
    return np.asarray(np.append(place, -1)[codes], dtype=np.int64)


def one_of(values: pd.Series[str], *words: str) -> Flags:
    """Whether each value is one of some words."""
    codes, texts = coded(values)
    return np.append(pd.Index(texts, dtype=object).isin(words), False)[codes]


def numbers(values: pd.Series[Any]) -> Floats:
    """A column of numbers as floats, NaN where it is empty."""
    if isinstance(values.dtype, np.dtype) and values.dtype != object:
        return np.asarray(values.to_numpy(dtype=np.float64))
    return np.asarray(values.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan))


def pair_places(first: pd.Series[str], second: pd.Series[str], known: Sequence[tuple[str, str]]) -> Ints:
    """The place of each pair of values among some known pairs, all different.

    Raises:
        KeyError: a pair is none of them.
    """
    place = {pair: i for i, pair in enumerate(known)}
    (a, texts_a), (b, texts_b) = coded(first), coded(second)
    pairs, whose = np.unique(a * len(texts_b) + b, return_inverse=True)
    found = [place[texts_a[pair // len(texts_b)], texts_b[pair % len(texts_b)]] for pair in pairs.tolist()]
    return np.array(found, dtype=np.int64)[whose]
