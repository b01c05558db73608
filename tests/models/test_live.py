"""Live models through real litellm over real HTTP, against the stub server."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mlesearch.models import price_map
from mlesearch.models.embed import LitellmEmbedder, make_embedder
from mlesearch.models.live import client
from mlesearch.models.live import litellm as live
from mlesearch.models.live.loop import MAX_IN_FLIGHT
from mlesearch.models.protocol import (
    Address,
    AuthFailed,
    BadRequest,
    ContentFilter,
    ContextOverflow,
    EmbedRequest,
    EmptyReply,
    FatalModelError,
    Message,
    Price,
    QuotaExhausted,
    Request,
    RetriesExhausted,
    Sampling,
)
from mlesearch.models.registry import make_model
from mlesearch.models.scripted import ScriptedModel
from mlesearch.testing import serve
from mlesearch.testing.openai_stub import Answer, Fault, OpenAIStub, serving
from mlesearch.types import ConfigError, Op
from tests.support import simulated_prompts

KEY = "sk-a-very-secret-key-0123456789"
PRICE = {"input_usd_per_mtok": 3.0, "output_usd_per_mtok": 15.0, "cached_usd_per_mtok": 0.3}
QUICK = {"base_s": 0.01, "cap_s": 0.02}
RETRIES = 2
ADDRESS = Address("run", 0, 0, Op.DRAFT)


def request(deadline_s: float = 20.0, **sampling: object) -> Request:
    messages = (Message("system", "Be brief."), Message("user", "Hello?"))
    return Request(messages, Sampling(**sampling), ADDRESS, 1, deadline_s)  # type: ignore[arg-type]  # tests pass what they mean


def model(stub: OpenAIStub, **params: object) -> live.LitellmModel:
    defaults = {
        "model": "openai/stub-model",
        "api_base": stub.base_url,
        "api_key_env": "STUB_KEY",
        "price": PRICE,
        "max_retries": RETRIES,
        "backoff": QUICK,
        "timeout_s": 10.0,
    }
    return live.make("stubbed", {**defaults, **params})


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_KEY", KEY)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    client.warm_up(client.load_litellm(), "openai/stub-model", "acompletion")


@pytest.fixture
def stub():
    with OpenAIStub(lambda _body: Answer("Hello!", 1000, 200, 400, 50), key=KEY, retry_after_s=0.2) as server:
        yield server


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


# fault, exception where every request meets it, HTTP calls then, whether a single one is survived
TABLE = [
    (Fault.RATE_LIMIT, RetriesExhausted, 1 + RETRIES, True),
    (Fault.RETRY_AFTER, RetriesExhausted, 1 + RETRIES, True),
    (Fault.SERVER_ERROR, RetriesExhausted, 1 + RETRIES, True),
    (Fault.OVERLOADED, RetriesExhausted, 1 + RETRIES, True),
    (Fault.RESET, RetriesExhausted, 1 + RETRIES, True),
    (Fault.TRUNCATED_JSON, RetriesExhausted, 1 + RETRIES, True),
    (Fault.HANG, RetriesExhausted, 1 + RETRIES, True),
    (Fault.DRIP, RetriesExhausted, 1 + RETRIES, True),
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
    (Fault.TOOL_CALLS, EmptyReply, 1, False),
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
    if error in (ContentFilter, EmptyReply) and fault is not Fault.CONTENT_FILTER:
        assert caught.value.usage.cost_nusd == 4_920_000  # type: ignore[attr-defined]  # all of ours carry it
    assert caught.value.usage.lost_nusd == calls * lost_nusd  # type: ignore[attr-defined]
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
    assert stub.calls == 1 if fault is not Fault.RATE_LIMIT else stub.calls > 2


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
    assert not client.load_litellm().drop_params


def test_declared_sampling_fills_what_a_request_leaves_open(stub: OpenAIStub) -> None:
    tested = model(stub, temperature=0.25, max_output_tokens=5000)
    tested.complete(request(max_tokens=9000))
    tested.complete(request(temperature=0.75, max_tokens=100))
    first, second = (seen.body for seen in stub.seen)
    assert (first["temperature"], first["max_tokens"]) == (0.25, 5000)
    assert (second["temperature"], second["max_tokens"]) == (0.75, 100)


def test_unknown_price_is_none_and_declared_zero_is_zero(stub: OpenAIStub) -> None:
    unknown = model(stub, price=None, model="gpt-5.4-mini")  # priced by the map, but this endpoint is not OpenAI's
    unknown.check()
    assert unknown.price is None
    assert unknown.complete(request()).usage.cost_nusd is None
    free = model(stub, price={"input_usd_per_mtok": 0, "output_usd_per_mtok": 0})
    assert free.complete(request()).usage.cost_nusd == 0


def test_a_reply_without_usage_has_no_known_cost(stub: OpenAIStub) -> None:
    stub.always = Fault.NO_USAGE
    assert model(stub).complete(request()).usage.cost_nusd is None
    free = model(stub, price={"input_usd_per_mtok": 0, "output_usd_per_mtok": 0})
    assert free.complete(request()).usage.cost_nusd == 0


def test_price_of_the_bundled_map(stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", stub.base_url)
    tested = live.make("mini", {"model": "gpt-5.4-mini"})
    tested.check()
    assert tested.price == Price(0.75, 4.5, 0.075)
    reply = tested.complete(request())
    assert reply.usage.cost_nusd == 600 * 750 + 400 * 75 + 200 * 4500
    nobody = live.make("nobody", {"model": "openai/never-heard-of-it"})
    nobody.check()
    assert nobody.price is None
    assert nobody.complete(request()).usage.cost_nusd is None


def test_tiers_of_the_map_count_in_the_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with OpenAIStub(lambda _body: Answer("Hello!", 300_000, 1000)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        reply = live.make("luna", {"model": "gpt-6-luna"}).complete(request())
    assert reply.usage.cost_nusd == 300_000 * 200 + 1000 * 750  # above 272,000 tokens: 0.2 and 0.75 USD per million


def test_the_bundled_map_prices_the_ten_models_of_the_grid() -> None:
    grid = [
        *("gpt-6-luna", "claude-haiku-5-5", "gemini/gemini-3.5-flash-lite", "zai/glm-5.3-flash", "gpt-5.4-mini"),
        *("gemini/gemini-3.8-flash", "deepseek/deepseek-v4-pro", "gpt-6.1-sol", "claude-opus-5-5"),
        "gemini/gemini-4-argon",
    ]
    assert [name for name in grid if price_map.map_price(name) is None] == []


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


def test_any_model_can_be_served_over_http() -> None:
    scripted = ScriptedModel(lambda asked: f"{asked.address.op}: {asked.messages[-1].content.splitlines()[0]}")
    with OpenAIStub(serving(scripted)) as server:
        tested = model(server)
        messages = (Message("user", '<job op="improve">\nGo on.\n</job>'),)
        reply = tested.complete(Request(messages, Sampling(max_tokens=77), ADDRESS, 1, 30.0))
        tested.complete(Request(messages, Sampling(), ADDRESS, 1, 30.0))
    assert reply.text == 'improve: <job op="improve">'
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (1000, 200)
    assert scripted.requests[0].sampling.max_tokens == 77
    assert scripted.requests[0].address != scripted.requests[1].address


def test_the_command_serves_engineers_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STUB_KEY")
    words = [sys.executable, "-m", "mlesearch.testing.serve", "--fault", "overloaded", "--share", "1.0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            url = served.stdout.readline().split(" at ")[1].split(";")[0]
            tested = live.make("m", {"model": "openai/sim_05", "api_base": url, "max_retries": 0})
            with pytest.raises(RetriesExhausted, match="Overloaded"):
                tested.complete(request())
        finally:
            served.send_signal(signal.SIGINT)
            assert served.stdout is not None
            assert served.stdout.read() == "1 requests served\n"
    assert served.returncode == 0
    with serve.stub(serve.parser().parse_args([])) as server:
        prompt = simulated_prompts.ask("rentals", Op.DRAFT)
        texts = [
            live.make("m", {"model": f"openai/{name}", "api_base": server.base_url})
            .complete(Request(prompt, Sampling(), ADDRESS, 1, 20.0))
            .text
            for name in ("sim_01", "sim_10")
        ]
        assert all("```python" in text for text in texts)
        assert texts[0] != texts[1]
        with pytest.raises(FatalModelError, match="correct its id"):
            live.make("m", {"model": "openai/sim_11", "api_base": server.base_url}).complete(request())


def python(code: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("LITELLM_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={**env, "PYTHONPATH": "", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_registry_does_not_import_litellm(tmp_path: Path) -> None:
    code = (
        "import sys, mlesearch.models.registry as r, mlesearch.models.embed as e\n"
        "m = r.make_model('m', 'litellm', {'model': 'gpt-6-luna', 'price': "
        "{'input_usd_per_mtok': 1, 'output_usd_per_mtok': 2}})\n"
        "m.check(); m.identity(); m.price; repr(m); e.make_embedder({})\n"
        "try: r.make_model('n', 'litellm', {'model': 'claude-opus-5-5'}).check()\n"
        "except Exception as error: print(error)\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('litellm', 'openai', 'aiohttp', 'hydra')])\n"
        "import threading; print(threading.active_count())"
    )
    done = python(code, tmp_path, OPENAI_API_KEY="sk-x", ANTHROPIC_API_KEY="")
    assert done.stderr == ""
    error, modules, threads = done.stdout.splitlines()
    assert "export ANTHROPIC_API_KEY=" in error
    assert (modules, threads) == ("[]", "1")


LIFE = """
import os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with it ignored
from mlesearch.models.protocol import *
from mlesearch.models.registry import make_model
from mlesearch.types import Op

