"""Rounds of a launch: the first seed of every task of every cell, then the second of each, and so on.

Carried out in this order, a study that is not finished is a smaller study rather than a lopsided one: after each round
every arm has the same number of seeds on every task, so that a table of what there is compares like with like.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence

from mlesearch.config.planning.plan import RunPlan
from mlesearch.storage.layout import RunKey

BETWEEN_REPORTS_S = 30.0
"""A round is reported where the last report, or the beginning, is at least so long ago."""


def rounds_of(keys: Sequence[RunKey]) -> list[int]:
    """The round of each run, from 0: how many runs of its cell and task come before it."""
    seen: Counter[tuple[str, str]] = Counter()
    rounds = []
    for key in keys:
        of = (key.cell, key.task)
        rounds.append(seen[of])
        seen[of] += 1
    return rounds


def in_rounds(keys: Sequence[RunKey]) -> list[int]:
    """The numbers of runs round by round; within a round in the order given."""
    rounds = rounds_of(keys)
    return sorted(range(len(keys)), key=rounds.__getitem__)


class RoundReports:
    """Has the study reported whenever a round is over and another one follows."""

    def __init__(
        self,
        runs: Sequence[RunPlan],
        finished: Collection[RunKey],
        report: Callable[[int, int, Collection[str]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is reported before a run has ended.

        Args:
            runs: of the launch, all of them.
            finished: those that were finished before it.
            report: is given how many rounds are over, how many there are, and the runs of those that are over.
            clock: seconds.
        """
        self._round = dict(zip([r.key.id for r in runs], rounds_of([r.key for r in runs]), strict=True))
        self._left = Counter(self._round.values())
        self._rounds = len(self._left)
        self._report, self._clock = report, clock
        self._last = clock()
        for key in finished:
            self._left[self._round[key.id]] -= 1
        self._told = self._over()

    def _over(self) -> int:
        """How many rounds are over, of those before the first that is not."""
        return next((i for i in range(self._rounds) if self._left[i] > 0), self._rounds)

    def ended(self, run_id: str) -> None:
        """A run of the launch ended, however it did."""
        self._left[self._round[run_id]] -= 1
        over = self._over()
        if self._told < over < self._rounds and self._clock() - self._last >= BETWEEN_REPORTS_S:
            self._told = over
            self._report(over, self._rounds, {id for id, n in self._round.items() if n < over})
            self._last = self._clock()
