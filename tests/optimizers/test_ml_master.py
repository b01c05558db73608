"""ML-Master's search against an oracle of the released rules, against values computed by hand, and with workers."""

from __future__ import annotations

import math
import random

import pytest

from mlesearch.optimizers.base import factory
from mlesearch.optimizers.mcts import ml_master as module
from mlesearch.testing.optimizer_contract import Scenario, simulate
from mlesearch.types import Context, Direction, Op, Outcome, Problem, Status

STEPS = 120


PROBLEM = Problem(Direction.MAXIMIZE, 500)


def ml_master(problem=PROBLEM, **params):
    return factory("mcts")(
        {"preset": "ml_master", **params}, problem, lambda id: pytest.fail("ml_master draws nothing")
    )


def step(search, score=None, used=0.0, status=Status.ERROR):
    p = search.ask(used)
    search.tell(Outcome(p.id, p.op, Status.OK if score is not None else status, score))
    return p.op, p.base


class Node:
    def __init__(self, id, parent):
        self.id, self.parent, self.children = id, parent, []
        self.score = None
        self.buggy = self.terminal = self.flag = False
        self.best = None  # the node whose score is to be bettered
        self.small_gains = 0
        self.visits, self.total = 0, 0

    def debug_depth(self):
        return self.parent.debug_depth() + 1 if self.parent is not None and self.parent.buggy else 0

    def subtree(self):
        yield self
        for child in self.children:
            yield from child.subtree()


class Released:
    """The released search for one worker, as its rules are stated, over a plain tree that is walked as a whole.

    A buggy node is debugged once; a gain is 1e-4.
    """

    def __init__(self, sign, steps, *, drafts=5, improves=3, chain_debug_depth=3, max_debug_depth=20, max_no_gains=3,
                 reward="as_released"):  # fmt: skip
        self.sign, self.steps, self.as_published = sign, steps, reward == "as_published"
        self.drafts, self.improves, self.small = drafts, improves, max_no_gains
        self.leave, self.give_up = chain_debug_depth, max_debug_depth
        self.root = Node(-1, None)
        self.finished, self.global_best = 0, None
        self.going_on = None
        self.terminal_visits = 0

    def c(self):
        nodes = self.finished + 1  # rule 4
        first, last = min(self.drafts * self.improves**2, round(0.3 * self.steps)), round(0.7 * self.steps)
        return 1.414 if nodes < first else max(0.5, 1.414 - 0.01 * (nodes - first)) if nodes <= last else 0.5

    def full(self, node):
        return len(node.children) >= (self.drafts if node is self.root else 1 if node.buggy else self.improves)

    def select(self):
        if not any(not n.terminal and not self.full(n) for n in self.root.subtree()):
            return None  # the released search would go on for ever
        for _ in range(module.MOST_TERMINAL):
            node = self.root
            while not node.terminal and (self.full(node) or (node.flag and node.children)):  # rule 1
                c, n_parent = self.c(), node.visits
                node = max(
                    node.children,
                    key=lambda n: (n.total / n.visits + c * math.sqrt(math.log(n_parent) / n.visits), -n.id),
                )
            if not node.terminal:
                return node
            self.terminal_visits += 1
            self.back_up(node, 0)  # rule 3
        return None  # it would go on, for a long time or for ever

    def back_up(self, node, value):
        while node is not None:
            if node.parent is not None and node.parent.parent is not None:
                node.parent.flag = node.flag  # rule 1
            node.small_gains = 0  # rule 2
            node.visits += 1
            node.total += value
            node = node.parent

    def next(self):
        node = self.going_on or self.select()
        if node is None:
            return None
        op = Op.DRAFT if node is self.root else Op.DEBUG if node.buggy else Op.IMPROVE
        self.parent, self.op = node, op
        return op, None if node is self.root else node.id

    def learn(self, id, score):
        parent, node = self.parent, Node(id, self.parent)
        parent.children.append(node)
        node.score, node.buggy, node.best = score, score is None, parent.best
        self.finished += 1
        reward, back = -1, False
        if node.buggy:
            back = node.debug_depth() >= self.leave
            node.terminal = back and node.debug_depth() >= self.give_up
        else:
            reward = 1
            if self.global_best is None or self.sign * score > self.sign * self.global_best:
                self.global_best = score
                reward += self.as_published
            back = parent.buggy
            if node.best is None or self.sign * (score - node.best.score) >= 1e-4:
                node.best, node.flag = node, True
            elif node.best.small_gains < self.small:
                node.best.small_gains += 1
                node.flag = True
            else:
                node.terminal = back = True
        self.going_on = None if back else node
        if back:
            self.back_up(node, reward)


