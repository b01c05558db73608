"""Whole runs whose model refuses: a prompt costs its step at most, a fault of key, quota, model or URL ends the run."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlesearch.engine.parts import RunStatus
from mlesearch.engine.refusals import FIRST, OnlyRefusals
from mlesearch.models.live import library
from mlesearch.models.protocol import Address, FatalModelError, Message, Request, RetriesExhausted, Sampling
from mlesearch.models.recorded.keys import call_fields
from mlesearch.storage.blobs import Blobs
from mlesearch.testing.openai_stub import Answer, Canned, Fault, OpenAIStub
from mlesearch.types import ModelUnavailable, Op
from tests.support import live_run
from tests.support.paths import ROOT

ENDS_RUNS = {401, 402, 404, 405, 407, 410, 421}
"""Key, quota, model name, URL; a 403 is one of them where its words say so."""
BODIES = json.loads((ROOT / "tests" / "data" / "provider_bodies.json").read_text())


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    library.warm_up(library.load_litellm(), "openai/stub-model", "acompletion")


def _statuses(folder: Path) -> list[str]:
    return [e["outcome"]["status"] for e in live_run.events(folder) if e["type"] == "told"]


@pytest.mark.parametrize("remedy", ["shrink", "lower", "drop", "rename", "move system", "filter", "refuse"])
def test_a_run_is_completed_whatever_is_refused_of_a_prompt(remedy: str, tmp_path: Path) -> None:
    row = next(row for row in BODIES if row["then"] == remedy and row["model"].startswith("openai/"))
    answer = Canned(row["status"], row["body"])
    with OpenAIStub(live_run.programs()) as stub:
        costs = remedy in ("shrink", "filter", "refuse")
        if costs:
            stub.choose = live_run.refusing(answer, 1, *([] if remedy == "filter" else [2]))
        else:
            stub.faults.append(answer)
        end = live_run.run(tmp_path, stub, sampling=Sampling(0.5, 0.9, 10_000, "low"))
    assert end.status is RunStatus.COMPLETED
    statuses = _statuses(tmp_path)
    assert len(statuses) == 4
    assert statuses.count("reply_unusable") == (1 if costs else 0)
    if costs:  # its words are in the journal
        refused = [
            e for e in live_run.events(tmp_path) if e["type"] == "reply" and e["finish"] not in ("stop", "length")
        ]
        assert [f"HTTP {row['status']}" in e["text"] for e in refused] == [True, True]


@pytest.mark.parametrize(
    ("remedy", "error"),
    [(f"stop: {what}", FatalModelError) for what in ("key", "quota", "model")] + [("wait", RetriesExhausted)],
)
def test_a_run_stops_with_one_line_where_no_prompt_can_pass(
    remedy: str, error: type[ModelUnavailable], tmp_path: Path
) -> None:
    row = next(row for row in BODIES if row["then"] == remedy and row["model"].startswith("openai/"))
    with OpenAIStub(live_run.programs()) as stub:
        stub.always = Canned(row["status"], row["body"])
        with pytest.raises(error) as caught:
            live_run.run(tmp_path, stub)
        assert stub.calls == 1
        assert "\n" not in str(caught.value)
        stub.always = None
        assert live_run.run(tmp_path, stub, model="openai/another").status is RunStatus.COMPLETED
    assert "reply_unusable" not in _statuses(tmp_path)


def _passes(folder: Path, status: int, body: object) -> None:
    """A run, one of whose prompts is refused for ever, comes to its end, also after a kill at the refusal."""
    answer = Canned(status, body)  # type: ignore[arg-type]  # any JSON value
    with OpenAIStub(live_run.programs()) as stub:
        stub.choose = live_run.refusing(answer, 1, 2)
        if status == 403 or status in ENDS_RUNS | {429}:
            with contextlib.nullcontext() if status == 403 else pytest.raises((FatalModelError, RetriesExhausted)):
                live_run.run(folder, stub, steps=3)
            return
        end = live_run.run(folder, stub, steps=3)
        assert end.status is RunStatus.COMPLETED
        assert _statuses(folder).count("reply_unusable") == 1
        journal = folder / "journal.jsonl"
        lines = journal.read_text().splitlines(keepends=True)
        first = next(i for i, line in enumerate(lines) if '"finish":"refused"' in line or '"context_overflow"' in line)
        journal.write_text("".join(lines[: first + 1]))
        assert live_run.run(folder, stub, steps=3).status is RunStatus.COMPLETED


NO_LETTERS = "0123456789 .,:;!?%&()[]{}<>\"'\\/|äöüß中文\U0001f600\n\t\0"


def _random_body(seed: int) -> object:
    drawn = random.Random(seed)
    text = "".join(drawn.choices(NO_LETTERS, k=drawn.randrange(60)))
    return drawn.choice(
        [text, {"error": text}, {"error": {"message": text, "code": drawn.randrange(9999)}}, [text], {}]
    )


UNASSIGNED = (432, 439, 440, 444, 449, 450, 460, 498, 499)
"""Some of those that no standard names; a few servers and proxies have a meaning of their own for them."""


@pytest.mark.parametrize("statuses", [range(400, 411), range(411, 422), (*range(422, 432), 451), UNASSIGNED])
def test_no_status_of_4xx_blocks_a_run_for_good(statuses: Sequence[int], tmp_path: Path) -> None:
    for status in statuses:
        _passes(tmp_path / str(status), status, _random_body(status))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    status=st.integers(400, 499).filter(lambda n: n not in ENDS_RUNS | {403, 429}),
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(NO_LETTERS, max_size=30),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["error", "message", "code"]), inner)
        ),
        max_leaves=5,
    ),
)
def test_no_body_of_a_refusal_blocks_a_run_for_good(
    status: int, body: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _passes(tmp_path_factory.mktemp("run"), status, body)


@pytest.mark.parametrize(
    ("fault", "finish", "advice"),
    [
        (Fault.CONTEXT_OPENAI, "context_overflow", "run.context_tokens"),
        (Fault.BAD_REQUEST, "refused", "model's params"),
        (Fault.TOOL_CALLS, "tool_calls", "models check"),
    ],
)
def test_a_run_whose_first_replies_are_all_one_refusal_stops_early_and_goes_on_later(
    fault: Fault, finish: str, advice: str, tmp_path: Path
) -> None:
    with OpenAIStub(live_run.programs()) as stub:
        stub.always = fault
        with pytest.raises(OnlyRefusals, match=f"first {FIRST} replies.*{finish}.*{advice}") as caught:
            live_run.run(tmp_path, stub, steps=10)
        assert stub.calls == FIRST
        assert "\n" not in str(caught.value)
        with pytest.raises(OnlyRefusals, match=f"first {FIRST + 2} replies"):  # it passes on, a step a launch
            live_run.run(tmp_path, stub, steps=10)
        stub.always = None
        assert live_run.run(tmp_path, stub, steps=10).status is RunStatus.COMPLETED
    assert len(_statuses(tmp_path)) == 10
    assert _statuses(tmp_path).count("reply_unusable") == 4


def test_a_refusal_late_in_a_run_does_not_stop_it(tmp_path: Path) -> None:
    with OpenAIStub(live_run.programs()) as stub:
        stub.faults += [None, *[Fault.CONTENT_FILTER] * 8]
        assert live_run.run(tmp_path, stub, steps=6).status is RunStatus.COMPLETED
    assert _statuses(tmp_path).count("reply_unusable") == 4


@pytest.mark.parametrize(
    ("fault", "finish"), [(Fault.TOOL_CALLS, "tool_calls"), (Fault.REASONING_ONLY, "reasoning_only")]
)
def test_the_second_try_after_no_text_says_to_answer_in_text(fault: Fault, finish: str, tmp_path: Path) -> None:
    with OpenAIStub(live_run.programs()) as stub:
        stub.faults.append(fault)
        live_run.run(tmp_path, stub, steps=1)
        first, second = (seen.body["messages"][-1]["content"] for seen in stub.seen)
    assert second.startswith(first)
    assert "answer in text" in second[len(first) :]
    replies = [e for e in live_run.events(tmp_path) if e["type"] == "reply"]
    assert [e["finish"] for e in replies] == [finish, "stop"]
    assert _statuses(tmp_path) == ["ok"]


# limits on answers

CUT = Answer("A plan.\n\n```python\nNUMBER = ", 400, 500)


@pytest.mark.parametrize(
    ("ceiling", "limits", "calls"),
    [(None, [500, 1000], 3), (700, [500, 700], 3), (500, [500], 2), (200, [200], 2)],
    ids=["none", "above the limit", "the limit", "below the limit"],
)
def test_a_cut_reply_is_asked_for_again_only_under_a_larger_limit(
    ceiling: int | None, limits: list[int], calls: int, tmp_path: Path
) -> None:
    """After those, one repair turn with other words; no two paid calls are the same."""
    with OpenAIStub(lambda _body: CUT) as stub:
        stub.always = Fault.LENGTH
        live_run.run(tmp_path, stub, steps=1, max_output_tokens=ceiling)
        sent = [(json.dumps(seen.body["messages"]), seen.body["max_tokens"]) for seen in stub.seen]
    assert len(set(sent)) == len(sent) == calls
    assert [limit for _, limit in sent[:-1]] == limits
    assert len({text for text, _ in sent[:-1]}) == 1
    replies = [e for e in live_run.events(tmp_path) if e["type"] == "reply"]
    assert replies[-2].get("limit_tokens") == (None if ceiling is None else ceiling)


def test_the_context_window_lowers_the_limit_before_the_call_and_then_shrinks_the_prompt(tmp_path: Path) -> None:
    with OpenAIStub(live_run.programs()) as stub:
        live_run.run(tmp_path / "a", stub, steps=1, max_tokens=8000)
        (seen,) = stub.seen
        prompt_bytes = sum(len(m["content"].encode()) for m in seen.body["messages"])
        assert seen.body["max_tokens"] == 8000
        window = prompt_bytes // 3 + 2000
        live_run.run(tmp_path / "b", stub, steps=1, max_tokens=8000, context_window=window)
        assert 1990 <= stub.seen[-1].body["max_tokens"] <= 2000
        (reply,) = (e for e in live_run.events(tmp_path / "b") if e["type"] == "reply")
        assert f"lowered from 8000 to {stub.seen[-1].body['max_tokens']}" in reply["notes"][0]
        calls = stub.calls
        live_run.run(tmp_path / "c", stub, steps=1, max_tokens=8000, context_window=prompt_bytes // 4)
        assert stub.calls == calls  # nothing that can't fit is sent
    replies = [e for e in live_run.events(tmp_path / "c") if e["type"] == "reply"]
    assert [(e["finish"], "nothing was sent" in e["text"]) for e in replies] == [("context_overflow", True)] * 2


def test_a_prompt_that_the_server_cuts_silently_is_noticed(tmp_path: Path) -> None:
    """As a server does whose window is smaller than the prompt: it reports what it has read of it."""
    with OpenAIStub(lambda body: Answer(live_run.programs()(body).text, 64, 20)) as stub:
        live_run.run(tmp_path, stub, steps=1)
    (reply,) = (e for e in live_run.events(tmp_path) if e["type"] == "reply")
    assert "64 tokens for a prompt of about" in reply["notes"][0]
    assert "it cut the prompt silently" in reply["notes"][0]
    prompt = json.loads(Blobs(tmp_path / "blobs").get(reply["prompt"]))
    own = -(-sum(len(text.encode()) for _, text in prompt) // 4)
    assert reply["usage"]["input_tokens"] == own


def test_a_limit_that_the_window_lowers_is_in_the_key_of_a_recorded_call() -> None:
    address = Address("run", 0, 0, Op.DRAFT)
    asked = Request((Message("user", "x" * 3000),), Sampling(max_tokens=8000), address, 1, 20.0)
    keys = [call_fields({"context_window": window}, asked)["parameters"]["max_tokens"] for window in (None, 9000, 5000)]
    assert keys == [8000, 8000, 4000]


def test_words_of_the_prompt_that_a_refusal_repeats_say_nothing_of_it(tmp_path: Path) -> None:
    """As FastAPI does: a task about unpaid bills or missing models must not end its run."""
    repeated = "Insufficient balance. Invalid API key. The model `x` does not exist."
    detail = [{"type": "value_error", "loc": ["body", "messages"], "msg": "Value error", "input": repeated}]
    with OpenAIStub(live_run.programs()) as stub:
        stub.choose = live_run.refusing(Canned(422, {"detail": detail}), 1, 2)
        assert live_run.run(tmp_path, stub).status is RunStatus.COMPLETED
    assert _statuses(tmp_path).count("reply_unusable") == 1
