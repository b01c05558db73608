"""Live models through real litellm over real HTTP, against the stub server."""

from __future__ import annotations

import os
import pickle
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from mlesearch.models.live import library
from mlesearch.models.live import litellm as live
from mlesearch.models.live.loop import MAX_IN_FLIGHT
from mlesearch.models.protocol import (
    AuthFailed,
    BadRequest,
    ContentFilter,
    ContextOverflow,
    EmptyReply,
    FatalModelError,
    Message,
    QuotaExhausted,
    ReasoningReply,
    Request,
    RetriesExhausted,
    Sampling,
    ToolCallReply,
)
from mlesearch.models.registry import make_model
from mlesearch.testing.openai_stub import Fault, OpenAIStub
from mlesearch.types import ConfigError
from tests.support.live_calls import ADDRESS, KEY, RETRIES, model, request

pytestmark = pytest.mark.usefixtures("stub_key")


def test_happy_path_usage_and_cost(stub: OpenAIStub) -> None:
    reply = model(stub).complete(request(temperature=0.5, max_tokens=321))
    assert (reply.text, reply.finish, reply.model, reply.dropped) == ("Hello!", "stop", "stub-model", ())
    usage = reply.usage
    assert (usage.calls, usage.input_tokens, usage.cached_tokens) == (1, 1000, 400)
    assert (usage.output_tokens, usage.reasoning_tokens) == (200, 50)
    assert usage.cost_nusd == 600 * 3000 + 400 * 300 + 200 * 15000
    assert 0 < usage.service_us < 5_000_000
    (seen,) = stub.seen
    assert seen.body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello?"},
    ]
    assert (seen.body["temperature"], seen.body["max_tokens"], seen.body["model"]) == (0.5, 321, "stub-model")
    assert not seen.body.get("stream")
    assert seen.authorization == f"Bearer {KEY}"


# fault, exception where every request meets it, HTTP calls then (the last may ask something else), whether a single one
# is survived
TABLE = [
    (Fault.RATE_LIMIT, RetriesExhausted, 1 + RETRIES, True),
    (Fault.RETRY_AFTER, RetriesExhausted, 1 + RETRIES, True),
    (Fault.SERVER_ERROR, RetriesExhausted, 2 + RETRIES, True),
    (Fault.OVERLOADED, RetriesExhausted, 1 + RETRIES, True),
    (Fault.RESET, RetriesExhausted, 2 + RETRIES, True),
    (Fault.TRUNCATED_JSON, RetriesExhausted, 2 + RETRIES, True),
    (Fault.HANG, RetriesExhausted, 2 + RETRIES, True),
    (Fault.DRIP, RetriesExhausted, 2 + RETRIES, True),
    (Fault.UNAUTHORIZED, AuthFailed, 1, False),
    (Fault.QUOTA, QuotaExhausted, 1, False),
    (Fault.PAYMENT, QuotaExhausted, 1, False),
    (Fault.BAD_REQUEST, BadRequest, 1, False),
    (Fault.NOT_FOUND, FatalModelError, 1, False),
    (Fault.CONTEXT_OPENAI, ContextOverflow, 1, False),
    (Fault.CONTEXT_ANTHROPIC, ContextOverflow, 1, False),
    (Fault.CONTEXT_GEMINI, ContextOverflow, 1, False),
    (Fault.CONTENT_FILTER, ContentFilter, 1, False),
    (Fault.CONTENT_FILTER_FINISH, ContentFilter, 1, False),
    (Fault.EMPTY_CHOICES, EmptyReply, 1, False),
    (Fault.EMPTY_TEXT, EmptyReply, 1, False),
    (Fault.TOOL_CALLS, ToolCallReply, 1, False),
    (Fault.REASONING_ONLY, ReasoningReply, 1, False),
]
ANSWERED = {
    Fault.UNSUPPORTED_TEMPERATURE,
    Fault.UNSUPPORTED_MAX_TOKENS,
    Fault.NO_USAGE,
    Fault.LENGTH,
    Fault.LENGTH_EMPTY,
    Fault.REASONING,
}


