"""Errors of live models: which class providers' wordings are, what of them is shown, when to ask again."""

from __future__ import annotations

import email.utils
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.models.attempt import LeaveOut
from mlesearch.models.live.errors import Attempted, classify, clean, retry_after_s
from mlesearch.models.protocol import (
    AuthFailed,
    BadRequest,
    ContentFilter,
    ContextOverflow,
    FatalModelError,
    QuotaExhausted,
    RetriesExhausted,
)


class Raised(Exception):
    """An exception with litellm's attributes."""

    def __init__(self, message: str, **attributes: object) -> None:
        super().__init__(message)
        self.message = message
        for name, value in attributes.items():
            setattr(self, name, value)


# wordings as the providers document or send them
WORDINGS = [
    (429, None, "Resource has been exhausted (e.g. check quota).", RetriesExhausted),
    (
        429,
        None,
        "You exceeded your current quota, please check your plan and billing details. Please retry in 34.07s. "
        '{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}',  # Gemini's per-minute limit
        RetriesExhausted,
    ),
    (429, None, "This request would exceed your organization's rate limit of 50,000 input tokens", RetriesExhausted),
    (503, None, "The model is overloaded. Please try again later.", RetriesExhausted),
    (408, None, "Request timeout", BadRequest),  # after its retries: then it is this prompt's
    (409, None, "Conflict", BadRequest),
    (None, None, "Connection error.", RetriesExhausted),
    (500, None, "context length is mentioned here, but the server failed", RetriesExhausted),
    (400, None, "Your credit balance is too low to access the Anthropic API.", QuotaExhausted),
    (402, None, "Insufficient Balance", QuotaExhausted),
    (429, None, "Insufficient balance or no resource package. Please recharge.", QuotaExhausted),
    (429, "insufficient_quota", "You exceeded your current quota", QuotaExhausted),
    (400, None, "API key not valid. Please pass a valid API key.", AuthFailed),
    (401, None, "invalid x-api-key", AuthFailed),
    (403, None, "Your project does not have access to this model", AuthFailed),
    (404, None, "The model `x` does not exist", FatalModelError),
    (413, None, "Request too large for model", ContextOverflow),
    (400, None, "prompt is too long: 200001 tokens > 200000 maximum", ContextOverflow),
    (400, None, "The input token count (1048577) exceeds the maximum number of tokens allowed", ContextOverflow),
    (400, "context_length_exceeded", "Too long", ContextOverflow),
    (400, "content_filter", "filtered", ContentFilter),
    (400, None, "Your request was rejected as a result of our safety system.", ContentFilter),
    (400, None, "Invalid 'top_p'", BadRequest),
    (422, None, "Unprocessable", BadRequest),
]


@pytest.mark.parametrize(("status", "code", "message", "error"), WORDINGS)
def test_providers_wordings(status: int | None, code: str | None, message: str, error: type[Exception]) -> None:
    failure = classify(Raised(message, status_code=status, code=code))
    assert failure.error is error
    assert failure.retryable == (error is RetriesExhausted or status in (408, 409))
    assert message[:15] in failure.text


def test_codes_of_the_body_count() -> None:
    nested = {"error": {"code": "insufficient_quota", "message": "no"}}
    for body in (nested, nested["error"]):
        assert classify(Raised("no", status_code=429, body=body)).error is QuotaExhausted


def test_the_whole_message_says_what_it_means_and_its_beginning_is_shown() -> None:
    long = "x" * 2000
    assert classify(Raised(f"{long} prompt is too long", status_code=400)).error is ContextOverflow
    delayed = classify(Raised(f'{long} "retryDelay": "34s"', status_code=429))
    assert delayed.retry_after_s == 34.0
    assert len(delayed.text) < 400


def test_own_endpoints_are_redacted_in_all_spellings() -> None:
    url = "http://gpu-box.internal:8000/v1/"
    message = (
        "Cannot connect to host gpu-box.internal:8000 ssl:default [Connect call failed ('10.1.2.3', 8000)], "
        "[Errno 111] Connect call failed ('::1', 8000, 0, 0); http://GPU-box.internal:8000/v1/chat is not "
        "gpu-box.internal"
    )
    failure = classify(Raised(message, status_code=500), Attempted(own_endpoint=True, urls=(url,)))
    assert failure.text == (
        "HTTP 500: Cannot connect to host [api_base] ssl:default [Connect call failed (an address)], [Errno 111] "
        "Connect call failed (an address); [api_base]/chat is not [api_base] at its api_base"
    )
    kept = classify(
        Raised("the hosts of a host", status_code=500), Attempted(own_endpoint=True, urls=("http://host/v1",))
    )
    assert kept.text.startswith("HTTP 500: the hosts of a [api_base]")


def test_an_unsupported_parameter_is_named_only_if_it_can_be_dropped() -> None:
    error = Raised("'top_p' is not supported", status_code=400, code="unsupported_parameter", param="top_p")
    assert classify(error, Attempted(droppable={"top_p": 0.9, "temperature": 0.5})).change == LeaveOut("top_p")
    assert classify(error, Attempted(droppable={"temperature": 0.5})).change is None
    assert classify(error).error is BadRequest


def test_retry_after_in_its_forms() -> None:
    def seconds(text: str, name: str = "Retry-After") -> float | None:
        return retry_after_s(Raised("x", litellm_response_headers={name: text}), "x")

    assert seconds("7") == 7.0
    assert seconds("1500", "retry-after-ms") == 1.5
    assert seconds("-3") == 0.0
    assert seconds("soon") is None
    assert seconds("nan") is None
    assert seconds("inf") is None
    dated = seconds(email.utils.formatdate(time.time() + 30, usegmt=True))
    assert dated is not None
    assert 25 < dated <= 31
    assert seconds(email.utils.formatdate(time.time() - 30, usegmt=True)) == 0.0
    assert retry_after_s(Raised("x"), '{"retryDelay": "34s"}') == 34.0
    assert retry_after_s(Raised("x"), "Please retry in 37.2s.") == 37.2
    assert retry_after_s(Raised("x"), "Please retry in 950.5ms.") is None
    assert retry_after_s(Raised("x"), "x") is None


@given(st.text(max_size=400), st.text(alphabet="abcdef0123456789-", min_size=12, max_size=40))
def test_clean_texts_hold_no_secret_and_one_line(text: str, secret: str) -> None:
    cleaned = clean(f"litellm.RateLimitError: RateLimitError: OpenAIException - {text} {secret} {text}", [secret])
    assert secret not in cleaned
    assert len(cleaned.splitlines()) <= 1
    assert not cleaned.startswith("litellm.")
