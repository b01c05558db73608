"""The graph of a Monte Carlo graph search: a tree of programs, its branches, and the best programs of all."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from mlesearch.optimizers.mcts.tree import ROOT
from mlesearch.optimizers.native import Shown

BEST_KEPT = 2
"""How many of a branch's best programs another branch may be shown."""


@dataclass(slots=True, eq=False)
class GraphBranch:
    """A child of the root and all that descends from it.

    Attributes:
        id: of its first program.
        best: its best valid programs, `BEST_KEPT` at most, the best first.
        finished: programs.
        valid: valid programs.
        since_best: valid programs below its best, since one was at least as good.
        locked: a worker that came by UCT is in it.
    """

    id: int
    best: list[GraphNode] = field(default_factory=list)
    finished: int = 0
    valid: int = 0
    since_best: int = 0
    locked: bool = True

    def add(self, node: GraphNode) -> None:
        """One more valid program."""
        self.valid += 1
        self.since_best = 0 if not self.best or node.score >= self.best[0].score else self.since_best + 1
        insort(self.best, node, key=rank)
        del self.best[BEST_KEPT:]


@dataclass(slots=True, eq=False)
class GraphNode:
    """One program, or the virtual root.

    Attributes:
        id: of the proposal that made it; `ROOT` for the virtual root.
        parent: None for the virtual root.
        branch: None for the virtual root.
        valid: whether it has a score; the root counts as valid.
        score: its validation score, higher being better in either direction; 0 without one.
        debug_depth: how many debugs in a row led here without success.
        children: finished ones, in the order told.
        asked: children, in flight included.
        regular: those among them that count for its limit.
        limit: how many of these it may have.
        visits: values backed up through it.
        total: their sum.
        goes_on: the flag "continue improving": while set, selection descends to its children, though it has room.
        best: the program whose score its descendants have to better; None before the first valid one.
        failures: how often a program whose `best` is this one gained too little, since the last back-up through it.
        live: children in whose subtree a program has room.
        shown: its finished children, with the native context only.
    """

    id: int
    parent: GraphNode | None
    branch: GraphBranch | None
    valid: bool
    score: float = 0.0
    debug_depth: int = 0
    children: list[GraphNode] = field(default_factory=list)
    asked: int = 0
    regular: int = 0
    limit: int = 0
    visits: int = 0
    total: float = 0.0
    goes_on: bool = False
    best: GraphNode | None = None
    failures: int = 0
    live: int = 0
    shown: Shown | None = None

    @property
    def room(self) -> bool:
        """Whether it may have another regular child. A terminal one never had any."""
        return self.regular < self.limit

    @property
    def open(self) -> bool:
        """Whether a program of its subtree, itself included, has room."""
        return self.regular < self.limit or self.live > 0

    @property
    def flying(self) -> bool:
        """Whether a child of it is in flight."""
        return self.asked > len(self.children)

    def path(self) -> Iterator[GraphNode]:
        """This node, its parent, and so on up to the root."""
        node: GraphNode | None = self
        while node is not None:
            yield node
            node = node.parent

    def set_limit(self, limit: int) -> None:
        """Set how many regular children it may have."""
        was_open = self.open
        self.limit = limit
        self._tell_ancestors(was_open)

    def ask_child(self, count: int, *, regular: bool) -> None:
        """One more child in flight; -1 takes one back, as if it had never been asked for."""
        was_open = self.open
        self.asked += count
        self.regular += count if regular else 0
        self._tell_ancestors(was_open)

    def _tell_ancestors(self, was_open: bool) -> None:
        """Tell them, as far as it changes what is open."""
        node, parent = self, self.parent
        while parent is not None and node.open != was_open:
            above_was_open = parent.open
            parent.live += 1 if node.open else -1
            node, parent, was_open = parent, parent.parent, above_was_open

    def back_up(self, value: float, visits: int = 1) -> None:
        """Count a visit with its value up to the root, copy the flag to all on the way, and forget their failures.

        Its branch is free for other workers then. `visits` 0 does all but count.
        """
        flag = self.goes_on and self.open
        for above in self.path():
            above.visits += visits
            above.total += value
            above.failures = 0
            above.goes_on = flag and above.id != ROOT
        if self.branch is not None:
            self.branch.locked = False


def rank(node: GraphNode) -> tuple[float, int]:
    """Sorts the best first, the earlier first among equals."""
    return -node.score, node.id


class Elite:
    """The best programs, so many of one branch at most."""

    def __init__(self, size: int, per_branch: int) -> None:
        self._size = size
        self._per_branch = per_branch
        self.nodes: list[GraphNode] = []  # the best first

    def add(self, node: GraphNode) -> None:
        """One more valid program. Those that are out stay out, since what was taken before them is only bettered."""
        ranked = sorted([*self.nodes, node], key=rank)
        taken: Counter[int] = Counter()
        self.nodes.clear()
        for one in ranked:
            branch = -1 if one.branch is None else one.branch.id
            if taken[branch] < self._per_branch and len(self.nodes) < self._size:
                taken[branch] += 1
                self.nodes.append(one)
