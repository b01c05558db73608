"""Each provider as litellm speaks to it, over real HTTP: one request an attempt, and what its own words mean."""

from __future__ import annotations

import importlib

import pytest

from mlesearch.models import client
from mlesearch.models import litellm as live
from mlesearch.models.embed import make_embedder
from mlesearch.models.params import KEY_VARIABLES, KEYLESS
from mlesearch.models.protocol import Address, EmbedRequest, Message, Request, RetriesExhausted, Sampling
from mlesearch.testing.openai_stub import Fault, OpenAIStub
from mlesearch.types import Op

ADDRESS = Address("run", 0, 0, Op.DRAFT)
REQUEST = Request((Message("user", "Hello?"),), Sampling(max_tokens=10), ADDRESS, 1, 20.0)
OURS = {"max_retries", "num_retries", "allowed_openai_params", "timeout", "api_key", "api_base"}
"""What no provider may find in a request: it is meant for litellm."""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_KEY", "sk-a-very-secret-key-0123456789")
    monkeypatch.setattr(client, "warm_up", lambda *_what: None)  # a second a provider, and nothing is timed here


def _params(stub: OpenAIStub, model: str) -> dict[str, object]:
    return {
        "model": model,
        "api_base": stub.base_url,
        "api_key_env": "STUB_KEY",
        "max_retries": 0,
        "timeout_s": 10.0,
    }


@pytest.mark.parametrize("provider", sorted({*KEY_VARIABLES, *KEYLESS} - {"voyage"}))
def test_an_attempt_to_chat_is_one_request(provider: str) -> None:
    with OpenAIStub() as stub:
        stub.always = Fault.SERVER_ERROR
        with pytest.raises(RetriesExhausted, match="gave up after 1 try"):
            live.make("m", _params(stub, f"{provider}/some-model")).complete(REQUEST)
        assert [OURS & set(seen.body) for seen in stub.seen] == [set()]


@pytest.mark.parametrize(
    "provider",
    [
        *("azure", "cohere", "dashscope", "gemini", "hosted_vllm", "llamafile", "mistral", "openai", "openrouter"),
        *("together_ai", "voyage"),
    ],
)
def test_an_attempt_to_embed_is_one_request(provider: str) -> None:
    with OpenAIStub() as stub:
        stub.always = Fault.SERVER_ERROR
        embedder = make_embedder({"kind": "litellm", "deadline_s": 20.0, **_params(stub, f"{provider}/some-model")})
        with pytest.raises(RetriesExhausted, match="gave up after 1 try"):
            embedder.embed(EmbedRequest(("Hello.",), ADDRESS))
        assert [OURS & set(seen.body) for seen in stub.seen] == [set()]


def test_retries_of_others_in_this_process_are_left_alone() -> None:
    """Somebody who has a client of the same kind keeps what it was made with."""
    client.load_litellm()
    openai = importlib.import_module("openai")
    with OpenAIStub() as stub:
        stub.faults += [Fault.SERVER_ERROR, None]
        theirs = openai.OpenAI(api_key="sk-theirs", base_url=stub.base_url, max_retries=1)
        theirs.chat.completions.create(model="x", messages=[{"role": "user", "content": "hi"}])
        assert stub.calls == 2
        assert theirs.with_options(max_retries=5).max_retries == 5
