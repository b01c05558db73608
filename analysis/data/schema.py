"""How a table is read, and brought into the types of its columns, which `mlesearch.storage.columns` declares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api import types as dtypes
from pyarrow import parquet

from mlesearch.storage.columns import Column
from mlesearch.types import ConfigError


def read_frame(path: Path) -> pd.DataFrame:
    """A parquet file as a frame, each column in the type that costs least to make and to compare.

    A column of texts becomes one of categories: numbers, with each different text kept once.

    Raises:
        OSError: it can't be read.
        ValueError: it is no parquet file.
    """
    schema = parquet.read_schema(path)
    texts = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    table = parquet.read_table(path, read_dictionary=texts)
    columns = {name: _column(table.column(name)) for name in table.column_names}
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), copy=False)


def _column(column: pa.ChunkedArray) -> pd.Series[Any]:
    """One column; whole numbers with empty ones among them stay whole numbers."""
    if pa.types.is_dictionary(column.type):
        coded = column.unify_dictionaries().combine_chunks()
        place = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        words = pd.Index(np.array(coded.dictionary.to_numpy(zero_copy_only=False), dtype=object), dtype=object)
        return pd.Series(pd.Categorical.from_codes(place, words, validate=False), copy=False)
    if pa.types.is_integer(column.type) and column.null_count:
        numbers = column.fill_null(0).cast(pa.int64()).to_numpy()
        return pd.Series(pd.arrays.IntegerArray(numbers.copy(), column.is_null().to_numpy()), copy=False)
    return pd.Series(column.to_numpy(), copy=False)


def decoded(frame: pd.DataFrame) -> pd.DataFrame:
    """The same with texts in place of categories, equal ones one object; None where there is none."""
    parts: dict[str, Any] = {str(name): frame[name] for name in frame.columns}
    for name, values in parts.items():
        if isinstance(values.dtype, pd.CategoricalDtype):
            words = np.array([*values.cat.categories, None], dtype=object)
            parts[name] = pd.Series(words[values.cat.codes], index=frame.index, dtype=object)
    return pd.DataFrame(parts, index=frame.index, copy=False)


def typed(frame: pd.DataFrame, columns: Mapping[str, Column], table: str) -> pd.DataFrame:
    """The frame with the declared columns in their order and in their types; other columns follow unchanged.

    Args:
        frame: as read.
        columns: those declared for the table.
        table: its name, for errors.

    Raises:
        ConfigError: a column is absent, or holds the wrong kind of value.
    """
    absent = [name for name, column in columns.items() if name not in frame.columns and not column.optional]
    if absent:
        raise ConfigError(
            f"table {table} lacks the column{'' if len(absent) == 1 else 's'} {', '.join(absent)}; "
            "collect the study again with this version of mlesearch"
        )
    parts: dict[str, Any] = {}
    for name, column in columns.items():
        if name in frame.columns:
            parts[name] = _typed_column(frame[name], column, f"{table}.{name}")
    parts |= {str(name): frame[name] for name in frame.columns if name not in columns}
    return pd.DataFrame(parts, index=frame.index, copy=False).reset_index(drop=True)


def _typed_column(values: pd.Series[Any], column: Column, where: str) -> pd.Series[Any]:
    """One column in its type, or a ConfigError that names it."""
    if _as_declared(values, column):
        return values
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    if column.kind == "int" and column.nullable and values.dtype == np.int64:
        return values.astype("Int64")
    empty = values.isna()
    if column.kind == "flag":
        return _typed_flag(values, empty, where)
    if not column.nullable and bool(empty.any()):
        row = int(empty.to_numpy().argmax())
        raise ConfigError(f"{where} is empty in row {row}; this column needs a value ({column.words})")
    if column.kind == "text" and dtypes.infer_dtype(values, skipna=True) in ("string", "empty"):
        return values.astype(object).where(~empty, None) if bool(empty.any()) else values.astype(object)
    if column.kind == "text":
        return values.where(empty, values.astype(str)).astype(object).where(~empty, None)
    try:
        numbers = pd.to_numeric(values).astype("Float64" if column.kind == "int" else "float64")
        return numbers.astype("Int64" if column.nullable else "int64") if column.kind == "int" else numbers
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where} does not hold numbers ({error}); expected: {column.words}") from None


def _as_declared(values: pd.Series[Any], column: Column) -> bool:
    """Whether a column has its type already, as `read_frame` gives it to one that this version wrote."""
    kind = values.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return column.kind == "text" and (column.nullable or not bool((values.cat.codes < 0).any()))
    if column.kind == "int" and column.nullable:
        return bool(kind == pd.Int64Dtype())
    if column.kind == "float":
        return bool(kind == np.float64) and (column.nullable or not bool(values.isna().any()))
    return bool(kind == {"int": np.dtype(np.int64), "flag": np.dtype(np.bool_)}.get(column.kind))


def _typed_flag(values: pd.Series[Any], empty: pd.Series[Any], where: str) -> pd.Series[Any]:
    """A column of true and false; empty means false (an ungraded run has no medal)."""
    filled = values.astype(object).where(~empty, False)
    if not (dtypes.is_bool_dtype(values.dtype) or filled.isin([True, False]).all()):
        raise ConfigError(f"{where} holds something other than true or false")
    return filled.astype(bool)
