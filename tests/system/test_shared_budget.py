"""A study stops cleanly when its money is spent, and goes on with more."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from mlesearch.budgets.ledger import Ledger
from mlesearch.budgets.place import LEDGER, spent_before
from mlesearch.budgets.shared import SharedBudget, SpendingCaps
from mlesearch.cli.main import main
from mlesearch.testing.openai_stub import Answer, OpenAIStub
from tests.support.command import cli

RUN = ["run", "model=local", "strategy=random", "tasks=[rentals]", "seeds=[0,1]", "budget.steps=3"]
RUN += ["sandbox=local", "sandbox.warm=off"]  # programs that print a word need nothing imported ahead
PRICED = "model.params.price={input_usd_per_mtok: 1.0, output_usd_per_mtok: 1.0}"
PROGRAM = Answer("A plan.\n\n```python\nprint('nothing')\n```\n", input_tokens=2500, output_tokens=20)
CALL_NUSD = 2_520_000
WORDS = [*RUN, "strategy.review=false", PRICED, "model.sampling.max_tokens=500", "launcher.n_jobs=1"]


def test_a_study_stops_when_its_money_is_spent_and_goes_on_with_more(tmp_path: Path) -> None:
    with OpenAIStub(lambda _body: PROGRAM) as stub:
        where = f"model.params.api_base={stub.base_url}"
        limit_usd = 0.0107  # the worst case of one call, with a prompt of some 10,000 bytes, and little more
        stopped = cli(tmp_path, *WORDS, where, f"budget.study_usd={limit_usd}")
        assert stopped.returncode == 1, stopped.stderr
        first = [line for line in stopped.stderr.splitlines() if line.startswith(("stopped: ", "missing: "))]
        assert len(first) == 2, stopped.stderr
        assert "budget.study_usd: " in first[0]
        assert "raise budget.study_usd and run again to go on" in first[0]
        assert "of 2 runs: local/random/base/rentals/seed-" in first[1]
        paid = stub.calls
        assert 0 < paid * CALL_NUSD / 1e9 <= limit_usd
        again = cli(tmp_path, *WORDS, where, f"budget.study_usd={limit_usd}")
        assert again.returncode == 1
        assert stub.calls == paid
        done = cli(tmp_path, *WORDS, where, "budget.study_usd=1")
        assert done.returncode == 0, done.stderr
    assert stub.calls == 6  # nothing was paid twice
    study = tmp_path / "studies/main"
    assert sum(spent_before(study).values()) == 6 * CALL_NUSD
    with closing(SharedBudget(study / "budgets.db", SpendingCaps())) as budget:
        assert budget.account().spent_nusd == 6 * CALL_NUSD
        assert budget.account().lost_nusd == 0


def test_a_cell_stops_at_its_limit_and_the_others_go_on(tmp_path: Path) -> None:
    """One cell asks for so long answers that no call fits."""
    with OpenAIStub(lambda _body: PROGRAM) as stub:
        where = f"model.params.api_base={stub.base_url}"
        cells = ["model.sampling.max_tokens=500,50000", "variant=v${model.sampling.max_tokens}"]
        sweep = [WORDS[0], "-m", *(w for w in WORDS[1:] if "max_tokens" not in w), *cells, where]
        done = cli(tmp_path, *sweep, "budget.cell_usd=0.03")
        assert done.returncode == 1, done.stderr
        assert "budget.cell_usd: $0 of $0.03 of the cell local/random/v50000 are spent, and the next" in done.stderr
        assert (
            f"missing: 2 of 4 runs: {', '.join(f'local/random/v50000/rentals/seed-{n}' for n in (0, 1))}" in done.stderr
        )
        spent = dict(spent_before(tmp_path / "studies/main"))
        assert spent == {"local/random/v500": 6 * CALL_NUSD, "local/random/v50000": 0}
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
    ):
        assert main([*RUN, *words]) == 2
        assert expected in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_on_a_network_file_system_no_machine_needs_to_be_counted(tmp_path: Path) -> None:
    study, network = tmp_path / "studies/main", ["limits.network=true", "cassette=record"]
    with OpenAIStub(lambda _body: PROGRAM) as stub:
        where = f"model.params.api_base={stub.base_url}"
        done = cli(tmp_path, *WORDS, *network, where, "budget.study_usd=0.06")
        assert done.returncode == 0, done.stderr
    assert [p.name for p in study.rglob("*.db*")] == []  # no SQLite where it can't be shared
    assert len(list((study / "cassette").glob("??/*"))) == 7  # 6 calls, and the model
    state = Ledger(study / LEDGER).state()
    assert (state.spent, state.lost, state.allotments) == ({"local/random/base": 6 * CALL_NUSD}, {}, {})
    with OpenAIStub(lambda _body: PROGRAM) as stub:
        where = f"model.params.api_base={stub.base_url}"
        more = [w.replace("seeds=[0,1]", "seeds=[0,1,2]") for w in WORDS]
        stopped = cli(tmp_path, *more, *network, where, "budget.study_usd=0.018")
        assert stopped.returncode == 1
        assert "budget.study_usd: $0.01512 of $0.018 are spent, and the next call may cost" in stopped.stderr
        assert "raise budget.study_usd and run again to go on" in stopped.stderr
        assert stub.calls == 0
