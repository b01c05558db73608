"""Writes the folder of a planned task: tables, answers, sample submission, description and declarations."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from mlesearch import __version__
from mlesearch.tasks import folder
from mlesearch.tasks.new import splits
from mlesearch.tasks.new.describe import NewTaskFacts, description
from mlesearch.tasks.new.kinds import ColumnKind, columns_of
from mlesearch.tasks.new.make import PARTS, PlannedTask
from mlesearch.tasks.new.request import PROGRAM_TIME_S
from mlesearch.tasks.new.targets import sample_values
from mlesearch.tasks.protocol import MetricRules, Validation

if TYPE_CHECKING:
    import pandas as pd


def write_task(planned: PlannedTask, place: Path) -> None:
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
        return (
            f"Rows are in the order of `{request.time}`: the later files hold the later rows, the test the last ones."
        )
    if request.group is not None:
        return f"Rows with one value of `{request.group}` are all in one file."
    classes = "; each class has the same share in each" if planned.rows.target.are_classes else ""
    return f"The rows were divided at random{classes}."


def _facts(planned: PlannedTask, sample: dict[str, object], first_id: str) -> NewTaskFacts:
    target = planned.rows.target
    return NewTaskFacts(
        title=_title(planned),
        metric=planned.metric,
        is_strict=planned.is_strict,
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
            shares = [
                f"{label.removeprefix(f'{name} ')} {n / len(own):.1%}"
                for label, n in zip(target.classes, counts, strict=True)
            ]
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
        **({"metric_rules": MetricRules.MLEBENCH.value} if planned.is_strict else {}),
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
    if request.time is not None:
        content["time_column"] = request.time
    if request.time is not None and request.validation is Validation.REPORTED:
        content["reported_split"] = (
            f"the last fifth of the rows of `train.csv`, which are in the order of `{request.time}`; train on the rows "
            "before it"
        )
    if planned.rows.issues:
        content["known_issues"] = list(planned.rows.issues)
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
