"""Greedy and random: the order of the rules, against an independent policy and by hand."""

from __future__ import annotations

import random

import numpy as np
import pytest

from mlesearch.optimizers.base import factory
from mlesearch.optimizers.greedy import Greedy, GreedySettings, NumpyDraws
from mlesearch.testing.optimizer_contract import FAILURES, Ask, Scenario, simulate
from mlesearch.types import ConfigError, Context, Direction, Op, Outcome, Problem, Status
from tests.support.fixed_draws import FixedDraws

MAX = Problem(Direction.MAXIMIZE, 60)


def told(p, score=None):
    return Outcome(p.id, p.op, Status.OK if score is not None else Status.ERROR, score)


def test_rules_by_hand():
    draws = FixedDraws()
    g = Greedy(GreedySettings(num_drafts=2, max_debug_depth=1), MAX, draws)
    p0, p1 = g.ask(0), g.ask(0)  # 1: two roots, the first in flight counts
    assert [(p.op, p.base) for p in (p0, p1)] == [(Op.DRAFT, None)] * 2
    g.tell(told(p0))
    g.tell(told(p1))
    draws.values = [0.5]
    p2 = g.ask(0)  # 0.5 is not below debug_prob, and nothing is valid: 3
    assert (p2.op, p2.base) == (Op.DRAFT, None)
    draws.values = [0.49, 1]
    p3 = g.ask(0)  # 2: the second of the buggy leaves 0 and 1
    assert (p3.op, p3.base, p3.parents) == (Op.DEBUG, 1, (1,))
    draws.values = [0.0, 0]
    p4 = g.ask(0)  # 1 has a child in flight: only 0 is a leaf
    assert (p4.op, p4.base) == (Op.DEBUG, 0)
    g.tell(told(p4))  # depth 1
    g.tell(told(p3))  # depth 1
    draws.values = [0.0, 0]
    p5 = g.ask(0)  # depth 1 <= max_debug_depth; creation order: 3 before 4
    assert (p5.op, p5.base) == (Op.DEBUG, 3)
    g.tell(told(p5))  # depth 2: never debugged
    g.tell(told(p2, 1.0))
    draws.values = [0.0, 0]
    assert g.ask(0).base == 4
    draws.values = [0.0]
    p7 = g.ask(0)  # no buggy leaf is left: 4
    assert (p7.op, p7.base) == (Op.IMPROVE, 2)
    assert not draws.values


@pytest.mark.parametrize(("direction", "expected"), [(Direction.MAXIMIZE, 1), (Direction.MINIMIZE, 0)])
def test_best_in_the_direction_and_the_earlier_on_ties(direction, expected):
    g = Greedy(GreedySettings(num_drafts=3, debug_prob=0), Problem(direction), FixedDraws(0.9))
    first = [g.ask(0) for _ in range(3)]
    for p, score in reversed(list(zip(first, (1, 2, {0: 1, 1: 2}[expected]), strict=True))):
        g.tell(told(p, score))
    assert g.ask(0).base == expected


def test_improvement_of_a_debugged_node_starts_a_new_depth():
    g = Greedy(GreedySettings(num_drafts=1, debug_prob=1, max_debug_depth=0), MAX, lambda id: random.Random(0))
    g.tell(told(g.ask(0)))
    p1 = g.ask(0)
    g.tell(told(p1, 1.0))
    p2 = g.ask(0)
    g.tell(told(p2))  # a buggy improvement: depth 0, so it may be debugged
    p3 = g.ask(0)
    assert [p1.op, p2.op, p3.op, p3.base] == [Op.DEBUG, Op.IMPROVE, Op.DEBUG, 2]


