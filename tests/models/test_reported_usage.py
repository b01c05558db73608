"""Usage that does not add up, over HTTP: what is booked is never less than what was sent and received costs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.budgets.meter import Budget, Meter
from mlesearch.models.live import litellm as live
from mlesearch.models.live.usage import Exchange, counted
from mlesearch.models.protocol import Message, Reply, Request, Sampling
from mlesearch.models.token_count import least_count, typical_count
from mlesearch.testing.openai_stub import Canned, OpenAIStub
from tests.support.live_calls import ADDRESS

PROMPT = "Improve the validation score of this program. " * 60
TEXT = "Use gradient boosting with early stopping. " * 20
USD_IN, USD_OUT = 3.0, 15.0
HONEST = {"prompt_tokens": 650, "completion_tokens": 180, "total_tokens": 830}

# what a server reports, whether the cost is known, and what is said of it (empty: nothing)
REPORTS: dict[str, tuple[object, bool, str]] = {
    "honest": (HONEST, True, ""),
    "missing": (None, False, "no usage"),
    "zero": ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, False, "no usage"),
    "negative": ({"prompt_tokens": -650, "completion_tokens": -180, "total_tokens": -830}, False, "odd form"),
    "strings": ({"prompt_tokens": "650", "completion_tokens": "180", "total_tokens": "830"}, True, "odd form"),
    "words": ({"prompt_tokens": "many", "completion_tokens": "few"}, False, "odd form"),
    "floats": ({"prompt_tokens": 650.0, "completion_tokens": 179.5, "total_tokens": 829.5}, True, "odd form"),
    "reasoning outside": (
        {
            "prompt_tokens": 650,
            "completion_tokens": 180,
            "total_tokens": 1580,
            "completion_tokens_details": {"reasoning_tokens": 750},
        },
        True,
        "total is above its sum",
    ),
    "reasoning outside, total too": (
        {**HONEST, "completion_tokens_details": {"reasoning_tokens": 750}},
        True,
        "reasoning is outside",
    ),
    "total above the sum": ({**HONEST, "total_tokens": 5000}, True, "total is above its sum"),
    "cached above the prompt": (
        {**HONEST, "prompt_tokens_details": {"cached_tokens": 6500}},
        True,
        "more cached tokens than the prompt has",
    ),
    "a total alone": ({"total_tokens": 830}, True, "a total alone"),
    "null fields": ({"prompt_tokens": None, "completion_tokens": None, "total_tokens": None}, False, "no usage"),
    "beyond measure": (
        {"prompt_tokens": 10**30, "completion_tokens": 10**30, "total_tokens": 2 * 10**30},
        False,
        "odd form",
    ),
    "huge": ({"prompt_tokens": 10**12, "completion_tokens": 10**12, "total_tokens": 2 * 10**12}, True, "than can be"),
    "far too few": ({"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}, True, "cut the prompt silently"),
    "no output": (
        {"prompt_tokens": 650, "completion_tokens": 0, "total_tokens": 650},
        False,
        "no tokens of the answer",
    ),
    "no prompt": ({"completion_tokens": 180, "total_tokens": 180}, False, "no prompt tokens"),
    "a list": ([650, 180], False, "odd form"),
    "other names": ({"input_tokens": 650, "output_tokens": 180}, True, ""),
    "details that are none": (
        {**HONEST, "prompt_tokens_details": "none", "completion_tokens_details": 5},
        True,
        "odd form",
    ),
}
REQUEST = Request((Message("user", PROMPT),), Sampling(max_tokens=2000), ADDRESS, 1, 20.0)


def _body(usage: object) -> dict[str, Any]:
    message = {"role": "assistant", "content": TEXT}
    body: dict[str, Any] = {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "stub-model",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    return body if usage is None else {**body, "usage": usage}


def _complete(usage: object) -> tuple[Reply, int]:
    with OpenAIStub() as stub:
        stub.always = Canned(200, _body(usage))
        price = {"input_usd_per_mtok": USD_IN, "output_usd_per_mtok": USD_OUT, "cached_usd_per_mtok": 0.3}
        params = {"model": "openai/stub-model", "api_base": stub.base_url, "price": price, "max_retries": 0}
        reply = live.make("m", params).complete(REQUEST)
        return reply, stub.calls


@pytest.mark.parametrize("name", REPORTS)
def test_what_is_booked_is_never_below_what_was_sent_and_received(name: str) -> None:
    usage, known, said = REPORTS[name]
    reply, calls = _complete(usage)
    assert (reply.text, calls) == (TEXT, 1)  # paid for once
    worst = REQUEST.worst_case(live.make("m", _priced()).price)
    meter = Meter(Budget(steps=1))
    booked_nusd = meter.settle(reply.usage, worst.cost_nusd)
    least_in, least_out = least_count(len(PROMPT)), least_count(len(TEXT))
    assert booked_nusd >= 1000 * (USD_IN * least_in + USD_OUT * least_out)
    assert booked_nusd <= worst.cost_nusd + 1000 * USD_OUT * 5000  # nor beyond all measure
    assert (reply.usage.cost_nusd is not None) == known
    assert reply.usage.input_tokens >= least_in  # budgets of tokens count too
    assert reply.usage.output_tokens >= least_out
    assert reply.usage.cached_tokens <= reply.usage.input_tokens
    if said:
        assert any(said in note for note in reply.notes), reply.notes
    else:
        assert reply.notes == ()


def _priced() -> dict[str, object]:
    price = {"input_usd_per_mtok": USD_IN, "output_usd_per_mtok": USD_OUT}
    return {"model": "openai/x", "api_base": "http://localhost:9/v1", "price": price}


def test_reasoning_beside_the_answer_is_paid_for() -> None:
    """As a server reports it that counts reasoning in its total alone (inspect_ai#5528)."""
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "total_tokens": 860,
        "completion_tokens_details": {"reasoning_tokens": 750},
    }
    c = counted(None, usage, Exchange(400, 40, 2000))
    assert (c.prompt, c.output, c.reasoning, c.known) == (100, 760, 750, True)


NUMBERS = st.none() | st.integers(-(10**9), 10**20) | st.floats() | st.text(max_size=6) | st.booleans()
DETAILS = st.none() | st.dictionaries(st.sampled_from(["cached_tokens", "reasoning_tokens"]), NUMBERS)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "prompt_tokens": NUMBERS,
            "completion_tokens": NUMBERS,
            "total_tokens": NUMBERS,
            "prompt_tokens_details": DETAILS,
            "completion_tokens_details": DETAILS,
        },
    )
    | st.none()
    | st.lists(st.integers(), max_size=2),
    st.integers(0, 10**6),
    st.integers(0, 10**5),
    st.integers(1, 10**5),
)
def test_no_report_makes_a_count_below_the_least(raw: object, prompt: int, answer: int, limit: int) -> None:
    c = counted(None, raw, Exchange(prompt, answer, limit))
    assert c.prompt >= least_count(prompt)
    assert c.output >= least_count(answer)
    assert c.prompt < 2**63 // 10**6
    assert c.output < 2**63 // 10**6
    assert 0 <= c.cached <= c.prompt
    assert 0 <= c.reasoning <= c.output
    assert 0 <= c.written <= c.prompt
    assert c.known or (c.notes and c.prompt >= min(c.prompt, typical_count(prompt)))
    json.dumps(c.notes)
