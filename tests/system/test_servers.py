"""Live models against servers of others: llama.cpp's with a small model, and the litellm proxy (`make servers`).

They say what no stand-in of ours can: that their errors, their usage and their odd answers are what we take them for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from mlesearch.models.live import litellm as live
from mlesearch.models.protocol import (
    Address,
    AuthFailed,
    ContextOverflow,
    FatalModelError,
    Message,
    Reply,
    Request,
    RetriesExhausted,
    Sampling,
)
from mlesearch.testing.model_contract import ModelContract
from mlesearch.types import Op
from tests.support.command import cli
from tests.support.other_servers import BIN, OtherServer, litellm_proxy, llama_server

N_CTX = 2048
"""Tokens that the small server can hold: less than the prompts of a study."""

ROOMY_N_CTX = 8192
PRICE = {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0}
TWO_TRIES = {"max_retries": 1, "backoff": {"base_s": 0.01, "cap_s": 0.02}}
KEYS = {"LLAMA_KEY": "sk-llama-0123456789", "PROXY_KEY": "sk-proxy-0123456789", "WRONG_KEY": "sk-wrong-9876543210"}

PROGRAM = """import pandas as pd
from sklearn.linear_model import Ridge
train = pd.read_csv("input/train.csv").select_dtypes("number")
test = pd.read_csv("input/test.csv")
target = [c for c in train.columns if c not in test.columns][0]
names = [c for c in train.columns if c not in ("id", target)]
half = len(train) // 2
model = Ridge(alpha=@1).fit(train[names][:half].fillna(0), train[target][:half])
error = (model.predict(train[names][half:].fillna(0)) - train[target][half:])
print("validation_score:", (error ** 2).mean() ** 0.5)
model.fit(train[names].fillna(0), train[target])
rest = pd.concat([pd.read_csv("input/validation.csv"), test])
rest[target] = model.predict(rest[names].fillna(0))
rest[["id", target]].to_csv("submission.csv", index=False)
"""
"""What the small model may write: `@` is a digit of its own choice."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.servers,
    pytest.mark.skipif(not BIN.exists(), reason="the servers are not installed: run make servers"),
]


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)


@pytest.fixture(scope="module")
def llama(tmp_path_factory) -> Iterator[OtherServer]:
    with llama_server(tmp_path_factory.mktemp("llama"), N_CTX) as server:
        yield server


@pytest.fixture(scope="module")
def roomy_llama(tmp_path_factory) -> Iterator[OtherServer]:
    with llama_server(tmp_path_factory.mktemp("llama"), ROOMY_N_CTX) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(llama, tmp_path_factory) -> Iterator[OtherServer]:
    def entry(name: str, **other: object) -> dict[str, object]:
        params = {"model": "openai/smol", "api_base": llama.url, "api_key": llama.key, **other}
        return {"model_name": name, "litellm_params": params}

    models = [
        entry("smol"),
        entry("bad-key", api_key="sk-of-nobody"),
        entry("gone", api_base="http://127.0.0.1:1/v1"),
        entry("reasoner", model="openai/o3"),  # the proxy refuses a temperature for it before the server sees it
    ]
    with litellm_proxy(tmp_path_factory.mktemp("proxy"), models) as server:
        yield server


def ask(server: OtherServer, key: str, text: str = "Say hello.", name: str = "smol", **params: object) -> Reply:
    """One answer of a model of a server."""
    declared = {"model": f"openai/{name}", "api_base": server.url, "api_key_env": key, "price": PRICE, **TWO_TRIES}
    messages = (Message("system", "Be brief."), Message("user", text))
    request = Request(messages, Sampling(max_tokens=12), Address("run", 0, 0, Op.DRAFT), 1, 60.0)
    return live.make("other", declared | params).complete(request)


def grammar(*texts: str) -> str:
    """A grammar of llama.cpp's that admits these texts alone; `@` stands for a digit of 1 to 9."""

    def rule(text: str) -> str:
        return " ".join(part if part == "[1-9]" else json.dumps(part) for part in _split(text))

    return "root ::= " + " | ".join(rule(text) for text in texts)


def _split(text: str) -> list[str]:
    parts = [part for piece in text.split("@") for part in (piece, "[1-9]")]
    return parts[:-1]


class TestContractOverLlama(ModelContract):
    @pytest.fixture(autouse=True)
    def served(self, llama, keys):
        self.url = llama.url

    def make(self):
        declared = {"model": "openai/smol", "api_base": self.url, "api_key_env": "LLAMA_KEY", "price": PRICE}
        return live.make("other", {**declared, **TWO_TRIES, "max_output_tokens": 8})


