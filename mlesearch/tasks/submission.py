"""Reads a submission, which a hostile or careless program wrote, and answers: aligned, or the problem in words."""

from __future__ import annotations

import csv
import math
import os
import stat
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlesearch.tasks.answers import SHOWN_CHARS, Answers, answers, parse, shown_value, some
from mlesearch.tasks.protocol import Task

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = (";", "\t", "|", " ")
"""What other programs put between the cells of a row; a submission has commas."""

WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
"""What UTF-16 and UTF-32 begin with."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What reading a submission gave.

    Attributes:
        frame: id and target columns, one row an expected id, in the order of the answers; None where it was refused.
        problem: what was wrong and what was expected; empty where there is a frame.
    """

    frame: pd.DataFrame | None
    problem: str = ""


def open_regular(path: Path, limit_bytes: int) -> int | str:
    """A descriptor of a regular file that is not too large, or the problem: never follows a link, never waits."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return f"{path.name} does not exist; expected a CSV file"
    except OSError as error:
        if path.is_symlink():
            return f"{path.name} is a symbolic link; expected a regular file"
        return f"{path.name} cannot be opened ({error.strerror}); expected a regular file"
    mode, size = (status := os.fstat(handle)).st_mode, status.st_size
    if stat.S_ISREG(mode) and size <= limit_bytes:
        return handle
    os.close(handle)
    if stat.S_ISREG(mode):
        return _too_large(path, size, limit_bytes)
    kind = "a directory" if stat.S_ISDIR(mode) else "a device, pipe or socket"
    return f"{path.name} is {kind}; expected a regular file"


def _too_large(path: Path, size: int, limit_bytes: int) -> str:
    return f"{path.name} has {size:,} bytes; at most {limit_bytes:,} are allowed"


def read_bytes(path: Path, limit_bytes: int) -> bytes | str:
    """The content of a regular file, or the problem: never follows a link, never waits, never reads past the limit."""
    opened = open_regular(path, limit_bytes)
    if isinstance(opened, str):
        return opened
    with os.fdopen(opened, "rb") as file:
        data = file.read(limit_bytes + 1)
    return _too_large(path, len(data), limit_bytes) if len(data) > limit_bytes else data


def _header_problem(data: bytes, task: Task) -> str:
    """What is wrong with the columns, seen before the whole file is parsed: a hostile header can have millions.

    The first row is looked at as well: the parser tells of any later one that has more cells than the header, but
    takes those of the first for an index.
    """
    rows = (row for row in csv.reader(TextIOWrapper(BytesIO(data), encoding="utf-8-sig", newline="")) if row)
    expected = _columns(task)
    try:
        found = next(rows, [])
        try:
            first = next(rows, [])
        except csv.Error:  # a cell longer than this reader takes, which the parser reads
            first = []
    except csv.Error as error:
        return f"the first lines are no CSV ({error}); expected the columns {','.join(expected)}"
    if sorted(found) == sorted(expected):
        too_many = len(first) > len(expected)
        return f"the first row has {len(first)} cells; expected {len(expected)}, as the header has" if too_many else ""
    parts = {
        "missing": [column for column in expected if column not in found],
        "not expected": [column for column in found if column not in expected],
        "more than once": [column for column in expected if found.count(column) > 1],
    }
    wrong = "; ".join(f"{what}: {some(names)}" for what, names in parts.items() if names)
    hint = " (write the file without its index)" if "" in found else ""
    other = next((mark for mark in SEPARATORS if sorted(",".join(found).split(mark)) == sorted(expected)), None)
    hint = hint if other is None else f" (separate cells by commas, not by {other!r})"
    return f"wrong columns, {wrong}{hint}; expected exactly: {','.join(expected)}"


def _size_problem(data: bytes, task: Task, truth: Answers) -> str:
    """Whether there are far more lines than rows can be, or cells in the first two lines than columns can be.

    Parsing them would only fill the memory. Texts may have line ends and commas of their own.
    """
    lines, rows = max(data.count(b"\n"), data.count(b"\r")), len(truth.ids)
    if lines > (100 * rows + 100_000 if truth.texts else 4 * rows + 1_000):
        return f"there are {lines:,} lines; expected one row for each of the {rows:,} values of {task.id_column}"
    end = b"\n" if b"\n" in data else b"\r"
    first = data.find(end)
    second = data.find(end, first + 1) if first >= 0 else -1
    cells = max(
        data.count(b",", 0, first if first >= 0 else None), data.count(b",", 0, second if second >= 0 else None)
    )
    if cells > 10 * len(_columns(task)) + (1_000_000 if truth.texts else 1_000):
        return f"the first lines have {cells:,} commas; expected the columns {','.join(_columns(task))}"
    return ""


def _columns(task: Task) -> list[str]:
    return [task.id_column, *task.target_columns]


def _numbers(values: pd.Series[Any]) -> pd.Series[Any]:
    """A column as floats: NaN where a cell is empty or no number, infinite where it is too large for a float."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(values):
        return values.astype(float)
    try:
        return pd.to_numeric(values, errors="coerce").astype(float)
    except (OverflowError, ValueError, TypeError):  # whole numbers of any length, read as such
        return values.map(_number).astype(float)


def _number(cell: object) -> float:
    try:
        return float(cell) if isinstance(cell, int | float) else math.nan
    except OverflowError:
        return math.inf


