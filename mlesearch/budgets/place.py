"""Where a study's money is kept: a database in its folder, or a ledger there where machines share nothing else.

On a network file system SQLite can't be shared, so there processes take from a ledger (`allotted`). A study goes on
with what it was begun with, and what was spent before a ledger was begun counts in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mlesearch.budgets.allotted import AllottedBudget
from mlesearch.budgets.ledger import Ledger
from mlesearch.budgets.shared import SharedBudget, SharedLimitUnknown, SpendingCaps
from mlesearch.storage.events import CallEvent, calls_of
from mlesearch.storage.files import read_json
from mlesearch.storage.journal import JOURNAL, begun, read
from mlesearch.storage.layout import run_folders
from mlesearch.storage.requests import study_usd_in_force
from mlesearch.types import NANODOLLARS, ConfigError

DATABASE = "budgets.db"
"""Of a study whose processes share it."""
LEDGER = "budgets/ledger"
"""Of a study whose machines share nothing but its folder."""


@dataclass(frozen=True, slots=True)
class DatabasePlace:
    """The budget of a study in a database, for the processes of one machine.

    Attributes:
        folder: of the study.
        caps: what may be spent.
    """

    folder: Path
    caps: SpendingCaps

    @property
    def exists(self) -> bool:
        """Whether anything was counted here."""
        return (self.folder / DATABASE).exists()

    def open(self) -> SharedBudget:
        """The budget, which begins with what was spent before it was made."""
        in_force = partial(caps_in_force, self.folder)
        return SharedBudget(self.folder / DATABASE, self.caps, partial(spent_before, self.folder), in_force)


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """The budget of a study in a ledger, for the processes of all machines.

    Attributes:
        folder: of the study.
        caps: what may be spent.
    """

    folder: Path
    caps: SpendingCaps

    @property
    def exists(self) -> bool:
        """Whether anything was counted here."""
        return Ledger(self.folder / LEDGER).exists() or (self.folder / "budgets" / "split.json").exists()

    def open(self) -> AllottedBudget:
        """The budget, which begins with what was spent before it was made."""
        before, in_force = partial(spent_before_ledger, self.folder), partial(caps_in_force, self.folder)
        return AllottedBudget(self.folder, self.caps, before, in_force=in_force)


def caps_in_force(folder: Path, launched: SpendingCaps) -> SpendingCaps:
    """What a study may cost now: as it was launched, unless somebody has set its limit since.

    Raises:
        SharedLimitUnknown: what was set can't be read: then nothing may be spent.
    """
    study_usd = None if launched.study_nusd is None else launched.study_nusd / NANODOLLARS
    try:
        now_usd = study_usd_in_force(folder, study_usd)
    except ConfigError as error:
        raise SharedLimitUnknown(str(error)) from error
    if now_usd == study_usd:
        return launched
    return replace(launched, study_nusd=None if now_usd is None else round(now_usd * NANODOLLARS))


def spent_before(folder: Path) -> Mapping[str, int]:
    """What each cell has spent by the journals of a study, nano-dollars."""
    found: Counter[str] = Counter()
    for run in run_folders(folder):
        journal = run / JOURNAL
        if begun(journal):  # one that is being made has no first line yet
            cell = "/".join(run.relative_to(folder).parts[:3])
            found[cell] += sum(map(_cost, calls_of(read(journal)[1])))
    return found


def _cost(event: CallEvent) -> int:
    cost = event["usage"].get("cost_nusd", 0)
    charged = event.get("charged_nusd", 0) if cost is None else cost
    return charged + event["usage"].get("lost_nusd", 0)


def spent_before_ledger(folder: Path) -> Mapping[str, int]:
    """What each cell has spent by whatever knows most: journals, a database, or the parts of earlier versions."""
    journaled, counted, parts = spent_before(folder), dict[str, int](), _spent_in_parts(folder)
    if (folder / DATABASE).exists():
        with closing(SharedBudget(folder / DATABASE, SpendingCaps())) as shared_budget:
            counted = dict(shared_budget.spent())
    cells = sorted({*journaled, *counted, *parts})
    return {cell: max(known.get(cell, 0) for known in (journaled, counted, parts)) for cell in cells}


def _spent_in_parts(folder: Path) -> Mapping[str, int]:
    """What each cell has spent where its budget was split into fixed parts of machines, each with a file of its own."""
    place = folder / "budgets"
    if not (place / "split.json").exists():
        return {}
    split = read_json(place / "split.json")
    found: Counter[str] = Counter()
    for n in range(split["parts"]):
        part = place / f"part-{n + 1}.json"
        untouched = {cell: -(-nusd // split["parts"]) for cell, nusd in split["before_nusd"].items()}
        found.update(read_json(part) if part.exists() else untouched)
    return found
