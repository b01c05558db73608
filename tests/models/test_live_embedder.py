"""Embeddings over real HTTP."""

from __future__ import annotations

import pytest

from mlesearch.models.embed import make_embedder
from mlesearch.models.live.embedder import LitellmEmbedder
from mlesearch.models.protocol import (
    AuthFailed,
    EmbedRequest,
    EmptyReply,
)
from mlesearch.testing.openai_stub import Fault, OpenAIStub
from mlesearch.types import ConfigError
from tests.support.live_calls import ADDRESS, KEY, QUICK

pytestmark = pytest.mark.usefixtures("stub_key")


def test_embedder_over_http(stub: OpenAIStub) -> None:
    params = {
        "kind": "litellm",
        "model": "openai/stub-embedder",
        "api_base": stub.base_url,
        "api_key_env": "STUB_KEY",
        "price": {"input_usd_per_mtok": 0.02},
        "max_retries": 1,
        "backoff": QUICK,
    }
    tested = make_embedder(params)
    assert isinstance(tested, LitellmEmbedder)
    assert tested.live
    tested.check()
    stub.faults.append(Fault.RATE_LIMIT)
    reply = tested.embed(EmbedRequest(("two words", "one", ""), ADDRESS))
    assert stub.calls == 2
    assert reply.usage.input_tokens == 4
    assert reply.usage.cost_nusd == 80
    assert all(abs(sum(x * x for x in vector) - 1) < 1e-12 for vector in reply.vectors)
    again = [tested.embed(EmbedRequest((text,), ADDRESS)).vectors[0] for text in ("two words", "one")]
    assert list(reply.vectors[:2]) == again  # each text has its own vector, though the stub answers in reverse order
    assert tested.embed(EmbedRequest((), ADDRESS)).vectors == ()
    stub.always = Fault.UNAUTHORIZED
    with pytest.raises(AuthFailed, match="STUB_KEY") as caught:
        tested.embed(EmbedRequest(("x",), ADDRESS))
    assert KEY not in str(caught.value)


def test_vectors_that_are_no_use_are_paid_for_all_the_same() -> None:
    params = {"model": "openai/x", "price": {"input_usd_per_mtok": 0.02}, "max_retries": 1, "backoff": QUICK}
    with OpenAIStub(dimensions=0) as server:
        tested = make_embedder({"kind": "litellm", "api_base": server.base_url, **params})
        server.faults.append(Fault.TRUNCATED_JSON)
        with pytest.raises(EmptyReply, match="2 texts were sent and 0 usable vectors came back") as caught:
            tested.embed(EmbedRequest(("two words", "one"), ADDRESS))
    assert (caught.value.usage.calls, caught.value.usage.cost_nusd) == (1, 60)
    assert caught.value.usage.lost_nusd == (64 + len("two wordsone")) * 20


def test_embedder_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        make_embedder({"kind": "litellm", "model": "text-embedding-3-small"}).check()  # type: ignore[attr-defined]  # both have it
