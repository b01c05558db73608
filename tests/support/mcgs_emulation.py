"""Monte Carlo graph search as published, in plain lists: a second writing of the rules, for one worker."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mlesearch.optimizers.mcgs.settings import MCGSSettings
from mlesearch.testing.optimizer_contract import Scenario
from mlesearch.types import Context, Op, Proposal, Status

Numbers = tuple[int, ...]
Made = tuple[Op, int | None, Numbers, Numbers | None]
"""A proposal: its operator, base, parents and context."""


class End(Exception):
    """The steps are spent."""


@dataclass(eq=False)
class Node:
    """What the release keeps of a program (engine/search_node.py)."""

    id: int  # -1 for the root, whose branch is -1 too
    parent: Node | None
    branch: int
    metric: float | None = None
    children: list[Node] = field(default_factory=list)
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
    def score(self) -> float:
        assert self.metric is not None
        return self.metric

    @property
    def buggy(self) -> bool:
        return self.parent is not None and self.metric is None

    @property
    def debug_depth(self) -> int:
        return self.parent.debug_depth + 1 if self.parent is not None and self.parent.buggy else 0

    def trajectory(self) -> list[int]:
        return [] if self.parent is None else [*self.parent.trajectory(), self.id]


class Emulation:
    """The released rules for one worker, whose tasks stand in one queue; everything is looked up in plain lists."""

    def __init__(self, scenario: Scenario, used: Callable[[int], float], **params: Any) -> None:
        self.scenario, self.used_of = scenario, used
        self.s = MCGSSettings(**params)
        self.sign = scenario.direction.sign
        self.native = scenario.context is Context.NATIVE
        self.root = Node(-1, None, -1)
        self.draft_limit = self.s.num_drafts
        self.nodes: list[Node] = []
        self.made: list[Made] = []
        self.fusion_drafts = 0
        self.executed: Counter[int] = Counter()

    # engine/agent_search.py and run.py

    def run(self) -> list[Made]:
        try:
            queue: list[Node | None] = []
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

    def begin(self) -> None:
        self.draws = self.scenario.rng(len(self.made))
        self.used = self.used_of(len(self.made))

    def step(self, parent: Node, topk: bool) -> Node | None:
        s = self.s
        shown: Numbers | None = tuple(n.id for n in self.nodes if n.parent is parent) if self.native else None
        others: Numbers = ()
        drafted_from_all = False
        if parent is self.root:
            op = Op.DRAFT
            if self.drafts() >= self.draft_limit:
                bests = [self.top(b, 1)[0] for b in self.branches()]
                shown = tuple(n.id for n in sorted(bests, key=lambda n: (-n.score, n.id)))
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
                    best = [n.id for b in self.branches() if b != parent.branch for n in self.top(b, 2)]
                    best = best or [n.id for n in self.top(parent.branch, 2) if n is not parent]
                    others = tuple(best[:5])
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
        base = None if parent is self.root else parent.id
        self.made.append((op, base, () if base is None else (base, *others), shown))
        outcome = self.scenario.outcome(Proposal(id, op, base))
        if outcome.status is Status.REPLY_UNUSABLE:
            self.backpropagate(parent, 0, count=False)
            return None
        branch = id if parent is self.root else parent.branch
        node = Node(
            id, parent, branch, None if outcome.score is None or not outcome.valid else self.sign * outcome.score
        )
        node.local_best, node.drafted_from_all = parent.local_best, drafted_from_all
        node.locked = parent is self.root
        node.from_topk = topk and not parent.buggy
        self.fusion_drafts += drafted_from_all
        parent.children.append(node)
        ended = self.check_improvement(node, parent, late)
        self.nodes.append(node)
        return None if ended else node

    # engine/conditions.py and engine/solution_manager.py

    def valid(self, branch: int) -> list[Node]:
        return [n for n in self.nodes if n.branch == branch and n.metric is not None]

    def branches(self) -> list[int]:
        return sorted({n.branch for n in self.nodes if n.metric is not None})

    def top(self, branch: int, k: int) -> list[Node]:
        return sorted(self.valid(branch), key=lambda n: (-n.score, n.id))[:k]

    def stagnant(self, branch: int, threshold: int) -> bool:
        valid = self.valid(branch)
        best = max(n.score for n in valid)
        recent = valid[-threshold:]
        return len(recent) >= 2 and all(n.score < best for n in recent)

    def may_aggregate(self) -> bool:
        s = self.s
        enough = [b for b in self.branches() if len(self.valid(b)) >= s.fusion_min_successful_nodes]
        return (
            s.aggregation and self.fusion_drafts < s.max_fusion_drafts and len(enough) >= s.fusion_min_branches
            and s.aggregation_start <= self.used <= s.aggregation_end
        )  # fmt: skip

    # engine/node_selection.py

    def drafts(self) -> int:
        return self.forgotten + sum(not c.drafted_from_all for c in self.root.children)

    def able(self) -> bool:
        free = [c for c in self.root.children if not c.locked]
        return self.drafts() < self.draft_limit or self.may_aggregate() or any(map(self.has_room_below, free))

    forgotten = 0  # regular drafts that were taken from the root when it was opened again

    def at_limit(self, node: Node) -> bool:
        if node is self.root:
            return self.drafts() >= self.draft_limit
        if node.buggy:
            return len(node.children) >= 1
        return sum(not c.from_topk for c in node.children) >= self.s.num_improves

    def has_room_below(self, node: Node) -> bool:
        return (not node.terminal and not self.at_limit(node)) or any(self.has_room_below(c) for c in node.children)

    def constant(self) -> float:
        s, t, steps = self.s, len(self.nodes) + 1, self.scenario.steps
        t1, t2 = min(s.num_drafts * s.num_improves**2, round(0.3 * steps)), round(0.7 * steps)
        if t < t1:
            return s.exploration_constant
        return s.lower_bound if t > t2 else max(s.exploration_constant - s.alpha * (t - t1), s.lower_bound)

    def best_child(self, node: Node, strict: bool) -> Node:
        children = [c for c in node.children if not c.locked and (not strict or self.has_room_below(c))]
        c = self.constant()

        def value(child: Node) -> float:
            if child.visits == 0:
                return math.inf
            return child.reward / child.visits + c * math.sqrt(math.log(node.visits) / child.visits)

        return max(children, key=lambda child: (value(child), -child.id))

    def select(self, node: Node, strict: bool = False) -> Node:
        while not node.terminal:
            if not self.at_limit(node):
                if not (node.continue_improve and node.children):
                    return node
            elif node is self.root and self.may_aggregate():
                return node
            node = self.best_child(node, strict)
        return node

    def top_k(self, k: int, most: int) -> list[tuple[int, Node]]:
        taken: list[Node] = []
        count: Counter[int] = Counter()
        for node in sorted((n for n in self.nodes if n.metric is not None), key=lambda n: (-n.score, n.id)):
            if len(taken) < k and count[node.branch] < most:
                taken.append(node)
                count[node.branch] += 1
        return list(enumerate(taken, 1))

    def select_once(self) -> tuple[Node, bool]:
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

    def select_with_soft_switch(self) -> tuple[Node, bool]:
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
            while above.parent is not None and above.parent is not self.root:
                above = above.parent
            above.locked = True
        return node, topk

    # engine/evaluation.py

    def backpropagate(self, start: Node, value: float, count: bool = True) -> None:
        node: Node | None = start
        while node is not None:
            if node.parent is not None and node.parent is not self.root:
                node.parent.continue_improve = node.continue_improve
            node.locked = False
            node.failure_depth = 0
            if count:
                node.visits += 1
                node.reward += value
            node = node.parent

    def reward(self, node: Node) -> float:
        if node.buggy or node.parent is None:
            return -1
        return 0 if node.parent is self.root else 1.5 if node.parent.buggy else 1

    def check_improvement(self, node: Node, parent: Node, late: bool | None) -> bool:
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
                if node.metric is not None and (best is None or node.metric > best.score):
                    node.local_best = node
                self.backpropagate(node, self.reward(node))
                return True
        ends = False
        if node.metric is not None:
            if parent.buggy and (best is None or node.metric - best.score > 0):
                node.local_best = node
            if best is None or node.metric - best.score >= s.metric_improvement_threshold:
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
