"""The truth about every pipeline of a task: the only module that reads the tables.

A table holds what each program of a space really scored when it was executed (experiments/make_landscapes.py).
The worth of a step is its gain on the *test* rows, so that an able engineer is one whose ideas generalise; the
search itself only ever sees validation scores, which come from executing the programs.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from mlesearch.models.simulated.chance import normal_quantile
from mlesearch.models.simulated.spaces import Edit, Pipeline, apply, space

ROUNDING = 9
"""Decimals to which gains are compared, so that equal scores tie."""


@dataclass(frozen=True, slots=True)
class PipelineScores:
    """One executed pipeline: its scores in the metric's own units and its run time in seconds."""

    validation: float
    test: float
    seconds: float


def normal_scores(values: Sequence[float]) -> tuple[float, ...]:
    """Normal scores of the ranks of some values (larger is better); ties share their mean rank."""
    n = len(values)
    rounded = [round(v, ROUNDING) for v in values]
    order = sorted(range(n), key=rounded.__getitem__)
    scores = [0.0] * n
    start = 0
    while start < n:
        end = start
        while end + 1 < n and rounded[order[end + 1]] == rounded[order[start]]:
            end += 1
        quantile = normal_quantile((0.5 * (start + end) + 0.5) / n)
        for position in range(start, end + 1):
            scores[order[position]] = quantile
        start = end + 1
    return tuple(scores)


class Truth:
    """What steps are worth in one task."""

    def __init__(self, task: str, rows: Mapping[Pipeline, PipelineScores]) -> None:
        """Take a table.

        Raises:
            ValueError: a pipeline of the space has no row, or a row is no pipeline of the space.
        """
        self.space = space(task)
        if set(rows) != set(self.space.pipelines):
            raise ValueError(f"the table of {task} does not hold exactly the pipelines of its space")
        self.rows = dict(rows)
        self._worth = {p: self.space.direction.sign * row.test for p, row in rows.items()}
        self._edits: dict[Pipeline, tuple[tuple[Edit, float], ...]] = {}

    def gain(self, before: Pipeline, after: Pipeline) -> float:
        """How much better the second scores on the test rows; positive is better in either direction."""
        return round(self._worth[after] - self._worth[before], ROUNDING)

    def edits(self, pipeline: Pipeline) -> tuple[tuple[Edit, float], ...]:
        """Every step from a pipeline with the normal score of its gain's rank among them."""
        found = self._edits.get(pipeline)
        if found is None:
            steps = self.space.edits(pipeline)
            scores = normal_scores([self.gain(pipeline, apply(pipeline, step)) for step in steps])
            found = self._edits[pipeline] = tuple(zip(steps, scores, strict=True))
        return found

    def ranked(self, pipelines: Sequence[Pipeline]) -> tuple[float, ...]:
        """Normal scores of some pipelines' ranks among themselves."""
        return normal_scores([self._worth[p] for p in pipelines])

    def signed(self, before: Pipeline, after: Pipeline) -> float:
        """A gain with its true sign on a normal scale: its size ranked among those of all steps from `before`."""
        gain = self.gain(before, after)
        sizes = sorted(abs(self.gain(before, apply(before, step))) for step in self.space.edits(before))
        below = sum(size < abs(gain) for size in sizes)
        half = normal_quantile(0.5 + 0.5 * (below + 0.5) / (len(sizes) + 1))
        return 0.0 if gain == 0.0 else half if gain > 0 else -half


def _text(task: str) -> str:
    return (files("mlesearch.models.simulated") / "tables" / f"{task}.csv").read_text(encoding="utf-8")


@cache
def load(task: str) -> Truth:
    """The shipped table of a task.

    Raises:
        KeyError: the task has no space.
    """
    where = space(task)
    names = [c.name for c in where.choices]
    rows = {
        tuple(line[name] for name in names): PipelineScores(
            *(float(line[c]) for c in ("validation", "test", "seconds"))
        )
        for line in csv.DictReader(line for line in _text(task).splitlines() if not line.startswith("#"))
    }
    return Truth(task, rows)


@cache
def digest(task: str) -> str:
    """sha256 of the shipped table, for a run's identity: 16 hexadecimal digits."""
    return hashlib.sha256(_text(task).encode()).hexdigest()[:16]
