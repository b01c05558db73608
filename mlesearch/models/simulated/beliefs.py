"""What the engineer believes about the worth of a step, given its capability.

The score of an edit is e = c·z + sqrt(1 − c²)·(sqrt(k)·misbelief + sqrt(1 − k)·fresh): z the normal score of the
true gain's rank among all edits possible from here, misbelief a standard normal that belongs to (model, task, edit)
for good, fresh a standard normal of this call. All three have unit variance, so c is the correlation of belief and
truth, and of two edits the better one is told with probability 1/2 + asin(c)/pi.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mlesearch.models.simulated import truth as _truth
from mlesearch.models.simulated.chance import Stream, fixed_normal
from mlesearch.models.simulated.spaces import Edit, Pipeline, Space
from mlesearch.models.simulated.truth import Truth

World = Callable[[str], Truth]
"""The truth of a task by its id. Raises KeyError for a task that this world does not hold."""

MOST_MERGES = 128
"""Merges considered at most."""


def shipped(task: str) -> Truth:
    """The shipped truth of a task. Raises KeyError where there is none."""
    return _truth.load(task)


def digest(task: str) -> str:
    """Digest of the shipped truth of a task."""
    return _truth.digest(task)


@lru_cache(maxsize=65536)
def misbelief(model: str, task: str, choice: str, option: str) -> float:
    """The misconception of a model about an option of a task: a standard normal draw that never changes."""
    return fixed_normal(model, task, choice, option)


@dataclass(frozen=True, slots=True)
class Belief:
    """A step that was thought of, with its believed worth."""

    step: Edit
    score: float


class Mind:
    """The beliefs of one model in one call.

    Args:
        model: its name.
        task: the task's truth and space.
        capability: c of this call, from 0 to 1.
        persistence: k, from 0 to 1.
        breadth: how many steps it thinks of at a time.
        stream: of this call.
    """

    def __init__(
        self, model: str, task: Truth, capability: float, persistence: float, breadth: int, stream: Stream
    ) -> None:
        self._model, self._truth = model, task
        self.space: Space = task.space
        self._c = capability
        self._blur = math.sqrt(1.0 - capability**2)
        self._old, self._new = math.sqrt(persistence), math.sqrt(1.0 - persistence)
        self._breadth = breadth
        self._stream = stream

    def _noise(self, edit: Edit) -> float:
        fixed = misbelief(self._model, self.space.task, self.space.choices[edit.choice].name, edit.option)
        return self._old * fixed + self._new * self._stream.normal()

    def steps(self, pipeline: Pipeline, refuse: Callable[[Edit], bool] = lambda _: False) -> list[Belief]:
        """The steps it thinks of from a pipeline, the best believed first.

        Args:
            pipeline: where it stands.
            refuse: steps that it will not take; they are ranked like all others, and not returned.
        """
        beliefs = [
            Belief(edit, self._c * z + self._blur * self._noise(edit)) for edit, z in self._truth.edits(pipeline)
        ]
        open_ = [belief for belief in beliefs if not refuse(belief.step)]
        return sorted(self._stream.subset(open_, self._breadth), key=lambda belief: -belief.score)

    def of(self, pipeline: Pipeline, edits: Sequence[Edit]) -> float | None:
        """The believed worth of given steps together; None where they change nothing."""
        known = dict(self._truth.edits(pipeline))
        steps = [edit for edit in edits if edit in known]
        if not steps:
            return None
        return sum(self._c * known[edit] + self._blur * self._noise(edit) for edit in steps) / math.sqrt(len(steps))

    def merge(self, base: Pipeline, others: Sequence[Pipeline], tried: Collection[Pipeline]) -> Pipeline | None:
        """The best believed mixture of a pipeline with others, itself none of them; None where there is none."""
        options = [tuple(dict.fromkeys(settings)) for settings in zip(base, *others, strict=True)]
        mixtures = list(itertools.islice(itertools.product(*options), MOST_MERGES))
        mixtures = [p for p in mixtures if p != base and p not in others]
        if not mixtures:
            return None
        ranks = dict(zip(mixtures, self._truth.ranked(mixtures), strict=True))
        new = [p for p in mixtures if p not in tried] or mixtures
        thought = self._stream.subset(new, self._breadth)

        def believed(pipeline: Pipeline) -> float:
            edits = [Edit(i, o) for i, o in enumerate(pipeline) if o != base[i]]
            noise = sum(self._noise(edit) for edit in edits) / math.sqrt(len(edits))
            return self._c * ranks[pipeline] + self._blur * noise

        return max([(believed(p), -i, p) for i, p in enumerate(thought)])[2]

    def gain(self, before: Pipeline, after: Pipeline) -> float:
        """The believed gain of one program over another, on a normal scale: positive means better."""
        return self._c * self._truth.signed(before, after) + self._blur * self._stream.normal()

    def notices(self) -> bool:
        """Whether it sees a fault that is there to be seen: with probability 1/2 + asin(c)/pi."""
        return self._stream.uniform() < 0.5 + math.asin(self._c) / math.pi
