"""What the threads of a stub share: what it answers with, and what it has seen."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlesearch.testing.openai_stub.answers import ReplyFunction
from mlesearch.testing.openai_stub.faults import UNLESS_ABSENT, Canned, Fault


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived, at `at_s` of the monotonic clock; names of headers are in lower case.

    `paid`: it asks for an answer; false of the list of models.
    """

    path: str
    body: Mapping[str, Any]
    authorization: str
    at_s: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    paid: bool = True


class StubState:
    """Settings of a stub, and its counts. See `OpenAIStub` for both."""

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
        models: Sequence[str] | None = None,
    ) -> None:
        self.reply: ReplyFunction = (lambda _body: reply) if isinstance(reply, str) else reply
        self.model = model
        self.key = key
        self.latency_s = latency_s
        self.retry_after_s = retry_after_s
        self.dimensions = dimensions
        self.port = port
        self.models = models
        self.faults: deque[Fault | Canned | None] = deque()
        self.always: Fault | Canned | None = None
        self.choose: Callable[[Mapping[str, Any]], Fault | Canned | None] = lambda _body: None
        self.seen: list[Seen] = []
        self.in_flight_peak = 0
        self._in_flight = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._sockets: set[socket.socket] = set()

    @property
    def calls(self) -> int:
        """How many requests arrived that a provider would be paid for."""
        return sum(seen.paid for seen in self.seen)

    def arrived(self, seen: Seen) -> Fault | Canned | None:
        """Note a request; what shall go wrong with it."""
        with self._lock:
            self.seen.append(seen)
            self._in_flight += 1
            self.in_flight_peak = max(self.in_flight_peak, self._in_flight)
            fault = self.faults.popleft() if self.faults else self.always or self.choose(seen.body)
        if isinstance(fault, Fault) and fault in UNLESS_ABSENT and UNLESS_ABSENT[fault] not in seen.body:
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

    def stop(self) -> None:
        """End whatever waits."""
        self._stop.set()

    def hang_up(self) -> None:
        """End the connections that are open."""
        with self._lock:
            sockets = list(self._sockets)
        for connection in sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def connection_opened(self, connection: socket.socket) -> None:
        """Remember a connection, to end it when the server stops."""
        with self._lock:
            self._sockets.add(connection)

    def connection_closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._sockets.discard(connection)
