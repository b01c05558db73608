"""From a table to the rows of a task: columns by their parts, rows without gaps, ids, columns that tell too much."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mlesearch.tasks.metrics import Metric
from mlesearch.tasks.new import numbers as written
from mlesearch.tasks.new.dates import closest_dates, read_dates
from mlesearch.tasks.new.leaking import TellingColumn, telling_columns
from mlesearch.tasks.new.request import NewTaskRequest
from mlesearch.tasks.new.table import SourceTable
from mlesearch.tasks.new.targets import TargetPlan, plan_target
from mlesearch.tasks.protocol import Validation
from mlesearch.types import ConfigError

if TYPE_CHECKING:
    import pandas as pd

MIN_ROWS = 50
"""A table with fewer usable rows is refused: what is left for the test would tell nothing."""
SHOWN = 3


@dataclass(slots=True)
class TaskRows:
    """The rows of a task, not split yet.

    Attributes:
        features: texts, one column a feature; numbers as Python writes them.
        numbers: the same of each feature that is numbers; None where it is not.
        target: planned.
        groups: group of each row from 0; None without --group.
        times: of each row; None without --time.
        ids: of each row; None: new ones are made.
        texts: features that were declared free text.
        notes: what was done, one sentence each.
        issues: what a reader of results should know, one sentence each.
    """

    features: pd.DataFrame
    numbers: Mapping[str, pd.Series[str] | None]
    target: TargetPlan
    groups: npt.NDArray[np.intp] | None
    times: npt.NDArray[np.float64] | None
    ids: pd.Series[str] | None
    texts: Sequence[str]
    notes: list[str] = field(default_factory=list)
    issues: list[str] = field(default_factory=list)


def chosen_rows(request: NewTaskRequest, metric: Metric, table: SourceTable) -> TaskRows:
    """The rows and columns of a table that become a task.

    Raises:
        ConfigError: they make none; in one line that says why, where, and what to do.
    """
    named = request.columns(list(map(str, table.frame)))
    notes = list(table.notes)
    frame = table.frame.drop(columns=named["drop"])
    if named["drop"]:
        notes.append(f"Left out, as asked for: {', '.join(named['drop'])}.")
    plain = _plain_columns(request, table, frame, set(named["text"]), notes)
    frame = _without_gaps(request, frame, plain, named, notes)
    plain = {name: None if column is None else column.loc[frame.index] for name, column in plain.items()}
    if request.drop_duplicates:
        repeated = frame.duplicated()
        notes.append(f"{int(repeated.sum()):,} rows that repeat an earlier one were left out.")
        frame = frame[~repeated]
    _check_number(frame, request)
    frame, target = _planned(request, metric, frame, plain, named["target"], notes)
    plain = {name: None if column is None else column.loc[frame.index] for name, column in plain.items()}
    ids, id_column = _ids(named["id"], frame, plain, notes)
    groups = _groups(frame, named["group"])
    times = _times(frame, plain, named["time"], notes)
    features = frame.drop(columns=[*named["target"], *([id_column] if id_column else [])])
    rows = TaskRows(features, plain, target, groups, times, ids, named["text"], notes)
    _check_telling(request, rows, id_column, named)
    for name in map(str, features):
        column = plain[name]
        if column is not None:
            features[name] = column
    _check_features(features, target)
    return rows


def _plain_columns(
    request: NewTaskRequest, table: SourceTable, frame: pd.DataFrame, texts: set[str], notes: list[str]
) -> dict[str, pd.Series[str] | None]:
    """Each column as numbers, where it is numbers and was not declared free text."""
    names = [str(name) for name in frame if name not in texts]
    if request.decimal is None:
        mark = written.decimal_mark([written.told(frame[name]) for name in names], table.delimiter)
    else:
        mark = written.check_mark(request.decimal)
    plain = {name: written.plain_numbers(frame[name], mark) for name in names}
    rewritten = [
        name
        for name, column in plain.items()
        if column is not None and bool(((column != frame[name]) & (column != "")).any())
    ]
    if rewritten:
        how = "decimal commas" if mark == "," else "decimal points, and commas between groups of digits"
        notes.append(f"Numbers were read with {how}, and are written with points: {_some(rewritten)}.")
    return {**plain, **dict.fromkeys(texts)}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _without_gaps(
    request: NewTaskRequest,
    frame: pd.DataFrame,
    plain: Mapping[str, pd.Series[str] | None],
    named: Mapping[str, list[str]],
    notes: list[str],
) -> pd.DataFrame:
    """The rows that have a target, a group and a time."""
    gaps = np.zeros(len(frame), dtype=bool)
    for option in ("target", "group", "time"):
        for name in named[option]:
            column = plain[name]
            missing = written.is_nothing(frame[name]) | ((column == "") if column is not None else False)
            if missing.all():
                raise ConfigError(f"--{option}: {name!r} is empty in every row")
            if missing.any() and not request.drop_missing:
                raise ConfigError(
                    f"--{option}: {int(missing.sum()):,} of {len(frame):,} rows have no {name!r}, the first in line "
                    f"{int(missing.to_numpy().argmax()) + 2}; leave these rows out with --drop-missing"
                )
            gaps |= missing.to_numpy()
    if gaps.any():
        notes.append(f"{int(gaps.sum()):,} rows without target, group or time were left out.")
    return frame[~gaps]


def _check_number(frame: pd.DataFrame, request: NewTaskRequest) -> None:
    if len(frame) < MIN_ROWS:
        raise ConfigError(
            f"--from: {request.table} has {len(frame)} usable rows; at least {MIN_ROWS} are needed, so that there is "
            "something to learn from and to score on"
        )


def _planned(
    request: NewTaskRequest,
    metric: Metric,
    frame: pd.DataFrame,
    plain: Mapping[str, pd.Series[str] | None],
    targets: list[str],
    notes: list[str],
) -> tuple[pd.DataFrame, TargetPlan]:
    """The target, and the rows that are left once classes that are too rare are gone."""
    made = plan_target(metric, frame[targets], _at(plain, targets, frame.index), request.positive)
    if not made.are_classes or made.labels is None or request.group or request.time or len(made.binary) > 1:
        return frame, made
    needed = 3 if request.validation is Validation.HARNESS else 2
    counts = np.bincount(made.labels, minlength=len(made.classes))
    rare = np.flatnonzero(counts < needed)
    if not rare.size:
        return frame, made
    kept = ~np.isin(made.labels, rare)
    lost = int((~kept).sum())
    names = [made.classes[label] for label in rare]
    if not request.drop_rare:
        raise ConfigError(
            f"--target: {len(rare)} of {len(counts)} classes are too rare to be split, with fewer than {needed} rows: "
            f"{_some(names)}; merge them, or leave their rows ({lost}) out with --drop-rare"
        )
    notes.append(f"Rows of classes with fewer than {needed} of them were left out ({lost:,}): {_some(names)}.")
    frame = frame[kept]
    _check_number(frame, request)
    return frame, plan_target(metric, frame[targets], _at(plain, targets, frame.index), request.positive)


def _at(
    plain: Mapping[str, pd.Series[str] | None], names: list[str], index: pd.Index[Any]
) -> dict[str, pd.Series[str] | None]:
    return {name: None if (column := plain[name]) is None else column.loc[index] for name in names}


def _ids(
    given: list[str], frame: pd.DataFrame, plain: Mapping[str, pd.Series[str] | None], notes: list[str]
) -> tuple[pd.Series[str] | None, str | None]:
    """The ids and the column that they come from; without such a column, none."""
    import pandas as pd

    name = given[0] if given else next((str(name) for name in frame if str(name).casefold() == "id"), None)
    if name is None:
        return None, None
    cells, numbers = frame[name], plain[name]
    ids = cells if numbers is None else pd.to_numeric(numbers)
    fault = ""
    if written.is_nothing(cells).any():
        fault = f"is missing in {int(written.is_nothing(cells).sum()):,} rows"
    elif ids.duplicated().any():
        fault = f"has values that occur more than once, such as {cells[ids.duplicated()].iloc[0]!r}"
    if fault and given:
        raise ConfigError(f"--id: {name!r} {fault}; name a column of unique keys, or leave --id out for new ones")
    if fault:
        return None, None
    if not given:
        notes.append(f"`{name}` was taken for the ids, as it differs in every row.")
    return cells, name


def _groups(frame: pd.DataFrame, named: list[str]) -> npt.NDArray[np.intp] | None:
    import pandas as pd

    return pd.factorize(frame[named[0]])[0].astype(np.intp) if named else None


def _times(
    frame: pd.DataFrame, plain: Mapping[str, pd.Series[str] | None], named: list[str], notes: list[str]
) -> npt.NDArray[np.float64] | None:
    """The times of rows as numbers, in whatever unit."""
    import pandas as pd

    if not named:
        return None
    (name,) = named
    column = plain[name]
    if column is not None:
        return np.asarray(pd.to_numeric(column), dtype=np.float64)
    read = read_dates(frame[name])
    if read is None:
        closest = closest_dates(frame[name])
        unread = frame[name] if closest is None else frame[name][closest.times.isna()]
        taken = "a number or a date" if closest is None else f"a date as {closest.words}"
        raise ConfigError(
            f"--time: {len(unread):,} of {len(frame):,} cells of {name!r} can't be read as {taken}, such as "
            f"{', '.join(map(repr, unread.head(SHOWN)))}; write them as YYYY-MM-DD, or as numbers"
        )
    if read.also:
        raise ConfigError(
            f"--time: {name!r} can be read as {read.words} and as {read.also}; write it as YYYY-MM-DD, so that the "
            "order is certain"
        )
    notes.append(f"`{name}` was read as {read.words}.")
    return np.asarray(read.times.astype("int64"), dtype=np.float64)


def _check_features(features: pd.DataFrame, target: TargetPlan) -> None:
    """Refuse features that tell nothing, and target columns whose names are not their own."""
    if not any(features[name].nunique() > 1 for name in features):
        raise ConfigError("--target: no column is left that could tell it: the others are empty or hold one value only")
    names = list(map(str, target.answers))
    taken = [name for name in names if name in features or names.count(name) > 1]
    if taken:
        raise ConfigError(
            f"--target: its classes become columns, of which one would be called {taken[0]!r}, as another column is; "
            "rename that column or that class in the table, or leave it out with --drop"
        )


def _check_telling(
    request: NewTaskRequest, rows: TaskRows, id_column: str | None, named: Mapping[str, list[str]]
) -> None:
    """Refuse columns that tell the target, the ids among them, but for those that were asked to stay."""
    looked_at = rows.features.drop(columns=named["group"])
    if id_column is not None and rows.ids is not None:
        looked_at = looked_at.assign(**{id_column: rows.ids})
    found = telling_columns(
        looked_at,
        rows.numbers,
        rows.target.values,
        classes=rows.target.are_classes,
        half=_half(rows, request.seed),
        seed=request.seed,
        ids=id_column,
    )
    certain = [each for each in found if each.certain and each.column not in named["keep"]]
    if certain:
        raise ConfigError(_refusal(certain, id_column, len(certain)))
    for each in found:
        text = f"`{each.column}` by itself takes away {each.share:.1%} of the error of a constant for `{each.target}`."
        rows.notes.append(f"{text} If it is not known when a prediction is made: --drop {shlex.quote(each.column)}.")
        rows.issues.append(text)


def _refusal(certain: Sequence[TellingColumn], id_column: str | None, number: int) -> str:
    first = certain[0]
    what = "the ids tell" if first.column == id_column else "it tells"
    drops = " ".join(f"--drop {shlex.quote(each.column)}" for each in certain[:SHOWN])
    others = f", and {number - 1} other columns do so too" if number > 1 else ""
    instead = "; new ids are then made" if any(each.column == id_column for each in certain) else ""
    return (
        f"column {first.column!r} predicts the target {first.target!r} by itself: {what} {first.share:.1%} of what a "
        f"constant gets wrong, in rows that were not looked at{others}; leave it out with {drops}{instead}, or, if it "
        f"is known when a prediction is made, let it stay with --keep {shlex.quote(first.column)}"
    )


def _half(rows: TaskRows, seed: int) -> npt.NDArray[np.bool_]:
    """One half of the rows: whole groups, the earlier ones, or any."""
    rng = np.random.default_rng([seed, 1])
    if rows.times is not None:
        return np.asarray(rows.times < np.median(rows.times), dtype=np.bool_)
    number = len(rows.features) if rows.groups is None else int(rows.groups.max()) + 1
    half = rng.permutation(number) % 2 == 0
    return half if rows.groups is None else np.asarray(half[rows.groups], dtype=np.bool_)