def test_unusable_replies_leave_no_node_and_spend_a_debug():
    g = Greedy(GreedySettings(num_drafts=1, debug_prob=1, max_debug_depth=1), MAX, lambda id: random.Random(0))

    def unusable(p):
        g.tell(Outcome(p.id, p.op, Status.REPLY_UNUSABLE))

    unusable(g.ask(0))
    p1 = g.ask(0)
    assert p1.op is Op.DRAFT  # the first was no root
    g.tell(told(p1))
    for _ in range(2):
        p = g.ask(0)
        assert (p.op, p.base) == (Op.DEBUG, 1)
        unusable(p)
    assert g.ask(0).op is Op.DRAFT  # depth 2: given up, and nothing is valid


class Naive:
    """The same policy over a plain list of nodes, written from the published description."""

    def __init__(self, settings, stream):
        self.s, self.stream, self.nodes = settings, stream, []  # (parent, op, score)

    def depth(self, i):
        parent, op, _ = self.nodes[i]
        return self.depth(parent) + 1 if op is Op.DEBUG else 0

    def next(self):
        n = self.nodes
        if sum(parent is None for parent, _, _ in n) < self.s.num_drafts:
            return Op.DRAFT, None
        if self.stream.random() < self.s.debug_prob:
            parents = {parent for parent, _, _ in n}
            able = [
                i for i in range(len(n))
                if n[i][2] is None and i not in parents and self.depth(i) <= self.s.max_debug_depth
            ]  # fmt: skip
            if able:
                return Op.DEBUG, self.stream.choice(able)
        good = [i for i in range(len(n)) if n[i][2] is not None]
        return (Op.IMPROVE, max(good, key=lambda i: n[i][2])) if good else (Op.DRAFT, None)