def climbing(draws, id, p_bug):
    """Gains that get rarer."""
    return None if draws.random() < p_bug else draws.random() ** 0.5 + 0.001 * id


def coarse(draws, id, p_bug):
    """Many equal scores."""
    return None if draws.random() < p_bug else draws.choice([0.1, 0.2, 0.3, 0.30005])


def shrinking(draws, id, p_bug):
    """Hardly a gain after the first."""
    return None if draws.random() < p_bug else 1 / (2 + id) + 1e-5 * draws.random()


def rising(draws, id, p_bug):
    """Always a gain."""
    return None if draws.random() < p_bug else 1.0 + id


WORLDS = [
    (climbing, 0.1),
    (climbing, 0.5),
    (coarse, 0.0),
    (coarse, 0.3),
    (shrinking, 0.3),
    (rising, 0.4),
    (coarse, 0.9),
]
RUNS = [(world, p_bug, seed) for world, p_bug in WORLDS for seed in range(4)]


def compared(world, p_bug, seed, decisions, **params):
    """Decisions that were compared, terminal nodes selected on the way; the first difference is an assertion."""
    direction, steps = tuple(Direction)[seed % 2], (500, 120, 60, 5000)[seed]
    params["reward"] = "as_published" if seed >= 2 else "as_released"
    oracle = Released(direction.sign, steps, **params)
    ours = ml_master(Problem(direction, steps), **params)
    draws = random.Random(f"{world.__name__} {p_bug} {seed}")
    for id in range(decisions):
        expected, p = oracle.next(), ours.ask(0.5)
        if expected is None:  # our search leaves what is terminal here: a deviation
            return id, oracle.terminal_visits
        assert (p.op, p.base) == expected, f"decision {id}"
        score = world(draws, id, p_bug)
        score = None if score is None else direction.sign * score
        oracle.learn(id, score)
        ours.tell(Outcome(p.id, p.op, Status.OK if score is not None else Status.ERROR, score))
    return decisions, oracle.terminal_visits


def test_every_decision_is_the_released_one():
    """28 runs of 120 decisions: directions, rewards, step budgets and worlds."""
    found = [compared(world, p_bug, seed, STEPS) for world, p_bug, seed in RUNS]
    assert [decisions for decisions, _ in found] == [STEPS] * 28


@pytest.mark.parametrize(
    ("params", "least"),
    [
        ({"drafts": 2, "improves": 2, "max_no_gains": 0}, 500),
        ({"drafts": 3, "improves": 1, "max_no_gains": 1}, 500),
        ({"drafts": 4, "improves": 4, "max_no_gains": 0}, 500),
        ({"drafts": 1, "improves": 4, "chain_debug_depth": 1, "max_debug_depth": 2}, 500),
        ({"drafts": 4, "improves": 2, "chain_debug_depth": 2, "max_debug_depth": 3}, 500),
    ],
)
def test_every_decision_is_the_released_one_where_much_is_terminal(params, least):
    """Rule 3 decides here: terminal nodes are selected, and sink."""
    found = [compared(world, p_bug, seed, STEPS, **params) for world, p_bug, seed in RUNS]
    assert sum(decisions for decisions, _ in found) > least
    assert sum(terminal for _, terminal in found) > 100


