"""The truth about every pipeline of a task: the only module that reads the tables and the worlds of synthetic tasks.

A table holds what each program of a space really scored when it was executed (experiments/make_landscapes.py).
The worth of a step is its gain on the *test* rows, so that an able engineer is one whose ideas generalise; the
search itself only ever sees validation scores, which come from executing the programs. Of synthetic tasks there are no
tables but functions (mlesearch.tasks.synthetic.world), behind the same interface.

A share f of that worth is hidden. With z the worth on a normal scale and w a standard normal number that belongs to
the task and the option for good, what can be known of a step without evidence is u = sqrt(1 − f)·z + sqrt(f)·w, and
what only evidence shows is h = sqrt(f)·z − sqrt(1 − f)·w. For Gaussian z both are standard normal and independent of
each other, and z = sqrt(1 − f)·u + sqrt(f)·h. With f = 0 nothing is hidden; with f = 1, u says nothing about z.
"""

from __future__ import annotations

import csv
import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from operator import getitem

from mlesearch.models.simulated.chance import fixed_normal, normal_quantile
from mlesearch.models.simulated.spaces import Edit, Pipeline, Space, apply, space
from mlesearch.tasks.synthetic.names import ID_PREFIX
from mlesearch.tasks.synthetic.outline import VERSION
from mlesearch.tasks.synthetic.world import world

ROUNDING = 9
"""Decimals to which gains are compared, so that equal scores tie."""

MOST_KEPT = 256
"""Pipelines of a task whose steps are kept in memory: more than a run meets, little for many tasks."""


@dataclass(frozen=True, slots=True)
class PipelineScores:
    """One executed pipeline: its scores in the metric's own units and its run time in seconds."""

    validation: float
    test: float
    seconds: float


def normal_scores(values: Sequence[float]) -> tuple[float, ...]:
    """Normal scores of the ranks of some values (larger is better); ties share their mean rank."""
    return _scores_of_ranks([round(v, ROUNDING) for v in values])


def _scores_of_ranks(values: Sequence[float]) -> tuple[float, ...]:
    """The same of values that are rounded already."""
    n = len(values)
    order = sorted(range(n), key=values.__getitem__)
    quantiles = _quantiles(n)
    scores = [0.0] * n
    if len(set(values)) == n:
        for position, quantile in zip(order, quantiles, strict=True):
            scores[position] = quantile
        return tuple(scores)
    start = 0
    while start < n:
        end = start
        while end + 1 < n and values[order[end + 1]] == values[order[start]]:
            end += 1
        quantile = quantiles[start] if start == end else normal_quantile((0.5 * (start + end) + 0.5) / n)
        for position in range(start, end + 1):
            scores[order[position]] = quantile
        start = end + 1
    return tuple(scores)


@lru_cache(maxsize=256)
def _quantiles(n: int) -> tuple[float, ...]:
    """Normal scores of the ranks of n different values, the smallest first."""
    return tuple(normal_quantile((i + 0.5) / n) for i in range(n))


@dataclass(frozen=True, slots=True)
class Parts:
    """The worth of a change on a normal scale: what can be known of it without evidence, and what is hidden."""

    known: float
    hidden: float


