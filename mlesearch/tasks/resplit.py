"""A fresh validation split of a task: the labelled rows, training and validation together, are divided anew.

A fresh split follows the task's own, and test rows stay. Rows that nothing binds are drawn uniformly at random, as many
as before. Of groups (`group_column`) each stays on one side, about as many rows as before. By time (`time_column`, in
whose order the rows stand) the validation rows are a window that ends earlier, training rows those before it, and those
after it are left out: a rolling origin (Tashman 2000, https://doi.org/10.1016/S0169-2070(00)00065-0).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mlesearch.tasks import metrics
from mlesearch.tasks.folder import header
from mlesearch.tasks.new import splits
from mlesearch.tasks.protocol import Task, Validation
from mlesearch.tasks.public_copy import copy_public
from mlesearch.types import ConfigError

if TYPE_CHECKING:
    import pandas as pd

TRAIN, VALIDATION, TEST = "train.csv", "validation.csv", "test.csv"
MIN_TIMES = 4
"""Fewer different times have no window in their later half."""


def check_resplit(task: Task) -> None:
    """Refuse a task that can't be split anew.

    Raises:
        ConfigError: its programs report their own score, or its labelled rows are not two CSV files of equal columns.
    """
    if task.validation is not Validation.HARNESS:
        raise ConfigError(
            f"run.selection: revalidate needs tasks with `validation: harness`, and {task.id!r} has "
            f"{task.validation.value!r}: its programs report a score of their own; choose best_validation"
            + (", or mlebench.validation=twice" if task.official is not None else "")
        )
    if task.ungraded is not None or "/" in task.sample:
        why = "is ungraded" if task.ungraded is not None else f"has its sample submission in a folder ({task.sample})"
        raise ConfigError(
            f"run.selection: revalidate: {task.id!r} {why}, so it is not split anew; choose best_validation"
        )
    for name in (TRAIN, VALIDATION):
        if not (task.public_dir / name).is_file():
            raise ConfigError(
                f"run.selection: revalidate splits {TRAIN} and {VALIDATION} anew; {task.id!r} has no {name}; "
                f"choose best_validation"
            )
    train, validation = header(task.public_dir / TRAIN), header(task.public_dir / VALIDATION)
    if set(train) != {*validation, *task.target_columns} or task.id_column not in validation:
        raise ConfigError(
            f"run.selection: revalidate needs {TRAIN} with the columns of {VALIDATION} and the targets; those of "
            f"{task.id!r} differ; choose best_validation"
        )
    for key, column in (("group_column", task.group_column), ("time_column", task.time_column)):
        if column is not None and column not in train:
            raise ConfigError(
                f"run.selection: revalidate follows the {key} of {task.id!r}, and {TRAIN} has no column {column!r}; "
                "choose best_validation"
            )
    if task.time_column is not None and len(set(_column(task, TRAIN, task.time_column))) < MIN_TIMES:
        raise ConfigError(
            f"run.selection: revalidate needs at least {MIN_TIMES} different values of {task.time_column!r}, by which "
            f"{task.id!r} is split; choose best_validation"
        )
    ids = [_ids(task, name) for name in (TRAIN, VALIDATION, TEST)]
    if len(set().union(*ids)) < sum(map(len, ids)):
        raise ConfigError(
            f"run.selection: revalidate moves rows between {TRAIN} and {VALIDATION}, but ids of {task.id!r} occur "
            f"twice in its public files; choose best_validation"
        )


def _ids(task: Task, name: str) -> list[str]:
    return _column(task, name, task.id_column)


def _column(task: Task, name: str, column: str) -> list[str]:
    import pandas as pd

    path = task.public_dir / name
    if not path.is_file():  # the ids of test rows are in the answers too
        path = task.private_dir / name
    return list(pd.read_csv(path, dtype=str, keep_default_na=False, usecols=[column])[column])


def resplit(task: Task, seed: int, folder: Path) -> Task:
    """Write a fresh split.

    Args:
        task: it passed `check_resplit`.
        seed: of the split; equal seeds give equal splits of one version of a task.
        folder: empty; gets `public/` (other files linked or copied as they are) and `private/`.

    Returns:
        The task with these folders and a version of its own.
    """
    import pandas as pd

    public, private = folder / "public", folder / "private"
    private.mkdir(mode=0o700)
    written = {TRAIN, VALIDATION, task.sample}
    copy_public(task.public_dir, public, written)
    (private / "test.csv").write_bytes((task.private_dir / "test.csv").read_bytes())
    train, old = _read(task.public_dir / TRAIN), _read(task.public_dir / VALIDATION)
    answers = _read(task.private_dir / VALIDATION)[[task.id_column, *task.target_columns]]
    labelled = old.merge(answers, on=task.id_column, validate="one_to_one")[list(train.columns)]
    if len(labelled) < len(old):
        raise ConfigError(f"{task.private_dir / VALIDATION}: it lacks ids of {VALIDATION}, as they are written there")
    rows = pd.concat([train, labelled])
    where = _divided(task, rows, len(old), seed)
    fresh = rows[where == splits.VALIDATION]
    rows[where == splits.TRAIN].to_csv(public / TRAIN, index=False)
    fresh[list(old.columns)].to_csv(public / VALIDATION, index=False)
    fresh[[task.id_column, *task.target_columns]].to_csv(private / VALIDATION, index=False)
    _sample(task, set(old[task.id_column]), list(fresh[task.id_column])).to_csv(public / task.sample, index=False)
    for name in written:
        (public / name).chmod(0o644)
    return replace(task, public_dir=public, private_dir=private, version=f"{task.version}+split{seed}")


_LEFT_OUT = splits.TEST
"""Of a row that is in neither part."""


def _divided(task: Task, rows: pd.DataFrame, number: int, seed: int) -> npt.NDArray[np.intp]:
    """Where each labelled row goes.

    Args:
        task: whose split is followed.
        rows: labelled ones, in the order of the files.
        number: of validation rows before.
        seed: of the draw.

    Returns:
        Shape (rows,): `splits.TRAIN`, `splits.VALIDATION`, or left out.
    """
    if task.time_column is not None:
        return _by_time(rows[task.time_column].to_numpy(), number, seed)
    if task.group_column is not None:
        groups = rows[task.group_column].factorize()[0].astype(np.intp)
        if 1 < groups.max() + 1 < len(rows):
            return _by_groups(task, rows, groups, number, seed)
    where = np.full(len(rows), splits.TRAIN, dtype=np.intp)
    where[np.random.default_rng([seed, len(rows)]).permutation(len(rows))[:number]] = splits.VALIDATION
    return where


def _by_groups(
    task: Task, rows: pd.DataFrame, groups: npt.NDArray[np.intp], number: int, seed: int
) -> npt.NDArray[np.intp]:
    """No group on two sides; as even in classes as can be, where the target is of classes."""
    sizes = splits.SplitSizes(len(rows), 0.0, number / len(rows))
    named = metrics.METRICS.get(task.metric)
    of_classes = named is not None and (named.labels or named.name in ("auc", "log_loss"))
    labels = (
        rows[list(task.target_columns)].agg(" ".join, axis=1).factorize()[0].astype(np.intp) if of_classes else None
    )
    column = str(task.group_column)
    try:
        return splits.by_groups(sizes, groups, labels, seed, column, everywhere=of_classes)
    except ConfigError:  # some class is in too few groups to be everywhere
        return splits.by_groups(sizes, groups, None, seed, column, everywhere=False)


def _by_time(times: npt.NDArray[np.object_], number: int, seed: int) -> npt.NDArray[np.intp]:
    """A window of about as many rows, in the later half, that ends at an earlier time; equal times stay together."""
    changes = np.flatnonzero(times[1:] != times[:-1]) + 1
    ends = changes[changes - number >= len(times) // 2]
    end = len(times) if len(ends) == 0 else int(ends[np.random.default_rng([seed, len(times)]).integers(len(ends))])
    starts = changes[changes < end]
    start = int(starts[np.argmin(np.abs(starts - (end - number)))])
    where = np.full(len(times), _LEFT_OUT, dtype=np.intp)
    where[:start], where[start:end] = splits.TRAIN, splits.VALIDATION
    return where


def _sample(task: Task, old: set[str], fresh: list[str]) -> pd.DataFrame:
    """The sample submission with the new validation ids in the places of the old ones."""
    import pandas as pd

    sample = _read(task.public_dir / task.sample)
    is_validation = sample[task.id_column].isin(old)
    if len(fresh) != is_validation.sum():  # groups and windows have other sizes: as many rows like the old ones
        rows = sample[is_validation]
        more = rows.iloc[np.arange(len(fresh)) % len(rows)].assign(**{task.id_column: fresh})
        return pd.concat([more, sample[~is_validation]], ignore_index=True)
    sample.loc[is_validation, task.id_column] = fresh
    return sample


def _read(path: Path) -> pd.DataFrame:
    """Every cell as the text that it is, so that what is written again is what was read."""
    import pandas as pd

    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
