"""What really came over the wire for a call of ours: seen below litellm, and mended where litellm would throw it away.

litellm and OpenAI's client validate an answer strictly and raise where a field has an odd form (a content of typed
parts, a count that is a string, bytes that are no UTF-8, a stream that nobody asked for). Such an answer has been paid
for; asking again pays again. So responses to our own calls, and to no others in this process, pass through `see`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from mlesearch.models.live.bodies import Mended, mend


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The last response to a call.

    Attributes:
        status: of HTTP.
        content_type: as its header has it, in lower case.
        body: as it came.
        mended: what was made of it; None where it was not JSON.
    """

    status: int
    content_type: str
    body: bytes
    mended: Mended | None

    @property
    def readable(self) -> bool:
        """Whether it is a JSON object, as an answer must be."""
        return isinstance(self.value, Mapping)

    @property
    def value(self) -> Any:
        """The JSON value, mended; None where it is none."""
        return None if self.mended is None else self.mended.value


@dataclass(slots=True)
class Wire:
    """What one attempt saw; `answer` is None where no response came."""

    answer: HttpAnswer | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def usage(self) -> object:
        """The usage as the provider sent it; None where there is none."""
        value = None if self.answer is None else self.answer.value
        return value.get("usage") if isinstance(value, Mapping) else None


current: ContextVar[Wire | None] = ContextVar("what a call of ours sees", default=None)


def install() -> None:
    """Have responses to calls of ours pass by; once per process, calls of others are left alone."""
    httpx: Any = importlib.import_module("httpx")
    plain = httpx.AsyncClient.send
    if getattr(plain, "_mlesearch", False):
        return

    async def send(client: Any, request: Any, **options: Any) -> Any:
        response = await plain(client, request, **options)
        wire = current.get()
        if wire is None or options.get("stream"):
            return response
        return see(httpx, wire, response)

    marked: Any = send
    marked._mlesearch = True  # so that it is wrapped once
    httpx.AsyncClient.send = marked


def see(httpx: Any, wire: Wire, response: Any) -> Any:
    """Note a response, and hand on a mended one where it holds an answer of an odd form."""
    body: bytes = response.content
    mended = mend(body, ok=200 <= response.status_code < 300)
    content_type = str(response.headers.get("content-type", "")).lower()
    wire.answer = HttpAnswer(response.status_code, content_type, body, mended)
    if mended is None or mended.body is None:
        return response
    wire.notes = mended.notes
    headers = {
        name: text
        for name, text in response.headers.items()
        if name.lower() not in ("content-length", "content-encoding", "transfer-encoding", "content-type")
    }
    made = httpx.Response(
        response.status_code,
        headers={**headers, "content-type": "application/json"},
        content=mended.body,
        request=response.request,
        extensions={k: v for k, v in response.extensions.items() if k in ("http_version", "reason_phrase")},
    )
    made.elapsed = response.elapsed
    return made
