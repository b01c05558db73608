"""A sample of a task's labelled rows, as a public folder of its own: what a program's trial run sees as `input/`.

The labelled rows are those of the CSV files in the public folder that have the target columns, but for templates of a
submission, whose ids are those of the sample submission. Where no file has the targets, they are those of `train.csv`,
whose labels then stand under other names or in other files. All other files stay as they are, so that a program still
predicts every row that it is asked for. The sample is the same whenever it is drawn: for all programs, strategies and
seeds of a study.

One rule draws it. Rows are walked through in a fixed random order; a row is taken while its class has too few. Where
rows belong together in groups, whole groups are walked through, and one is taken while any class of its rows has too
few.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlesearch.tasks.folder import header
from mlesearch.tasks.protocol import Task
from mlesearch.tasks.public_copy import copy_public
from mlesearch.types import ConfigError

if TYPE_CHECKING:
    import pandas as pd

RULE_VERSION = 1
"""Changes whenever the same task and rule would give another sample: it is in identities and in keys of executions."""

MOST_CLASSES, ROWS_PER_CLASS = 100, 10
"""Labels are classes where there are at most so many of them, and at least so many rows for each on average."""

LEAST_OF_A_CLASS = 5
"""Of every class at least so many rows are taken, or all that there are: enough for the usual five folds."""

CHECKED_BYTES = 64 * 2**20
"""The rows of a larger file are not looked at before a launch, only when its sample is written."""

TRAIN = "train.csv"
_SEED = 20_260_101
_CHUNK_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class SampleRule:
    """How large a sample is: of n labelled rows the larger of `share` · n and `rows`; classes and groups may add some.

    Attributes:
        share: of the labelled rows, above 0 and below 1.
        rows: at least so many.
    """

    share: float
    rows: int

    def size(self, rows: int) -> int:
        """How many of so many labelled rows are drawn, at least."""
        return min(rows, max(self.rows, math.ceil(self.share * rows - 1e-9)))


def draw(
    labels: npt.NDArray[np.intp], groups: npt.NDArray[np.intp] | None, rule: SampleRule, *, classes: bool
) -> npt.NDArray[np.bool_]:
    """Which rows are in the sample.

    Args:
        labels: shape (rows,); numbers from 0 of each row's label.
        groups: shape (rows,); numbers from 0 of each row's group. None: each row is one.
        rule: the size.
        classes: whether the labels are classes, each of which keeps its share; else all rows are alike.

    Returns:
        Shape (rows,).
    """
    n = len(labels)
    wanted = rule.size(n)
    if not classes:
        labels = np.zeros(n, dtype=np.intp)
    sizes = np.bincount(labels)
    least = LEAST_OF_A_CLASS if classes else 0
    lacking = [min(int(s), max(least, -(-wanted * int(s) // n))) for s in sizes]
    random = np.random.default_rng(_SEED)
    if groups is None:
        order = random.permutation(n)
        first = [order[labels[order] == label][:count] for label, count in enumerate(lacking)]
        return _mask(n, first)
    members = _members(groups)
    taken = []
    for group in random.permutation(len(members)):
        own = labels[members[group]].tolist()
        if any(lacking[label] > 0 for label in own):
            taken.append(members[group])
            for label in own:
                lacking[label] -= 1
            if max(lacking) <= 0:
                break
    return _mask(n, taken)


def _members(groups: npt.NDArray[np.intp]) -> Sequence[npt.NDArray[np.intp]]:
    """The rows of each group, in order."""
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def _mask(n: int, taken: Sequence[npt.NDArray[np.intp]]) -> npt.NDArray[np.bool_]:
    kept = np.zeros(n, dtype=np.bool_)
    for rows in taken:
        kept[rows] = True
    return kept


def check_sample(task: Task, rule: SampleRule) -> None:
    """Refuse a task of which no sample can be drawn.

    Raises:
        ConfigError: it has no CSV file of labelled rows, no such file has its groups, one can't be read, or its sample
            would be all of it.
    """
    for path in labelled(task):
        if path.stat().st_size <= CHECKED_BYTES:
            _kept(task, path, rule)


def labelled(task: Task) -> list[Path]:
    """The CSV files of the public folder that hold labelled rows, by name.

    Raises:
        ConfigError: there is none; or none of them has the column of groups that the task declares.
    """
    tables = [path for path in sorted(task.public_dir.glob("*.csv")) if path.name != task.sample]
    found = [p for p in tables if set(task.target_columns) <= set(header(p)) and not _is_template(task, p)]
    if not found:
        found = [p for p in tables if p.name == TRAIN]
    if not found:
        raise ConfigError(
            f"run.trial: {task.id!r} has no CSV file of labelled rows (with the columns "
            f"{', '.join(task.target_columns)}, or {TRAIN}), so no sample can be drawn; set run.trial.share=0"
        )
    if task.group_column is not None and not any(task.group_column in header(p) for p in found):
        raise ConfigError(
            f"run.trial: {task.id!r} declares group_column {task.group_column!r}, which is not in "
            f"{', '.join(p.name for p in found)}; name a column of the labelled rows, or set run.trial.share=0"
        )
    return found


def write_sample(task: Task, rule: SampleRule, public: Path) -> None:
    """Write the public folder of the sample.

    Args:
        task: it passed `check_sample`.
        rule: of the sample.
        public: does not exist yet.

    Raises:
        ConfigError: a file can't be read, or its sample would be all of it.
    """
    kept = {path: _kept(task, path, rule) for path in labelled(task)}
    copy_public(task.public_dir, public, {path.name for path in kept})
    for path, rows in kept.items():
        _write_rows(path, public / path.name, rows)


def _is_template(task: Task, path: Path) -> bool:
    """Whether a file with target columns is one more sample submission."""
    columns = header(path)
    if task.id_column not in columns:
        return False
    asked, at = (
        set(_read(task.public_dir / task.sample, [task.id_column])[task.id_column]),
        columns.index(task.id_column),
    )
    with path.open(encoding="utf-8-sig", newline="") as file:
        ids = (row[at] for row in csv.reader(file) if len(row) > at)
        next(ids)
        return all(i in asked for i in ids)  # of training data, the first id is mostly enough


def _kept(task: Task, path: Path, rule: SampleRule) -> npt.NDArray[np.bool_]:
    """Which rows of a file are in the sample."""
    columns = header(path)
    targets = [name for name in task.target_columns if name in columns]
    group = task.group_column if task.group_column in columns else None
    frame = _read(path, list(dict.fromkeys([*targets, *([group] if group else []), columns[0]])))
    n = len(frame)
    labels = _numbers(frame, targets) if targets else np.zeros(n, dtype=np.intp)
    number = int(labels.max()) + 1 if n else 0
    classes = 1 < number <= min(MOST_CLASSES, n // ROWS_PER_CLASS)
    groups = None if group is None else _numbers(frame, [group])
    kept = draw(labels, groups, rule, classes=classes)
    if kept.all():
        whole = f"{n} rows" + (f" in {int(groups.max()) + 1} groups" if groups is not None and n else "")
        raise ConfigError(
            f"run.trial: the sample of {task.id!r} would be all of {path.name} ({whole}); lower run.trial.rows (now "
            f"{rule.rows}) or run.trial.share (now {rule.share:g}), or set run.trial.share=0"
        )
    return kept


def _numbers(frame: pd.DataFrame, columns: list[str]) -> npt.NDArray[np.intp]:
    """Of each row the number of the values that it has in some columns, from 0, in the order in which they appear."""
    return np.asarray(frame.groupby(columns, sort=False).ngroup(), dtype=np.intp)


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    """Some columns of a file, every cell as the text that it is."""
    import pandas as pd

    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", usecols=columns)
    except (ValueError, OSError) as error:
        raise ConfigError(f"run.trial: {path} can't be read as CSV: {' '.join(str(error).split())}") from error


def _write_rows(source: Path, target: Path, kept: npt.NDArray[np.bool_]) -> None:
    """Write some rows of a file, in its order, every cell as the text that it is; bounded memory."""
    import pandas as pd

    with target.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(header(source))
        chunks = pd.read_csv(source, dtype=str, keep_default_na=False, encoding="utf-8-sig", chunksize=_CHUNK_ROWS)
        at = 0
        for chunk in chunks:
            chunk[kept[at : at + len(chunk)]].to_csv(file, index=False, header=False, lineterminator="\n")
            at += len(chunk)
    target.chmod(0o644)