CUT_OFF = {Fault.RESET, Fault.TRUNCATED_JSON, Fault.HANG, Fault.DRIP}
"""Faults in the middle of an answer, which may be billed."""

WORST_NUSD = (64 + len("Be brief.Hello?")) * 3000 + 8192 * 15000
PROBE_NUSD = (64 + 16) * 3000 + 64 * 15000


def test_the_table_covers_every_fault() -> None:
    assert {row[0] for row in TABLE} | ANSWERED == set(Fault)


@pytest.mark.parametrize(("fault", "error", "calls", "survived"), TABLE, ids=lambda value: getattr(value, "name", None))
def test_fault(
    stub: OpenAIStub,
    fault: Fault,
    error: type[Exception],
    calls: int,
    survived: bool,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    timeout_s = 0.3 if fault in (Fault.HANG, Fault.DRIP) else 10.0
    lost_nusd = WORST_NUSD if fault in CUT_OFF else 0
    tested = model(stub, timeout_s=timeout_s)
    stub.always = fault
    with pytest.raises(error) as caught:
        tested.complete(request())
    assert type(caught.value) is error
    assert stub.calls == calls
    text = str(caught.value)
    assert text.startswith("model 'stubbed': ")
    assert "\n" not in text
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__context__) + caplog.text
    out, err = capfd.readouterr()
    assert KEY not in shown + out + err
    assert out == ""
    if error in (ContentFilter, EmptyReply, ToolCallReply, ReasoningReply) and fault is not Fault.CONTENT_FILTER:
        assert caught.value.usage.cost_nusd == 4_920_000  # type: ignore[attr-defined]  # all of ours carry it
    probe_nusd = PROBE_NUSD if fault in CUT_OFF else 0
    assert caught.value.usage.lost_nusd == (calls - 1) * lost_nusd + probe_nusd  # type: ignore[attr-defined]
    stub.always = None
    if survived:
        stub.faults.append(fault)
        reply = tested.complete(request())
        assert reply.text == "Hello!"
        assert stub.calls == calls + 2
        assert (reply.usage.calls, reply.usage.cost_nusd, reply.usage.lost_nusd) == (1, 4_920_000, lost_nusd)
        waited_us = 300_000 if fault in (Fault.HANG, Fault.DRIP) else 200_000 if fault is Fault.RETRY_AFTER else 0
        assert reply.usage.wait_us >= waited_us
        assert reply.usage.service_us < 250_000 or waited_us == 0


def test_errors_say_what_to_set(stub: OpenAIStub) -> None:
    for fault in (Fault.UNAUTHORIZED, Fault.QUOTA):
        stub.faults.append(fault)
        with pytest.raises(FatalModelError, match="STUB_KEY"):
            model(stub).complete(request())


def test_a_wrong_key_is_refused_and_not_shown(stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_KEY", "sk-wrong-but-still-secret")
    with pytest.raises(AuthFailed) as caught:
        model(stub).complete(request())
    assert "sk-wrong" not in str(caught.value)
    assert "[key]" in str(caught.value)


def test_length_is_a_reply(stub: OpenAIStub) -> None:
    stub.faults += [Fault.LENGTH, Fault.LENGTH_EMPTY]
    first, second = model(stub).complete(request()), model(stub).complete(request())
    assert (first.finish, first.text) == ("length", "Hello!")
    assert (second.finish, second.text) == ("length", "")
    assert stub.calls == 2


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.DRIP, Fault.RATE_LIMIT])
def test_deadline_is_hard(stub: OpenAIStub, fault: Fault) -> None:
    stub.always = fault
    tested = model(stub, max_retries=1000, timeout_s=60.0)
    start = time.monotonic()
    with pytest.raises(RetriesExhausted, match=r"deadline of 0\.7 s"):
        tested.complete(request(deadline_s=0.7))
    assert time.monotonic() - start < 2.0
    assert stub.calls in (1, 2) if fault is not Fault.RATE_LIMIT else stub.calls > 2


