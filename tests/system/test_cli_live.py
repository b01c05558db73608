"""A study with a real model's path: the command line, litellm, HTTP; a local server in the provider's place."""

import json

from mlesearch.models.limits.counters import CallCounters
from mlesearch.models.live.client import endpoint_bucket
from mlesearch.models.registry import make_model
from mlesearch.storage.journal import read
from mlesearch.testing.openai_stub import Fault, OpenAIStub, serving
from tests.support.command import SECRET, run_live


def test_a_run_over_http_is_live_and_leaks_no_key(tmp_path):
    engineer = make_model("sim", "simulated", {"capability": 0.9})
    with OpenAIStub(serving(engineer)) as stub:
        done = run_live(tmp_path, stub, "strategy=gome", "budget.steps=2")
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "studies/main").glob("*/*/*/*/seed-0")
    result = json.loads((run / "result.json").read_text())
    assert result["status"] == "ok"
    assert result["simulated"] is False
    assert result["cost_usd"] == 0.0
    assert result["tokens_in"] > 1000
    assert result["n_calls"] == stub.calls
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
    prompts = [p for p in (run / "blobs").iterdir() if p.read_text().startswith("[[")]
    asked = {e["prompt"] for e in read(run / "journal.jsonl")[1] if "prompt" in e}
    assert {p.name for p in prompts} >= asked
    assert len(asked) == result["n_calls"]


def test_a_refused_key_fails_the_run_which_goes_on_later(tmp_path):
    engineer = make_model("sim", "simulated", {"capability": 0.9})
    with OpenAIStub(serving(engineer)) as stub:
        stub.faults.extend([None, Fault.UNAUTHORIZED])
        first = run_live(tmp_path, stub, "strategy=greedy", "budget.steps=2")
        paid = stub.calls
        assert first.returncode == 1
        assert "MY_KEY" in first.stderr
        assert SECRET not in first.stderr
        assert "Traceback" not in first.stderr
        second = run_live(tmp_path, stub, "strategy=greedy", "budget.steps=2")
    assert second.returncode == 0, second.stderr
    (run,) = (tmp_path / "studies/main").glob("*/*/*/*/seed-0")
    result = json.loads((run / "result.json").read_text())
    assert result["n_calls"] == stub.calls - 1  # the refused call was answered with nothing
    assert paid == 2


def test_a_model_that_is_refused_ends_its_own_runs_and_no_others(tmp_path):
    """A sweep over three models: one call each finds out, one line each says what to set, the third model goes on."""
    engineer = make_model("sim", "simulated", {"capability": 0.9})
    faults = {"refused": Fault.UNAUTHORIZED, "broke": Fault.QUOTA}
    sweep = ["-m", "model.name=refused,broke,served", "model.params.model=openai/${model.name}", "seeds=[0,1]"]
    rest = ["strategy=random", "budget.steps=1", "model.params.limits={requests_per_minute: 60000}"]
    with OpenAIStub(serving(engineer)) as stub:
        stub.choose = lambda body: faults.get(body["model"])
        first = run_live(tmp_path, stub, *sweep, *rest)
        asked = [seen.body["model"] for seen in stub.seen]
        assert first.returncode == 1, first.stderr
        assert (asked.count("refused"), asked.count("broke")) == (1, 1)
        said = [line for line in first.stderr.splitlines() if line.startswith("failed: ")]
        assert len(said) == 2
        for line, model, advice in zip(
            said, faults, ("export a valid key as MY_KEY", "add credit to the account of MY_KEY"), strict=True
        ):
            assert line.startswith(f"failed: {model}/random/base/rentals/seed-0 and 1 more: ")
            assert advice in line
        assert SECRET not in first.stdout + first.stderr
        results = {
            str(run.relative_to(tmp_path / "studies/main")).partition("/")[0] + run.name[-2:]: json.loads(
                (run / "result.json").read_text()
            )["status"]
            for run in (tmp_path / "studies/main").glob("*/*/*/*/seed-?")
        }
        assert results == {
            **{f"{model}-{seed}": "failed" for model in faults for seed in (0, 1)},
            **{f"served-{seed}": "ok" for seed in (0, 1)},
        }
        stub.choose = lambda _body: None
        second = run_live(tmp_path, stub, *sweep, *rest)
        assert second.returncode == 0, second.stderr  # at once: a new launch asks again
        counters = CallCounters(tmp_path / "studies/main/limits.db")
        assert counters.totals(endpoint_bucket(stub.base_url))[0] == stub.calls
        counters.close()
