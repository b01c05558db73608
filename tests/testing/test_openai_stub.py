"""The server that stands in for providers: any model behind it, and the command that starts it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from mlesearch.models.live import litellm as live
from mlesearch.models.protocol import (
    FatalModelError,
    Message,
    Request,
    RetriesExhausted,
    Sampling,
)
from mlesearch.models.scripted import ScriptedModel
from mlesearch.testing import serve
from mlesearch.testing.openai_stub import OpenAIStub, serving
from mlesearch.types import Op
from tests.support import simulated_prompts
from tests.support.live_calls import ADDRESS, model, request

pytestmark = pytest.mark.usefixtures("stub_key")


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
