"""What all processes that use one key have sent lately, and which models are failing: a small SQLite database.

Each method is one transaction, so that what is decided from the counts and what is added to them are one step. The
content is worth minutes at most: nothing is synced, and a database that was lost costs a few calls above a limit.

    calls      one row a call in flight
    slots      what was admitted in each tenth of a second, as long as a window may reach back to it
    queue      processes that wait for their turn, in the order of coming
    totals     all calls and tokens ever, by bucket
    limits     what was declared for a bucket, by any of its models
    breakers   models that failed several times in a row, or whose key was refused
"""

from __future__ import annotations

import math
import sqlite3
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from mlesearch.database import Database
from mlesearch.processes import alive, owner
from mlesearch.types import MlesearchError

MARGIN_S = 1.0
"""A call counts this much longer than the window: it reaches the provider a little after it was admitted."""

LONGEST_WINDOW_S = 60.0
SLOT_S = 0.1
"""Calls are summed by their time of admission in steps of so much: a look costs the same however many there are."""

SILENT_S = 3.0
"""A waiting process that has not asked for so long has given up its turn."""

TRIP = 5
"""Failures in a row, of all processes together, that open a model's breaker."""

COOL_OFF_S = 2.0
LONGEST_COOL_OFF_S = 60.0
REFUSED_S = 60.0
"""How long one refused key or empty account answers for all calls of that model."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls(
    id INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT, slot INTEGER, tokens INTEGER, owner TEXT, until REAL);
CREATE INDEX IF NOT EXISTS in_flight ON calls(bucket);
CREATE TABLE IF NOT EXISTS slots(
    bucket TEXT, slot INTEGER, requests INTEGER, tokens INTEGER, PRIMARY KEY(bucket, slot)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS queue(ticket INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT, seen REAL);
CREATE TABLE IF NOT EXISTS totals(bucket TEXT PRIMARY KEY, calls INTEGER, tokens INTEGER);
CREATE TABLE IF NOT EXISTS limits(
    bucket TEXT, requests INTEGER, tokens INTEGER, in_flight INTEGER, window_s REAL);
CREATE TABLE IF NOT EXISTS breakers(
    model TEXT PRIMARY KEY, failures INTEGER, opened REAL, until REAL, cool_off REAL, probe REAL,
    refused TEXT, text TEXT);
"""


class LedgerError(MlesearchError):
    """The shared database can't be used."""


