"""The last runs of a task whose searches see a part of the data: the chosen program, once more on all of it.

What a program submits in such a search answers the validation rows alone. After the search, and after reruns on fresh
splits where there are some, the chosen program runs again, unchanged, on the full data, and what it submits there is
the run's submission. One that fails there, or submits what is invalid, gives its place to the next best, up to a number
of runners-up. It costs no step and no model call. Its time is charged; with a time budget it lives on
`budget.reserve_s`, which is its own whatever the search has overdrawn.

Every run is journaled, so that a killed one goes on where it stood.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlesearch.engine import scoring
from mlesearch.engine.parts import RunStatus
from mlesearch.engine.revalidation import Revalidation
from mlesearch.engine.search import InFlight, Search
from mlesearch.engine.work import FullRun
from mlesearch.storage.events import Closing, FullRan
from mlesearch.types import ExecResult

WORKER = 0
"""Who runs them: one after the other, since each is for want of the one before."""


class FullRuns:
    """The runs on the full data of one run; all it knows of an earlier process comes from the journal."""

    def __init__(self, search: Search, revalidation: Revalidation) -> None:
        """Nothing runs before the search, and its revalidation, are over."""
        self._search = search
        self._revalidation = revalidation
        self._terms = search.parts.full
        self._left: list[int] | None = None
        self._chosen: int | None = None

    @property
    def needed(self) -> bool:
        """Whether the run's submission comes from here."""
        return self._terms is not None

    @property
    def chosen(self) -> int | None:
        """The node whose run on the full data is submitted; None where there is none (yet)."""
        return self._chosen

    def next(self) -> InFlight | None:
        """What the worker runs next; None where it is not the time, or nothing is left.

        The order of the candidates is written down before the first of them runs.
        """
        search = self._search
        over = search.closing not in (None, RunStatus.INTERRUPTED) and not search.in_flight
        if self._terms is None or not over or self._chosen is not None:
            return None
        if self._left is None:
            order, t = self._order(self._terms.runners_up), search.time.furthest
            if order and not self._revalidation.begun and search.closing is not None:
                search.parts.folder.closing(search.closing, order, t)
                search.closed_us = t
            self._begin(order, t)
        limit_s = search.rerun_limit_s(WORKER)
        if not self._left or limit_s <= 0:
            return None
        node = self._left[0]
        return InFlight(FullRun(node, search.nodes[node].code), (0, node), deadline_s=limit_s)

    def ended(self, node: int, worker: int, t: int, result: ExecResult) -> None:
        """Journal a run that has ended; grade what it submitted, where that is valid."""
        if self._terms is None:
            raise ValueError("a program ran on the full data, and there is none")
        problem = scoring.judge_sample(result, self._terms.scorer)
        self._search.parts.folder.full_ran(node, worker, t, problem, result)
        self._took(node, problem)
        if not problem:
            self._grade(node, result)

    def recall_closing(self, event: Closing) -> RunStatus:
        """An earlier process had put the candidates in order; returns how its search had ended."""
        if self._terms is None:
            raise ValueError("the journal tells of reruns, and nothing is run again")
        self._search.closed_us = event["t"]
        self._begin(event["candidates"], event["t"])
        return RunStatus(event["status"])

    def recall(self, event: FullRan) -> None:
        """An earlier process had run a candidate on the full data."""
        if self._terms is None:
            raise ValueError("the journal tells of a run on the full data, and there is none")
        if self._left is None:
            self._begin(self._order(self._terms.runners_up), self._search.time.furthest)
        self._search.time.restore(event["worker"], event["t"])
        problem = event.get("problem", "")
        self._took(event["id"], problem)
        if not problem and event["id"] not in self._search.graded:  # a kill came between the two lines
            self._grade(event["id"], self._search.parts.folder.full_result(event))

    def _order(self, runners_up: int) -> list[int]:
        """The chosen node, and those that follow it where it fails."""
        selection = self._search.selection
        first = [*self._revalidation.ranked, *([] if selection.chosen is None else [selection.chosen])]
        return list(dict.fromkeys([*first, *selection.ranked]))[: 1 + runners_up]

    def _begin(self, order: Sequence[int], t: int) -> None:
        self._left = list(order)
        self._search.time.start(WORKER, t)

    def _took(self, node: int, problem: str) -> None:
        self._left = [other for other in self._left or () if other != node]
        if not problem:
            self._chosen = node

    def _grade(self, node: int, result: ExecResult) -> None:
        if self._terms is not None:
            self._search.parts.folder.graded(node, scoring.grade(result, self._terms.scorer))
