"""A fresh validation split of a task: the labelled rows, training and validation together, are divided anew.

The new split has as many validation rows as the old one, drawn uniformly at random by a seed; test rows stay. A task
whose own split is not random (by time, by group) is not served by this: its fresh splits are easier than its own.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlesearch.tasks.folder import SAMPLE, header
from mlesearch.tasks.protocol import Task, Validation
from mlesearch.tasks.public_copy import copy_public
from mlesearch.types import ConfigError

if TYPE_CHECKING:
    import pandas as pd

TRAIN, VALIDATION, TEST = "train.csv", "validation.csv", "test.csv"
_WRITTEN = {TRAIN, VALIDATION, SAMPLE}


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
    ids = [_ids(task, name) for name in (TRAIN, VALIDATION, TEST)]
    if len(set().union(*ids)) < sum(map(len, ids)):
        raise ConfigError(
            f"run.selection: revalidate moves rows between {TRAIN} and {VALIDATION}, but ids of {task.id!r} occur "
            f"twice in its public files; choose best_validation"
        )


def _ids(task: Task, name: str) -> list[str]:
    import pandas as pd

    path = task.public_dir / name
    if not path.is_file():  # the ids of test rows are in the answers too
        path = task.private_dir / name
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, usecols=[task.id_column])
    return list(frame[task.id_column])


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
    copy_public(task.public_dir, public, _WRITTEN)
    (private / "test.csv").write_bytes((task.private_dir / "test.csv").read_bytes())
    train, old = _read(task.public_dir / TRAIN), _read(task.public_dir / VALIDATION)
    answers = _read(task.private_dir / VALIDATION)[[task.id_column, *task.target_columns]]
    labelled = old.merge(answers, on=task.id_column, validate="one_to_one")[list(train.columns)]
    if len(labelled) < len(old):
        raise ConfigError(f"{task.private_dir / VALIDATION}: it lacks ids of {VALIDATION}, as they are written there")
    rows = pd.concat([train, labelled])
    order = np.random.default_rng([seed, len(rows)]).permutation(len(rows))
    fresh = rows.iloc[np.sort(order[: len(old)])]
    rows.iloc[np.sort(order[len(old) :])].to_csv(public / TRAIN, index=False)
    fresh[list(old.columns)].to_csv(public / VALIDATION, index=False)
    fresh[[task.id_column, *task.target_columns]].to_csv(private / VALIDATION, index=False)
    _sample(task, set(old[task.id_column]), list(fresh[task.id_column])).to_csv(public / SAMPLE, index=False)
    for name in _WRITTEN:
        (public / name).chmod(0o644)
    return replace(task, public_dir=public, private_dir=private, version=f"{task.version}+split{seed}")


def _sample(task: Task, old: set[str], fresh: list[str]) -> pd.DataFrame:
    """The sample submission with the new validation ids in the places of the old ones."""
    sample = _read(task.public_dir / SAMPLE)
    is_validation = sample[task.id_column].isin(old)
    sample.loc[is_validation, task.id_column] = fresh
    return sample


def _read(path: Path) -> pd.DataFrame:
    """Every cell as the text that it is, so that what is written again is what was read."""
    import pandas as pd

    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
