"""Answers in the forms of providers that have one of their own: Anthropic's, Google's, Ollama's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlesearch.testing.openai_stub.answers import Answer


def native(path: str, answer: Answer, model: str | None) -> dict[str, Any] | None:
    """The body of an answer in the form that a path asks for; None where that is OpenAI's, or no path is known.

    Args:
        path: of the request.
        answer: what it says.
        model: the id that is reported.
    """
    if path.endswith("/messages"):
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": model or "claude",
            "content": [{"type": "text", "text": answer.text}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens},
        }
    if ":generateContent" in path:
        return {
            "candidates": [
                {"content": {"role": "model", "parts": [{"text": answer.text}]}, "finishReason": "STOP", "index": 0}
            ],
            "usageMetadata": {
                "promptTokenCount": answer.input_tokens,
                "candidatesTokenCount": answer.output_tokens,
                "totalTokenCount": answer.input_tokens + answer.output_tokens,
            },
            "modelVersion": model or "gemini",
        }
    if path.endswith("/api/chat"):
        return {
            "model": model or "ollama",
            "created_at": "2026-01-01T00:00:00Z",
            "message": {"role": "assistant", "content": answer.text},
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": answer.input_tokens,
            "eval_count": answer.output_tokens,
        }
    return None


def asked_limit(body: Mapping[str, Any]) -> int | None:
    """The limit on the answer that a request asks for, in any of these forms."""
    options = body.get("generationConfig") or body.get("options") or body
    names = ("max_tokens", "max_completion_tokens", "maxOutputTokens", "max_output_tokens", "num_predict")
    return next((options[name] for name in names if isinstance(options.get(name), int)), None)


def system_text(body: Mapping[str, Any]) -> str:
    """The system text of a request, in any of these forms; empty: none."""
    for name in ("system", "systemInstruction", "system_instruction"):
        if body.get(name):
            return str(body[name])
    return "".join(str(m["content"]) for m in body.get("messages", ()) if m.get("role") in ("system", "developer"))
