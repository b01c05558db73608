"""Adaptive search by hand: when it branches, from which programs, and how the branches take turns."""

from __future__ import annotations

import numpy as np
import pytest

from mlesearch.optimizers.base import factory
from mlesearch.testing.optimizer_contract import FAILURES, Scenario, simulate
from mlesearch.types import ConfigError, Context, Direction, Op, Problem, Status
from tests.support.climb_driver import ClimbDriver

DRAFT, IMPROVE, DEBUG = Op.DRAFT, Op.IMPROVE, Op.DEBUG


def make(steps=None, direction=Direction.MAXIMIZE, context=Context.SHARED, **params):
    return ClimbDriver(factory("adaptive")(params, Problem(direction, steps, context), np.random.default_rng))


def feed(d, scores, sign=1):
    """One worker's steps; returns operator, base and branch of each."""
    made = []
    for score in scores:
        op, base = d.ask()
        p = d.asked[max(d.asked)]
        made.append((op, base, p.trace))
        if isinstance(score, Status):
            d.tell(p.id, status=score)
        else:
            d.tell(p.id, None if score is None else sign * score)
    return made


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("steps", [100, None])
def test_a_worked_sequence(sign, steps):
    d = make(steps, Direction.MAXIMIZE if sign == 1 else Direction.MINIMIZE, window=3, epsilon=0.1)
    # Gains over three steps as a share of the whole gain: step 4 (0.6 of 0.6), 5 (0.4 of 0.6), 6 and 7 (0.1 of 0.7),
    # where 3 * 0.1 is asked for: step 6 is the first with less.
    before = feed(d, [0.1, 0.3, 0.7, 0.7, 0.5, 0.8], sign)
    assert before == [(DRAFT, None, 0), (IMPROVE, 0, 0), (IMPROVE, 1, 0), *[(IMPROVE, 2, 0)] * 3]
    after = feed(
        d,
        [
            *(0.75, 0.75, 0.2),  # no gain on the first branch; the second is better than its own; the third is not
            *(0.9, 0.75, 0.4),  # gains on the first and the third; a tie on the second
            *(0.85, None, None),
            *(0.95, 0.76, None),
            *(0.1, 0.1, 0.1),
        ],
        sign,
    )
    assert after == [
        *((IMPROVE, 5, 0), (IMPROVE, 2, 1), (IMPROVE, 1, 2)),  # forks of the kept programs, the best first
        *((IMPROVE, 5, 0), (IMPROVE, 7, 1), (IMPROVE, 1, 2)),
        *((IMPROVE, 9, 0), (IMPROVE, 7, 1), (IMPROVE, 11, 2)),
        *((IMPROVE, 9, 0), (DEBUG, 13, 1), (DEBUG, 14, 2)),  # a bug is debugged when its branch has its turn
        *((IMPROVE, 15, 0), (IMPROVE, 16, 1), (DEBUG, 17, 2)),
    ]


def test_the_published_trigger():
    scores = [0.0, 1.0, *[0.5] * 48]
    d = make()
    assert {trace for *_, trace in feed(d, scores)} == {0}  # 50 steps
    feed(d, [0.5])  # step 51: the gain from step 1 is all that was gained
    assert feed(d, [0.5])[0] == (IMPROVE, 1, 0)  # step 52: no gain since step 2
    assert [x[1:] for x in feed(d, [0.5] * 3)] == [(1, 0), (0, 1), (None, 2)]


def test_epsilon_is_the_gain_per_step_as_a_share_of_the_whole_gain():
    def branches(gain, epsilon, scale=1.0, shift=0.0):
        d = make(window=2, epsilon=epsilon)
        feed(d, [shift, shift + scale * (1 - gain), shift + scale * (1 - gain), shift + scale])
        feed(d, [shift])
        return feed(d, [shift])[0][2] == 1

    for scale, shift in ((1.0, 0.0), (1024.0, 0.0), (1.0, -64.0), (2.0**-20, 1.0)):
        assert branches(0.25, 0.125, scale, shift)  # two steps, an eighth each: equal counts as stagnant
        assert not branches(0.25, 0.1249, scale, shift)


def test_equal_scores_are_no_gain_and_missing_branches_begin_with_a_draft():
    d = make(window=2)
    feed(d, [0.5, 0.5, 0.5])
    assert feed(d, [0.5, None, None, 0.5, 0.1, 0.2, 0.5, 0.5, 0.5]) == [
        *((IMPROVE, 0, 0), (DRAFT, None, 1), (DRAFT, None, 2)),
        *((IMPROVE, 0, 0), (DEBUG, 4, 1), (DEBUG, 5, 2)),
        *((IMPROVE, 0, 0), (IMPROVE, 7, 1), (IMPROVE, 8, 2)),
    ]


@pytest.mark.parametrize(("steps", "branches"), [(6, 1), (8, 1), (9, 2), (13, 2), (14, 3), (60, 3), (None, 3)])
def test_branches_by_the_steps_that_are_left(steps, branches):
    """The search branches after three steps; 3 to 5 steps that are left make one branch, 6 to 10 two."""
    d = make(steps, window=2, steps_per_branch=5, min_remaining=2)
    feed(d, [0.5, 0.5, 0.5])
    assert len({trace for *_, trace in feed(d, [0.5] * 3)}) == branches


def test_the_published_allotment_of_branches():
    for steps, branches in ((66, 1), (67, 2), (81, 2), (82, 3), (1000, 3)):  # 15, 16, 30, 31 steps left after 51
        d = make(steps)
        feed(d, [0.5] * 51)
        assert len({trace for *_, trace in feed(d, [0.5] * 4)}) == branches, steps


