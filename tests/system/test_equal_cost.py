"""Equal model, equal budget: the report's tables say what each strategy spent where, to the call."""

import pandas as pd
import pytest

from tests.support.command import cli
from tests.support.journals import events

HERE = ["sandbox=local", "launcher.n_jobs=1"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two strategies on one budget, launched from the command line."""
    folder = tmp_path_factory.mktemp("cost")
    done = cli(folder, "run", "-m", "strategy=greedy,gome", "model=sim_05", "tasks=[rentals]", "budget.steps=5", *HERE)
    assert done.returncode == 0, done.stderr
    return folder / "studies" / "main"


def spent(study, strategy):
    """Calls by operator, with their tokens and nano-dollars, from the journal itself."""
    journal = events(study / "sim_05" / strategy / "base" / "rentals" / "seed-0")
    rows = {}
    for e in journal:
        if e["type"] in ("reply", "review", "embedded"):
            row = rows.setdefault("embed" if e["type"] == "embedded" else e["op"], [0, 0, 0, 0])
            u = e["usage"]
            for i, value in enumerate((1, u.get("input_tokens", 0), u.get("output_tokens", 0), u.get("cost_nusd", 0))):
                row[i] += value
    return rows, sum(e["type"] == "executed" for e in journal)


@pytest.mark.parametrize("strategy", ["greedy", "gome"])
def test_the_tables_hold_every_call_of_the_journal(study, strategy):
    rows, executions = spent(study, strategy)
    by_op = pd.read_csv(study / "report_tables" / "cost_by_operator.csv")
    by_op = by_op[by_op["strategy"] == strategy].set_index("operator")
    whole = pd.read_csv(study / "report_tables" / "cost.csv").set_index("strategy").loc[strategy]
    paid = {op: row for op, row in rows.items() if op in by_op.index}
    assert set(rows) - set(paid) <= {"embed"}  # hashed vectors cost nothing and are no call
    for op, (calls, tokens_in, tokens_out, nusd) in paid.items():
        assert by_op.loc[op, ["calls", "tokens_in", "tokens_out"]].tolist() == [calls, tokens_in, tokens_out]
        assert by_op.loc[op, "usd"] == pytest.approx(nusd / 1e9)
    total = [sum(r[i] for r in paid.values()) for i in range(4)]
    assert whole[["calls", "tokens_in", "tokens_out"]].tolist() == total[:3]
    assert whole["usd"] == pytest.approx(total[3] / 1e9)
    assert whole["executions"] == executions
    assert by_op["share_of_calls"].sum() == pytest.approx(1.0)


def test_a_diagnosing_strategy_pays_for_its_calls(study):
    gome, greedy = spent(study, "gome")[0], spent(study, "greedy")[0]
    assert {"hypothesize", "diagnose"} <= set(gome)
    assert not {"hypothesize", "diagnose", "select"} & set(greedy)
    assert "review" in greedy
    assert "review" not in gome
    report = (study / "report.html").read_text()
    for word in ("diagnose", "hypothesize", "review"):
        assert word in report