def test_an_answer_and_what_it_cost(llama):
    reply = ask(llama, "LLAMA_KEY")
    assert reply.text.strip()
    assert 10 < reply.usage.input_tokens < 40
    assert 0 < reply.usage.output_tokens <= 12
    assert reply.usage.cost_nusd == 1_000 * reply.usage.input_tokens + 2_000 * reply.usage.output_tokens


def test_the_proxy_hands_the_usage_on(llama, proxy):
    direct, through = ask(llama, "LLAMA_KEY"), ask(proxy, "PROXY_KEY")
    assert through.usage.input_tokens == direct.usage.input_tokens


@pytest.mark.parametrize("through", ["llama", "proxy"])
def test_a_prompt_that_does_not_fit_is_too_long(llama, proxy, through):
    server, key = (llama, "LLAMA_KEY") if through == "llama" else (proxy, "PROXY_KEY")
    with pytest.raises(ContextOverflow, match="prompt is too long"):
        ask(server, key, "hello " * (2 * N_CTX))


@pytest.mark.parametrize("through", ["llama", "proxy"])
def test_a_wrong_key_ends_the_models_runs(llama, proxy, through):
    server = llama if through == "llama" else proxy
    with pytest.raises(AuthFailed) as raised:
        ask(server, "WRONG_KEY")
    assert "export a valid key as WRONG_KEY" in str(raised.value)
    assert KEYS["WRONG_KEY"] not in str(raised.value)


def test_the_proxys_own_key_for_the_provider_is_wrong(proxy):
    with pytest.raises(AuthFailed, match="Invalid API Key"):
        ask(proxy, "PROXY_KEY", name="bad-key")


def test_a_model_that_the_proxy_does_not_have(proxy):
    with pytest.raises(FatalModelError, match="does not have this model"):
        ask(proxy, "PROXY_KEY", name="nothing-like-it")


def test_a_provider_that_the_proxy_cannot_reach_is_tried_again(proxy):
    with pytest.raises(RetriesExhausted, match="2 tries"):
        ask(proxy, "PROXY_KEY", name="gone")


def test_a_parameter_that_the_proxy_refuses_is_left_out_and_named(proxy):
    reply = ask(proxy, "PROXY_KEY", name="reasoner", temperature=0.3)
    assert "temperature" in reply.dropped
    assert reply.usage.output_tokens > 0


def test_a_grammar_in_the_body_reaches_llama(llama):
    assert ask(llama, "LLAMA_KEY", extra_body={"grammar": grammar("yes @", "no @")}).text[:-1] in {"yes ", "no "}


def run(folder, server, key, *words):
    """A study of the small model."""
    return cli(
        folder, "run", "model=local", "sandbox=local", "launcher.n_jobs=1", "model.params.model=openai/smol",
        f"model.params.api_base={server.url}", f"model.params.api_key_env={key}", *words,
        env={key: KEYS[key]}, timeout_s=900.0,
    )  # fmt: skip


@pytest.mark.timeout(1000)
def test_a_study_with_a_real_model(roomy_llama, tmp_path):
    """It writes whole programs, which run and are scored; the recording gives the same study without a server."""
    written = grammar(f"A plan.\n```python\n{PROGRAM}```\n")
    body = "model.params.extra_body=" + json.dumps({"grammar": written})
    recorded = ("cassette=record", "sandbox.exec_store=record")
    words = ("strategy=random", "strategy.review=false", "budget.steps=1", body, "study.name=small", *recorded)
    done = run(tmp_path, roomy_llama, "LLAMA_KEY", *words)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "studies/small").glob("*/*/*/*/seed-0")
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "ok"
    assert result["simulated"] is False
    assert result["valid"]
    assert result["n_executions"] == 1
    assert result["tokens_in"] > 1_000
    replayed = cli(tmp_path, "replay", "studies/small")
    assert replayed.returncode == 0, replayed.stderr


def test_a_study_whose_prompts_never_fit_completes_and_says_so(llama, tmp_path):
    done = run(tmp_path, llama, "LLAMA_KEY", "strategy=greedy", "budget.steps=2")
    assert "Traceback" not in done.stderr
    assert "0 of 2 steps gave one, the prompt is longer than the model takes" in done.stdout


def test_a_study_with_a_wrong_key_stops_with_one_line(proxy, tmp_path):
    done = run(tmp_path, proxy, "WRONG_KEY", "strategy=greedy", "budget.steps=2")
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert len(said) == 1
    assert "export a valid key as WRONG_KEY" in said[0]
