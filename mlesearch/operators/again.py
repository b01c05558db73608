"""The second try of a prompt that got no answer: the same prompt, and, where that helps, what kind of answer is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlesearch.models.protocol import Message, ReasoningReply, ToolCallReply

_NOTES = {
    ToolCallReply.finish: (
        "Your last answer was a call of a tool. There are no tools here: answer in text, in the form asked for above."
    ),
    ReasoningReply.finish: (
        "Your last answer held reasoning alone, and no text after it. Keep the reasoning short, and answer in text, in the "
        "form asked for above."
    ),
}
"""By the finish reason of the reply. It stands in code and not in a prompt file, whose digests are part of identities."""


def in_text(messages: Sequence[Message], finish: str) -> tuple[Message, ...]:
    """The prompt with a note at its end that says to answer in text; as it is, where the finish reason needs none.

    Args:
        messages: of the prompt; the last one is the user's.
        finish: why there was no answer.
    """
    note = _NOTES.get(finish)
    if note is None:
        return tuple(messages)
    last = messages[-1]
    return (*messages[:-1], replace(last, content=f"{last.content}\n\n{note}"))
