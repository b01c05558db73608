"""What can go wrong with a request, and how providers word it."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
    REASONING_ONLY = "200 with reasoning and no text"
    REASONING = "200 with the reasoning beside the text, its tokens among those of the answer"


ERRORS: Mapping[Fault, tuple[int, str, str, str | None, str | None]] = {
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
"""Status of HTTP, and the error's message, type, code and param."""


@dataclass(frozen=True, slots=True)
class Canned:
    """An answer as some provider, or something in front of it, words it: what a request gets instead of a `Fault`.

    Attributes:
        status: of HTTP.
        body: sent as JSON; or text or bytes, sent as they are.
        headers: sent beside those that every answer has.
        kind: its Content-Type.
    """

    status: int
    body: Mapping[str, Any] | str | bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = "application/json"

    @property
    def data(self) -> bytes:
        """The body as it is sent."""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


UNLESS_ABSENT: Mapping[Fault, str] = {
    Fault.UNSUPPORTED_TEMPERATURE: "temperature",
    Fault.UNSUPPORTED_MAX_TOKENS: "max_tokens",
}
"""Faults that pass once a request leaves this parameter out."""
