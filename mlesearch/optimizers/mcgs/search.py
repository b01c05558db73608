"""Monte Carlo graph search: UCT that gives way to the best programs, and stagnant branches that learn from others.

MLEvolve: Du et al. 2026, "MLEvolve: A Self-Evolving Framework for Automated Machine Learning Algorithm Discovery"
(arXiv:2606.06473), and its released code (engine/agent_search.py, engine/evaluation.py, engine/conditions.py, agents/).
"""

from __future__ import annotations

import math
from bisect import insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from mlesearch.optimizers.base import made_program
from mlesearch.optimizers.mcgs.graph import GraphBranch, GraphNode, rank
from mlesearch.optimizers.mcgs.selector import Selector
from mlesearch.optimizers.mcgs.settings import MCGSSettings
from mlesearch.optimizers.mcts.tree import ROOT
from mlesearch.optimizers.native import MOST_SHOWN, Shown
from mlesearch.types import Context, Op, Outcome, Problem, Proposal, Rng, Verdict

MOST_STEPS = 10
"""Programs of a path that evolution shows at most, the one that it improves included."""

MOST_REFERENCES = 5
"""Programs of other branches that fusion shows at most."""


@dataclass(frozen=True, slots=True)
class Flight:
    """A proposal in flight.

    Attributes:
        parent: the program that it is a child of.
        regular: whether it counts for its parent's limit.
        modulo: its branch is backed up after it if that has as many programs as a multiple of this; 0: it is not.
    """

    parent: GraphNode
    regular: bool
    modulo: int