def ask(m, deadline_s=30.0):
    return m.complete(Request((Message("user", "hi"),), Sampling(), Address("r", 0, 0, Op.DRAFT), 1, deadline_s))

m = make_model("m", "litellm", {"model": "openai/x", "api_base": sys.argv[1], "max_retries": 0})
print("first", ask(m).text)
assert "FROM_DOTENV" not in os.environ
child = os.fork()
if child == 0:
    with_threads = []
    workers = [threading.Thread(target=lambda: with_threads.append(ask(m).text)) for _ in range(4)]
    for w in workers: w.start()
    for w in workers: w.join()
    print("child", *with_threads, flush=True)
    os._exit(0)
print("status", os.waitpid(child, 0)[1])
print("after", ask(m).text)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
hanging = make_model("h", "litellm", {"model": "openai/hang", "api_base": sys.argv[1], "max_retries": 0})
start = time.monotonic()
try:
    ask(hanging)
except KeyboardInterrupt:
    print("interrupted", time.monotonic() - start < 5)
print("last", ask(m).text)
"""


def test_one_life_of_a_process(stub: OpenAIStub, tmp_path: Path) -> None:
    """Fork, interrupt and exit: a fork has its own loop, Ctrl-C is at once, nothing is printed at the end."""
    (tmp_path / ".env").write_text("FROM_DOTENV=1\n")
    stub.key = None
    hang = threading.Event()

    def reply(body):
        if body["model"] == "hang":
            hang.wait(60)
        return "ok"

    stub.reply = reply
    script = tmp_path / "life.py"
    script.write_text(LIFE)
    code = f"import sys; sys.argv[1:] = [{stub.base_url!r}]; exec(open({str(script)!r}).read())"
    start = time.monotonic()
    done = python(code, tmp_path)
    hang.set()
    # litellm's own logger may tell of a fork that caught it in the middle of something
    assert [line for line in done.stderr.splitlines() if "LoggingWorker: event loop changed" not in line] == []
    assert done.stdout.splitlines() == [
        "first ok",
        "child ok ok ok ok",
        "status 0",
        "after ok",
        "interrupted True",
        "last ok",
    ]
    assert time.monotonic() - start < 60
    assert stub.calls == 8


def test_make_model_dispatches(stub: OpenAIStub) -> None:
    made = make_model("m", "litellm", {"model": "openai/x", "api_base": stub.base_url})
    assert isinstance(made, live.LitellmModel)
    assert made.live
    assert not made.simulated
