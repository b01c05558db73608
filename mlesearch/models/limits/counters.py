"""What all processes that use one key have sent lately, and which models are failing: a small SQLite database.

What is decided from the counts and what is added to them are one transaction. The content is worth minutes at most:
nothing is synced, and a database that was lost costs a few calls above a limit. Its tables are those of `windows` and
`breakers`.

Where many calls are in flight, each statement costs far more than its own time, as it hands the interpreter to another
thread. So a call that nothing holds up is counted by one statement and ended by one, threads that ask at the same time
are answered together, and no thread waits for the end of its call to be counted.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mlesearch.models.limits import breakers, windows
from mlesearch.models.limits.breakers import Refused
from mlesearch.models.limits.combining import Combining
from mlesearch.models.limits.windows import Admitted, Caps, Wait
from mlesearch.storage.database import Database
from mlesearch.types import MlesearchError

KNOWN_S = 0.05
"""How long a process goes by what it read of a model's breaker, and of the limits that other models declared."""


class CallCountersError(MlesearchError):
    """The shared database can't be used."""


@dataclass(slots=True)
class _Entering:
    """A call that asks to be let through; given up where its thread was interrupted."""

    bucket: str
    model: str
    caps: Caps
    tokens: int
    call_s: float
    admitted: Admitted | None = None
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class _Ended:
    call: int
    tokens: int | None
    answered: bool
    then: Callable[[], object]


class _Answered(NamedTuple):
    bucket: str
    model: str


_Job = _Entering | _Ended | _Answered


@dataclass(frozen=True, slots=True)
class _Known:
    limited: bool
    failing: bool
    at: float


