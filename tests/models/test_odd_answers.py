"""Answers with a status of success in forms that nobody documents, over HTTP: read where they can be, else named."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.models.live import client
from mlesearch.models.live import litellm as live
from mlesearch.models.live.bodies import mend
from mlesearch.models.protocol import (
    EmptyReply,
    FatalModelError,
    ReasoningReply,
    Reply,
    RetriesExhausted,
    ToolCallReply,
)
from mlesearch.testing.openai_stub import Canned, OpenAIStub
from mlesearch.types import ModelUnavailable
from tests.support.live_calls import request

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


@pytest.fixture(autouse=True)
def _not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "warm_up", lambda *_what: None)


def body(message: object, **others: object) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    made: dict[str, Any] = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return {**made, "usage": USAGE, **others}


def said(content: object, **others: object) -> dict[str, Any]:
    return body({"role": "assistant", "content": content, **others})


def complete(answer: Canned) -> Reply:
    with OpenAIStub() as stub:
        stub.always = answer
        try:
            return make(stub.base_url).complete(request())
        finally:
            assert stub.calls == 1


def make(url: str, **params: object) -> live.LitellmModel:
    return live.make("m", {"model": "openai/x", "api_base": url, "max_retries": 0, "timeout_s": 5.0, **params})


CALL = {"id": "a", "type": "function", "function": {"name": "search", "arguments": "{}"}}
CHUNKS = "\n\n".join(
    f"data: {json.dumps({'id': 'x', 'model': 'm', 'choices': [{'index': 0, 'delta': delta, 'finish_reason': finish}]})}"
    for delta, finish in [({"role": "assistant", "content": "Hel"}, None), ({"content": "lo"}, None), ({}, "stop")]
)

READ = {
    "text parts": Canned(200, said([{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}])),
    "one part, no list": Canned(200, said({"type": "text", "text": "Hello"})),
    "output_text": Canned(200, said([{"type": "output_text", "text": "Hello"}])),
    "thinking first": Canned(200, said([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hello"}])),
    "Mistral's thinking": Canned(
        200,
        said([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "Hello"}]),
    ),
    "texts in a list": Canned(200, said(["Hel", "lo"])),
    "a picture too": Canned(200, said([{"type": "image_url", "image_url": "x"}, {"type": "text", "text": "Hello"}])),
    "a tool call beside": Canned(200, said("Hello", tool_calls=[CALL])),
    "no role": Canned(200, body({"content": "Hello"})),
    "a completion": Canned(200, {**body(None), "choices": [{"text": "Hello", "finish_reason": "stop", "index": 0}]}),
    "a delta": Canned(200, {**body(None), "choices": [{"delta": {"content": "Hello"}, "finish_reason": "stop"}]}),
    "no finish reason": Canned(
        200, {**body(None), "choices": [{"message": {"role": "assistant", "content": "Hello"}}]}
    ),
    "an odd finish reason": Canned(
        200, {**body(None), "choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": 7}]}
    ),
    "ids that are numbers": Canned(200, {**said("Hello"), "id": 7, "model": 8, "created": "now"}),
    "no id at all": Canned(200, {k: v for k, v in said("Hello").items() if k not in ("id", "created", "object")}),
    "a stream": Canned(200, f"{CHUNKS}\n\ndata: [DONE]\n\n", kind="text/event-stream"),
    "a stream called JSON": Canned(200, f"{CHUNKS}\n\ndata: [DONE]\n\n"),
    "called text": Canned(200, said("Hello"), kind="text/plain"),
    "reasoning as a list": Canned(200, said("Hello", reasoning_content=[{"text": "hm"}])),
    "a refusal that is null": Canned(200, said("Hello", refusal=None)),
}


@pytest.mark.parametrize("name", READ)
def test_an_answer_of_an_odd_form_is_read_and_not_paid_for_twice(name: str) -> None:
    assert complete(READ[name]).text == "Hello"


def test_bytes_that_are_no_utf8_are_replaced_and_said() -> None:
    data = json.dumps(said("HelXlo")).encode().replace(b"X", b"\xff")
    reply = complete(Canned(200, data))
    assert reply.text == "Hel\ufffdlo"
    assert "not UTF-8" in reply.notes[0]


TOLD_APART: dict[str, tuple[Canned, type[ModelUnavailable], str]] = {
    "a tool call": (Canned(200, said(None, tool_calls=[CALL])), ToolCallReply, "'search'"),
    "a tool call of an odd form": (Canned(200, said("", tool_calls=["search"])), ToolCallReply, "tool"),
    "a function call": (Canned(200, said(None, function_call=CALL["function"])), ToolCallReply, "'search'"),
    "reasoning": (Canned(200, said(None, reasoning_content="hm")), ReasoningReply, "reasoning alone"),
    "reasoning by another name": (Canned(200, said(None, reasoning="hm")), ReasoningReply, "reasoning alone"),
    "thinking parts": (
        Canned(200, said([{"type": "thinking", "thinking": "hm"}])),
        ReasoningReply,
        "reasoning alone",
    ),
    "nothing": (Canned(200, said(None)), EmptyReply, "no text"),
    "no message": (Canned(200, body(None)), EmptyReply, "no text"),
    "no choices": (Canned(200, {**body(None), "choices": []}), EmptyReply, "no choices"),
    "a web page": (Canned(200, "<!doctype html><p>Sign in", kind="text/html"), FatalModelError, "web page"),
    "a web page called JSON": (Canned(200, "<html>"), FatalModelError, "web page"),
    "an empty body": (Canned(200, ""), RetriesExhausted, "empty body"),
    "half of it": (Canned(200, json.dumps(said("Hello"))[:60]), RetriesExhausted, "cut off"),
    "half of a stream": (Canned(200, CHUNKS[:150], kind="text/event-stream"), RetriesExhausted, "stream of events"),
    "a list": (Canned(200, "[]"), RetriesExhausted, "JSON that holds no answer"),
    "plain text": (Canned(200, "OK", kind="text/plain"), FatalModelError, "no JSON"),
    "an error, by a number": (
        Canned(200, {"error": {"message": "Provider returned error", "code": 502}}),
        RetriesExhausted,
        "Provider returned error",
    ),
    "an error, in words": (
        Canned(200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"}),
        FatalModelError,
        "Unexpected endpoint",
    ),
}


@pytest.mark.parametrize("name", TOLD_APART)
def test_an_answer_without_text_is_named(name: str) -> None:
    answer, error, words = TOLD_APART[name]
    with pytest.raises(ModelUnavailable, match=words) as caught:
        complete(answer)
    assert type(caught.value) is error
    assert "HTTP 500" not in str(caught.value)


# below HTTP


def _one_that(answers: bytes) -> tuple[str, threading.Thread]:
    """A server that says some bytes to whoever comes, and hangs up."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listening:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answers)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}/v1", thread


