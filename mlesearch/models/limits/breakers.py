"""The table of models that fail: after several failures in a row one call at a time tries whether they answer again.

All functions are given a connection, which the counters open, and the time.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from mlesearch.models.limits.windows import Wait

TRIP = 5
"""Failures in a row, of all processes together, that open a model's breaker."""

COOL_OFF_S = 2.0
LONGEST_COOL_OFF_S = 60.0
REFUSED_S = 60.0
"""How long one refused key or empty account answers for all calls of that model."""

_TABLE = """
CREATE TABLE IF NOT EXISTS breakers(
    model TEXT PRIMARY KEY, failures INTEGER, opened REAL, until REAL, cool_off REAL, probe REAL,
    refused TEXT, text TEXT);
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider refused this model's key moments ago: the error's class by name, and its text."""

    kind: str
    text: str


TRIED = Wait(0.05, None, "another call tries whether its provider answers again")


def make_table(db: sqlite3.Connection) -> None:
    """Make it if it is missing."""
    db.executescript(_TABLE)


def held(db: sqlite3.Connection, model: str, now: float, call_s: float) -> Wait | Refused | None:
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


def tries(db: sqlite3.Connection, model: str, now: float, call_s: float) -> bool:
    """Whether a call may go: of a model whose breaker was open, one; the others wait for what comes of it."""
    row = db.execute("SELECT failures FROM breakers WHERE model = ?", (model,)).fetchone()
    if row is None or row[0] < TRIP:
        return True
    takes = "UPDATE breakers SET probe = ? WHERE model = ? AND NOT (probe > ? AND probe <= ?)"
    return db.execute(takes, (now + call_s, model, now, now + call_s + 1)).rowcount == 1


def failed(db: sqlite3.Connection, model: str, admitted_at: float, pause_s: float | None, now: float) -> None:
    """Count a failure that may pass; see `CallCounters.failed`."""
    failures, opened, until, cool_off = _breaker(db, model)
    if admitted_at >= opened:
        failures += 1
        if failures >= TRIP:
            cool_off = min(LONGEST_COOL_OFF_S, 2 * cool_off) if cool_off else COOL_OFF_S
            opened, until = now, max(until, now + cool_off)
    if pause_s is not None:
        until = max(until, now + pause_s)
    _write(db, (model, failures, opened, until, cool_off, 0.0, None, None))


def refused(db: sqlite3.Connection, model: str, kind: str, text: str, now: float) -> None:
    """No call is tried for a while."""
    _write(db, (model, 0, now, now + REFUSED_S, 0.0, 0.0, kind, text))


def close(db: sqlite3.Connection, model: str) -> None:
    """It answered."""
    db.execute("DELETE FROM breakers WHERE model = ?", (model,))


def give_up_trying(db: sqlite3.Connection, model: str) -> None:
    """The call that tried says nothing of its model: another one may try."""
    db.execute("UPDATE breakers SET probe = 0 WHERE model = ?", (model,))


def forget(db: sqlite3.Connection) -> None:
    """Close all."""
    db.execute("DELETE FROM breakers")


def _write(db: sqlite3.Connection, row: tuple[object, ...]) -> None:
    db.execute("INSERT OR REPLACE INTO breakers VALUES (?,?,?,?,?,?,?,?)", row)


def _breaker(db: sqlite3.Connection, model: str) -> tuple[int, float, float, float]:
    row = db.execute("SELECT failures, opened, until, cool_off FROM breakers WHERE model = ?", (model,)).fetchone()
    return (int(row[0]), float(row[1]), float(row[2]), float(row[3])) if row else (0, 0.0, 0.0, 0.0)
