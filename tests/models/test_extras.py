"""What a request carries beside prompt and sampling: what arrives, what enters the identity, what no file holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlesearch.models.live import client
from mlesearch.models.live import litellm as live
from mlesearch.models.protocol import AuthFailed
from mlesearch.models.recorded.keys import call_fields
from mlesearch.testing.openai_stub import Canned, OpenAIStub
from mlesearch.types import ConfigError
from tests.support.live_calls import request

SECRET = "a-Secret-Value-0123456789"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_KEY", "sk-a-very-secret-key-0123456789")
    monkeypatch.setenv("TEAM_TOKEN", SECRET)
    monkeypatch.setattr(client, "warm_up", lambda *_what: None)


def make(url: str = "http://localhost:9/v1", **params: object) -> live.LitellmModel:
    settings = {"model": "openai/x", "api_base": url, "api_key_env": "STUB_KEY", "max_retries": 0, **params}
    return live.make("m", settings)


@pytest.mark.parametrize("model", ["openai/x", "openrouter/qwen/qwen3-coder", "deepseek/x", "hosted_vllm/x", "zai/x"])
def test_fields_and_headers_arrive(model: str) -> None:
    body = {"top_k": 20, "chat_template_kwargs": {"enable_thinking": False}}
    with OpenAIStub("Hello!") as stub:
        made = make(
            stub.base_url, model=model, extra_body=body, headers={"X-Team": "a"}, headers_env={"X-Auth": "TEAM_TOKEN"}
        )
        for _ in range(2):
            assert made.complete(request()).text == "Hello!"
        for seen in stub.seen:
            assert {name: seen.body.get(name) for name in body} == body
            assert (seen.headers["x-team"], seen.headers["x-auth"]) == ("a", SECRET)
            assert seen.authorization == "Bearer sk-a-very-secret-key-0123456789"


def test_a_provider_is_pinned_at_openrouter() -> None:
    pinned = {"order": ["deepinfra", "together"], "allow_fallbacks": False}
    with OpenAIStub("Hello!") as stub:
        made = make(stub.base_url, model="openrouter/qwen/qwen3-coder", provider=pinned)
        made.complete(request())
        assert stub.seen[0].body["provider"] == pinned
    assert made.identity()["extra_body"] == {"provider": pinned}


def test_they_are_part_of_the_identity_and_of_a_recorded_calls_key() -> None:
    plain = make()
    assert not {"extra_body", "headers", "headers_env"} & plain.identity().keys()  # identities without them stay
    variants = [
        make(extra_body={"top_k": 20}),
        make(extra_body={"top_k": 40}),
        make(headers={"X-Team": "a"}),
        make(headers_env={"X-Auth": "TEAM_TOKEN"}),
        make(model="openrouter/a/b", provider={"order": ["x"]}),
        make(model="openrouter/a/b", provider={"order": ["y"]}),
    ]
    identities = [json.dumps(m.identity(), sort_keys=True) for m in (plain, *variants)]
    assert len(set(identities)) == len(identities)
    keys = [json.dumps(call_fields(m.identity(), request()), sort_keys=True) for m in (plain, *variants)]
    assert len(set(keys)) == len(keys)
    assert SECRET not in "".join((*identities, *keys, *map(repr, variants), *(repr(m.params) for m in variants)))
    assert make(extra_body={}, headers={}, headers_env={}).identity() == plain.identity()


def test_a_secret_header_is_blotted_out_like_a_key() -> None:
    with OpenAIStub() as stub:
        stub.always = Canned(401, {"error": {"message": f"no such team: {SECRET}"}})
        with pytest.raises(AuthFailed) as caught:
            make(stub.base_url, headers_env={"X-Auth": "TEAM_TOKEN"}).complete(request())
    assert "no such team: [key]" in str(caught.value)


def test_a_secret_header_without_a_value_is_refused_before_any_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEAM_TOKEN")
    with pytest.raises(ConfigError, match="headers_env: the environment variable TEAM_TOKEN .*export TEAM_TOKEN="):
        make(headers_env={"X-Auth": "TEAM_TOKEN"}).check()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"extra_body": {"model": "y"}}, "must not hold 'model'"),
    ({"extra_body": {"max_tokens": 5}}, "must not hold 'max_tokens'"),
    ({"extra_body": {"stream": True}}, "must not hold 'stream'"),
    ({"extra_body": {"x": float("nan")}}, "plain data"),
    ({"extra_body": {"x": object()}}, "plain data"),
    ({"extra_body": {"k": "sk-abcdefghijklmnopqrstuvwx"}}, "looks like a key"),
    ({"extra_body": [1]}, "extra_body must be a mapping"),
    ({"headers": {"Authorization": "x"}}, "headers_env: {Authorization: MY_VARIABLE}"),
    ({"headers": {"X-Api-Key": "x"}}, "may be a secret"),
    ({"headers": {"X-Note": "Bearer abc"}}, "may be a secret"),
    ({"headers": {"X-Note": "two\nlines"}}, "one line of plain ASCII"),
    ({"headers": {"X Note": "x"}}, "no name of a header"),
    ({"headers_env": {"X-Auth": SECRET}}, "must name an environment variable"),
    ({"provider": {"order": ["x"]}}, "openrouter/"),
    ({"model": "openrouter/a/b", "provider": {"ordr": ["x"]}}, "did you mean 'order'|ordr"),
    ({"model": "openrouter/a/b", "provider": {"order": "x"}}, "a list of names"),
    ({"model": "openrouter/a/b", "provider": {"allow_fallbacks": "no"}}, "true or false"),
    ({"model": "openrouter/a/b", "provider": {"order": ["x"]}, "extra_body": {"provider": {}}}, "given twice"),
]


@pytest.mark.parametrize(("params", "words"), WRONG)
def test_what_is_refused(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        make(**params)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