@pytest.mark.parametrize("p_bug", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("params", [(5, 0.5, 3), (3, 1.0, 20), (1, 0.2, 0)])
def test_same_sequence_as_an_independent_policy_on_one_stream(params, p_bug):
    for seed in range(10):
        settings = GreedySettings(*params)
        ours, theirs = random.Random(seed), random.Random(seed)
        g, naive, world = Greedy(settings, MAX, lambda id, r=ours: r), Naive(settings, theirs), random.Random(-seed)
        for _ in range(60):
            p = g.ask(0)
            assert (p.op, p.base) == naive.next()
            score = None if world.random() < p_bug else world.choice([0.1, 0.2, 0.3, world.random()])
            naive.nodes.append((p.base, p.op, score))
            g.tell(told(p, score))


def test_native_context_is_all_valid_nodes_but_none_for_a_debug():
    scenario = Scenario(3, steps=40, p_fail=0.4, context=Context.NATIVE)
    g = factory("greedy")({}, scenario.problem, scenario.rng)
    valid = []
    for event in simulate(g, scenario.outcome, steps=40):
        if isinstance(event, Ask):
            assert event.proposal.context == (() if event.proposal.op is Op.DEBUG else tuple(valid))
        elif event.outcome.valid:
            valid.append(event.outcome.id)
    assert len(valid) > 10


def test_greedy_draws_one_generator_a_proposal_and_none_while_drafting():
    calls = []
    g = factory("greedy")({}, MAX, lambda id: calls.append(id) or np.random.default_rng(id))
    for _ in range(20):
        g.tell(told(g.ask(0)))
    assert calls == list(range(5, 20))


def test_random_frequencies_and_best_of_n():
    n = 4000
    make = factory("random")
    r = make({}, MAX, lambda id: np.random.default_rng([7, id]))
    ops, bases = [], []
    for i in range(n):
        p = r.ask(0)
        ops.append(p.op)
        bases.append(p.base)
        r.tell(told(p, 0.5 if i % 2 else None))
        if p.base is not None:
            assert p.op is (Op.IMPROVE if p.base % 2 else Op.DEBUG)
    drafts = ops.count(Op.DRAFT)
    assert abs(drafts - 0.2 * n) < 4 * (n * 0.16) ** 0.5
    places = [b / i for i, b in enumerate(bases) if b is not None and i > 100]
    assert abs(np.mean(places) - 0.5) < 4 * (1 / 12 / len(places)) ** 0.5 + 0.005
    best_of = make({"p_draft": 1}, MAX, lambda id: pytest.fail("best of n draws nothing"))
    for _ in range(50):
        p = best_of.ask(0)
        assert (p.op, p.context) == (Op.DRAFT, ())  # independent: not even what the shared rule would show
        best_of.tell(told(p, 0.5))


@pytest.mark.parametrize(
    ("kind", "params", "says"),
    [
        ("greedy", {"num_draft": 3}, "num_draft: greedy has no such parameter (did you mean 'num_drafts'?)"),
        ("greedy", {"num_drafts": 2.5}, "num_drafts: greedy takes a whole number of at least 1 here, not 2.5"),
        ("greedy", {"num_drafts": True}, "a whole number of at least 1 here, not True"),
        ("greedy", {"debug_prob": 1.5}, "debug_prob: greedy takes a number from 0 to 1 here, not 1.5"),
        ("greedy", {"debug_prob": "0.5"}, "a number from 0 to 1 here, not '0.5'"),
        ("greedy", {"debug_prob": float("nan")}, "a number from 0 to 1"),
        ("random", {"p_draft": -0.1}, "p_draft: random takes a number from 0 to 1"),
        ("mcts", {"preset": "uct"}, "preset: mcts (preset aira) takes aira or ml_master here, not 'uct'"),
        ("mcts", {"drafts": 3}, "mcts (preset aira) has no such parameter"),
        ("mcts", {"preset": "ml_master", "num_children": 3}, "mcts (preset ml_master) has no such parameter"),
        ("gome", {"momentum": "maybe"}, "momentum: gome takes on or off here, not 'maybe'"),
        ("gome", {"n_traces": 0}, "n_traces: gome takes a whole number from 1 to 64 here, not 0"),
        ("gome", {"scale": "log"}, "scale: gome takes raw or robust here, not 'log'"),
        ("gome", {"half_life": float("inf")}, "half_life: gome takes a number of at least"),
    ],
)
def test_wrong_parameters_get_one_clear_line(kind, params, says):
    with pytest.raises(ConfigError) as e:
        factory(kind)(params, MAX, lambda id: pytest.fail("no draw"))
    assert says in str(e.value)
    assert "\n" not in str(e.value)
    assert str(e.value).startswith("strategy.params.")


def test_every_status_but_ok_is_buggy():
    for status in FAILURES:
        g = Greedy(GreedySettings(num_drafts=1, debug_prob=1), MAX, lambda id: NumpyDraws(np.random.default_rng(id)))
        p = g.ask(0)
        g.tell(Outcome(p.id, p.op, status, score=0.5 if status is Status.TIMEOUT else None))
        assert g.ask(0).op is (Op.DRAFT if status is Status.REPLY_UNUSABLE else Op.DEBUG)


def test_native_context_of_aira_is_siblings_and_for_a_debug_what_failed_since():
    params = {"num_drafts": 2, "debug_prob": 1.0, "max_debug_depth": 20, "native_context": "scope"}
    problem = Problem(Direction.MAXIMIZE, 100, Context.NATIVE)
    search = factory("greedy")(params, problem, lambda id: np.random.default_rng(id))
    told = []
    for score in (0.5, 0.4, None, None, None, 0.6, 0.7, 0.65):
        p = search.ask(0.5)
        told.append((p.op, p.base, p.context))
        search.tell(Outcome(p.id, p.op, Status.OK if score else Status.ERROR, score))
    assert told == [
        (Op.DRAFT, None, ()),
        (Op.DRAFT, None, (0,)),
        (Op.IMPROVE, 0, ()),
        (Op.DEBUG, 2, ()),
        (Op.DEBUG, 3, (2,)),
        (Op.DEBUG, 4, (2, 3)),
        (Op.IMPROVE, 5, ()),
        (Op.IMPROVE, 6, ()),
    ]
    p = search.ask(0.5)
    assert (p.op, p.base, p.context) == (Op.IMPROVE, 6, (7,))  # a sibling
