"""Gome answered one proposal at a time, and whole histories of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mlesearch.optimizers.base import Optimizer, factory
from mlesearch.testing.optimizer_contract import Ask, AskTell, Scenario, simulate
from mlesearch.types import (
    Component,
    Diagnosis,
    Direction,
    GuidanceKind,
    Hypothesis,
    HypothesisScores,
    Op,
    Outcome,
    Problem,
    ProblemKind,
    Proposal,
    Status,
    Verdict,
    VerdictKind,
)

MAX, MIN = Direction.MAXIMIZE, Direction.MINIMIZE
SOUND = Diagnosis(True, False, "c", "seen", None, False, False, "r")


def hyp(
    text: str = "h",
    component: Component = Component.MODEL,
    impact: float = 5.0,
    embedding: tuple[float, ...] | None = None,
) -> Hypothesis:
    """A hypothesis about a scenario, with the same scores but for its impact."""
    return Hypothesis(text, "p", ProblemKind.SCENARIO, component, HypothesisScores(5, impact, 5, 5, 5), embedding)


BY_NUMBERS: Mapping[str, object] = {
    "acceptance": "numeric",
    "selection": "rank",
    "scale": "robust",
    "pool": "by_probability",
    "merge": True,
}
"""Switches with which the numbers decide, so that a few words of a model's reply are enough for a test."""


def published(direction: Direction = MAX, steps: int = 100, trial_runs: bool = False, **params: object) -> Optimizer:
    """The strategy as published, but for the given parameters, with its own randomness."""
    problem = Problem(direction, steps, trial_runs=trial_runs)
    return factory("gome")(params, problem, lambda id: np.random.default_rng([5, id]))


def gome(direction: Direction = MAX, steps: int = 100, **params: object) -> Optimizer:
    """The strategy as the numbers decide it, but for the given parameters."""
    problem = Problem(direction, steps)
    return factory("gome")({**BY_NUMBERS, **params}, problem, lambda id: np.random.default_rng([5, id]))


class Driver:
    """Answers a strategy one proposal at a time."""

    def __init__(self, search: Optimizer) -> None:
        self.search = search

    def ask(self, used: float = 0.3) -> Proposal | None:
        """The next proposal."""
        return self.search.ask(used)

    def ok(
        self,
        p: Proposal,
        score: float | None = None,
        diagnosis: Diagnosis = SOUND,
        hypotheses: tuple[Hypothesis, ...] | None = None,
    ) -> Sequence[Verdict]:
        """Tell that it worked."""
        if p.op is Op.DIAGNOSE:
            return self.search.tell(Outcome(p.id, p.op, Status.OK, diagnosis=diagnosis))
        if not p.op.makes_program:
            given = (hyp(f"h{p.id}"),) if hypotheses is None else hypotheses
            return self.search.tell(Outcome(p.id, p.op, Status.OK, hypotheses=given))
        return self.search.tell(Outcome(p.id, p.op, Status.OK, score, f"plan {p.id}"))

    def fail(self, p: Proposal, status: Status = Status.ERROR) -> Sequence[Verdict]:
        """Tell that it failed."""
        return self.search.tell(Outcome(p.id, p.op, status, lesson="broke"))

    def step(
        self,
        score: float | None,
        diagnosis: Diagnosis = SOUND,
        used: float = 0.3,
        hypotheses: tuple[Hypothesis, ...] | None = None,
    ) -> tuple[Proposal, Sequence[Verdict]]:
        """One whole step without bugs; returns (program proposal, verdicts)."""
        program: Proposal | None = None
        while True:
            p = self.ask(used)
            assert p is not None
            if p.op.makes_program:
                program = p
            verdicts = self.ok(p, score, diagnosis, hypotheses)
            if verdicts:
                assert program is not None
                return program, verdicts


def texts(p: Proposal, kind: GuidanceKind) -> list[str]:
    """Guidance of one kind."""
    return [g.text for g in p.guidance if g.kind is kind]


BAD_FORMAT, LEAK = replace(SOUND, format_valid=False), replace(SOUND, severely_misaligned=True)
BETTER_CODE, REPLACE = replace(SOUND, quality_better=True), replace(SOUND, replace=True)
ACC, REJ, VOID = VerdictKind.ACCEPTED, VerdictKind.REJECTED, VerdictKind.VOID


def history(steps: int = 60, p_fail: float = 0.2, seed: int = 1, workers: int = 1, **params: object) -> list[AskTell]:
    """A whole search with outcomes drawn at random."""
    scenario = Scenario(seed, steps=steps, p_fail=p_fail, workers=workers)
    search = factory("gome")({**BY_NUMBERS, **params}, scenario.problem, scenario.rng)
    return simulate(search, scenario.outcome, steps=steps, workers=workers, pick=scenario.pick)


def proposals(events: Sequence[AskTell]) -> list[Proposal]:
    """All that was asked."""
    return [e.proposal for e in events if isinstance(e, Ask)]
