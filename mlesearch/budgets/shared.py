"""Money that several processes spend together: what a study and each of its cells may cost.

Before a call its worst case is reserved, after it the reservation gives way to what it cost, each in one transaction of
a small SQLite database. So the sum can't pass a limit, however many processes spend at once. A call whose process was
killed counts at its worst case: the provider may have billed it, and nobody can say how much.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mlesearch.storage.database import Database
from mlesearch.storage.processes import alive, owner
from mlesearch.types import NANODOLLARS, MlesearchError

POLL_S = 0.05
"""How often a call looks again whether others have settled."""

GRACE_S = 60.0
"""How much longer than its own limit a call may keep its reservation, where its process can't be looked up."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cells(cell TEXT PRIMARY KEY, spent INTEGER NOT NULL, lost INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS holds(
    id INTEGER PRIMARY KEY AUTOINCREMENT, cell TEXT NOT NULL, nusd INTEGER NOT NULL, owner TEXT NOT NULL,
    until REAL NOT NULL);
"""


class SharedBudgetError(MlesearchError):
    """The database can't be used."""


class SharedBudgetSpent(MlesearchError):
    """The next call fits no more into what the study or the cell may cost: the run stops, and can go on later."""


class SharedLimitUnknown(SharedBudgetSpent):
    """What the study may cost can't be read, so that no call may begin until it is set again."""


class CallBudget(Protocol):
    """What calls are paid from: the methods of `SharedBudget` that a call needs."""

    def reserve(self, cell: str, nusd: int, call_s: float) -> int:
        """Reserve the worst case of a call."""
        ...

    def extend(self, reservation: int, nusd: int) -> None:
        """Reserve so much more for an attempt that follows one which was cut off."""
        ...

    def settle(self, reservation: int, nusd: int) -> None:
        """A call has ended and cost so much."""
        ...

    def close(self) -> None:
        """Give up what is open."""
        ...


@dataclass(frozen=True, slots=True)
class SpendingCaps:
    """What may be spent, nano-dollars; None: not limited."""

    study_nusd: int | None = None
    cell_nusd: int | None = None

    @property
    def any(self) -> bool:
        """Whether anything is limited."""
        return self.study_nusd is not None or self.cell_nusd is not None


def as_launched(limits: SpendingCaps) -> SpendingCaps:
    """The limits in force where none is set but by launches."""
    return limits


@dataclass(frozen=True, slots=True)
class Account:
    """What was spent, nano-dollars: `lost` of it for calls that were cut off; and what is reserved for others."""

    spent_nusd: int
    lost_nusd: int
    reserved_nusd: int


