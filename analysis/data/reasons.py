"""Why runs, steps and programs came to nothing, counted by reason and said in a few words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

UNUSABLE = "reply_unusable"
"""Status of a step that gave no program."""

_PLACE = re.compile(r"\s*\(solution\.py line \d+\)")
_SHOWN = 3
"""So many reasons are named."""

_LONGEST = 200
"""Characters of a reason that are shown."""

Reasons = tuple[tuple[str, int], ...]
"""Reasons with their counts, the most frequent first."""


def head(reason: str) -> str:
    """What a reply lacked, without the provider's own words and the advice that follow."""
    return shortened(re.split(r"[;:\n]", reason, maxsplit=1)[0].strip().rstrip(".")) or "no reason recorded"


def of_program(reason: str) -> str:
    """Why a program failed, without the line at which it did."""
    return shortened(_PLACE.sub("", reason))


def shortened(reason: str) -> str:
    """In one line of a bounded length."""
    line = " ".join(reason.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def ordered(counts: Counter[str]) -> Reasons:
    """The most frequent first, of equal ones by name; empty ones are left out."""
    return tuple(sorted(((reason, n) for reason, n in counts.items() if reason), key=lambda item: (-item[1], item[0])))


def merged(parts: Sequence[Reasons]) -> Reasons:
    """The reasons of several cells together."""
    counts: Counter[str] = Counter()
    for reasons in parts:
        counts.update(dict(reasons))
    return ordered(counts)


def reasons_text(reasons: Reasons) -> str:
    """`prompt too long × 9, no program × 3`, the most frequent first; the rest is counted."""
    shown = [f"{reason} × {n}" for reason, n in reasons[:_SHOWN]]
    rest = sum(n for _, n in reasons[_SHOWN:])
    return ", ".join([*shown, f"{rest} for other reasons"] if rest else shown)
