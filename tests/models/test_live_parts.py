"""The parts of live models that need no network: parameters, waiting, the loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import threading
import time
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.models.attempt import Failure, Success
from mlesearch.models.embed import make_embedder
from mlesearch.models.live import loop as loop_module
from mlesearch.models.live.keys import Key, provider_of
from mlesearch.models.live.loop import BackgroundLoop, background_loop
from mlesearch.models.live.params import read_live
from mlesearch.models.live.retry import Backoff, persist
from mlesearch.models.price import Price
from mlesearch.models.protocol import (
    AuthFailed,
    RetriesExhausted,
)
from mlesearch.models.registry import make_model
from mlesearch.types import ConfigError, Usage

FULL = {
    "model": "openai/local-model",
    "api_key_env": "MY_KEY",
    "api_base": "http://localhost:8000/v1/",
    "price": {"input_usd_per_mtok": 0, "output_usd_per_mtok": 0},
    "timeout_s": 30,
    "max_retries": 0,
    "backoff": {"base_s": 0.5, "cap_s": 5},
    "temperature": 0,
    "top_p": 0.9,
    "reasoning_effort": "low",
    "max_output_tokens": 2000,
    "context_window": 32768,
}


def test_every_parameter_is_read() -> None:
    params = read_live("model 'm'", FULL)
    assert params.key == Key(("MY_KEY",))
    assert params.api_base == "http://localhost:8000/v1"
    assert params.price == Price(0.0, 0.0)
    assert (params.timeout_s, params.max_retries, params.backoff) == (30.0, 0, Backoff(0.5, 5.0))
    assert (params.temperature, params.top_p) == (0.0, 0.9)
    assert (params.reasoning_effort, params.max_output_tokens, params.context_window) == ("low", 2000, 32768)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tempurature": 1}, "did you mean 'temperature'"),
        ({"zzz": 1}, "allowed: api_base"),
        ({"model": None}, "model is missing"),
        ({"model": 5}, "model must be a string, not 5"),
        ({"timeout_s": 0}, "timeout_s must be a number above 0"),
        ({"timeout_s": "10"}, "timeout_s must be a number"),
        ({"timeout_s": float("nan")}, "timeout_s must be a number"),
        ({"max_retries": -1}, "max_retries must be a whole number of at least 0"),
        ({"max_retries": 1.5}, "max_retries must be a whole number"),
        ({"max_retries": True}, "max_retries must be a whole number"),
        ({"temperature": -0.1}, "temperature must be a number of at least 0"),
        ({"max_tokens": 3000}, "unknown parameter 'max_tokens'"),
        ({"price": {"input_usd_per_mtok": 1}}, "price needs both"),
        ({"price": {"input": 1}}, "price: unknown parameter 'input'"),
        ({"price": 3}, "price must be a mapping"),
        ({"backoff": {"base": 1}}, "backoff: unknown parameter 'base'"),
        ({"api_base": "localhost:8000"}, "api_base must be a URL like"),
        ({"api_base": "http://[bad"}, "api_base must be a URL like"),
        ({"api_base": "http://me:pw@host/v1"}, "must not hold credentials"),
        ({"api_base": "http://host/v1?api-key=abcdef"}, "api_base must end with its path"),
        ({"api_base": "http://host/v1#abcdef"}, "api_base must end with its path"),
        ({"api_key_env": "sk-proj-abc"}, "must be the name of an environment variable"),
        ({"api_key_env": "gsk_" + "a1B2" * 12}, "must be the name of an environment variable"),
        ({"api_key_env": "hf_" + "a1B2" * 12}, "must be the name of an environment variable"),
        ({"api_key_env": "AKIAIOSFODNN7EXAMPLE"}, "must be the name of an environment variable"),
        ({"model": "nobody/x", "api_key_env": None, "api_base": None}, "set api_key_env to its name"),
        ({"model": "gemini-4-argon", "api_key_env": None, "api_base": None}, "set api_key_env to its name"),
    ],
)
def test_wrong_parameters_get_one_clear_line(change: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_live("model 'm'", {**FULL, **change})
    text = str(caught.value)
    assert said in text
    assert text.startswith("model 'm'")
    assert "\n" not in text
    assert "pw@" not in text
    assert not any(part in text for part in ("sk-proj", "abcdef", "a1B2", "AKIA"))


@pytest.mark.parametrize(
    ("model", "provider", "variables"),
    [
        ("gpt-6-luna", "openai", ("OPENAI_API_KEY",)),
        ("o3-mini", "openai", ("OPENAI_API_KEY",)),
        ("claude-opus-5-5", "anthropic", ("ANTHROPIC_API_KEY",)),
        ("gemini/gemini-4-argon", "gemini", ("GEMINI_API_KEY", "GOOGLE_API_KEY")),
        ("zai/glm-5.3-flash", "zai", ("ZAI_API_KEY",)),
        ("deepseek/deepseek-v4-pro", "deepseek", ("DEEPSEEK_API_KEY",)),
        ("ollama/llama4", "ollama", ()),
    ],
)
def test_the_key_variable_follows_the_provider(model: str, provider: str, variables: tuple[str, ...]) -> None:
    assert provider_of(model) == provider
    assert read_live("model 'm'", {"model": model}).key.variables == variables


def test_the_first_variable_that_is_set_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    key = Key(("FIRST_KEY", "SECOND_KEY"))
    monkeypatch.setenv("FIRST_KEY", "  ")
    monkeypatch.setenv("SECOND_KEY", "two")
    assert (key.read(), key.found_in) == ("two", "SECOND_KEY")
    monkeypatch.delenv("SECOND_KEY")
    with pytest.raises(ConfigError, match=r"FIRST_KEY or SECOND_KEY is not set; run `export FIRST_KEY=\.\.\.`"):
        key.check("model 'm'")
    Key(()).check("model 'm'")


def test_unknown_kinds() -> None:
    with pytest.raises(ConfigError, match=r"'litelm' \(did you mean 'litellm'\?\); there are: litellm, "):
        make_model("m", "litelm", {})
    with pytest.raises(ConfigError, match="known kinds: hashed, litellm"):
        make_embedder({"kind": "hash"})
    with pytest.raises(ConfigError, match="unknown parameter 'dims'"):
        make_embedder({"dims": 3})


@given(st.integers(1, 100), st.none() | st.floats(0, 1e4), st.floats(0, 100), st.floats(0, 1000))
def test_backoff_stays_in_its_bounds(failures: int, asked_s: float | None, base_s: float, cap_s: float) -> None:
    wait_s = Backoff(base_s, cap_s).wait_s(failures, asked_s)
    low = asked_s or 0.0
    most = min(cap_s, base_s * 2.0 ** (failures - 1))
    assert low <= wait_s <= low + most


class Sleeper:
    """A clock that runs only by sleeping."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 0
        self.slept: list[float] = []
        monkeypatch.setattr(time, "monotonic_ns", lambda: self.now_ns)
        monkeypatch.setattr(time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_ns += round(seconds * 1e9)


def test_persist_counts_only_the_last_attempt_as_service(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Sleeper(monkeypatch)
    results: list[Success[str] | Failure] = [
        Failure(RetriesExhausted, True, "busy", retry_after_s=5.0),
        Failure(RetriesExhausted, True, "busy"),
        Success("done", 2_000_000),
    ]

    def attempt(left_s: float) -> Success[str] | Failure:
        clock.now_ns += 2_000_000_000
        return results.pop(0)

    success, wait_us, lost_nusd = persist(
        attempt, owner="m", deadline_s=100.0, max_retries=2, backoff=Backoff(1.0, 8.0)
    )
    assert (success.value, lost_nusd) == ("done", 0)
    assert clock.slept[0] >= 5.0
    assert wait_us == pytest.approx(4_000_000 + sum(clock.slept) * 1e6, abs=2)


def test_persist_asks_before_a_try_that_follows_one_which_was_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    Sleeper(monkeypatch)
    busy, cut = (Failure(RetriesExhausted, True, "busy", cut_off=cut_off) for cut_off in (False, True))
    script: list[Success[str] | Failure] = [cut, busy, cut, cut, Success("done", 1)]
    happened: list[str] = []

    def attempt(left_s: float) -> Success[str] | Failure:
        happened.append("try")
        return script.pop(0)

    def call(max_retries: int) -> tuple[Success[str], int, int]:
        return persist(
            attempt,
            owner="m",
            deadline_s=1e6,
            max_retries=max_retries,
            backoff=Backoff(0.0, 0.0),
            worst_nusd=7,
            before_retry=lambda: happened.append("ask"),
        )

    assert call(4)[2] == 3 * 7
    assert happened == ["try", "ask", "try", "try", "ask", "try", "ask", "try"]
    script[:] = [cut, cut]
    with pytest.raises(RetriesExhausted) as raised:
        call(1)
    assert raised.value.usage == Usage(lost_nusd=2 * 7)


def test_persist_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Sleeper(monkeypatch)
    tried: list[float] = []

    def attempt(left_s: float) -> Failure:
        tried.append(left_s)
        clock.now_ns += 1_000_000_000
        return Failure(RetriesExhausted, True, "busy")

    with pytest.raises(RetriesExhausted, match="m: busy; gave up after 3 tries"):
        persist(attempt, owner="m", deadline_s=100.0, max_retries=2, backoff=Backoff(0.0, 0.0))
    assert len(tried) == 3
    tried.clear()
    with pytest.raises(RetriesExhausted, match="before the deadline"):
        persist(attempt, owner="m", deadline_s=2.5, max_retries=99, backoff=Backoff(0.0, 0.0))
    assert tried == [2.5, 1.5, 0.5]
    with pytest.raises(AuthFailed, match="m: no"):
        persist(
            lambda _left: Failure(AuthFailed, False, "no"), owner="m", deadline_s=1, max_retries=9, backoff=Backoff()
        )


def test_the_loop_is_one_per_process_and_bounds_what_ignores_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    assert background_loop() is background_loop()
    monkeypatch.setattr(loop_module, "GRACE_S", 0.2)
    own = BackgroundLoop()

    async def stubborn() -> None:
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            try:
                await asyncio.sleep(0.1)
            except asyncio.CancelledError:
                continue

    async def seven() -> int:
        return 7

    start = time.monotonic()
    with pytest.raises(TimeoutError):
        own.run(stubborn, limit_s=0.1, deadline_s=5.0)
    assert time.monotonic() - start < 1.2
    assert own.run(seven, limit_s=1.0, deadline_s=5.0) == 7
    own.close()
    own.close()


def test_the_loops_slots_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "MAX_IN_FLIGHT", 1)
    own = BackgroundLoop()

    async def fails() -> None:
        raise ValueError("as meant")

    async def sleeps() -> None:
        await asyncio.sleep(30)

    for _ in range(3):
        with pytest.raises(ValueError, match="as meant"):
            own.run(fails, limit_s=1.0, deadline_s=1.0)
        with pytest.raises(TimeoutError):
            own.run(sleeps, limit_s=0.05, deadline_s=1.0)
    own.close()


def test_a_coroutine_that_can_not_be_made_or_ignores_its_end_keeps_no_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_module, "MAX_IN_FLIGHT", 1)
    monkeypatch.setattr(loop_module, "GRACE_S", 0.1)
    own = BackgroundLoop()
    stop = threading.Event()

    def broken() -> Coroutine[Any, Any, int]:
        raise ValueError("as meant")

    async def stubborn() -> int:
        while not stop.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.05)
        return 1

    async def seven() -> int:
        return 7

    async def leaves() -> None:
        raise asyncio.CancelledError

    for _ in range(2):
        with pytest.raises(ValueError, match="as meant"):
            own.run(broken, limit_s=1.0, deadline_s=1.0)
    with pytest.raises(TimeoutError):
        own.run(stubborn, limit_s=0.05, deadline_s=5.0)
    assert own.run(seven, limit_s=1.0, deadline_s=1.0) == 7
    with pytest.raises(concurrent.futures.CancelledError):
        own.run(leaves, limit_s=1.0, deadline_s=1.0)
    stop.set()
    time.sleep(0.2)  # the stubborn one has ended: its slot was given back once
    assert own._slots.qsize() == 1
    own.close()
    with pytest.raises((RuntimeError, TimeoutError)):
        own.run(seven, limit_s=0.1, deadline_s=0.1)
    assert own._slots.qsize() == 1


def test_nothing_is_left_in_the_environment_by_reading_parameters() -> None:
    before = dict(os.environ)
    read_live("model 'm'", FULL)
    assert dict(os.environ) == before