def _value_problem(frame: pd.DataFrame, column: str, truth: Answers, task: Task) -> str:
    """What is wrong with a target column of the expected rows; its numbers are made floats if need be."""
    import pandas as pd

    values, number = frame[column], column in truth.numbers
    if number:
        numbers = _numbers(values)
        bad, wanted = ~pd.Series(np.isfinite(numbers.to_numpy()), index=frame.index), "a finite number"
    else:
        bad, wanted = values.isna(), "a value"
    if column in truth.may_be_empty:
        bad &= values.notna()
    if not bad.any():
        if number and not pd.api.types.is_numeric_dtype(values):
            frame[column] = numbers
        return ""
    first = int(bad.to_numpy().argmax())
    value, key = frame[column].iloc[first], frame[task.id_column].iloc[first]
    shown = "missing" if pd.isna(value) else repr(shown_value(value))
    return (
        f"column {column!r} must hold {wanted} in every row, but {int(bad.sum()):,} do not; the first is {shown}, "
        f"for {task.id_column} {shown_value(key)}"
    )


def read(path: Path, task: Task, *, only_test: bool = False) -> Submission:
    """A submission, aligned with the answers, or what is wrong with it. Row and column order do not matter.

    Args:
        path: the file that a program left; not followed where it is a link.
        task: whose ids and columns are expected.
        only_test: expect the test rows only; rows of the validation split may be there and are left out.

    Raises:
        ConfigError: the task's own answers are unusable.
    """
    import pandas as pd

    data = read_bytes(path, task.max_submission_bytes)
    if isinstance(data, str):
        return Submission(None, data)
    truth = answers(task)
    header = f"expected the columns {','.join(_columns(task))}"
    if not data.strip():
        return Submission(None, f"{path.name} is empty; {header}")
    if data.startswith(WIDE_MARKS):
        return Submission(None, f"{path.name} is UTF-16 or UTF-32; {header} as a UTF-8 CSV")
    if b"\0" in data:
        return Submission(None, f"{path.name} holds NUL bytes, so it is no text; {header} as a UTF-8 CSV")
    try:
        if problem := _size_problem(data, task, truth) or _header_problem(data, task):
            return Submission(None, problem)
        frame = parse(data, truth.texts)
        if not isinstance(frame.index, pd.RangeIndex):  # of rows longer than the header, the parser makes an index
            return Submission(None, f"the first row has more cells than the header; {header}, as many in each row")
    except UnicodeDecodeError:
        return Submission(None, f"{path.name} is not UTF-8 text; {header} as a UTF-8 CSV")
    except (ValueError, OverflowError, RecursionError) as error:
        reason = " ".join(str(error).split())[: 2 * SHOWN_CHARS]
        return Submission(None, f"{path.name} is no well-formed CSV ({reason}); {header}")
    return _align(frame, task, truth, only_test)


def _align(frame: pd.DataFrame, task: Task, truth: Answers, only_test: bool) -> Submission:
    import pandas as pd

    name = task.id_column
    ids = frame[name]
    if ids.isna().any():
        return Submission(None, f"{int(ids.isna().sum()):,} rows have no {name}; expected one row for each {name}")
    if name in truth.numbers and not pd.api.types.is_numeric_dtype(ids):
        words = ids[_numbers(ids).isna()].tolist()
        if words:
            return Submission(
                None,
                f"{len(words):,} values of {name} are no numbers: {some(words)}; expected those of {task.sample}",
            )
    if ids.duplicated().any():
        twice = ids[ids.duplicated()].unique().tolist()
        return Submission(None, f"{len(twice):,} values of {name} occur more than once: {some(twice)}; expected once")
    place = truth.ids.get_indexer(pd.Index(ids))
    if (place < 0).any():
        unknown = ids[place < 0].tolist()
        example = some(truth.ids[:1].tolist())
        like = f"{name} takes the {len(truth.ids):,} values of {task.sample}, such as {example}"
        return Submission(None, f"{len(unknown):,} values of {name} are unknown: {some(unknown)}; {like}")
    if task.positional and (back := np.diff(place) < 0).any():
        key = shown_value(ids.iloc[int(back.argmax()) + 1])
        where = f"the rows must stand in the order of {task.sample}, but {name} {key} comes too late"
        return Submission(None, f"{where}: the official grader of this task compares rows by position")
    row_of = np.full(len(truth.ids), -1)
    row_of[place] = np.arange(len(frame))
    start = len(truth.ids) - len(truth.test) if only_test else 0
    expected = row_of[start:]
    if (expected < 0).any():
        missing = truth.ids[start:][expected < 0].tolist()
        where = "the test rows" if only_test else f"all rows of {task.sample}"
        return Submission(None, f"{len(missing):,} values of {name} are missing: {some(missing)}; expected {where}")
    aligned = frame[_columns(task)].iloc[expected].reset_index(drop=True)
    for column in task.target_columns:
        if problem := _value_problem(aligned, column, truth, task):
            return Submission(None, problem)
    return Submission(aligned)


def split(frame: pd.DataFrame, task: Task) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The validation rows (none for a task that reports its own) and the test rows of a whole aligned submission."""
    at = len(frame) - len(answers(task).test)
    return frame.iloc[:at].reset_index(drop=True), frame.iloc[at:].reset_index(drop=True)
