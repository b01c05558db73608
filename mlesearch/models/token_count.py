"""Our own count of tokens, by bytes alone: for what no provider has counted, or has counted wrongly.

No tokenizer is asked: each model has its own. Three bounds are kept apart. Prompts of ours (prose, Python, tables) take a
token for three to four bytes with current tokenizers, figures fewer bytes; an eighth is less than any of them needs.
"""

from __future__ import annotations

from collections.abc import Iterable

from mlesearch.models.protocol import Message

TYPICAL_BYTES, CAREFUL_BYTES, LONGEST_BYTES = 4, 3, 8
"""Of a token: what is typical, what a careful count takes, and more than which no tokenizer averages on our texts."""


def text_bytes(text: str) -> int:
    """Of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def prompt_bytes(messages: Iterable[Message]) -> int:
    """Of all messages together."""
    return sum(text_bytes(m.content) for m in messages)


def typical_count(size_bytes: int) -> int:
    """A token for four bytes."""
    return -(-size_bytes // TYPICAL_BYTES)


def careful_count(size_bytes: int) -> int:
    """A token for three bytes: rather too many."""
    return -(-size_bytes // CAREFUL_BYTES)


def least_count(size_bytes: int) -> int:
    """A token for eight bytes, rounded down: a report of fewer is wrong, or is of another text."""
    return size_bytes // LONGEST_BYTES
