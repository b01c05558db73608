"""The second try of a prompt that got no answer: the same, and what kind of answer is meant where that helps."""

from __future__ import annotations

from collections.abc import Sequence

from mlesearch.models.protocol import Message, ReasoningReply, ToolCallReply

_NOTES = {
    ToolCallReply.finish: (
        "Your last answer was a call of a tool. There are no tools here: answer in text, in the form asked for above."
    ),
    ReasoningReply.finish: (
        "Your last answer held reasoning alone, and no text after it. Keep the reasoning short, and answer in text, in "
        "the form asked for above."
    ),
}
"""By the finish reason of the reply. In code, since the digests of prompt files are part of identities."""


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
    return (*messages[:-1], Message(last.role, f"{last.content}\n\n{note}"))