@dataclass(frozen=True, slots=True)
class Caps:
    """What a bucket allows; None: not limited.

    Attributes:
        requests: in any window.
        tokens: of prompts and answers together, in any window.
        in_flight: calls at once.
        window_s: length of the window.
    """

    requests: int | None = None
    tokens: int | None = None
    in_flight: int | None = None
    window_s: float = 60.0

    @property
    def any(self) -> bool:
        """Whether anything is limited."""
        return (self.requests, self.tokens, self.in_flight) != (None, None, None)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call may be sent now; `call` is None where nothing is limited, so that nothing is counted."""

    call: int | None
    at: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet: ask again after so many seconds.

    Attributes:
        seconds: after so many.
        ticket: keeps the turn among those that wait for a limit; None: it waits for its model, and has no turn.
        why: in words.
    """

    seconds: float
    ticket: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider refused this model's key moments ago: the error's class by name, and its text."""

    kind: str
    text: str


TRIED = Wait(0.05, None, "another call tries whether its provider answers again")


class Ledger:
    """The database of one path, or of this process alone (path None)."""

    def __init__(self, path: Path | None) -> None:
        """Nothing is made before the first transaction."""
        self.path = path
        self._database = Database(path, _make_tables, synced="OFF", failed=self._failed, private=True)

    def admit(
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
        limited = caps.any or self._limited(bucket)
        with self._transaction(write=limited) as db:
            now = time.monotonic()
            held = _held(db, model, now, call_s)
            if held is None and limited:
                wait_s, why = _full(db, bucket, _limits(db, bucket, caps), tokens, ticket, now)
                if wait_s:
                    return Wait(wait_s, _turn(db, bucket, ticket, now), why)
            if ticket is not None:
                db.execute("DELETE FROM queue WHERE ticket = ?", (ticket,))
            if held is None and not _tries(db, model, now, call_s):
                held = TRIED
            if held is not None:
                return held
            return Admitted(_count(db, bucket, tokens, now, now + call_s) if limited else None, now)

    def held(self, model: str, call_s: float) -> Wait | Refused | None:
        """Whether a model's calls have to wait for it, or are refused; None: one may ask to be admitted."""
        with self._transaction(write=False) as db:
            return _held(db, model, time.monotonic(), call_s)

    def leave(self, ticket: int) -> None:
        """Give a turn up."""
        with self._transaction(write=True) as db:
            db.execute("DELETE FROM queue WHERE ticket = ?", (ticket,))

    def settle(self, bucket: str, call: int, tokens: int | None) -> None:
        """A call has ended: count what it used (None: nobody knows, so the most that it could)."""
        with self._transaction(write=True) as db:
            found = db.execute("SELECT slot, tokens FROM calls WHERE id = ?", (call,)).fetchone()
            slot, most = found or (-1, 0)
            tokens = most if tokens is None else tokens
            db.execute("DELETE FROM calls WHERE id = ?", (call,))
            back = "UPDATE slots SET tokens = tokens + ? WHERE bucket = ? AND slot = ?"
            db.execute(back, (tokens - most, bucket, slot))
            db.execute("UPDATE totals SET tokens = tokens + ? WHERE bucket = ?", (tokens, bucket))

    def totals(self, bucket: str) -> tuple[int, int]:
        """All calls admitted and all tokens settled."""
        with self._transaction(write=False) as db:
            row = db.execute("SELECT calls, tokens FROM totals WHERE bucket = ?", (bucket,)).fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

    def failed(self, model: str, admitted_at: float, pause_s: float | None) -> None:
        """A call failed in a way that may pass; several in a row open the breaker.

        Args:
            model: whose.
            admitted_at: of the call; one that was on its way when the breaker opened says nothing new.
            pause_s: what the server asks all to wait.
        """
        with self._transaction(write=True) as db:
            now = time.monotonic()
            failures, opened, until, cool_off = _breaker(db, model)
            if admitted_at >= opened:
                failures += 1
                if failures >= TRIP:
                    cool_off = min(LONGEST_COOL_OFF_S, 2 * cool_off) if cool_off else COOL_OFF_S
                    opened, until = now, max(until, now + cool_off)
            if pause_s is not None:
                until = max(until, now + pause_s)
            row = (model, failures, opened, until, cool_off, 0.0, None, None)
            db.execute("INSERT OR REPLACE INTO breakers VALUES (?,?,?,?,?,?,?,?)", row)

    def refused(self, model: str, kind: str, text: str) -> None:
        """A model's key was refused or its account is empty: no other call need find out."""
        with self._transaction(write=True) as db:
            now = time.monotonic()
            row = (model, 0, now, now + REFUSED_S, 0.0, 0.0, kind, text)
            db.execute("INSERT OR REPLACE INTO breakers VALUES (?,?,?,?,?,?,?,?)", row)

    def succeeded(self, model: str) -> None:
        """A call was answered: the breaker closes."""
        with self._transaction(write=False) as db:
            known = db.execute("SELECT 1 FROM breakers WHERE model = ?", (model,)).fetchone()
        if known:
            with self._transaction(write=True) as db:
                db.execute("DELETE FROM breakers WHERE model = ?", (model,))

    def abandoned(self, model: str) -> None:
        """A call was given up by its own process: if it tried a failing model, another one may."""
        with self._transaction(write=True) as db:
            db.execute("UPDATE breakers SET probe = 0 WHERE model = ?", (model,))

    def forgive(self) -> None:
        """Forget all failures, refused keys and declared limits: a new launch tries again, and may declare others."""
        with self._transaction(write=True) as db:
            db.execute("DELETE FROM breakers")
            db.execute("DELETE FROM limits")

    def close(self) -> None:
        """Give the database up; used again, it is opened again."""
        self._database.close()

    def _limited(self, bucket: str) -> bool:
        with self._transaction(write=False) as db:
            return db.execute("SELECT 1 FROM limits WHERE bucket = ?", (bucket,)).fetchone() is not None

    def _transaction(self, *, write: bool) -> AbstractContextManager[sqlite3.Connection]:
        return self._database.transaction() if write else self._database.reading()

    def _failed(self, why: str) -> LedgerError:
        where = self.path or "the database"
        return LedgerError(f"limits: {where} can't be used: {why}; remove it, it holds nothing that lasts")


