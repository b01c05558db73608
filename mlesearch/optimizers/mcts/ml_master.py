"""ML-Master's tree search: UCT with an annealed constant, branches that go on in a chain, rewards of plus or minus 1.

Liu et al. 2025, "ML-Master: Towards AI-for-AI via Integration of Exploration and Reasoning" (arXiv:2506.16499), and its
released code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Self

from mlesearch.optimizers.base import param
from mlesearch.optimizers.mcts.annealing import Annealing
from mlesearch.optimizers.mcts.search import TreeSearch
from mlesearch.optimizers.mcts.tree import TreeNode, set_room, uct
from mlesearch.types import Op, Problem, Proposal

MOST_TERMINAL = 100
"""Terminal nodes selected in a row before one selection passes them over."""


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


@dataclass(slots=True, eq=False)
class BranchNode(TreeNode):
    """A node of this search. One whose subtree is not open is terminal, or leads to terminal nodes only.

    Attributes:
        total: sum of the values backed up through it.
        children: finished ones, in the order told.
        goes_on: the flag "continue improving": while set, selection descends to its children, though it has room.
        best: the node whose score its branch has to better; None before the first valid one.
        no_gains: how often a node whose `best` is this one gained too little since the last back-up through it.
        draft: the child of the root above it; None for the root.
        locked: of a draft: a worker is in its branch.
    """

    total: float = 0.0
    children: list[Self] = field(default_factory=list)
    goes_on: bool = False
    best: Self | None = None
    no_gains: int = 0
    draft: Self | None = None
    locked: bool = False


class MLMaster(TreeSearch[BranchNode]):
    """A branch goes on, without being backed up, until a debug succeeds, debugs go too deep, or it gains too little.

    What is selected after that follows four rules of the released code (agent/mcts_agent.py):

    1. The last node's flag "continue improving" is copied to all its ancestors but the root. A flagged node that has a
       child is not widened: selection descends.
    2. A back-up sets the counters of small gains on its path to zero.
    3. A terminal node can be selected. That costs no program, but backs up a visit of value 0, so that it sinks.
    4. The number of nodes that anneals C counts the root.

    One worker is in a branch at a time, as released.
    """

    def __init__(self, settings: MLMasterSettings, problem: Problem) -> None:
        super().__init__(BranchNode, problem)
        self._s = settings
        self._best: float | None = None
        held = settings.drafts * settings.improves**2
        self.annealing = Annealing(settings.c, settings.c_decay, settings.c_floor, held, problem.steps)
        set_room(self.root, settings.drafts)

    def ask(self, used: float) -> Proposal | None:
        """See `Optimizer.ask`."""
        proposal = super().ask(used)
        if proposal is not None:
            self.annealing.asked(self._told + 1, used)
        return proposal

    def choose(self, used: float) -> BranchNode | None:
        """A selected node, its branch locked. With nothing left to select, the root gets room for new drafts."""
        if not self.root.room and not any(draft.open for draft in self._free()):
            if self._pending:
                return None
            self.root.children.clear()  # all terminal, where the released search selects them for ever
            set_room(self.root, self._s.drafts)
        node = self.select(self.annealing.c(self._told + 1, used))
        set_room(node, node.room - 1)
        if node.draft is not None:
            node.draft.locked = True
        return node

    def select(self, c: float) -> BranchNode:
        """Select until a node that is not terminal is met; each terminal one is backed up with the value 0."""
        for _ in range(MOST_TERMINAL):
            node = self.descend(c)
            if node.open:
                return node
            self.back_up(node, 0.0)
        return self.descend(c, pass_terminal=True)

    def descend(self, c: float, *, pass_terminal: bool = False) -> BranchNode:
        """From the root by UCT to a node that may be widened, or to one below which everything is terminal.

        Which terminal node below it would be selected makes no difference to anything that can still be selected.
        """
        node = self.root
        while node.open:
            children = self._free() if node is self.root else node.children
            if pass_terminal:
                children = [child for child in children if child.open]
            if node.room and not (node.goes_on and children):
                break
            node = max(children, key=lambda child: (self.priority(child, c), -child.id))
        return node

    def priority(self, child: BranchNode, c: float) -> float:
        """UCT with the mean reward, infinite for a child that was never visited."""
        if child.parent is None or not child.visits:
            return math.inf
        return uct(child.total / child.visits, c, child.parent.visits, child.visits)

    def evaluate(self, child: BranchNode, parent: BranchNode, has_program: bool) -> BranchNode | None:
        """Decide whether the branch goes on; if not, back the child's reward up to the root."""
        parent.children.append(child)
        child.draft = child if parent is self.root else parent.draft
        reward = self._reward(child)
        terminal, ends = self._judge(child, parent) if has_program else (True, True)
        if not terminal:
            set_room(child, (self._s.improves if child.valid else 1) - (not ends))
        if child.draft is not None:
            child.draft.locked = not ends
        if not ends:
            return child
        self.back_up(child, reward)
        return None

    def back_up(self, node: BranchNode, value: float) -> None:
        """Count a visit with its value up to the root; copy the flag of the node, and forget small gains."""
        flag = node.goes_on and node.open
        for above in node.path():
            above.visits += 1
            above.total += value
            above.no_gains = 0
            above.goes_on = flag and above.parent is not None

    def _reward(self, child: BranchNode) -> float:
        """-1 for a bug, +1 for a valid node, and as published +1 more for a new global best."""
        if child.score is None:
            return -1.0
        new_best = self._best is None or self._problem.direction.better(child.score, self._best)
        if new_best:
            self._best = child.score
        return 2.0 if new_best and self._s.reward == "as_published" else 1.0

    def _judge(self, child: BranchNode, parent: BranchNode) -> tuple[bool, bool]:
        """Whether a child is terminal, and whether its branch ends here for now; its flag and best node are set."""
        s, best = self._s, parent.best
        child.best = best
        if child.score is None:
            ends = child.debug_depth >= s.chain_debug_depth
            return ends and child.debug_depth >= s.max_debug_depth, ends
        child.goes_on = True
        ends = not parent.valid  # a debug that succeeded
        if (
            best is None
            or best.score is None
            or self._problem.direction.sign * (child.score - best.score) >= s.min_gain
        ):
            child.best = child
        elif best.no_gains < s.max_no_gains:
            best.no_gains += 1
        else:
            child.goes_on = False
            return True, True
        return False, ends

    def context(self, op: Op, node: BranchNode) -> tuple[int, ...]:
        """Siblings of an improvement, earlier drafts of a draft."""
        return () if op is Op.DEBUG else super().context(op, node)

    def _free(self) -> list[BranchNode]:
        """The drafts in whose branch no worker is."""
        return [draft for draft in self.root.children if not draft.locked]
