"""The tables of what was sent lately: which calls fit into the limits of their bucket, and how long the others wait.

    calls      one row a call in flight; adding it counts it, and to change its tokens ends it
    slots      what was admitted in each tenth of a second, as long as a window may reach back to it
    totals     calls and tokens of slots that were deleted since, by bucket
    queue      processes that wait for their turn, in the order of coming
    limits     what was declared for a bucket, by any of its models

All functions are given a connection, which the counters open, and the time, which was read in the same transaction: no
other process adds anything later than that. They need SQLite 3.33 with its functions for JSON.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from mlesearch.storage.processes import alive, owner

LAYOUT = 1
"""Of the tables and triggers below; to be counted up with each change of them."""

MARGIN_S = 1.0
"""A call counts this much longer than the window: it reaches the provider a little after it was admitted."""

LONGEST_WINDOW_S = 60.0
SLOT_S = 0.1
"""Calls are summed by their time of admission in steps of so much: a look costs the same however many there are."""

SILENT_S = 3.0
"""A waiting process that has not asked for so long has given up its turn."""

_TABLES = """
CREATE TABLE IF NOT EXISTS calls(
    id INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT, model TEXT, slot INTEGER, tokens INTEGER, owner TEXT, until REAL,
    answered INTEGER);
CREATE TABLE IF NOT EXISTS slots(
    bucket TEXT, slot INTEGER, requests INTEGER, tokens INTEGER, PRIMARY KEY(bucket, slot)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS queue(ticket INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT, seen REAL);
CREATE TABLE IF NOT EXISTS totals(bucket TEXT PRIMARY KEY, calls INTEGER, tokens INTEGER);
CREATE TABLE IF NOT EXISTS limits(
    bucket TEXT, requests INTEGER, tokens INTEGER, in_flight INTEGER, window_s REAL);
CREATE TRIGGER IF NOT EXISTS admitted AFTER INSERT ON calls BEGIN
    INSERT INTO slots VALUES (new.bucket, new.slot, 1, new.tokens)
        ON CONFLICT(bucket, slot) DO UPDATE SET requests = requests + 1, tokens = tokens + excluded.tokens;
END;
CREATE TRIGGER IF NOT EXISTS ended AFTER UPDATE OF tokens ON calls BEGIN
    UPDATE slots SET tokens = tokens + new.tokens - old.tokens WHERE bucket = old.bucket AND slot = old.slot;
    UPDATE totals SET tokens = tokens + new.tokens - old.tokens WHERE bucket = old.bucket
        AND NOT EXISTS (SELECT 1 FROM slots WHERE bucket = old.bucket AND slot = old.slot);
    DELETE FROM breakers WHERE model = new.model AND new.answered;
    DELETE FROM calls WHERE id = old.id;
END;
CREATE TRIGGER IF NOT EXISTS next_slot AFTER INSERT ON slots BEGIN
    DELETE FROM slots WHERE bucket = new.bucket AND (slot < new.slot - {reach} OR slot > new.slot);
    DELETE FROM calls WHERE bucket = new.bucket AND until < new.slot * {step_s};
END;
CREATE TRIGGER IF NOT EXISTS past AFTER DELETE ON slots BEGIN
    INSERT INTO totals VALUES (old.bucket, old.requests, old.tokens)
        ON CONFLICT(bucket) DO UPDATE SET calls = calls + excluded.calls, tokens = tokens + excluded.tokens;
END;
"""

_AT_ONCE = """
INSERT INTO calls(bucket, model, slot, tokens, owner, until)
SELECT :bucket, :model, :slot, value, :owner, :until FROM json_each(:calls)
WHERE NOT EXISTS (SELECT 1 FROM breakers WHERE model = :model)
    AND NOT EXISTS (SELECT 1 FROM queue WHERE bucket = :bucket AND seen BETWEEN :now - :silent_s AND :now)
    AND (NOT :declares OR EXISTS (SELECT 1 FROM limits WHERE bucket = :bucket AND requests IS :requests_cap
        AND tokens IS :tokens_cap AND in_flight IS :in_flight_cap AND window_s = :window_s))
    AND NOT EXISTS (SELECT 1 FROM limits AS own WHERE bucket = :bucket AND (
        (SELECT count(*) FROM calls WHERE bucket = :bucket) + :n > own.in_flight
        OR coalesce(own.requests, own.tokens) IS NOT NULL AND EXISTS (SELECT 1 FROM (
            SELECT coalesce(sum(requests), 0) + :n AS sent, coalesce(sum(tokens), 0) + :tokens AS used FROM slots
            WHERE bucket = :bucket AND slot <= :slot
                AND slot > (:now - own.window_s - :margin_s) / :step_s - 1)
            WHERE sent > own.requests OR sent > 1 AND used > own.tokens)))
"""
"""Lets calls of one bucket and model through that nothing holds up, all or none, and counts them."""

_END = """
UPDATE calls SET tokens = coalesce(ended.tokens, calls.tokens), answered = ended.answered
FROM (SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS tokens,
    json_extract(value, '$[2]') AS answered FROM json_each(?)) AS ended
WHERE calls.id = ended.id
"""


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


def make_tables(db: sqlite3.Connection) -> None:
    """Make what is missing; tables of another layout are made anew."""
    if db.execute("PRAGMA user_version").fetchone() != (LAYOUT,):
        for table in ("calls", "slots", "queue", "totals", "limits"):
            db.execute(f"DROP TABLE IF EXISTS {table}")
        db.execute(f"PRAGMA user_version = {LAYOUT}")
    reach = math.ceil((LONGEST_WINDOW_S + MARGIN_S) / SLOT_S) + 1
    db.executescript(_TABLES.format(reach=reach, step_s=SLOT_S))


def declared(db: sqlite3.Connection, bucket: str, own: Caps) -> list[Caps]:
    """All that was declared for a bucket, with a call's own."""
    of = "SELECT requests, tokens, in_flight, window_s FROM limits WHERE bucket = ?"
    found = [Caps(*row) for row in db.execute(of, (bucket,))]
    if own.any and own not in found:
        row = (bucket, own.requests, own.tokens, own.in_flight, own.window_s)
        db.execute("INSERT INTO limits VALUES (?,?,?,?,?)", row)
        found.append(own)
    return found


def wait_for(
    db: sqlite3.Connection, bucket: str, limits: list[Caps], tokens: int, ticket: int | None, now: float
) -> tuple[float, str]:
    """Seconds until a call may fit into all limits, 0: it does now; and which one it waits for."""
    ahead = "SELECT 1 FROM queue WHERE bucket = ? AND seen BETWEEN ? AND ? AND ticket < ? LIMIT 1"
    if db.execute(ahead, (bucket, now - SILENT_S, now, ticket if ticket is not None else 1 << 62)).fetchone():
        return 0.01, "others wait in front of it"
    waits = (_above(db, bucket, caps, tokens, now) for caps in limits)
    return next((wait for wait in waits if wait[0]), (0.0, ""))


def add_at_once(
    db: sqlite3.Connection, bucket: str, model: str, caps: Caps, tokens: Sequence[int], now: float, until: float
) -> range | None:
    """Add calls of one bucket and model, each with the most tokens that it can use, if nothing holds them up.

    Returns:
        Their numbers; None: something may hold them up, and none was added.
    """
    values = {
        "bucket": bucket,
        "model": model,
        "owner": owner(),
        "now": now,
        "slot": math.floor(now / SLOT_S),
        "until": until,
        "n": len(tokens),
        "tokens": sum(tokens),
        "calls": f"[{','.join(map(str, tokens))}]",
        "declares": caps.any,
        "requests_cap": caps.requests,
        "tokens_cap": caps.tokens,
        "in_flight_cap": caps.in_flight,
        "window_s": caps.window_s,
        "margin_s": MARGIN_S,
        "step_s": SLOT_S,
        "silent_s": SILENT_S,
    }
    added = db.execute(_AT_ONCE, values)
    if added.rowcount != len(tokens):
        return None
    last = added.lastrowid or 0
    return range(last - len(tokens) + 1, last + 1)  # one statement: nobody else has added any in between


def end(db: sqlite3.Connection, calls: Sequence[tuple[int, int | None, bool]]) -> None:
    """Calls have ended: each with the tokens that it used, and whether its model answered, which closes its breaker."""
    if calls:
        rows = (f"[{id},{'null' if tokens is None else tokens},{int(answered)}]" for id, tokens, answered in calls)
        db.execute(_END, (f"[{','.join(rows)}]",))


def add(db: sqlite3.Connection, bucket: str, model: str, tokens: int, now: float, until: float) -> int | None:
    """Add one call, whatever holds it up; its number."""
    row = (bucket, model, math.floor(now / SLOT_S), tokens, owner(), until)
    into = "INSERT INTO calls(bucket, model, slot, tokens, owner, until) VALUES (?,?,?,?,?,?)"
    return db.execute(into, row).lastrowid


def turn(db: sqlite3.Connection, bucket: str, ticket: int | None, now: float) -> int | None:
    """Keep a place in the queue, or take one at its end."""
    if ticket is not None:
        again = "INSERT INTO queue VALUES (?, ?, ?) ON CONFLICT(ticket) DO UPDATE SET seen = excluded.seen"
        db.execute(again, (ticket, bucket, now))
        return ticket
    db.execute("DELETE FROM queue WHERE bucket = ? AND NOT seen BETWEEN ? AND ?", (bucket, now - SILENT_S, now))
    return db.execute("INSERT INTO queue(bucket, seen) VALUES (?, ?)", (bucket, now)).lastrowid


def give_up_turn(db: sqlite3.Connection, ticket: int) -> None:
    """Leave the queue."""
    db.execute("DELETE FROM queue WHERE ticket = ?", (ticket,))


def totals(db: sqlite3.Connection, bucket: str) -> tuple[int, int]:
    """All calls ever admitted, and their tokens: those of a call that has not ended are the most it can use."""
    each = "SELECT calls, tokens FROM totals WHERE bucket = :of UNION ALL SELECT requests, tokens FROM slots"
    of_all = f"SELECT coalesce(sum(calls), 0), coalesce(sum(tokens), 0) FROM ({each} WHERE bucket = :of)"
    calls, tokens = db.execute(of_all, {"of": bucket}).fetchone()
    return int(calls), int(tokens)


def forget(db: sqlite3.Connection, now: float) -> None:
    """Forget what was declared, and turns of processes that died."""
    db.execute("DELETE FROM limits")
    db.execute("DELETE FROM queue WHERE NOT seen BETWEEN ? AND ?", (now - SILENT_S, now))


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