def _make_tables(db: sqlite3.Connection) -> None:
    db.executescript(_SCHEMA)


def _breaker(db: sqlite3.Connection, model: str) -> tuple[int, float, float, float]:
    row = db.execute("SELECT failures, opened, until, cool_off FROM breakers WHERE model = ?", (model,)).fetchone()
    return (int(row[0]), float(row[1]), float(row[2]), float(row[3])) if row else (0, 0.0, 0.0, 0.0)


def _held(db: sqlite3.Connection, model: str, now: float, call_s: float) -> Wait | Refused | None:
    """What a call has to wait for before any limit; None where its model's breaker is closed, or where it may try."""
    of = "SELECT failures, until, probe, refused, text FROM breakers WHERE model = ?"
    row = db.execute(of, (model,)).fetchone()
    if row is None:
        return None
    failures, until, probe, kind, text = row
    if kind is not None:
        return Refused(str(kind), str(text)) if 0 < until - now <= REFUSED_S else None
    if until > now:
        return Wait(float(until - now), None, "its provider fails again and again, or asked for a pause")
    return TRIED if failures >= TRIP and now < probe <= now + call_s + 1 else None


def _limits(db: sqlite3.Connection, bucket: str, own: Caps) -> list[Caps]:
    """All that was declared for a bucket, with a call's own."""
    of = "SELECT requests, tokens, in_flight, window_s FROM limits WHERE bucket = ?"
    found = [Caps(*row) for row in db.execute(of, (bucket,))]
    if own.any and own not in found:
        row = (bucket, own.requests, own.tokens, own.in_flight, own.window_s)
        db.execute("INSERT INTO limits VALUES (?,?,?,?,?)", row)
        found.append(own)
    return found


def _tries(db: sqlite3.Connection, model: str, now: float, call_s: float) -> bool:
    """Whether a call may go: of a model whose breaker was open, one; the others wait for what comes of it."""
    row = db.execute("SELECT failures FROM breakers WHERE model = ?", (model,)).fetchone()
    if row is None or row[0] < TRIP:
        return True
    takes = "UPDATE breakers SET probe = ? WHERE model = ? AND NOT (probe > ? AND probe <= ?)"
    return db.execute(takes, (now + call_s, model, now, now + call_s + 1)).rowcount == 1


def _full(
    db: sqlite3.Connection, bucket: str, limits: list[Caps], tokens: int, ticket: int | None, now: float
) -> tuple[float, str]:
    """Seconds until a call may fit into all limits, 0: it does now; and which one it waits for."""
    ahead = "SELECT 1 FROM queue WHERE bucket = ? AND seen BETWEEN ? AND ? AND ticket < ? LIMIT 1"
    if db.execute(ahead, (bucket, now - SILENT_S, now, ticket if ticket is not None else 1 << 62)).fetchone():
        return 0.01, "others wait in front of it"
    waits = (_above(db, bucket, caps, tokens, now) for caps in limits)
    return next((wait for wait in waits if wait[0]), (0.0, ""))


