"""What a cassette stores of an answer: a reply, a failure that belongs to the prompt, vectors."""

from __future__ import annotations

from mlesearch.models.protocol import PROMPT_FAILURES, EmbedReply, PromptFailure, Reply
from mlesearch.storage.codec import Json, usage_from_json, usage_to_json

_BY_NAME = {kind.__name__: kind for kind in PROMPT_FAILURES}


def reply_to_json(reply: Reply) -> Json:
    """A reply."""
    stored: Json = {
        "text": reply.text,
        "finish": reply.finish,
        "usage": usage_to_json(reply.usage),
        "model": reply.model,
        "dropped": list(reply.dropped),
    }
    if reply.notes:
        stored["notes"] = list(reply.notes)
    if reply.limit_tokens is not None:
        stored["limit_tokens"] = reply.limit_tokens
    return stored


def failure_to_json(error: PromptFailure) -> Json:
    """A failure, which is kept like a reply: the same prompt fails the same way."""
    name = next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _BY_NAME)
    return {"failure": name, "text": str(error), "usage": usage_to_json(error.usage)}


def _refuse(value: Json) -> None:
    """Raise a stored failure.

    Raises:
        PromptFailure: there is one.
    """
    if "failure" in value:
        raise _BY_NAME[value["failure"]](value["text"], usage_from_json(value.get("usage", {})))


def reply_from_json(value: Json) -> Reply:
    """A stored reply.

    Raises:
        PromptFailure: a failure was stored.
    """
    _refuse(value)
    return Reply(
        value["text"],
        value["finish"],
        usage_from_json(value.get("usage", {})),
        value["model"],
        tuple(value["dropped"]),
        tuple(value.get("notes", ())),
        value.get("limit_tokens"),
    )


def vectors_to_json(reply: EmbedReply) -> Json:
    """Vectors and what they cost."""
    return {"vectors": [list(v) for v in reply.vectors], "usage": usage_to_json(reply.usage)}


def vectors_from_json(value: Json) -> EmbedReply:
    """Inverse of `vectors_to_json`.

    Raises:
        PromptFailure: a failure was stored.
    """
    _refuse(value)
    return EmbedReply(tuple(map(tuple, value["vectors"])), usage_from_json(value["usage"]))
