"""Monte Carlo tree search over programs: what the two published searches have in common.

`TreeSearch` keeps the tree, asks and learns; `aira.py` and `ml_master.py` decide where to go on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

from mlesearch.optimizers.base import made_program
from mlesearch.optimizers.mcts.tree import ROOT, TreeNode
from mlesearch.optimizers.native import Siblings, failing_ancestors
from mlesearch.types import Context, Op, Outcome, Problem, Proposal, Verdict

N = TypeVar("N", bound=TreeNode)


class TreeSearch(ABC, Generic[N]):
    """Select a node, ask for a child of it, evaluate the child, back its value up.

    `chain` holds nodes whose next child is due at once, before anything is selected: the next one in a run of debugs,
    or the branch that goes on. A reply that held no program makes a child that failed for good.
    """

    def __init__(self, node: type[N], problem: Problem) -> None:
        """`node` is what the tree is made of."""
        self._node = node
        self._problem = problem
        self._siblings = Siblings(problem.direction) if problem.context is Context.NATIVE else None
        self._debugged: dict[int, int] = {}  # a debug's child: the buggy program that it was made from
        self._asked = 0
        self._told = 0
        self._pending: dict[int, N] = {}
        self._chain: deque[N] = deque()
        self.root = node(ROOT, None, valid=True)

    def ask(self, used: float) -> Proposal | None:
        """See `Optimizer.ask`."""
        node = self._chain.popleft() if self._chain else self.choose(used)
        return None if node is None else self._propose(node)

    def tell(self, outcome: Outcome) -> Sequence[Verdict]:
        """See `Optimizer.tell`; it never has a verdict."""
        self._told += 1
        parent = self._pending.pop(outcome.id)
        child = self._node(outcome.id, parent, outcome.valid, outcome.score if outcome.valid else None)
        if not parent.valid:
            child.debug_depth = parent.debug_depth + 1
        has_program = made_program(outcome)
        if self._siblings is not None and has_program:
            self._siblings.add(parent.id, child.id, child.score)
            if not parent.valid and not child.valid:
                self._debugged[child.id] = parent.id
        goes_on = self.evaluate(child, parent, has_program)
        if goes_on is not None:
            self._chain.append(goes_on)
        return ()

    @abstractmethod
    def choose(self, used: float) -> N | None:
        """Select a node whose child is asked next, and take room from it; None: wait for what is in flight."""

    @abstractmethod
    def evaluate(self, child: N, parent: N, has_program: bool) -> N | None:
        """Decide what a finished child is worth, whether to back it up, and what comes next.

        Returns:
            The node, itself or its parent, whose next child is due at once; None where the branch ends.
        """

    def context(self, op: Op, node: N) -> tuple[int, ...]:
        """The published system's own context for a child of a node: its siblings; for a debug its failing ancestors."""
        if op is Op.DEBUG:
            return failing_ancestors(node.id, self._debugged)
        return () if self._siblings is None else self._siblings.of(node.id)

    def _propose(self, node: N) -> Proposal:
        op = Op.DRAFT if node is self.root else Op.IMPROVE if node.valid else Op.DEBUG
        base = None if node is self.root else node.id
        context = None if self._siblings is None else self.context(op, node)
        proposal = Proposal(self._asked, op, base=base, parents=() if base is None else (base,), context=context)
        self._asked += 1
        self._pending[proposal.id] = node
        return proposal