def _above(db: sqlite3.Connection, bucket: str, caps: Caps, tokens: int, now: float) -> tuple[float, str]:
    """Seconds until a call may fit into these limits, and which one it waits for."""
    if caps.in_flight is not None and _in_flight(db, bucket, caps.in_flight, now) >= caps.in_flight:
        return 0.05, f"{caps.in_flight} calls are in flight, as many as its limits allow"
    if caps.requests is None and caps.tokens is None:
        return 0.0, ""
    since = now - caps.window_s - MARGIN_S
    first, last = math.floor(since / SLOT_S), math.floor(now / SLOT_S)
    counted = "FROM slots WHERE bucket = ? AND slot BETWEEN ? AND ?"
    n, used = db.execute(
        f"SELECT coalesce(sum(requests), 0), coalesce(sum(tokens), 0) {counted}", (bucket, first, last)
    ).fetchone()
    if caps.requests is not None and n >= caps.requests:
        why, column, free = "its limit of requests a minute is used up", "requests", n - caps.requests + 1
    # a call that is above the limit on its own goes when nothing else counts
    elif caps.tokens is not None and n and used + tokens > caps.tokens:
        why, column, free = "its limit of tokens a minute is used up", "tokens", used + tokens - caps.tokens
    else:
        return 0.0, ""
    freed = 0
    for slot, amount in db.execute(f"SELECT slot, {column} {counted} ORDER BY slot", (bucket, first, last)):
        freed += amount
        if freed >= free:  # what ends sooner may settle for less
            return max(0.001, (slot + 1) * SLOT_S - since), why
    return 0.05, why


def _count(db: sqlite3.Connection, bucket: str, tokens: int, now: float, until: float) -> int | None:
    """Add a call; slots that no window reaches any more, and calls that must have ended, are forgotten."""
    slot = math.floor(now / SLOT_S)
    oldest = math.floor((now - LONGEST_WINDOW_S - MARGIN_S) / SLOT_S)
    db.execute("DELETE FROM slots WHERE bucket = ? AND (slot < ? OR slot > ?)", (bucket, oldest, slot))
    db.execute("DELETE FROM calls WHERE bucket = ? AND until < ?", (bucket, now))
    add = "ON CONFLICT(bucket, slot) DO UPDATE SET requests = requests + 1, tokens = tokens + excluded.tokens"
    db.execute(f"INSERT INTO slots VALUES (?, ?, 1, ?) {add}", (bucket, slot, tokens))
    db.execute("INSERT INTO totals VALUES (?, 1, 0) ON CONFLICT(bucket) DO UPDATE SET calls = calls + 1", (bucket,))
    row = (bucket, slot, tokens, owner(), until)
    return db.execute("INSERT INTO calls(bucket, slot, tokens, owner, until) VALUES (?,?,?,?,?)", row).lastrowid


def _in_flight(db: sqlite3.Connection, bucket: str, cap: int, now: float) -> int:
    """Calls in flight; where there are too many, those of processes that died are left out first."""
    (count,) = db.execute("SELECT count(*) FROM calls WHERE bucket = ?", (bucket,)).fetchone()
    if count < cap:
        return int(count)
    rows = db.execute("SELECT id, owner, until FROM calls WHERE bucket = ?", (bucket,)).fetchall()
    dead = [id for id, whose, until in rows if until < now or not alive(whose)]
    for id in dead:
        db.execute("DELETE FROM calls WHERE id = ?", (id,))
    return len(rows) - len(dead)


def _turn(db: sqlite3.Connection, bucket: str, ticket: int | None, now: float) -> int | None:
    """Keep a place in the queue, or take one at its end."""
    if ticket is not None:
        again = "INSERT INTO queue VALUES (?, ?, ?) ON CONFLICT(ticket) DO UPDATE SET seen = excluded.seen"
        db.execute(again, (ticket, bucket, now))
        return ticket
    db.execute("DELETE FROM queue WHERE bucket = ? AND NOT seen BETWEEN ? AND ?", (bucket, now - SILENT_S, now))
    return db.execute("INSERT INTO queue(bucket, seen) VALUES (?, ?)", (bucket, now)).lastrowid
