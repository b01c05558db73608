"""Money of machines that share a folder alone: never passed, nearly all of it usable, whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlesearch.budgets.allotted import AllottedBudget
from mlesearch.budgets.ledger import STUDY, Ledger, LedgerState
from mlesearch.budgets.shared import SharedBudgetError, SharedBudgetSpent, SpendingCaps
from mlesearch.storage.files import write_new
from mlesearch.storage.lease_files import LeaseTimes, set_times
from mlesearch.storage.leases import LeaseLost
from tests.support.machines import innermost, on_machine

CAPS = SpendingCaps(1_000_000, 600_000)


def ledger_of(study: Path) -> Ledger:
    return Ledger(study / "budgets" / "ledger")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    set_times(tmp_path, LeaseTimes(0.05, 20, 40))
    return tmp_path


def test_changes_of_a_ledger_are_in_one_order(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path)

    def spend() -> None:
        mine = ledger_of(tmp_path)
        for _ in range(25):
            mine.change(lambda s: s.settle("-", {"a": 1}, {}, None))

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.state() == LedgerState(100, {"a": 100})


def test_a_change_counts_once_though_another_is_made_on_top_of_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, other = ledger_of(tmp_path), ledger_of(tmp_path)
    real = write_new

    def overtaken(path: Path, data: bytes) -> bool:
        monkeypatch.setattr("mlesearch.budgets.ledger.write_new", real)
        made = real(path, data)
        other.change(lambda s: s.settle("-", {"b": 1}, {}, None))
        return made

    monkeypatch.setattr("mlesearch.budgets.ledger.write_new", overtaken)
    made = ledger.change(lambda s: s.settle("-", {"a": 100}, {}, None))
    assert made == LedgerState(1, {"a": 100})
    assert ledger.state() == LedgerState(2, {"a": 100, "b": 1})


def test_a_ledger_keeps_no_more_states_than_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlesearch.budgets.ledger._KEPT", 5)
    ledger = ledger_of(tmp_path)
    for _ in range(20):
        ledger.change(lambda s: s.settle("-", {"a": 1}, {}, None))
    assert len(list(ledger.folder.iterdir())) == 5
    assert ledger.state().spent == {"a": 20}


def test_a_look_that_was_so_old_that_its_number_was_out_of_use_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlesearch.budgets.ledger._KEPT", 2)
    ledger, late = ledger_of(tmp_path), ledger_of(tmp_path)
    ledger.change(lambda s: s.settle("-", {"a": 1}, {}, None))
    looks = []

    def slow(state: LedgerState) -> LedgerState:
        looks.append(state.number)
        if len(looks) == 1:
            for _ in range(9):
                ledger.change(lambda s: s.settle("-", {"a": 1}, {}, None))
        return state.settle("-", {"b": 1}, {}, None)

    late.change(slow)
    assert looks == [1, 10]
    assert ledger.state() == LedgerState(11, {"a": 10, "b": 1})


def test_a_call_that_fits_no_more_is_refused_by_the_right_limit(study: Path) -> None:
    with closing(AllottedBudget(study, CAPS, poll_s=0.01)) as budget:
        budget.settle(budget.reserve("a", 500_000, 1), 500_000)
        with pytest.raises(SharedBudgetSpent, match=r"budget.cell_usd: \$0.0005 of \$0.0006 of the cell a are spent"):
            budget.reserve("a", 200_000, 1)
        budget.settle(budget.reserve("b", 400_000, 1), 400_000)
        with pytest.raises(SharedBudgetSpent, match=r"budget.study_usd: \$0.0009 of \$0.001 are spent, and the next"):
            budget.reserve("b", 200_000, 1)
        budget.settle(budget.reserve("b", 100_000, 1), 1)
        assert budget.account().spent_nusd == 900_001
    assert ledger_of(study).state().allotments == {}
    assert [p.name for p in (study / "leases").iterdir()] == ["times.json"]
    assert list((study / "budgets" / "allotments").iterdir()) == []


def test_most_calls_are_paid_without_the_ledger(study: Path) -> None:
    with closing(AllottedBudget(study, SpendingCaps(64 * 100_000, None))) as budget:
        for _ in range(300):
            budget.settle(budget.reserve("a", 1_000, 1), 1_000)
        assert ledger_of(study).state().number < 20
        assert budget.account().spent_nusd == 300_000


def test_what_lies_idle_elsewhere_is_returned_to_who_waits(study: Path) -> None:
    """The other is busy with a long call for which it holds little, and has much more."""
    with closing(AllottedBudget(study, SpendingCaps(64_000, None))) as other:
        hold = other.reserve("a", 10, 1)
        assert ledger_of(study).state().taken_of(STUDY) == 1000
        with closing(AllottedBudget(study, SpendingCaps(64_000, None), poll_s=0.01)) as budget:
            budget.settle(budget.reserve("b", 63_990, 1), 63_990)
        other.settle(hold, 10)
    assert ledger_of(study).state().spent == {"a": 10, "b": 63_990}


def test_a_call_waits_for_others_to_settle(study: Path) -> None:
    with closing(AllottedBudget(study, SpendingCaps(1000, None))) as other:
        hold = other.reserve("a", 900, 1)
        with closing(AllottedBudget(study, SpendingCaps(1000, None), poll_s=0.01)) as budget:
            got: list[int] = []
            thread = threading.Thread(target=lambda: got.append(budget.reserve("b", 500, 1)))
            thread.start()
            thread.join(timeout=0.3)
            assert got == []
            other.settle(hold, 500)
            thread.join(timeout=60)
            assert len(got) == 1
            with pytest.raises(SharedBudgetSpent, match="too little is left to try a call again"):
                budget.extend(got[0], 1)
            budget.settle(got[0], 400)
            budget.extend(got[0], 10_000)  # it has ended: nothing to add to


def test_an_end_does_not_wait_for_a_beat_that_waits_for_it(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = AllottedBudget(study, CAPS)
    budget.settle(budget.reserve("a", 10, 1), 10)
    beats, returned = budget._beats, threading.Event()
    real = budget._return_to_others

    def beat() -> None:
        real()
        returned.set()

    class Slow:
        """Closes the beats only once a beat has come."""

        def close(self) -> None:
            thread = threading.Thread(target=beat)
            thread.start()
            assert returned.wait(timeout=60)
            thread.join()
            beats.close()

    monkeypatch.setattr(budget, "_beats", Slow())
    budget.close()
    assert ledger_of(study).state().spent == {"a": 10}


def test_no_call_is_made_that_could_not_be_written_down(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(AllottedBudget(study, CAPS)) as budget:
        budget.settle(budget.reserve("a", 10, 1), 10)
        with monkeypatch.context() as patch:
            patch.setattr("mlesearch.budgets.allotted.write_atomically", _full)
            with pytest.raises(SharedBudgetError, match="the disk is full"):
                budget.reserve("a", 10, 1)
        budget.settle(budget.reserve("a", 10, 1), 10)
        assert budget.account().spent_nusd == 20


def _full(path: Path, text: str) -> None:
    raise OSError(28, "No space left on device", str(path))


def test_a_process_that_was_not_heard_of_counts_at_its_worst_and_begins_anew(study: Path) -> None:
    with closing(AllottedBudget(study, SpendingCaps(10**9, None), poll_s=0.01)) as budget:
        budget.settle(budget.reserve("a", 10**8, 1), 6 * 10**7)
        lost = budget.reserve("a", 2 * 10**8, 1)
        mine = budget._now
        assert mine is not None
        (study / "leases" / mine.lease.path.name.replace(".1", ".2")).write_text("taken over, as after a long stop")
        hold = budget.reserve("a", 3 * 10**8, 1)
        budget.settle(lost, 1)
        budget.settle(hold, 3 * 10**8)
        assert budget._now is not mine
        (study / "leases" / mine.lease.path.name.replace(".1", ".2")).unlink()
        mine.lease.path.unlink()
        with pytest.raises(SharedBudgetSpent, match=r"\$0.56 of .* \$0.2 of them for calls that were cut"):
            budget.reserve("a", 5 * 10**8, 1)
    assert ledger_of(study).state().spent == {"a": 56 * 10**7}
    assert ledger_of(study).state().lost == {"a": 2 * 10**8}


def test_an_account_that_others_closed_is_not_opened_again_by_what_it_tells(study: Path) -> None:
    """As where its lease was removed: what it had noted was counted when the account was closed."""
    with closing(AllottedBudget(study, SpendingCaps(10**9, None), poll_s=0.01)) as budget:
        budget.settle(budget.reserve("a", 100, 1), 60)
        held = budget.reserve("a", 100, 1)
        mine = budget._now
        assert mine is not None
        mine.lease.path.unlink()
        ledger_of(study).change(lambda s: s.settle(mine.id, {"a": 160}, {"a": 100}, None))
        budget.extend(held, 10**8)
        with pytest.raises(LeaseLost):
            budget._tell(mine, waits=False)
        budget._return_to_others()
        hold = budget.reserve("a", 10**8, 1)
        assert budget._now is not mine
        budget.settle(hold, 7)
    assert ledger_of(study).state().spent == {"a": 167}
    assert ledger_of(study).state().allotments == {}


@settings(max_examples=8, deadline=None)
@given(
    calls=st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(1, 400), st.floats(0, 1), st.integers(0, 1)), max_size=25
    )
)
def test_the_sum_never_passes_a_limit(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[str, int, float, int]]
) -> None:
    study, caps = tmp_path_factory.mktemp("study"), SpendingCaps(2_000, 1_500)
    spent = {"a": 0, "b": 0}
    with closing(AllottedBudget(study, caps, poll_s=0)) as one, closing(AllottedBudget(study, caps, poll_s=0)) as two:
        for cell, worst, share, who in calls:
            budget, other = (one, two)[who], (two, one)[who]
            other._return_to_others()
            try:
                hold = budget.reserve(cell, worst, 1)
            except SharedBudgetSpent:
                known = sum(spent.values()) + worst > 2_000 or spent[cell] + worst > 1_500
                assert known, "refused although it would fit"
                continue
            assert sum(spent.values()) + worst <= 2_000
            assert spent[cell] + worst <= 1_500
            cost = round(share * worst)
            budget.settle(hold, cost)
            spent[cell] += cost
    assert ledger_of(study).state().spent == {cell: nusd for cell, nusd in spent.items() if nusd}


SPENDER = """
import random, sys, time
from contextlib import closing
from pathlib import Path
from mlesearch.budgets.allotted import AllottedBudget
from mlesearch.budgets.shared import SharedBudgetSpent, SpendingCaps
moments = random.Random(int(sys.argv[2]))
with closing(AllottedBudget(Path(sys.argv[1]), SpendingCaps(10**9, None), poll_s=0.05)) as budget:
    try:
        while True:
            hold = budget.reserve("a", 4_000_000, 60)
            cost = moments.randrange(2_000_000, 4_000_001)
            print(cost, flush=True)
            time.sleep(0.01)
            budget.settle(hold, cost)
    except SharedBudgetSpent as error:
        print(error, file=sys.stderr)
"""


def test_one_dollar_over_four_workers_on_two_machines_one_of_them_killed(study: Path) -> None:
    set_times(study, LeaseTimes(0.1, 1.5, 3))
    words = [sys.executable, "-c", SPENDER, str(study)]
    workers = [
        subprocess.Popen([*on_machine(name), *words, str(n)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for n, name in enumerate(("one", "one", "two", "two"))
    ]
    costs: list[int] = []
    for n, worker in enumerate(workers):
        assert worker.stdout is not None
        if n == 1:
            costs += [int(worker.stdout.readline()) for _ in range(15)]
            os.kill(innermost(worker), signal.SIGKILL)
    for n, worker in enumerate(workers):
        out, err = worker.communicate(timeout=120)
        costs += [int(line) for line in out.splitlines()]
        assert n == 1 or "of $1 are spent" in err
    state = ledger_of(study).state()
    assert sum(costs) <= 10**9
    assert sum(costs) >= 0.95 * 10**9
    assert state.spent["a"] <= 10**9
    assert 0 < state.lost["a"] <= 4_000_000
    assert state.allotments == {}
