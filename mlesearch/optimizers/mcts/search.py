"""Monte Carlo tree search over programs: select, expand, evaluate, back up, each a small function of its own.

`TreeSearch` holds what the published searches have in common; `aira.py` and `ml_master.py` are the two of them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence

from mlesearch.optimizers.base import made_program
from mlesearch.optimizers.mcts.tree import ROOT, TreeNode, add_virtual, bypass, set_room, uct
from mlesearch.optimizers.native import Shown
from mlesearch.types import Context, Op, Outcome, Problem, Proposal, Verdict


class TreeSearch(ABC):
    """Select a node, ask for a child of it, evaluate the child, back its value up.

    `chain` holds nodes whose next child is due at once, before anything is selected: the next one in a run of debugs,
    or the branch that goes on; the visit in flight goes on with it. `rest` holds the expansion that is under way. A
    reply that held no program makes a child that failed for good.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._native = problem.context is Context.NATIVE
        self._children: dict[int, Shown] = {}  # by id of the node, with the native context only
        self._asked = 0
        self._told = 0
        self._pending: dict[int, TreeNode] = {}
        self._chain: deque[TreeNode] = deque()
        self._rest: deque[TreeNode] = deque()
        self.root = TreeNode(ROOT, None, valid=True)

    def ask(self, used: float) -> Proposal | None:
        """See `Optimizer.ask`."""
        if self._chain:
            return self._propose(self._chain.popleft())
        if self._rest:
            node = self._rest.popleft()
        elif self.root.open:
            node = self.expand(self.select(used))
        elif self._pending:
            return None
        else:
            self.reopen()
            return self.ask(used)
        add_virtual(node, 1)
        return self._propose(node)

    def tell(self, outcome: Outcome) -> Sequence[Verdict]:
        """See `Optimizer.tell`; it never has a verdict."""
        self._told += 1
        parent = self._pending.pop(outcome.id)
        child = TreeNode(outcome.id, parent, outcome.valid, outcome.score if outcome.valid else None)
        if not parent.valid:
            child.debug_depth = parent.debug_depth + 1
        if made_program(outcome):
            self._finished(parent, child)
        goes_on = self.evaluate(child, made_program(outcome))
        if goes_on is None:
            add_virtual(parent, -1)
        else:
            goes_on.virtual += goes_on is child  # its ancestors have counted it already
            self._chain.append(goes_on)
        return ()

    def select(self, used: float) -> TreeNode:
        """Descend from the root by UCT to a node that has room for a child. Ties go to the earlier node."""
        c = self.exploration(used)
        node = self.root
        while not node.room:
            if len(node.live) > 1:
                node = self.best_child(node, c)
                continue
            child = node.live[0]
            if child.virtual == node.virtual:
                bypass(node, child)
            node = child
        return node

    def best_child(self, parent: TreeNode, c: float) -> TreeNode:
        """The child of highest priority among those that can be selected."""
        best, highest = parent.live[0], -math.inf
        for child in parent.live:
            priority = self.priority(child, parent, c)
            if priority > highest or (priority == highest and child.order < best.order):
                best, highest = child, priority
        return best

    def priority(self, child: TreeNode, parent: TreeNode, c: float) -> float:
        """UCT of a child, visits in flight counted on both levels."""
        return uct(self.value(child), c, parent.visits - parent.bypassed + parent.virtual, child.visits + child.virtual)

    @abstractmethod
    def exploration(self, used: float) -> float:
        """The constant c of UCT now."""

    @abstractmethod
    def value(self, node: TreeNode) -> float:
        """The q of a node, from what was backed up through it."""

    @abstractmethod
    def expand(self, node: TreeNode) -> TreeNode:
        """Take room from a selected node; return the node whose child is asked now."""

    @abstractmethod
    def evaluate(self, child: TreeNode, has_program: bool) -> TreeNode | None:
        """Decide what a finished child is worth, whether to back it up, and what comes next.

        Returns:
            The node, itself or its parent, whose next child is due at once; None where the branch ends.
        """

    @abstractmethod
    def reopen(self) -> None:
        """Give the root room for more drafts: nothing else can be selected."""

    @abstractmethod
    def context(self, op: Op, node: TreeNode) -> tuple[int, ...]:
        """The published system's own context for a child of a node."""

    def children(self, node: TreeNode) -> tuple[int, ...]:
        """Finished programs made from a node, as the native context names them."""
        shown = self._children.get(node.id)
        return shown.ids if shown is not None else ()

    def _finished(self, parent: TreeNode, child: TreeNode) -> None:
        if self._native:
            self._children.setdefault(parent.id, Shown(self._problem.direction)).add(child.id, child.score)

    def _propose(self, node: TreeNode) -> Proposal:
        op = Op.DRAFT if node is self.root else Op.IMPROVE if node.valid else Op.DEBUG
        base = None if node is self.root else node.id
        context = self.context(op, node) if self._native else None
        proposal = Proposal(self._asked, op, base=base, parents=() if base is None else (base,), context=context)
        self._asked += 1
        self._pending[proposal.id] = node
        return proposal


def take_room(node: TreeNode, count: int) -> None:
    """Take room from a node."""
    set_room(node, node.room - count)
