"""Sequential conditioned sampling: which programs a draft is shown, and how they are drawn."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from mlesearch.optimizers.base import factory
from mlesearch.testing.optimizer_contract import FAILURES, Ask, Scenario, simulate
from mlesearch.types import ConfigError, Context, Direction, Op, Outcome, Problem, Status


def make(k, p_draft=1.0, context=Context.SHARED, rng=np.random.default_rng):
    return factory("random")({"p_draft": p_draft, "context_sample": k}, Problem(Direction.MAXIMIZE, 60, context), rng)


def tell(s, p, score=None, status=Status.ERROR):
    s.tell(Outcome(p.id, p.op, status if score is None else Status.OK, score))


@pytest.mark.parametrize("context", Context)
def test_a_worked_sequence(context):
    s = make(2, context=context)
    first, second = s.ask(0), s.ask(0)
    assert first.context == second.context == ()  # none is shown, not even the programs of the shared rule
    tell(s, second, 1.0)
    assert s.ask(0).context == (1,)  # 0 is in flight
    tell(s, first)
    third = s.ask(0)
    assert third.context == (1,)  # 0 is buggy
    tell(s, third, status=Status.REPLY_UNUSABLE)
    fourth = s.ask(0)
    assert fourth.context == (1,)  # 3 left no program
    tell(s, fourth, 0.0)
    p = s.ask(0)
    assert (p.op, p.base, p.parents, p.context) == (Op.DRAFT, None, (), (1, 4))  # the worse one too


@pytest.mark.parametrize("status", FAILURES)
def test_with_nothing_valid_a_draft_is_shown_nothing(status):
    s = make(3)
    for _ in range(12):
        p = s.ask(0)
        assert (p.op, p.context) == (Op.DRAFT, ())
        tell(s, p, status=status)


def test_every_sample_is_equally_likely():
    n = 6000
    s = make(3, rng=lambda id: np.random.default_rng([5, id]))
    first = [s.ask(0) for _ in range(6)]
    for p in first:
        tell(s, p, 0.5 * (p.id + 1))
    seen = Counter(s.ask(0).context for _ in range(n))
    assert set(seen) == set(combinations(range(6), 3))
    expected = n / 20
    assert sum((k - expected) ** 2 / expected for k in seen.values()) < 43.8  # chi-square, 19 degrees, p = 0.001


def test_scores_and_direction_do_not_matter_and_workers_do():
    def contexts(direction, workers):
        scenario = Scenario(4, direction, steps=40, workers=workers)
        s = factory("random")({"p_draft": 1, "context_sample": 3}, scenario.problem, scenario.rng)
        events = simulate(s, scenario.outcome, workers=workers, steps=40, pick=scenario.pick)
        valid, most = set(), 0
        for e in events:
            if not isinstance(e, Ask):
                valid |= {e.outcome.id} if e.outcome.valid else set()
                continue
            assert len(e.proposal.context) == min(3, len(valid))
            assert set(e.proposal.context) <= valid
            most = max(most, len(e.proposal.context))
        assert most == 3
        return [e.proposal.context for e in events if isinstance(e, Ask)]

    one = contexts(Direction.MAXIMIZE, 1)
    assert one == contexts(Direction.MINIMIZE, 1)
    assert one != contexts(Direction.MAXIMIZE, 5)


def test_only_drafts_are_shown_a_sample():
    s = make(2, p_draft=0.5)
    ops = Counter()
    for _ in range(60):
        p = s.ask(0)
        assert (p.context is None) == (p.op is not Op.DRAFT)
        ops[p.op] += 1
        tell(s, p, 1.0 if p.id % 3 else None)
    assert min(ops[op] for op in (Op.DRAFT, Op.IMPROVE, Op.DEBUG)) > 5


def test_off_by_default_and_the_other_draws_stay_the_same():
    plain, zero, sampled = (
        factory("random")({}, Problem(Direction.MAXIMIZE), np.random.default_rng),
        make(0, 0.2),
        make(2, 0.2),
    )
    for _ in range(60):
        p, q, r = plain.ask(0), zero.ask(0), sampled.ask(0)
        assert p == q
        assert p.context is None
        assert (r.op, r.base) == (p.op, p.base)
        for s in (plain, zero, sampled):
            tell(s, p, 1.0 if p.id % 2 else None)


@pytest.mark.parametrize("k", [-1, 41, 2.5])
def test_a_wrong_size_is_refused(k):
    with pytest.raises(ConfigError, match="context_sample: random takes a whole number from 0 to 40 here"):
        make(k)
