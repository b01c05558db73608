"""Hill climbing by hand: what is drafted, debugged, kept and discarded, and what workers wait for."""

from __future__ import annotations

import numpy as np
import pytest

from mlesearch.optimizers.base import factory
from mlesearch.testing.optimizer_contract import FAILURES, Ask, Scenario, simulate
from mlesearch.types import ConfigError, Context, Direction, Op, Problem, Status
from tests.support.climb_driver import ClimbDriver


def make(direction=Direction.MAXIMIZE, steps=60, context=Context.SHARED, **params):
    return factory("hillclimb")(params, Problem(direction, steps, context), np.random.default_rng)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("steps", [60, None])
def test_a_worked_sequence(sign, steps):
    d = ClimbDriver(make(Direction.MAXIMIZE if sign == 1 else Direction.MINIMIZE, steps, max_debug=2))
    story = [
        ((Op.DRAFT, None), 0.5),
        ((Op.IMPROVE, 0), 0.4),  # worse: discarded
        ((Op.IMPROVE, 0), 0.5),  # equal: discarded
        ((Op.IMPROVE, 0), 0.6),  # better: kept
        ((Op.IMPROVE, 3), 0.55),  # better than the first, not than the kept one
        ((Op.IMPROVE, 3), None),
        ((Op.DEBUG, 5), None),
        ((Op.DEBUG, 6), 0.7),  # the debugged change is compared with the kept program
        ((Op.IMPROVE, 7), None),
        ((Op.DEBUG, 8), 0.65),  # repaired, but no better
        ((Op.IMPROVE, 7), None),
        ((Op.DEBUG, 10), None),
        ((Op.DEBUG, 11), None),  # two debugs: given up
        ((Op.IMPROVE, 7), None),  # a new change has debugs of its own
        ((Op.DEBUG, 13), 0.8),
        ((Op.IMPROVE, 14), 0.9),
    ]
    for id, (expected, score) in enumerate(story):
        assert d.ask() == expected, id
        d.tell(id, None if score is None else sign * score)
    assert d.ask() == (Op.IMPROVE, 15)


def test_a_draft_is_debugged_and_then_drafted_anew():
    d = ClimbDriver(make(max_debug=1))
    for id, expected in enumerate([(Op.DRAFT, None), (Op.DEBUG, 0), (Op.DRAFT, None), (Op.DEBUG, 2)]):
        assert d.ask() == expected
        if id < 3:
            d.tell(id)
    d.tell(3, 0.1)
    assert d.ask() == (Op.IMPROVE, 3)


@pytest.mark.parametrize("status", [s for s in FAILURES if s is not Status.REPLY_UNUSABLE])
def test_all_buggy(status):
    d = ClimbDriver(make())
    for id in range(40):
        assert d.ask() == ((Op.DRAFT, None) if id % 4 == 0 else (Op.DEBUG, id - 1))
        d.tell(id, status=status)


def test_unusable_replies_leave_nothing_and_spend_a_debug():
    unusable = Status.REPLY_UNUSABLE
    d = ClimbDriver(make(max_debug=2))
    for id in range(3):
        assert d.ask() == (Op.DRAFT, None)
        d.tell(id, status=unusable)
    assert d.ask() == (Op.DRAFT, None)
    d.tell(3)
    for id in (4, 5):
        assert d.ask() == (Op.DEBUG, 3)
        d.tell(id, status=unusable)
    assert d.ask() == (Op.DRAFT, None)  # two debugs of 3 are spent
    d.tell(6, 1.0)
    assert d.ask() == (Op.IMPROVE, 6)
    d.tell(7, status=unusable)
    assert d.ask() == (Op.IMPROVE, 6)


def test_no_debug_at_all():
    d = ClimbDriver(make(max_debug=0))
    for id in range(3):
        assert d.ask() == (Op.DRAFT, None)
        d.tell(id)
    assert d.ask() == (Op.DRAFT, None)
    d.tell(3, 1.0)
    for id in (4, 5):
        assert d.ask() == (Op.IMPROVE, 3)
        d.tell(id)


def test_workers_wait_for_the_first_program_only():
    d = ClimbDriver(make(max_debug=1))
    assert d.ask() == (Op.DRAFT, None)
    assert d.ask() is None  # one draft
    d.tell(0)
    assert d.ask() == (Op.DEBUG, 0)
    assert d.ask() is None
    d.tell(1, 0.5)
    assert [d.ask() for _ in range(4)] == [(Op.IMPROVE, 1)] * 4  # ids 2 to 5
    d.tell(4, 0.7)
    assert d.ask() == (Op.IMPROVE, 4)  # 6
    d.tell(2, 0.6)  # better than the program that it changed, not than the kept one
    d.tell(3)
    d.tell(5)
    assert [d.ask() for _ in range(3)] == [(Op.DEBUG, 3), (Op.DEBUG, 5), (Op.IMPROVE, 4)]  # 7 to 9: as they failed
    d.tell(8, 0.8)
    d.tell(7, 0.8)  # equal to the one kept meanwhile
    assert d.ask() == (Op.IMPROVE, 8)


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("scores", ["ties", "smooth", "wide", "equal"])
def test_what_is_changed_is_always_the_first_told_of_the_best(direction, scores):
    for seed in range(10):
        scenario = Scenario(seed, direction, steps=40, workers=4, scores=scores)
        search, best, improved = factory("hillclimb")({}, scenario.problem, scenario.rng), None, 0
        for e in simulate(search, scenario.outcome, workers=4, steps=40, pick=scenario.pick):
            if isinstance(e, Ask):
                if e.proposal.op is Op.IMPROVE:
                    assert e.proposal.base == best[1]
                    improved += 1
            elif e.outcome.valid and (best is None or direction.better(e.outcome.score, best[0])):
                best = e.outcome.score, e.outcome.id
        assert improved > 5


def test_native_context_is_the_log_of_experiments_and_none_for_a_debug():
    d = ClimbDriver(make(context=Context.NATIVE))
    for id, score in enumerate([None, 0.5, None, None, 0.4]):
        d.ask()
        d.tell(id, score, Status.REPLY_UNUSABLE if id == 2 else Status.ERROR)
    d.ask()
    assert [d.asked[i].op for i in range(6)] == [Op.DRAFT, Op.DEBUG, *[Op.IMPROVE] * 2, Op.DEBUG, Op.IMPROVE]
    assert [d.asked[i].context for i in range(6)] == [(), (), (0, 1), (0, 1), (), (0, 1, 3, 4)]
    shared = ClimbDriver(make())
    shared.ask()
    assert shared.asked[0].context is None


def test_a_wrong_parameter_is_refused():
    with pytest.raises(ConfigError, match="max_debug: hillclimb takes a whole number of at least 0 here, not -1"):
        make(max_debug=-1)
