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
from dataclasses import replace
from typing import ClassVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mlesearch.optimizers.base import Optimizer
from mlesearch.testing.optimizer_contract.hash_seeds import digests, importable
from mlesearch.testing.optimizer_contract.rules import Rules
from mlesearch.testing.optimizer_contract.scenarios import FAILURES, Scenario, a_diagnosis, a_hypothesis, scenarios
from mlesearch.testing.optimizer_contract.simulation import Ask, AskTell, OutcomeFn, Pick, Tell, simulate
from mlesearch.testing.optimizer_contract.state import held_bytes
from mlesearch.types import JUDGEMENT_OPS, Context, Direction, Op, Outcome, Problem, Proposal, Rng, Status

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
    phases=(Phase.explicit, Phase.generate),  # a shorter run is seldom found, and looking for one takes minutes
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)


_SHORT = 60
"""Programs of the shortest run in which what a strategy holds is weighed."""

_SMALL_BYTES = 20_000
_FEWEST, _ENOUGH = 3, 10
"""Valid programs among which a rank says something; ranks of which a mean does."""


class OptimizerContract(ABC):
    """Inherit it in a test class and write `make`; every test below then runs against your strategy."""

    max_steps: ClassVar[int] = 40
    """Length of the longest run tried."""

    least_rank: ClassVar[float | None] = 0.25
    """The least mean rank, 0 the worst and 1 the best, that programs have among the valid ones when they are improved.
    Drawing them blindly gives one half. None: not checked, for a strategy that goes for bad programs on purpose."""

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

    def events_to_repeat(self) -> list[list[AskTell]]:
        """The runs that are made again under other hash seeds."""
        return [
            self.run(Scenario(seed, steps=self.max_steps, workers=workers, scores=scores, context=context))
            for seed, workers, scores, context in (
                (1, 1, "smooth", Context.SHARED),
                (2, 4, "ties", Context.SHARED),
                (3, 1, "equal", Context.NATIVE),
            )
        ]

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

    @_SETTINGS
    @given(data=st.data())
    def test_follows_the_direction(self, data: st.DataObject) -> None:
        """With all scores negated and the other direction, it decides the same: it knows which programs are better."""
        scenario = replace(data.draw(scenarios(self.max_steps)), direction=Direction.MAXIMIZE)
        mirrored = replace(scenario, direction=Direction.MINIMIZE, mirrored=True)
        for was, now in zip(self.run(scenario), self.run(mirrored), strict=False):
            if isinstance(was, Ask) and isinstance(now, Ask):
                a, b = _decision(was.proposal), _decision(now.proposal)
                assert a == b, (
                    f"direction: where a higher score is better it decides {a}, mirrored where a lower is, {b}"
                )

    def test_prefers_better_programs(self) -> None:
        """What it improves does not stand among the worst, so it does not have the direction the wrong way round."""
        ranks = [r for seed in range(4) for r in _ranks(self.run(Scenario(seed, steps=self.max_steps, p_fail=0.2)))]
        if self.least_rank is not None and len(ranks) >= _ENOUGH:
            mean = sum(ranks) / len(ranks)
            assert mean >= self.least_rank, (
                f"direction: the programs that it improves have a mean rank of {mean:.2f} among the valid ones "
                f"(0 the worst, 1 the best), below {self.least_rank}; see least_rank"
            )

    def test_decides_alike_under_any_hash_seed(self) -> None:
        """In processes with other hash seeds it decides the same: nothing hangs on the order of a set, or on a hash."""
        suite = type(self)
        if not importable(suite):
            import pytest

            pytest.skip("a second process imports the test class: define it at the top of its module")
        one, two = (digests(suite.__module__, seed)[suite.__qualname__] for seed in ("1", "2"))
        assert one == two, "hash seed: it decides otherwise in a process with another PYTHONHASHSEED (a set? a hash?)"

    def test_holds_no_more_than_its_history(self) -> None:
        """What it holds grows with the number of programs, not with the square of it."""
        sizes = []
        for steps in (_SHORT, 2 * _SHORT, 4 * _SHORT):
            scenario = Scenario(seed=5, steps=steps, p_fail=0.1)
            optimizer = self.make(scenario.problem, scenario.rng)
            simulate(optimizer, scenario.outcome, steps=steps)
            sizes.append(held_bytes(optimizer))
        first, second = sizes[1] - sizes[0], sizes[2] - sizes[1]
        assert second <= 3 * max(first, _SMALL_BYTES), (
            f"state: {_SHORT} more programs took {first:,} bytes, and {2 * _SHORT} more after these {second:,}: "
            "it grows with the square of the number of programs"
        )


def _decision(p: Proposal) -> tuple[object, ...]:
    """A proposal without what shows scores."""
    return p.op, p.base, p.subject, p.parents, p.context, p.trace


def _ranks(events: Sequence[AskTell]) -> list[float]:
    """The rank of each improved program among those that were valid then; where there were three at least."""
    scores: dict[int, float] = {}
    found = []
    for event in events:
        if isinstance(event, Tell):
            if event.outcome.op.makes_program and event.outcome.valid and event.outcome.score is not None:
                scores[event.outcome.id] = event.outcome.score
        elif event.proposal.op is Op.IMPROVE and event.proposal.base in scores and len(scores) >= _FEWEST:
            own = scores[event.proposal.base]
            found.append(sum(score < own for score in scores.values()) / (len(scores) - 1))
    return found