def test_a_refused_connection_is_called_one() -> None:
    with pytest.raises(RetriesExhausted, match="connection refused at its api_base: start the server") as caught:
        make("http://127.0.0.1:9/v1").complete(request())
    assert caught.value.usage.lost_nusd == 0
    assert "127.0.0.1" not in str(caught.value)


def test_an_unknown_host_is_called_one() -> None:
    with pytest.raises(RetriesExhausted, match="unknown host at its api_base: correct the name"):
        make("http://no-such-host.invalid/v1").complete(request())


def test_https_to_a_server_that_speaks_http_is_called_that() -> None:
    with OpenAIStub() as stub, pytest.raises(FatalModelError, match=r"https was spoken.*write http://"):
        make(stub.base_url.replace("http:", "https:")).complete(request())


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate, and is not installed")
def test_a_certificate_that_nobody_vouches_for_is_called_that(tmp_path: Path) -> None:
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost")
    files = {"-keyout": tmp_path / "key.pem", "-out": tmp_path / "certificate.pem"}
    arguments = [str(part) for pair in files.items() for part in pair]
    subprocess.run([*made, *arguments], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files["-out"], files["-keyout"])
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # its handshakes fail, as they should
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        url = f"https://127.0.0.1:{server.server_port}/v1"
        with pytest.raises(FatalModelError, match=r"not trusted \(self.signed certificate\).*SSL_CERT_FILE"):
            make(url).complete(request())
        server.shutdown()
        thread.join()


def test_a_server_that_hangs_up_is_called_one() -> None:
    url, thread = _one_that(b"")
    with pytest.raises(RetriesExhausted, match="closed the connection"):
        make(url).complete(request())
    thread.join()


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (b"\x15\x03\x03\x00\x02\x02\x32", "plain http was spoken.*write https://"),  # an alert of TLS
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak HTTP"),
    ],
)
def test_http_to_a_server_that_speaks_something_else(answers: bytes, words: str) -> None:
    url, thread = _one_that(answers)
    with pytest.raises(FatalModelError, match=words):
        make(url).complete(request())
    thread.join()


def test_the_two_time_limits_are_named_by_their_settings() -> None:
    with OpenAIStub(latency_s=5.0) as stub:
        with pytest.raises(
            RetriesExhausted, match=r"0\.2 s, the limit of one attempt \(timeout_s of the model's params\)"
        ):
            make(stub.base_url, timeout_s=0.2).complete(request())
        with pytest.raises(RetriesExhausted, match=r"no answer within the 0\.3 s of a call \(model\.call_timeout_s\)"):
            make(stub.base_url).complete(request(deadline_s=0.3))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["choices", "message", "content", "usage", "text", "type", "delta"]), inner)
    ),
    max_leaves=8,
)


@given(JSON | st.dictionaries(st.sampled_from(["choices", "usage", "id", "model"]), JSON) | st.binary(max_size=60))
def test_any_body_is_read_without_an_exception(value: object) -> None:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    mended = mend(data, ok=True)
    if mended is not None and mended.body is not None:
        again = mend(mended.body, ok=True)
        assert again is not None
        assert again.body is None, "what was mended once has no odd form any more"
