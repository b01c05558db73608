"""Budgets that processes share: never passed, whoever is killed; a study stops cleanly and goes on with more."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlesearch.budgets.paid import PaidEmbedder, PaidModel
from mlesearch.budgets.partition import spent_before, take_part
from mlesearch.budgets.shared import Account, SharedBudget, SharedBudgetError, SharedBudgetSpent, SpendingCaps, usd
from mlesearch.cli.main import main
from mlesearch.config.resources import ProcessResources
from mlesearch.config.settings import Settings
from mlesearch.models.embed import HashedNgramEmbedder
from mlesearch.models.limits.counters import CallCountersError
from mlesearch.models.live import litellm as live
from mlesearch.models.protocol import ContentFilter, EmbedReply, EmbedRequest, EmptyReply, Price, RetriesExhausted
from mlesearch.testing.openai_stub import Fault, OpenAIStub
from mlesearch.types import ConfigError, ModelUnavailable, Usage
from tests.models.test_recorded import REQUEST, Counting
from tests.system.test_cli import cli


@pytest.fixture
def purse(tmp_path: Path) -> Iterator[SharedBudget]:
    with closing(SharedBudget(tmp_path / "b.db", SpendingCaps(1_000_000, 600_000))) as made:
        yield made


def test_a_call_that_fits_no_more_is_refused_by_the_right_purse(purse: SharedBudget) -> None:
    purse.settle(purse.hold("a", 500_000, 1), 400_000)
    with pytest.raises(SharedBudgetSpent, match=r"budget.cell_usd: \$0.0004 of \$0.0006 of the cell a are spent"):
        purse.hold("a", 201_000, 1)
    purse.settle(purse.hold("b", 600_000, 1), 500_000)
    with pytest.raises(SharedBudgetSpent, match=r"budget.study_usd: .* raise budget.study_usd and run again"):
        purse.hold("c", 101_000, 1)
    purse.settle(purse.hold("c", 100_000, 1), 100_000)
    assert purse.account().spent_nusd == 1_000_000
    assert purse.account("b").spent_nusd == 500_000


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 400_000), st.integers(0, 100)), max_size=20))
def test_the_sum_never_passes_a_limit(tmp_path_factory: pytest.TempPathFactory, calls: list) -> None:
    with closing(SharedBudget(tmp_path_factory.mktemp("p") / "b.db", SpendingCaps(1_000_000, 600_000))) as made:
        for cell, worst, percent in calls:
            before = made.account(cell).spent_nusd, made.account().spent_nusd
            try:
                hold = made.hold(cell, worst, 1)
            except SharedBudgetSpent:
                assert before[0] + worst > 600_000 or before[1] + worst > 1_000_000
                continue
            made.settle(hold, worst * percent // 100)
            assert made.account(cell).spent_nusd <= 600_000
            assert made.account().spent_nusd <= 1_000_000
            assert made.account().held_nusd == 0


def test_a_call_waits_for_others_to_settle(purse: SharedBudget) -> None:
    first = purse.hold("a", 600_000, 60)
    got: list[int] = []
    waiting = threading.Thread(target=lambda: got.append(purse.hold("b", 600_000, 60)))
    waiting.start()
    time.sleep(0.2)
    assert got == []
    purse.settle(first, 10_000)
    waiting.join(30)
    assert len(got) == 1


def test_a_killed_process_leaves_its_worst_case_behind(purse: SharedBudget, tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from mlesearch.budgets.partition import spent_before, take_part
from mlesearch.budgets.shared import SpendingCaps, SharedBudget
SharedBudget(Path({str(tmp_path / "b.db")!r}), SpendingCaps(1_000_000, 600_000)).hold("a", 300_000, 60)
print("held", flush=True)
import time; time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert purse.account().held_nusd == 300_000
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with pytest.raises(SharedBudgetSpent, match=r"\$0.0003 of them for calls that were cut off"):
        purse.hold("a", 301_000, 1)
    assert purse.account("a") == purse.account("a").__class__(300_000, 300_000, 0)


SPENDER = """
import random, sys
from pathlib import Path
from mlesearch.budgets.partition import spent_before, take_part
from mlesearch.budgets.shared import SpendingCaps, SharedBudget, SharedBudgetSpent
purse, moments = SharedBudget(Path(sys.argv[1]), SpendingCaps(20_000, None)), random.Random(int(sys.argv[2]))
total = 0
try:
    while True:
        hold = purse.hold("a", 100, 60)
        cost = moments.randrange(101)
        purse.settle(hold, cost)
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
    with closing(SharedBudget(tmp_path / "b.db", SpendingCaps(20_000, None))) as purse:
        with pytest.raises(SharedBudgetSpent):
            purse.hold("a", 100, 1)
        account = purse.account()
    assert sum(totals) <= account.spent_nusd <= 20_000
    assert account.spent_nusd > 20_000 - 100
    assert account.spent_nusd - account.lost_nusd - sum(totals) <= 2 * 100  # settled, and killed before it was said


