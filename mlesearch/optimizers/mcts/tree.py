"""What both tree searches share: the tree, UCT, descent, back-up and visits in flight.

Every operation costs at most the depth of the tree times the children of a node that can still be selected; none looks
at the whole tree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

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
        mean: of those values.
        virtual: proposals in flight below it.
        room: children that may still be asked of it; a node with room can be selected.
        open: how many nodes of its subtree (itself included) can be selected.
        live: children whose subtree can be selected.
    """

    id: int
    parent: TreeNode | None
    valid: bool
    score: float | None = None
    debug_depth: int = 0
    visits: int = 0
    mean: float = 0.0
    virtual: int = 0
    room: int = 0
    open: int = 0
    live: list[TreeNode] = field(default_factory=list)

    def path(self) -> Iterator[TreeNode]:
        """This node, its parent, and so on up to the root."""
        node: TreeNode | None = self
        while node is not None:
            yield node
            node = node.parent


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


def set_room(node: TreeNode, room: int) -> None:
    """Set how many children may still be asked of a node, and tell its ancestors whether it can be selected."""
    change = (room > 0) - (node.room > 0)
    node.room = room
    if not change:
        return
    below: TreeNode | None = None
    for ancestor in node.path():
        if below is not None:
            if change > 0 and below.open == 1:
                ancestor.live.append(below)
            elif change < 0 and below.open == 0:
                ancestor.live.remove(below)
        ancestor.open += change
        below = ancestor


def add_virtual(node: TreeNode, change: int) -> None:
    """Add visits in flight (or take them away) from a node up to the root."""
    for ancestor in node.path():
        ancestor.virtual += change


def back_up(node: TreeNode, value: float) -> None:
    """Count one visit with its value for every node from here to the root."""
    for ancestor in node.path():
        ancestor.visits += 1
        if ancestor.visits == 1:
            ancestor.mean = value
        else:  # in parts, because a difference of two finite floats may not be one
            ancestor.mean += value / ancestor.visits - ancestor.mean / ancestor.visits
