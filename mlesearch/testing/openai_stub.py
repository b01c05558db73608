"""A small OpenAI-compatible server for tests: `/v1/chat/completions` and `/v1/embeddings`, with faults on demand.

    with OpenAIStub() as stub:
        stub.faults += [Fault.RATE_LIMIT, Fault.SERVER_ERROR]
        ...  # a client with base URL stub.base_url: two failures, then answers
        assert stub.calls == 3

Only the standard library is used; it listens on a free port of the loopback interface. In three lines, a server that
answers as the simulated engineer, so that a whole sweep can run through the real path of a live model:

    engineers = {f"sim_{i:02}": make_model("sim", "simulated", {"capability": i / 10}) for i in range(1, 11)}
    with OpenAIStub(serving(engineers)) as stub:
        ...  # mlesearch run model=local model.params.model=openai/sim_05 model.params.api_base=<stub.base_url>

`python -m mlesearch.testing.serve` does the same from a shell.
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
import json
import select
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mlesearch.models import markup
from mlesearch.models.protocol import Address, Message, Model, Request, Sampling
from mlesearch.types import Op

DRIP_INTERVAL_S = 0.05


class Fault(enum.StrEnum):
    """What goes wrong with one request."""

    RATE_LIMIT = "429 without Retry-After"
    RETRY_AFTER = "429 with Retry-After"
    SERVER_ERROR = "500"
    OVERLOADED = "529"
    UNAUTHORIZED = "401 that echoes the key"
    QUOTA = "429 insufficient_quota"
    PAYMENT = "402 insufficient balance"
    BAD_REQUEST = "400"
    NOT_FOUND = "404 model_not_found"
    UNSUPPORTED_TEMPERATURE = "400 unsupported_value, as long as a temperature is sent"
    UNSUPPORTED_MAX_TOKENS = "400 unsupported_parameter, as long as max_tokens is sent"
    CONTEXT_OPENAI = "400 context overflow in OpenAI's wording"
    CONTEXT_ANTHROPIC = "400 context overflow in Anthropic's wording"
    CONTEXT_GEMINI = "400 context overflow in Gemini's wording"
    CONTENT_FILTER = "400 content_filter"
    CONTENT_FILTER_FINISH = "200 with finish reason content_filter and no text"
    HANG = "accepts the request and never answers"
    DRIP = "sends headers, then a byte now and then, for ever"
    RESET = "resets the connection in the middle of the body"
    TRUNCATED_JSON = "200 with half of a JSON body"
    EMPTY_CHOICES = "200 with no choices"
    EMPTY_TEXT = "200 with empty text"
    TOOL_CALLS = "200 with a tool call instead of text"
    NO_USAGE = "200 without a usage block"
    LENGTH = "200 with finish reason length"
    LENGTH_EMPTY = "200 with finish reason length and no text: all went into reasoning"
    REASONING = "200 with the reasoning beside the text, its tokens among those of the answer"


# status, message, type, code, param
_ERRORS: Mapping[Fault, tuple[int, str, str, str | None, str | None]] = {
    Fault.RATE_LIMIT: (429, "Rate limit reached for requests", "requests", "rate_limit_exceeded", None),
    Fault.RETRY_AFTER: (429, "Rate limit reached for requests", "requests", "rate_limit_exceeded", None),
    Fault.SERVER_ERROR: (500, "The server had an error while processing your request", "server_error", None, None),
    Fault.OVERLOADED: (529, "Overloaded", "overloaded_error", None, None),
    Fault.QUOTA: (
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota",
        "insufficient_quota",
        None,
    ),
    Fault.PAYMENT: (402, "Insufficient Balance", "unknown_error", "invalid_request_error", None),
    Fault.BAD_REQUEST: (400, "Invalid value for 'messages[0].role'", "invalid_request_error", None, "messages"),
    Fault.NOT_FOUND: (404, "The model does not exist", "invalid_request_error", "model_not_found", None),
    Fault.UNSUPPORTED_TEMPERATURE: (
        400,
        "Unsupported value: 'temperature' does not support this value with this model.",
        "invalid_request_error",
        "unsupported_value",
        "temperature",
    ),
    Fault.UNSUPPORTED_MAX_TOKENS: (
        400,
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        "invalid_request_error",
        "unsupported_parameter",
        "max_tokens",
    ),
    Fault.CONTEXT_OPENAI: (
        400,
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
        "invalid_request_error",
        "context_length_exceeded",
        "messages",
    ),
    Fault.CONTEXT_ANTHROPIC: (
        400,
        "prompt is too long: 209000 tokens > 200000 maximum",
        "invalid_request_error",
        None,
        None,
    ),
    Fault.CONTEXT_GEMINI: (
        400,
        "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576).",
        "INVALID_ARGUMENT",
        None,
        None,
    ),
    Fault.CONTENT_FILTER: (
        400,
        "The response was filtered due to the prompt triggering the content management policy.",
        "invalid_request_error",
        "content_filter",
        "prompt",
    ),
}


@dataclass(frozen=True, slots=True)
class Canned:
    """An error as some provider words it: what a request is answered with instead of a `Fault`.

    Attributes:
        status: of HTTP.
        body: sent as JSON.
        headers: sent beside those that every answer has.
    """

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


_UNLESS_ABSENT: Mapping[Fault, str] = {
    Fault.UNSUPPORTED_TEMPERATURE: "temperature",
    Fault.UNSUPPORTED_MAX_TOKENS: "max_tokens",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reply function may return instead of plain text.

    Attributes:
        text: the message's content.
        input_tokens: reported as prompt tokens.
        output_tokens: reported as completion tokens, reasoning ones included.
        cached_tokens: part of the input.
        reasoning_tokens: part of the output.
        cache_write_tokens: part of the input.
    """

    text: str
    input_tokens: int = 100
    output_tokens: int = 20
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived; `at_s` is the time of arrival on the monotonic clock."""

    path: str
    body: Mapping[str, Any]
    authorization: str
    at_s: float = 0.0


class UnknownModel(Exception):
    """A reply function may raise it: no model has the name that a request asks for. It becomes a 404."""


ReplyFunction = Callable[[Mapping[str, Any]], "str | Answer"]


def serving(model: Model | Mapping[str, Model], deadline_s: float = 60.0) -> ReplyFunction:
    """A reply function that lets any model object answer, so that it can be reached over HTTP.

    The operator is read from the prompt's `<job op=...>` block. HTTP carries no address, so one is derived from
    the messages and from how often the same messages came before.

    Args:
        model: who answers; or several, by the name that a request asks for.
        deadline_s: handed on with each request.
    """
    lock = threading.Lock()
    times: Counter[bytes] = Counter()

    def reply(body: Mapping[str, Any]) -> Answer:
        messages = tuple(Message(m["role"], m["content"]) for m in body["messages"])
        text = json.dumps([body["model"] if isinstance(model, Mapping) else "", body["messages"]], sort_keys=True)
        digest = hashlib.sha256(text.encode()).digest()
        with lock:
            times[digest] += 1
            nth = times[digest]
        jobs = [b.attrs.get("op", "") for m in messages for b in markup.blocks(m.content) if b.tag == "job"]
        op = Op(jobs[-1]) if jobs and jobs[-1] in list(Op) else Op.DRAFT
        address = Address("http", 0, int.from_bytes(digest[:4], "big") + nth - 1, op)
        sampling = Sampling(max_tokens=int(body.get("max_completion_tokens") or body.get("max_tokens") or 8192))
        entropy = int.from_bytes(digest[4:12], "big") >> 1
        if isinstance(model, Mapping) and body["model"] not in model:
            raise UnknownModel(body["model"])
        answering = model[body["model"]] if isinstance(model, Mapping) else model
        answer = answering.complete(Request(messages, sampling, address, entropy, deadline_s))
        usage = answer.usage
        return Answer(answer.text, usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens)

    return reply


class OpenAIStub:
    """The server, as a context manager.

    Args:
        reply: gives the text (or an `Answer`) for a request body.
        model: the id reported as the one that answered; None: the one asked for.
        key: the only key that is accepted; None: any key or none.
        latency_s: waited before every answer.
        retry_after_s: sent with `Fault.RETRY_AFTER`.
        dimensions: of the embedding vectors.
        port: to listen on; 0: any free one.

    Attributes:
        faults: what happens to the next requests, one fault each, first in first out; None lets one through.
        always: a fault for every request while `faults` is empty.
        choose: a fault by a request's body, where neither of the two gives one.
        seen: all requests, in order of arrival.
    """

    def __init__(
        self,
        reply: ReplyFunction | str = "Hello from the stub.",
        *,
        model: str | None = None,
        key: str | None = None,
        latency_s: float = 0.0,
        retry_after_s: float = 1.0,
        dimensions: int = 8,
        port: int = 0,
    ) -> None:
        self.reply: ReplyFunction = (lambda _body: reply) if isinstance(reply, str) else reply
        self.model = model
        self.key = key
        self.latency_s = latency_s
        self.retry_after_s = retry_after_s
        self.dimensions = dimensions
        self.port = port
        self.faults: deque[Fault | Canned | None] = deque()
        self.always: Fault | Canned | None = None
        self.choose: Callable[[Mapping[str, Any]], Fault | Canned | None] = lambda _body: None
        self.seen: list[Seen] = []
        self.in_flight_peak = 0
        self._in_flight = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._server: _Server | None = None

    @property
    def calls(self) -> int:
        """How many requests arrived."""
        return len(self.seen)

    @property
    def base_url(self) -> str:
        """For a client's `api_base`.

        Raises:
            RuntimeError: the server is not running.
        """
        if self._server is None:
            raise RuntimeError("the stub server is not running: use it in a with statement")
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> OpenAIStub:
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="openai-stub", daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        with self._lock:
            sockets = list(self._sockets)
        for connection in sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def arrived(self, seen: Seen) -> Fault | Canned | None:
        """Note a request; what shall go wrong with it."""
        with self._lock:
            self.seen.append(seen)
            self._in_flight += 1
            self.in_flight_peak = max(self.in_flight_peak, self._in_flight)
            fault = self.faults.popleft() if self.faults else self.always or self.choose(seen.body)
        if isinstance(fault, Fault) and fault in _UNLESS_ABSENT and _UNLESS_ABSENT[fault] not in seen.body:
            return None
        if fault is None and self.key is not None and seen.authorization != f"Bearer {self.key}":
            return Fault.UNAUTHORIZED
        return fault

    def left(self) -> None:
        """Note that a request was dealt with."""
        with self._lock:
            self._in_flight -= 1

    def wait(self, seconds: float) -> bool:
        """Sleep; True when the server is being stopped."""
        return self._stop.wait(seconds)

    def connection_opened(self, connection: socket.socket) -> None:
        """Remember a connection, to end it when the server stops."""
        with self._lock:
            self._sockets.add(connection)

    def connection_closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._sockets.discard(connection)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, stub: OpenAIStub) -> None:
        self.stub = stub
        super().__init__(("127.0.0.1", stub.port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up in the middle is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for headers and body
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.stub.connection_opened(self.connection)

    def finish(self) -> None:
        try:
            with contextlib.suppress(OSError):
                super().finish()
        finally:
            self.server.stub.connection_closed(self.connection)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_POST(self) -> None:
        stub = self.server.stub
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        fault = stub.arrived(Seen(self.path, body, self.headers.get("Authorization", ""), time.monotonic()))
        try:
            if stub.latency_s and stub.wait(stub.latency_s):
                return
            if isinstance(fault, Canned):
                self._json(fault.status, fault.body, fault.headers)
            elif fault is Fault.UNAUTHORIZED:
                key = self.headers.get("Authorization", "").removeprefix("Bearer ")
                self._error(
                    401, f"Incorrect API key provided: {key}.", "invalid_request_error", "invalid_api_key", None
                )
            elif fault is not None and fault in _ERRORS:
                headers = {"Retry-After": f"{stub.retry_after_s:g}"} if fault is Fault.RETRY_AFTER else {}
                self._error(*_ERRORS[fault], headers=headers)
            elif fault is Fault.HANG:
                self._hang()
            elif self.path.endswith("/embeddings"):
                self._send(_embeddings(body, stub), fault)
            elif self.path.endswith("/chat/completions"):
                try:
                    value = _completion(body, stub, fault)
                except UnknownModel:
                    self._error(*_ERRORS[Fault.NOT_FOUND])
                else:
                    self._send(value, fault)
            else:
                self._error(404, f"no such path: {self.path}", "invalid_request_error", None, None)
        finally:
            stub.left()

    def _hang(self) -> None:
        """Say nothing until the client hangs up or the server stops."""
        self.close_connection = True
        while not self.server.stub.wait(DRIP_INTERVAL_S):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                break

    def _error(
        self,
        status: int,
        message: str,
        kind: str,
        code: str | None,
        param: str | None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._json(status, {"error": {"message": message, "type": kind, "param": param, "code": code}}, headers or {})

    def _json(self, status: int, value: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        data = json.dumps(value).encode()
        self._head(status, len(data), headers)
        self.wfile.write(data)
        self.wfile.flush()

    def _head(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        self.send_response(status, "Overloaded" if status == 529 else None)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length))
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()

    def _send(self, value: Mapping[str, Any], fault: Fault | None) -> None:
        data = json.dumps(value).encode()
        half = data[: len(data) // 2]
        if fault is Fault.DRIP:
            self.close_connection = True
            self._head(200, 1_000_000, {})
            self.wfile.flush()
            while not self.server.stub.wait(DRIP_INTERVAL_S):
                self.wfile.write(b" ")
                self.wfile.flush()
        elif fault is Fault.RESET:
            self.close_connection = True
            self._head(200, len(data), {})
            self.wfile.write(half)
            self.wfile.flush()
            # closing with zero linger sends RST
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif fault is Fault.TRUNCATED_JSON:
            self._head(200, len(half), {})
            self.wfile.write(half)
            self.wfile.flush()
        else:
            self._json(200, value, {})


def _completion(body: Mapping[str, Any], stub: OpenAIStub, fault: Fault | None) -> dict[str, Any]:
    made = stub.reply(body)
    answer = made if isinstance(made, Answer) else Answer(made)
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    finish = "stop"
    if fault in (Fault.LENGTH, Fault.LENGTH_EMPTY):
        finish = "length"
    elif fault is Fault.CONTENT_FILTER_FINISH:
        finish = "content_filter"
    elif fault is Fault.TOOL_CALLS:
        finish = "tool_calls"
        call = {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    elif fault is Fault.REASONING:
        message["reasoning_content"] = "First I think about it."
    if fault in (Fault.EMPTY_TEXT, Fault.CONTENT_FILTER_FINISH, Fault.LENGTH_EMPTY):
        message["content"] = ""
    value: dict[str, Any] = {
        "id": f"chatcmpl-{stub.calls}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": stub.model or body.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": answer.input_tokens,
            "completion_tokens": answer.output_tokens,
            "total_tokens": answer.input_tokens + answer.output_tokens,
            "prompt_tokens_details": {
                "cached_tokens": answer.cached_tokens,
                "cache_write_tokens": answer.cache_write_tokens,
            },
            "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
        },
    }
    if fault is Fault.EMPTY_CHOICES:
        value["choices"] = []
    if fault is Fault.NO_USAGE:
        del value["usage"]
    return value


def _embeddings(body: Mapping[str, Any], stub: OpenAIStub) -> dict[str, Any]:
    texts: Sequence[str] = [body["input"]] if isinstance(body["input"], str) else body["input"]
    data = [
        {"object": "embedding", "index": i, "embedding": _vector(text, stub.dimensions)} for i, text in enumerate(texts)
    ]
    tokens = sum(max(1, len(text.split())) for text in texts)
    return {
        "object": "list",
        "data": data[::-1],  # the index is what says which text a vector belongs to
        "model": stub.model or body.get("model"),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _vector(text: str, dimensions: int) -> list[float]:
    digest = hashlib.shake_256(text.encode()).digest(dimensions)
    return [(byte - 127.5) / 32 for byte in digest]
