"""The fold of a killed run's journal: the search as it stood, event by event.

Every proposal is asked for again and compared, every outcome is told again. What was under way, reruns on fresh splits
too, is begun anew at the moment and by the worker at which it was begun then, so that its prompts are those that were
sent and a replay of the whole goes the same way; and is answered from the journal as far as the journal goes: no stage
that was written is ever repeated.
"""

from __future__ import annotations

from collections.abc import Set

from mlesearch.engine.full_data import FullRuns
from mlesearch.engine.parts import RunEnd, RunStatus
from mlesearch.engine.revalidation import Revalidation
from mlesearch.engine.search import Search
from mlesearch.engine.strategy_fold import StrategyFold
from mlesearch.engine.trial import make_node
from mlesearch.storage.codec import usage_from_json
from mlesearch.storage.events import Asked, Embedded, Executed, SampleRan, StageEvent, Told, stage_of
from mlesearch.types import Proposal


class Fold:
    """Brings a new search, and what follows it, to where a journal ends."""

    def __init__(self, search: Search, revalidation: Revalidation, full_runs: FullRuns) -> None:
        """They know nothing yet."""
        self._search = search
        self._folder = search.parts.folder
        self._revalidation = revalidation
        self._full_runs = full_runs
        journal = self._folder.journal
        self._strategy = StrategyFold(search.parts.optimizer, journal.path, journal.header)
        self._admitted: dict[int, tuple[int, Proposal, float]] = {}  # by proposal: its worker and time limit too
        self._embedded: dict[int, Embedded] = {}  # by proposal that was told
        self._ran: dict[int, Executed | SampleRan] = {}  # by proposal that was told: the run that counts, its last

    def read(self) -> RunEnd | None:
        """Fold the journal, and let go of its events.

        Returns:
            The end of a run that has ended; None where it goes on: `Search.in_flight` holds what is to be done next.

        Raises:
            ReplayMismatch: it was written by another strategy or version.
        """
        search, folder = self._search, self._folder
        events = folder.journal.events
        if not events:
            return None
        search.graded = folder.graded_ids()
        told = {e["id"] for e in events if e["type"] == "told"}
        for line, event in enumerate(events, 2):
            if event["type"] == "asked":
                self._asked(event, line, told)
            elif event["type"] == "told":
                self._told(event, line)
            elif event["type"] == "closing":
                search.in_flight.clear()  # the next call of each fitted no more
                fresh = self._revalidation.follows(RunStatus(event["status"]))
                search.closing = (self._revalidation if fresh else self._full_runs).recall_closing(event)
            elif event["type"] == "revalidated":
                self._revalidation.recall_rerun(event)
            elif event["type"] == "full_run":
                self._full_runs.recall(event)
            elif event["type"] == "ended":
                return RunEnd(RunStatus(event["status"]), event["selected"], event["t"], search.meter.steps)
            else:
                self._work_ended(event)
        events.clear()
        self._revalidation.go_on()
        if search.selection.best is None:
            folder.drop_best()
        search.write_best(search.selection.best)
        return None

    def _asked(self, event: Asked, line: int, told: Set[int]) -> None:
        proposal = self._strategy.asked(event, line)
        self._search.time.restore(event["worker"], event["t"])
        if self._search.admit(proposal):
            self._admitted[proposal.id] = (event["worker"], proposal, self._search.limit_s(event["worker"]))
            if proposal.id not in told:
                self._search.begin(event["worker"], proposal, event["used"])

    def _work_ended(self, event: StageEvent) -> None:
        """A stage that was finished before the kill: it is charged again, and answers what waits for it."""
        search, (worker, proposal, _) = self._search, self._admitted[event["id"]]
        search.time.restore(worker, event["t"])
        if event["type"] == "executed" or event["type"] == "sample_run":
            search.meter.gpu_us += event["result"].get("gpu_us", 0)
        else:
            search.meter.settle(usage_from_json(event["usage"]), event.get("charged_nusd", 0))
            if event["type"] != "embedded":
                search.first_replies.add(event["finish"], event.get("text", ""), new=False)
        waiting = search.in_flight.get(worker)
        if waiting is None or waiting.trial is None or waiting.trial.proposal is not proposal:
            if event["type"] == "executed" or event["type"] == "sample_run":
                self._ran[event["id"]] = event
            elif event["type"] == "embedded":
                self._embedded[event["id"]] = event
        elif waiting.work.stage == stage_of(event):
            del search.in_flight[worker]
            search.meter.release(waiting.reservation)
            search.proceed(worker, waiting.trial, self._folder.recall(event))

    def _told(self, event: Told, line: int) -> None:
        """An outcome that was told before the kill."""
        search, folder, id = self._search, self._folder, event["id"]
        worker, proposal, limit_s = self._admitted.pop(id)
        embedded, ran = self._embedded.pop(id, None), self._ran.pop(id, None)
        vectors = folder.vectors(embedded).vectors if embedded else ()
        outcome, verdicts = self._strategy.told(event, vectors, line)
        node = None
        if ran is not None:
            result = folder.result(ran)
            code = folder.blobs.get(ran["program"])
            sample_runs = search.parts.context.sample_runs
            if ran["type"] == "sample_run" and sample_runs is not None:
                limit_s = sample_runs.limit_s(limit_s)
            node = make_node(proposal, outcome, code, event.get("problem", result.reason), result, limit_s)
            if outcome.valid and folder.outbox(id).exists():
                search.grade(id, True, result)  # only where a power cut lost its grade
        search.time.restore(worker, event["t"])
        search.learn(node, verdicts, event["t"])
        search.clock.before_us = event["real_us"]
