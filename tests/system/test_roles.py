"""One model for code and another for feedback, in a run over HTTP."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from mlesearch.models.registry import make_model
from mlesearch.storage.codec import usage_from_json
from mlesearch.storage.journal import read
from mlesearch.testing.openai_stub import OpenAIStub, serving
from tests.support.command import cli


def test_a_run_with_one_model_for_code_and_another_for_feedback(tmp_path: Path) -> None:
    """Over HTTP: which model is asked for what, which one the journal says answered, and what each cost."""
    engineers = {name: make_model(name, "simulated", {"capability": 0.9}) for name in ("coder", "critic")}
    with OpenAIStub(serving(engineers)) as stub:
        params = f"params: {{model: openai/critic, api_base: '{stub.base_url}', price: "
        price = "{input_usd_per_mtok: 1, output_usd_per_mtok: 1}}"
        done = cli(
            tmp_path,
            *("run", "model=local", "model.params.model=openai/coder", f"model.params.api_base={stub.base_url}"),
            *("strategy=greedy", "budget.steps=2", "launcher.n_jobs=1", "sandbox=local"),
            f"model.roles={{feedback: {{name: local, {params}{price}}}}}",
        )
        assert done.returncode == 0, done.stderr
        asked = Counter(seen.body["model"] for seen in stub.seen)
    (run,) = (tmp_path / "studies/main").glob("*/*/*/*/seed-0")
    calls = [e for e in read(run / "journal.jsonl")[1] if "model" in e]
    answered = {kind: {e["model"] for e in calls if e["type"] == kind} for kind in ("reply", "review")}
    assert answered == {"reply": {"coder"}, "review": {"critic"}}
    assert asked == Counter(e["model"] for e in calls)
    costs = {"reply": 0, "review": 0}
    for e in calls:
        costs[e["type"]] += usage_from_json(e["usage"]).cost_nusd or 0
    assert costs["reply"] == 0 < costs["review"]
    result = json.loads((run / "result.json").read_text())
    assert result["model_answered"] == "coder,critic"
    assert result["cost_usd"] == pytest.approx(costs["review"] / 1e9)
    told = cli(tmp_path, "report", "studies/main")
    assert told.returncode == 0, told.stderr
    table = (tmp_path / "studies/main/report_tables/cost_by_operator.csv").read_text().splitlines()
    shown = [dict(zip(table[0].split(","), line.split(","), strict=True)) for line in table[1:]]
    assert {row["operator"]: float(row["usd"]) > 0 for row in shown if row["operator"] in ("draft", "review")} == {
        "draft": False,
        "review": True,
    }
    assert "answered under" not in (tmp_path / "studies/main/report.html").read_text()
