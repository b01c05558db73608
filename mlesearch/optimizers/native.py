"""The native context of a strategy: the programs that its published system would show, as far as any prompt shows them.

The published systems show all of a set (every valid node, every sibling), without bound. A prompt here is capped
(`mlesearch.operators.scope`): the best and the newest in turn, `MOST_SHOWN` at most. So only the `MOST_SHOWN` best and
as many newest of a set can ever be shown, and only these are named: a proposal stays small however long a run is.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping

from mlesearch.types import Direction

MOST_SHOWN = 40
"""Most earlier programs that one prompt shows."""


class Shown:
    """A growing set of programs, reduced to those of it that a prompt may show."""

    def __init__(self, direction: Direction) -> None:
        self._sign = direction.sign
        self._best: list[tuple[float, int]] = []  # (-sign * score, id) of valid ones, the best first
        self._newest: list[int] = []  # ids in ascending order

    def add(self, node: int, score: float | None) -> None:
        """One more program; `score` is None where it is buggy."""
        if score is not None:
            insort(self._best, (-self._sign * score, node))
            del self._best[MOST_SHOWN:]
        insort(self._newest, node)
        del self._newest[:-MOST_SHOWN]

    @property
    def ids(self) -> tuple[int, ...]:
        """In the order of creation."""
        return tuple(sorted({node for _, node in self._best}.union(self._newest)))


class Siblings:
    """The finished programs made from each program (from none: the drafts), as AIRA's scoped memory shows them."""

    def __init__(self, direction: Direction) -> None:
        self._direction = direction
        self._shown: dict[int | None, Shown] = {}

    def add(self, parent: int | None, node: int, score: float | None) -> None:
        """One more program made from `parent`; `score` is None where it is buggy."""
        shown = self._shown.get(parent)
        if shown is None:
            shown = self._shown[parent] = Shown(self._direction)
        shown.add(node, score)

    def of(self, parent: int | None) -> tuple[int, ...]:
        """The programs made from `parent`, in the order of creation."""
        shown = self._shown.get(parent)
        return () if shown is None else shown.ids


def failing_ancestors(node: int, above: Mapping[int, int]) -> tuple[int, ...]:
    """What led to a buggy program since the last valid one, the program itself left out: AIRA's memory of a debug.

    Args:
        node: the buggy program, which the prompt shows anyway.
        above: the buggy program that a debug was made from, by the debug's id.

    Returns:
        Ids in the order of creation, the newest `MOST_SHOWN` at most.
    """
    chain: list[int] = []
    while node in above and len(chain) < MOST_SHOWN:
        node = above[node]
        chain.append(node)
    return tuple(reversed(chain))
