"""What a strategy asks for, and what it is told to think with: proposals, guidance, hypotheses, diagnoses."""

from __future__ import annotations

from dataclasses import dataclass

from mlesearch.types.kinds import Component, GuidanceKind, Op, ProblemKind, VerdictKind

Embedding = tuple[float, ...]
"""A unit vector of floats; its length is the embedder's dimension."""


@dataclass(frozen=True, slots=True)
class HypothesisScores:
    """The model's five scores of a hypothesis, each from 1 to 10."""

    alignment: float
    impact: float
    novelty: float
    feasibility: float
    risk: float

    @property
    def weighted(self) -> float:
        """Weighted sum: alignment .2, impact .4, novelty .2, feasibility .1, risk against reward .1."""
        return 0.2 * self.alignment + 0.4 * self.impact + 0.2 * self.novelty + 0.1 * self.feasibility + 0.1 * self.risk


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One proposed step: a change that should fix a problem, with the model's prediction of its worth."""

    text: str
    problem: str
    problem_kind: ProblemKind
    component: Component
    scores: HypothesisScores
    embedding: Embedding | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The structured reasoning about one executed program (the gradient)."""

    format_valid: bool
    severely_misaligned: bool  # validation leaks or measures something else than the task does
    changes: str
    observations: str
    hypothesis_supported: bool | None
    quality_better: bool
    replace: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Guidance:
    """One typed text that a strategy wants the prompt to show.

    Attributes:
        kind: what it is.
        text: the hypothesis, or whatever else its kind says.
        node: the program that it is about.
        score: validation score of that program.
        component: the part of the solution that the hypothesis changes.
        verdict: what the strategy decided about the node.
        problem: the problem behind the hypothesis.
        problem_kind: where that problem was seen.
        ratings: the model's five scores of the hypothesis.
        gain: the node's score against that of the program it edited, in the task's direction: positive is better.
        changes: what the node's program changed.
        finding: what was learned from it.
    """

    kind: GuidanceKind
    text: str
    node: int | None = None
    score: float | None = None
    component: Component | None = None
    verdict: VerdictKind | None = None
    problem: str = ""
    problem_kind: ProblemKind | None = None
    ratings: HypothesisScores | None = None
    gain: float | None = None
    changes: str = ""
    finding: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One decision of a strategy: apply this operator to this program, with this guidance.

    Attributes:
        id: dense: the number of proposals before it.
        op: the operator.
        base: the program that is edited; for a judgement, the one compared against.
        subject: the node that a judgement is about.
        parents: lineage: the drawn tree, the path of a back-up. No prompt shows it, except that of a MERGE without a
            context, which combines the base with those of them that are valid.
        context: nodes whose plan, score and lesson the prompt shows; None: the shared scope rule. For a MERGE, the
            programs that its base is combined with; name them here where they are not the lineage.
        guidance: typed text for the prompt.
        trace: which parallel trace it belongs to.
    """

    id: int
    op: Op
    base: int | None = None
    subject: int | None = None
    parents: tuple[int, ...] = ()
    context: tuple[int, ...] | None = None
    guidance: tuple[Guidance, ...] = ()
    trace: int = 0
