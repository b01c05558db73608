"""The tree and AIRA's search against values computed by hand; what both searches promise."""

from __future__ import annotations

import math

import pytest

from mlesearch.optimizers.base import factory
from mlesearch.optimizers.mcts.tree import ROOT, MinMax, ScoredNode, add_virtual, back_up, bypass, set_room, uct
from mlesearch.testing.optimizer_contract import Ask, Scenario, simulate
from mlesearch.types import Context, Direction, Op, Outcome, Problem, Status

NATIVE = Problem(Direction.MAXIMIZE, 500, Context.NATIVE)


def aira(direction=Direction.MAXIMIZE, **params):
    return factory("mcts")(params, Problem(direction, 500), lambda id: pytest.fail("mcts draws nothing"))


def step(search, score=None, used=0.0, status=Status.ERROR):
    p = search.ask(used)
    search.tell(Outcome(p.id, p.op, Status.OK if score is not None else status, score))
    return p.op, p.base


def test_uct_by_hand():
    # ln 9 = 2.1972246; sqrt(2.1972246 / 4) = 0.7411519; 0.5 + 0.25 * 0.7411519 = 0.6852880
    assert uct(0.5, 0.25, 9, 4) == pytest.approx(0.6852880, abs=1e-7)
    assert uct(0.5, 0.25, 1, 1) == 0.5


@pytest.mark.parametrize(("direction", "expected"), [(Direction.MAXIMIZE, 0.75), (Direction.MINIMIZE, 0.25)])
def test_min_max_normalisation(direction, expected):
    q = MinMax(direction)
    assert q(3.0) == 0.5
    q.add(2.0)
    assert q(2.0) == 0.5
    q.add(6.0)
    assert q(5.0) == expected
    assert (q(2.0), q(6.0)) == ((0.0, 1.0) if direction is Direction.MAXIMIZE else (1.0, 0.0))
    q.add(-1.7e308)
    q.add(1.7e308)
    assert 0.0 <= q(0.0) <= 1.0


def test_back_up_and_virtual_visits_reach_the_root():
    root = ScoredNode(ROOT, None, valid=True)
    a, b = (ScoredNode(i, root, valid=True) for i in range(2))
    c = ScoredNode(2, a, valid=True)
    back_up(a, 1.0)
    back_up(b, 2.0)
    back_up(c, 6.0)
    assert [(n.visits, n.mean) for n in (root, a, b, c)] == [(3, 3.0), (2, 3.5), (1, 2.0), (1, 6.0)]
    add_virtual(c, 1)
    assert [n.virtual for n in (root, a, b, c)] == [1, 1, 0, 1]
    set_room(c, 2)
    set_room(b, 1)
    assert [n.open for n in (root, a, b, c)] == [True] * 4
    set_room(c, 1)
    set_room(c, 0)
    assert [n.open for n in (root, a, b, c)] == [True, False, True, False]
    assert root.live == [b]


# Maximise, two children each. Drafts 0 (0.2) and 1 (0.6): normalised over [0.2, 0.6] 0 and 1; the root has 2 visits
#   uct(0) = 0 + 0.25 sqrt(ln 2 / 1) = 0.2081, uct(1) = 1.2081                                   -> expand 1: nodes 2, 3
# 2 scores 0.4, 3 scores 1.0; range [0.2, 1.0]. 1: n = 3, mean (0.6 + 0.4 + 1.0) / 3 = 0.6667, q = 0.5833; root n = 4
#   uct(0) = 0 + 0.25 sqrt(ln 4 / 1) = 0.2944, uct(1) = 0.5833 + 0.25 sqrt(ln 4 / 3) = 0.7533    -> down to 1
#   uct(2) = 0.25 + 0.25 sqrt(ln 3 / 1) = 0.5120, uct(3) = 1 + 0.2620 = 1.2620                   -> expand 3: nodes 4, 5
# 4 and 5 score 0.2. 3: n = 3, mean 0.4667, q = 0.3333; 1: n = 5, mean 0.48, q = 0.35; root n = 6
#   uct(0) = 0.25 sqrt(ln 6 / 1) = 0.3346, uct(1) = 0.35 + 0.25 sqrt(ln 6 / 5) = 0.4997          -> down to 1
#   uct(2) = 0.25 + 0.25 sqrt(ln 5) = 0.5672, uct(3) = 0.3333 + 0.25 sqrt(ln 5 / 3) = 0.5164     -> expand 2
GOLDEN = [
    (0.2, Op.DRAFT, None),
    (0.6, Op.DRAFT, None),
    (0.4, Op.IMPROVE, 1),
    (1.0, Op.IMPROVE, 1),
    (0.2, Op.IMPROVE, 3),
    (0.2, Op.IMPROVE, 3),
    (0.3, Op.IMPROVE, 2),
]


