"""The native context of a strategy: the programs that its published system would show, as far as any prompt shows them.

The published systems show all of a set (every valid node, every sibling), without bound. A prompt here is capped
(`mlesearch.operators.scope`): the best and the newest in turn, `MOST_SHOWN` at most. So only the `MOST_SHOWN` best and
as many newest of a set can ever be shown, and only these are named: a proposal stays small however long a run is.
"""

from __future__ import annotations

from bisect import insort

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
