"""Asking an endpoint for nothing whether it is there; ids and URLs that can't work are refused before any call."""

from __future__ import annotations

import re

import pytest

from mlesearch.models.live import litellm as live
from mlesearch.models.live.endpoint import Heard
from mlesearch.testing.openai_stub import Canned, Fault, OpenAIStub
from mlesearch.types import ConfigError


def ask(url: str, **params: object) -> Heard:
    heard = live.make("m", {"model": "openai/x", "api_base": url, **params}).ask_endpoint()
    assert heard is not None
    return heard


@pytest.mark.parametrize(
    ("fault", "models", "answers", "words"),
    [
        (None, ["x", "y"], True, ""),
        (None, ["a", "b"], True, "has no 'x'; it has a, b"),
        (None, None, True, ""),  # no such path: it is there, all the same
        (Fault.UNAUTHORIZED, None, False, "the key is refused"),
        (Canned(200, "<html>Sign in</html>", kind="text/html"), None, False, "web page"),
        (Canned(503, {"error": {"message": "Loading model"}}), None, False, "HTTP 503 at its api_base.*Loading model"),
        (Canned(200, "[]"), None, True, ""),
    ],
)
def test_what_an_endpoint_says(
    fault: Fault | Canned | None, models: list[str] | None, answers: bool, words: str
) -> None:
    with OpenAIStub(models=models) as stub:
        stub.always = fault
        heard = ask(stub.base_url)
        assert [seen.path for seen in stub.seen] == ["/v1/models"]  # nothing that is paid for
    assert heard.answers is answers
    assert re.search(words, heard.text), heard.text
    assert bool(words) == bool(heard.text)


def test_what_keeps_a_request_from_an_endpoint() -> None:
    assert ask("http://127.0.0.1:9/v1").text == (
        "connection refused at its api_base: start the server, or correct host and port"
    )
    assert ask("http://no-such-host.invalid/v1").text.startswith("unknown host at its api_base")
    with OpenAIStub() as stub:
        assert (
            "https was spoken to a server that speaks plain http" in ask(stub.base_url.replace("http:", "https:")).text
        )


def test_the_key_goes_to_an_own_endpoint_only_where_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-a-key-0123456789")
    with OpenAIStub(models=["x"]) as stub:
        ask(stub.base_url)
        ask(stub.base_url, api_key_env="OPENAI_API_KEY")
        assert [seen.authorization for seen in stub.seen] == ["", "Bearer sk-a-key-0123456789"]


@pytest.mark.parametrize("model", ["qwen3-coder", "Qwen/Qwen3-Coder", "my-finetune"])
def test_an_id_without_a_provider_is_refused_and_the_prefix_named(model: str) -> None:
    tested = live.make("m", {"model": model, "api_base": "http://localhost:9/v1"})
    with pytest.raises(ConfigError, match=f"write openai/{model} for an OpenAI-compatible endpoint") as caught:
        tested.check()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "model", ["openai/x", "gpt-5.4-mini", "hosted_vllm/Qwen/Qwen3", "claude-haiku-5-5", "litellm_proxy/x"]
)
def test_an_id_with_one_is_taken(model: str) -> None:
    live.make("m", {"model": model, "api_base": "http://localhost:9/v1"}).check()


@pytest.mark.parametrize("path", ["/chat/completions", "/models", "/chat/completions/"])
def test_an_api_base_that_goes_on_too_far_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="must end before .*: http://localhost:8000/v1"):
        live.make("m", {"model": "openai/x", "api_base": f"http://localhost:8000/v1{path}"})
