"""What a landscape is like for a search: how far a perfect engineer has to go, where ascent gets stuck, what luck wins.

All scores here are signed so that larger is better. A step changes one choice of a pipeline.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from mlesearch.models.simulated.spaces import Space, apply
from mlesearch.tasks.medals import positions

RANDOM_STEPS = 12
RANDOM_RUNS = 20_000
MIDDLE = (0.4, 0.6)
"""Quantiles of the test scores between which a pipeline counts as a start in the middle."""

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Landscape:
    """All pipelines of a space with their scores.

    Attributes:
        space: the space.
        validation: signed validation scores, in the order of `space.pipelines`.
        test: signed test scores, rounded as the grader rounds them.
    """

    space: Space
    validation: Scores
    test: Scores

    @cached_property
    def neighbours(self) -> list[list[int]]:
        """Positions of the pipelines that are one step away, by position."""
        at = {p: i for i, p in enumerate(self.space.pipelines)}
        return [[at[apply(p, e)] for e in self.space.edits(p)] for p in self.space.pipelines]

    @cached_property
    def best_neighbour(self) -> list[int]:
        """Position of each pipeline's best neighbour by test score."""
        return [max(near, key=lambda i: self.test[i]) for near in self.neighbours]


@dataclass(frozen=True)
class Figures:
    """What is stated of a landscape.

    Attributes:
        gold, silver, bronze, median: thresholds of the board.
        worst, middle, best: test scores of the worst, median and best pipeline.
        golden: share of pipelines that reach gold.
        optima: pipelines without a better neighbour.
        stuck: share of pipelines from which steepest ascent ends below gold.
        stuck_in_the_middle: the same for starts in the middle.
        steps: programs that a perfect engineer executes after a start in the middle until one reaches gold; the median
            over the starts.
        random_medals: share of random searches of `RANDOM_STEPS` programs that win any medal.
        random_golds: likewise, gold.
        rank_correlation: Spearman's, of validation and test scores.
    """

    gold: float
    silver: float
    bronze: float
    median: float
    worst: float
    middle: float
    best: float
    golden: float
    optima: int
    stuck: float
    stuck_in_the_middle: float
    steps: float
    random_medals: float
    random_golds: float
    rank_correlation: float


def ascent_end(landscape: Landscape, start: int) -> int:
    """Where steepest ascent on the test scores ends: a pipeline without a better neighbour."""
    at = start
    while landscape.test[step := landscape.best_neighbour[at]] > landscape.test[at]:
        at = step
    return at


def steps_to(landscape: Landscape, start: int, bar: float) -> int:
    """Programs that a perfect engineer executes after its start until one reaches a score.

    It knows the gain of every step from every program that it has executed, but no further: each time it takes the best
    untried step from the best program that has one (best-first search).
    """
    test = landscape.test
    if test[start] >= bar:
        return 0
    tried = {start}
    open_ = [(-test[start], start)]
    for count in range(1, len(test)):
        while True:
            untried = [i for i in landscape.neighbours[open_[0][1]] if i not in tried]
            if untried:
                break
            heapq.heappop(open_)
        step = max(untried, key=lambda i: test[i])
        if test[step] >= bar:
            return count
        tried.add(step)
        heapq.heappush(open_, (-test[step], step))
    raise ValueError(f"no pipeline of {landscape.space.task} reaches {bar}")


def random_bests(landscape: Landscape, seed: int = 0) -> Scores:
    """Test scores of random searches: of uniform pipelines, the one that is best on the validation rows."""
    tried = np.random.default_rng(seed).integers(len(landscape.test), size=(RANDOM_RUNS, RANDOM_STEPS))
    chosen = landscape.validation[tried].argmax(axis=1)
    bests: Scores = landscape.test[tried[np.arange(RANDOM_RUNS), chosen]]
    return bests


def figures(landscape: Landscape, board: Sequence[float]) -> Figures:
    """All figures of a landscape with its board (signed scores, any order)."""
    test = landscape.test
    ordered = sorted(board, reverse=True)
    places = positions(len(ordered))
    gold, silver, bronze = (ordered[at - 1] for at in (places.gold, places.silver, places.bronze))
    low, high = np.quantile(test, MIDDLE)
    starts = [i for i, score in enumerate(test) if low <= score <= high]
    below = np.array([test[ascent_end(landscape, i)] < gold for i in range(len(test))])
    bests = random_bests(landscape)
    return Figures(
        gold=gold,
        silver=silver,
        bronze=bronze,
        median=float(np.median(ordered)),
        worst=float(test.min()),
        middle=float(np.median(test)),
        best=float(test.max()),
        golden=float(np.mean(test >= gold)),
        optima=sum(test[near] <= test[i] for i, near in enumerate(landscape.best_neighbour)),
        stuck=float(below.mean()),
        stuck_in_the_middle=float(below[starts].mean()),
        steps=float(np.median([steps_to(landscape, i, gold) for i in starts])) if test.max() >= gold else np.inf,
        random_medals=float(np.mean(bests >= bronze)),
        random_golds=float(np.mean(bests >= gold)),
        rank_correlation=float(np.corrcoef(rankdata(landscape.validation), rankdata(test))[0, 1]),
    )


def lines(found: Figures, sign: int) -> list[str]:
    """The figures in words, scores in the metric's own units."""
    return [
        f"test score: worst {sign * found.worst:.4f}, median {sign * found.middle:.4f}, best {sign * found.best:.4f}",
        f"gold {sign * found.gold:.5f}, silver {sign * found.silver:.5f}, bronze {sign * found.bronze:.5f}, "
        f"median {sign * found.median:.5f}; {found.golden:.2%} of pipelines reach gold",
        f"local optima: {found.optima}; steepest ascent ends below gold from {found.stuck:.0%} of all pipelines, "
        f"from {found.stuck_in_the_middle:.0%} of those in the middle",
        f"steps of a perfect engineer from the middle: {found.steps:g}",
        f"random search of {RANDOM_STEPS} wins a medal in {found.random_medals:.1%}, gold in {found.random_golds:.1%}",
        f"rank correlation of validation and test: {found.rank_correlation:.3f}",
    ]
