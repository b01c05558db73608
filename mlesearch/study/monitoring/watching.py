"""What becomes of the runs of a launch, read from the disk: the same under every launcher, and however many runs.

Workers say which runs ended and which are under way (`mlesearch.storage.worker_files`), so that journals are read of
the latter alone. What no worker says (a study on which an earlier version works too) is found a few runs at a time: the
number of files that one look opens does not grow with the launch.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from mlesearch.config.planning.plan import RunPlan
from mlesearch.storage.cell_store import exists, finished_of
from mlesearch.storage.documents import RESULT
from mlesearch.storage.entry import StoreError
from mlesearch.storage.events import Event, not_passed
from mlesearch.storage.journal import JOURNAL, follow
from mlesearch.storage.requests import PAUSED, until_off, why_paused
from mlesearch.storage.worker_files import IndexReader, RunAttempt, WorkerReader, WorkerState
from mlesearch.study.monitoring.waiting import notes_of
from mlesearch.study.runs.fold import PROGRAMS
from mlesearch.study.work_list.rounds import rounds_of
from mlesearch.types import MlesearchError, Status

FOLLOWED, SWEPT = 40, 20
"""So many runs that are under way, and others, are looked at at once; the next ones at the next look."""
_TOLD = frozenset({"failed", "lost", "set_aside"})
"""Ends of attempts that are news where the run has not ended: it may be tried again."""
WORKERS_S = 1.0
"""How often the files of workers are looked at."""


class Watched:
    """One run's journal, read on from where it was read last."""

    def __init__(self, run: RunPlan) -> None:
        """Nothing is read yet."""
        self.run = run
        self.steps = 0
        self.finished = False
        self.notes: list[str] = []  # of replies, since they were last taken
        self._offset = 0

    @property
    def begun(self) -> bool:
        """Whether something of it was read."""
        return self._offset > 0

    def poll(self) -> bool:
        """Read on; returns whether the run ended since the last look."""
        with contextlib.suppress(OSError, MlesearchError):  # what can't be read ends its own run, which says so
            events, self._offset = follow(self.run.folder / JOURNAL, self._offset)
            self.steps += sum(map(_ends_step, events))
            self.notes += notes_of(events)
        if not self.finished and exists(self.run.folder / RESULT):
            self.finished = True
            return True
        return False


class WatchedCell:
    """How many runs of a cell are in its store: those on a virtual clock."""

    def __init__(self, folder: Path, names: frozenset[str]) -> None:
        """Nothing is read yet."""
        self.name = "/".join(folder.parts[-3:])
        self.asked = len(names)
        self.finished = 0
        self._folder = folder
        self._names = names

    def poll(self) -> bool:
        """Count anew; returns whether all have ended since the last look."""
        before = self.finished
        with contextlib.suppress(StoreError):  # whoever writes it says so
            self.finished = len(self._names & finished_of(self._folder))
        return before < self.finished == self.asked


