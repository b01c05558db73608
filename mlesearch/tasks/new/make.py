"""Makes a task's folder from a table: planned in memory first, so that what is refused leaves nothing behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mlesearch.tasks import check, strict_metrics
from mlesearch.tasks.metrics import Metric, MetricProblem
from mlesearch.tasks.new import splits
from mlesearch.tasks.new.kinds import ColumnFacts, facts
from mlesearch.tasks.new.request import NewTaskRequest
from mlesearch.tasks.new.rows import TaskRows, chosen_rows
from mlesearch.tasks.new.table import SourceTable, read_table
from mlesearch.tasks.protocol import MetricRules, Validation
from mlesearch.types import ConfigError, Finding, Level

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("train", "validation", "test")
UNEVEN = 0.2
"""A test part that is smaller or larger by this share is told."""
ALIKE_SHARE = 0.05
"""So many scored rows that repeat a training row are refused, where that is no chance."""


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task that can be written.

    Attributes:
        request: what was asked for.
        metric: of the task.
        table: as it was read.
        rows: of the task.
        where: shape (rows,), the part of each row (`splits.TRAIN` and so on).
        order: shape (rows,), the order in which rows are written.
        id_column: key of a row.
        ids: of each row.
        columns: facts about the features.
        notes: what was done and found, one sentence each.
    """

    request: NewTaskRequest
    metric: Metric
    table: SourceTable
    rows: TaskRows
    where: npt.NDArray[np.intp]
    order: npt.NDArray[np.intp]
    id_column: str
    ids: pd.Series[str]
    columns: tuple[ColumnFacts, ...]
    notes: tuple[str, ...]

    @property
    def is_strict(self) -> bool:
        """Whether MLE-bench's rules of the metric differ from the plain ones, and can score these answers."""
        if self.metric.name not in strict_metrics.STRICT:
            return False
        truth = self.rows.target.answers.apply(_as_read).to_numpy()
        try:
            strict_metrics.score(self.metric.name, MetricRules.MLEBENCH, None, truth, truth.copy())
        except (ValueError, MetricProblem):
            return False
        return True

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each part that has some."""
        numbers = np.bincount(self.where, minlength=len(PARTS))
        return {part: int(number) for part, number in zip(PARTS, numbers, strict=True) if number}


def _as_read(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column of answers as it is read from the file: numbers where all cells are some, else texts."""
    import pandas as pd

    try:
        numbers: pd.Series[Any] = pd.to_numeric(column)
    except (ValueError, TypeError):
        return column
    return numbers


def plan(request: NewTaskRequest) -> PlannedTask:
    """Read the table, check all that can be wrong, and divide the rows; nothing is written.

    Raises:
        ConfigError: no task can be made of it as asked; one line says why and what to do.
    """
    metric = request.check()
    table = read_table(request.table, encoding=request.encoding, delimiter=request.delimiter)
    rows = chosen_rows(request, metric, table)
    where = _divided(request, rows)
    order = np.random.default_rng([request.seed, 2]).permutation(len(where))
    if rows.times is not None:
        order = order[np.argsort(rows.times[order], kind="stable")]
    notes = [*rows.notes, *_alike(rows, where), *_uneven(request, where)]
    id_column, ids = _keys(rows, order)
    found = tuple(
        facts(str(name), rows.features[name], number=rows.numbers[str(name)] is not None, text=name in rows.texts)
        for name in rows.features
    )
    return PlannedTask(request, metric, table, rows, where, order, id_column, ids, found, tuple(notes))


