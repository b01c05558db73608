"""Replies of a run that could not be used, counted by reason."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from mlesearch.study.runs.fold import FoldedRun
from mlesearch.types import Status

_WORDS = {
    "context_overflow": "prompt too long",
    "content_filter": "stopped by a content filter",
    "empty": "no text",
    "tool_calls": "a tool call in place of a text",
    "reasoning_only": "reasoning without an answer",
    "refused": "refused by the provider",
    "never_answered": "never answered by the provider, which answers others",
    "length": "cut at the limit of its length",
}
"""Finish reasons of last replies, in words."""


@dataclass(frozen=True, slots=True)
class UnusableReplies:
    """How many proposals of a run ended without a usable reply, and why.

    Attributes:
        proposals: that ended.
        by_reason: of those without a usable reply, how many by reason, most first.
    """

    proposals: int
    by_reason: tuple[tuple[str, int], ...]

    @property
    def count(self) -> int:
        """Proposals without a usable reply."""
        return sum(n for _, n in self.by_reason)

    def __str__(self) -> str:
        reasons = ", ".join(f"{reason} × {n}" for reason, n in self.by_reason)
        return f"{self.count} of {self.proposals} replies unusable: {reasons}"


def count(f: FoldedRun) -> UnusableReplies:
    """Those of one run."""
    reasons = [reason(f, id) for id in f.told if f.told[id]["outcome"]["status"] == Status.REPLY_UNUSABLE.value]
    return UnusableReplies(len(f.told), tuple(Counter(reasons).most_common()))


def reason(f: FoldedRun, id: int) -> str:
    """Why the last reply to a proposal could not be used, in a few words without numbers of its own."""
    replies = replies_to(f, id)
    finish = replies[-1].get("finish", "stop") if replies else "stop"
    if finish in _WORDS:
        return _WORDS[finish]
    lesson = f.told[id]["outcome"].get("lesson", "").strip().split("\n")[0]
    text = re.split(r"[;:.] |[.;:]$", lesson, maxsplit=1)[0].removeprefix("it ")
    return text or "not said"


def replies_to(f: FoldedRun, id: int) -> list[Any]:
    """The replies to a proposal, reviews of its program included, in the order in which they came."""
    return [call for call in f.calls if call["id"] == id and call["type"] != "embedded"]
