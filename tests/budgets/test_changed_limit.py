"""A limit that is changed while money is spent: heard before the next call, and never passed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlesearch.budgets.ledger import Ledger
from mlesearch.budgets.place import DatabasePlace, LedgerPlace
from mlesearch.budgets.shared import SharedBudgetSpent, SharedLimitUnknown, SpendingCaps
from mlesearch.storage.lease_files import LeaseTimes, set_times
from mlesearch.storage.requests import LIMIT, forget_study_usd, set_study_usd, study_usd_in_force
from mlesearch.types import MOST_USD, NANODOLLARS
from tests.support.machines import innermost, on_machine
from tests.support.waiting import until

PLACES = {"database": DatabasePlace, "ledger": LedgerPlace}
CAPS = SpendingCaps(2_000, 5_000)


@pytest.fixture(params=PLACES)
def opened(request, tmp_path: Path) -> Iterator[tuple[Path, object]]:
    with closing(PLACES[request.param](tmp_path, CAPS).open()) as made:
        yield tmp_path, made


def spend(budget, nusd: int) -> None:
    budget.settle(budget.reserve("a", nusd, 1), nusd)


def set_nusd(study: Path, nusd: int) -> None:
    set_study_usd(study, nusd / NANODOLLARS)


def test_a_raised_and_a_lowered_limit_hold_from_the_next_call_on(opened) -> None:
    study, budget = opened
    spend(budget, 2_000)
    with pytest.raises(SharedBudgetSpent, match=r"of \$0\.000002 are spent"):
        budget.reserve("a", 1, 1)
    set_nusd(study, 3_000)
    spend(budget, 900)
    with pytest.raises(SharedBudgetSpent, match=r"of \$0\.000003 are spent"):
        budget.reserve("a", 101, 1)
    set_nusd(study, 2_950)
    with pytest.raises(SharedBudgetSpent):
        budget.reserve("a", 51, 1)
    spend(budget, 50)
    set_nusd(study, 100)
    with pytest.raises(SharedBudgetSpent):
        budget.reserve("a", 1, 1)
    set_study_usd(study, None)
    spend(budget, 1_000)
    with pytest.raises(SharedBudgetSpent, match=r"budget\.cell_usd"):
        spend(budget, 2_000)
    forget_study_usd(study)
    with pytest.raises(SharedBudgetSpent, match=r"of \$0\.000002 are spent"):
        budget.reserve("a", 1, 1)


def test_a_call_that_was_cut_off_is_not_tried_again_beyond_a_lowered_limit(opened) -> None:
    study, budget = opened
    hold = budget.reserve("a", 500, 1)
    set_nusd(study, 900)
    with pytest.raises(SharedBudgetSpent):
        budget.extend(hold, 500)
    set_nusd(study, 1_000)
    budget.extend(hold, 500)
    budget.settle(hold, 1_000)


def test_a_limit_that_can_not_be_read_lets_nothing_be_spent(opened) -> None:
    study, budget = opened
    for usd in ("NaN", "Infinity", "1e300", "9" * 400, "-1", "true", '"5"', "[]"):
        (study / LIMIT).write_text(f'{{"study_usd": {usd}}}')
        with pytest.raises(SharedLimitUnknown, match=r"can't be read .*set it again: mlesearch budget"):
            budget.reserve("a", 1, 1)
    (study / LIMIT).write_text("{}")
    with pytest.raises(SharedLimitUnknown, match=r"can't be read .*set it again: mlesearch budget"):
        budget.reserve("a", 1, 1)
    set_study_usd(study, MOST_USD)
    spend(budget, 2_001)
    assert study_usd_in_force(study.parent, 3.0) == 3.0


def test_a_limit_that_another_machine_replaces_while_it_is_read_is_read_again(opened, monkeypatch) -> None:
    """As a file system of the network says it: the file that was opened is gone."""
    study, budget = opened
    set_nusd(study, 3_000)
    read, stale = Path.read_bytes, [True, True]

    def replaced(path: Path) -> bytes:
        if path.name == LIMIT and stale:
            stale.pop()
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", replaced)
    spend(budget, 2_900)
    assert not stale


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(sorted(PLACES)),
    st.lists(
        st.one_of(
            st.integers(1, 4_000),
            st.tuples(st.sampled_from("ab"), st.integers(1, 400), st.floats(0, 1), st.integers(0, 1)),
        ),
        max_size=25,
    ),
)
def test_no_call_begins_that_could_pass_the_limit_of_its_moment(tmp_path_factory, form, steps) -> None:
    """A number sets the limit; anything else is a call of one of two processes."""
    study, limit, spent = tmp_path_factory.mktemp("study"), 2_000, 0
    set_times(study, LeaseTimes(0.05, 20, 40))
    made = [PLACES[form](study, CAPS).open() for _ in range(2)]
    with closing(made[0]), closing(made[1]):
        for step in steps:
            if isinstance(step, int):
                limit = step
                set_nusd(study, limit)
                continue
            cell, worst, share, who = step
            try:
                hold = made[who].reserve(cell, worst, 1)
            except SharedBudgetSpent:
                assert spent + worst > limit, "refused although it would fit"
                continue
            assert spent + worst <= limit
            made[who].settle(hold, round(share * worst))
            spent += round(share * worst)


def test_who_waits_for_money_gets_it_though_the_limit_was_changed_meanwhile(tmp_path: Path) -> None:
    """What another process does not need comes back to one that waits: also where that has just heard of a limit."""
    set_times(tmp_path, LeaseTimes(0.05, 20, 40))
    idle, waiting = (LedgerPlace(tmp_path, CAPS).open() for _ in range(2))
    ledger, holds = Ledger(tmp_path / "budgets" / "ledger"), list[int]()
    with closing(idle), closing(waiting):
        idle.settle(idle.reserve("a", 1_900, 1), 0)
        thread = threading.Thread(target=lambda: holds.append(waiting.reserve("a", 1_500, 1)), daemon=True)
        with idle._lock:  # it has no turn to return anything yet
            thread.start()
            assert until(lambda: any(a.waits for a in ledger.state().allotments.values()), 60)
            set_nusd(tmp_path, 2_100)
            assert until(lambda: waiting.limits.study_nusd == 2_100, 60)
        thread.join(60)
        assert holds
        waiting.settle(holds[0], 1_500)


SPENDER = """
import random, sys, time
from contextlib import closing
from pathlib import Path
from mlesearch.budgets.place import LedgerPlace
from mlesearch.budgets.shared import SharedBudgetSpent, SpendingCaps
from mlesearch.storage.requests import study_usd_in_force
study, moments = Path(sys.argv[1]), random.Random(int(sys.argv[2]))
with closing(LedgerPlace(study, SpendingCaps(3 * 10**8, None)).open()) as budget:
    while not (study / "over").exists():
        limit = study_usd_in_force(study, 0.3)
        try:
            hold = budget.reserve("a", 4_000_000, 60)
        except SharedBudgetSpent:
            print(f"spent {limit}", flush=True)
            time.sleep(0.05)
            continue
        cost = moments.randrange(2_000_000, 4_000_001)
        print(cost, flush=True)
        time.sleep(0.01)
        budget.settle(hold, cost)