class GraphSearch:
    """A branch goes on until it is terminal, too deep in debugs or made to stop; then it is backed up and one selected.

    `due` holds an entry for each worker that was busy: the program that goes on, or None for one to be selected.
    """

    def __init__(self, settings: MCGSSettings, problem: Problem, rng: Rng) -> None:
        self._s = settings
        self._direction = problem.direction
        self._native = problem.context is Context.NATIVE
        self._rng = rng
        self._asked = 0
        self._finished = 0
        self._fusion_drafts = 0
        self._pending: dict[int, Flight] = {}
        self._due: deque[GraphNode | None] = deque()
        self._recent: deque[float] = deque(maxlen=settings.recent_best_window)  # scores, -inf of a bug
        self._successful: list[GraphBranch] = []  # branches with a valid program, the oldest first
        self.root = GraphNode(ROOT, None, None, valid=True)
        self.root.set_limit(settings.num_drafts)
        self._selector = Selector(settings, problem.steps, self.root)

    def ask(self, used: float) -> Proposal | None:
        """See `Optimizer.ask`. Entries of `due` wait only while nothing can be selected for them."""
        draws = self._rng(self._asked)
        if self._asked < min(self._s.initial_drafts, self._s.num_drafts):
            return self._expand(self.root, False, used, draws)
        aggregates = self._may_aggregate(used)
        able = aggregates or self._selector.possible()
        ready = [node for node in self._due if able or _goes_on(node)]
        if not ready and not able:
            if self._pending:
                return None
            self.root.children.clear()  # all is terminal, where the released search selects for ever
            self.root.set_limit(self.root.limit + self._s.num_drafts)
        node, picked = (ready or self._due or [None])[0], False
        if self._due:
            self._due.remove(node)
        if node is None or not _goes_on(node):
            node, picked = self._selector.select(self._finished + 1, used, draws, aggregates=aggregates)
        return self._expand(node, picked, used, draws)

    def tell(self, outcome: Outcome) -> Sequence[Verdict]:
        """See `Optimizer.tell`; it never has a verdict. A reply that held no program is as if it had not been asked."""
        flight = self._pending.pop(outcome.id)
        parent = flight.parent
        if not made_program(outcome):
            parent.ask_child(-1, regular=flight.regular)
            self._fusion_drafts -= parent is self.root and not flight.regular
            parent.back_up(0.0, visits=0)
            self._due.append(None)
            return ()
        branch = GraphBranch(outcome.id) if parent.branch is None else parent.branch
        node = GraphNode(outcome.id, parent, branch, outcome.valid, best=parent.best)
        node.debug_depth = 0 if parent.valid else parent.debug_depth + 1
        if outcome.valid and outcome.score is not None:
            node.score = self._direction.sign * outcome.score
            if not branch.valid:
                insort(self._successful, branch, key=lambda b: b.id)
            branch.add(node)
            self._selector.learn(node)
        parent.children.append(node)
        if self._native:
            parent.shown = parent.shown or Shown(self._direction)
            parent.shown.add(node.id, outcome.score if outcome.valid else None)
        terminal, ends = self._judge(node, parent, branch, flight.modulo)
        if not terminal:
            node.set_limit(self._s.num_improves if node.valid else 1)
        if ends:
            node.back_up(-1.0 if not node.valid else 0.0 if parent is self.root else 1.0 if parent.valid else 1.5)
        self._due.append(None if ends else node)
        self._finished += 1
        self._recent.append(node.score if node.valid else -math.inf)
        return ()

    def _judge(self, node: GraphNode, parent: GraphNode, branch: GraphBranch, modulo: int) -> tuple[bool, bool]:
        """Whether a program is terminal, and whether its branch is backed up; sets its flag, and its best."""
        s, best = self._s, parent.best
        gain = math.inf if best is None else node.score - best.score
        branch.finished += 1
        recent = max(self._recent, default=-math.inf)
        if modulo and branch.finished % modulo == 0 and not (node.valid and -math.inf < recent <= node.score):
            if node.valid and gain > 0:
                node.best = node
            return False, True
        if not node.valid:
            ends = node.debug_depth >= s.back_debug_depth
            return ends and node.debug_depth >= s.max_debug_depth, ends
        if gain >= s.metric_improvement_threshold or (gain > 0 and not parent.valid):
            node.best = node
        if best is not None and gain < s.metric_improvement_threshold:
            if best.failures >= s.max_improve_failure:
                return True, True
            best.failures += 1
        node.goes_on = True
        return False, False

    def _expand(self, node: GraphNode, picked: bool, used: float, draws: np.random.Generator) -> Proposal:
        """A child of a program, `picked` as one of the best or not. What befalls its branch is drawn last."""
        s, regular, others = self._s, not picked or not node.valid, list[int]()
        context = (node.shown.ids if node.shown is not None else ()) if self._native else None
        op = Op.DRAFT if node is self.root else Op.IMPROVE if node.valid else Op.DEBUG
        if op is Op.DRAFT and not node.room:
            regular = False
            self._fusion_drafts += 1
            context = tuple(best.id for best in sorted((b.best[0] for b in self._successful), key=rank)[:MOST_SHOWN])
        elif op is Op.IMPROVE and node.branch is not None:
            stagnant = s.topk_stagnation_threshold if picked else s.branch_stagnation_threshold
            if node.branch.since_best >= stagnant:
                if (
                    s.fusion
                    and used >= s.fusion_start
                    and (not s.evolution or draws.random() < s.fusion_vs_evolution_prob)
                ):
                    others = self._references(node, node.branch)
                elif s.evolution and node.parent is not self.root:
                    trail = [above.id for above in islice(node.path(), MOST_STEPS) if above is not self.root]
                    context = tuple(dict.fromkeys([*reversed(trail), *(context or ())]))
        elif self._native and op is Op.DEBUG:
            context = ()
        if others:
            op, context = Op.MERGE, tuple(others)
        modulo = s.force_backprop_mid_modulo if used >= s.force_backprop_mid_threshold else 0
        if used >= s.force_backprop_late_threshold:
            modulo = int(draws.random() < s.force_backprop_late_prob)
        parents = () if node is self.root else (node.id, *others)
        proposal = Proposal(self._asked, op, base=parents[0] if parents else None, parents=parents, context=context)
        self._asked += 1
        node.ask_child(1, regular=regular)
        self._pending[proposal.id] = Flight(node, regular, modulo)
        return proposal

    def _references(self, node: GraphNode, branch: GraphBranch) -> list[int]:
        """The best programs of the other branches, or without any those of its own."""
        others = (best.id for other in self._successful if other is not branch for best in other.best)
        return list(islice(others, MOST_REFERENCES)) or [best.id for best in branch.best if best is not node]

    def _may_aggregate(self, used: float) -> bool:
        """Whether a draft may be made from the best of all branches: in its time, not too often, of enough of them."""
        s = self._s
        if self.root.room or not s.aggregation or self._fusion_drafts >= s.max_fusion_drafts:
            return False
        able = sum(branch.valid >= s.fusion_min_successful_nodes for branch in self._successful)
        return s.aggregation_start <= used <= s.aggregation_end and able >= s.fusion_min_branches


def _goes_on(node: GraphNode | None) -> bool:
    """Whether an entry of `due` is a program that goes on; a buggy one may have been debugged by another worker."""
    return node is not None and (node.valid or not node.asked)
