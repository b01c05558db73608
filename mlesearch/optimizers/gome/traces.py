"""A trace: a linear chain of steps with revert, each a small state machine.

propose (HYPOTHESIZE) -> (SELECT) -> implement (DRAFT, IMPROVE, MERGE) -> (DEBUG)* -> DIAGNOSE -> closed.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from mlesearch.optimizers.gome.memory import FloatArray, MemoryEntry, unit
from mlesearch.types import Component, Direction, Embedding, Guidance, Hypothesis, Op, Outcome, VerdictKind


class Stage(enum.StrEnum):
    """What a step asks next."""

    HYPOTHESIZE = "hypothesize"
    SELECT = "select"
    IMPLEMENT = "implement"
    DEBUG = "debug"
    DIAGNOSE = "diagnose"


@dataclass(slots=True)
class Step:
    """One step of a trace, from its first proposal until it is accepted or rejected.

    Attributes:
        started: its number among all steps: the oldest moves first.
        op: DRAFT, IMPROVE or MERGE, as its program is made.
        stage: what it asks next, or has asked while `in_flight`.
        base: the accepted program that is edited; None for a draft.
        reference: the score of `base`.
        others: for a MERGE, the best accepted programs of the other traces; `lessons` are the experiments behind all.
        parents: lineage of its program.
        candidates: of HYPOTHESIZE.
        chosen: what the program implements: one hypothesis, all of them in a draft, none without reasoning.
        selected: whether SELECT chose, who has seen the memory entries.
        retrieved: memory entries that its prompts show; final once `retrieval_done`.
        node: the latest program; `score` once it is valid.
        plan: of the first program.
        lesson: of the latest.
        debugs: asked so far.
        buggy: its buggy programs, oldest first.
    """

    started: int
    op: Op
    stage: Stage
    base: int | None
    reference: float | None
    parents: tuple[int, ...]
    others: tuple[int, ...] = ()
    lessons: tuple[Guidance, ...] = ()
    in_flight: bool = False
    candidates: tuple[Hypothesis, ...] = ()
    chosen: tuple[Hypothesis, ...] = ()
    selected: bool = False
    retrieved: tuple[MemoryEntry, ...] = ()
    retrieval_done: bool = False
    node: int | None = None
    score: float | None = None
    plan: str = ""
    lesson: str = ""
    debugs: int = 0
    buggy: list[int] = field(default_factory=list)

    def learn_program(self, outcome: Outcome) -> None:
        """A program of this step was executed."""
        if self.node is None:
            self.plan = outcome.plan
        self.node, self.lesson = outcome.id, outcome.lesson
        if outcome.valid:
            self.score = outcome.score
        else:
            self.buggy.append(outcome.id)

    def gain(self, direction: Direction) -> float | None:
        """The score of its program against that of `base`, positive where better; None without both."""
        if self.score is None or self.reference is None:
            return None
        gain = direction.sign * (self.score - self.reference)
        return gain if math.isfinite(gain) else None  # the difference of two finite floats may not be one

    @property
    def text(self) -> str:
        """What it tried: its hypotheses, or else its plan."""
        return "\n".join(h.text for h in self.chosen) or self.plan or "(no plan was stated)"

    @property
    def component(self) -> Component | None:
        """The part of the solution that it changed, where that is one."""
        return self.chosen[0].component if len(self.chosen) == 1 else None

    @property
    def problem(self) -> str:
        """The problem behind what it tried; empty where there were several or none."""
        return self.chosen[0].problem if len(self.chosen) == 1 else ""

    @property
    def embedding(self) -> Embedding | FloatArray | None:
        """The embedding of what it tried: the direction of the sum where there are several hypotheses."""
        if len(self.chosen) == 1:
            return self.chosen[0].embedding
        vectors = [v for v in (unit(h.embedding) for h in self.chosen) if v is not None]
        if not vectors or len({v.size for v in vectors}) > 1:
            return None
        return unit(np.sum(vectors, axis=0))


@dataclass(slots=True)
class Trace:
    """One chain.

    Attributes:
        index: its number.
        history: how many experiments of each kind it remembers for prompts.
        last: its last program, accepted or not: the lineage of the next.
        accepted: its latest accepted program: what the next one edits; with its score.
        best: its best accepted program, with its score.
        n_accepted: closed steps that were accepted.
        n_failed: closed steps that were not.
        successes: accepted experiments, oldest first.
        failures: experiments since the last acceptance, oldest first.
        diagnosis: the last one.
        approach: what its latest draft set out to do, for other traces to avoid.
        current: what its step in progress implements, likewise.
        recalled: the memory entries that its last step retrieved.
        step: in progress; None while idle.
    """

    index: int
    history: int
    last: int | None = None
    accepted: int | None = None
    accepted_score: float | None = None
    best: int | None = None
    best_score: float | None = None
    n_accepted: int = 0
    n_failed: int = 0
    successes: deque[Guidance] = field(init=False)
    failures: deque[Guidance] = field(init=False)
    diagnosis: Guidance | None = None
    approach: tuple[Guidance, ...] = ()
    current: tuple[Guidance, ...] = ()
    recalled: tuple[MemoryEntry, ...] = ()
    step: Step | None = None

    def __post_init__(self) -> None:
        self.successes = deque(maxlen=self.history)
        self.failures = deque(maxlen=self.history)

    @property
    def length(self) -> int:
        """L: how many steps it has closed."""
        return self.n_accepted + self.n_failed

    @property
    def due(self) -> bool:
        """Whether it has a step whose next proposal can be asked."""
        return self.step is not None and not self.step.in_flight

    def close(self, kind: VerdictKind, experiment: Guidance, is_best: bool) -> None:
        """End the step in progress.

        Args:
            kind: what became of its program.
            experiment: how prompts tell of it later.
            is_best: whether its score betters the best accepted one of the trace.
        """
        step, self.step, self.current = self.step, None, ()
        if kind is not VerdictKind.ACCEPTED or step is None:
            self.n_failed += 1
            self.failures.append(experiment)
            return
        self.n_accepted += 1
        self.accepted, self.accepted_score = step.node, step.score
        if is_best:
            self.best, self.best_score = step.node, step.score
        self.failures.clear()
        self.successes.append(experiment)
