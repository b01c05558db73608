"""Bodies of answers in odd forms, made into what litellm takes; nothing is changed in one that has no odd form."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

LARGEST = 2**53
"""No count of tokens is larger: beyond, it says nothing."""

_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
_TEXT = frozenset({"text", "output_text"})


@dataclass(frozen=True, slots=True)
class Mended:
    """The JSON of a body.

    Attributes:
        value: mended; its usage is as the provider sent it.
        body: to be read in place of the one that came; None: that one will do.
        notes: what was odd, in a few words.
    """

    value: Any
    body: bytes | None = None
    notes: tuple[str, ...] = ()


def mend(body: bytes, *, ok: bool) -> Mended | None:
    """Read a body; None where it holds no JSON.

    Args:
        body: as it came.
        ok: whether its status is one of success; a body of an error is only read.
    """
    notes: list[str] = []
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = body.decode(errors="replace")
        notes.append("the answer is not UTF-8: bytes that are none were replaced")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = _from_events(text) if ok else None
        if value is None:
            return None
        notes.append("the answer came as a stream of events that was not asked for")
    if not ok or not isinstance(value, dict) or not isinstance(value.get("choices"), list):
        return Mended(value, text.encode() if notes and ok else None, tuple(dict.fromkeys(notes)))
    usage = value.get("usage")
    mended = _completion(value, notes)
    if not notes:
        return Mended(value)
    data = json.dumps(mended, ensure_ascii=True).encode()
    return Mended({**mended, "usage": usage}, data, tuple(dict.fromkeys(notes)))


def _completion(value: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    made = dict(value)
    made["choices"] = [
        _choice(i, choice, notes) for i, choice in enumerate(value["choices"]) if isinstance(choice, dict)
    ]
    if "usage" in value:
        made["usage"] = _usage(value["usage"], notes)
    for name, kind, default in (("id", str, "no-id"), ("created", int, 0), ("object", str, "chat.completion")):
        if name in value and not isinstance(value[name], kind):
            made[name] = default
            notes.append(f"the answer's {name} has an odd form")
    if value.get("model") is not None and not isinstance(value["model"], str):
        made["model"] = str(value["model"])
        notes.append("the answer's model has an odd form")
    return made


def _choice(index: int, choice: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    made = dict(choice)
    finish = choice.get("finish_reason")
    if finish is not None and not isinstance(finish, str):
        made["finish_reason"] = "stop"
        notes.append("the finish reason has an odd form")
    if not isinstance(choice.get("index", 0), int):
        made["index"] = index
        notes.append("the index of a choice has an odd form")
    message = choice.get("message")
    if isinstance(message, dict):
        made["message"] = _message(message, notes)
    elif isinstance(choice.get("text"), str):
        made["message"] = {"role": "assistant", "content": choice["text"]}
        notes.append("the answer is a completion and no message")
    elif isinstance(choice.get("delta"), dict):
        made["message"] = _message({"role": "assistant", **choice["delta"]}, notes)
        notes.append("the answer is a delta and no message")
    else:
        made["message"] = {"role": "assistant", "content": message if isinstance(message, str) else None}
        notes.append("a choice holds no message")
    return made


def _message(message: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    made = dict(message)
    content = message.get("content")
    if isinstance(content, list | dict):
        parts = content if isinstance(content, list) else [content]
        made["content"] = joined(parts, thinking=False) or None
        thought = joined(parts, thinking=True)
        if thought and not message.get("reasoning_content"):
            made["reasoning_content"] = thought
        notes.append("the answer is a list of typed parts: its text parts were joined")
    elif content is not None and not isinstance(content, str):
        made["content"] = str(content)
        notes.append("the content of the answer has an odd form")
    for name in ("reasoning_content", "reasoning", "refusal"):
        if name in message and message[name] is not None and not isinstance(message[name], str):
            found = message[name]
            made[name] = joined(found if isinstance(found, list) else [found], thinking=None)
            notes.append(f"the answer's {name} has an odd form")
    if message.get("role") != "assistant":
        made["role"] = "assistant"
        notes.append("the role of the answer has an odd form")
    calls = message.get("tool_calls")
    if calls is not None and not (isinstance(calls, list) and all(map(_is_call, calls))):
        made["tool_calls"] = [_A_CALL] if calls else None
        notes.append("a tool call has an odd form")
    return made


_A_CALL = {"id": "call", "type": "function", "function": {"name": "unreadable", "arguments": "{}"}}


def _is_call(call: object) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return (
        isinstance(function, dict)
        and isinstance(function.get("name"), str)
        and isinstance(function.get("arguments"), str)
    )


def joined(parts: Iterable[object], *, thinking: bool | None) -> str:
    """The text of typed parts: of those that are thinking, of those that are not, or (None) of all."""
    texts = []
    for part in parts:
        if isinstance(part, str):
            kind, text = "text", part
        elif isinstance(part, Mapping):
            kind = str(part.get("type", "text"))
            raw = next((part[k] for k in ("text", "content", "thinking", "reasoning") if k in part), None)
            if isinstance(raw, Mapping):
                raw = raw.get("value", raw.get("text"))
            text = joined(raw, thinking=None) if isinstance(raw, list) else raw if isinstance(raw, str) else ""
        else:
            continue
        if thinking is None or ((kind in ("thinking", "reasoning")) == thinking and (thinking or kind in _TEXT)):
            texts.append(text)
    return "".join(texts)


def count(value: object) -> int | None:
    """A count of tokens, where it is one: a whole number, also as a float or as a string of digits."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        value = int(value) if value.strip().isdecimal() and len(value) < 20 else None
    if isinstance(value, float):
        value = math.ceil(value) if math.isfinite(value) else None
    return value if isinstance(value, int) and 0 <= value <= LARGEST else None


