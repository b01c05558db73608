"""What the engineer believes about the worth of a step, given its capability and the evidence that it has read.

The belief in a step is

    e = sqrt(1 − f)·(c·u + sqrt(1 − c²)·(sqrt(k)·misbelief + sqrt(1 − k)·fresh)) + sqrt(f)·said

with f the share of its worth that is hidden, u the part that is not (truth.py), c the capability, misbelief a standard
normal that belongs to (model, task, option) for good, fresh a standard normal of this call, and `said` what the
evidence in the prompt says of the hidden part h; 0 where it says nothing. An item of evidence is

    c·h + sqrt(1 − c²)·(sqrt(k)·misbelief' + sqrt(1 − k)·fresh')

with errors of its own, so its sign is right with probability 1/2 + asin(c)/pi. Where there is an item about every
step, or f = 0, c is the correlation of belief and truth; where there is none, c·sqrt(1 − f) is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mlesearch.models.simulated import truth as _truth
from mlesearch.models.simulated.chance import Stream, fixed_normal
from mlesearch.models.simulated.evidence import CARRIES, USUAL_SIZE, Evidence, EvidenceItem, combined
from mlesearch.models.simulated.spaces import Edit, Pipeline, Space
from mlesearch.models.simulated.truth import Parts, TaskTruth
from mlesearch.tasks.synthetic.names import STATES

World = Callable[[str], TaskTruth]
"""The truth of a task by its id. Raises KeyError for a task that this world does not hold."""

MOST_MERGES = 128
"""Merges considered at most."""


def shipped(task: str) -> TaskTruth:
    """The shipped truth of a task. Raises KeyError where there is none."""
    return _truth.truth_of(task)


def digest(task: str) -> str:
    """Digest of the shipped truth of a task."""
    return _truth.digest(task)


def worlds_version() -> int:
    """The version of the worlds of synthetic tasks."""
    return _truth.worlds_version()


@lru_cache(maxsize=65536)
def misbelief(model: str, task: str, choice: str, option: str, about: str = "") -> float:
    """The misconception of a model about an option of a task: a standard normal draw that never changes.

    Args:
        model: its name.
        task: its id.
        choice: its name.
        option: its name.
        about: "evidence" for the misreading of what a run shows of the option; empty for what it thinks beforehand.
    """
    return fixed_normal(model, task, choice, option, *([about] if about else []))


@dataclass(frozen=True, slots=True)
class Faculties:
    """How a mind works: its capability c, persistence k, breadth, and f, the share of worth that it can't know."""

    capability: float
    persistence: float
    breadth: int
    evidence_share: float


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
        faculties: how it works.
        call: what its randomness depends on.
    """

    def __init__(self, model: str, task: TaskTruth, faculties: Faculties, call: tuple[object, ...]) -> None:
        self._model, self._truth, self._faculties, self._call = model, task, faculties, call
        self.space: Space = task.space
        self.stream = Stream(*call)
        self._c = faculties.capability
        self._blur = math.sqrt(1.0 - self._c**2)
        self._old, self._new = math.sqrt(faculties.persistence), math.sqrt(1.0 - faculties.persistence)
        self._f = faculties.evidence_share
        self._plain, self._veiled = math.sqrt(1.0 - self._f), math.sqrt(self._f)
        self._said: dict[Edit, float] = {}

    # evidence

    def learn(self, evidence: Evidence) -> None:
        """Take in what a prompt holds of evidence: from now on it counts.

        Each text is read with a stream of its own, so that one text more or less changes the reading of no other.
        """
        if self._f == 0.0:
            return
        items = list(evidence.items)
        for role, pipeline in evidence.outputs:
            items += self.items(pipeline, CARRIES["output"], Stream(*self._call, "output", role))
        right = 0.5 + math.asin(self._c) / math.pi
        for key, edit, sign in evidence.gains:
            understood = Stream(*self._call, "gain", key).uniform() < right
            items.append(EvidenceItem(edit, self._veiled * USUAL_SIZE * (sign if understood else -sign)))
        self._said = combined(items, self._c, self._faculties.persistence)

    def items(self, pipeline: Pipeline, count: int, stream: Stream | None = None) -> list[EvidenceItem]:
        """What it sees in the output of a pipeline's run: items about steps from there, drawn uniformly."""
        if self._f == 0.0:
            return []
        stream = stream or Stream(*self._call, "items")
        seen = stream.subset(self._truth.edits(pipeline), count)
        return [self._item(edit, z, stream) for edit, z in seen]

    def verdict(self, base: Pipeline, subject: Pipeline) -> list[EvidenceItem]:
        """What it sees in the output of a program of the one step that it changed; nothing of a larger change."""
        steps = [Edit(i, option) for i, option in enumerate(subject) if option != base[i]]
        if self._f == 0.0 or len(steps) != 1:
            return []
        return [self._item(steps[0], dict(self._truth.edits(base))[steps[0]], Stream(*self._call, "verdict"))]

    def _item(self, edit: Edit, z: float, stream: Stream) -> EvidenceItem:
        hidden = self._truth.parts(z, (edit,), self._f).hidden
        return EvidenceItem(edit, self._c * hidden + self._blur * self._noise(edit, stream, "evidence"))

    # beliefs

    def _noise(self, edit: Edit, stream: Stream, about: str = "") -> float:
        fixed = misbelief(self._model, self.space.task, self.space.choices[edit.choice].name, edit.option, about)
        return self._old * fixed + self._new * stream.normal()

    def _believed(self, z: float, edits: Sequence[Edit]) -> tuple[float, float]:
        """The believed worth of a change, and the noise in it, by which ties are broken."""
        known = self._plain * z + self._veiled * self._truth.misleading(edits)
        if len(edits) == 1:
            noise, said = self._noise(edits[0], self.stream), self._said.get(edits[0], 0.0)
            return self._plain * (self._c * known + self._blur * noise) + self._veiled * said, noise
        size = math.sqrt(len(edits))
        noise = sum(self._noise(edit, self.stream) for edit in edits) / size
        said = sum(self._said.get(edit, 0.0) for edit in edits) / size
        return self._plain * (self._c * known + self._blur * noise) + self._veiled * said, noise

    def steps(self, pipeline: Pipeline, refused: Collection[Edit] = ()) -> list[Belief]:
        """The steps it thinks of from a pipeline, the best believed first.

        Args:
            pipeline: where it stands.
            refused: steps that it will not take; the truth ranks them like all others, and they are not returned.
        """
        open_ = [step for step in self._truth.edits(pipeline) if step[0] not in refused]
        thought = self.stream.subset(open_, self._faculties.breadth)
        beliefs = [(edit, *self._believed(z, (edit,))) for edit, z in thought]
        ranked = sorted(beliefs, key=lambda belief: (-belief[1], -belief[2]))
        return [Belief(edit, score) for edit, score, _ in ranked]

    def of(self, pipeline: Pipeline, edits: Sequence[Edit]) -> float | None:
        """The believed worth of given steps together; None where they change nothing."""
        known = dict(self._truth.edits(pipeline))
        steps = [edit for edit in edits if edit in known]
        if not steps:
            return None
        return sum(self._believed(known[edit], (edit,))[0] for edit in steps) / math.sqrt(len(steps))

    def merge(self, base: Pipeline, others: Sequence[Pipeline], tried: Collection[Pipeline]) -> Pipeline | None:
        """The best believed mixture of a pipeline with others, itself none of them; None where there is none."""
        options = [tuple(dict.fromkeys(settings)) for settings in zip(base, *others, strict=True)]
        mixtures = list(itertools.islice(itertools.product(*options), MOST_MERGES))
        mixtures = [p for p in mixtures if p != base and p not in others]
        if not mixtures:
            return None
        ranks = dict(zip(mixtures, self._truth.ranked(mixtures), strict=True))
        new = [p for p in mixtures if p not in tried] or mixtures
        thought = self.stream.subset(new, self._faculties.breadth)

        def believed(pipeline: Pipeline) -> tuple[float, float]:
            return self._believed(ranks[pipeline], [Edit(i, o) for i, o in enumerate(pipeline) if o != base[i]])

        return max([(*believed(p), -i, p) for i, p in enumerate(thought)])[3]

    def gain(self, before: Pipeline, after: Pipeline, *, ran: bool) -> float:
        """The believed gain of one program over another, on a normal scale: positive means better.

        Args:
            before: a pipeline.
            after: another.
            ran: whether the prompt shows what the second printed; without it, the hidden part stays unknown.
        """
        steps = [Edit(i, option) for i, option in enumerate(after) if option != before[i]]
        noise, misread = self.stream.normal(), self.stream.normal()
        if not steps:
            return noise
        parts: Parts = self._truth.parts(self._truth.signed(before, after), steps, self._f)
        hidden = self._c * parts.hidden + self._blur * misread
        believed = self._plain * (self._c * parts.known + self._blur * noise) + self._veiled * hidden * ran
        return believed or noise

    def random_state(self) -> int:
        """The random state of the program that it writes; drawn from a stream of its own."""
        return int(Stream(*self._call, "random_state").uniform() * STATES)

    def notices(self) -> bool:
        """Whether it sees a fault that is there to be seen: with probability 1/2 + asin(c)/pi."""
        return self.stream.uniform() < 0.5 + math.asin(self._c) / math.pi
