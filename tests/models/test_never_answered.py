"""A prompt at which the provider fails for ever: it costs its step, and blocks no run; an outage costs no step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mlesearch.engine.parts import RunStatus
from mlesearch.models.embed import make_embedder
from mlesearch.models.live import library
from mlesearch.models.protocol import Address, EmbedRequest, NeverAnswered, RetriesExhausted
from mlesearch.storage.codec import usage_from_json
from mlesearch.testing.openai_stub import Canned, Fault, OpenAIStub
from mlesearch.types import Op
from tests.support import live_run

AT_PROMPT = [
    Fault.SERVER_ERROR,
    Fault.RESET,
    Fault.TRUNCATED_JSON,
    Fault.HANG,
    Fault.DRIP,
    Canned(502, "<html>Bad Gateway"),
    Canned(504, ""),
    Canned(500, {"error": {"message": "EngineDeadError", "type": "InternalServerError", "code": 500}}),
]
ELSEWHERE = [Fault.RATE_LIMIT, Fault.OVERLOADED, Canned(503, {"error": "no worker is ready"})]


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    library.warm_up(library.load_litellm(), "openai/stub-model", "acompletion")


def _run(folder: Path, stub: OpenAIStub, **params: object) -> RunStatus:
    return live_run.run(folder, stub, **{"max_retries": 1, "timeout_s": 0.4, **params}).status


def _statuses(folder: Path) -> list[str]:
    return [e["outcome"]["status"] for e in live_run.events(folder) if e["type"] == "told"]


def _is_probe(body: Mapping[str, Any]) -> bool:
    return "Answer with OK." in json.dumps(body.get("messages"))


@pytest.mark.parametrize("fault", AT_PROMPT, ids=str)
def test_a_prompt_at_which_the_server_fails_for_ever_costs_its_step(fault: Fault | Canned, tmp_path: Path) -> None:
    refuses = live_run.refusing(fault, 1, 2)  # the second prompt, and what it is asked again with
    with OpenAIStub(live_run.programs()) as stub:
        stub.choose = lambda body: None if _is_probe(body) else refuses(body)
        assert _run(tmp_path, stub) is RunStatus.COMPLETED
        assert [_is_probe(seen.body) for seen in stub.seen].count(True) == 2
        assert max(seen.body.get("max_tokens", 0) for seen in stub.seen if _is_probe(seen.body)) == 64
    assert _statuses(tmp_path).count("reply_unusable") == 1
    replies = [e for e in live_run.events(tmp_path) if e["type"] == "reply" and e["finish"] == "never_answered"]
    assert len(replies) == 2
    assert all("while another one was answered" in e["text"] for e in replies)
    assert all(usage_from_json(e["usage"]).lost_nusd > 0 for e in replies)  # the probe is booked at its most


@pytest.mark.parametrize("fault", AT_PROMPT[:3], ids=str)
def test_where_nothing_is_answered_the_run_stops_and_no_step_is_lost(fault: Fault, tmp_path: Path) -> None:
    with OpenAIStub(live_run.programs()) as stub:
        stub.always = fault
        with pytest.raises(RetriesExhausted):
            _run(tmp_path, stub)
        stub.always = None
        assert _run(tmp_path, stub) is RunStatus.COMPLETED
    assert "reply_unusable" not in _statuses(tmp_path)


@pytest.mark.parametrize("fault", ELSEWHERE, ids=str)
def test_what_says_nothing_of_the_prompt_is_waited_for(fault: Fault | Canned, tmp_path: Path) -> None:
    refuses = live_run.refusing(fault, 1)
    with OpenAIStub(live_run.programs()) as stub:
        stub.choose = refuses
        with pytest.raises(RetriesExhausted):
            _run(tmp_path, stub)
        assert not any(_is_probe(seen.body) for seen in stub.seen)
    assert "reply_unusable" not in _statuses(tmp_path)


def test_an_outage_that_ends_at_the_probe_costs_no_step(tmp_path: Path) -> None:
    with OpenAIStub(live_run.programs()) as stub:
        stub.faults += [Fault.SERVER_ERROR, Fault.SERVER_ERROR]  # then the probe is answered, and the prompt is too
        assert _run(tmp_path, stub) is RunStatus.COMPLETED
        assert [_is_probe(seen.body) for seen in stub.seen][:4] == [False, False, True, False]
    assert "reply_unusable" not in _statuses(tmp_path)


def test_without_retries_nothing_is_asked_beside(tmp_path: Path) -> None:
    with OpenAIStub(live_run.programs()) as stub:
        stub.faults.append(Fault.SERVER_ERROR)
        with pytest.raises(RetriesExhausted):
            _run(tmp_path, stub, max_retries=0)
        assert stub.calls == 1


def test_an_embedder_that_fails_at_some_texts() -> None:
    with OpenAIStub() as stub:
        stub.choose = lambda body: None if body["input"] == ["OK"] else Fault.SERVER_ERROR
        params = {"model": "openai/e", "api_base": stub.base_url, "max_retries": 1, "backoff": {"base_s": 0.01}}
        embedder = make_embedder({"kind": "litellm", "deadline_s": 20.0, **params})
        with pytest.raises(NeverAnswered, match="another one was answered"):
            embedder.embed(EmbedRequest(("Hello.",), Address("run", 0, 0, Op.DRAFT)))
