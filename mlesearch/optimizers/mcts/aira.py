"""AIRA-dojo's tree search: UCT over min-max normalised scores, whole expansions, debug chains.

Toledo et al. 2025, "AI Research Agents for Machine Learning: Search, Exploration, and Generalization in MLE-bench"
(arXiv:2507.02554).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from mlesearch.optimizers.base import param
from mlesearch.optimizers.mcts.search import TreeSearch
from mlesearch.optimizers.mcts.tree import MinMax, ScoredNode, add_virtual, back_up, bypass, set_room, uct
from mlesearch.types import Problem


@dataclass(frozen=True, slots=True)
class AiraSettings:
    """Parameters of `preset: aira`.

    Attributes:
        num_children: children that one expansion makes.
        c: exploration constant of UCT.
        max_debug_depth: debugs in a row before a buggy child is given up.
    """

    preset: str = param("aira", choices=("aira", "ml_master"))
    num_children: int = param(5, low=1)
    c: float = param(0.25, low=0.0)
    max_debug_depth: int = param(20, low=0)


class Aira(TreeSearch[ScoredNode]):
    """Descend to a leaf, make all its children, debug each buggy one at once, back up the scores of valid ones.

    A child that stays buggy is never selected and backs nothing up. `rest` holds the expansion that is under way; a
    visit in flight goes on with a chain of debugs.
    """

    def __init__(self, settings: AiraSettings, problem: Problem) -> None:
        super().__init__(ScoredNode, problem)
        self._s = settings
        self._rest: deque[ScoredNode] = deque()
        self.normalise = MinMax(problem.direction)
        set_room(self.root, settings.num_children)

    def choose(self, used: float) -> ScoredNode | None:
        """The rest of an expansion, else all children of a selected leaf: the first now, the others before any other.

        With nothing left to select, the root is expanded again.
        """
        if not self._rest:
            if not self.root.open:
                if self._pending:
                    return None
                set_room(self.root, self._s.num_children)
            leaf = self.select()
            self._rest.extend([leaf] * leaf.room)
            set_room(leaf, 0)
        node = self._rest.popleft()
        add_virtual(node, 1)
        return node

    def select(self) -> ScoredNode:
        """Descend from the root by UCT to a node that has room for a child. Ties go to the earlier node."""
        node = self.root
        while not node.room:
            if len(node.live) > 1:
                node = self.best_child(node)
                continue
            child = node.live[0]
            if child.virtual == node.virtual:
                bypass(node, child)
            node = child
        return node

    def best_child(self, parent: ScoredNode) -> ScoredNode:
        """The child of highest priority among those that can be selected."""
        best, highest = parent.live[0], -math.inf
        for child in parent.live:
            priority = self.priority(child, parent)
            if priority > highest or (priority == highest and child.order < best.order):
                best, highest = child, priority
        return best

    def priority(self, child: ScoredNode, parent: ScoredNode) -> float:
        """UCT of a child, visits in flight counted on both levels."""
        visits = parent.visits - parent.bypassed + parent.virtual
        return uct(self.value(child), self._s.c, visits, child.visits + child.virtual)

    def value(self, node: ScoredNode) -> float:
        """Mean backed-up score, normalised; 0.5 for a node with visits in flight only."""
        return self.normalise(node.mean) if node.visits else 0.5

    def evaluate(self, child: ScoredNode, parent: ScoredNode, has_program: bool) -> ScoredNode | None:
        """A valid child is backed up and becomes a leaf; a buggy one is debugged next, until the chain is too long."""
        if child.valid and child.score is not None:
            self.normalise.add(child.score)
            back_up(child, child.score)
            set_room(child, self._s.num_children)
        elif has_program and child.debug_depth < self._s.max_debug_depth:
            child.virtual += 1  # its ancestors have counted it already
            return child
        elif not has_program and not parent.valid:
            parent.debug_depth += 1  # the debug's reply was unusable: the same program once more, one debug spent
            if parent.debug_depth < self._s.max_debug_depth:
                return parent
        add_virtual(parent, -1)
        return None
