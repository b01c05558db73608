"""One request: read, answered or made to fail."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mlesearch.testing.openai_stub.answers import Answer, UnknownModel, completion, embeddings
from mlesearch.testing.openai_stub.faults import ERRORS, Canned, Fault
from mlesearch.testing.openai_stub.native import native
from mlesearch.testing.openai_stub.state import Seen, StubState

DRIP_INTERVAL_S = 0.05


class StubServer(ThreadingHTTPServer):
    """Listens for a stub, on the loopback interface; a thread for each connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, stub: StubState) -> None:
        self.stub = stub
        super().__init__(("127.0.0.1", stub.port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up in the middle is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for headers and body
    server: StubServer

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

    def do_GET(self) -> None:
        """What costs nothing: the list of models."""
        stub = self.server.stub
        fault = stub.arrived(self._seen({}, paid=False))
        try:
            if isinstance(fault, Canned):
                self._body(fault.status, fault.data, fault.headers, fault.kind)
            elif fault is Fault.UNAUTHORIZED:
                self._error(401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key", None)
            elif self.path.endswith("/models") and stub.models is not None:
                self._json(
                    200, {"object": "list", "data": [{"id": name, "object": "model"} for name in stub.models]}, {}
                )
            else:
                self._error(404, f"no such path: {self.path}", "invalid_request_error", None, None)
        finally:
            stub.left()

    def do_POST(self) -> None:
        stub = self.server.stub
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        fault = stub.arrived(self._seen(body))
        try:
            if stub.latency_s and stub.wait(stub.latency_s):
                return
            if isinstance(fault, Canned):
                self._body(fault.status, fault.data, fault.headers, fault.kind)
            elif fault is Fault.UNAUTHORIZED:
                key = self.headers.get("Authorization", "").removeprefix("Bearer ")
                self._error(
                    401, f"Incorrect API key provided: {key}.", "invalid_request_error", "invalid_api_key", None
                )
            elif fault is not None and fault in ERRORS:
                headers = {"Retry-After": f"{stub.retry_after_s:g}"} if fault is Fault.RETRY_AFTER else {}
                self._error(*ERRORS[fault], headers=headers)
            elif fault is Fault.HANG:
                self._hang()
            elif self.path.endswith("/embeddings"):
                texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
                self._send(embeddings(texts, stub.model or body.get("model"), stub.dimensions), fault)
            elif self.path.endswith("/chat/completions") or native(self.path, Answer(""), None) is not None:
                self._complete(body, fault)
            else:
                self._error(404, f"no such path: {self.path}", "invalid_request_error", None, None)
        finally:
            stub.left()

    def _seen(self, body: Mapping[str, Any], paid: bool = True) -> Seen:
        headers = {name.lower(): text for name, text in self.headers.items()}
        return Seen(self.path, body, headers.get("authorization", ""), time.monotonic(), headers, paid)

    def _complete(self, body: Mapping[str, Any], fault: Fault | None) -> None:
        stub = self.server.stub
        try:
            made = stub.reply(body)
        except UnknownModel:
            self._error(*ERRORS[Fault.NOT_FOUND])
        else:
            answer = made if isinstance(made, Answer) else Answer(made)
            own = native(self.path, answer, stub.model or body.get("model"))
            if own is not None:
                self._json(200, own, {})
                return
            self._send(completion(answer, stub.model or body.get("model"), stub.calls, fault), fault)

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
        self._body(status, json.dumps(value).encode(), headers)

    def _body(self, status: int, data: bytes, headers: Mapping[str, str], kind: str = "application/json") -> None:
        self._head(status, len(data), headers, kind)
        self.wfile.write(data)
        self.wfile.flush()

    def _head(self, status: int, length: int, headers: Mapping[str, str], kind: str = "application/json") -> None:
        self.send_response(status, "Overloaded" if status == 529 else None)
        self.send_header("Content-Type", kind)
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
