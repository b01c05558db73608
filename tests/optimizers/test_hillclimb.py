"""Hill climbing and adaptive search by hand."""

from __future__ import annotations

import pytest

from mlesearch.optimizers.base import factory
from mlesearch.types import Context, Direction, Op, Outcome, Problem, Status

BOTH = pytest.mark.parametrize("direction", list(Direction))


def search(kind="hillclimb", direction=Direction.MAXIMIZE, steps=None, context=Context.SHARED, **params):
    problem = Problem(direction, steps, context)
    return factory(kind)(params, problem, lambda id: pytest.fail("it draws nothing"))


def tell(s, p, score, status=Status.ERROR):
    s.tell(Outcome(p.id, p.op, Status.OK if score is not None else status, score))


def step(s, score=None, status=Status.ERROR):
    """One proposal, answered; what was asked."""
    p = s.ask(0.5)
    tell(s, p, score, status)
    return p.op, p.base


@BOTH
def test_a_better_program_is_kept_and_any_other_discarded(direction):
    s, sign = search(direction=direction), direction.sign
    assert step(s, sign * 0.5) == (Op.DRAFT, None)
    assert step(s, sign * 0.4) == (Op.IMPROVE, 0)
    assert step(s, sign * 0.5) == (Op.IMPROVE, 0)  # equal is not better
    assert step(s, sign * 0.6) == (Op.IMPROVE, 0)
    assert step(s, sign * 0.1) == (Op.IMPROVE, 3)
    assert step(s, sign * 0.7) == (Op.IMPROVE, 3)
    assert step(s) == (Op.IMPROVE, 5)


def test_a_buggy_program_is_debugged_a_few_times_and_given_up():
    s = search(max_debug=2)
    assert [step(s), step(s), step(s)] == [(Op.DRAFT, None), (Op.DEBUG, 0), (Op.DEBUG, 1)]
    assert step(s, 0.5) == (Op.DRAFT, None)  # nothing is valid yet
    assert [step(s), step(s), step(s)] == [(Op.IMPROVE, 3), (Op.DEBUG, 4), (Op.DEBUG, 5)]
    assert step(s) == (Op.IMPROVE, 3)
    assert step(s, 0.9) == (Op.DEBUG, 7)  # a debug that succeeded is judged like any other
    assert step(s) == (Op.IMPROVE, 8)


def test_without_debugs_a_buggy_program_is_dropped_at_once():
    s = search(max_debug=0)
    assert [step(s), step(s), step(s, 0.5), step(s), step(s)] == [
        (Op.DRAFT, None), (Op.DRAFT, None), (Op.DRAFT, None), (Op.IMPROVE, 2), (Op.IMPROVE, 2),
    ]  # fmt: skip


def test_an_unusable_reply_spends_a_debug_of_the_same_program():
    s = search(max_debug=2)
    assert step(s, status=Status.REPLY_UNUSABLE) == (Op.DRAFT, None)
    assert step(s) == (Op.DRAFT, None)
    assert step(s, status=Status.REPLY_UNUSABLE) == (Op.DEBUG, 1)
    assert step(s, status=Status.REPLY_UNUSABLE) == (Op.DEBUG, 1)
    assert step(s) == (Op.DRAFT, None)


def test_one_first_program_at_a_time_and_several_changes():
    s = search()
    first = s.ask(0.0)
    assert s.ask(0.0) is None
    tell(s, first, None)
    debug = s.ask(0.0)
    assert (debug.op, debug.base) == (Op.DEBUG, 0)
    assert s.ask(0.0) is None
    tell(s, debug, 0.5)
    a, b = s.ask(0.0), s.ask(0.0)
    assert [(p.op, p.base) for p in (a, b)] == [(Op.IMPROVE, 1)] * 2
    tell(s, b, 0.7)
    tell(s, a, 0.6)  # better than what it changed, but not than what is kept by now
    assert s.ask(0.0).base == b.id


def test_native_context_is_every_program_so_far_and_none_for_a_debug():
    s = search(context=Context.NATIVE)
    contexts = []
    for score in (0.5, 0.4, None, None, 0.6):
        p = s.ask(0.5)
        contexts.append((p.op, p.context))
        tell(s, p, score)
    assert contexts == [
        (Op.DRAFT, ()), (Op.IMPROVE, (0,)), (Op.IMPROVE, (0, 1)), (Op.DEBUG, ()), (Op.DEBUG, ()),
    ]  # fmt: skip


