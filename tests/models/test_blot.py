"""A key in any spelling that a server may send back is blotted out; ordinary words are left alone."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.models.live import client
from mlesearch.models.live.blot import FRAGMENT, blot
from mlesearch.models.protocol import BadRequest
from mlesearch.testing.openai_stub import Answer, Canned, OpenAIStub
from tests.support import live_calls

KEYS = (
    "sk-proj-Ab3dE_9fGhI2jKlMn/4pQr+StUv",
    "AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "0123456789abcdef0123456789abcdef",
)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda k: k,
    "in other letters": lambda k: k.upper(),
    "base64": b64,
    "base64 for URLs": lambda k: base64.urlsafe_b64encode(k.encode()).decode().rstrip("="),
    "basic auth, key last": lambda k: b64(f"user:{k}"),
    "basic auth, key first": lambda k: b64(f"{k}:"),
    "base64 of the header": lambda k: b64(f"Authorization: Bearer {k}"),
    "base64 in lines": lambda k: "\n".join(b64(f"xy{k}")[i : i + 16] for i in range(0, 80, 16)),
    "base64 twice": lambda k: b64(b64(f"user:{k}")),
    "base32": lambda k: base64.b32encode(k.encode()).decode(),
    "hex": lambda k: k.encode().hex(),
    "hex with colons": lambda k: k.encode().hex(":").upper(),
    "hex, C style": lambda k: "".join(f"\\x{b:02x}" for b in k.encode()),
    "hex in base64": lambda k: b64(k.encode().hex()),
    "URL": lambda k: quote(k, safe=""),
    "URL twice": lambda k: quote(quote(k, safe=""), safe=""),
    "URL, each character": lambda k: "".join(f"%{b:02X}" for b in k.encode()),
    "JSON escapes": lambda k: "".join(f"\\u{ord(c):04x}" for c in k),
    "JSON escapes of some": lambda k: "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in k),
    "a JSON string in JSON": lambda k: json.dumps(json.dumps({"key": k})),
    "HTML": html.escape,
    "HTML, each character": lambda k: "".join(f"&#{ord(c)};" for c in k),
    "bytes": lambda k: str(list(k.encode())),
    "backwards": lambda k: k[::-1],
    "spaced": " ".join,
    "in two strings": lambda k: f'{k[:11]}" + "{k[11:]}',
    "its beginning": lambda k: f"{k[:14]}...",
    "its end": lambda k: f"...{k[-14:]}",
    "in lines": lambda k: "\n".join(k[i : i + 5] for i in range(0, len(k), 5)),
}


def _secret_part(name: str, key: str) -> str:
    """What of a spelling depends on the key: without the beginning and the end that another key has too."""
    spelled, other = SPELLINGS[name](key), SPELLINGS[name]("".join(chr(33 + (ord(c) - 14) % 90) for c in key))
    same = [a == b for a, b in zip(spelled, other, strict=False)]
    return spelled[same.index(False) :]


def _shown(text: str, key: str) -> str:
    """The longest part of a key that a text shows, its letters and digits alone."""
    plain = "".join(c for c in text if c.isalnum()).lower()
    wanted = "".join(c for c in key if c.isalnum()).lower()
    parts = (wanted[i:j] for i in range(len(wanted)) for j in range(i + 1, len(wanted) + 1))
    return max((part for part in parts if part in plain), key=len, default="")


@pytest.mark.parametrize("key", KEYS, ids=["openai", "google", "hex"])
@pytest.mark.parametrize("name", SPELLINGS)
def test_a_key_in_a_text_is_blotted_out(name: str, key: str) -> None:
    spelled = SPELLINGS[name](key)
    blotted = blot(f"401 for header {spelled} of a request", [key])
    assert blotted.startswith("401 for header ")
    assert blotted.endswith(" of a request")
    assert "[key]" in blotted
    middle = blotted.removeprefix("401 for header ").removesuffix(" of a request")
    secret = _secret_part(name, key)
    assert len(_shown(middle, secret)) < max(FRAGMENT * len(secret) / len(key) * 1.5, 12)
    assert len(_shown(middle.replace("[key]", " "), key)) < FRAGMENT


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_gateway_that_sends_the_key_back_shows_it_nowhere(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = KEYS[0]
    monkeypatch.setenv("STUB_KEY", key)
    monkeypatch.setattr(client, "warm_up", lambda *_what: None)
    spelled = SPELLINGS[name](key)
    with OpenAIStub() as stub:
        stub.always = Canned(400, {"error": {"message": f"bad header {spelled} here", "code": spelled[:20]}})
        with pytest.raises(BadRequest) as caught:
            live_calls.model(stub, max_retries=0).complete(live_calls.request())
    assert "[key]" in str(caught.value)
    secret = _secret_part(name, key)
    assert len(_shown(str(caught.value).replace("[key]", " "), secret)) < FRAGMENT * len(secret) / len(key) * 1.5


def test_a_whole_key_in_a_reply_is_blotted_out_and_the_rest_is_kept_to_the_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = KEYS[0]
    monkeypatch.setenv("STUB_KEY", key)
    program = f"import os\nSTART = '{key[:12]}'\nKEY = '{key}'\nBASIC = '{b64(f'user:{key}')}'\n"
    with OpenAIStub(lambda _body: Answer(program, 100, 60), model=f"gateway-{key}") as stub:
        reply = live_calls.model(stub).complete(live_calls.request())
    assert reply.text.startswith(f"import os\nSTART = '{key[:12]}'\nKEY = '[key]'\n")
    assert _shown(reply.text.partition("BASIC")[2], b64(f"user:{key}")) == _shown(
        "[key]==' dXNlcjp", b64(f"user:{key}")
    )
    assert key not in reply.model


@given(st.text("abcdefghijklmnopqrstuvwxyz ABC.,:;()=\n_'\"0123456789", max_size=400))
def test_a_text_without_a_key_is_left_alone(text: str) -> None:
    assert blot(text, [KEYS[0]]) == text
    assert blot(text, ["test-key", "no-key-needed"], whole=True) == text


def test_short_keys_and_words_of_dummy_keys() -> None:
    assert blot("an API key is needed", ["key", "API"]) == "an API key is needed"
    assert blot("the key EMPTY is wrong", ["EMPTY"]) == "the key [key] is wrong"
    program = "def test_key(local_server):\n    return local_server\n"
    assert blot(program, ["test-key", "local-server-key"], whole=True) == program
