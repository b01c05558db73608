"""Bodies of answers: what a reply function gives, as the endpoint sends it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlesearch.testing.openai_stub.faults import Fault


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


class UnknownModel(Exception):
    """A reply function may raise it: no model has the name that a request asks for. It becomes a 404."""


ReplyFunction = Callable[[Mapping[str, Any]], "str | Answer"]


def completion(answer: Answer, model: str | None, number: int, fault: Fault | None) -> dict[str, Any]:
    """The body of a completion.

    Args:
        answer: what it says.
        model: the id that is reported.
        number: of the request.
        fault: what is odd about it, if anything.
    """
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
    elif fault in (Fault.REASONING, Fault.REASONING_ONLY):
        message["reasoning_content"] = "First I think about it."
    if fault is Fault.REASONING_ONLY:
        message["content"] = None
    if fault in (Fault.EMPTY_TEXT, Fault.CONTENT_FILTER_FINISH, Fault.LENGTH_EMPTY):
        message["content"] = ""
    value: dict[str, Any] = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
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


def embeddings(texts: Sequence[str], model: str | None, dimensions: int) -> dict[str, Any]:
    """The body of embeddings: vectors that depend on their texts alone."""
    data = [{"object": "embedding", "index": i, "embedding": _vector(text, dimensions)} for i, text in enumerate(texts)]
    tokens = sum(max(1, len(text.split())) for text in texts)
    return {
        "object": "list",
        "data": data[::-1],  # the index is what says which text a vector belongs to
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _vector(text: str, dimensions: int) -> list[float]:
    digest = hashlib.shake_256(text.encode()).digest(dimensions)
    return [(byte - 127.5) / 32 for byte in digest]