def _usage(usage: object, notes: list[str]) -> dict[str, Any]:
    """Counts that litellm takes; those that are none are 0, and details that are none are left out."""
    if not isinstance(usage, dict):
        if usage is not None:
            notes.append("the usage has an odd form")
        return dict.fromkeys(_COUNTS, 0)
    made = dict(usage)
    for name, value in usage.items():
        if name.endswith("_details"):
            inner = {k: count(v) for k, v in value.items()} if isinstance(value, dict) else None
            if value is not None and (inner is None or any(_odd(v) for v in value.values())):
                made[name] = None if inner is None else {k: v for k, v in inner.items() if v is not None}
                notes.append("the usage has an odd form")
        elif name in _COUNTS and _odd(value):
            made[name] = count(value) or 0
            notes.append("the usage has an odd form")
    return made


def _odd(value: object) -> bool:
    return value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST)


def _from_events(text: str) -> dict[str, Any] | None:
    """The completion that a stream of events holds; None where it holds none."""
    content: list[str] = []
    reasoning: list[str] = []
    base: dict[str, Any] = {}
    usage: object = None
    finish: object = None
    for line in text.splitlines():
        if not line.startswith("data:") or line[5:].strip() in ("", "[DONE]"):
            continue
        try:
            event = json.loads(line[5:])
        except (ValueError, RecursionError):
            return None  # cut off: what is missing is not known
        if not isinstance(event, dict):
            return None
        if "error" in event and "choices" not in event:
            return event
        base = base or event
        usage = event.get("usage") or usage
        for choice in event.get("choices") or ():
            delta = choice.get("delta") or choice.get("message") or {} if isinstance(choice, dict) else {}
            content.append(delta.get("content") or "")
            reasoning.append(delta.get("reasoning_content") or "")
            finish = choice.get("finish_reason") or finish
    if not base or finish is None:
        return None
    message = {"role": "assistant", "content": "".join(content) or None}
    if any(reasoning):
        message["reasoning_content"] = "".join(reasoning)
    made = {
        "id": str(base.get("id") or "no-id"),
        "object": "chat.completion",
        "created": 0,
        "model": str(base.get("model") or ""),
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }
    return made if usage is None else {**made, "usage": usage}
