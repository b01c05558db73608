"""What an agent reads of a new task: what to predict, from what, how it is scored, and what a submission looks like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlesearch.tasks.metrics import Metric
from mlesearch.tasks.new.kinds import ColumnFacts, ColumnKind
from mlesearch.tasks.protocol import Validation

MOST_COLUMNS = 80
"""So many lines on columns at most: the description stands in every prompt."""
MIN_RUN = 5
"""So many neighbours of one kind whose names differ in a number share a line."""

_NUMBERED = re.compile(r"(.*?)(\d+)$")
_MEANING = {
    "accuracy": "the share of rows whose label is right; predict labels",
    "macro_f1": "the unweighted mean of the F1 scores of all classes; predict labels",
    "auc": "predict probabilities, or any numbers that are higher for likelier rows",
    "quadratic_kappa": "a mistake counts with its square; predict whole numbers",
    "log_loss": "the mean negative log-likelihood, natural logarithm; predict probabilities from 0 to 1",
    "rmse": "the root of the mean squared error; predict numbers",
    "rmsle": "the root of the mean squared difference of log(1 + value); predict numbers that are not negative",
    "mae": "the mean absolute error; predict numbers",
}


_STRICTLY = {
    "auc": "predict probabilities from 0 to 1, higher for likelier rows",
    "log_loss": "the mean negative log-likelihood, natural logarithm; predict probabilities from 0 to 1; where classes "
    "have a column each, those of a row sum to 1, to 5 decimals",
}
"""By MLE-bench's rules, where that is another thing to be told."""


@dataclass(frozen=True, slots=True)
class NewTaskFacts:
    """What a description is made of.

    Attributes:
        title: of the task.
        metric: the named one.
        is_strict: whether it scores by MLE-bench's rules.
        asked: the target columns as they were named.
        targets: the columns that a submission predicts.
        notes: what was made of the target, one sentence each.
        id_column: key of a row.
        columns: facts about the features.
        target_words: facts about the target, one line each.
        rows: in each file, by the file's stem.
        split: in a sentence: how the rows were divided.
        validation: where the validation score comes from.
        sample: the value of each target column in the sample submission.
        sample_id: the first id there.
    """

    title: str
    metric: Metric
    is_strict: bool
    asked: Sequence[str]
    targets: Sequence[str]
    notes: Sequence[str]
    id_column: str
    columns: Sequence[ColumnFacts]
    target_words: Sequence[str]
    rows: Mapping[str, int]
    split: str
    validation: Validation
    sample: Mapping[str, object]
    sample_id: str


def description(task: NewTaskFacts) -> str:
    """The text, as markdown."""
    return "\n".join([*_head(task), "", *_files(task), "", *_columns(task), "", *_submission(task)]) + "\n"


def _head(task: NewTaskFacts) -> Iterator[str]:
    asked = ", ".join(f"`{name}`" for name in task.asked)
    yield f"# {task.title}"
    yield ""
    yield f"Predict {asked} of each row from its other columns."
    better = "Higher" if task.metric.direction.sign > 0 else "Lower"
    meanings = {**_MEANING, **(_STRICTLY if task.is_strict else {})}
    meaning = f": {meanings[task.metric.name]}" if task.metric.name in meanings else ""
    several = ""
    if len(task.targets) > 1 and task.metric.name != "log_loss":
        several = f" It is computed for each of the {len(task.targets)} target columns and averaged."
    elif len(task.targets) > 1:
        several = " Give a probability to each class; those of a row sum to 1."
    yield ""
    yield f"The metric is {task.metric.title} (`{task.metric.name}`){meaning}. {better} is better.{several}"
    if task.notes or task.target_words:
        yield ""
        yield from (f"- {line}" for line in (*task.notes, *task.target_words))


def _files(task: NewTaskFacts) -> Iterator[str]:
    yield "## Files"
    yield ""
    yield f"- `train.csv`: {task.rows['train']:,} rows with their target"
    if task.validation is Validation.HARNESS:
        yield f"- `validation.csv`: {task.rows['validation']:,} rows without it"
    yield f"- `test.csv`: {task.rows['test']:,} rows without it"
    yield "- `sample_submission.csv`: the ids and columns of a submission, with a constant prediction"
    yield ""
    yield "All are UTF-8, with commas between cells and points in numbers; an empty cell is a missing value."
    yield task.split


def _columns(task: NewTaskFacts) -> Iterator[str]:
    yield f"## Columns ({len(task.columns)} features)"
    yield ""
    yield f"- `{task.id_column}`: the key of a row"
    lines = list(_lines(task.columns))
    yield from lines[:MOST_COLUMNS]
    if len(lines) > MOST_COLUMNS:
        yield f"- and {len(lines) - MOST_COLUMNS} more; the files have them all"


def _lines(columns: Sequence[ColumnFacts]) -> Iterator[str]:
    at = 0
    while at < len(columns):
        end, first = at + 1, _NUMBERED.match(columns[at].name)
        while first and end < len(columns):
            following = _NUMBERED.match(columns[end].name)
            if not following or following[1] != first[1] or _sort(columns[end]) != _sort(columns[at]):
                break
            end += 1
        run = columns[at:end]
        if len(run) >= MIN_RUN:
            worst = max(column.missing for column in run)
            missing = f"; up to {worst:.1%} missing" if worst else ""
            yield f"- `{run[0].name}` to `{run[-1].name}` ({len(run)} columns): {_sort(run[0])}{missing}"
        else:
            for column in run:
                missing = f"; {column.missing:.1%} missing" if column.missing else ""
                words = f", {column.words}" if column.words else ""
                yield f"- `{column.name}`: {column.kind}{words}{missing}"
        at = end


def _sort(column: ColumnFacts) -> str:
    """The kind of a column, as neighbours are compared by it."""
    return "number" if column.kind in (ColumnKind.WHOLE, ColumnKind.NUMBER) else column.kind.value


def _submission(task: NewTaskFacts) -> Iterator[str]:
    which = "validation and test rows" if task.validation is Validation.HARNESS else "test rows"
    yield "## Submission"
    yield ""
    yield f"One row for each id of `sample_submission.csv` (all {which}), like its first one:"
    yield ""
    yield "```"
    shown = list(task.targets) if len(task.targets) <= 12 else [*list(task.targets)[:12], "..."]
    yield ",".join([task.id_column, *shown])
    yield ",".join([task.sample_id, *(str(task.sample.get(name, "...")) for name in shown)])
    yield "```"
