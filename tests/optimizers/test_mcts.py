"""Both tree searches against values computed by hand."""

from __future__ import annotations

import math

import pytest

from mlesearch.optimizers.base import factory
from mlesearch.optimizers.mcts.tree import ROOT, MinMax, TreeNode, add_virtual, back_up, bypass, set_room, uct
from mlesearch.testing.optimizer_contract import Ask, Scenario, simulate
from mlesearch.types import Context, Direction, Op, Outcome, Problem, Status

MAX = Problem(Direction.MAXIMIZE, 500)
NATIVE = Problem(Direction.MAXIMIZE, 500, Context.NATIVE)


def aira(direction=Direction.MAXIMIZE, **params):
    return factory("mcts")(params, Problem(direction, 500), lambda id: pytest.fail("mcts draws nothing"))


def ml_master(problem=MAX, **params):
    return factory("mcts")({"preset": "ml_master", **params}, problem, lambda id: pytest.fail("mcts draws nothing"))


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
    root = TreeNode(ROOT, None, valid=True)
    a, b = (TreeNode(i, root, valid=True) for i in range(2))
    c = TreeNode(2, a, valid=True)
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
    assert search.priority(three, one, 0.25) == pytest.approx(1 / 3 + 0.25 * math.sqrt(math.log(6) / 3))


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
    parent = TreeNode(0, search.root, valid=True, visits=6, virtual=2)
    child = TreeNode(1, parent, valid=True, visits=3, mean=2.5, virtual=1)
    # N = 6 + 2, n = 3 + 1; q = (2.5 - 1) / 2 = 0.75; ln 8 = 2.0794415; sqrt(2.0794415 / 4) = 0.7210134
    assert search.priority(child, parent, 0.25) == pytest.approx(0.75 + 0.25 * 0.7210134, abs=1e-7)
    waiting = TreeNode(2, parent, valid=True, virtual=2)  # q = 0.5; sqrt(2.0794415 / 2) = 1.0196670
    assert search.priority(waiting, parent, 0.25) == pytest.approx(0.5 + 0.25 * 1.0196670, abs=1e-7)
    search = ml_master()
    child.mean = -1 / 3  # of the rewards +1, -1, -1
    assert search.priority(child, parent, 1.414) == pytest.approx(-1 / 3 + 1.414 * 0.7210134, abs=1e-6)
    assert search.priority(waiting, parent, 1.414) == pytest.approx(0.5 + 1.414 * 1.0196670, abs=1e-6)


# Rewards as released, two drafts, two improves, a branch ends at its first node without gain; C = 1.414 throughout.
# 0 scores 0.5, 1 improves 0 without gain: +1 through 1, 0, root. 2 scores 0.5, 3 improves 2 and is buggy; so are 4, 5
# and 6, the third debug in a row: -1 through 6, 5, 4, 3, 2, root
#   root N = 2: uct(0) = 1 + 1.414 sqrt(ln 2) = 2.177, uct(2) = -1 + 1.177 = 0.177             -> 7 improves 0
# 7 brings no gain: 0 is full, 7 terminal. Only 2 has room                                     -> 8 improves 2
def test_ml_master_golden_tree():
    search = ml_master(drafts=2, improves=2, max_no_gains=0)
    told = [(0.5, Op.DRAFT, None), (0.5, Op.IMPROVE, 0), (0.5, Op.DRAFT, None), (None, Op.IMPROVE, 2),
            (None, Op.DEBUG, 3), (None, Op.DEBUG, 4), (None, Op.DEBUG, 5)]  # fmt: skip
    for score, op, base in told:
        assert step(search, score) == (op, base)
    root = search.root
    zero, two = sorted(root.live, key=lambda n: n.id)
    assert [(n.id, n.visits, n.mean) for n in (root, zero, two)] == [(-1, 2, 0.0), (0, 1, 1.0), (2, 1, -1.0)]
    c = search.exploration(0.0)
    assert c == 1.414
    assert search.priority(zero, root, c) == pytest.approx(1 + 1.414 * 0.8325546, abs=1e-6)
    assert search.priority(two, root, c) == pytest.approx(-1 + 1.414 * 0.8325546, abs=1e-6)
    assert step(search, 0.5) == (Op.IMPROVE, 0)
    assert step(search, 0.9) == (Op.IMPROVE, 2)


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
    in_flight = TreeNode(9, search.root, valid=True, virtual=1)
    assert search.value(in_flight) == 0.5


@pytest.mark.parametrize(("nodes", "c"), [(1, 1.414), (45, 1.414), (100, 0.864), (136, 0.504), (137, 0.5), (500, 0.5)])
def test_ml_master_constant_with_500_steps(nodes, c):
    assert ml_master().constant(nodes, 0.0) == pytest.approx(c, abs=1e-12)


def test_ml_master_constant_holds_for_a_share_of_a_short_run():
    short = ml_master(Problem(Direction.MAXIMIZE, 100))  # 0.3 * 100 = 30 nodes, 0.7 * 100 = 70
    assert [round(short.constant(n, 0.0), 6) for n in (30, 40, 69, 70)] == [1.414, 1.314, 1.024, 0.5]


