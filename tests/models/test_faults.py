"""Every fault of the stub through a real engine and litellm: what is sent, what comes of the run, what is journaled."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mlesearch.budgets.meter import Budget
from mlesearch.engine.loop import Engine
from mlesearch.engine.parts import RunEnd
from mlesearch.engine.trial import Role
from mlesearch.models.live import library
from mlesearch.models.live import litellm as live
from mlesearch.models.protocol import (
    AuthFailed,
    FatalModelError,
    QuotaExhausted,
    RetriesExhausted,
    Sampling,
)
from mlesearch.storage.codec import usage_from_json
from mlesearch.storage.journal import read
from mlesearch.testing.openai_stub import Answer, Fault, OpenAIStub
from mlesearch.types import ModelUnavailable, Op
from tests.support import toy_run

TRIES = 3
ATTEMPT_S = 0.3
BACKOFF_S = 0.05
RETRY_AFTER_S = 0.2
DEADLINE_S = 10.0
ROOM_S = 5.0
"""What a busy machine may add to a time limit before a test says that it was not kept."""

PROGRAM = "A plan.\n\n```python\nNUMBER = 0\n```\n"


@dataclass(frozen=True)
class Expected:
    """What comes of a run of one step whose every call meets the fault.

    Attributes:
        calls: HTTP calls.
        error: what ends the run; None: it goes on.
        least_s: it can't give up sooner.
        journal: the finish reasons of its replies, then the status of its step (none where the run failed).
        billed: calls whose tokens are in the journal.
    """

    calls: int
    error: type[ModelUnavailable] | None = None
    least_s: float = 0.0
    journal: Sequence[str] = ()
    billed: int = 0


AGAIN = Expected(TRIES, RetriesExhausted)
ASKED_ELSE = replace(AGAIN, calls=TRIES + 1)
"""The last call asks something else, which is not answered either."""
CUT = replace(ASKED_ELSE, least_s=TRIES * ATTEMPT_S)
OVERFLOW = Expected(2, journal=("context_overflow", "context_overflow", "reply_unusable"))
ENDURED = Expected(1, journal=("stop", "ok"), billed=1)

TABLE = {
    # may pass: tried again, then the run fails and can go on later
    Fault.RATE_LIMIT: AGAIN,
    Fault.RETRY_AFTER: replace(AGAIN, least_s=(TRIES - 1) * RETRY_AFTER_S),
    Fault.SERVER_ERROR: ASKED_ELSE,
    Fault.OVERLOADED: AGAIN,
    Fault.RESET: ASKED_ELSE,
    Fault.TRUNCATED_JSON: ASKED_ELSE,
    Fault.HANG: CUT,
    Fault.DRIP: CUT,
    # will not pass: one call, the run fails, the other models of a sweep go on
    Fault.UNAUTHORIZED: Expected(1, AuthFailed),
    Fault.QUOTA: Expected(1, QuotaExhausted),
    Fault.PAYMENT: Expected(1, QuotaExhausted),
    Fault.NOT_FOUND: Expected(1, FatalModelError),
    # of the prompt: journaled like a reply, asked once more, then the step is spent
    Fault.BAD_REQUEST: Expected(2, journal=("refused", "refused", "reply_unusable")),
    Fault.CONTEXT_OPENAI: OVERFLOW,
    Fault.CONTEXT_ANTHROPIC: OVERFLOW,
    Fault.CONTEXT_GEMINI: OVERFLOW,
    Fault.CONTENT_FILTER: Expected(2, journal=("content_filter", "content_filter", "reply_unusable")),
    Fault.CONTENT_FILTER_FINISH: Expected(2, journal=("content_filter", "content_filter", "reply_unusable"), billed=2),
    Fault.EMPTY_CHOICES: Expected(2, journal=("empty", "empty", "reply_unusable"), billed=2),
    Fault.EMPTY_TEXT: Expected(2, journal=("empty", "empty", "reply_unusable"), billed=2),
    Fault.TOOL_CALLS: Expected(2, journal=("tool_calls", "tool_calls", "reply_unusable"), billed=2),
    Fault.REASONING_ONLY: Expected(2, journal=("reasoning_only", "reasoning_only", "reply_unusable"), billed=2),
    # a reply all the same
    Fault.LENGTH: Expected(1, journal=("length", "ok"), billed=1),
    Fault.LENGTH_EMPTY: Expected(3, journal=("length", "length", "length", "reply_unusable"), billed=3),
    Fault.NO_USAGE: Expected(1, journal=("stop", "ok")),
    Fault.REASONING: ENDURED,
    Fault.UNSUPPORTED_TEMPERATURE: replace(ENDURED, calls=2),
    Fault.UNSUPPORTED_MAX_TOKENS: replace(ENDURED, calls=2),
}


CUT_OFF = {Fault.RESET, Fault.TRUNCATED_JSON, Fault.HANG, Fault.DRIP}
"""Faults in the middle of an answer, which may be billed."""


def test_the_table_covers_every_fault() -> None:
    assert set(TABLE) == set(Fault)


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    library.warm_up(library.load_litellm(), "openai/stub-model", "acompletion")


def _run(folder: Path, stub: OpenAIStub, *, tries: int = TRIES, attempt_s: float = 10.0) -> RunEnd:
    """One step of a search whose model is reached over HTTP."""
    params = {
        "model": "openai/stub-model",
        "api_base": stub.base_url,
        "api_key_env": "STUB_KEY",
        "price": {"input_usd_per_mtok": 3.0, "output_usd_per_mtok": 15.0},
        "max_retries": tries - 1,
        "backoff": {"base_s": BACKOFF_S, "cap_s": BACKOFF_S},
        "timeout_s": attempt_s,
    }
    made = toy_run.parts(folder, budget=Budget(steps=1), review=False)
    role = Role(live.make("stubbed", params), Sampling(temperature=0.5, max_tokens=500))
    context = replace(made.context, roles=dict.fromkeys(Op, role), call_timeout_s=DEADLINE_S)
    try:
        return Engine(replace(made, context=context)).run()
    finally:
        made.folder.close()


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name)
def test_a_fault_at_every_call(fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_KEY", "sk-a-key-0123456789")
    expected = TABLE[fault]
    start_s = time.monotonic()
    with OpenAIStub(lambda _body: Answer(PROGRAM, 1000, 200, 0, 50), retry_after_s=RETRY_AFTER_S) as stub:
        stub.always = fault
        attempt_s = ATTEMPT_S if expected is CUT else 10.0
        if expected.error is None:
            _run(tmp_path, stub, attempt_s=attempt_s)
        else:
            with pytest.raises(expected.error) as caught:
                _run(tmp_path, stub, attempt_s=attempt_s)
            assert type(caught.value) is expected.error
        took_s = time.monotonic() - start_s
        assert stub.calls == expected.calls
    assert expected.least_s <= took_s < expected.least_s + ROOM_S
    _, events = read(tmp_path / "journal.jsonl")
    assert [e["type"] for e in events[:1]] == ["asked"]
    replies = [e for e in events if e["type"] == "reply"]
    told = [e["outcome"]["status"] for e in events if e["type"] == "told"]
    assert (*(e["finish"] for e in replies), *told) == tuple(expected.journal)
    usages = [usage_from_json(e["usage"]) for e in replies]
    assert [u.input_tokens for u in usages if u.cost_nusd] == [1000] * expected.billed
    assert [u.reasoning_tokens for u in usages if u.cost_nusd] == [50] * expected.billed
    assert [u.cost_nusd for u in usages if u.cost_nusd] == [6_000_000] * expected.billed
    assert (events[-1]["type"] == "ended") == (expected.error is None)
    dropped = {"temperature"} if fault is Fault.UNSUPPORTED_TEMPERATURE else set()
    assert {name for e in replies for name in e.get("dropped", ())} == dropped


@pytest.mark.parametrize(
    "fault", [f for f, expected in TABLE.items() if expected.error is RetriesExhausted], ids=lambda fault: fault.name
)
def test_a_fault_that_passes_is_waiting_and_nothing_else(
    fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_KEY", "sk-a-key-0123456789")
    with OpenAIStub(lambda _body: Answer(PROGRAM, 1000, 200, 0, 50), retry_after_s=RETRY_AFTER_S) as stub:
        stub.faults.append(fault)
        _run(tmp_path, stub, attempt_s=1.0)
        assert stub.calls == 2
    _, events = read(tmp_path / "journal.jsonl")
    (reply,) = (e for e in events if e["type"] == "reply")
    usage = usage_from_json(reply["usage"])
    assert (usage.calls, usage.input_tokens, usage.cost_nusd) == (1, 1000, 6_000_000)
    assert (usage.lost_nusd > 500 * 15_000) == (fault in CUT_OFF)  # its longest answer, in the journal too
    assert (usage.lost_nusd == 0) == (fault not in CUT_OFF)
    least_s = {Fault.HANG: 1.0, Fault.DRIP: 1.0, Fault.RETRY_AFTER: RETRY_AFTER_S}.get(fault, 0.0)
    assert usage.wait_us >= least_s * 1e6
    assert reply["t"] == usage.service_us  # what is charged is the attempt that succeeded
    (executed,) = (e for e in events if e["type"] == "executed")
    assert executed["t"] == usage.service_us + 2000


def test_a_dripping_server_is_cut_at_the_deadline_of_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt's own limit is far away: the deadline of the call ends it."""
    monkeypatch.setenv("STUB_KEY", "sk-a-key-0123456789")
    monkeypatch.setitem(globals(), "DEADLINE_S", 0.5)
    with OpenAIStub(PROGRAM) as stub:
        stub.always = Fault.DRIP
        start_s = time.monotonic()
        with pytest.raises(RetriesExhausted, match=r"before the deadline of 0\.5 s"):
            _run(tmp_path, stub, attempt_s=600.0)
        assert 0.45 <= time.monotonic() - start_s < 0.5 + ROOM_S
        assert stub.calls in (1, 2)  # a last one asks something else, where there is time for it
