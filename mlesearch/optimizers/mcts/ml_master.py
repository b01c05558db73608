"""ML-Master's tree search: UCT with an annealed constant, branches that go on in a chain, rewards of plus or minus 1.

Liu et al. 2025, "ML-Master: Towards AI-for-AI via Integration of Exploration and Reasoning" (arXiv:2506.16499), and its
released code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mlesearch.optimizers.base import param
from mlesearch.optimizers.mcts.search import TreeSearch, take_room
from mlesearch.optimizers.mcts.tree import TreeNode, back_up, set_room, uct
from mlesearch.types import Op, Problem, Proposal

HOLD_USED = 0.3
"""Share of the budget after which the exploration constant no longer holds."""

FLOOR_USED = 0.7
"""Share of the budget after which it is at its floor."""


@dataclass(frozen=True, slots=True)
class MLMasterSettings:
    """Parameters of `preset: ml_master`.

    Attributes:
        drafts: children of the root.
        improves: children of a valid node (a buggy one has one).
        c: exploration constant of UCT at first.
        c_decay: how much it falls with each node.
        c_floor: where it stops.
        chain_debug_depth: a branch that is this many debugs deep without success is backed up and left.
        max_debug_depth: a node this deep is never debugged again.
        min_gain: a score that betters the branch's best by less is no gain, in units of the score.
        max_no_gains: a branch without gain more often than this is terminal.
        reward: "as_released" (-1 for a bug, +1 for a valid node) or "as_published" (+1 more for a new global best).
    """

    preset: str = param("ml_master", choices=("aira", "ml_master"))
    drafts: int = param(5, low=1)
    improves: int = param(3, low=1)
    c: float = param(1.414, low=0.0)
    c_decay: float = param(0.01, low=0.0)
    c_floor: float = param(0.5, low=0.0)
    chain_debug_depth: int = param(3, low=1)
    max_debug_depth: int = param(20, low=1)
    min_gain: float = param(1e-4, low=0.0)
    max_no_gains: int = param(3, low=0)
    reward: str = param("as_released", choices=("as_released", "as_published"))


@dataclass(slots=True)
class Branch:
    """The best score of a branch, and how often a node after it brought no gain."""

    best: float
    no_gains: int = 0


class MLMaster(TreeSearch):
    """A branch goes on, without being backed up, until a debug succeeds, debugs go too deep, or it gains too little."""

    def __init__(self, settings: MLMasterSettings, problem: Problem) -> None:
        super().__init__(problem)
        self._s = settings
        self._best: float | None = None
        self._branch: dict[int, Branch] = {}  # by node id
        self._decay_from: int | None = None  # set once `used` passes HOLD_USED, when no step budget is declared
        self.reopen()

    def ask(self, used: float) -> Proposal | None:
        """See `Optimizer.ask`."""
        told = self._told
        proposal = super().ask(used)
        if proposal is not None and self._decay_from is None and used >= HOLD_USED:
            self._decay_from = told
        return proposal

    def exploration(self, used: float) -> float:
        """The annealed constant now."""
        return self.constant(self._told, used)

    def constant(self, nodes: int, used: float) -> float:
        """C after `nodes` finished proposals: held, then falling by `c_decay` a node, then at the floor.

        It holds until min(drafts * improves^2, 0.3 * steps) nodes and is at the floor from 0.7 * steps on. Without a
        step budget, `used` takes the place of the shares.
        """
        s, steps = self._s, self._problem.steps
        floor = min(s.c, s.c_floor)
        held: float = s.drafts * s.improves**2
        if steps is not None:
            held = min(held, HOLD_USED * steps)
            late = nodes >= FLOOR_USED * steps
        else:
            if self._decay_from is not None:
                held = min(held, self._decay_from)
            elif used >= HOLD_USED:
                held = min(held, nodes)
            late = used >= FLOOR_USED
        return floor if late else max(floor, s.c - s.c_decay * max(0.0, nodes - held))

    def value(self, node: TreeNode) -> float:
        """Mean reward; 0.5 for a node with visits in flight only."""
        return node.mean if node.visits else 0.5

    def priority(self, child: TreeNode, parent: TreeNode, c: float) -> float:
        """UCT, infinite for a child that was never visited."""
        visits = child.visits + child.virtual
        if not visits:
            return math.inf
        return uct(self.value(child), c, parent.visits - parent.bypassed + parent.virtual, visits)

    def expand(self, node: TreeNode) -> TreeNode:
        """One child."""
        take_room(node, 1)
        return node

    def evaluate(self, child: TreeNode, has_program: bool) -> TreeNode | None:
        """Decide whether the branch goes on; if not, back the child's reward up to the root."""
        reward = self._reward(child)
        terminal, goes_on = self._judge(child) if has_program else (True, False)
        if not terminal:
            set_room(child, (self._s.improves if child.valid else 1) - goes_on)
        if goes_on:
            return child
        back_up(child, reward)
        return None

    def _reward(self, child: TreeNode) -> float:
        """-1 for a bug, +1 for a valid node, and as published +1 more for a new global best."""
        if child.score is None:
            return -1.0
        new_best = self._best is None or self._problem.direction.better(child.score, self._best)
        if new_best:
            self._best = child.score
        return 2.0 if new_best and self._s.reward == "as_published" else 1.0

    def _judge(self, child: TreeNode) -> tuple[bool, bool]:
        """Whether a child is terminal, and whether its branch goes on."""
        parent = child.parent
        above = None if parent is None else self._branch.get(parent.id)
        if child.score is None:
            if above is not None:
                self._branch[child.id] = above
            terminal = child.debug_depth >= self._s.max_debug_depth
            return terminal, not terminal and child.debug_depth < self._s.chain_debug_depth
        gain = math.inf if above is None else self._problem.direction.sign * (child.score - above.best)
        if above is None or gain >= self._s.min_gain:
            self._branch[child.id] = Branch(child.score)
        else:
            self._branch[child.id] = above
            above.no_gains += 1
            if above.no_gains > self._s.max_no_gains:
                return True, False
        return False, parent is None or parent.valid  # a debug that succeeded ends the chain

    def reopen(self) -> None:
        """Room for another round of drafts."""
        set_room(self.root, self._s.drafts)

    def context(self, op: Op, node: TreeNode) -> tuple[int, ...]:
        """Siblings of an improvement, earlier drafts of a draft."""
        return () if op is Op.DEBUG else self.children(node)