@pytest.mark.parametrize("direction", list(Direction))
def test_aira_golden_tree(direction):
    search = aira(direction, num_children=2)
    for score, op, base in GOLDEN:
        assert step(search, direction.sign * score) == (op, base)
    root = search.root
    one = root.live[1]
    two, three = sorted(one.live, key=lambda n: n.id)
    assert (root.visits, one.visits, two.visits, three.visits) == (7, 6, 2, 3)
    assert search.value(two) == pytest.approx((0.35 - 0.2) / 0.8)
    assert three.mean * direction.sign == pytest.approx((1.0 + 0.2 + 0.2) / 3)
    assert search.value(three) == pytest.approx(1 / 3)
    assert search.priority(three, one) == pytest.approx(1 / 3 + 0.25 * math.sqrt(math.log(6) / 3))


def test_aira_debugs_at_once_backs_up_through_the_chain_and_gives_up():
    search = aira(num_children=2, max_debug_depth=2)
    assert step(search) == (Op.DRAFT, None)
    assert step(search) == (Op.DEBUG, 0)
    assert step(search, 0.7) == (Op.DEBUG, 1)
    root = search.root
    zero = root.live[0]
    assert [(n.id, n.visits, n.mean) for n in (root, zero, zero.live[0], zero.live[0].live[0])] == [
        (-1, 1, 0.7), (0, 1, 0.7), (1, 1, 0.7), (2, 1, 0.7),
    ]  # fmt: skip
    assert [step(search), step(search), step(search)] == [(Op.DRAFT, None), (Op.DEBUG, 3), (Op.DEBUG, 4)]
    assert (root.visits, len(root.live)) == (1, 1)  # given up: nothing is backed up, never selected
    assert step(search, 0.5) == (Op.IMPROVE, 2)


def test_priority_counts_visits_in_flight_on_both_levels():
    search = aira()
    for score in (1.0, 3.0):
        search.normalise.add(score)
    parent = ScoredNode(0, search.root, valid=True, visits=6, virtual=2)
    child = ScoredNode(1, parent, valid=True, visits=3, mean=2.5, virtual=1)
    # N = 6 + 2, n = 3 + 1; q = (2.5 - 1) / 2 = 0.75; ln 8 = 2.0794415; sqrt(2.0794415 / 4) = 0.7210134
    assert search.priority(child, parent) == pytest.approx(0.75 + 0.25 * 0.7210134, abs=1e-7)
    waiting = ScoredNode(2, parent, valid=True, virtual=2)  # q = 0.5; sqrt(2.0794415 / 2) = 1.0196670
    assert search.priority(waiting, parent) == pytest.approx(0.5 + 0.25 * 1.0196670, abs=1e-7)


def test_aira_reopens_the_root_when_nothing_can_be_selected():
    search = aira(num_children=2, max_debug_depth=0)
    assert [step(search) for _ in range(6)] == [(Op.DRAFT, None)] * 6
    assert search.root.visits == 0


def test_aira_unusable_debug_spends_one_of_the_chain():
    search = aira(num_children=1, max_debug_depth=2)
    step(search)
    assert step(search, status=Status.REPLY_UNUSABLE) == (Op.DEBUG, 0)
    assert step(search) == (Op.DEBUG, 0)
    assert step(search) == (Op.DRAFT, None)


def test_aira_virtual_visits_spread_workers():
    search = aira(num_children=1)
    for score in (0.5, 0.5):
        step(search, score)  # draft 0, then its child 1: a chain, since one child fills a node
    p = [search.ask(0)]
    assert (p[0].op, p[0].base) == (Op.IMPROVE, 1)
    assert search.ask(0) is None  # the only leaf is in flight
    search = aira(num_children=2)
    for _ in range(2):
        step(search, 0.5)
    four = [search.ask(0).base for _ in range(4)]
    assert four == [0, 0, 1, 1]  # equal values; the earlier first, then the one with nothing in flight
    assert search.root.virtual == 4
    in_flight = ScoredNode(9, search.root, valid=True, virtual=1)
    assert search.value(in_flight) == 0.5


