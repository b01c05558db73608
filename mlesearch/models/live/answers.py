"""From an answer over HTTP to its text; what holds none is told apart, since what to do about it differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlesearch.models.protocol import ContentFilter, EmptyReply, PromptFailure, ReasoningReply, ToolCallReply


@dataclass(frozen=True, slots=True)
class Said:
    """What a response says.

    Attributes:
        text: the answer; text parts are joined.
        reasoning: what is shown of it beside the text.
        finish: "stop", "length" or "content_filter".
        problem: why there is no answer in it; None where there is.
        problem_text: in words.
    """

    text: str
    reasoning: str
    finish: str
    problem: type[PromptFailure] | None = None
    problem_text: str = ""


def said(response: Any, body: object) -> Said:
    """Read a response.

    Args:
        response: litellm's object.
        body: the JSON that came over the wire, for what litellm leaves out.
    """
    choices = getattr(response, "choices", None) or []
    if not choices:
        return Said("", "", "stop", EmptyReply, "the answer holds no choices")
    told = str(choices[0].finish_reason or "stop")
    finish = told if told in ("length", "content_filter") else "stop"
    message = choices[0].message
    text = message.content if isinstance(message.content, str) else ""
    reasoning = _reasoning(message, body)
    if text.strip() or finish == "length":
        return Said(text, reasoning, finish)
    if finish == "content_filter" or _refusal(message):
        return Said("", reasoning, finish, ContentFilter, "the provider withheld the answer")
    tool = _tool(message)
    if tool is not None:
        return Said(
            "", reasoning, finish, ToolCallReply, f"the answer is a call of a tool ({tool}), and none was offered"
        )
    if reasoning.strip():
        return Said("", reasoning, finish, ReasoningReply, "the answer is reasoning alone, with no text after it")
    return Said("", "", finish, EmptyReply, f"the answer holds no text (finish reason {told!r})")


def _reasoning(message: Any, body: object) -> str:
    found = getattr(message, "reasoning_content", None)
    if isinstance(found, str) and found:
        return found
    raw = _message(body)
    texts = (raw.get(name) for name in ("reasoning_content", "reasoning"))
    return next((text for text in texts if isinstance(text, str) and text), "")


def _message(body: object) -> Mapping[str, object]:
    """The first message of a body in OpenAI's form."""
    choices = body.get("choices") if isinstance(body, Mapping) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, Mapping) else None
    return message if isinstance(message, Mapping) else {}


def _refusal(message: Any) -> bool:
    fields = getattr(message, "provider_specific_fields", None) or {}
    return bool(getattr(message, "refusal", None) or fields.get("refusal"))


def _tool(message: Any) -> str | None:
    """The name of the tool that is called; None where none is."""
    calls = getattr(message, "tool_calls", None) or []
    function = getattr(calls[0], "function", None) if calls else getattr(message, "function_call", None)
    return None if function is None and not calls else repr(str(getattr(function, "name", "") or ""))[:80]
