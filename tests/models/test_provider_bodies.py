"""Errors as providers word them, from documentation and users' reports, each through litellm over real HTTP."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mlesearch.models.live import client
from mlesearch.models.live import litellm as live
from mlesearch.models.protocol import (
    Address,
    AuthFailed,
    BadRequest,
    ContentFilter,
    ContextOverflow,
    FatalModelError,
    Message,
    QuotaExhausted,
    Reply,
    Request,
    RetriesExhausted,
    Sampling,
)
from mlesearch.testing.openai_stub import Canned, OpenAIStub
from mlesearch.testing.openai_stub.native import asked_limit, system_text
from mlesearch.types import ModelUnavailable, Op
from tests.support.paths import ROOT

ROWS: list[dict[str, Any]] = json.loads((ROOT / "tests" / "data" / "provider_bodies.json").read_text())
NAMED = (
    *("OpenAI", "Anthropic", "Gemini", "DeepSeek", "Z.ai", "OpenRouter", "vLLM", "llama.cpp", "TGI", "Ollama"),
    *("LM Studio", "SGLang", "litellm proxy"),
)
ASKED_TOKENS = 10_000
ENDS = {
    "shrink": ContextOverflow,
    "wait": RetriesExhausted,
    "stop: key": AuthFailed,
    "stop: quota": QuotaExhausted,
    "stop: model": FatalModelError,
    "filter": ContentFilter,
    "refuse": BadRequest,
    "refuse after waiting": BadRequest,
}
"""What is raised, where the request can't be mended."""
MENDED = ("lower", "drop", "rename", "move system")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_KEY", "sk-a-very-secret-key-0123456789")
    monkeypatch.setattr(client, "warm_up", lambda *_what: None)


def canned(row: dict[str, Any]) -> Canned:
    kind = "text/html" if isinstance(row["body"], str) else "application/json"
    return Canned(row["status"], row["body"], kind=kind)


def complete(stub: OpenAIStub, row: dict[str, Any]) -> Reply:
    params = {
        "model": row["model"],
        "api_base": stub.base_url,
        "api_key_env": "STUB_KEY",
        "max_retries": 1 if "after waiting" in row["then"] else 0,
        "backoff": {"base_s": 0.01, "cap_s": 0.01},
        "timeout_s": 10.0,
        "price": {"input_usd_per_mtok": 3.0, "output_usd_per_mtok": 15.0},
    }
    effort = "low" if row.get("parameter") == "reasoning_effort" else None
    sampling = Sampling(0.5, 0.9, ASKED_TOKENS, effort)
    messages = (Message("system", "Be brief."), Message("user", "Hello?"))
    return live.make("m", params).complete(Request(messages, sampling, Address("run", 0, 0, Op.DRAFT), 1, 30.0))


def test_the_table_is_large_enough_and_names_every_provider() -> None:
    by_provider = Counter(row["who"] for row in ROWS)
    assert len(ROWS) >= 100
    assert min(by_provider[name] for name in NAMED) >= 5
    assert {row["then"] for row in ROWS} == {*ENDS, *MENDED}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['who']}, {row['status']}, {row['then']}")
def test_a_refusal_reaches_its_class_and_its_remedy(row: dict[str, Any]) -> None:
    with OpenAIStub("Hello!") as stub:
        if row["then"] in ENDS:
            stub.always = canned(row)
            with pytest.raises(ModelUnavailable) as caught:
                complete(stub, row)
            assert type(caught.value) is ENDS[row["then"]], caught.value
            assert "\n" not in str(caught.value)
            assert caught.value.usage.cost_nusd == 0
            assert stub.calls == (2 if "after waiting" in row["then"] else 1)
            return
        stub.faults.append(canned(row))
        reply = complete(stub, row)
        assert reply.text == "Hello!"
        assert stub.calls == 2
        refused, taken = (seen.body for seen in stub.seen)
        if row["then"] == "lower":
            limit = asked_limit(taken)
            assert asked_limit(refused) == ASKED_TOKENS
            assert limit is not None
            assert limit == row.get("limit", limit) <= row.get("at_most", limit)
            assert any(f"lowered from {ASKED_TOKENS} to {limit}" in note for note in reply.notes)
        elif row["then"] == "drop":
            assert reply.dropped == (row["parameter"],)
            assert not reply.notes
        elif row["then"] == "move system":
            assert (system_text(refused) != "", system_text(taken)) == (True, "")
            assert "Be brief.\\n\\nHello?" in json.dumps(taken)
            assert any("system text was moved" in note for note in reply.notes)
        else:
            assert "max_completion_tokens" in taken
            assert asked_limit(taken) == ASKED_TOKENS
