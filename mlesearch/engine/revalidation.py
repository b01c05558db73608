"""The final choice of `selection: revalidate`: the best candidates are run again on fresh validation splits.

The score that a search climbed on flatters what it found. Here the candidates (`Selection.candidates`) are trained
and scored once more on splits that no prompt has seen, the same ones for every run of a task, and the best mean wins.
It comes after the search: it costs no step and no model call, its time is charged, and with a time budget it lives
on what `budget.reserve_s` kept back and the search left over. A round (one split, all candidates) counts only when it
is whole. Every rerun is journaled, so a killed run goes on where it stood.

The loop carries the reruns out like all other work; this module says what is run again, and what comes of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from mlesearch.engine.parts import RunStatus
from mlesearch.engine.scoring import judge
from mlesearch.engine.search import InFlight, Search
from mlesearch.engine.work import Rerun
from mlesearch.storage.events import Closing, Revalidated
from mlesearch.types import Direction, ExecResult

NodeOnSplit = tuple[int, int]
"""A node, and the seed of the fresh split that it is run on."""


class Rounds:
    """The scores of the candidates, split by split."""

    def __init__(self, candidates: Sequence[int], splits: int, direction: Direction) -> None:
        """`candidates`: the best on validation first; equal means go to the one before."""
        self.candidates = tuple(candidates)
        self._seeds = range(1, splits + 1)
        self._sign = direction.sign
        self._scores: dict[NodeOnSplit, float | None] = {}

    def add(self, rerun: NodeOnSplit, score: float | None) -> None:
        """One rerun ended; None: it failed on that split."""
        self._scores[rerun] = score

    def left(self) -> Iterator[NodeOnSplit]:
        """What was not run yet, round by round."""
        return (r for s in self._seeds for n in self.candidates if (r := (n, s)) not in self._scores)

    @property
    def ranked(self) -> list[int]:
        """By their means over the whole rounds, the best first; those that failed in one of them are left out."""
        whole = [s for s in self._seeds if all((n, s) in self._scores for n in self.candidates)]
        sums: dict[int, Fraction] = {}
        for node in self.candidates:
            scores = [x for s in whole if (x := self._scores[node, s]) is not None]
            if scores and len(scores) == len(whole):
                sums[node] = self._sign * sum(map(Fraction, scores), Fraction(0))  # exact: equal means are a tie
        return sorted(sums, key=lambda node: -sums[node])

    @property
    def winner(self) -> int | None:
        """The first of `ranked`; None where there is none."""
        return next(iter(self.ranked), None)


class Revalidation:
    """The reruns of one run; all it knows of an earlier process comes from the journal, by the `recall` methods."""

    def __init__(self, search: Search) -> None:
        """Nothing is run again before the search is over.

        Raises:
            ValueError: the rule is `revalidate`, and there are no fresh splits to run on.
        """
        self._search = search
        self._folder = search.parts.folder
        self._rule = search.parts.revalidate if search.selection.revalidates else None
        self._rounds: Rounds | None = None
        self._left: Iterator[NodeOnSplit] = iter(())
        self._under_way: dict[int, NodeOnSplit] = {}  # by worker, while the journal of an earlier process is read
        if search.selection.revalidates and self._rule is None:
            raise ValueError("selection is revalidate, and there are no fresh splits to run on")

    @property
    def begun(self) -> bool:
        """Whether the candidates are chosen."""
        return self._rounds is not None

    def begin(self) -> None:
        """Choose the candidates and write them down, where the search has just ended by itself; else do nothing."""
        if self._rule is None or self._rounds is not None or (status := self._search.ended) is None:
            return
        candidates, t = self._search.selection.candidates(self._rule.k), self._search.time.furthest
        self._folder.closing(status, candidates, t)
        self._open(candidates, t)

    def next(self, worker: int) -> InFlight | None:
        """What an idle worker runs next, within what is left of the time budget; None where there is nothing."""
        left = self._take(worker)
        return None if left is None else self._in_flight(worker, left)

    def _take(self, worker: int) -> NodeOnSplit | None:
        return next(self._left, None) if self._deadline_s(worker) > 0 else None

    def _in_flight(self, worker: int, rerun: NodeOnSplit) -> InFlight:
        if self._rule is None:
            raise ValueError("nothing is run again where selection is not revalidate")
        node, split = rerun
        spec, scorer = self._rule.source.make(split)
        work = Rerun(node, split, self._search.nodes[node].code, spec, scorer)
        return InFlight(work, (split, node), deadline_s=self._deadline_s(worker))

    def ended(self, rerun: Rerun, worker: int, t: int, result: ExecResult) -> None:
        """Score a rerun that has ended, and journal it."""
        judged = judge(result, rerun.scorer)
        self._folder.revalidated(rerun.node, rerun.split, worker, t, judged.score, judged.problem, result)
        self._add((rerun.node, rerun.split), judged.score)

    @property
    def winner(self) -> int | None:
        """The node that is submitted; None where validation alone decides: no candidate ran on every fresh split."""
        return None if self._rounds is None else self._rounds.winner

    @property
    def ranked(self) -> list[int]:
        """The candidates that ran on every fresh split, the best first."""
        return [] if self._rounds is None else self._rounds.ranked

    def follows(self, status: RunStatus) -> bool:
        """Whether candidates are run again after a search that has ended like this."""
        return self._rule is not None and status is not RunStatus.REAL_TIME

    def recall_closing(self, event: Closing) -> RunStatus:
        """An earlier process had chosen the candidates; returns how its search had ended."""
        self._open(event["candidates"], event["t"])
        self._begin_as_then()
        return RunStatus(event["status"])

    def recall_rerun(self, event: Revalidated) -> None:
        """An earlier process had run a candidate again."""
        worker, rerun = event["worker"], (event["id"], event["split"])
        self._search.time.restore(worker, event["t"])
        self._add(rerun, event["score"])
        if self._under_way.pop(worker, None) != rerun and self._rounds is not None:
            self._under_way.clear()  # it was begun by a version that shared them out in another way
            self._left = self._rounds.left()
        self._begin_as_then()

    def _begin_as_then(self) -> None:
        """Every idle worker began a rerun at this moment, and which one follows from the journal so far."""
        while (worker := self._search.time.next_idle(self._under_way)) is not None:
            rerun = self._take(worker)
            if rerun is None:
                return
            self._under_way[worker] = rerun

    def go_on(self) -> None:
        """The journal ends here: what is under way is to be done, by the workers that had begun it."""
        for worker, rerun in self._under_way.items():
            self._search.in_flight[worker] = self._in_flight(worker, rerun)
        self._under_way = {}

    def close(self) -> None:
        """Remove the fresh splits."""
        if self._rule is not None:
            self._rule.source.close()

    def _open(self, candidates: Sequence[int], t: int) -> None:
        self._search.closed_us = t
        if self._rule is None:
            raise ValueError("the journal tells of reruns, and selection is not revalidate")
        self._rounds = Rounds(candidates, self._rule.splits, self._search.parts.direction)
        self._left = self._rounds.left()
        for worker in range(self._search.parts.execution.workers):
            self._search.time.start(worker, t)

    def _add(self, rerun: NodeOnSplit, score: float | None) -> None:
        if self._rounds is not None:
            self._rounds.add(rerun, score)

    def _deadline_s(self, worker: int) -> float:
        """What a program may take; half of the reserve is left to a run on the full data that follows."""
        parts = self._search.parts
        return self._search.rerun_limit_s(worker, 0.0 if parts.full is None else parts.budget.reserve_s / 2)
