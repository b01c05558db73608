"""The ledger of a study's money, for machines that share nothing but a folder: what is spent, and who may spend more.

    <study>/budgets/ledger/<number>.json     the state after so many changes; the highest number counts

A change reads the newest state and makes the next number, which only one can make (`write_new`): whoever comes second
reads again. So all changes are in one order, no lock is needed, and no process that was paused in between can do harm.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from mlesearch.storage.files import make_folder, read_json, write_new

STUDY = ""
"""The account of the whole study, beside those of its cells."""

_KEPT = 256
"""States that stay beside the newest: none that a slow process may still try to follow is made anew."""


@dataclass(frozen=True, slots=True)
class Allotment:
    """What one process may spend, nano-dollars.

    Attributes:
        granted: by account; what it may spend, and nobody else.
        held: by cell: of that, for calls that were in flight when it last told the ledger.
        told: how often it has told the ledger what it spent.
        waits: whether it waits for money that others return.
    """

    granted: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    told: int = 0
    waits: bool = False


@dataclass(frozen=True, slots=True)
class LedgerState:
    """A study's money after some change, nano-dollars.

    Attributes:
        number: of the change.
        spent: by cell, calls that were cut off included.
        lost: by cell, of that: for calls that were cut off.
        allotments: by the id of their process.
    """

    number: int = 0
    spent: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    allotments: Mapping[str, Allotment] = field(default_factory=dict)

    def spent_of(self, account: str) -> int:
        """What a cell has spent, or the study."""
        return _of(self.spent, account)

    def lost_of(self, account: str) -> int:
        """Of that, for calls that were cut off."""
        return _of(self.lost, account)

    def taken_of(self, account: str) -> int:
        """What is spent or allotted."""
        return self.spent_of(account) + sum(a.granted.get(account, 0) for a in self.allotments.values())

    def others_wait(self, id: str) -> bool:
        """Whether a process other than this one waits for money."""
        return any(a.waits for name, a in self.allotments.items() if name != id)

    def settle(self, id: str, spent: Mapping[str, int], lost: Mapping[str, int], kept: Allotment | None) -> LedgerState:
        """The state after a process has spent so much, by cell, and keeps an allotment, or none."""
        others = {name: a for name, a in self.allotments.items() if name != id}
        mine = {} if kept is None else {id: kept}
        return replace(self, spent=added(self.spent, spent), lost=added(self.lost, lost), allotments={**others, **mine})


def _of(amounts: Mapping[str, int], account: str) -> int:
    return sum(amounts.values()) if account == STUDY else amounts.get(account, 0)


def added(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    """The sum of two accounts, by name; what is nothing is left out."""
    return {name: nusd for name in sorted({*a, *b}) if (nusd := a.get(name, 0) + b.get(name, 0))}


class Ledger:
    """The states of a study's money."""

    def __init__(self, folder: Path, spent_before: Callable[[], Mapping[str, int]] = dict) -> None:
        """Nothing is made before the first change.

        Args:
            folder: of the states.
            spent_before: by cell, what was spent when the ledger is begun; asked then.
        """
        self.folder = folder
        self._spent_before = spent_before

    def exists(self) -> bool:
        """Whether it was begun."""
        return next(self._numbers(), 0) > 0

    def state(self) -> LedgerState:
        """The newest.

        Raises:
            OSError: the file system fails.
            ConfigError: a state is damaged.
        """
        while number := max(self._numbers(), default=0):
            path = self._place(number)
            if path.exists():  # else it went out of use since the folder was read
                found = read_json(path)
                allotments = {id: Allotment(**a) for id, a in found["allotments"].items()}
                return LedgerState(number, found["spent"], found["lost"], allotments)
        return LedgerState(0, {cell: nusd for cell, nusd in self._spent_before().items() if nusd})

    def change(self, change: Callable[[LedgerState], LedgerState | None]) -> LedgerState | None:
        """Replace the state by the one that follows from it; None where the change gives none.

        Args:
            change: from the newest state to the next; may be asked more than once.

        Raises:
            OSError: the file system fails.
            ConfigError: a state is damaged.
        """
        make_folder(self.folder)
        while True:
            old = self.state()
            wanted = change(old)
            if wanted is None:
                return None
            new = replace(wanted, number=old.number + 1)
            path = self._place(new.number)
            if write_new(path, f"{json.dumps(asdict(new), sort_keys=True)}\n".encode()):
                if max(self._numbers(), default=0) < new.number + _KEPT:  # those since then were made on top of it
                    self._forget(new.number - _KEPT)
                    return new
                path.unlink(missing_ok=True)  # the look was so old that the number was out of use again

    def _numbers(self) -> Iterator[int]:
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(self.folder):
                number = name.removesuffix(".json")
                if number.isdigit():
                    yield int(number)

    def _place(self, number: int) -> Path:
        return self.folder / f"{number:08d}.json"

    def _forget(self, number: int) -> None:
        """A state that is out of use."""
        with contextlib.suppress(OSError):
            self._place(number).unlink()