def _cost(error: ModelUnavailable, usage: Usage) -> ModelUnavailable:
    error.usage = usage
    return error


@pytest.mark.parametrize(
    ("error", "charged"),
    [
        (None, 700 + 300),
        (RetriesExhausted("down"), 0),
        (_cost(RetriesExhausted("silent"), Usage(lost_nusd=5_000)), 5_000),
        (ContentFilter("no"), 0),
        (_cost(ContentFilter("no"), Usage(cost_nusd=300, lost_nusd=5_000)), 5_300),
        (_cost(EmptyReply("nothing"), Usage(cost_nusd=None)), "worst"),
        (CallCountersError("not sent"), 0),
        (ValueError("an answer that nobody understands"), "worst"),
        (KeyboardInterrupt(), "worst"),
    ],
)
def test_what_a_call_costs_is_settled(error: BaseException | None, charged: object, tmp_path: Path) -> None:
    with closing(SharedBudget(tmp_path / "b.db", SpendingCaps(10**9, None))) as purse:
        model = PaidModel(Counting(error), purse, "a")  # type: ignore[arg-type]
        if error is None:
            assert model.complete(REQUEST).text == "reply 1"
        else:
            with pytest.raises(type(error)):
                model.complete(REQUEST)
        worst = Price(1.0, 2.0).cost_nusd(len("Be brief.2 + 2?") + 64, 8192)
        assert purse.account().spent_nusd == (worst if charged == "worst" else charged)


def test_money_for_embeddings_is_held_as_long_as_their_embedder_may_take(tmp_path: Path) -> None:
    """Where its process can't be looked up, a call counts as cut off after so long."""
    until: list[float] = []

    class Patient(HashedNgramEmbedder):
        deadline_s = 5000.0

        def embed(self, request: EmbedRequest) -> EmbedReply:
            with closing(sqlite3.connect(tmp_path / "b.db")) as db:
                until.extend(row[0] for row in db.execute("SELECT until FROM holds"))
            return super().embed(request)

    with closing(SharedBudget(tmp_path / "b.db", SpendingCaps(10**9, None))) as purse:
        PaidEmbedder(Patient(), purse, "a").embed(EmbedRequest(("Hello.",), REQUEST.address))
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
        (9, 20, 4, RetriesExhausted),
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
        with closing(SharedBudget(tmp_path / "b.db", SpendingCaps(worst_cases * worst, None))) as purse:
            paid = PaidModel(inner, purse, "a")
            if failed is None:
                assert paid.complete(REQUEST).text == "an answer"
            else:
                with pytest.raises(failed, match=r"may cost|gave up after 4 tries"):
                    paid.complete(REQUEST)
            assert stub.calls == calls
            account = purse.account()
        assert min(cut, calls) * worst <= account.spent_nusd <= worst_cases * worst
        assert account.spent_nusd < (min(cut, calls) + 1) * worst
        assert account.held_nusd == 0


def test_money_in_words() -> None:
    assert [usd(n) for n in (0, 1_500_000_000, 1_000, 47_000 * 10**9)] == ["$0", "$1.5", "$0.000001", "$47,000"]


# parts, where nothing can be shared


def test_each_machine_claims_one_part_for_good(tmp_path: Path) -> None:
    assert take_part(tmp_path, 2, "m1") == take_part(tmp_path, 2, "m1")
    assert take_part(tmp_path, 2, "m2") != take_part(tmp_path, 2, "m1")
    with pytest.raises(ConfigError, match=r"all 2 parts of the budget are taken \(by m1, m2\)"):
        take_part(tmp_path, 2, "m3")
    (tmp_path / "budgets/part-1.machine").unlink()
    assert take_part(tmp_path, 2, "m3") == tmp_path / "budgets/part-1.json"
    assert sorted(p.name for p in (tmp_path / "budgets").iterdir()) == [
        *("part-1.machine", "part-2.machine", "split.json"),
    ]