def test_reasoning_is_counted_and_is_no_part_of_the_text(stub: OpenAIStub) -> None:
    stub.faults.append(Fault.REASONING)
    reply = model(stub).complete(request())
    assert (reply.text, reply.finish) == ("Hello!", "stop")
    assert (reply.usage.output_tokens, reply.usage.reasoning_tokens) == (200, 50)


def test_a_retry_after_beyond_the_deadline_is_not_waited_for() -> None:
    with OpenAIStub(retry_after_s=3600) as server:
        server.always = Fault.RETRY_AFTER
        start = time.monotonic()
        with pytest.raises(RetriesExhausted, match="asks to wait 3600 s"):
            model(server).complete(request(deadline_s=30.0))
        assert time.monotonic() - start < 5.0
        assert server.calls == 1


def test_a_dead_endpoint_is_named_by_its_parameter_alone() -> None:
    """The text is kept in the run's folder, where no URL of the user's belongs."""
    with OpenAIStub() as server:
        url = server.base_url
        tested = model(server, max_retries=0)
    with pytest.raises(RetriesExhausted, match="at its api_base") as caught:
        tested.complete(request())
    assert caught.value.usage.lost_nusd == 0  # nothing was sent
    assert urlsplit(url).netloc not in str(caught.value)


def test_missing_key_is_refused_before_any_call(stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STUB_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-some-other-key")
    tested = model(stub)
    with pytest.raises(ConfigError, match=r"export STUB_KEY=.*\.env") as caught:
        tested.check()
    assert "\n" not in str(caught.value)
    with pytest.raises(AuthFailed, match="STUB_KEY"):
        tested.complete(request())
    assert stub.calls == 0


def test_a_key_of_the_environment_is_not_sent_to_an_own_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with OpenAIStub() as server:
        tested = model(server, api_key_env=None)
        tested.check()
        tested.complete(request())
        assert KEY not in server.seen[0].authorization


def test_parameters_the_model_does_not_take_are_dropped_and_recorded(stub: OpenAIStub) -> None:
    tested = model(stub, model="zai/glm-5.3-flash")
    reply = tested.complete(request(temperature=0.5, reasoning_effort="high"))
    assert reply.dropped == ("reasoning_effort",)
    assert "reasoning_effort" not in stub.seen[0].body
    assert stub.seen[0].body["temperature"] == 0.5


def test_a_value_that_litellm_knows_to_be_refused_costs_no_call(stub: OpenAIStub) -> None:
    reply = model(stub, model="gpt-5").complete(request(temperature=0.2))
    assert reply.dropped == ("temperature",)
    assert stub.calls == 1
    assert "temperature" not in stub.seen[0].body


def test_a_parameter_that_the_provider_refuses_is_dropped_once_and_for_all(stub: OpenAIStub) -> None:
    stub.always = Fault.UNSUPPORTED_TEMPERATURE
    tested = model(stub, max_retries=0)
    assert tested.complete(request(temperature=0.5)).dropped == ("temperature",)
    assert stub.calls == 2
    assert tested.complete(request(temperature=0.5)).dropped == ("temperature",)
    assert stub.calls == 3
    assert tested.complete(request()).dropped == ()


def test_the_limit_on_the_answer_is_kept_under_its_newer_name(stub: OpenAIStub) -> None:
    stub.always = Fault.UNSUPPORTED_MAX_TOKENS
    reply = model(stub, max_retries=0).complete(request(max_tokens=123))
    assert reply.dropped == ()
    assert stub.calls == 2
    assert stub.seen[1].body["max_completion_tokens"] == 123


def test_no_deadline_is_too_long(stub: OpenAIStub) -> None:
    assert model(stub, timeout_s=1e9).complete(request(deadline_s=float("inf"))).text == "Hello!"


def test_no_global_flag_is_set_for_dropping(stub: OpenAIStub) -> None:
    model(stub).complete(request())
    assert not library.load_litellm().drop_params


def test_declared_sampling_fills_what_a_request_leaves_open(stub: OpenAIStub) -> None:
    tested = model(stub, temperature=0.25, max_output_tokens=5000)
    tested.complete(request(max_tokens=9000))
    tested.complete(request(temperature=0.75, max_tokens=100))
    first, second = (seen.body for seen in stub.seen)
    assert (first["temperature"], first["max_tokens"]) == (0.25, 5000)
    assert (second["temperature"], second["max_tokens"]) == (0.75, 100)


def test_keys_are_in_no_text(stub: OpenAIStub) -> None:
    tested = model(stub)
    tested.complete(request())
    texts = [repr(tested), str(tested.identity()), repr(tested.params), repr(vars(tested)), str(pickle.dumps(tested))]
    assert KEY not in "".join(texts)
    assert stub.base_url not in str(tested.identity())
    assert tested.identity() != model(stub, temperature=0.5).identity()
    assert tested.identity() == model(stub, timeout_s=1.0, max_retries=9, backoff={}).identity()
    assert tested.identity() == pickle.loads(pickle.dumps(tested)).identity()


def test_sixteen_threads_at_once() -> None:
    with OpenAIStub(lambda body: str(body["messages"][1]["content"]), key=KEY, latency_s=0.05) as server:
        tested = model(server)

        def ask(i: int) -> str:
            messages = (Message("system", "echo"), Message("user", f"number {i}"))
            return tested.complete(Request(messages, Sampling(), ADDRESS, 1, 30.0)).text

        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(ask, range(96))) == [f"number {i}" for i in range(96)]
        assert server.calls == 96
        assert server.in_flight_peak > 8