"""


def costs_of(lines: Iterable[str]) -> int:
    """What the calls among what a worker said have cost."""
    return sum(int(line) for line in lines if not line.startswith("spent"))


def until_spent(worker: subprocess.Popen[str], nusd: int) -> int:
    """The cost of a worker's calls until it finds no money within a limit."""
    assert worker.stdout is not None
    return costs_of(iter(worker.stdout.readline, f"spent {nusd / NANODOLLARS}\n"))


def test_more_money_for_four_workers_on_two_machines_one_of_them_killed(tmp_path: Path) -> None:
    """0.3 USD, then a whole one, then 0.5: what is spent stops at each, nearly all of the first two is usable."""
    set_times(tmp_path, LeaseTimes(0.1, 1.5, 3))
    words = [sys.executable, "-c", SPENDER, str(tmp_path)]
    workers = [
        subprocess.Popen([*on_machine(name), *words, str(n)], stdout=subprocess.PIPE, text=True)
        for n, name in enumerate(("one", "one", "two", "two"))
    ]
    ledger, total = Ledger(tmp_path / "budgets" / "ledger"), 0
    for limit, kill in ((3 * 10**8, False), (10**9, True)):
        set_nusd(tmp_path, limit)
        if kill:
            assert workers[1].stdout is not None
            while (line := workers[1].stdout.readline()).startswith("spent"):
                pass
            os.kill(innermost(workers[1]), signal.SIGKILL)
            total += costs_of([line, *workers[1].communicate()[0].splitlines()])
        total += sum(until_spent(worker, limit) for n, worker in enumerate(workers) if not (kill and n == 1))
        assert ledger.state().spent["a"] <= limit
        assert 0.95 * limit <= total <= limit
    set_nusd(tmp_path, 5 * 10**8)
    (tmp_path / "over").touch()
    total += sum(costs_of(w.communicate(timeout=60)[0].splitlines()) for n, w in enumerate(workers) if n != 1)
    assert total <= 10**9
    assert 0 < ledger.state().lost["a"] <= 4_000_000