def _divided(request: NewTaskRequest, rows: TaskRows) -> npt.NDArray[np.intp]:
    """The part of each row."""
    target = rows.target
    share = request.validation_share if request.validation is Validation.HARNESS else 0.0
    sizes = splits.SplitSizes(len(rows.features), request.test_share, share)
    least = min(part for part in sizes.parts if part > 0) * sizes.rows
    if least < 1:
        raise ConfigError(f"--test-share: of {sizes.rows} rows some part would have none; choose shares nearer to 0.25")
    labels = target.labels
    if labels is not None and not target.are_classes and np.bincount(labels).min() < 3:
        labels = None
    option = "the split"
    if rows.times is not None:
        option, name = "--time", str(request.time)
        where = splits.by_time(sizes, rows.times, name)
    elif rows.groups is not None:
        option, name = "--group", str(request.group)
        everywhere = len(target.binary) == 1
        own = labels if len(target.binary) < 2 and target.are_classes else None
        where = splits.by_groups(sizes, rows.groups, own, request.seed, name, everywhere=everywhere)
    else:
        where = splits.at_random(sizes, labels, request.seed)
    for name in target.binary:
        own = target.answers[name].to_numpy(dtype=np.intp)
        splits.check_parts(where, own, (f"{name} 0", f"{name} 1"), option)
    if target.are_classes and not target.binary and target.labels is not None:
        unseen = set(target.labels[where != splits.TRAIN]) - set(target.labels[where == splits.TRAIN])
        if unseen:
            names = ", ".join(target.classes[label] for label in sorted(unseen)[:3])
            rows.notes.append(f"{len(unseen)} classes that are scored occur in no training row, such as {names}.")
    return where


def _alike(rows: TaskRows, where: npt.NDArray[np.intp]) -> Iterator[str]:
    """Scored rows that stand among the training rows too, with their target.

    Raises:
        ConfigError: so many that it is no chance.
    """
    import pandas as pd

    whole = pd.concat([rows.features, rows.target.answers.set_axis(rows.features.index)], axis=1)
    keys = pd.util.hash_pandas_object(whole.astype(str), index=False).to_numpy()
    train = where == splits.TRAIN
    alike = int(np.isin(keys[~train], keys[train]).sum())
    if not alike:
        return
    share = alike / int((~train).sum())
    combinations = np.prod([float(rows.features[name].nunique()) for name in rows.features])
    text = f"{alike:,} of the scored rows ({share:.1%}) stand among the training rows too, target and all"
    if share > ALIKE_SHARE and combinations > 20 * len(where):
        raise ConfigError(
            f"--from: {text}: programs could look them up; leave repeated rows out with --drop-duplicates, or keep "
            "those that belong together on one side with --group"
        )
    yield f"{text}; --drop-duplicates would leave out repeated rows."


def _uneven(request: NewTaskRequest, where: npt.NDArray[np.intp]) -> Iterator[str]:
    """A test part that is far from the size that was asked for, as groups or equal times are large."""
    share = float((where == splits.TEST).mean())
    if abs(share / request.test_share - 1) > UNEVEN:
        yield f"The test has {share:.1%} of the rows, not {request.test_share:.1%}: rows that stay together are many."


def _keys(rows: TaskRows, order: npt.NDArray[np.intp]) -> tuple[str, pd.Series[str]]:
    """The id column and the id of each row: its own, or its place in the order in which rows are written."""
    import pandas as pd

    taken = {*map(str, rows.features), *map(str, rows.target.answers)}
    if rows.ids is not None:
        return str(rows.ids.name), rows.ids
    name = next(n for n in ("id", "row_id", *(f"row_id_{k}" for k in range(2, len(taken) + 3))) if n not in taken)
    places = np.empty(len(order), dtype=np.intp)
    places[order] = np.arange(1, len(order) + 1)
    return name, pd.Series(places.astype(str), index=rows.features.index, name=name)


def check_free(place: Path) -> None:
    """Refuse a folder that is there already.

    Raises:
        ConfigError: it is.
    """
    if place.exists():
        raise ConfigError(f"--out: {place} is there already; remove it, or name another folder")


@contextmanager
def staged(place: Path) -> Iterator[Path]:
    """A folder beside the wanted one, which takes its place once all went well, and is removed otherwise.

    Raises:
        ConfigError: something is there meanwhile.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    making = place.with_name(f".{place.name}.{os.getpid()}.partial")
    making.mkdir()
    try:
        yield making
        check_free(place)
        making.rename(place)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def preflight(place: Path) -> list[Finding]:
    """What the preflight of a new folder finds.

    Raises:
        ConfigError: an error is among it.
    """
    found = check.check(place)
    errors = [finding for finding in found if finding.level is Level.ERROR]
    if errors:
        said = str(errors[0]).replace(f"{place}/", "")
        raise ConfigError(f"the task would not pass its preflight: {said}; nothing was written")
    return found
