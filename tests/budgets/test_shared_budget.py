"""Budgets that processes share: never passed, whoever is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlesearch.budgets.paid import PaidEmbedder, PaidModel
from mlesearch.budgets.place import spent_before
from mlesearch.budgets.shared import Account, SharedBudget, SharedBudgetSpent, SpendingCaps, usd
from mlesearch.models.embed import HashedNgramEmbedder
from mlesearch.models.limits.counters import CallCountersError
from mlesearch.models.live import litellm as live
from mlesearch.models.price import Price
from mlesearch.models.protocol import ContentFilter, EmbedReply, EmbedRequest, EmptyReply, RetriesExhausted
from mlesearch.testing.openai_stub import Fault, OpenAIStub
from mlesearch.types import Usage
from tests.support.counted_calls import REQUEST, Counting


@pytest.fixture
def budget(tmp_path: Path) -> Iterator[SharedBudget]:
    with closing(SharedBudget(tmp_path / "b.db", SpendingCaps(1_000_000, 600_000))) as made:
        yield made


def test_a_call_that_fits_no_more_is_refused_by_the_right_limit(budget: SharedBudget) -> None:
    budget.settle(budget.reserve("a", 500_000, 1), 400_000)
    with pytest.raises(SharedBudgetSpent, match=r"budget.cell_usd: \$0.0004 of \$0.0006 of the cell a are spent"):
        budget.reserve("a", 201_000, 1)
    budget.settle(budget.reserve("b", 600_000, 1), 500_000)
    with pytest.raises(SharedBudgetSpent, match=r"budget.study_usd: .* raise budget.study_usd and run again"):
        budget.reserve("c", 101_000, 1)
    budget.settle(budget.reserve("c", 100_000, 1), 100_000)
    assert budget.account().spent_nusd == 1_000_000
    assert budget.account("b").spent_nusd == 500_000


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 400_000), st.integers(0, 100)), max_size=20))
def test_the_sum_never_passes_a_limit(tmp_path_factory: pytest.TempPathFactory, calls: list) -> None:
    with closing(SharedBudget(tmp_path_factory.mktemp("p") / "b.db", SpendingCaps(1_000_000, 600_000))) as made:
        for cell, worst, percent in calls:
            before = made.account(cell).spent_nusd, made.account().spent_nusd
            try:
                hold = made.reserve(cell, worst, 1)
            except SharedBudgetSpent:
                assert before[0] + worst > 600_000 or before[1] + worst > 1_000_000
                continue
            made.settle(hold, worst * percent // 100)
            assert made.account(cell).spent_nusd <= 600_000
            assert made.account().spent_nusd <= 1_000_000
            assert made.account().reserved_nusd == 0


def test_a_call_waits_for_others_to_settle(budget: SharedBudget) -> None:
    first = budget.reserve("a", 600_000, 60)
    got: list[int] = []
    waiting = threading.Thread(target=lambda: got.append(budget.reserve("b", 600_000, 60)))
    waiting.start()
    time.sleep(0.2)
    assert got == []
    budget.settle(first, 10_000)
    waiting.join(30)
    assert len(got) == 1


def test_a_killed_process_leaves_its_worst_case_behind(budget: SharedBudget, tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from mlesearch.budgets.shared import SpendingCaps, SharedBudget
SharedBudget(Path({str(tmp_path / "b.db")!r}), SpendingCaps(1_000_000, 600_000)).reserve("a", 300_000, 60)
print("held", flush=True)
import time; time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert budget.account().reserved_nusd == 300_000
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with pytest.raises(SharedBudgetSpent, match=r"\$0.0003 of them for calls that were cut off"):
        budget.reserve("a", 301_000, 1)
    assert budget.account("a") == budget.account("a").__class__(300_000, 300_000, 0)


SPENDER = """
import random, sys
from pathlib import Path
from mlesearch.budgets.shared import SpendingCaps, SharedBudget, SharedBudgetSpent
budget, moments = SharedBudget(Path(sys.argv[1]), SpendingCaps(20_000, None)), random.Random(int(sys.argv[2]))
total = 0
try:
    while True:
        hold = budget.reserve("a", 100, 60)
        cost = moments.randrange(101)
        budget.settle(hold, cost)
        total += cost
        print(total, flush=True)
except SharedBudgetSpent:
    pass