# Rewards as released, two drafts, two improves, a branch ends at its first small gain; C = 1.414 throughout.
# 0 scores 0.5, 1 improves 0 by nothing: terminal, its flag is off and is copied to 0; +1 through 1, 0, root.
# 2 scores 0.5, 3 improves 2 and is buggy; so are 4, 5 and 6, the third debug in a row: a buggy node has no flag, so 5,
# 4, 3 and 2 have none; -1 through 6, 5, 4, 3, 2, root.
#   root N = 2: uct(0) = 1 + 1.414 sqrt(ln 2) = 2.177, uct(2) = -1 + 1.177 = 0.177     -> 0 has room: 7 improves 0
# 7 scores 0.5: the counter of 0 was set to zero by the back-up, but none is allowed: terminal, +1 through 7, 0, root.
#   root N = 3: uct(0) = 1 + 1.414 sqrt(ln 3 / 2) = 2.048, uct(2) = -1 + 1.414 sqrt(ln 3) = 0.482   -> down to 0, full
#   1 and 7 have one visit each: 1, terminal: 0 through 1, 0, root
#   root N = 4: uct(0) = 2/3 + 1.414 sqrt(ln 4 / 3) = 1.628, uct(2) = -1 + 1.414 sqrt(ln 4) = 0.665 -> 0; N = 3:
#   uct(1) = 0.5 + 1.414 sqrt(ln 3 / 2) = 1.548, uct(7) = 1 + 1.414 sqrt(ln 3) = 2.482              -> 7, terminal: 0
#   root N = 5: uct(0) = 2/4 + 1.414 sqrt(ln 5 / 4) = 1.397, uct(2) = -1 + 1.414 sqrt(ln 5) = 0.794 -> 0 once more: 0
#   root N = 6: uct(0) = 2/5 + 1.414 sqrt(ln 6 / 5) = 1.246, uct(2) = 0.893                         -> 0 once more: 0
#   root N = 7: uct(0) = 2/6 + 1.414 sqrt(ln 7 / 6) = 1.139, uct(2) = 0.972                         -> 0 once more: 0
#   root N = 8: uct(0) = 2/7 + 1.414 sqrt(ln 8 / 7) = 1.056, uct(2) = 1.039                         -> 0 once more: 0
#   root N = 9: uct(0) = 2/8 + 1.414 sqrt(ln 9 / 8) = 0.991, uct(2) = 1.096                         -> 8 improves 2
def test_a_tree_by_hand():
    search = ml_master(drafts=2, improves=2, max_no_gains=0)
    told = [(0.5, Op.DRAFT, None), (0.5, Op.IMPROVE, 0), (0.5, Op.DRAFT, None), (None, Op.IMPROVE, 2),
            (None, Op.DEBUG, 3), (None, Op.DEBUG, 4), (None, Op.DEBUG, 5)]  # fmt: skip
    for score, op, base in told:
        assert step(search, score) == (op, base)
    root = search.root
    zero, two = root.children
    assert [(n.id, n.visits, n.total) for n in (root, zero, two)] == [(-1, 2, 0.0), (0, 1, 1.0), (2, 1, -1.0)]
    assert [n.goes_on for n in (zero, two)] == [False, False]
    assert search.priority(zero, 1.414) == pytest.approx(1 + 1.414 * 0.8325546, abs=1e-6)
    assert search.priority(two, 1.414) == pytest.approx(-1 + 1.414 * 0.8325546, abs=1e-6)
    assert step(search, 0.5) == (Op.IMPROVE, 0)
    p = search.ask(0.0)
    assert (p.op, p.base) == (Op.IMPROVE, 2)
    assert (root.visits, zero.visits, zero.total) == (9, 8, 2.0)  # six visits of value 0 sank what is terminal


def test_a_flagged_node_is_not_widened():
    """Rule 1: the branch of 0 ends at a debug that succeeded, so it keeps its flag: selection goes down to its end."""
    search = ml_master(drafts=1, improves=3)
    for score, expected in [(0.5, (Op.DRAFT, None)), (None, (Op.IMPROVE, 0)), (0.9, (Op.DEBUG, 1))]:
        assert step(search, score) == expected
    zero = search.root.children[0]
    assert (zero.room, zero.goes_on, zero.children[0].goes_on) == (2, True, True)
    assert step(search, 0.95) == (Op.IMPROVE, 2)  # not a second child of 0


def test_a_back_up_forgets_small_gains():
    """Rule 2: three small gains, then a back-up; without it the next small gain would be one too many."""
    search = ml_master(drafts=1)
    scores = (0.5, 0.5, 0.5, 0.5)
    assert [step(search, s) for s in scores] == [(Op.DRAFT, None), (Op.IMPROVE, 0), (Op.IMPROVE, 1), (Op.IMPROVE, 2)]
    zero = search.root.children[0]
    assert zero.no_gains == 3
    assert [step(search), step(search, 0.5)] == [(Op.IMPROVE, 3), (Op.DEBUG, 4)]  # a debug that succeeded ...
    assert zero.no_gains == 0  # ... is the fourth small gain: terminal, and backed up
    assert search.root.visits == 1


@pytest.mark.parametrize(("nodes", "c"), [(1, 1.414), (45, 1.414), (100, 0.864), (136, 0.504), (137, 0.5), (500, 0.5)])
def test_constant_with_500_steps(nodes, c):
    assert ml_master().annealing.c(nodes, 0.0) == pytest.approx(c, abs=1e-12)


def test_constant_holds_for_a_share_of_a_short_run():
    short = ml_master(Problem(Direction.MAXIMIZE, 100)).annealing  # 0.3 * 100 = 30 nodes, 0.7 * 100 = 70
    assert [round(short.c(n, 0.0), 6) for n in (30, 40, 70, 71)] == [1.414, 1.314, 1.014, 0.5]


def test_constant_without_step_budget():
    search = ml_master(Problem(Direction.MAXIMIZE, None))
    assert [round(search.annealing.c(n, 0.1), 6) for n in (10, 45, 55)] == [1.414, 1.414, 1.314]
    for i in range(10):
        step(search, float(i), used=0.3 if i >= 7 else 0.29)  # 7 were told when `used` reached 0.3: 8 with the root
    assert search.annealing.c(11, 0.4) == pytest.approx(1.414 - 0.03)
    assert search.annealing.c(11, 0.7) == 0.5


