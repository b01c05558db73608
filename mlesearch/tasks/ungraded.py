"""Tasks without test answers: a live competition, a customer's data. What a program is told, and what is handed over.

A submission is valid by the columns and ids of the sample submission, or by the word of a grading server. There is no
test score, and so no medal; the search goes by the validation score alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlesearch.tasks.answers import answers, parse
from mlesearch.tasks.protocol import Task, Validity
from mlesearch.tasks.submission import read_bytes
from mlesearch.types import MlesearchError

if TYPE_CHECKING:
    import pandas as pd

_FOLDS = (
    "every program of this search validates on the same five folds of the labelled rows, so that their scores can be "
    "compared. The rows keep the order of their file; the folds are those of scikit-learn's {folds}. A program that "
    "cannot train on all five within the time limit takes the first of these folds, never others, and prints how many. "
    "The score is the mean over the folds taken."
)
_BY_GROUP = "`GroupKFold(n_splits=5)` by the column `{group}`, whose rows belong together"
_SHUFFLED = (
    "`StratifiedKFold(n_splits=5, shuffle=True, random_state=0)` on the target where it is a class label, else of "
    "`KFold(n_splits=5, shuffle=True, random_state=0)`, unless the description calls for another split (by group, by "
    "time), which is then cut into five folds likewise"
)
_SPLIT = "every program of this search validates in the same way, so that their scores can be compared: {split}"

_CONTRACT = """\
The program is one Python script, started in a working directory of its own.
Read: the folder `input/` (read-only) holds the files listed under data.
Write: `submission.csv` in the working directory, a CSV file in UTF-8 with predictions for the test rows, {form}. \
Every prediction must be there, and within the range of the metric.
Validation: {validation}
Score: the metric {metric} on the held-out rows of this split, on which nothing was fitted, reported as the very last \
line of output, in the form `validation_score: 0.1234`. Writing `metrics.json` with the content \
`{{"validation_score": 0.1234}}` does as well.
Time: it must end by itself within the time limit."""


def contract(sample: str, columns: Sequence[str], metric: str, split: str = "", group: str | None = None) -> str:
    """What a program must read, write and print, where it reports its own score.

    Args:
        sample: the sample submission, below the public folder; empty where there is none.
        columns: of it, in order.
        metric: in words.
        split: how programs validate, in words; empty: on five folds.
        group: column by which the folds are made; None: shuffled ones.
    """
    names = ", ".join(f"`{c}`" for c in columns)
    form = "in the format that the description asks for"
    if sample:
        form = (
            f"in the format of `input/{sample}`: the columns {names}, in this order and no other (no index), and "
            "exactly the rows of that file, in its order"
        )
    folds = _SHUFFLED if group is None else _BY_GROUP.format(group=group)
    validation = _SPLIT.format(split=split) if split else _FOLDS.format(folds=folds)
    return _CONTRACT.format(form=form, validation=validation, metric=metric)


def deliverable(task: Task, path: Path) -> bytes:
    """A valid submission as it is handed over: the test rows and the columns of the sample, in the sample's order.

    Cells stay the text that the program wrote, and ids that of the sample, so that who takes the file meets what the
    sample submission shows. What a server found valid is handed over as it is.

    Args:
        task: ungraded.
        path: of a submission that was found valid.

    Raises:
        MlesearchError: it can't be read any more.
    """
    data = read_bytes(path, task.max_submission_bytes)
    if isinstance(data, str):
        raise MlesearchError(f"{path}: {data}")
    if task.ungraded is Validity.SERVER:
        return data
    columns = [task.id_column, *task.target_columns]
    known, texts = answers(task), frozenset(columns)
    cells, sample = parse(data, texts), parse((task.public_dir / task.sample).read_bytes(), texts)
    ids, asked = _ids(task, data, known.texts), _ids(task, (task.public_dir / task.sample).read_bytes(), known.texts)
    row_of = np.full(len(known.ids), -1)
    row_of[known.ids.get_indexer(ids)] = np.arange(len(cells))
    rows = row_of[known.ids.get_indexer(asked)]
    is_test = ~np.isin(asked, known.ids[: len(known.ids) - len(known.test)])
    out: pd.DataFrame = cells.iloc[rows[is_test]].reset_index(drop=True)
    out[task.id_column] = sample[task.id_column].to_numpy()[is_test]
    return str(out[list(sample.columns)].to_csv(index=False, lineterminator="\n")).encode()


def _ids(task: Task, data: bytes, texts: frozenset[str]) -> pd.Index[Any]:
    """The ids of a table in its order, as `answers` reads them."""
    import pandas as pd

    found: pd.Index[Any] = pd.Index(parse(data, texts)[task.id_column])
    return found
