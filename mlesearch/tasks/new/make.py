"""Makes a task's folder from a table: planned in memory first, so that what is refused leaves nothing behind."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import yaml

from mlesearch import __version__
from mlesearch.tasks import check, folder
from mlesearch.tasks.metrics import Metric
from mlesearch.tasks.new import splits
from mlesearch.tasks.new.describe import NewTaskFacts, description
from mlesearch.tasks.new.kinds import ColumnFacts, ColumnKind, columns_of, facts
from mlesearch.tasks.new.request import PROGRAM_TIME_S, NewTaskRequest
from mlesearch.tasks.new.rows import TaskRows, chosen_rows
from mlesearch.tasks.new.table import SourceTable, read_table
from mlesearch.tasks.new.targets import sample_values
from mlesearch.tasks.protocol import Validation
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
    def counts(self) -> dict[str, int]:
        """Rows of each part that has some."""
        numbers = np.bincount(self.where, minlength=len(PARTS))
        return {part: int(number) for part, number in zip(PARTS, numbers, strict=True) if number}


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
        if place.exists():
            raise ConfigError(f"--out: {place} is there already; remove it, or name another folder")
        making.rename(place)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def write(planned: PlannedTask, place: Path) -> None:
    """Write a task's folder.

    Args:
        planned: what to write.
        place: an empty folder.
    """
    import pandas as pd

    rows, target = planned.rows, planned.rows.target
    public, private = place / "public", place / "private"
    public.mkdir()
    private.mkdir(mode=0o700)
    ids = planned.ids.to_frame(planned.id_column)
    answers = target.answers.set_axis(rows.features.index)
    train = planned.where == splits.TRAIN
    sample = sample_values(planned.metric, target, train)
    asked: list[pd.DataFrame] = []
    for number, part in enumerate(PARTS):
        own = planned.order[planned.where[planned.order] == number]
        if not len(own):
            continue
        table = pd.concat([ids, rows.features], axis=1).iloc[own]
        if part == "train":
            table = pd.concat([table, answers.iloc[own]], axis=1)
        else:
            truth = pd.concat([ids, answers], axis=1).iloc[own]
            _write_csv(truth, private / f"{part}.csv")
            asked.append(ids.iloc[own].assign(**sample))
        _write_csv(table, public / f"{part}.csv")
    whole = pd.concat(asked)
    _write_csv(whole, public / folder.SAMPLE)
    text = description(_facts(planned, sample, str(whole.iloc[0, 0])))
    (place / "description.md").write_text(text, encoding="utf-8")
    declared = _declared(planned)
    declared["sha256"] = {str(p.relative_to(place)): _sha256(p) for p in sorted(place.glob("p*/*.csv"))}
    write_declared(place, declared)


def write_declared(place: Path, declared: dict[str, Any]) -> None:
    """Write a folder's task.yaml."""
    text = yaml.safe_dump(declared, sort_keys=False, allow_unicode=True, width=110)
    (place / folder.DECLARED).write_text(text, encoding="utf-8")


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


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
    path.chmod(0o644)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _title(planned: PlannedTask) -> str:
    asked = planned.request.title
    return asked or f"{planned.request.name}: predict {', '.join(list(planned.rows.target.values)[:3])}"


def _split_words(planned: PlannedTask) -> str:
    request = planned.request
    if request.time is not None:
        return f"Rows are in the order of `{request.time}`: the later files hold the later rows, the test the last ones."
    if request.group is not None:
        return f"Rows with one value of `{request.group}` are all in one file."
    classes = "; each class has the same share in each" if planned.rows.target.are_classes else ""
    return f"The rows were divided at random{classes}."


