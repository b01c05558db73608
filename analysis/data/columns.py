"""Columns of a table as arrays: texts as whole numbers, numbers as floats.

Comparing texts row by row is what analysing a large study would cost most. Each column of them is looked at once here,
and not at all where reading has coded it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
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


def categories(places: Ints, texts: Sequence[str] | Texts) -> pd.Categorical:
    """A column of texts that is coded already.

    Args:
        places: shape (N,): of each value among the texts; -1 where it is empty.
        texts: all different.
    """
    words = pd.Index(np.array(texts, dtype=object), dtype=object)
    return pd.Categorical.from_codes(places, words, validate=False)


def frame_of(records: Sequence[Any]) -> pd.DataFrame:
    """Records of one flat dataclass as a table, one row each; without records it has no column."""
    names = [field.name for field in fields(records[0])] if records else []
    return pd.DataFrame({name: [getattr(record, name) for record in records] for name in names})


def distinct(values: pd.Series[str]) -> list[str]:
    """The different texts of a column, sorted."""
    return sorted(used(*coded(values))[1].tolist())


def alphabetical(values: pd.Series[str]) -> tuple[Ints, Texts]:
    """As `coded`, with those texts alone that occur, sorted."""
    places, texts = used(*coded(values))
    order = np.array(sorted(range(len(texts)), key=texts.tolist().__getitem__), dtype=np.int64)
    return np.append(np.argsort(order), -1)[places], texts[order]


def used(places: Ints, texts: Texts) -> tuple[Ints, Texts]:
    """The same with those texts alone that occur, in their order."""
    there = np.bincount(places + 1, minlength=len(texts) + 1)[1:] > 0
    if there.all():
        return places, texts
    return np.append(np.cumsum(there) - 1, -1)[places], texts[there]


def places_of(values: pd.Series[str], known: Sequence[str] | Texts) -> Ints:
    """The place of each value among some known texts, all different; -1 where it is none of them."""
    codes, texts = coded(values)
    place = pd.Index(np.array(known, dtype=object), dtype=object).get_indexer(pd.Index(texts, dtype=object))
    return np.asarray(np.append(place, -1)[codes], dtype=np.int64)


def distinct_pairs(first: pd.Series[str], second: pd.Series[str]) -> list[tuple[str, str]]:
    """The different pairs of texts of two columns, sorted."""
    (a, texts_a), (b, texts_b) = coded(first), coded(second)
    there = np.flatnonzero(np.bincount(a * len(texts_b) + b)).tolist()
    return sorted((texts_a[pair // len(texts_b)], texts_b[pair % len(texts_b)]) for pair in there)


def one_of(values: pd.Series[str], *words: str) -> Flags:
    """Whether each value is one of some words."""
    codes, texts = coded(values)
    return np.append(pd.Index(texts, dtype=object).isin(words), False)[codes]


def numbers(values: pd.Series[Any]) -> Floats:
    """A column of numbers as floats, NaN where it is empty."""
    if isinstance(values.dtype, np.dtype) and values.dtype != object:
        return np.asarray(values.to_numpy(dtype=np.float64))
    if isinstance(values.dtype, pd.Int64Dtype | pd.Float64Dtype):
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    return np.asarray(values.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan))


def pair_places(first: pd.Series[str], second: pd.Series[str], known: Sequence[tuple[str, str]]) -> Ints:
    """The place of each pair of values among some known pairs, all different.

    Raises:
        KeyError: a pair is none of them.
    """
    place = {pair: i for i, pair in enumerate(known)}
    (a, texts_a), (b, texts_b) = coded(first), coded(second)
    pairs = a * len(texts_b) + b
    found = np.zeros(len(texts_a) * len(texts_b), dtype=np.int64)
    for pair in np.flatnonzero(np.bincount(pairs)).tolist():
        found[pair] = place[texts_a[pair // len(texts_b)], texts_b[pair % len(texts_b)]]
    return np.asarray(found[pairs])