def test_ml_master_constant_without_step_budget():
    search = ml_master(Problem(Direction.MAXIMIZE, None))
    assert [round(search.constant(n, 0.1), 6) for n in (10, 45, 55)] == [1.414, 1.414, 1.314]
    for i in range(10):
        step(search, float(i), used=0.3 if i >= 7 else 0.29)  # 7 were told when `used` reached 0.3
    assert search.constant(10, 0.4) == pytest.approx(1.414 - 0.03)
    assert search.constant(10, 0.7) == 0.5


def test_ml_master_chain_of_debugs():
    search = ml_master()
    # a draft and three debugs fail: the branch is left, and -1 is backed up once through all four
    assert [step(search) for _ in range(4)] == [(Op.DRAFT, None), (Op.DEBUG, 0), (Op.DEBUG, 1), (Op.DEBUG, 2)]
    assert (search.root.visits, search.root.mean) == (1, -1.0)
    # the next branch: a debug that succeeds ends it with +1
    assert [step(search), step(search, 0.5)] == [(Op.DRAFT, None), (Op.DEBUG, 4)]
    assert (search.root.visits, search.root.mean) == (2, 0.0)
    assert step(search, 0.4) == (Op.DRAFT, None)


@pytest.mark.parametrize("direction", list(Direction))
def test_ml_master_branch_without_gain_becomes_terminal(direction):
    search, sign = ml_master(Problem(direction, 500)), direction.sign
    scores = [0.5, 0.6, 0.60005, 0.6, 0.1]  # one gain, then three times less than 1e-4
    assert [step(search, sign * s) for s in scores] == [(Op.DRAFT, None), *((Op.IMPROVE, i) for i in range(4))]
    assert search.root.visits == 0  # still in the chain
    assert step(search, sign * 0.6) == (Op.IMPROVE, 4)  # the fourth time: terminal, backed up
    assert (search.root.visits, search.root.mean) == (1, 1.0)
    assert step(search, 0.1) == (Op.DRAFT, None)


def test_ml_master_limits_and_infinite_unvisited():
    search = ml_master(drafts=2, improves=2, max_no_gains=0)
    # without gain at once: the second node of each branch is terminal
    assert [step(search, 0.5) for _ in range(4)] == [
        (Op.DRAFT, None), (Op.IMPROVE, 0), (Op.DRAFT, None), (Op.IMPROVE, 2),
    ]  # fmt: skip
    # roots are full; 0 and 2 have one visit each and room for one more: the earlier, then the other
    assert [step(search, 0.5), step(search, 0.5)] == [(Op.IMPROVE, 0), (Op.IMPROVE, 2)]
    # all are full or terminal: more drafts
    assert step(search, 0.5) == (Op.DRAFT, None)
    assert search.priority(TreeNode(9, search.root, valid=True), search.root, 1.0) == math.inf


@pytest.mark.parametrize(("reward", "mean"), [("as_released", 1.0), ("as_published", 1.5)])
def test_ml_master_rewards(reward, mean):
    search = ml_master(reward=reward, drafts=2, max_no_gains=0, improves=1)
    scores = [0.5, 0.5, 0.9, 0.9]  # both branches end at a node that is no new best ...
    for s in scores:
        step(search, s)
    assert search.root.mean == 1.0
    search = ml_master(reward=reward, drafts=2)
    step(search)
    step(search, 0.5)  # ... and here at a debug that is one, then at one that is not
    step(search)
    step(search, 0.4)
    assert search.root.mean == mean


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


def test_native_contexts_of_ml_master():
    search = ml_master(NATIVE, drafts=2, improves=2, max_no_gains=0)
    contexts = []
    for score in (0.5, 0.5, None, 0.4, 0.4, 0.3):
        p = search.ask(0)
        contexts.append((p.op, p.base, p.context))
        search.tell(Outcome(p.id, p.op, Status.OK if score else Status.ERROR, score))
    assert contexts == [
        (Op.DRAFT, None, ()),
        (Op.IMPROVE, 0, ()),
        (Op.DRAFT, None, (0,)),
        (Op.DEBUG, 2, ()),
        (Op.IMPROVE, 0, (1,)),
        (Op.IMPROVE, 3, ()),
    ]


def test_a_child_takes_the_place_of_a_node_with_nothing_left_to_choose():
    root = TreeNode(ROOT, None, valid=True)
    a, b = (TreeNode(i, root, valid=True) for i in range(2))
    c = TreeNode(2, a, valid=True)
    d = TreeNode(3, c, valid=True)
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
    e = TreeNode(4, d, valid=True, visits=1, mean=0.5)
    assert aira().priority(e, d, 2.0) == pytest.approx(0.5 + 2.0 * math.sqrt(math.log(2)))


@pytest.mark.parametrize("params", [
    {"num_children": 1}, {"num_children": 2}, {"preset": "ml_master"},
    {"preset": "ml_master", "reward": "as_published", "improves": 1, "max_no_gains": 9},
])  # fmt: skip
def test_shorter_paths_change_no_decision(params, monkeypatch):
    for seed in range(40):
        scenario = Scenario(
            seed, steps=150, workers=1 + seed % 8, p_fail=(0.0, 0.2, 0.5)[seed % 3],
            scores=("smooth", "ties", "wide", "equal")[seed % 4], context=tuple(Context)[seed % 2],
        )  # fmt: skip
        runs = []
        for replaced in (bypass, lambda node, child: None):
            monkeypatch.setattr("mlesearch.optimizers.mcts.search.bypass", replaced)
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
