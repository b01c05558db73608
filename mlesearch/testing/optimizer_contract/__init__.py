"""The contract of a strategy as a test suite: subclass `OptimizerContract` in a test module and write `make`.

    class TestMine(OptimizerContract):
        def make(self, problem, rng):
            return make({}, problem, rng)

It needs the packages pytest and hypothesis (`pip install mlesearch[test]`). `simulate` alone, a small engine without
model and sandbox, is of use for other tests of a strategy as well.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import ClassVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlesearch.optimizers.base import Optimizer
from mlesearch.testing.optimizer_contract.rules import Rules
from mlesearch.testing.optimizer_contract.scenarios import FAILURES, Scenario, a_diagnosis, a_hypothesis, scenarios
from mlesearch.testing.optimizer_contract.simulation import Ask, AskTell, OutcomeFn, Pick, Tell, simulate
from mlesearch.types import JUDGEMENT_OPS, Op, Outcome, Problem, Proposal, Rng, Status

__all__ = [
    "FAILURES",
    "Ask",
    "AskTell",
    "OptimizerContract",
    "OutcomeFn",
    "Pick",
    "Rules",
    "Scenario",
    "Tell",
    "a_diagnosis",
    "a_hypothesis",
    "scenarios",
    "simulate",
]

_SETTINGS = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)


class OptimizerContract(ABC):
    """Inherit it in a test class and write `make`; every test below then runs against your strategy."""

    max_steps: ClassVar[int] = 40
    """Length of the longest run tried."""

    @abstractmethod
    def make(self, problem: Problem, rng: Rng) -> Optimizer:
        """A new strategy."""

    def expansion(self, p: Proposal) -> Hashable | None:
        """What a proposal expands, where no two proposals in flight may expand the same; None: it may be repeated.

        By default a buggy program is debugged, and a program diagnosed, by one proposal at a time, while several
        improvements of one program may be in flight, which are so many independent samples.
        """
        return (p.op, p.base, p.subject) if p.op in (Op.DEBUG, Op.DIAGNOSE) else None

    def run(self, s: Scenario, history: Sequence[AskTell] = ()) -> list[AskTell]:
        """One run of a new strategy in a scenario, all rules checked."""
        optimizer = self.make(s.problem, s.rng)
        return simulate(
            optimizer,
            s.outcome,
            workers=s.workers,
            steps=s.steps,
            pick=s.pick,
            history=history,
            rules=Rules(self.expansion),
        )

    @_SETTINGS
    @given(data=st.data())
    def test_rules_hold(self, data: st.DataObject) -> None:
        """Dense ids, only finished programs named, nothing in flight expanded twice, None is free, never dry."""
        scenario = data.draw(scenarios(self.max_steps))
        events = self.run(scenario)
        first = events[0]
        assert isinstance(first, Ask)
        p = first.proposal
        assert p.op is Op.DRAFT or p.op in JUDGEMENT_OPS, f"the first proposal needs no program, but it is {p}"

    @_SETTINGS
    @given(data=st.data())
    def test_resumes_from_any_prefix(self, data: st.DataObject) -> None:
        """A new strategy fed any prefix of a run goes on exactly as the first did (so its state is a fold)."""
        scenario = data.draw(scenarios(self.max_steps))
        events = self.run(scenario)
        cut = data.draw(st.integers(0, len(events)), label="events before the cut")
        resumed = self.run(scenario, events[:cut])
        for was, now in zip(events, resumed, strict=False):
            assert now == was, f"resumed after {cut} events, it goes on with {now} where it had gone on with {was}"
        assert len(resumed) == len(events), f"resumed after {cut} events, it ends elsewhere"

    @_SETTINGS
    @given(data=st.data(), status=st.sampled_from(FAILURES), workers=st.integers(1, 8))
    def test_never_dry_when_all_fail(self, data: st.DataObject, status: Status, workers: int) -> None:
        """Every proposal fails with one and the same status, and the strategy still makes the next one."""
        steps = data.draw(st.integers(1, self.max_steps))

        def fail(p: Proposal) -> Outcome:
            return Outcome(p.id, p.op, status if p.op.makes_program else Status.REPLY_UNUSABLE)

        scenario = Scenario(seed=0, steps=steps)
        optimizer = self.make(scenario.problem, scenario.rng)
        events = simulate(optimizer, fail, workers=workers, steps=steps, rules=Rules(self.expansion))
        made = sum(isinstance(e, Tell) and e.outcome.op.makes_program for e in events)
        assert made == steps, f"{made} of {steps} steps were made"