def test_with_too_few_steps_left_it_never_branches_and_it_never_branches_twice():
    d = make(10, window=2, steps_per_branch=1, min_remaining=7)
    feed(d, [0.5, 0.5, 0.5])  # 7 steps left
    assert {trace for *_, trace in feed(d, [0.5] * 30)} == {0}
    twin = make(10, window=2, steps_per_branch=1, min_remaining=6)
    feed(twin, [0.5, 0.5, 0.5])
    assert {trace for *_, trace in feed(twin, [0.5] * 3)} == {0, 1, 2}
    feed(twin, [0.5] * 30)
    assert {trace for *_, trace in feed(twin, [0.5] * 9)} == {0, 1, 2}  # nor does it branch twice


def test_the_window_begins_with_the_first_valid_program():
    d = make(window=2)
    feed(d, [None, None, None, Status.REPLY_UNUSABLE, None, 0.3, 0.5])
    assert {trace for *_, trace in feed(d, [0.4, 0.4])} == {0}  # the gain of 0.5 is in the window, and then is not
    assert {trace for *_, trace in feed(d, [0.4, 0.4])} == {0, 1}


def test_failed_steps_are_spent_like_others():
    for status in (Status.ERROR, Status.REPLY_UNUSABLE):
        d = make(11, window=2, steps_per_branch=5, min_remaining=2)
        feed(d, [status] * 3)
        feed(d, [0.5, status, status])  # 5 steps are left of 11
        assert {trace for *_, trace in feed(d, [0.5] * 3)} == {0}, status


@pytest.mark.parametrize("status", FAILURES)
def test_all_buggy_is_hill_climbing(status):
    d = make(window=2, max_debug=2)
    made = feed(d, [status] * 30)
    assert {trace for *_, trace in made} == {0}  # no valid program: no gain is missing
    last = None
    for id, (op, base, _) in enumerate(made):
        assert (op, base) == ((DRAFT, None) if id % 3 == 0 or status is Status.REPLY_UNUSABLE else (DEBUG, last))
        last = id


def test_unusable_replies_are_steps_without_gain():
    d = make(window=2)
    feed(d, [0.5, Status.REPLY_UNUSABLE, Status.REPLY_UNUSABLE])
    assert feed(d, [Status.REPLY_UNUSABLE] * 6) == [*((IMPROVE, 0, 0), (DRAFT, None, 1), (DRAFT, None, 2))] * 2


def test_workers_and_what_is_in_flight_at_the_switch():
    d = make(window=2)
    feed(d, [0.1, 0.5])
    for _ in range(4):  # 2 to 5
        assert d.ask() == (IMPROVE, 1)
    for id in (3, 5):
        d.tell(id, 0.4)  # steps 3 and 4: the second has no gain in its window
    assert [d.ask(), d.ask(), d.ask()] == [(IMPROVE, 1), (IMPROVE, 0), (DRAFT, None)]  # 6 to 8
    assert [d.ask(), d.ask(), d.ask()] == [(IMPROVE, 1), (IMPROVE, 0), (IMPROVE, 1)]  # the third waits: passed over
    d.tell(2, 0.3)  # asked before the switch: a change of the first branch, no better than its own
    d.tell(4)
    d.tell(7, 0.3)
    assert [d.ask() for _ in range(3)] == [(IMPROVE, 7), (DEBUG, 4), (IMPROVE, 7)]
    assert [d.asked[id].trace for id in range(2, 15)] == [0, 0, 0, 0, 0, 1, 2, 0, 1, 0, 1, 0, 1]


def test_while_all_climbs_wait_for_a_first_program_ask_is_none():
    d = make()
    assert d.ask() == (DRAFT, None)
    assert d.ask() is None


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("scores", ["ties", "smooth", "wide", "equal"])
def test_without_the_switch_it_is_hill_climbing(direction, scores):
    for seed in range(5):
        scenario = Scenario(seed, direction, steps=50, workers=3, scores=scores)
        one, two = (
            simulate(
                factory(kind)({"max_debug": 2}, scenario.problem, scenario.rng),
                scenario.outcome, workers=3, steps=50, pick=scenario.pick,
            )
            for kind in ("adaptive", "hillclimb")
        )  # fmt: skip
        assert one == two


def test_native_context_is_the_log_of_the_phase():
    d = make(window=2, context=Context.NATIVE)
    feed(d, [0.5, None, 0.4])  # the third is the debug; now there is no gain
    feed(d, [0.3, None, 0.2, 0.1, 0.1])
    shown = [d.asked[i].context for i in range(8)]
    assert [d.asked[i].op for i in (1, 2, 7)] == [IMPROVE, DEBUG, DEBUG]
    assert shown == [(), (0,), (), (), (3,), (3, 4), (3, 4, 5), ()]


def test_scores_whose_difference_overflows():
    d = make(window=2)
    feed(d, [-1.7e308, 1.7e308, 0.0])
    assert {trace for *_, trace in feed(d, [0.0] * 1)} == {0}
    assert {trace for *_, trace in feed(d, [0.0] * 3)} == {0, 1, 2}


@pytest.mark.parametrize(
    ("name", "value"), [("window", 0), ("epsilon", -1e-9), ("branches", 0), ("steps_per_branch", 0)]
)
def test_a_wrong_parameter_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"strategy.params.{name}: adaptive takes a"):
        make(**{name: value})
