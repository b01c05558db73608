"""Each provider as litellm speaks to it, over real HTTP: one request an attempt, and what its own words mean."""

from __future__ import annotations

import importlib

import pytest

from mlesearch.models.embed import make_embedder
from mlesearch.models.live import client, library
from mlesearch.models.live import litellm as live
from mlesearch.models.live.keys import KEY_VARIABLES, KEYLESS
from mlesearch.models.protocol import (
    Address,
    AuthFailed,
    ContentFilter,
    ContextOverflow,
    EmbedRequest,
    Message,
    QuotaExhausted,
    Request,
    RetriesExhausted,
    Sampling,
)
from mlesearch.testing.openai_stub import Canned, Fault, OpenAIStub
from mlesearch.types import ModelUnavailable, Op

ADDRESS = Address("run", 0, 0, Op.DRAFT)
REQUEST = Request((Message("user", "Hello?"),), Sampling(max_tokens=10), ADDRESS, 1, 20.0)
PRICE = {"input_usd_per_mtok": 3.0, "output_usd_per_mtok": 15.0}
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
        with pytest.raises(RetriesExhausted, match="gave up after 1 try") as caught:
            live.make("m", {**_params(stub, f"{provider}/some-model"), "price": PRICE}).complete(REQUEST)
        assert caught.value.usage.lost_nusd == 0  # it answered, if only that it failed
        assert [OURS & set(seen.body) for seen in stub.seen] == [set()]


@pytest.mark.parametrize(
    "provider",
    [
        *("azure", "cohere", "dashscope", "fireworks_ai", "gemini", "hosted_vllm", "llamafile", "lm_studio", "mistral"),
        *("ollama", "openai", "openrouter", "together_ai", "voyage"),
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
    library.load_litellm()
    openai = importlib.import_module("openai")
    with OpenAIStub() as stub:
        stub.faults += [Fault.SERVER_ERROR, None]
        theirs = openai.OpenAI(api_key="sk-theirs", base_url=stub.base_url, max_retries=1)
        theirs.chat.completions.create(model="x", messages=[{"role": "user", "content": "hi"}])
        assert stub.calls == 2
        assert theirs.with_options(max_retries=5).max_retries == 5


def _google(code: int, message: str, status: str, *details: object) -> dict[str, object]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


# as the providers send them
WORDS = {
    "deepseek, filter": (
        "deepseek/deepseek-v4-pro",
        Canned(400, {"error": {"message": "Content Exists Risk", "type": "invalid_request_error", "param": None}}),
        ContentFilter,
    ),
    "zai, length": (
        "zai/glm-5.3-flash",
        Canned(400, {"error": {"code": "1261", "message": "Prompt exceeds max length"}}),
        ContextOverflow,
    ),
    "zai, filter": (
        "zai/glm-5.3-flash",
        Canned(
            400,
            {
                "error": {
                    "code": "1301",
                    "message": "System detected potentially unsafe or sensitive content in input or generation. "
                    "Please avoid using prompts that may generate sensitive content.",
                },
                "contentFilter": [{"level": 1, "role": "user"}],
            },
        ),
        ContentFilter,
    ),
    "anthropic, length": (
        "anthropic/claude-haiku-5-5",
        Canned(
            413,
            {"type": "error", "error": {"type": "request_too_large", "message": "Request exceeds the maximum size"}},
        ),
        ContextOverflow,
    ),
    "anthropic, credit": (
        "anthropic/claude-haiku-5-5",
        Canned(
            400,
            {
                "type": "error",
                "error": {
                    "type": "invalid_request_error",
                    "message": "Your credit balance is too low to access the Anthropic API.",
                },
            },
        ),
        QuotaExhausted,
    ),
    "xai, length": (
        "xai/grok-4",
        Canned(
            400,
            {
                "code": "Client specified an invalid argument",
                "error": "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
            },
        ),
        ContextOverflow,
    ),
    "openrouter, filter": (
        "openrouter/openai/gpt-5",
        Canned(
            403,
            {
                "error": {
                    "code": 403,
                    "message": 'openai/gpt-5 requires moderation on Azure. Your input was flagged for "violence".',
                    "metadata": {"reasons": ["violence"], "flagged_input": "..."},
                }
            },
        ),
        ContentFilter,
    ),
    "openrouter, key": (
        "openrouter/openai/gpt-5",
        Canned(403, {"error": {"code": 403, "message": "Key limit exceeded (monthly limit)."}}),
        AuthFailed,
    ),
    "dashscope, filter": (
        "dashscope/qwen-max",
        Canned(
            400,
            {
                "error": {
                    "code": "data_inspection_failed",
                    "message": "<400> InternalError.Algo.DataInspectionFailed: Input text data may contain "
                    "inappropriate content.",
                }
            },
        ),
        ContentFilter,
    ),
    "dashscope, length": (
        "dashscope/qwen-max",
        Canned(
            400,
            {
                "error": {
                    "code": "invalid_parameter_error",
                    "message": "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]",
                }
            },
        ),
        ContextOverflow,
    ),
    "gemini, key": (
        "gemini/gemini-3.8-flash",
        Canned(
            400,
            _google(
                400,
                "API key expired. Please renew the API key.",
                "INVALID_ARGUMENT",
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"},
            ),
        ),
        AuthFailed,
    ),
}


@pytest.mark.parametrize(("model", "answer", "error"), WORDS.values(), ids=WORDS)
def test_what_a_refusal_means(model: str, answer: Canned, error: type[ModelUnavailable]) -> None:
    with OpenAIStub() as stub:
        stub.always = answer
        with pytest.raises(ModelUnavailable) as caught:
            live.make("m", _params(stub, model)).complete(REQUEST)
        assert type(caught.value) is error, caught.value
        assert stub.calls == 1


QUOTA = "generativelanguage.googleapis.com/generate_content_paid_tier_input_token_count"
BUSY = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    "head to: https://ai.google.dev/gemini-api/docs/rate-limits. To monitor your current usage, head to: "
    f"https://ai.dev/usage?tab=rate-limit. \n* Quota exceeded for metric: {QUOTA}, limit: 1000000, model: "
    "gemini-3.8-flash"
)
RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37s"}
VIOLATION = {
    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
    "violations": [{"quotaMetric": QUOTA, "quotaId": "GenerateContentPaidTierInputTokensPerModelPerMinute"}],
}


@pytest.mark.parametrize(
    "body",
    [
        _google(429, BUSY, "RESOURCE_EXHAUSTED", VIOLATION, RETRY_INFO),
        _google(429, f"{BUSY}\nPlease retry in 36.8s.", "RESOURCE_EXHAUSTED"),
    ],
    ids=["in the details", "in words"],
)
def test_gemini_says_far_down_how_long_to_wait(body: dict[str, object]) -> None:
    with OpenAIStub() as stub:
        stub.always = Canned(429, body)
        params = {**_params(stub, "gemini/gemini-3.8-flash"), "max_retries": 9}
        with pytest.raises(RetriesExhausted, match=r"the server asks to wait 37 s") as caught:
            live.make("m", params).complete(REQUEST)
        assert stub.calls == 1
        assert len(str(caught.value)) < 600
