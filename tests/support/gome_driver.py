"""Gome answered one proposal at a time, and whole histories of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mlesearch.optimizers.base import factory
from mlesearch.testing.optimizer_contract import Asked, Scenario, simulate
from mlesearch.types import (
    Component,
    Diagnosis,
    Direction,
    Hypothesis,
    HypothesisScores,
    Op,
    Outcome,
    Problem,
    ProblemKind,
    Status,
    VerdictKind,
)

MAX, MIN = Direction.MAXIMIZE, Direction.MINIMIZE
SOUND = Diagnosis(True, False, "c", "seen", None, False, False, "r")


def hyp(text="h", component=Component.MODEL, impact=5.0, embedding=None):
    return Hypothesis(text, "p", ProblemKind.SCENARIO, component, HypothesisScores(5, impact, 5, 5, 5), embedding)


def gome(direction=MAX, steps=100, **params):
    return factory("gome")(params, Problem(direction, steps), lambda id: np.random.default_rng([5, id]))


class Driver:
    """Answers a strategy one proposal at a time."""

    def __init__(self, search):
        self.search = search

    def ask(self, used=0.3):
        return self.search.ask(used)

    def ok(self, p, score=None, diagnosis=SOUND, hypotheses=None):
        if p.op is Op.DIAGNOSE:
            return self.search.tell(Outcome(p.id, p.op, Status.OK, diagnosis=diagnosis))
        if not p.op.makes_program:
            given = (hyp(f"h{p.id}"),) if hypotheses is None else hypotheses
            return self.search.tell(Outcome(p.id, p.op, Status.OK, hypotheses=given))
        return self.search.tell(Outcome(p.id, p.op, Status.OK, score, f"plan {p.id}"))

    def fail(self, p, status=Status.ERROR):
        return self.search.tell(Outcome(p.id, p.op, status, lesson="broke"))

    def step(self, score, diagnosis=SOUND, used=0.3, hypotheses=None):
        """One whole step without bugs; returns (program proposal, verdicts)."""
        p, program = self.ask(used), None
        while True:
            if p.op.makes_program:
                program = p
            verdicts = self.ok(p, score, diagnosis, hypotheses)
            if verdicts:
                return program, verdicts
            p = self.ask(used)


def texts(p, kind):
    return [g.text for g in p.guidance if g.kind is kind]


BAD_FORMAT, LEAK = replace(SOUND, format_valid=False), replace(SOUND, severely_misaligned=True)
BETTER_CODE, REPLACE = replace(SOUND, quality_better=True), replace(SOUND, replace=True)
ACC, REJ, VOID = VerdictKind.ACCEPTED, VerdictKind.REJECTED, VerdictKind.VOID


def history(steps=60, p_fail=0.2, seed=1, workers=1, **params):
    scenario = Scenario(seed, steps=steps, p_fail=p_fail, workers=workers)
    search = factory("gome")(params, scenario.problem, scenario.rng)
    return simulate(search, scenario.outcome, steps=steps, workers=workers, pick=scenario.pick)


def proposals(events):
    return [e.proposal for e in events if isinstance(e, Asked)]
