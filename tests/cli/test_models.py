"""The models' files against the map they name; `mlesearch models list | check`; models in roles."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.budgets.meter import Meter
from mlesearch.cli import models as checking
from mlesearch.cli.catalogue import model_rows
from mlesearch.config import compose
from mlesearch.config.build import make_roles, roles_by_op
from mlesearch.config.plan import plan
from mlesearch.config.resources import ProcessResources
from mlesearch.config.settings import ROLE_OPS, ModelSettings, Settings, role_settings
from mlesearch.models.live.client import load_litellm
from mlesearch.models.params import read_live
from mlesearch.models.price_map import map_cost_nusd, map_entry, map_price, map_version
from mlesearch.models.protocol import Address, Message, Model, Price, Request, Sampling
from mlesearch.models.registry import make_model
from mlesearch.storage.codec import usage_from_json
from mlesearch.storage.journal import read
from mlesearch.testing.openai_stub import Answer, Fault, OpenAIStub, serving
from mlesearch.types import ConfigError, Op
from tests.system.test_cli import cli

GRID = {
    "efficiency": ["claude-haiku-5-5", "gemini-3.5-flash-lite", "glm-5.3-flash", "gpt-6-luna"],
    "advanced": ["deepseek-v4-pro", "gemini-3.8-flash", "gpt-5.4-mini"],
    "frontier": ["claude-opus-5-5", "deepseek-r1", "gemini-4-argon", "gpt-5", "gpt-6.1-sol"],
}
REQUEST = Request((Message("user", "ready?"),), Sampling(max_tokens=10), Address("r", 0, 0, Op.DRAFT), 1, 60.0)
TODAY = datetime.date(2026, 11, 1)


def settings(*words: str) -> Settings:
    return compose.jobs(compose.expand(words), False).jobs[0].settings


def live_models() -> list[ModelSettings]:
    return [m for m in compose.models() if m.kind == "litellm" and m.name != "local"]


# files


def test_the_grid_and_its_tiers() -> None:
    tiers: dict[str | None, list[str]] = {}
    for m in live_models():
        tiers.setdefault(m.tier, []).append(m.name)
        assert m.capability is None  # no number of ours: it has to come from outside the runs
    assert tiers == GRID
    assert [m.name for m in compose.models() if m.kind == "simulated"] == [f"sim_{i:02}" for i in range(1, 11)]


@pytest.mark.parametrize("m", live_models(), ids=lambda m: m.name)
def test_a_file_says_what_the_map_says_that_it_names(m: ModelSettings) -> None:
    price = m.params["price"]
    if not price["source"].startswith(map_version()):
        pytest.skip(f"the file was written from {price['source']}, this is {map_version()}")
    params = read_live(m.name, m.params)
    assert params.price == map_price(params.model)
    assert datetime.date.fromisoformat(price["as_of"])
    entry = map_entry(params.model)
    assert params.context_window == entry["max_input_tokens"]
    assert params.max_output_tokens == entry["max_output_tokens"]
    assert m.sampling.max_tokens <= entry["max_output_tokens"]


def test_every_file_can_be_asked_for_by_its_name() -> None:
    by_name = {m.name: m for m in compose.models()}
    for name in ("gemini-3.5-flash-lite", "gpt-6.1-sol", "claude-opus-5-5", "sim_10"):
        assert settings(f"model={name}").model == by_name[name]


def test_long_prompts_have_their_own_price() -> None:
    price = Price(1.0, 2.0, 0.1, 1000, 10.0, 20.0, 0.5)
    assert price.cost_nusd(1000, 10, 100) == 900 * 1000 + 100 * 100 + 10 * 2000
    assert price.cost_nusd(1001, 10, 100) == 901 * 10_000 + 100 * 500 + 10 * 20_000
    given = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2, "cached_usd_per_mtok": 0.1}
    long = {"above_tokens": 1000, "input_usd_per_mtok": 10, "output_usd_per_mtok": 20, "cached_usd_per_mtok": 0.5}
    assert read_live("m", {"model": "gpt-5", "price": {**given, "long": long}}).price == price
    with pytest.raises(ConfigError, match="long needs above_tokens"):
        read_live("m", {"model": "gpt-5", "price": {**given, "long": {"above_tokens": 5}}})
    luna = map_price("gpt-6-luna")
    assert luna is not None
    assert luna.cost_nusd(300_000, 1000) == 300_000 * 200 + 1000 * 750


def test_what_a_provider_puts_into_its_cache_has_its_own_price() -> None:
    usual = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2, "cached_usd_per_mtok": 0.1}
    long = {"above_tokens": 1000, "input_usd_per_mtok": 10, "output_usd_per_mtok": 20}
    plain = read_live("m", {"model": "gpt-5", "price": {**usual, "long": long}}).price
    assert plain is not None
    assert plain.cost_nusd(1000, 10, 100, 500) == plain.cost_nusd(1000, 10, 100)  # not declared: as any other token
    written = {"cache_write_usd_per_mtok": 1.25, "long": {**long, "cache_write_usd_per_mtok": 12.5}}
    price = read_live("m", {"model": "gpt-5", "price": {**usual, **written}}).price
    assert price is not None
    assert price.cost_nusd(1000, 10, 100, 500) == 400 * 1000 + 100 * 100 + 500 * 1250 + 10 * 2000
    assert price.cost_nusd(1001, 10, 0, 500) == 501 * 10_000 + 500 * 12_500 + 10 * 20_000


@pytest.mark.parametrize("prompt", [10_000, 300_000])
@pytest.mark.parametrize("m", live_models(), ids=lambda m: m.name)
def test_a_call_with_a_cache_costs_what_the_map_reckons(
    m: ModelSettings, prompt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prompts that were read from a cache, put into one, and neither; at the hours at which they cost most."""
    id = str(m.params["model"])
    monkeypatch.delitem(load_litellm().model_cost[id], "off_peak_pricing", raising=False)
    free = map_entry(id).get("cache_creation_input_token_cost") == 0  # such a provider reports none
    answer = Answer("ok", prompt, 10, cached_tokens=2000, cache_write_tokens=0 if free else 3000)
    with OpenAIStub(lambda _body: answer) as stub:
        own = {"model": "openai/x", "api_base": stub.base_url, "price": m.params["price"]}
        usage = make_model(m.name, "litellm", own).complete(REQUEST).usage
    details = {"cached_tokens": 2000, "cache_write_tokens": answer.cache_write_tokens}
    told = {"prompt_tokens": prompt, "completion_tokens": 10, "prompt_tokens_details": details}
    response = load_litellm().ModelResponse(model=id, usage=told)
    assert usage.cost_nusd == map_cost_nusd(response, id)
    assert usage.cost_nusd <= Meter.worst_case(prompt, 10, read_live(m.name, m.params).price).cost_nusd


