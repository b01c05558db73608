"""What fits into a model's context window: the answer's limit is lowered first, then the prompt is too long."""

from __future__ import annotations

from dataclasses import dataclass

from mlesearch.models.live.refusals import LEAST_ANSWER_TOKENS
from mlesearch.models.token_count import careful_count, typical_count

WINDOW = "context_window"


@dataclass(frozen=True, slots=True)
class Fit:
    """What may be asked for.

    Attributes:
        limit_tokens: of the answer; None where the prompt leaves no room for one.
        why: `WINDOW` where that lowered it; where there is no room, why.
    """

    limit_tokens: int | None
    why: str = ""


def fit(asked: int, size_bytes: int, ceiling: int | None, window: int | None) -> Fit:
    """The limit on an answer.

    A careful count of the prompt may lower the limit; only a typical count says that nothing fits, since a prompt that
    is a little too long by ours may be none by the model's.

    Args:
        asked: tokens.
        size_bytes: of the prompt.
        ceiling: the most that one call may ask for; None: no such limit.
        window: of prompt and answer together; None: not known.
    """
    limit = asked if ceiling is None else min(asked, ceiling)
    if window is None or careful_count(size_bytes) + limit <= window:
        return Fit(limit)
    least = min(limit, LEAST_ANSWER_TOKENS)
    prompt = typical_count(size_bytes)
    if prompt + least > window:
        return Fit(None, f"about {prompt} tokens, and context_window is {window}")
    return Fit(max(least, window - careful_count(size_bytes)), WINDOW)
