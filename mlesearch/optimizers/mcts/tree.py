"""What the tree searches share: a tree, UCT, and the bookkeeping of what can still be selected.

No operation looks at the whole tree. Selection and back-up walk one path, which `bypass` keeps short where that changes
no decision.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self, TypeVar

from mlesearch.types import Direction

ROOT = -1
"""The id of the virtual root, which is no program."""


@dataclass(slots=True, eq=False)
class TreeNode:
    """One program of the tree, or its virtual root.

    Attributes:
        id: of the proposal that made it; `ROOT` for the virtual root.
        parent: None for the virtual root.
        valid: whether it has a score; the root counts as valid.
        score: its validation score; None when it has none.
        debug_depth: how many debugs in a row led here without success.
        visits: values backed up through it.
        room: children that may still be asked of it; a node with room can be selected.
        live: children whose subtree can be selected.
    """

    id: int
    parent: Self | None
    valid: bool
    score: float | None = None
    debug_depth: int = 0
    visits: int = 0
    room: int = 0
    live: list[Self] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether a node of its subtree, itself included, can be selected."""
        return self.room > 0 or bool(self.live)

    def path(self) -> Iterator[Self]:
        """This node, its parent, and so on up to the root."""
        node: Self | None = self
        while node is not None:
            yield node
            node = node.parent


N = TypeVar("N", bound=TreeNode)


@dataclass(slots=True, eq=False)
class ScoredNode(TreeNode):
    """A node whose value is the mean of scores, and which several workers may visit at once.

    Attributes:
        mean: of the values backed up through it.
        virtual: proposals in flight below it, and those due at once.
        bypassed: visits among its own that only ancestors counted, which it has taken the place of.
        order: its own id, or that of the oldest ancestor which it has taken the place of: what ties go by.
    """

    mean: float = 0.0
    virtual: int = 0
    bypassed: int = 0
    order: int = field(init=False)

    def __post_init__(self) -> None:
        self.order = self.id


class MinMax:
    """Min-max normalisation of scores over all scores seen so far, sign flipped when lower is better."""

    def __init__(self, direction: Direction) -> None:
        self._direction = direction
        self._low = math.inf
        self._high = -math.inf

    def add(self, score: float) -> None:
        """Learn of a score."""
        self._low = min(self._low, score)
        self._high = max(self._high, score)

    def __call__(self, mean: float) -> float:
        """A mean of scores as a value from 0 (worst seen) to 1 (best seen); 0.5 when all scores are equal."""
        if not self._low < self._high:
            return 0.5
        # halves, because the range of two finite floats may not be one
        q = (mean / 2 - self._low / 2) / (self._high / 2 - self._low / 2)
        return q if self._direction is Direction.MAXIMIZE else 1.0 - q


def uct(q: float, c: float, parent_visits: int, visits: int) -> float:
    """Upper confidence bound of a child: q + c * sqrt(ln N_parent / n) (Kocsis and Szepesvari 2006).

    Args:
        q: value of the child.
        c: exploration constant.
        parent_visits: N_parent, visits in flight included.
        visits: n of the child, visits in flight included, at least 1.
    """
    return q + c * math.sqrt(math.log(parent_visits) / visits)


def set_room(node: N, room: int) -> None:
    """Set how many children may still be asked of a node.

    Ancestors are told only as far as it changes whether their subtree can be selected.
    """
    was_open = node.open
    node.room = room
    child, parent = node, node.parent
    while parent is not None and child.open != was_open:
        parent_was_open = parent.open
        if was_open:
            parent.live.remove(child)
        else:
            parent.live.append(child)
        child, parent, was_open = parent, parent.parent, parent_was_open


def bypass(node: ScoredNode, child: ScoredNode) -> None:
    """Let a child take the place of its parent below the grandparent, so that paths stay short in a deep tree.

    The node has no room, no other child of it can be selected, and nothing is in flight beside the child: whatever
    visits one from now on visits the other. So the child goes on with the node's visits and mean, which its rivals are
    compared with, and remembers how many of the visits are not its own. No decision changes.
    """
    above = node.parent
    if above is not None:
        child.bypassed += node.visits - child.visits
        child.visits, child.mean, child.order = node.visits, node.mean, node.order
        child.parent = above
        above.live[above.live.index(node)] = child


def add_virtual(node: ScoredNode, change: int) -> None:
    """Add visits in flight (or take them away) from a node up to the root."""
    above: ScoredNode | None = node
    while above is not None:
        above.virtual += change
        above = above.parent


def back_up(node: ScoredNode, value: float) -> None:
    """Count one visit with its value for every node from here to the root."""
    above: ScoredNode | None = node
    while above is not None:
        above.visits += 1
        if above.visits == 1:
            above.mean = value
        else:  # in parts, because a difference of two finite floats may not be one
            above.mean += value / above.visits - above.mean / above.visits
        above = above.parent