# list and check


def test_the_list_needs_no_key_and_names_them_all(tmp_path: Path) -> None:
    done = cli(tmp_path, "models", "list")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["name", "kind", "tier"]
    assert [line.split()[0] for line in lines[1:]] == [m.name for m in compose.models()]
    by_name = {row["name"]: row for row in model_rows(compose.models())}
    assert by_name["gpt-6-luna"]["USD/M in"] == "0.1"
    assert by_name["gpt-6-luna"]["USD/M cache write"] == "0.125"
    assert by_name["gpt-5"]["USD/M cache write"] == "-"
    assert by_name["local"]["USD/M out"] == "free"
    assert by_name["sim_03"]["capability"] == "0.3"
    bare = ModelSettings("x", "litellm", params={"model": "openai/x"})
    assert model_rows([bare])[0]["USD/M in"] == "unknown"


def _make(m: ModelSettings) -> Model:
    return make_model(m.name, m.kind, m.params)


def _local(stub: OpenAIStub, **params: object) -> ModelSettings:
    own = {"model": "openai/x", "api_base": stub.base_url, "api_key_env": "CHECK_KEY", "max_retries": 0}
    return ModelSettings("mine", "litellm", params={**own, **params})


def _ask(m: ModelSettings) -> tuple[bool, list[str]]:
    return checking.check(m, _make, TODAY)