"""


def test_processes_spend_together_and_some_are_killed(tmp_path: Path) -> None:
    moments = random.Random(4)
    spenders = [
        subprocess.Popen(
            [sys.executable, "-c", SPENDER, str(tmp_path / "b.db"), str(n)], stdout=subprocess.PIPE, text=True
        )
        for n in range(4)
    ]
    totals = []
    for n, p in enumerate(spenders):
        assert p.stdout is not None
        lines = []
        if n % 2:
            for _ in range(moments.randrange(5, 40)):
                lines.append(p.stdout.readline())
            os.kill(p.pid, signal.SIGKILL)
        lines += p.stdout.read().splitlines(keepends=True)
        p.wait(60)
        p.stdout.close()
        totals.append(max((int(line) for line in lines if line.endswith("\n")), default=0))
    with closing(SharedBudget(tmp_path / "b.db", SpendingCaps(20_000, None))) as budget:
        with pytest.raises(SharedBudgetSpent):
            budget.reserve("a", 100, 1)
        account = budget.account()
    assert sum(totals) <= account.spent_nusd <= 20_000
    assert account.spent_nusd > 20_000 - 100
    assert account.spent_nusd - account.lost_nusd - sum(totals) <= 2 * 100  # settled, and killed before it was said


@pytest.mark.parametrize(
    ("error", "charged"),
    [
        (None, 700 + 300),
        (RetriesExhausted("down"), 0),
        (RetriesExhausted("silent", Usage(lost_nusd=5_000)), 5_000),
        (ContentFilter("no"), 0),
        (ContentFilter("no", Usage(cost_nusd=300, lost_nusd=5_000)), 5_300),
        (EmptyReply("nothing", Usage(cost_nusd=None)), "worst"),
        (CallCountersError("not sent"), 0),
        (ValueError("an answer that nobody understands"), "worst"),
        (KeyboardInterrupt(), "worst"),
    ],
)
def test_what_a_call_costs_is_settled(error: BaseException | None, charged: object, tmp_path: Path) -> None:
    with closing(SharedBudget(tmp_path / "b.db", SpendingCaps(10**9, None))) as budget:
        model = PaidModel(Counting(error), budget, "a")  # type: ignore[arg-type]
        if error is None:
            assert model.complete(REQUEST).text == "reply 1"
        else:
            with pytest.raises(type(error)):
                model.complete(REQUEST)
        worst = Price(1.0, 2.0).cost_nusd(len("Be brief.2 + 2?") + 64, 8192)
        assert budget.account().spent_nusd == (worst if charged == "worst" else charged)


def test_money_for_embeddings_is_held_as_long_as_their_embedder_may_take(tmp_path: Path) -> None:
    """Where its process can't be looked up, a call counts as cut off after so long."""
    until: list[float] = []

    class Patient(HashedNgramEmbedder):
        deadline_s = 5000.0

        def embed(self, request: EmbedRequest) -> EmbedReply:
            with closing(sqlite3.connect(tmp_path / "b.db")) as db:
                until.extend(row[0] for row in db.execute("SELECT until FROM holds"))
            return super().embed(request)

    with closing(SharedBudget(tmp_path / "b.db", SpendingCaps(10**9, None))) as budget:
        PaidEmbedder(Patient(), budget, "a").embed(EmbedRequest(("Hello.",), REQUEST.address))
    assert [5000 <= end - time.time() <= 5100 for end in until] == [True]


def test_a_lost_database_is_made_again_with_what_was_cut_off(tmp_path: Path) -> None:
    run = tmp_path / "m/s/base/t/seed-0"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    usages = [{"cost_nusd": 700}, {"cost_nusd": 100, "lost_nusd": 5_000}, {"cost_nusd": None, "lost_nusd": 3_000}]
    events = [{"type": "journal", "format": 1}, *({"type": "reply", "usage": u, "charged_nusd": 90} for u in usages)]
    (run / "journal.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    being_made = tmp_path / "m/s/base/t/seed-1"
    being_made.mkdir()
    (being_made / "run.json").write_text("{}")
    (being_made / "journal.jsonl").touch()
    assert dict(spent_before(tmp_path)) == {"m/s/base": 700 + 5_100 + 3_090}


@pytest.mark.parametrize(
    ("cut", "worst_cases", "calls", "failed"),
    [
        (2, 3, 3, None),
        (2, 2, 2, SharedBudgetSpent),
        (1, 1, 1, SharedBudgetSpent),
        (9, 20, 5, RetriesExhausted),
    ],
    ids=["all fit", "the third attempt does not fit", "the second does not", "cut off more often than it is tried"],
)
def test_each_attempt_of_a_call_that_is_cut_off_fits_or_is_not_made(
    cut: int,
    worst_cases: int,
    calls: int,
    failed: type[Exception] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Through real litellm, over connections that break in the middle of the answer."""
    monkeypatch.setenv("STUB_KEY", "abc-123-abc")
    with OpenAIStub("an answer") as stub:
        stub.faults.extend([Fault.RESET] * cut)
        params = {"model": "openai/stub-model", "api_base": stub.base_url, "api_key_env": "STUB_KEY", "max_retries": 3}
        price = {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0}
        inner = live.make("stubbed", {**params, "price": price, "backoff": {"base_s": 0.01, "cap_s": 0.01}})
        worst = Price(1.0, 2.0).cost_nusd(len("Be brief.2 + 2?") + 64, 8192)
        with closing(SharedBudget(tmp_path / "b.db", SpendingCaps(worst_cases * worst, None))) as budget:
            paid = PaidModel(inner, budget, "a")
            if failed is None:
                assert paid.complete(REQUEST).text == "an answer"
            else:
                with pytest.raises(failed, match=r"may cost|gave up after 4 tries"):
                    paid.complete(REQUEST)
            assert stub.calls == calls
            account = budget.account()
        lost = min(cut, calls, 4)  # a fifth asks something else, which is small
        assert lost * worst <= account.spent_nusd <= worst_cases * worst
        assert account.spent_nusd < (lost + 1) * worst
        assert account.reserved_nusd == 0


def test_money_in_words() -> None:
    assert [usd(n) for n in (0, 1_500_000_000, 1_000, 47_000 * 10**9)] == ["$0", "$1.5", "$0.000001", "$47,000"]


def test_a_hold_stays_where_the_database_is_lost_during_a_call(tmp_path: Path) -> None:
    with closing(SharedBudget(tmp_path / "b.db", SpendingCaps(10**9, None))) as budget:
        hold = budget.reserve("a", 700, 60)
        with closing(sqlite3.connect(tmp_path / "b.db")) as db:
            db.execute("ALTER TABLE cells RENAME TO gone")
        budget.settle(hold, 5)
        with closing(sqlite3.connect(tmp_path / "b.db")) as db:
            db.execute("ALTER TABLE gone RENAME TO cells")
        assert budget.account() == Account(0, 0, 700)
