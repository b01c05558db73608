"""Money that processes on several machines spend together, with nothing shared but the study's folder.

A process takes a sixty-fourth of what is left from the ledger, pays its calls from that, and returns what is over; so
the ledger is asked now and then only, and the sum can't pass a limit. Before a call, what the process has spent and
holds at most is written beside the ledger. A process that dies counts for that, and whoever is short of money
closes its account: at once on its own machine, else when its lease was not heard of for long.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlesearch.budgets.ledger import STUDY, Allotment, Ledger, LedgerState, added
from mlesearch.budgets.shared import Account, SharedBudgetError, SharedBudgetSpent, SpendingCaps, as_launched, usd
from mlesearch.storage.file_systems import in_words
from mlesearch.storage.files import make_folder, read_json, write_atomically
from mlesearch.storage.leases import Lease, LeaseLost, Leases
from mlesearch.types import ConfigError

SHARE = 64
"""A process takes one part in so many of what is left."""
TURN_S = 0.2
"""How long a beat waits for its turn."""
POLL_S = 0.5
"""How often a call looks again whether others have returned money."""


def lease_name(id: str) -> str:
    """What the process of an allotment holds while it lives."""
    return f"budget/{id}"


@dataclass
class _Spending:
    """What this process may spend and does, nano-dollars; `spent` since it last told the ledger.

    `waits` is what the ledger has: whether others are to return what they do not need.
    """

    id: str
    lease: Lease
    granted: dict[str, int] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)
    holds: dict[int, tuple[str, int]] = field(default_factory=dict)
    told: int = 0
    waits: bool = False

    @property
    def held(self) -> dict[str, int]:
        """By cell, what is held for calls in flight."""
        found: dict[str, int] = {}
        for cell, nusd in self.holds.values():
            found[cell] = found.get(cell, 0) + nusd
        return found

    def free(self, account: str) -> int:
        """What is granted and neither spent nor held."""
        used = added(self.spent, self.held)
        return self.granted.get(account, 0) - (sum(used.values()) if account == STUDY else used.get(account, 0))


class AllottedBudget:
    """A study's budget, as one process of any machine has it.

    Args:
        study: its folder.
        limits: of the study, and of each cell.
        spent_before: by cell, what was spent when the ledger is begun.
        poll_s: how often to look whether others have returned money.
        in_force: what these limits are now; asked before each call.
    """

    def __init__(
        self,
        study: Path,
        limits: SpendingCaps,
        spent_before: Callable[[], Mapping[str, int]] = dict,
        poll_s: float = POLL_S,
        in_force: Callable[[SpendingCaps], SpendingCaps] = as_launched,
    ) -> None:
        self.limits = limits
        self._launched, self._in_force = limits, in_force
        self._study = study
        self._records = study / "budgets" / "allotments"
        self._ledger = Ledger(study / "budgets" / "ledger", spent_before)
        self._poll_s = poll_s
        self._lock = threading.RLock()
        self._now: _Spending | None = None
        self._pid = os.getpid()
        self._beats = ExitStack()
        self._number = 0
        self._watched: tuple[int, Leases] | None = None

    def reserve(self, cell: str, nusd: int, call_s: float) -> int:
        """Reserve the worst case of a call; waits where it will fit once others have returned money.

        Args:
            cell: whose call.
            nusd: worst case.
            call_s: of no use here: a process that lives settles its calls.

        Returns:
            The reservation, which `extend` and `settle` ask for.

        Raises:
            SharedBudgetSpent: it does not fit, and will not.
            SharedBudgetError: the folder can't be used.
        """
        with self._explained():
            while True:
                with self._lock, contextlib.suppress(LeaseLost):  # then it begins anew
                    mine = self._mine()
                    self._look_at_limits(mine)
                    if self._take(mine, cell, nusd):
                        return self._hold(mine, cell, nusd)
                    self._check_not_spent(mine, cell, nusd)
                    if not mine.waits or any(mine.free(account) > 0 for _, account, _ in self._accounts(cell)):
                        self._tell(mine, waits=True)
                    self._close_lost(mine)
                time.sleep(self._poll_s)

    def extend(self, reservation: int, nusd: int) -> None:
        """Reserve so much more for a call of which an attempt was cut off, before the next one; it does not wait.

        Raises:
            SharedBudgetSpent: it does not fit beside what is spent and reserved.
        """
        with self._explained(), self._lock:
            mine = self._mine()
            if reservation not in mine.holds:
                return  # this process was not heard of for long: it counts as cut off already
            cell, held = mine.holds[reservation]
            try:
                self._look_at_limits(mine)
                fits = self._take(mine, cell, nusd)
            except LeaseLost:  # as above
                return
            if not fits:
                name, _, limit = next(self._accounts(cell))
                raise SharedBudgetSpent(
                    f"{name}: of {usd(limit)} too little is left to try a call again that was cut off, which may cost "
                    f"{usd(nusd)}; raise {name} and run again to go on"
                )
            mine.holds[reservation] = (cell, held + nusd)
            self._note(mine)

    def settle(self, reservation: int, nusd: int) -> None:
        """A call has ended and cost so much. Never raises: its reply is paid for."""
        with self._lock:
            mine = self._now
            if mine is not None and reservation in mine.holds:
                cell, _ = mine.holds.pop(reservation)
                mine.spent[cell] = mine.spent.get(cell, 0) + nusd

    def account(self, cell: str | None = None) -> Account:
        """What the study (or one cell) has spent as far as the ledger and this process know, and what is allotted."""
        with self._explained(), self._lock:
            state, account = self._ledger.state(), STUDY if cell is None else cell
            own = {} if self._now is None else self._now.spent
            spent = state.spent_of(account) + (sum(own.values()) if cell is None else own.get(cell, 0))
            reserved = state.taken_of(account) - spent
            return Account(spent, state.lost_of(account), max(0, reserved))

    def close(self) -> None:
        """Return what is over; used again, it begins anew."""
        with self._lock:
            mine, self._now = self._now, None
            if mine is None or self._pid != os.getpid():
                return
            self._beats.close()
            with contextlib.suppress(OSError, ConfigError, LeaseLost):  # then it counts for what it has noted
                mine.lease.check()
                self._end(mine.id, added(mine.spent, mine.held), mine.held, mine.lease)

    # this process

    def _mine(self) -> _Spending:
        """What this process has, begun anew in a fork, and where others have closed its account."""
        if self._now is not None and self._pid == os.getpid():
            try:
                self._now.lease.check()
            except LeaseLost:
                self._beats.close()
                self._now = None
        if self._now is None or self._pid != os.getpid():
            id = secrets.token_hex(8)
            lease = Leases(self._study).claim(lease_name(id))
            if lease is None:
                raise SharedBudgetError(f"budget: {self._study}: the lease of a name made by chance is taken")
            self._pid, self._beats = os.getpid(), ExitStack()
            self._ledger.change(lambda state: state.settle(id, {}, {}, Allotment()))
            self._now = _Spending(id, lease)
            self._beats.enter_context(lease.beating(self._return_to_others))
        return self._now

    def _look_at_limits(self, mine: _Spending) -> None:
        """Where a limit has been changed, what was granted under the other one goes back first."""
        limits = self._in_force(self._launched)
        if limits != self.limits:
            self._tell(mine, waits=False)
            self.limits = limits

    def _take(self, mine: _Spending, cell: str, nusd: int) -> bool:
        """See to it that so much is free for a cell's call; False where the ledger has not enough."""
        lacks = {account: nusd - mine.free(account) for _, account, _ in self._accounts(cell)}
        if all(lack <= 0 for lack in lacks.values()):
            return True
        granted: dict[str, int] = {}

        def grant(state: LedgerState) -> LedgerState | None:
            granted.clear()
            for _, account, limit in self._accounts(cell):
                left = limit - state.taken_of(account)
                if lacks[account] > left:
                    return None
                if lacks[account] > 0:
                    share = 0 if state.others_wait(mine.id) else left // SHARE
                    granted[account] = max(lacks[account], share)
            old = self._open(state, mine)
            return state.settle(mine.id, {}, {}, replace(old, granted=added(old.granted, granted), waits=False))

        if self._ledger.change(grant) is None:
            return False
        mine.granted, mine.waits = added(mine.granted, granted), False
        return True

    def _open(self, state: LedgerState, mine: _Spending) -> Allotment:
        """What the ledger has of this process, unless others have closed its account and counted what it spent."""
        found = state.allotments.get(mine.id)
        if found is None:
            mine.lease.beat()  # finds that the file of the lease is gone, so that the next call begins anew
            raise LeaseLost(f"budget: {self._study}: others have closed the account of this process")
        return found

    def _hold(self, mine: _Spending, cell: str, nusd: int) -> int:
        self._number += 1
        mine.holds[self._number] = (cell, nusd)
        try:
            self._note(mine)
            mine.lease.check()
        except BaseException:
            del mine.holds[self._number]
            raise
        return self._number

    def _note(self, mine: _Spending) -> None:
        """Before a call: what this process has spent, and may have, should nobody hear of it again."""
        make_folder(self._records)
        record = {"told": mine.told, "spent": mine.spent, "held": mine.held}
        write_atomically(self._records / f"{mine.id}.json", json.dumps(record) + "\n")

    def _tell(self, mine: _Spending, *, waits: bool) -> None:
        """Tell the ledger what is spent, and return what is neither spent nor held."""
        held = mine.held
        accounts = {account for cell in held for _, account, _ in self._accounts(cell)}
        kept = {a: sum(held.values()) if a == STUDY else held[a] for a in accounts}
        told = mine.told + 1
        allotment = Allotment(kept, held, told, waits)

        def settle(state: LedgerState) -> LedgerState:
            self._open(state, mine)
            return state.settle(mine.id, mine.spent, {}, allotment)

        self._ledger.change(settle)
        mine.granted, mine.spent, mine.told, mine.waits = kept, {}, told, waits

    def _return_to_others(self) -> None:
        """With each beat: whoever waits for money gets what lies idle here."""
        if not self._lock.acquire(timeout=TURN_S):
            return  # whoever has it may be waiting for this very thread to end
        try:
            mine = self._now
            if mine is not None and self._ledger.exists() and self._ledger.state().others_wait(mine.id):
                self._tell(mine, waits=mine.waits)
        except (OSError, ConfigError, LeaseLost):
            pass  # the next beat tries again
        finally:
            self._lock.release()

    # all processes

    def _accounts(self, cell: str) -> Iterator[tuple[str, str, int]]:
        """The limits that a cell's call falls under: setting, account, nano-dollars."""
        if self.limits.study_nusd is not None:
            yield "budget.study_usd", STUDY, self.limits.study_nusd
        if self.limits.cell_nusd is not None:
            yield "budget.cell_usd", cell, self.limits.cell_nusd

    def _check_not_spent(self, mine: _Spending, cell: str, nusd: int) -> None:
        """Raise where what is spent for certain leaves no room, whatever others return."""
        state = self._ledger.state()
        for name, account, limit in self._accounts(cell):
            own = mine.spent if account == STUDY else {cell: mine.spent.get(cell, 0)}
            spent = state.spent_of(account) + sum(own.values())
            if spent + nusd > limit:
                self._tell(mine, waits=False)
                lost, of = state.lost_of(account), f" of the cell {cell}" if account else ""
                cut = f", {usd(lost)} of them for calls that were cut off" if lost else ""
                raise SharedBudgetSpent(
                    f"{name}: {usd(spent)} of {usd(limit)}{of} are spent{cut}, and the next call may cost {usd(nusd)}; "
                    f"raise {name} and run again to go on"
                )

    def _close_lost(self, mine: _Spending) -> None:
        """Close the accounts of processes that died, or are not heard of: they count for what they may have spent."""
        leases = self._watch()
        for id, allotment in self._ledger.state().allotments.items():
            if id == mine.id or (lease := leases.claim(lease_name(id))) is None:
                continue
            spent, held = self._noted(id, allotment)
            self._end(id, added(spent, held), held, lease)

    def _watch(self) -> Leases:
        """One look-out for the whole wait: it has to see for how long others are silent."""
        if self._watched is None or self._watched[0] != os.getpid():
            self._watched = os.getpid(), Leases(self._study)
        return self._watched[1]

    def _noted(self, id: str, allotment: Allotment) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """What a process has spent since it last told the ledger, and held for calls, at most."""
        path = self._records / f"{id}.json"
        record = read_json(path) if path.exists() else None
        if record is None or record["told"] < allotment.told:  # it began no call since
            return {}, allotment.held
        return record["spent"], record["held"]

    def _end(self, id: str, spent: Mapping[str, int], lost: Mapping[str, int], lease: Lease) -> None:
        """Close an account; only once, however many try."""
        self._ledger.change(lambda s: s.settle(id, spent, lost, None) if id in s.allotments else None)
        (self._records / f"{id}.json").unlink(missing_ok=True)
        lease.release(done=True)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SharedBudgetError(f"budget: {in_words(error, self._ledger.folder)}") from error