@pytest.mark.parametrize(
    ("fault", "answered", "said"),
    [
        (None, True, "mine: answers as x after "),
        (Fault.LENGTH_EMPTY, True, "mine: answers as x after "),
        (Fault.EMPTY_TEXT, True, "mine: answers (at an unknown price), without a text"),
        (Fault.UNAUTHORIZED, False, "export a valid key as CHECK_KEY"),
        (Fault.QUOTA, False, "add credit to the account of CHECK_KEY"),
        (Fault.NOT_FOUND, False, "correct its id"),
        (Fault.OVERLOADED, False, "Overloaded at its api_base"),
    ],
)
def test_a_check_says_what_fails_and_why(
    monkeypatch: pytest.MonkeyPatch, fault: Fault | None, answered: bool, said: str
) -> None:
    monkeypatch.setenv("CHECK_KEY", "sk-0123456789")
    with OpenAIStub("ready") as stub:
        stub.always = fault
        found, lines = _ask(_local(stub))
        assert stub.calls == 1
        assert stub.seen[0].body["max_tokens"] == 1
    assert found is answered
    assert said in lines[0]
    assert "its price is unknown" in lines[1]
    assert all("\n" not in line for line in lines)


def test_a_check_without_a_key_calls_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHECK_KEY", raising=False)
    with OpenAIStub("ready") as stub:
        found, (line,) = _ask(_local(stub))
        assert stub.calls == 0
    assert not found
    assert "export CHECK_KEY=" in line


def test_a_simulated_model_answers_without_a_network() -> None:
    (sim,) = (m for m in compose.models() if m.name == "sim_05")
    found, lines = _ask(sim)
    assert len(lines) == 1
    assert found, lines


def test_a_model_that_retires_is_warned_of() -> None:
    (gpt5,) = (m for m in compose.models() if m.name == "gpt-5")
    assert "retired on 2026-12-11, in 40 days" in checking.retirement(gpt5, TODAY)
    assert "may answer no more" in checking.retirement(gpt5, datetime.date(2027, 1, 1))
    assert checking.retirement(gpt5, datetime.date(2026, 1, 1)) == ""
    with pytest.raises(ConfigError, match=r"model\.retires: 'soon'"):
        checking.retirement(ModelSettings("x", "litellm", retires="soon", params={"model": "gpt-5"}), TODAY)


def test_the_map_s_own_date_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlesearch.models.price_map.map_entry", lambda _id: {"deprecation_date": "2026-11-05"})
    m = ModelSettings("x", "litellm", params={"model": "gpt-5"}, retires="2027-01-01")
    assert "retired on 2026-11-05, in 4 days" in checking.retirement(m, TODAY)


def test_a_price_that_the_map_no_longer_has_is_pointed_out() -> None:
    (luna,) = (m for m in compose.models() if m.name == "gpt-6-luna")
    assert checking._against_map(luna, map_price("gpt-6-luna")) == []
    (line,) = checking._against_map(luna, Price(5.0, 6.0))
    assert "its file says USD 5 in and 6 out" in line
    assert "0.1 in and 0.5 out" in line
    (line,) = checking._against_map(luna, replace(map_price("gpt-6-luna"), cache_write_usd_per_mtok=None))
    assert "what differs: cache_write_usd_per_mtok None and 0.125)" in line


def test_the_command_checks_one_by_name_and_overrides(tmp_path: Path) -> None:
    with OpenAIStub("ready") as stub:
        url = f"model.params.api_base={stub.base_url}"
        done = cli(tmp_path, "models", "check", "local", url)
        assert done.returncode == 0, done.stderr
        assert stub.calls == 1
    assert done.stdout.startswith("local: answers as local-model")
    wrong = cli(tmp_path, "models", "check", "gtp-5")
    assert wrong.returncode == 2
    assert "did you mean 'gpt-5'" in wrong.stderr
    keyless = cli(tmp_path, "models", "check", "gpt-5")
    assert keyless.returncode == 1
    assert "export OPENAI_API_KEY=" in keyless.stdout