class TaskTruth(ABC):
    """What steps are worth in one task: what a table and a function have in common."""

    def __init__(self, where: Space) -> None:
        """Take the space."""
        self.space = where
        self._edits: dict[Pipeline, tuple[tuple[Edit, float], ...]] = {}
        self._misleading = {
            Edit(i, option.name): fixed_normal("hidden", where.task, choice.name, option.name)
            for i, choice in enumerate(where.choices)
            for option in choice.options
        }

    @abstractmethod
    def scores(self, pipeline: Pipeline, random_state: int = 0) -> PipelineScores:
        """What a run of a pipeline comes to; the random state matters in synthetic tasks alone."""

    @abstractmethod
    def worth(self, pipeline: Pipeline) -> float:
        """How good a pipeline is: higher is better in either direction."""

    @abstractmethod
    def gains(self, pipeline: Pipeline) -> list[float]:
        """What every step from a pipeline adds to its worth, rounded, in the order of the space's edits."""

    def gain(self, before: Pipeline, after: Pipeline) -> float:
        """How much more the second is worth; positive is better in either direction."""
        return round(self.worth(after) - self.worth(before), ROUNDING)

    def edits(self, pipeline: Pipeline) -> tuple[tuple[Edit, float], ...]:
        """Every step from a pipeline with the normal score of its gain's rank among them."""
        found = self._edits.get(pipeline)
        if found is None:
            if len(self._edits) >= MOST_KEPT:
                self._edits.clear()
            scores = _scores_of_ranks(self.gains(pipeline))
            found = self._edits[pipeline] = tuple(zip(self.space.edits(pipeline), scores, strict=True))
        return found

    def ranked(self, pipelines: Sequence[Pipeline]) -> tuple[float, ...]:
        """Normal scores of some pipelines' ranks among themselves."""
        return normal_scores([self.worth(p) for p in pipelines])

    def parts(self, z: float, edits: Sequence[Edit], share: float) -> Parts:
        """The two parts of a change's worth.

        Args:
            z: its worth on a normal scale.
            edits: the steps that it is made of, one or more.
            share: f, from 0 to 1.
        """
        w = self.misleading(edits)
        plain, veiled = math.sqrt(1.0 - share), math.sqrt(share)
        return Parts(plain * z + veiled * w, veiled * z - plain * w)

    def misleading(self, edits: Sequence[Edit]) -> float:
        """The number w of a change: what misleads everybody who has read nothing about it."""
        if len(edits) == 1:
            return self._misleading[edits[0]]
        return sum(self._misleading[edit] for edit in edits) / math.sqrt(len(edits))

    def signed(self, before: Pipeline, after: Pipeline) -> float:
        """A gain with its true sign on a normal scale: its size ranked among those of all steps from `before`."""
        gain = self.gain(before, after)
        sizes = [abs(size) for size in self.gains(before)]
        below = sum(size < abs(gain) for size in sizes)
        half = normal_quantile(0.5 + 0.5 * (below + 0.5) / (len(sizes) + 1))
        return 0.0 if gain == 0.0 else half if gain > 0 else -half


class Truth(TaskTruth):
    """The truth of a task whose pipelines were all executed: worth is the test score, in the metric's own units."""

    def __init__(self, task: str, rows: Mapping[Pipeline, PipelineScores]) -> None:
        """Take a table.

        Raises:
            ValueError: a pipeline of the space has no row, or a row is no pipeline of the space.
        """
        super().__init__(space(task))
        if set(rows) != set(self.space.pipelines):
            raise ValueError(f"the table of {task} does not hold exactly the pipelines of its space")
        self.rows = dict(rows)
        self._worth = {p: self.space.direction.sign * row.test for p, row in rows.items()}

    def scores(self, pipeline: Pipeline, random_state: int = 0) -> PipelineScores:
        """The row of a pipeline."""
        return self.rows[pipeline]

    def worth(self, pipeline: Pipeline) -> float:
        """The test score; its negative where lower is better."""
        return self._worth[pipeline]

    def gains(self, pipeline: Pipeline) -> list[float]:
        """Differences of test scores."""
        return [self.gain(pipeline, apply(pipeline, step)) for step in self.space.edits(pipeline)]


class WorldTruth(TaskTruth):
    """The truth of a synthetic task: worth is the quality of which its scores are a monotonic function."""

    def __init__(self, task: str) -> None:
        """Take its world.

        Raises:
            KeyError: there is no such task.
        """
        super().__init__(space(task))
        self._world = world(task.removeprefix(ID_PREFIX))
        self._level = [{option.name: i for i, option in enumerate(c.options)} for c in self.space.choices]

    def _levels(self, pipeline: Pipeline) -> tuple[int, ...]:
        return tuple(map(getitem, self._level, pipeline))

    def scores(self, pipeline: Pipeline, random_state: int = 0) -> PipelineScores:
        """What the world's functions say."""
        found = self._world.scores(self._levels(pipeline), random_state)
        return PipelineScores(found.validation, found.test, found.seconds)

    def worth(self, pipeline: Pipeline) -> float:
        """The quality."""
        return self._world.quality(self._levels(pipeline))

    def gains(self, pipeline: Pipeline) -> list[float]:
        """Differences of quality."""
        return self._world.gains(self._levels(pipeline))


def _text(task: str) -> str:
    return (files("mlesearch.models.simulated") / "tables" / f"{task}.csv").read_text(encoding="utf-8")


def truth_of(task: str) -> TaskTruth:
    """The truth of a task: its table, or the functions of its world.

    Raises:
        KeyError: the task has neither.
    """
    return synthetic(task) if task.startswith(ID_PREFIX) else load(task)


@lru_cache(maxsize=128)
def synthetic(task: str) -> WorldTruth:
    """The truth of a synthetic task.

    Raises:
        KeyError: there is no such task.
    """
    return WorldTruth(task)


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


def worlds_version() -> int:
    """The version of the worlds of synthetic tasks, for a run's identity."""
    return VERSION
