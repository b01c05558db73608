"""Any run: how programs and judgements turn out, in which order, and how hypothesis draws one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from mlesearch.types import (
    Component,
    Context,
    Diagnosis,
    Direction,
    Hypothesis,
    HypothesisScores,
    Op,
    Outcome,
    Problem,
    ProblemKind,
    Proposal,
    Status,
)

FAILURES = tuple(s for s in Status if s is not Status.OK)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run: how programs and judgements turn out, and in which order.

    Attributes:
        seed: of everything below that is drawn.
        direction: of the score.
        steps: program proposals.
        declared: whether the strategy is told the number of steps.
        workers: 1 to 8.
        p_fail: probability that a proposal fails, with any failure status.
        context: the rule that fills the context of prompts.
        mirrored: whether every score has the other sign; with the other direction, the same programs are better.
        scores: "smooth", "ties" (few values, whole numbers), "wide" (hundreds of magnitudes) or "equal".
    """

    seed: int
    direction: Direction = Direction.MAXIMIZE
    steps: int = 30
    declared: bool = True
    workers: int = 1
    p_fail: float = 0.3
    scores: str = "smooth"
    context: Context = Context.SHARED
    mirrored: bool = False

    @property
    def problem(self) -> Problem:
        """What the strategy is told."""
        return Problem(self.direction, self.steps if self.declared else None, self.context)

    def rng(self, proposal: int) -> np.random.Generator:
        """The strategy's randomness."""
        return np.random.default_rng([self.seed, 1, proposal])

    def pick(self, told: int, pending: int) -> int:
        """Any order of completion."""
        return int(np.random.default_rng([self.seed, 2, told]).integers(pending))

    def outcome(self, p: Proposal) -> Outcome:
        """What becomes of a proposal."""
        draws = np.random.default_rng([self.seed, 3, p.id])
        if draws.random() < self.p_fail:
            status = FAILURES[int(draws.integers(len(FAILURES)))] if p.op.makes_program else Status.REPLY_UNUSABLE
            return Outcome(p.id, p.op, status, plan=f"plan {p.id}", lesson=f"lesson {p.id}")
        if p.op is Op.DIAGNOSE:
            return Outcome(p.id, p.op, Status.OK, diagnosis=a_diagnosis(draws))
        if not p.op.makes_program:
            count = 1 if p.op is Op.SELECT else int(draws.integers(1, 6))
            return Outcome(p.id, p.op, Status.OK, hypotheses=tuple(a_hypothesis(p.id, i, draws) for i in range(count)))
        return Outcome(p.id, p.op, Status.OK, self._signed(draws), f"plan {p.id}", f"lesson {p.id}")

    def _signed(self, draws: np.random.Generator) -> float:
        return -self._score(draws) if self.mirrored else self._score(draws)

    def _score(self, draws: np.random.Generator) -> float:
        match self.scores:
            case "ties":
                return int(draws.integers(3))
            case "wide":
                return float(draws.choice([-1.0, 1.0]) * 10.0 ** draws.uniform(-300, 308))
            case "equal":
                return 0.5
        return float(draws.normal())


def a_diagnosis(draws: np.random.Generator) -> Diagnosis:
    """A diagnosis with any findings, sound ones more often."""
    flags = draws.random(5)
    return Diagnosis(
        format_valid=bool(flags[0] < 0.9),
        severely_misaligned=bool(flags[1] < 0.15),
        changes="what changed",
        observations="what was seen",
        hypothesis_supported=(None, True, False)[int(draws.integers(3))],
        quality_better=bool(flags[2] < 0.5),
        replace=bool(flags[3] < 0.5),
        reason="why",
    )


def a_hypothesis(proposal: int, index: int, draws: np.random.Generator) -> Hypothesis:
    """A hypothesis with any scores; one in five has no embedding."""
    vector = draws.normal(size=8)
    embedding = tuple(float(x) for x in vector / np.linalg.norm(vector))
    return Hypothesis(
        f"hypothesis {proposal}.{index}",
        f"problem {proposal}.{index}",
        list(ProblemKind)[int(draws.integers(2))],
        list(Component)[int(draws.integers(5))],
        HypothesisScores(*(float(x) for x in draws.integers(1, 11, size=5))),
        None if draws.random() < 0.2 else embedding,
    )


def scenarios(max_steps: int = 40) -> st.SearchStrategy[Scenario]:
    """Any scenario."""
    return st.builds(
        Scenario,
        seed=st.integers(0, 2**32 - 1),
        direction=st.sampled_from(Direction),
        steps=st.integers(1, max_steps),
        declared=st.booleans(),
        workers=st.integers(1, 8),
        p_fail=st.sampled_from([0.0, 0.1, 0.3, 0.6, 0.9, 1.0]),
        scores=st.sampled_from(["smooth", "ties", "wide", "equal"]),
        context=st.sampled_from(Context),
    )