# roles


def test_roles_cover_what_makes_no_program() -> None:
    assert Counter(op for ops in ROLE_OPS.values() for op in ops) == Counter(op for op in Op if not op.makes_program)


def test_a_role_is_a_file_and_what_differs_from_it() -> None:
    s = settings("model=sim_09", "model.roles={feedback: sim_03, ideas: {name: sim_05, sampling: {temperature: 0.5}}}")
    roles = {name: role_settings(plain) for name, plain in s.model.roles.items()}
    assert roles["feedback"].params == {"capability": 0.3}
    assert roles["ideas"].sampling.temperature == 0.5
    assert settings("model=sim_09", "model.roles.feedback=sim_03").model.roles["feedback"] == s.model.roles["feedback"]
    with ProcessResources() as resources:
        by_op = roles_by_op(s, make_model("sim_09", "simulated", s.model.params), make_roles(s, resources))
    answering = {op: role.model.name for op, role in by_op.items()}
    assert answering == {
        **dict.fromkeys((Op.DRAFT, Op.DEBUG, Op.IMPROVE, Op.MERGE), "sim_09"),
        **dict.fromkeys((Op.REVIEW, Op.DIAGNOSE), "sim_03"),
        **dict.fromkeys((Op.HYPOTHESIZE, Op.SELECT), "sim_05"),
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{feedbak: sim_03}", "model.roles.feedbak: there is no such role; there are: feedback, ideas"),
        ("{feedback: sim_3}", "model.roles.feedback: no model is called 'sim_3' (did you mean"),
        ("{feedback: 3}", "model.roles.feedback: the name of a model is needed"),
        ("{feedback: {name: sim_03, roles: {}}}", "model.roles.feedback.roles: there is no such key"),
        ("{feedback: {name: sim_03, sampling: {temp: 1}}}", "model.roles.feedback: "),
        ("{feedback: {name: sim_03, params: {capabilty: 1}}}", "capabilty"),
    ],
)
def test_a_wrong_role_gets_one_clear_line(given: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught, ProcessResources() as resources:
        plan([settings("model=sim_09", f"model.roles={given}")], resources)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_role_is_part_of_a_runs_identity_and_its_price_of_a_budget(tmp_path: Path) -> None:
    def run(*words: str):
        with ProcessResources() as resources:
            return plan([settings("model=sim_09", f"study.dir={tmp_path}", *words)], resources).runs[0]

    plain, other = run(), run("model.roles={feedback: sim_03}")
    assert "roles" not in plain.identity
    assert other.identity["roles"]["feedback"]["name"] == "sim_03"
    assert other.identity != run("model.roles={feedback: sim_04}").identity
    mixed = "model.roles={feedback: {name: local, params: {price: null}}}"
    assert run(mixed).labels["simulated"]
    with pytest.raises(ConfigError, match=r"the price of model\.roles\.feedback 'local' is not known"):
        run(mixed, "budget.cost_usd=1")


def test_a_run_with_one_model_for_code_and_another_for_feedback(tmp_path: Path) -> None:
    """Over HTTP: which model is asked for what, which one the journal says answered, and what each cost."""
    engineers = {name: make_model(name, "simulated", {"capability": 0.9}) for name in ("coder", "critic")}
    with OpenAIStub(serving(engineers)) as stub:
        params = f"params: {{model: openai/critic, api_base: '{stub.base_url}', price: "
        price = "{input_usd_per_mtok: 1, output_usd_per_mtok: 1}}"
        done = cli(
            tmp_path,
            *("run", "model=local", "model.params.model=openai/coder", f"model.params.api_base={stub.base_url}"),
            *("strategy=greedy", "budget.steps=2", "launcher.n_jobs=1"),
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
