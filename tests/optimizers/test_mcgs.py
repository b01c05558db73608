"""Monte Carlo graph search against a plain emulation of the published rules, and against cases worked by hand."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import pytest

from mlesearch.optimizers.base import factory
from mlesearch.optimizers.mcgs.graph import Elite, GraphBranch, GraphNode
from mlesearch.optimizers.mcgs.settings import MCGSSettings
from mlesearch.testing.optimizer_contract import Ask, Scenario, simulate
from mlesearch.types import Context, Direction, Op, Outcome, Problem, Proposal, Status
from tests.support.fixed_draws import FixedDraws

MAX = Problem(Direction.MAXIMIZE, 100)


class End(Exception):
    """The steps are spent."""


@dataclass(eq=False)
class Node:
    """What the release keeps of a program (engine/search_node.py)."""

    id: int | None
    parent: Node | None
    branch: int | None
    metric: float | None = None
    children: list = field(default_factory=list)
    visits: int = 0
    reward: float = 0.0
    terminal: bool = False
    local_best: Node | None = None
    continue_improve: bool = False
    failure_depth: int = 0
    locked: bool = False
    from_topk: bool = False
    drafted_from_all: bool = False

    @property
    def buggy(self):
        return self.parent is not None and self.metric is None

    @property
    def debug_depth(self):
        return self.parent.debug_depth + 1 if self.parent is not None and self.parent.buggy else 0

    def trajectory(self):
        return [] if self.parent is None else [*self.parent.trajectory(), self.id]


class Emulation:
    """The released rules for one worker, whose tasks stand in one queue; everything is looked up in plain lists."""

    def __init__(self, scenario: Scenario, used, **params):
        self.scenario, self.used_of = scenario, used
        self.s = MCGSSettings(**params)
        self.sign = scenario.direction.sign
        self.native = scenario.context is Context.NATIVE
        self.root = Node(None, None, None, local_best=None)
        self.draft_limit = self.s.num_drafts
        self.nodes, self.made = [], []
        self.fusion_drafts = 0
        self.executed = Counter()

    # engine/agent_search.py and run.py

    def run(self):
        try:
            queue = []
            for _ in range(min(self.s.initial_drafts, self.s.num_drafts)):
                self.begin()
                queue.append(self.step(self.root, False))
            while True:
                self.begin()
                queue = [None if n is not None and n.buggy and n.children else n for n in queue]  # ours: debugged once
                node = next((n for n in queue if n is not None or self.able()), None)  # ours: one that cannot waits
                if queue:
                    queue.remove(node)
                if node is None:
                    node, topk = self.select_with_soft_switch()
                    queue.append(self.step(node, topk))
                else:
                    queue.append(self.step(node, False))
        except End:
            return self.made

    def begin(self):
        self.draws = self.scenario.rng(len(self.made))
        self.used = self.used_of(len(self.made))

    def step(self, parent, topk):
        s, shown = self.s, tuple(n.id for n in self.nodes if n.parent is parent) if self.native else None
        others, drafted_from_all = (), False
        if parent is self.root:
            op = Op.DRAFT
            if self.drafts() >= self.draft_limit:
                bests = [self.top(b, 1)[0] for b in self.branches()]
                shown = tuple(n.id for n in sorted(bests, key=lambda n: (-n.metric, n.id)))
                drafted_from_all = True
        elif parent.buggy:
            op, shown = Op.DEBUG, () if self.native else None
        else:
            op = Op.IMPROVE
            if self.stagnant(parent.branch, s.topk_stagnation_threshold if topk else s.branch_stagnation_threshold):
                may_fuse = s.fusion and self.used >= s.fusion_start
                if s.evolution and may_fuse:
                    fuse = self.draws.random() < s.fusion_vs_evolution_prob
                else:
                    fuse = may_fuse
                if fuse:
                    others = [n.id for b in self.branches() if b != parent.branch for n in self.top(b, 2)]
                    others = others or [n.id for n in self.top(parent.branch, 2) if n is not parent]
                    others = tuple(others[:5])
                    if others:
                        op, shown = Op.MERGE, others
                elif s.evolution and len(parent.trajectory()) >= 2:
                    shown = tuple(dict.fromkeys([*parent.trajectory()[-10:], *(shown or ())]))
        late = (
            self.draws.random() < s.force_backprop_late_prob if self.used >= s.force_backprop_late_threshold else None
        )
        id = len(self.made)
        if id == self.scenario.steps:
            raise End
        base = parent.id
        self.made.append((op, base, () if base is None else (base, *others), shown))
        outcome = self.scenario.outcome(Proposal(id, op, base))
        if outcome.status is Status.REPLY_UNUSABLE:
            self.backpropagate(parent, 0, count=False)
            return None
        branch = id if parent is self.root else parent.branch
        node = Node(id, parent, branch, self.sign * outcome.score if outcome.valid else None)
        node.local_best, node.drafted_from_all = parent.local_best, drafted_from_all
        node.locked = parent is self.root
        node.from_topk = topk and not parent.buggy
        self.fusion_drafts += drafted_from_all
        parent.children.append(node)
        ended = self.check_improvement(node, parent, late)
        self.nodes.append(node)
        return None if ended else node

    # engine/conditions.py and engine/solution_manager.py

    def valid(self, branch):
        done = [n for n in self.nodes if n.branch == branch and n.metric is not None]
        return done

    def branches(self):
        return sorted({n.branch for n in self.nodes if n.metric is not None})

    def top(self, branch, k):
        return sorted(self.valid(branch), key=lambda n: (-n.metric, n.id))[:k]

    def stagnant(self, branch, threshold):
        valid = self.valid(branch)
        best = max(n.metric for n in valid)
        recent = valid[-threshold:]
        return len(recent) >= 2 and all(n.metric < best for n in recent)

    def may_aggregate(self):
        s = self.s
        enough = [b for b in self.branches() if len(self.valid(b)) >= s.fusion_min_successful_nodes]
        return (
            s.aggregation and self.fusion_drafts < s.max_fusion_drafts and len(enough) >= s.fusion_min_branches
            and s.aggregation_start <= self.used <= s.aggregation_end
        )  # fmt: skip

    # engine/node_selection.py

    def drafts(self):
        return self.forgotten + sum(not c.drafted_from_all for c in self.root.children)

    def able(self):
        free = [c for c in self.root.children if not c.locked]
        return self.drafts() < self.draft_limit or self.may_aggregate() or any(map(self.has_room_below, free))

    forgotten = 0  # regular drafts that were taken from the root when it was opened again

    def at_limit(self, node):
        if node is self.root:
            return self.drafts() >= self.draft_limit
        if node.buggy:
            return len(node.children) >= 1
        return sum(not c.from_topk for c in node.children) >= self.s.num_improves

    def has_room_below(self, node):
        return (not node.terminal and not self.at_limit(node)) or any(self.has_room_below(c) for c in node.children)

    def constant(self):
        s, t, steps = self.s, len(self.nodes) + 1, self.scenario.steps
        t1, t2 = min(s.num_drafts * s.num_improves**2, round(0.3 * steps)), round(0.7 * steps)
        if t < t1:
            return s.exploration_constant
        return s.lower_bound if t > t2 else max(s.exploration_constant - s.alpha * (t - t1), s.lower_bound)

    def best_child(self, node, strict):
        children = [c for c in node.children if not c.locked and (not strict or self.has_room_below(c))]
        c = self.constant()

        def value(child):
            if child.visits == 0:
                return math.inf
            return child.reward / child.visits + c * math.sqrt(math.log(node.visits) / child.visits)

        return max(children, key=lambda child: (value(child), -child.id))

    def select(self, node, strict=False):
        while not node.terminal:
            if not self.at_limit(node):
                if not (node.continue_improve and node.children):
                    return node
            elif node is self.root and self.may_aggregate():
                return node
            node = self.best_child(node, strict)
        return node

    def top_k(self, k, most):
        taken, count = [], Counter()
        for node in sorted((n for n in self.nodes if n.metric is not None), key=lambda n: (-n.metric, n.id)):
            if len(taken) < k and count[node.branch] < most:
                taken.append(node)
                count[node.branch] += 1
        return list(enumerate(taken, 1))

    def select_once(self):
        s = self.s
        if self.used < s.explore_switch_start:
            weight = 1.0
        elif self.used < s.explore_switch_end:
            share = (self.used - s.explore_switch_start) / (s.explore_switch_end - s.explore_switch_start)
            weight = 1.0 - (1.0 - s.min_exploration_weight) * share
        else:
            weight = s.min_exploration_weight
        if self.draws.random() < weight:
            return self.select(self.root), False
        if self.used < s.explore_switch_end:
            ranked = self.top_k(s.topk_early_k, s.topk_early_max_per_branch)
        else:
            ranked = self.top_k(s.topk_late_k, s.topk_late_max_per_branch)
        if not ranked:
            return self.select(self.root), False
        able = [(r, n) for r, n in ranked if len(n.children) < s.topk_max_improves]
        point = self.draws.random() * sum(1 / r for r, _ in able or ranked)
        for r, chosen in able or ranked:
            node = chosen
            point -= 1 / r
            if point < 0:
                break
        return (node if able else self.select(node)), True

    def select_with_soft_switch(self):
        if not self.able():
            self.forgotten += sum(not c.drafted_from_all for c in self.root.children)  # ours: the release hangs here
            self.root.children = []
            self.draft_limit += self.s.num_drafts
        for _ in range(100):
            node, topk = self.select_once()
            if not node.terminal:
                break
            self.backpropagate(node, 0)
        else:  # ours: the release goes on
            node, topk = self.select(self.root, strict=True), False
        if not topk and node is not self.root:
            above = node
            while above.parent is not self.root:
                above = above.parent
            above.locked = True
        return node, topk

    # engine/evaluation.py

    def backpropagate(self, node, value, count=True):
        while node is not None:
            if node.parent is not None and node.parent is not self.root:
                node.parent.continue_improve = node.continue_improve
            node.locked = False
            node.failure_depth = 0
            if count:
                node.visits += 1
                node.reward += value
            node = node.parent

    def reward(self, node):
        if node.buggy:
            return -1
        return 0 if node.parent is self.root else 1.5 if node.parent.buggy else 1

    def check_improvement(self, node, parent, late):
        s = self.s
        self.executed[node.branch] += 1
        forced = late
        if late is None:
            third = self.executed[node.branch] % s.force_backprop_mid_modulo == 0
            forced = self.used >= s.force_backprop_mid_threshold and third
        best = node.local_best
        if forced:
            recent = [n.metric for n in self.nodes[-s.recent_best_window :] if n.metric is not None]
            if not (node.metric is not None and recent and node.metric >= max(recent)):
                if node.metric is not None and (best is None or node.metric > best.metric):
                    node.local_best = node
                self.backpropagate(node, self.reward(node))
                return True
        ends = False
        if node.metric is not None:
            if parent.buggy and (best is None or node.metric - best.metric > 0):
                node.local_best = node
            if best is None or node.metric - best.metric >= s.metric_improvement_threshold:
                node.local_best, node.continue_improve = node, True
            elif best.failure_depth < s.max_improve_failure:
                best.failure_depth += 1
                node.continue_improve = True
            else:
                node.terminal = ends = True
        elif node.debug_depth >= s.back_debug_depth:
            ends = True
            node.terminal = node.debug_depth >= s.max_debug_depth
        if ends:
            self.backpropagate(node, self.reward(node))
        return ends


SETTINGS = {
    "default": {},
    "tree": {"evolution": False, "fusion": False, "aggregation": False},
    "fusion": {"evolution": False, "fusion_start": 0.0, "initial_drafts": 5, "fusion_min_successful_nodes": 1},
    "eager": {"initial_drafts": 1, "num_drafts": 3, "num_improves": 2, "topk_max_improves": 3, "lower_bound": 0.1,
              "explore_switch_start": 0.1, "explore_switch_end": 0.4, "min_exploration_weight": 0.4,
              "fusion_start": 0.2, "aggregation_start": 0.1, "branch_stagnation_threshold": 2,
              "topk_stagnation_threshold": 3, "max_improve_failure": 1, "max_fusion_drafts": 5},
    "short lives": {"num_drafts": 2, "num_improves": 1, "topk_max_improves": 1, "max_improve_failure": 0,
                    "back_debug_depth": 1, "max_debug_depth": 2, "explore_switch_start": 0.0,
                    "explore_switch_end": 0.2, "topk_late_k": 1, "topk_late_max_per_branch": 1,
                    "force_backprop_mid_threshold": 0.9, "force_backprop_late_threshold": 0.9},
}  # fmt: skip


@pytest.mark.parametrize("params", SETTINGS.values(), ids=SETTINGS)
def test_every_decision_is_that_of_the_published_rules(params):
    seen = Counter()
    for seed in range(40):
        context = tuple(Context)[seed % 2]
        steps = 40 if context is Context.NATIVE else 150
        scenario = Scenario(
            seed, tuple(Direction)[seed % 3 % 2], steps=steps, context=context,
            p_fail=(0.0, 0.2, 0.5, 0.9)[seed % 4], scores=("smooth", "ties", "wide", "equal")[seed // 4 % 4],
        )  # fmt: skip
        search = factory("mcgs")(params, scenario.problem, scenario.rng)
        asked = [e for e in simulate(search, scenario.outcome, steps=steps) if isinstance(e, Ask)][:steps]
        used = [e.used for e in asked]
        emulation = Emulation(scenario, lambda i, used=used: used[i] if i < len(used) else 1.0, **params)
        expected = emulation.run()
        for i, (e, want) in enumerate(zip(asked, expected, strict=True)):
            p = e.proposal
            assert (p.op, p.base, p.parents, p.context) == want, (seed, i)
            seen[p.op] += 1
            seen["evolution"] += p.op is Op.IMPROVE and context is Context.SHARED and p.context is not None
            seen["aggregation"] += p.op is Op.DRAFT and context is Context.SHARED and p.context is not None
        seen["reopened"] += emulation.forgotten > 0
    assert min(seen[Op.DRAFT], seen[Op.IMPROVE], seen[Op.DEBUG]) > 100
    s = MCGSSettings(**params)
    assert (seen["reopened"] > 20) is (s.num_improves == 1)
    assert (seen["aggregation"] > 5) is s.aggregation
    if s.num_improves > 1:  # else no branch lives long enough to stagnate
        assert (seen[Op.MERGE] > 20) is s.fusion
        assert (seen["evolution"] > 20) is s.evolution


def step(search, score=None, used=0.0, status=Status.ERROR):
    p = search.ask(used)
    search.tell(Outcome(p.id, p.op, Status.OK if score is not None else status, score))
    return p.op, p.base, p.parents[1:], p.context


# One branch. 0 scores 0.5; 1, 2 and 3 gain nothing: three failures of 0, and three valid programs below the best, so
# that 3 is improved with its path in view. 4 gains nothing either: terminal, +1 for it and all above.
@pytest.mark.parametrize("direction", list(Direction))
def test_a_branch_by_hand(direction):
    draws, sign = FixedDraws(), direction.sign
    search = factory("mcgs")({"initial_drafts": 1, "num_drafts": 1}, Problem(direction, 100), draws)
    assert step(search, 0.5 * sign) == (Op.DRAFT, None, (), None)
    assert [step(search, x * sign) for x in (0.4, 0.3, 0.2)] == [(Op.IMPROVE, i, (), None) for i in range(3)]
    zero = search.root.children[0]
    assert (zero.failures, zero.visits, zero.branch.since_best, zero.branch.locked) == (3, 0, 3, True)
    assert step(search, 0.1 * sign) == (Op.IMPROVE, 3, (), (0, 1, 2, 3))
    assert [(n.visits, n.total, n.failures) for n in search.root.children[0].path()] == [(1, 1.0, 0)] * 2
    assert not zero.branch.locked
    draws.values = [0.5]  # UCT: the root is full, 0 has room and no flag; a path of one program is no path
    assert step(search, 0.6 * sign) == (Op.IMPROVE, 0, (), None)
    assert step(search) == (Op.IMPROVE, 5, (), None)  # 0.6 is the new best: not stagnant, and the branch goes on
    assert [step(search) for _ in range(3)] == [(Op.DEBUG, i, (), None) for i in (6, 7, 8)]
    assert (zero.visits, zero.total) == (2, 0.0)  # three debugs deep: -1
    draws.values = [0.5]
    assert step(search, used=0.0) == (Op.IMPROVE, 0, (), None)  # the flag of 5 was copied away with that of 9
    assert not draws.values


def test_fusion_and_the_best_programs_by_hand():
    draws = FixedDraws()
    search = factory("mcgs")({"initial_drafts": 2, "num_drafts": 2, "aggregation": "off"}, MAX, draws)
    for score in (0.5, 0.8, 0.4, 0.9, 0.3, 0.85, 0.2):  # 0, 2, 4, 6 and 1, 3, 5 in turn
        step(search, score)
    assert [n.branch.since_best for n in search.root.children] == [3, 1]
    assert step(search, 0.7) == (Op.IMPROVE, 5, (), None)
    draws.values = [0.29]
    assert step(search, 0.1, used=0.5) == (Op.MERGE, 6, (3, 5), (3, 5))  # the two best of the other branch
    # 8 is terminal: branch 0 is backed up. 9 goes on in branch 1
    assert step(search, 0.6, used=0.5) == (Op.IMPROVE, 7, (), None)
    draws.values = [0.61, 0.0]  # at 0.6 the share of UCT is 1 - 0.8 / 2 = 0.6; the best is 3, of the 6 left
    assert step(search, None, used=0.6) == (Op.IMPROVE, 3, (), None)
    draws.values = [0.95]  # 9: its branch has three below its best, and 0.95 is no fusion
    assert step(search, None, used=0.6) == (Op.IMPROVE, 9, (), (1, 3, 5, 7, 9))
    assert not draws.values


def test_drafts_from_the_best_of_all_branches():
    draws = FixedDraws()
    params = {"initial_drafts": 2, "num_drafts": 2, "max_improve_failure": 0, "fusion_start": 1.0}
    search = factory("mcgs")(params, MAX, draws)
    for score in (0.5, 0.8, 0.5, 0.8):  # both branches end at once, with two valid programs each
        step(search, score)
    draws.values = [0.9]
    assert step(search, used=0.49)[:2] == (Op.IMPROVE, 0)
    draws.values = [0.0]
    assert step(search, status=Status.REPLY_UNUSABLE, used=0.5) == (Op.DRAFT, None, (), (1, 0))  # not counted
    draws.values = [0.0, 0.9]  # from 0.8 on, whether its branch is backed up is drawn last
    first = search.ask(0.833)
    draws.values = [0.0]
    second = search.ask(0.5)
    assert [(p.op, p.context) for p in (first, second)] == [(Op.DRAFT, (1, 0))] * 2
    draws.values = [0.0]
    assert search.ask(0.5).op is not Op.DRAFT  # two at most


def test_one_worker_a_branch():
    search = factory("mcgs")({"initial_drafts": 1, "num_drafts": 2}, MAX, FixedDraws(*[0.0] * 9))
    first, second = search.ask(0), search.ask(0)
    assert search.ask(0) is None
    search.tell(Outcome(second.id, second.op, Status.OK, 0.5))
    assert (search.ask(0).base, search.ask(0)) == (1, None)  # the branch goes on; the other draft is in flight
    search.tell(Outcome(first.id, first.op, Status.REPLY_UNUSABLE))
    assert search.ask(0).op is Op.DRAFT  # as if it had not been asked


def test_the_best_programs_of_any_history_are_those_of_the_whole():
    for seed in range(50):
        scenario = Scenario(seed, scores=("smooth", "ties")[seed % 2])
        kept, everything = Elite(5, 2), []
        for i in range(60):
            node = GraphNode(i, None, GraphBranch(int(scenario.rng(i).integers(4))), valid=True)
            node.score = scenario.outcome(Proposal(i, Op.DRAFT)).score or 0.0
            kept.add(node)
            everything.append(node)
            taken, count = [], Counter()
            for one in sorted(everything, key=lambda n: (-n.score, n.id)):
                if count[one.branch.id] < 2 and len(taken) < 5:
                    taken.append(one)
                    count[one.branch.id] += 1
            assert kept.nodes == taken