def paid_settings(folder: Path, machine: str, monkeypatch: pytest.MonkeyPatch, **options: object) -> Settings:
    """Settings of a study at `folder`, as on a machine of this name with a disk of its own."""
    own = folder.parent / machine
    own.mkdir(exist_ok=True)
    monkeypatch.setattr("socket.gethostname", lambda: machine)
    monkeypatch.setattr("tempfile.tempdir", str(own))
    s = Settings()
    budget = replace(s.budget, study_usd=options.get("study_usd"))
    limits = replace(s.limits, partition=options.get("partition"), network=options.get("network", False))
    return replace(s, study=replace(s.study, dir=str(folder)), budget=budget, limits=limits)


@pytest.fixture
def resources() -> Iterator[ProcessResources]:
    with ProcessResources() as made:
        yield made


def spend(resources: ProcessResources, s: Settings, usd_: float) -> None:
    made = resources.shared_budget(s)
    assert made is not None
    made.settle(made.hold("m/greedy/base", round(usd_ * 1e9), 1), round(usd_ * 1e9))


def test_a_launch_without_a_limit_is_counted_where_an_earlier_one_had_one(
    resources: ProcessResources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(study_usd: float | None) -> Settings:
        return paid_settings(tmp_path / "s", "m1", monkeypatch, study_usd=study_usd)

    assert resources.shared_budget(at(None)) is None
    spend(resources, at(10), 9)
    spend(resources, at(None), 90)
    with pytest.raises(SharedBudgetSpent, match=r"\$99 of \$100 are spent"):
        spend(resources, at(100), 2)
    spend(resources, at(101), 2)


def test_what_was_spent_before_a_split_counts_in_its_parts(
    resources: ProcessResources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(machine: str, parts: int | None, study_usd: float | None = 100) -> Settings:
        return paid_settings(tmp_path / "s", machine, monkeypatch, study_usd=study_usd, partition=parts)

    spend(resources, at("m1", None), 90)
    for machine in ("m1", "m2"):
        spend(resources, at(machine, 2), 4)
        with pytest.raises(SharedBudgetSpent, match=r"\$49 of \$50 are spent"):
            spend(resources, at(machine, 2), 2)
    for parts in (4, None):
        with pytest.raises(ConfigError, match=r"are split into 2 parts, so set it to 2"):
            resources.shared_budget(at("m1", parts))
    spend(resources, at("m1", 2, None), 5)  # no limit, and yet counted
    with pytest.raises(SharedBudgetSpent, match=r"\$54 of \$55 are spent"):
        spend(resources, at("m1", 2, 110), 2)
    shutil.rmtree(tmp_path / "s/budgets")
    with pytest.raises(
        SharedBudgetSpent, match=r"\$22.5 of \$25 are spent"
    ):  # what the study's own purse knows, split anew
        spend(resources, at("m1", 4), 3)
    (tmp_path / "s/budgets/part-1.machine").unlink()
    with pytest.raises(SharedBudgetSpent, match=r"\$22.5 of \$25 are spent"):
        spend(resources, at("m9", 4), 3)  # takes the part over


def test_a_reply_is_kept_where_its_settlement_can_not_be_written(tmp_path: Path) -> None:
    full = [True]

    def told(spent: object) -> None:
        if full[0]:
            raise OSError(28, "No space left on device")

    with closing(SharedBudget(tmp_path / "b.db", SpendingCaps(10**9, None), told=told)) as purse:
        model = PaidModel(Counting(None), purse, "a")  # type: ignore[arg-type]
        assert model.complete(REQUEST).text == "reply 1"
        for _ in range(2):
            with pytest.raises(SharedBudgetError, match="No space left"):
                model.complete(REQUEST)
        full[0] = False
        assert model.complete(REQUEST).text == "reply 2"
        assert purse.account() == Account(2 * (700 + 300), 0, 0)


def test_a_hold_stays_where_the_database_is_lost_during_a_call(tmp_path: Path) -> None:
    with closing(SharedBudget(tmp_path / "b.db", SpendingCaps(10**9, None))) as purse:
        hold = purse.hold("a", 700, 60)
        with closing(sqlite3.connect(tmp_path / "b.db")) as db:
            db.execute("ALTER TABLE cells RENAME TO gone")
        purse.settle(hold, 5)
        with closing(sqlite3.connect(tmp_path / "b.db")) as db:
            db.execute("ALTER TABLE gone RENAME TO cells")
        assert purse.account() == Account(0, 0, 700)


# whole studies

RUN = ["run", "model=local", "strategy=random", "tasks=[rentals]", "seeds=[0,1]", "budget.steps=3"]
PRICED = "model.params.price={input_usd_per_mtok: 1.0, output_usd_per_mtok: 1.0}"
PROGRAM = "A plan.\n\n```python\nprint('nothing')\n```\n"
WORDS = [*RUN, "strategy.review=false", PRICED, "model.sampling.max_tokens=500", "launcher.n_jobs=1"]


def test_a_study_stops_when_its_money_is_spent_and_goes_on_with_more(tmp_path: Path) -> None:
    with OpenAIStub(PROGRAM) as stub:  # 120 tokens a call: $0.00012
        where = f"model.params.api_base={stub.base_url}"
        limit_usd = 0.0102  # the worst case of one call, with a prompt of some 9,000 bytes, and little more
        stopped = cli(tmp_path, *WORDS, where, f"budget.study_usd={limit_usd}")
        assert stopped.returncode == 1, stopped.stderr
        first = [line for line in stopped.stderr.splitlines() if line.startswith(("stopped: ", "missing: "))]
        assert len(first) == 2, stopped.stderr
        assert "budget.study_usd: " in first[0]
        assert "raise budget.study_usd and run again to go on" in first[0]
        assert "of 2 runs: local/random/base/rentals/seed-" in first[1]
        paid = stub.calls
        assert 0 < paid * 120e-6 <= limit_usd
        again = cli(tmp_path, *WORDS, where, f"budget.study_usd={limit_usd}")
        assert again.returncode == 1
        assert stub.calls == paid
        done = cli(tmp_path, *WORDS, where, "budget.study_usd=1")
        assert done.returncode == 0, done.stderr
    assert stub.calls == 6  # nothing was paid twice
    study = tmp_path / "studies/main"
    assert sum(spent_before(study).values()) == 6 * 120_000
    with closing(SharedBudget(study / "budgets.db", SpendingCaps())) as purse:
        assert purse.account().spent_nusd == 6 * 120_000
        assert purse.account().lost_nusd == 0


def test_a_cell_stops_at_its_limit_and_the_others_go_on(tmp_path: Path) -> None:
    """One cell asks for so long answers that no call fits."""
    with OpenAIStub(PROGRAM) as stub:
        where = f"model.params.api_base={stub.base_url}"
        cells = ["model.sampling.max_tokens=500,50000", "variant=v${model.sampling.max_tokens}"]
        sweep = [WORDS[0], "-m", *(w for w in WORDS[1:] if "max_tokens" not in w), *cells, where]
        done = cli(tmp_path, *sweep, "budget.cell_usd=0.03")
        assert done.returncode == 1, done.stderr
        assert "budget.cell_usd: $0 of $0.03 of the cell local/random/v50000 are spent, and the next" in done.stderr
        assert (
            f"missing: 2 of 4 runs: {', '.join(f'local/random/v50000/rentals/seed-{n}' for n in (0, 1))}" in done.stderr
        )
        assert dict(spent_before(tmp_path / "studies/main")) == {"local/random/v500": 720_000, "local/random/v50000": 0}
        done = cli(tmp_path, *sweep, "budget.cell_usd=1")
        assert done.returncode == 0, done.stderr
    assert stub.calls == 12


def test_a_budget_needs_prices_and_a_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words, expected in (
        (
            ["model.params.price=null", "budget.study_usd=1"],
            "budget.study_usd: the price of model 'local' is not known",
        ),
        (["budget.cell_usd=0"], "budget.cell_usd: 0.0; a number above 0"),
        (["budget.study_usd=1", "limits.network=true"], "set limits.partition to the number of machines"),
    ):
        assert main([*RUN, *words]) == 2
        assert expected in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_on_a_network_file_system_each_machine_keeps_to_its_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "own"))
    (tmp_path / "own").mkdir()
    network = ["limits.network=true", "limits.partition=2", "cassette=record"]
    with OpenAIStub(PROGRAM) as stub:
        where = f"model.params.api_base={stub.base_url}"
        done = cli(tmp_path, *WORDS, *network, where, "budget.study_usd=0.04", env={"TMPDIR": str(tmp_path / "own")})
        assert done.returncode == 0, done.stderr
    study = tmp_path / "studies/main"
    assert [p.name for p in study.rglob("*.db*")] == []  # no SQLite where it can't be shared
    assert len(list((study / "cassette").glob("??/*"))) == 7  # 6 calls, and the model
    assert json.loads((study / "budgets/part-1.json").read_text()) == {"local/random/base": 6 * 120_000}
    with OpenAIStub(PROGRAM) as stub:
        where = f"model.params.api_base={stub.base_url}"
        more = [w.replace("seeds=[0,1]", "seeds=[0,1,2]") for w in WORDS]
        stopped = cli(tmp_path, *more, *network, where, "budget.study_usd=0.002", env={"TMPDIR": str(tmp_path / "own")})
        assert stopped.returncode == 1
        assert "of $0.001 are spent" in stopped.stderr  # its half
        assert stub.calls == 0