def _facts(planned: PlannedTask, sample: dict[str, object], first_id: str) -> NewTaskFacts:
    target = planned.rows.target
    return NewTaskFacts(
        title=_title(planned),
        metric=planned.metric,
        asked=list(target.values),
        targets=list(map(str, target.answers)),
        notes=target.notes,
        id_column=planned.id_column,
        columns=planned.columns,
        target_words=list(_target_words(planned)),
        rows=planned.counts,
        split=_split_words(planned),
        validation=planned.request.validation,
        sample=sample,
        sample_id=first_id,
    )


def _target_words(planned: PlannedTask) -> Iterator[str]:
    """How the target is distributed in the training rows."""
    target, train = planned.rows.target, planned.where == splits.TRAIN
    for name, values in target.values.items():
        own = values[train]
        if len(target.values) > 1 and target.are_classes and len(target.binary) > 1:
            yield f"`{name}` is 1 in {own.mean():.1%} of the training rows"
        elif target.are_classes:
            counts = np.bincount(own, minlength=len(target.classes))
            shares = [f"{label.removeprefix(f'{name} ')} {n / len(own):.1%}" for label, n in zip(target.classes, counts, strict=True)]
            more = f" and {len(shares) - 20} more classes" if len(shares) > 20 else ""
            yield f"Shares of the classes of `{name}` in the training rows: {', '.join(shares[:20])}{more}"
        else:
            low, middle, high = np.quantile(own, [0, 0.5, 1])
            yield f"`{name}` is a number, from {low:.6g} to {high:.6g} in the training rows, median {middle:.6g}"


def _declared(planned: PlannedTask) -> dict[str, Any]:
    """The content of task.yaml, without what is known only once the files are written."""
    request, target = planned.request, planned.rows.target
    split = "time" if request.time else "group" if request.group else "random"
    content: dict[str, Any] = {
        "id": request.name,
        "title": _title(planned),
        "version": "1",
        "metric": planned.metric.name,
        "direction": planned.metric.direction.value,
        "validation": request.validation.value,
        "id_column": planned.id_column,
        "target_columns": list(map(str, target.answers)),
        "program_time_s": int(PROGRAM_TIME_S),
        "rows": planned.counts,
        "tags": _tags(planned, split),
        "source": f"{request.table.name}, by `mlesearch tasks new`",
    }
    if request.group is not None:
        content["group_column"] = request.group
    if request.time is not None and request.validation is Validation.REPORTED:
        content["reported_split"] = (
            f"the last fifth of the rows of `train.csv`, which are in the order of `{request.time}`; train on the rows "
            "before it"
        )
    issues = list(planned.rows.issues)
    if split != "random" and request.validation is Validation.HARNESS:
        issues.append(f"the split is by {split}; fresh splits (run.selection=revalidate) are random, and so easier")
    if issues:
        content["known_issues"] = issues
    content["made_by"] = _made_by(planned, split)
    return content


def _tags(planned: PlannedTask, split: str) -> list[str]:
    target = planned.rows.target
    sort = "multilabel" if len(target.binary) > 1 else "classification" if target.are_classes else "regression"
    texts = ["text"] if columns_of(planned.columns, ColumnKind.TEXT) else []
    return ["tabular", sort, *texts, *([] if split == "random" else [f"{split}-split"])]


def _made_by(planned: PlannedTask, split: str) -> dict[str, Any]:
    import pandas as pd

    request = planned.request
    made: dict[str, Any] = {
        "command": "mlesearch tasks new",
        "mlesearch": __version__,
        "numpy": np.__version__,
        "pandas": pd.__version__,
        "from": request.table.name,
        "from_sha256": planned.table.sha256,
        "read_as": planned.table.taken_for,
        "seed": request.seed,
        "split": split,
        "test_share": request.test_share,
    }
    if request.validation is Validation.HARNESS:
        made["validation_share"] = request.validation_share
    if request.time is not None:
        made["time_column"] = request.time
    texts = columns_of(planned.columns, ColumnKind.TEXT)
    if texts:
        made["text_columns"] = texts
    if planned.notes:
        made["notes"] = list(planned.notes)
    return made