# Adaptive, 20 steps: a window of 5 programs, a branch for each 3 that are left, none with fewer than 2.
ADAPTIVE = {"window": 0.25, "epsilon": 0.1, "steps_per_branch": 0.15, "branches": 3}


def adaptive(direction=Direction.MAXIMIZE, **params):
    return search("adaptive", direction, 20, **{**ADAPTIVE, **params})


@BOTH
def test_it_climbs_one_hill_until_a_window_holds_too_little_gain(direction):
    s, sign = adaptive(direction), direction.sign
    for score, base in [(0.0, None), (0.4, 0), (0.5, 1), (0.9, 2), (1.0, 3), (0.2, 4), (0.2, 4)]:
        assert step(s, sign * score)[1] == base
    # after 7 programs the best is 1.0, and was 0.4 five before: a gain of 0.6 of 1.0 in all
    for _ in range(2):
        assert step(s, sign * 0.1) == (Op.IMPROVE, 4)
    # after 9: 1.0 against 0.9, 0.1 of 1.0 in all, no more than epsilon: 11 are left, so three branches
    p = [s.ask(0.5) for _ in range(4)]
    assert [(x.base, x.trace) for x in p] == [(4, 0), (3, 1), (2, 2), (4, 0)]  # the best kept, in turn
    tell(s, p[1], sign * 0.95)  # better than what its branch keeps, though not than the best of all
    tell(s, p[2], sign * 0.3)
    assert [(x.base, x.trace) for x in (s.ask(0.5), s.ask(0.5))] == [(p[1].id, 1), (2, 2)]


def test_branches_without_a_kept_program_climb_from_the_first_one():
    s = adaptive()
    assert step(s, 0.5) == (Op.DRAFT, None)
    for _ in range(5):
        assert step(s, 0.1) == (Op.IMPROVE, 0)
    p = [s.ask(0.5) for _ in range(3)]
    assert [(x.base, x.trace) for x in p] == [(0, 0), (0, 1), (0, 2)]
    tell(s, p[2], 0.7)
    assert [s.ask(0.5).base for _ in range(3)] == [0, 0, p[2].id]  # each by itself


@pytest.mark.parametrize(("told", "branches"), [(12, 3), (13, 2), (15, 2), (16, 1)])
def test_fewer_branches_where_little_is_left(told, branches):
    s = adaptive(window=0.05, epsilon=0.0)
    for i in range(told):
        step(s, float(i))  # always a gain
    step(s, -1.0)  # none: of 20 steps 20 - told - 1 are left
    assert len({s.ask(0.5).trace for _ in range(6)}) == branches


def test_nothing_stalls_before_a_program_is_valid():
    s = adaptive(max_debug=0)
    assert [step(s) for _ in range(12)] == [(Op.DRAFT, None)] * 12
    assert step(s, 0.5) == (Op.DRAFT, None)
    for _ in range(5):
        assert step(s, 0.1) == (Op.IMPROVE, 12)
    assert {s.ask(0.5).trace for _ in range(4)} == {0}  # 2 steps are left


def test_a_branch_debugs_in_its_own_turn():
    s = adaptive()
    step(s, 0.5)
    for _ in range(5):
        step(s, 0.1)
    p = [s.ask(0.5) for _ in range(3)]
    for each in p:
        tell(s, each, None if each.trace == 1 else 0.0)
    assert [(x.op, x.base, x.trace) for x in (s.ask(0.5), s.ask(0.5))] == [(Op.IMPROVE, 0, 0), (Op.DEBUG, p[1].id, 1)]


def test_what_was_in_flight_at_the_switch_counts_for_the_first_climb():
    s = adaptive()
    step(s, 0.5)
    early = s.ask(0.5)
    for _ in range(5):
        step(s, 0.1)
    branched = [s.ask(0.5) for _ in range(3)]
    assert [x.trace for x in branched] == [0, 1, 2]
    tell(s, early, 0.9)
    assert [s.ask(0.5).base for _ in range(3)] == [early.id, 0, 0]
