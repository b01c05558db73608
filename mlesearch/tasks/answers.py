"""The answers of a task, or the rows that are asked for where there are none: what a submission is aligned with."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlesearch.tasks import metrics
from mlesearch.tasks.protocol import Task, Validation
from mlesearch.types import ConfigError

if TYPE_CHECKING:
    import pandas as pd

SHOWN, SHOWN_CHARS = 3, 80
"""How many ids or columns a message names, and how much of each: what it shows was written by a program."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of a task, read once a process.

    Attributes:
        validation: rows of private/validation.csv; None where the program reports its own score.
        test: rows of private/test.csv.
        ids: the id columns of both together, validation first.
        texts: columns (id or target) that hold texts, and are read as texts from a submission too.
        numbers: those that hold numbers, and must be finite numbers in a submission too.
        may_be_empty: target columns with empty cells among the answers, which only a grade.py can score; a submission
            may have empty cells there too.
    """

    validation: pd.DataFrame | None
    test: pd.DataFrame
    ids: pd.Index[Any]
    texts: frozenset[str]
    numbers: frozenset[str]
    may_be_empty: frozenset[str] = frozenset()


def parse(data: bytes, texts: frozenset[str] = frozenset()) -> pd.DataFrame:
    """A CSV as a frame: only the empty cell is missing, so that "NA" and "None" stay labels.

    Raises:
        ValueError: not a well-formed CSV (the parser's errors are ValueErrors).
    """
    import pandas as pd

    dtype: Any = dict.fromkeys(sorted(texts), str)
    return pd.read_csv(
        BytesIO(data), dtype=dtype, keep_default_na=False, na_values=[""], encoding="utf-8-sig", low_memory=False
    )


def _read_answers(path: Path, task: Task, texts: frozenset[str] = frozenset()) -> pd.DataFrame:
    try:
        frame = parse(path.read_bytes(), texts)
    except ValueError as error:
        raise ConfigError(f"{path}: not a readable CSV: {error}") from error
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise ConfigError(f"{path}: {error.strerror}, so nothing can be graded; put it back, then run again") from None
    if task.id_column not in frame.columns:
        raise ConfigError(f"{path}: no column {task.id_column!r}, the id_column; found {some(list(frame.columns))}")
    return frame.astype(dict.fromkeys(sorted(texts), object))


@functools.lru_cache(maxsize=128)
def answers(task: Task) -> Answers:
    """The answers of a task; cached in this process by the task, whose version changes with its files.

    Of an ungraded task, the rows of the sample submission stand in the place of the test answers.

    Raises:
        ConfigError: the answers cannot be read, an id occurs twice, or a target is missing.
    """
    import pandas as pd

    paths = _paths(task)
    frames = _read_all(task, paths)
    columns = [c for c in (task.id_column, *task.target_columns) if all(c in frame.columns for frame in frames)]

    def is_number(column: str) -> bool:
        told = [frame[column] for frame in frames if frame[column].notna().any()]
        numeric = bool(told) and all(pd.api.types.is_numeric_dtype(values) for values in told)
        return numeric and (column == task.id_column or _asks_numbers(task, told))

    texts = frozenset(c for c in columns if not is_number(c))
    if texts:
        frames = _read_all(task, paths, texts)
    empty = set[str]()
    for path, frame in zip(paths, frames, strict=True):
        is_sample = path == _sample(task)
        for column in columns:
            if not frame[column].isna().any():
                continue
            if column == task.id_column or (task.grader is None and not is_sample):
                raise ConfigError(
                    f"{path}: column {column!r} has missing values; every answer must be there"
                    + ("" if column == task.id_column else ", unless a grade.py says what an empty one means")
                )
            if not (is_sample and frame[column].isna().all()):  # a sample without any value is a form to fill in
                empty.add(column)
    ids = pd.Index(pd.concat([frame[task.id_column] for frame in frames]))
    if not ids.is_unique:
        twice = ids[ids.duplicated()].tolist()
        place = task.private_dir if task.ungraded is None else _sample(task)
        raise ConfigError(f"{place}: {task.id_column} must be unique, but some occur twice: {some(twice)}")
    validation = frames[0] if len(frames) == 2 else None
    return Answers(validation, frames[-1], ids, texts, frozenset(columns) - texts, frozenset(empty))


def _sample(task: Task) -> Path:
    return task.public_dir / task.sample


def _paths(task: Task) -> list[Path]:
    """The files that hold the rows to predict with what is known of them, validation first."""
    names = ("validation",) if task.validation is Validation.HARNESS else ()
    test = task.private_dir / "test.csv" if task.ungraded is None else _sample(task)
    return [*(task.private_dir / f"{name}.csv" for name in names), test]


def _read_all(task: Task, paths: Sequence[Path], texts: frozenset[str] = frozenset()) -> list[pd.DataFrame]:
    """The frames of these files; a sample submission has the validation rows too, which are left out of it."""
    frames = [_read_answers(path, task, texts) for path in paths]
    if task.ungraded is not None and len(frames) == 2:
        sample = frames[1]
        frames[1] = sample[~sample[task.id_column].isin(frames[0][task.id_column])].reset_index(drop=True)
    return frames


def _asks_numbers(task: Task, told: Sequence[pd.Series[Any]]) -> bool:
    """Whether a target whose known values are numbers must be predicted by numbers.

    Of answers it must. The numbers of a sample submission may stand in the place of labels, so there it depends on the
    metric; of one that we do not know, whole numbers tell nothing.
    """
    if task.ungraded is None or task.validation is Validation.HARNESS:
        return True
    if task.metric in metrics.METRICS:
        return not metrics.METRICS[task.metric].labels
    return any(values.dtype.kind == "f" for values in told)


def some(values: Sequence[object]) -> str:
    """The first few values in words, and how many more there are."""
    shown = ", ".join(repr(v[:SHOWN_CHARS]) if isinstance(v, str) else shown_value(v) for v in values[:SHOWN])
    return shown + (f" and {len(values) - SHOWN:,} more" if len(values) > SHOWN else "") if values else "none"


def shown_value(value: object) -> str:
    """A cell in a message; a whole number can have more digits than Python turns into text."""
    if isinstance(value, int) and value.bit_length() > 512:
        return f"a whole number of {value.bit_length()} bits"
    return (repr(float(value)) if isinstance(value, float) else str(value))[:SHOWN_CHARS]
