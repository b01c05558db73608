"""Islands: sub-populations of valid programs, from which parents are drawn and into which children are admitted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

SCALE = 2.0**-20
"""Scores are summed in this unit, because a sum of finite floats may not be one; but for the tiniest, it is exact."""


@dataclass(slots=True, eq=False)
class Island:
    """A sub-population: valid programs in the order in which they joined, and their scores, higher being better."""

    nodes: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """Of the scores; there is at least one."""
        return math.fsum(s * SCALE for s in self.scores) / len(self.scores) / SCALE

    def welcomes(self, score: float) -> bool:
        """Whether a score is at least the mean; both sides are rounded once, so that a tie is one."""
        return len(self.scores) * (score * SCALE) >= math.fsum(s * SCALE for s in self.scores)

    def join(self, node: int, score: float, max_size: int) -> None:
        """One more program; above `max_size` the worst one leaves, among equals the earliest."""
        self.nodes.append(node)
        self.scores.append(score)
        if len(self.nodes) > max_size:
            self.leave(self.scores.index(min(self.scores)))

    def leave(self, place: int) -> tuple[int, float]:
        """Remove a program; return it with its score."""
        return self.nodes.pop(place), self.scores.pop(place)


class Islands:
    """All islands. Scores are signed: higher is better here, whatever the task's direction."""

    def __init__(self, count: int, max_size: int) -> None:
        self._max_size = max_size
        self._low, self._high = math.inf, -math.inf  # of all scores that were offered
        self.all = [Island() for _ in range(count)]

    @property
    def largest(self) -> int:
        """Programs on the largest island."""
        return max(len(island.nodes) for island in self.all)

    def admit(self, place: int, node: int, score: float, *, tested: bool) -> None:
        """A child joins an island if that is empty or the score is at least its mean, or, not `tested`, in any case."""
        self._low, self._high = min(self._low, score), max(self._high, score)
        island = self.all[place]
        if not tested or not island.nodes or island.welcomes(score):
            island.join(node, score, self._max_size)

    def parents(self, count: int, temperature: float, draws: np.random.Generator) -> tuple[int, list[int]]:
        """Draw an island, by its mean, from those that have so many programs, then the programs.

        Args:
            count: of parents; the largest island has at least as many.
            temperature: of the softmax in both draws.
            draws: read once for the island and once for each parent.

        Returns:
            The place of the island, and the parents in the order drawn.
        """
        places = [i for i, island in enumerate(self.all) if len(island.nodes) >= count]
        place = places[self.draw([self.all[i].mean for i in places], temperature, 1, draws)[0]]
        island = self.all[place]
        return place, [island.nodes[i] for i in self.draw(island.scores, temperature, count, draws)]

    def draw(self, scores: Sequence[float], temperature: float, count: int, draws: np.random.Generator) -> list[int]:
        """Places drawn without replacement by the softmax of the scores, min-max normalised over all that were offered.

        One uniform number is read for each and looked up in the running sum of the weights that are left.
        """
        low, high = self._low / 2, self._high / 2  # halves, because the range of two finite floats may not be one
        values = (np.asarray(scores) / 2 - high) / (high - low) if low < high else np.zeros(len(scores))
        left, weights, drawn = np.arange(len(scores)), np.exp(values / temperature), list[int]()
        while len(drawn) < count:
            sums = np.cumsum(weights)
            place = int(np.searchsorted(sums[:-1], draws.random() * sums[-1], side="right"))
            drawn.append(int(left[place]))
            left, weights = np.delete(left, place), np.delete(weights, place)
        return drawn

    def reset(self, draws: np.random.Generator) -> None:
        """The weaker half of the islands keep their best program each, and get one that is not the best of another."""
        best = [max(island.scores, default=-math.inf) for island in self.all]
        ranked = sorted(range(len(best)), key=lambda i: (best[i], -i))
        weaker, stronger = ranked[: len(best) // 2], ranked[len(best) // 2 :]
        for place in weaker:
            island = self.all[place]
            if island.nodes:
                node, score = island.leave(island.scores.index(best[place]))
                island.nodes, island.scores = [node], [score]
            founders = [i for i in stronger if len(self.all[i].nodes) > 1]
            if not founders:
                continue
            founder = founders[int(draws.integers(len(founders)))]
            scores = self.all[founder].scores
            others = [i for i, score in enumerate(scores) if score != best[founder]]
            if others:
                chosen = others[self.draw([scores[i] for i in others], 1.0, 1, draws)[0]]
                island.join(*self.all[founder].leave(chosen), self._max_size)