class LaunchWatch:
    """The runs of a launch that have folders of their own.

    Attributes:
        ended: how many have ended, or failed.
        steps: programs of those that had not when it began.
        news: lines about what befell workers and runs, since they were last taken.
    """

    def __init__(self, runs: Sequence[RunPlan]) -> None:
        """Nothing is read yet."""
        self._runs = {r.key.id: Watched(r) for r in runs}
        self._rounds = dict(zip(self._runs, rounds_of([r.key for r in runs]), strict=True))
        self._open = dict(self._runs)
        self._under_way: dict[str, Watched] = {}
        self._study = runs[0].study_dir if runs else Path()
        self._index, self._workers = IndexReader(self._study), WorkerReader(self._study)
        self._activities: dict[str, str] = {}
        self._told: set[tuple[str, str]] = set()
        self._looked_s = float("-inf")
        self._left = Counter(self._rounds.values())
        self.ended = 0
        self.steps = 0
        self.news: list[str] = []

    def __len__(self) -> int:
        return len(self._runs)

    def begin(self) -> None:
        """What is there already: nothing of it is news, but that the study is paused."""
        self._index.new()
        known = [w for w in self._workers.all() if not (w.why.startswith(PAUSED) and why_paused(self._study))]
        self._activities = {w.id: _activity(w) for w in known}
        for watched in self._runs.values():
            if exists(watched.run.folder / RESULT):
                watched.finished = True
                self._count(watched)

    @property
    def programs_to_come(self) -> int | None:
        """Programs that runs which have not ended may have; None where their number is not limited."""
        steps = [w.run.settings.budget.steps for w in self._open.values()]
        return None if None in steps else sum(s for s in steps if s is not None)

    @property
    def under_way(self) -> list[Watched]:
        """Runs that are being carried out, as far as is known; at most `FOLLOWED`."""
        begun = (w for w in self._open.values() if w.begun)
        return list(islice(self._under_way.values() if self._under_way else begun, FOLLOWED))

    @property
    def awaited(self) -> str:
        """What comes next, and after how many runs: the end of a round of seeds, or of the launch."""
        left = +self._left
        if not left:
            return ""
        now, last = min(left), max(self._rounds.values())
        what = "the report" if now == last else f"the table of {now + 1} of {last + 1} seeds"
        return f"; {left[now]} more to {what}"

    def look(self) -> Iterator[Watched]:
        """Read on; yields each run that was read, and has ended since the last look where it is `finished`."""
        for attempt in self._index.new():
            if attempt.run_id in self._runs:
                yield from self._attempt(attempt)
        now = time.monotonic()
        if now - self._looked_s >= WORKERS_S:
            self._looked_s = now
            self._look_at_workers()
        yield from self._poll(_turned(self._under_way, FOLLOWED))
        yield from self._poll(_turned(self._open, SWEPT))

    def look_at_all(self) -> Iterator[Watched]:
        """As `look`, at all runs that have not ended."""
        yield from self.look()
        yield from self._poll([*self._open.values()])

    def _attempt(self, attempt: RunAttempt) -> Iterator[Watched]:
        watched = self._open.get(attempt.run_id)
        if watched is None:
            return
        yield from self._poll([watched])
        kind = attempt.status, _without_numbers(attempt.reason)
        if not watched.finished and attempt.status in _TOLD and kind not in self._told:
            self._told.add(kind)
            self.news.append(f"{attempt.run_id}: {attempt.status} on {attempt.host}: {attempt.reason} (said once)")

    def _poll(self, some: Sequence[Watched]) -> Iterator[Watched]:
        for watched in some:
            before = watched.steps
            if watched.poll():
                self._count(watched)
            self.steps += watched.steps - before
            yield watched

    def _count(self, watched: Watched) -> None:
        run_id = watched.run.key.id
        self.ended += 1
        self._left[self._rounds[run_id]] -= 1
        self._open.pop(run_id, None)
        self._under_way.pop(run_id, None)

    def _look_at_workers(self) -> None:
        workers = self._workers.all()
        ids = [run_id for worker in workers for run_id in worker.run_ids if run_id in self._open]
        self._under_way = {run_id: self._open[run_id] for run_id in self._under_way if run_id in ids}
        self._under_way |= {run_id: self._open[run_id] for run_id in ids}
        for worker in workers:
            activity, before = _activity(worker), self._activities.get(worker.id, "")
            if activity and _without_numbers(activity) != _without_numbers(before):
                off = f"; {until_off(self._study)}" if worker.why.startswith(PAUSED) else ""
                self.news.append(f"worker {worker.id}: {activity}{off}")
            self._activities[worker.id] = activity


def _without_numbers(text: str) -> str:
    """Texts that differ in their numbers alone are of one kind."""
    return re.sub(r"\d+", "#", text)


def _activity(worker: WorkerState) -> str:
    """What a worker does other than work, where it says why."""
    doing = "waiting" if worker.activity == "paused" else worker.activity
    return f"{doing}: {worker.why}" if worker.why and doing != "working" else ""


def _turned(runs: dict[str, Watched], most: int) -> list[Watched]:
    """The first so many of some runs, which become the last."""
    first = list(islice(runs.items(), most))
    if len(first) < len(runs):
        for run_id, watched in first:
            del runs[run_id]
            runs[run_id] = watched
    return [watched for _, watched in first]


def _ends_step(event: Event) -> bool:
    """Whether a program ended, or was given up: in its trial run, or for want of a usable reply."""
    if event["type"] == "told":
        return event["outcome"]["status"] == Status.REPLY_UNUSABLE and event["outcome"]["op"] in PROGRAMS
    if event["type"] == "sample_run":
        return not_passed(event)
    return event["type"] == "executed"
