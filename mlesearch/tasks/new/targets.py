"""The target: whether the metric fits it, how the answers are written, and what a sample submission holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mlesearch.tasks.metrics import METRICS, Metric
from mlesearch.types import ConfigError

if TYPE_CHECKING:
    import pandas as pd

POSITIVE = ("1", "true", "yes", "y", "t", "positive", "pos")
"""Labels that are taken for class 1, in small letters, where none is named."""
MOST_LEVELS, LEVELS_SHARE = 50, 0.05
"""Numbers with more different values than the larger of these are no classes."""
SHOWN = 4


@dataclass(frozen=True, slots=True)
class TargetPlan:
    """What is predicted.

    Attributes:
        answers: one column a target column, as it is written to train.csv and to the answers.
        labels: class of each row, to be kept in equal shares by a split; None where rows are not of classes.
        classes: name of each class that `labels` numbers.
        binary: target columns that hold 0 or 1 and need both among the rows that are scored.
        values: what the target was in the table, by its name: numbers, or numbers of classes.
        are_classes: whether `values` are classes.
        notes: what it was made into, one sentence each.
    """

    answers: pd.DataFrame
    labels: npt.NDArray[np.intp] | None
    classes: tuple[str, ...]
    binary: tuple[str, ...]
    values: Mapping[str, npt.NDArray[Any]]
    are_classes: bool
    notes: tuple[str, ...] = ()


def plan_target(
    metric: Metric,
    cells: pd.DataFrame,
    numbers: Mapping[str, pd.Series[str] | None],
    positive: str | None = None,
) -> TargetPlan:
    """How a target is predicted under a metric.

    Args:
        metric: the named one.
        cells: the target columns as texts, none of them missing.
        numbers: the same as numbers in Python's writing, by name; None where a column is no numbers.
        positive: label of class 1; None: the one that its name tells.

    Raises:
        ConfigError: the metric does not fit the target, it is constant, or has one class; in one line.
    """
    names = [str(name) for name in cells]
    if len(names) > 1 and not metric.many_targets:
        raise ConfigError(f"--target: {metric.title} takes one target column, not {', '.join(names)}")
    for name in names:
        infinite = cells[name].str.lower().str.fullmatch(r"[+-]?inf(inity)?")
        if infinite.any():
            raise ConfigError(
                f"--target: {name!r} is infinite in {int(infinite.sum()):,} rows; correct them, or leave them empty "
                "and out (--drop-missing)"
            )
        if cells[name].nunique() == 1:
            what = "one class only" if metric.labels or metric.name in ("auc", "log_loss") else "constant"
            raise ConfigError(f"--target: {name!r} is {what}: all {len(cells):,} rows have {_few(cells[name])}")
    if metric.name == "auc":
        return _binary(metric, cells, numbers, positive)
    if positive is not None and not (metric.name == "log_loss" and len(names) == 1 and cells[names[0]].nunique() == 2):
        raise ConfigError(f"--positive: {metric.name} of this target has no class 1; leave it out")
    if metric.name == "log_loss":
        return _log_loss(metric, cells, numbers, positive)
    if metric.labels:
        return _label(metric, cells, names[0], numbers[names[0]])
    return _numbers(metric, cells, numbers)


def _few(cells: pd.Series[str]) -> str:
    values = [repr(value) for value in cells.drop_duplicates().head(SHOWN)]
    more = int(cells.nunique()) - len(values)
    return ", ".join(values) + (f" and {more:,} more" if more else "")


def _no_numbers(cells: pd.Series[str]) -> pd.Series[str]:
    """The cells that are no number."""
    import pandas as pd

    values = pd.to_numeric(cells.str.replace(",", ".", regex=False), errors="coerce")
    finite = pd.Series(np.isfinite(values.to_numpy(dtype=float)), index=cells.index)
    return cells[~finite]


def _fitting(cells: pd.Series[str], numbers: pd.Series[str] | None) -> str:
    """Which metrics fit a column."""
    import pandas as pd

    distinct = int(cells.nunique())
    if numbers is None or distinct == 2:
        found = ["accuracy", "macro_f1", "log_loss"] + (["auc"] if distinct == 2 else [])
    else:
        values = pd.to_numeric(numbers)
        found = ["rmse", "mae"] + (["rmsle"] if bool((values >= 0).all()) else [])
        if _are_levels(values):
            found += ["quadratic_kappa", "accuracy", "macro_f1", "log_loss"]
    return ", ".join(name for name in found if name in METRICS)


def _are_levels(values: pd.Series[Any]) -> bool:
    return bool((values == values.round()).all()) and values.nunique() <= max(MOST_LEVELS, LEVELS_SHARE * len(values))


def _check_classes(metric: Metric, cells: pd.Series[str], numbers: pd.Series[str] | None) -> None:
    import pandas as pd

    if numbers is not None and not _are_levels(pd.to_numeric(numbers)) and cells.nunique() > 2:
        raise ConfigError(
            f"--metric: {metric.name} is for classes, and {cells.name!r} has {cells.nunique():,} different numbers "
            f"({_few(cells)}); for it: {_fitting(cells, numbers)}"
        )


def _codes(cells: pd.Series[str], numbers: pd.Series[str] | None) -> tuple[npt.NDArray[np.intp], list[str]]:
    """The classes of a column, numbered in the order of numbers or of texts, and their names."""
    import pandas as pd

    if numbers is None:
        names, codes = np.unique(cells.to_numpy(dtype=str), return_inverse=True)
        return codes.astype(np.intp), [str(name) for name in names]
    values, codes = np.unique(pd.to_numeric(numbers).to_numpy(dtype=float), return_inverse=True)
    return codes.astype(np.intp), [f"{value:.12g}" for value in values]


def _zero_one(
    metric: Metric, cells: pd.Series[str], numbers: pd.Series[str] | None, positive: str | None
) -> tuple[npt.NDArray[np.intp], str]:
    """A column of two labels as 0 and 1, and a sentence where its labels were others."""
    codes, names = _codes(cells, numbers)
    if len(names) != 2:
        raise ConfigError(
            f"--metric: {metric.name} needs two classes in each target column, and {cells.name!r} has {len(names):,} "
            f"({_few(cells)}); for it: {_fitting(cells, numbers)}"
        )
    if positive is not None and positive not in names:
        raise ConfigError(f"--positive: {positive!r} is no label of {cells.name!r}; it has: {', '.join(names)}")
    if positive is None:
        if names == ["0", "1"]:
            return codes, ""
        positive = next((name for name in names if name.lower() in POSITIVE), names[1])
    one = names.index(positive)
    return (codes == one).astype(np.intp), f"In `{cells.name}`, 1 is {positive!r} and 0 is {names[1 - one]!r}."


def _binary(
    metric: Metric, cells: pd.DataFrame, numbers: Mapping[str, pd.Series[str] | None], positive: str | None
) -> TargetPlan:
    import pandas as pd

    made, notes, classes = dict[str, npt.NDArray[np.intp]](), list[str](), tuple[str, ...]()
    for name in map(str, cells):
        made[name], note = _zero_one(metric, cells[name], numbers[name], positive)
        notes += [note] if note else []
    answers = pd.DataFrame(made)
    names = tuple(made)
    if len(names) == 1:
        labels, classes = answers[names[0]].to_numpy(np.intp), (f"{names[0]} 0", f"{names[0]} 1")
    else:
        labels, classes = _rarest(answers)
    return TargetPlan(answers, labels, classes, names, dict(made), are_classes=True, notes=tuple(notes))


def _rarest(answers: pd.DataFrame) -> tuple[npt.NDArray[np.intp], tuple[str, ...]]:
    """Of each row of several 0/1 columns the rarest 1, so that a split keeps the shares of rare ones; 0: none."""
    order = answers.sum().sort_values(kind="stable").index
    labels = np.zeros(len(answers), dtype=np.intp)
    for place, name in reversed(list(enumerate(order, 1))):
        labels[answers[name].to_numpy() == 1] = place
    return labels, ("none", *(f"{name} 1" for name in order))


def _log_loss(
    metric: Metric, cells: pd.DataFrame, numbers: Mapping[str, pd.Series[str] | None], positive: str | None
) -> TargetPlan:
    """Two classes: one column of probabilities of class 1. More: one column a class."""
    import pandas as pd

    names = [str(name) for name in cells]
    if len(names) > 1:
        return _one_hot(metric, cells, numbers)
    name = names[0]
    _check_classes(metric, cells[name], numbers[name])
    codes, classes = _codes(cells[name], numbers[name])
    if len(classes) == 2:
        return _binary(metric, cells, numbers, positive)
    columns = [" ".join(f"{name}_{label}".split()) for label in classes]
    answers = pd.DataFrame({column: (codes == place).astype(int) for place, column in enumerate(columns)})
    note = f"`{name}` became {len(columns)} columns, one a class: 1 in that of a row's class, 0 in the others."
    return TargetPlan(answers, codes, tuple(classes), (), {name: codes}, are_classes=True, notes=(note,))


def _one_hot(metric: Metric, cells: pd.DataFrame, numbers: Mapping[str, pd.Series[str] | None]) -> TargetPlan:
    """Columns that are given one a class."""
    import pandas as pd

    answers = pd.DataFrame({name: _zero_one(metric, cells[name], numbers[name], None)[0] for name in map(str, cells)})
    wrong = int((answers.sum(axis=1) != 1).sum())
    if wrong:
        raise ConfigError(
            f"--metric: log_loss over several columns is for classes that exclude each other: each row needs a 1 in "
            f"exactly one of them, and {wrong:,} rows have none or several; use auc, or one target"
        )
    codes = answers.to_numpy().argmax(axis=1).astype(np.intp)
    return TargetPlan(answers, codes, tuple(map(str, answers)), (), {"the class": codes}, are_classes=True)


def _label(metric: Metric, cells: pd.DataFrame, name: str, numbers: pd.Series[str] | None) -> TargetPlan:
    import pandas as pd

    _check_classes(metric, cells[name], numbers)
    codes, classes = _codes(cells[name], numbers)
    written = cells[name] if numbers is None else pd.Series([classes[code] for code in codes], index=cells.index)
    return TargetPlan(written.to_frame(name), codes, tuple(classes), (), {name: codes}, are_classes=True)


def _numbers(metric: Metric, cells: pd.DataFrame, numbers: Mapping[str, pd.Series[str] | None]) -> TargetPlan:
    """Columns of numbers; for the kappa, of whole ones."""
    import pandas as pd

    kappa = metric.name == "quadratic_kappa"
    notes = []
    for name in map(str, cells):
        column = numbers[name]
        if column is None:
            raise ConfigError(
                f"--metric: {metric.name} needs numbers, and {name!r} holds others ({_few(_no_numbers(cells[name]))}); "
                f"correct or drop them, or, as it is: {_fitting(cells[name], None)}"
            )
        values = pd.to_numeric(column)
        negative = int((values < 0).sum())
        if metric.name == "rmsle" and negative:
            raise ConfigError(
                f"--metric: rmsle needs a target that is never negative, and {name!r} is in {negative:,} rows; "
                f"for it: {_fitting(cells[name], column)}"
            )
        if kappa and not _are_levels(values):
            raise ConfigError(
                f"--metric: {metric.name} is for a few whole numbers, and {name!r} has {values.nunique():,} different "
                f"values ({_few(cells[name])}); for it: {_fitting(cells[name], column)}"
            )
        if values.nunique() == 2:
            notes.append(f"`{name}` has two values only, and {metric.name} takes them for numbers.")
    answers = pd.DataFrame({name: numbers[name] for name in map(str, cells)})
    found = {str(name): pd.to_numeric(answers[name]).to_numpy(dtype=float) for name in answers}
    if kappa and len(answers.columns) == 1:
        answers[answers.columns[0]] = pd.to_numeric(answers.iloc[:, 0]).astype(int)
        codes, classes = _codes(cells.iloc[:, 0], numbers[str(cells.columns[0])])
        return TargetPlan(answers, codes, tuple(classes), (), found, are_classes=False, notes=tuple(notes))
    return TargetPlan(answers, None, (), (), found, are_classes=False, notes=tuple(notes))


def sample_values(metric: Metric, target: TargetPlan, train: npt.NDArray[np.bool_]) -> dict[str, object]:
    """What a sample submission holds in every row, by target column: the constant that a metric likes best, roughly.

    Args:
        metric: of the task.
        target: planned.
        train: shape (rows,), which rows are training data.
    """
    import pandas as pd

    rows = target.answers[train]
    columns: Sequence[str] = list(map(str, rows))
    if metric.labels:
        counts = rows[columns[0]].value_counts()
        return {columns[0]: min(counts.index[counts == counts.max()])}
    numbers = {name: pd.to_numeric(rows[name]) for name in columns}
    if metric.name == "quadratic_kappa":
        return {name: round(float(values.median())) for name, values in numbers.items()}
    if metric.name == "log_loss" and len(columns) > 1:
        return _adding_to_one({name: float(values.mean()) for name, values in numbers.items()})
    if metric.name == "rmsle":
        return {name: _shortened(float(np.expm1(np.log1p(values).mean()))) for name, values in numbers.items()}
    if metric.name == "mae":
        return {name: _shortened(float(values.median())) for name, values in numbers.items()}
    return {name: _shortened(float(values.mean())) for name, values in numbers.items()}


def _shortened(value: float) -> float:
    return float(f"{value:.6g}")


def _adding_to_one(shares: dict[str, float]) -> dict[str, object]:
    """Shares in hundred-thousandths that add to 1 exactly, as decimals do."""
    units = {name: int(share * 100_000) for name, share in shares.items()}
    largest = max(units, key=lambda name: units[name])
    units[largest] += 100_000 - sum(units.values())
    return {name: unit / 100_000 for name, unit in units.items()}
