"""What a maker of data returns: rows by split, and what stands in task.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

TRAIN, VALIDATION, TEST = "train", "validation", "test"

Row = dict[str, object]
Generator = np.random.Generator


@dataclass(frozen=True)
class Meta:
    """What stands in task.yaml as it is.

    Attributes:
        version: raised with each change of data or rules.
        more: further keys of its own.
        reported_split: how programs that report their own score validate; empty: as the contract says.
        reported_words: what their description says, and what it says instead where there are no validation rows.
    """

    title: str
    metric: str
    direction: str
    tags: list[str]
    licence: str
    prediction_range: tuple[float | None, float | None] | None = None
    more: Mapping[str, object] = field(default_factory=dict)
    version: str = "1"
    reported_split: str = ""
    reported_words: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Made:
    """A generated task.

    Attributes:
        rows: by split, in order, with the target.
        target: the column that is hidden in the rows to predict.
        filler: the value that the sample submission predicts; with `classes` it is the same in every column.
        meta: what stands in task.yaml.
        classes: where probabilities are predicted, the column of each label, in order: answers are one-hot.
    """

    rows: Mapping[str, Sequence[Row]]
    target: str
    filler: object
    meta: Meta
    classes: Mapping[object, str] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """The columns of a submission beside the id."""
        return list(self.classes.values()) or [self.target]

    def answer(self, row: Row) -> Row:
        """What is right for a row: its target, or a one-hot row."""
        label = row[self.target]
        return {column: int(label == c) for c, column in self.classes.items()} or {self.target: label}