def test_native_contexts():
    search = factory("mcts")({"num_children": 2}, NATIVE, None)
    contexts = []
    for score in (0.1, None, None, 0.4, 0.5, 0.6):
        p = search.ask(0)
        contexts.append((p.op, p.base, p.context))
        search.tell(Outcome(p.id, p.op, Status.OK if score else Status.ERROR, score))
    assert contexts == [
        (Op.DRAFT, None, ()),
        (Op.DRAFT, None, (0,)),
        (Op.DEBUG, 1, ()),
        (Op.DEBUG, 2, (1,)),
        (Op.IMPROVE, 3, ()),
        (Op.IMPROVE, 3, (4,)),
    ]


def test_a_child_takes_the_place_of_a_node_with_nothing_left_to_choose():
    root = ScoredNode(ROOT, None, valid=True)
    a, b = (ScoredNode(i, root, valid=True) for i in range(2))
    c = ScoredNode(2, a, valid=True)
    d = ScoredNode(3, c, valid=True)
    for node, value in ((a, 1.0), (b, 2.0), (c, 6.0), (d, 3.0)):
        back_up(node, value)
    set_room(b, 1)
    set_room(d, 1)
    bypass(c, d)  # c: 2 visits with the mean 4.5; d had 1
    assert (a.live, d.parent, d.visits, d.mean, d.bypassed, d.order) == ([d], a, 2, 4.5, 1, 2)
    bypass(a, d)  # a: 3 visits with the mean 10 / 3
    assert (root.live, d.parent, d.visits, d.bypassed, d.order) == ([b, d], root, 3, 2, 0)
    assert d.mean == pytest.approx(10 / 3)
    bypass(root, d)  # the root stays
    assert (d.parent, d.visits) == (root, 3)
    back_up(d, 3.0)
    assert (root.visits, d.visits - d.bypassed) == (5, 2)  # two values went through d itself
    e = ScoredNode(4, d, valid=True, visits=1, mean=0.5)
    assert aira(c=2.0).priority(e, d) == pytest.approx(0.5 + 2.0 * math.sqrt(math.log(2)))


@pytest.mark.parametrize("params", [
    {"num_children": 1}, {"num_children": 2},
])  # fmt: skip
def test_shorter_paths_change_no_decision(params, monkeypatch):
    for seed in range(40):
        scenario = Scenario(
            seed, steps=150, workers=1 + seed % 8, p_fail=(0.0, 0.2, 0.5)[seed % 3],
            scores=("smooth", "ties", "wide", "equal")[seed % 4], context=tuple(Context)[seed % 2],
        )  # fmt: skip
        runs = []
        for replaced in (bypass, lambda node, child: None):
            monkeypatch.setattr("mlesearch.optimizers.mcts.aira.bypass", replaced)
            search = factory("mcts")(params, scenario.problem, scenario.rng)
            runs.append(simulate(search, scenario.outcome, workers=scenario.workers, steps=150, pick=scenario.pick))
        assert runs[0] == runs[1]


@pytest.mark.parametrize(("params", "limits"), [
    ({"preset": "aira", "num_children": 3}, {Op.IMPROVE: 3}),
    ({"preset": "ml_master"}, {Op.IMPROVE: 3, Op.DEBUG: 1}),
])  # fmt: skip
def test_no_node_gets_more_children_than_allowed(params, limits):
    for seed in range(20):
        scenario = Scenario(seed, steps=120, workers=1 + seed % 8, p_fail=0.3, scores="smooth")
        search = factory("mcts")(params, scenario.problem, scenario.rng)
        events = simulate(search, scenario.outcome, workers=scenario.workers, steps=120, pick=scenario.pick)
        seen: dict[tuple[Op, int], int] = {}
        for e in events:
            if isinstance(e, Ask) and e.proposal.base is not None:
                key = (e.proposal.op, e.proposal.base)
                seen[key] = seen.get(key, 0) + 1
                assert seen[key] <= limits.get(e.proposal.op, math.inf)
