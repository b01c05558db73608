"""The contract of a strategy as a test suite: subclass `OptimizerContract` in a test module and write `make`.

    class TestMine(OptimizerContract):
        def make(self, problem, rng):
            return make({}, problem, rng)

It needs the packages pytest and hypothesis (`pip install mlesearch[test]`). `simulate` alone, a small engine without
model and sandbox, is of use for other tests of a strategy as well.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlesearch.optimizers.base import Optimizer, made_program
from mlesearch.types import (
    JUDGEMENT_OPS,
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
    Rng,
    Status,
    Verdict,
)

OutcomeFn = Callable[[Proposal], Outcome]
"""What becomes of a proposal; a function of the proposal alone."""

Pick = Callable[[int, int], int]
"""Which pending proposal is told next: (number told so far, number pending) -> place among the pending ids."""

FAILURES = tuple(s for s in Status if s is not Status.OK)

JUDGEMENTS_PER_STEP = 6
"""How many judgements a run may ask for each of its steps."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A proposal, and the `used` that it was asked with. The last of a run may be one that is never told."""

    used: float
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Tell:
    """An outcome, and what the strategy decided on it."""

    outcome: Outcome
    verdicts: tuple[Verdict, ...]


AskTell = Ask | Tell


def simulate(
    optimizer: Optimizer,
    outcome: OutcomeFn,
    *,
    workers: int = 1,
    steps: int = 50,
    pick: Pick = lambda told, pending: 0,
    history: Sequence[AskTell] = (),
    rules: Rules | None = None,
) -> list[AskTell]:
    """Run a strategy as the engine does, with outcomes from a function.

    Args:
        optimizer: new; it is changed.
        outcome: of each proposal.
        workers: proposals in flight at once.
        steps: program proposals that are told; the run ends when one more is asked and nothing is pending.
        pick: the order of completion; the oldest first unless told otherwise.
        history: events of an earlier run that are fed again first; a proposal or verdict that differs is an error.
        rules: what to check at every event.

    Returns:
        All events, those of `history` included.

    Raises:
        AssertionError: the strategy ran dry, or did something else than in `history`.
    """
    events: list[AskTell] = []
    pending: dict[int, Proposal] = {}
    programs = judgements = told = 0
    closing = False

    def tell(result: Outcome) -> None:
        nonlocal told
        verdicts = tuple(optimizer.tell(result))
        if rules is not None:
            rules.told(result, verdicts)
        told += 1
        events.append(Tell(result, verdicts))
        del pending[result.id]

    def took(used: float, proposal: Proposal) -> None:
        nonlocal programs, judgements, closing
        if rules is not None:
            rules.asked(proposal)
        events.append(Ask(used, proposal))
        if proposal.op.makes_program:
            closing = programs == steps
            programs += 1
        else:
            judgements += 1
            closing = judgements > JUDGEMENTS_PER_STEP * steps or (programs >= steps and proposal.op is not Op.DIAGNOSE)
        if not closing:
            pending[proposal.id] = proposal

    for event in history:
        if isinstance(event, Ask):
            again = optimizer.ask(event.used)
            assert again == event.proposal, f"resumed, it asks {again} where it had asked {event.proposal}"
            took(event.used, event.proposal)
        else:
            tell(event.outcome)
            assert events[-1] == event, f"resumed, it decides {events[-1]} where it had decided {event}"

    while True:
        while not closing and len(pending) < workers:
            used = math.floor(1000 * min(1.0, programs / steps)) / 1000
            proposal = optimizer.ask(used)
            if proposal is None:
                assert optimizer.ask(used) is None, "asked again after None, before any tell, it made a proposal"
                assert pending, f"dry: nothing is pending, {programs} of {steps} steps are used, and ask returned None"
                break
            took(used, proposal)
        if not pending:
            return events
        ids = sorted(pending)
        tell(outcome(pending[ids[pick(told, len(ids))]]))


class Rules:
    """The rules that hold at every event; each `assert` says which one was broken."""

    def __init__(self, expansion: Callable[[Proposal], Hashable | None] = lambda p: None) -> None:
        """`expansion`: see `OptimizerContract.expansion`."""
        self._expansion = expansion
        self._count = 0
        self._programs: set[int] = set()
        self._pending: dict[int, Proposal] = {}
        self._expanding: set[Hashable] = set()

    def asked(self, p: Proposal) -> None:
        """Check a proposal."""
        assert p.id == self._count, f"dense ids: proposal {self._count} has id {p.id}"
        assert p.op in JUDGEMENT_OPS or p.op.makes_program, f"operator: a strategy never proposes {p.op}"
        named = [i for i in (p.base, p.subject, *p.parents, *(p.context or ())) if i is not None]
        for node in named:
            assert node in self._programs, f"only finished programs: {p} names {node}, which is none"
        assert p.context is None or len(set(p.context)) == len(p.context), f"context: {p} names a program twice"
        for guidance in p.guidance:
            assert guidance.node is None or guidance.node in self._programs, f"{guidance} names no finished program"
        if p.op in (Op.DEBUG, Op.IMPROVE, Op.MERGE):
            assert p.base is not None, f"{p.op} needs a base: {p}"
        if p.op is Op.DIAGNOSE:
            assert p.subject is not None, f"DIAGNOSE needs a subject: {p}"
        if p.op is Op.DRAFT:
            assert p.base is None, f"a DRAFT edits nothing: {p}"
        key = self._expansion(p)
        assert key is None or key not in self._expanding, f"in flight already: {p}"
        if key is not None:
            self._expanding.add(key)
        self._pending[p.id] = p
        self._count += 1

    def told(self, outcome: Outcome, verdicts: Sequence[Verdict]) -> None:
        """Check the verdicts on an outcome."""
        self._expanding.discard(self._expansion(self._pending.pop(outcome.id)))
        if made_program(outcome):
            self._programs.add(outcome.id)
        for verdict in verdicts:
            assert verdict.node in self._programs, f"verdicts are about finished programs: {verdict}"


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
        return Outcome(p.id, p.op, Status.OK, self._score(draws), f"plan {p.id}", f"lesson {p.id}")

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
