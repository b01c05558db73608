"""Which program of the graph goes on: UCT from the root, or, the later the likelier, one of the best programs.

MLEvolve, engine/node_selection.py.
"""

from __future__ import annotations

import math
from itertools import accumulate

import numpy as np

from mlesearch.optimizers.mcgs.graph import Elite, GraphNode
from mlesearch.optimizers.mcgs.settings import MCGSSettings
from mlesearch.optimizers.mcts.annealing import Annealing
from mlesearch.optimizers.mcts.tree import uct

MOST_TERMINAL = 100
"""Terminal programs selected in a row before one selection passes them over."""


class Selector:
    """Selects a program of the graph below a root, and keeps what it needs for it."""

    def __init__(self, settings: MCGSSettings, steps: int | None, root: GraphNode) -> None:
        """`steps`: the declared step budget, if any."""
        self._s = s = settings
        self._root = root
        self._early = Elite(s.topk_early_k, s.topk_early_max_per_branch)
        self._late = Elite(s.topk_late_k, s.topk_late_max_per_branch)
        held = s.num_drafts * s.num_improves**2
        self._annealing = Annealing(s.exploration_constant, s.alpha, s.lower_bound, held, steps)

    def learn(self, node: GraphNode) -> None:
        """One more valid program."""
        self._early.add(node)
        self._late.add(node)

    def possible(self) -> bool:
        """Whether UCT can select: the root has room, or a branch without a worker has."""
        return self._root.room or any(draft.open for draft in self._free())

    def select(
        self, nodes: int, used: float, draws: np.random.Generator, *, aggregates: bool
    ) -> tuple[GraphNode, bool]:
        """Select until a program with room is met; a terminal one is backed up with the value 0.

        Args:
            nodes: finished programs, the virtual root counted.
            used: fraction of the budget spent.
            draws: read once for the switch, and once more when one of the best is picked.
            aggregates: whether UCT stops at the root, though it has no room.

        Returns:
            The program, and whether it was picked as one of the best or below one of these.
        """
        self._annealing.asked(nodes, used)
        c = self._annealing.c(nodes, used)
        for _ in range(MOST_TERMINAL):
            picked = [] if draws.random() < self._uct_share(used) else self._elite(used)
            if aggregates and not picked:
                return self._root, False
            node, exhausted = self._pick(picked, draws) if picked else (self._root, True)
            if exhausted:
                node = self._descend(node, c)
            if node.room or (node.limit and not exhausted):
                break
            node.back_up(0.0)
        else:
            node, picked = self._root if aggregates else self._descend(self._root, c, pass_terminal=True), []
        if not picked and node.branch is not None:
            node.branch.locked = True
        return node, bool(picked)

    def _uct_share(self, used: float) -> float:
        """Probability of UCT: 1 until `explore_switch_start`, falling to `min_exploration_weight`."""
        s = self._s
        if used < s.explore_switch_start:
            return 1.0
        if used < s.explore_switch_end:
            gone = (used - s.explore_switch_start) / (s.explore_switch_end - s.explore_switch_start)
            return 1.0 - (1.0 - s.min_exploration_weight) * gone
        return s.min_exploration_weight

    def _elite(self, used: float) -> list[GraphNode]:
        return (self._early if used < self._s.explore_switch_end else self._late).nodes

    def _pick(self, elite: list[GraphNode], draws: np.random.Generator) -> tuple[GraphNode, bool]:
        """One of the best with weight 1 / rank, if possible one with room; and whether it has none."""
        ranked = list(enumerate(elite, 1))
        able = [(rank, node) for rank, node in ranked if node.asked < self._s.topk_max_improves]
        weights = list(accumulate(1 / rank for rank, _ in able or ranked))
        point = draws.random() * weights[-1]
        place = next((i for i, weight in enumerate(weights) if point < weight), len(weights) - 1)
        return (able or ranked)[place][1], not able

    def _descend(self, node: GraphNode, c: float, *, pass_terminal: bool = False) -> GraphNode:
        """By UCT to a program with room, or to a terminal one. Ties go to the earlier one.

        One below which nothing has room is passed over while a child of it is in flight, or with `pass_terminal`.
        """
        while True:
            children = self._free() if node is self._root else node.children
            children = [child for child in children if child.open or not (pass_terminal or child.flying)]
            if not children or (node.room and (node is self._root or not node.goes_on)):
                return node
            best, highest = children[0], -math.inf
            for child in children:
                priority = uct(child.total / child.visits, c, node.visits, child.visits) if child.visits else math.inf
                if priority > highest or (priority == highest and child.id < best.id):
                    best, highest = child, priority
            node = best

    def _free(self) -> list[GraphNode]:
        """The drafts in whose branch no worker is."""
        return [draft for draft in self._root.children if draft.branch is not None and not draft.branch.locked]