def test_chain_of_debugs():
    search = ml_master()
    # a draft and three debugs fail: the branch is left, and -1 is backed up once through all four
    assert [step(search) for _ in range(4)] == [(Op.DRAFT, None), (Op.DEBUG, 0), (Op.DEBUG, 1), (Op.DEBUG, 2)]
    assert (search.root.visits, search.root.total) == (1, -1.0)
    # the next branch: a debug that succeeds ends it with +1
    assert [step(search), step(search, 0.5)] == [(Op.DRAFT, None), (Op.DEBUG, 4)]
    assert (search.root.visits, search.root.total) == (2, 0.0)
    assert step(search, 0.4) == (Op.DRAFT, None)


@pytest.mark.parametrize("direction", list(Direction))
def test_branch_without_gain_becomes_terminal(direction):
    search, sign = ml_master(Problem(direction, 500)), direction.sign
    scores = [0.5, 0.6, 0.60005, 0.6, 0.1]  # one gain, then three times less than 1e-4
    assert [step(search, sign * s) for s in scores] == [(Op.DRAFT, None), *((Op.IMPROVE, i) for i in range(4))]
    assert search.root.visits == 0  # still in the chain
    assert step(search, sign * 0.6) == (Op.IMPROVE, 4)  # the fourth time: terminal, backed up
    assert (search.root.visits, search.root.total) == (1, 1.0)
    assert step(search, 0.1) == (Op.DRAFT, None)


def test_where_all_is_terminal_the_root_is_drafted_from_again():
    search = ml_master(drafts=2, improves=1, max_no_gains=0)
    # without gain at once: the second node of each branch is terminal, and each root is full
    assert [step(search, 0.5) for _ in range(4)] == [
        (Op.DRAFT, None), (Op.IMPROVE, 0), (Op.DRAFT, None), (Op.IMPROVE, 2),
    ]  # fmt: skip
    assert step(search, 0.5) == (Op.DRAFT, None)


@pytest.mark.parametrize(("reward", "total"), [("as_released", 2.0), ("as_published", 3.0)])
def test_rewards(reward, total):
    search = ml_master(reward=reward, drafts=2, max_no_gains=0, improves=1)
    for s in (0.5, 0.5, 0.9, 0.9):  # both branches end at a node that is no new best ...
        step(search, s)
    assert search.root.total == 2.0
    search = ml_master(reward=reward, drafts=2)
    step(search)
    step(search, 0.5)  # ... and here at a debug that is one, then at one that is not
    step(search)
    step(search, 0.4)
    assert search.root.total == total


def test_native_contexts():
    search = ml_master(Problem(Direction.MAXIMIZE, 500, Context.NATIVE), drafts=2, improves=2, max_no_gains=0)
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


def test_one_worker_is_in_a_branch_at_a_time():
    search = ml_master(drafts=2)
    first, second = search.ask(0.0), search.ask(0.0)
    assert [(p.op, p.base) for p in (first, second)] == [(Op.DRAFT, None)] * 2
    assert search.ask(0.0) is None
    search.tell(Outcome(first.id, first.op, Status.OK, 0.5))
    assert (search.ask(0.0).base, search.ask(0.0)) == (0, None)  # its branch goes on, with one worker


def test_terminal_nodes_selected_for_ever_are_passed_over_at_last():
    """A branch far above the other sinks by one visit at a time; after `MOST_TERMINAL` the other goes on anyway."""
    search = ml_master(drafts=2, improves=1, max_no_gains=0, c=0.0)
    for score, expected in [(0.5, (Op.DRAFT, None)), (0.5, (Op.IMPROVE, 0)), (None, (Op.DRAFT, None))]:
        assert step(search, score) == expected
    assert [step(search) for _ in range(3)] == [(Op.DEBUG, 2), (Op.DEBUG, 3), (Op.DEBUG, 4)]
    assert step(search, 0.4) == (Op.DEBUG, 5)
    assert search.root.visits >= module.MOST_TERMINAL


def test_the_same_decisions_in_every_order_of_workers():
    for seed in range(10):
        scenario = Scenario(seed, steps=100, workers=1 + seed % 5, p_fail=0.3, scores="ties")
        runs = [
            simulate(
                factory("mcts")({"preset": "ml_master"}, scenario.problem, scenario.rng),
                scenario.outcome,
                workers=scenario.workers,
                steps=100,
                pick=scenario.pick,
            )
            for _ in range(2)
        ]
        assert runs[0] == runs[1]
