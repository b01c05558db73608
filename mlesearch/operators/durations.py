"""Times in words: limits exactly, measured times coarsely.

Two equal runs measure times that differ a little. A prompt that named them to the second would differ in each of them,
and a recorded reply to it would not be found again. So measured times are told by the marks of one scale, which begins
at ten seconds and has steps of a third to two thirds: enough to judge what a further model or fold costs, and two
equal runs send equal prompts but where a time comes to lie on the other side of a mark.
"""

from __future__ import annotations

from bisect import bisect_right

from mlesearch.types import Node, Status

_MINUTE, _HOUR = 60.0, 3600.0

MARKS_S = (
    *(10.0, 15.0, 20.0, 30.0, 45.0),
    *(_MINUTE * n for n in (1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 45)),
    *(_HOUR * n for n in (1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 48, 72, 120, 168)),
)
"""The scale of measured times, seconds."""


def duration(seconds: float) -> str:
    """A declared time in words: "90 s", "3600 s (1 h)"."""
    text = f"{seconds:.15g} s"
    return text if seconds < 2 * _MINUTE else f"{text} ({brief_duration(seconds)})"


def brief_duration(seconds: float) -> str:
    """A time in one unit, to three digits: "90 s", "45 min", "1.5 h"."""
    if seconds >= _HOUR:
        return f"{seconds / _HOUR:.3g} h"
    return f"{seconds / _MINUTE:.3g} min" if seconds >= 2 * _MINUTE else f"{seconds:.3g} s"


def run_time(node: Node) -> str | None:
    """What a node's program took of its limit: "under 20 min of 1 h", "all of 60 s"; None where that is not known.

    The first number is the next mark of `MARKS_S` above the measured time, at most the limit.
    """
    if node.run_time_s is None or node.time_limit_s is None:
        return None
    limit = brief_duration(node.time_limit_s)
    if node.status is Status.TIMEOUT or node.run_time_s >= node.time_limit_s:
        return f"all of {limit}"
    above = bisect_right(MARKS_S, node.run_time_s)
    bound_s = MARKS_S[above] if above < len(MARKS_S) else node.time_limit_s
    return f"under {brief_duration(min(bound_s, node.time_limit_s))} of {limit}"


def time_left(seconds: float) -> str:
    """What is left of a search: "more than 2 h", by the next mark of `MARKS_S` below; "less than 10 s" at its end."""
    below = bisect_right(MARKS_S, seconds)
    return f"more than {brief_duration(MARKS_S[below - 1])}" if below else f"less than {brief_duration(MARKS_S[0])}"