class SharedBudget:
    """The database of one study.

    Args:
        path: of the database; made at the first use.
        limits: of the study, and of each cell.
        spent_before: what each cell has spent already; asked once, when the database is made.
        in_force: what these limits are now; asked before each call.
    """

    def __init__(
        self,
        path: Path,
        limits: SpendingCaps,
        spent_before: Callable[[], Mapping[str, int]] = dict,
        in_force: Callable[[SpendingCaps], SpendingCaps] = as_launched,
    ) -> None:
        self.path = path
        self.limits = limits
        self._in_force = in_force
        self._spent_before = spent_before
        self._database = Database(
            path,
            self._fill,
            synced="NORMAL",
            failed=lambda why: SharedBudgetError(f"budget: {path} can't be used: {why}"),
        )

    def reserve(self, cell: str, nusd: int, call_s: float) -> int:
        """Reserve the worst case of a call; waits where it will fit once others have settled.

        Args:
            cell: whose call.
            nusd: worst case.
            call_s: the call has ended after so long.

        Returns:
            The reservation, which `extend` and `settle` ask for.

        Raises:
            SharedBudgetSpent: it does not fit, and will not.
            SharedBudgetError: the database can't be used, or what was spent can't be told.
        """
        while True:
            budgets = list(self._budgets_of(cell))
            with self._database.transaction() as db:
                self._settle_dead(db)
            with self._database.transaction() as db:
                if all(self._fits(db, name, where, limit, nusd) for name, where, limit in budgets):
                    row = (cell, nusd, owner(), time.time() + call_s + GRACE_S)
                    done = db.execute("INSERT INTO holds(cell, nusd, owner, until) VALUES (?, ?, ?, ?)", row)
                    return int(done.lastrowid or 0)
            time.sleep(POLL_S)

    def extend(self, reservation: int, nusd: int) -> None:
        """Reserve so much more for a call of which an attempt was cut off, before the next one.

        It does not wait for others: they might wait for this one.

        Raises:
            SharedBudgetSpent: it does not fit beside what is spent and reserved.
        """
        with self._database.transaction() as db:
            row = db.execute("SELECT cell FROM holds WHERE id = ?", (reservation,)).fetchone()
            if row is None:
                return  # it took longer than it could, and counts as cut off already
            for name, cell, limit in self._budgets_of(row[0]):
                found = _account(db, cell)
                if found.spent_nusd + found.reserved_nusd + nusd > limit:
                    raise SharedBudgetSpent(
                        f"{name}: {usd(found.spent_nusd)} of {usd(limit)} are spent and "
                        f"{usd(found.reserved_nusd)} held for calls in flight; one of them was cut off, and to try it "
                        f"again may cost {usd(nusd)}; raise {name} and run again to go on"
                    )
            db.execute("UPDATE holds SET nusd = nusd + ? WHERE id = ?", (nusd, reservation))

    def settle(self, reservation: int, nusd: int) -> None:
        """A call has ended and cost so much.

        Never raises: its reply is paid for. Where this can't be written the reservation stays, at the worst case.
        """
        with contextlib.suppress(SharedBudgetError), self._database.transaction() as db:
            row = db.execute("SELECT cell FROM holds WHERE id = ?", (reservation,)).fetchone()
            if row is not None:  # else it took longer than it could, and counts as cut off already
                db.execute("DELETE FROM holds WHERE id = ?", (reservation,))
                _add(db, row[0], nusd, 0)

    def spent(self) -> Mapping[str, int]:
        """What each cell has spent, nano-dollars, lost calls included; nothing where there is no database yet."""
        if not self.path.exists():
            return {}
        with self._database.reading() as db:
            return dict(db.execute("SELECT cell, spent FROM cells"))

    def account(self, cell: str | None = None) -> Account:
        """What the study (or one cell) has spent and reserved; nothing where there is no database yet."""
        if not self.path.exists():
            return Account(0, 0, 0)
        with self._database.transaction() as db:
            return _account(db, cell)

    def close(self) -> None:
        """Give the database up; used again, it is opened again."""
        self._database.close()

    def _budgets_of(self, cell: str) -> Iterator[tuple[str, str | None, int]]:
        limits = self._in_force(self.limits)
        if limits.study_nusd is not None:
            yield "budget.study_usd", None, limits.study_nusd
        if limits.cell_nusd is not None:
            yield "budget.cell_usd", cell, limits.cell_nusd

    @staticmethod
    def _fits(db: sqlite3.Connection, name: str, cell: str | None, limit: int, nusd: int) -> bool:
        found = _account(db, cell)
        if found.spent_nusd + nusd > limit:
            cut = f", {usd(found.lost_nusd)} of them for calls that were cut off" if found.lost_nusd else ""
            of = f" of the cell {cell}" if cell else ""
            raise SharedBudgetSpent(
                f"{name}: {usd(found.spent_nusd)} of {usd(limit)}{of} are spent{cut}, and the next call may cost "
                f"{usd(nusd)}; raise {name} and run again to go on"
            )
        return found.spent_nusd + found.reserved_nusd + nusd <= limit

    @staticmethod
    def _settle_dead(db: sqlite3.Connection) -> None:
        """Calls of processes that died were cut off: they count at their worst case."""
        for id, cell, nusd, whose, until in db.execute("SELECT id, cell, nusd, owner, until FROM holds").fetchall():
            if not alive(whose) or time.time() > until:
                db.execute("DELETE FROM holds WHERE id = ?", (id,))
                _add(db, cell, nusd, nusd)

    def _fill(self, db: sqlite3.Connection) -> None:
        """Make the tables, with what the journals say was spent before."""
        if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'holds'").fetchone():
            return
        spent = self._spent_before()
        db.execute("BEGIN IMMEDIATE")
        for statement in filter(str.strip, _SCHEMA.split(";")):
            db.execute(statement)
        for cell, nusd in sorted(spent.items()):
            _add(db, cell, nusd, 0)
        db.execute("COMMIT")


def _account(db: sqlite3.Connection, cell: str | None) -> Account:
    where, values = ("", ()) if cell is None else (" WHERE cell = ?", (cell,))
    spent, lost = db.execute(f"SELECT total(spent), total(lost) FROM cells{where}", values).fetchone()
    (reserved,) = db.execute(f"SELECT total(nusd) FROM holds{where}", values).fetchone()
    return Account(int(spent), int(lost), int(reserved))


def _add(db: sqlite3.Connection, cell: str, nusd: int, lost: int) -> None:
    db.execute(
        "INSERT INTO cells VALUES (?, ?, ?) "
        "ON CONFLICT(cell) DO UPDATE SET spent = spent + excluded.spent, lost = lost + excluded.lost",
        (cell, nusd, lost),
    )


def usd(nusd: int) -> str:
    """Nano-dollars in words, as exact as they need to be."""
    return f"${nusd / NANODOLLARS:,.6f}".rstrip("0").rstrip(".")