class CallCounters:
    """The database of one path, or of this process alone (path None)."""

    def __init__(self, path: Path | None) -> None:
        """Nothing is made before the first transaction."""
        self.path = path
        self._database = Database(path, _prepare, synced="OFF", failed=self._failed, private=True)
        self._together: Combining[_Job] = Combining(self._do_together)
        self._knows: dict[tuple[str, str], _Known] = {}

    def reserve_at_once(self, bucket: str, model: str, caps: Caps, tokens: int, call_s: float) -> Admitted | None:
        """Let a call through that nothing holds up; None: something may, and `reserve` tells.

        Several threads that ask at the same time are answered together. A model that declares no limits hears within
        `KNOWN_S` of those that another process declared for its bucket, and of failures that another one met with.
        """
        if not caps.any:
            known = self._known(bucket, model)
            if known.failing:
                return None
            if not known.limited:
                return Admitted(None, time.monotonic())
        entering = _Entering(bucket, model, caps, tokens, call_s)
        try:
            self._together.do(entering)
        except BaseException:
            entering.given_up = True
            self._take_back([entering])
            raise
        return entering.admitted

    def reserve(
        self, bucket: str, model: str, caps: Caps, tokens: int, ticket: int | None, call_s: float
    ) -> Admitted | Wait | Refused:
        """Let a call through, and count it; or say how long to wait.

        A call keeps to all limits that were declared for its bucket, by whichever model. One whose model fails waits
        for that and holds no turn: others of the bucket go meanwhile.

        Args:
            bucket: what shares the limits.
            model: what shares a breaker.
            caps: the limits that this model declares.
            tokens: the most that the call can use; counted until `settle` says what it used.
            ticket: of an earlier `Wait` of this call.
            call_s: the call has ended after so long, whatever happens to its process.
        """
        self._together.finish()  # what calls of this process have given back is free
        limited = caps.any or self._known(bucket, model).limited
        try:
            with self._database.transaction() if limited else self._database.reading() as db:
                now = time.monotonic()
                held = breakers.held(db, model, now, call_s)
                if held is None and limited:
                    wait_s, why = windows.wait_for(db, bucket, windows.declared(db, bucket, caps), tokens, ticket, now)
                    if wait_s:
                        return Wait(wait_s, windows.turn(db, bucket, ticket, now), why)
                if ticket is not None:
                    windows.give_up_turn(db, ticket)
                if held is None and not breakers.tries(db, model, now, call_s):
                    held = breakers.TRIED
                if held is not None:
                    return held
                return Admitted(windows.add(db, bucket, model, tokens, now, now + call_s) if limited else None, now)
        finally:
            self._knows = {}  # limits may have been declared

    def held(self, model: str, call_s: float) -> Wait | Refused | None:
        """Whether a model's calls have to wait for it, or are refused; None: one may ask to be admitted."""
        with self._database.reading() as db:
            return breakers.held(db, model, time.monotonic(), call_s)

    def release(self, ticket: int) -> None:
        """Give a turn up."""
        with self._database.transaction() as db:
            windows.give_up_turn(db, ticket)

    def settle(
        self, call: int, tokens: int | None, *, answered: bool = False, then: Callable[[], object] = lambda: None
    ) -> None:
        """A call has ended: count soon what it used (None: nobody knows, so the most that it could).

        Args:
            call: as it was admitted.
            tokens: what it used.
            answered: close the breaker of its model.
            then: called afterwards, on another thread.
        """
        self._together.hand_in(_Ended(call, tokens, answered, then))

    def totals(self, bucket: str) -> tuple[int, int]:
        """All calls ever admitted, and their tokens: those of a call that has not ended are the most it can use."""
        self._together.finish()
        with self._database.reading() as db:
            return windows.totals(db, bucket)

    def failed(self, model: str, admitted_at: float, pause_s: float | None) -> None:
        """A call failed in a way that may pass; several in a row open the breaker.

        Args:
            model: whose.
            admitted_at: of the call; one that was on its way when the breaker opened says nothing new.
            pause_s: what the server asks all to wait.
        """
        with self._database.transaction() as db:
            breakers.failed(db, model, admitted_at, pause_s, time.monotonic())
        self._knows = {}

    def refused(self, model: str, kind: str, text: str) -> None:
        """A model's key was refused or its account is empty: no other call need find out."""
        with self._database.transaction() as db:
            breakers.refused(db, model, kind, text, time.monotonic())
        self._knows = {}

    def succeeded(self, bucket: str, model: str) -> None:
        """A call that was not counted was answered: the breaker closes."""
        known = self._fresh(bucket, model)
        if known is None:
            self._together.hand_in(_Answered(bucket, model))
        elif known.failing:
            self._close_breaker(model)

    def abandoned(self, model: str) -> None:
        """A call was given up by its own process: if it tried a failing model, another one may."""
        with self._database.transaction() as db:
            breakers.give_up_trying(db, model)

    def reset_breakers(self) -> None:
        """Forget all failures, refused keys and declared limits: a new launch tries again, and may declare others."""
        with self._database.transaction() as db:
            breakers.forget(db)
            windows.forget(db, time.monotonic())
        self._knows = {}

    def close(self) -> None:
        """Give the database up, once all is counted; used again, it is opened again."""
        self._together.finish()
        self._database.close()

    def _fresh(self, bucket: str, model: str) -> _Known | None:
        known = self._knows.get((bucket, model))
        if known is None or self.path is None:
            return known
        return known if 0 <= time.monotonic() - known.at < KNOWN_S else None

    def _known(self, bucket: str, model: str) -> _Known:
        """What was known of a bucket and a model a moment ago; of what this process has done since, all is known."""
        known = self._fresh(bucket, model)
        if known is None:
            limited = "EXISTS (SELECT 1 FROM limits WHERE bucket = ?)"
            failing = "EXISTS (SELECT 1 FROM breakers WHERE model = ?)"
            knows, now = self._knows, time.monotonic()  # they are forgotten as soon as this process adds anything
            with self._database.reading() as db:
                row = db.execute(f"SELECT {limited}, {failing}", (bucket, model)).fetchone()
            known = knows[bucket, model] = _Known(bool(row[0]), bool(row[1]), now)
        return known

    def _close_breaker(self, model: str) -> None:
        with self._database.transaction() as db:
            breakers.close(db, model)
        self._knows = {}

    def _do_together(self, jobs: Sequence[_Job]) -> None:
        ended = [job for job in jobs if isinstance(job, _Ended)]
        entering = [job for job in jobs if isinstance(job, _Entering)]
        try:
            if entering:
                with self._database.transaction() as db:
                    windows.end(db, [(job.call, job.tokens, job.answered) for job in ended])
                    admitted = _admit_all(db, entering, time.monotonic())
                for call, answer in admitted:
                    call.admitted = answer
                self._take_back(entering)
            elif ended:
                with self._database.reading() as db:
                    windows.end(db, [(job.call, job.tokens, job.answered) for job in ended])
            for model in {job.model for job in jobs if isinstance(job, _Answered) and self._known(*job).failing}:
                self._close_breaker(model)
        finally:
            for job in ended:
                job.then()

    def _take_back(self, calls: Sequence[_Entering]) -> None:
        """Calls that were let through when their thread had been interrupted have ended, and used nothing."""
        for call in calls:
            if call.given_up and call.admitted is not None and call.admitted.call is not None:
                self.settle(call.admitted.call, 0)

    def _failed(self, why: str) -> CallCountersError:
        where = self.path or "the database"
        return CallCountersError(f"limits: {where} can't be used: {why}; remove it, it holds nothing that lasts")


def _prepare(db: sqlite3.Connection) -> None:
    windows.make_tables(db)
    breakers.make_table(db)


def _admit_all(db: sqlite3.Connection, calls: Sequence[_Entering], now: float) -> list[tuple[_Entering, Admitted]]:
    """Let calls through that nothing holds up."""
    alike: dict[object, list[_Entering]] = {}
    for call in calls:
        if not call.given_up:
            alike.setdefault((call.bucket, call.model, call.caps), []).append(call)
    admitted: list[tuple[_Entering, Admitted]] = []
    for group in alike.values():
        all_of_them = _admit_alike(db, group, now)
        if not all_of_them and len(group) > 1:  # they do not all fit: in turn, then
            all_of_them = [one for call in group for one in _admit_alike(db, [call], now)]
        admitted += all_of_them
    return admitted


def _admit_alike(db: sqlite3.Connection, calls: Sequence[_Entering], now: float) -> list[tuple[_Entering, Admitted]]:
    """Let calls of one bucket and model through, all of them or none."""
    first, until = calls[0], now + max(call.call_s for call in calls)
    most = [call.tokens for call in calls]
    ids = windows.add_at_once(db, first.bucket, first.model, first.caps, most, now, until) or ()
    return [(call, Admitted(id, now)) for id, call in zip(ids, calls, strict=bool(ids))]
