"""AIRA-dojo's tree search: UCT over min-max normalised scores, whole expansions, debug chains.

Toledo et al. 2025, "AI Research Agents for Machine Learning: Search, Exploration, and Generalization in MLE-bench"
(arXiv:2507.02554).
"""

from __future__ import annotations

from dataclasses import dataclass

from mlesearch.optimizers.base import param
from mlesearch.optimizers.mcts.search import TreeSearch, take_room
from mlesearch.optimizers.mcts.tree import MinMax, TreeNode, back_up, set_room
from mlesearch.types import Op, Problem


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


class Aira(TreeSearch):
    """Descend to a leaf, make all its children, debug each buggy one at once, back up the scores of valid ones.

    A child that stays buggy is never selected and backs nothing up.
    """

    def __init__(self, settings: AiraSettings, problem: Problem) -> None:
        super().__init__(problem)
        self._s = settings
        self.normalise = MinMax(problem.direction)
        self.reopen()

    def exploration(self, used: float) -> float:
        """Constant."""
        return self._s.c

    def value(self, node: TreeNode) -> float:
        """Mean backed-up score, normalised; 0.5 for a node with visits in flight only."""
        return self.normalise(node.mean) if node.visits else 0.5

    def expand(self, node: TreeNode) -> TreeNode:
        """All children of the leaf at once: the first now, the others before anything else is selected."""
        self._rest.extend([node] * (node.room - 1))
        take_room(node, node.room)
        return node

    def evaluate(self, child: TreeNode, has_program: bool) -> TreeNode | None:
        """A valid child is backed up and becomes a leaf; a buggy one is debugged next, until the chain is too long."""
        if child.valid and child.score is not None:
            self.normalise.add(child.score)
            back_up(child, child.score)
            set_room(child, self._s.num_children)
        elif has_program and child.debug_depth < self._s.max_debug_depth:
            return child
        elif not has_program and child.parent is not None and not child.parent.valid:
            buggy = child.parent  # the debug's reply was unusable: the same program once more, one debug spent
            buggy.debug_depth += 1
            if buggy.debug_depth < self._s.max_debug_depth:
                return buggy
        return None

    def reopen(self) -> None:
        """Another expansion of the root."""
        set_room(self.root, self._s.num_children)

    def context(self, op: Op, node: TreeNode) -> tuple[int, ...]:
        """Siblings; for a debug the ancestors up to the last valid one."""
        if op is not Op.DEBUG:
            return self.children(node)
        chain: list[int] = []
        for ancestor in node.path():
            if ancestor.parent is None:
                break
            if ancestor is not node:
                chain.append(ancestor.id)
            if ancestor.valid:
                break
        return tuple(reversed(chain))