def test_no_more_than_64_in_flight() -> None:
    with OpenAIStub(key=KEY, latency_s=0.3) as server:
        tested = model(server)
        with ThreadPoolExecutor(100) as pool:
            replies = list(pool.map(lambda _i: tested.complete(request(60.0)), range(100)))
        assert server.in_flight_peak <= MAX_IN_FLIGHT
        assert server.in_flight_peak > MAX_IN_FLIGHT // 2
    assert max(reply.usage.wait_us for reply in replies) > 200_000  # the queue is waiting, not service


def test_no_descriptor_is_leaked(stub: OpenAIStub) -> None:
    tested = model(stub, max_retries=0, timeout_s=0.15)

    def round_of_calls() -> None:
        for fault in (None, Fault.RATE_LIMIT, Fault.RESET, Fault.TRUNCATED_JSON, Fault.HANG, Fault.DRIP, None):
            stub.faults.append(fault)
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda _i: _swallow(tested), range(4)))

    round_of_calls()
    before = _settled_descriptors()
    for _ in range(4):
        round_of_calls()
    # four kept connections, both ends of them in this process, come and go; a leak at each fault would be 20 or more
    assert _settled_descriptors(before) <= before + 8


def _swallow(tested: live.LitellmModel) -> None:
    try:
        tested.complete(request(deadline_s=1.0))
    except RetriesExhausted:
        return


def _settled_descriptors(target: int = 0) -> int:
    """Descriptors of this process, once closing connections has had a moment."""
    for _ in range(40):
        count = len(os.listdir("/proc/self/fd"))
        if count <= target:
            break
        time.sleep(0.05)
    return count


def test_make_model_dispatches(stub: OpenAIStub) -> None:
    made = make_model("m", "litellm", {"model": "openai/x", "api_base": stub.base_url})
    assert isinstance(made, live.LitellmModel)
    assert made.live
    assert not made.simulated
