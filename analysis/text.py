"""Numbers and lists in words, as every sentence and table of the report writes them, and what a sentence is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MINUS = "−"


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """One part of the claim box.

    Attributes:
        title: what it is about.
        mark: `yes`, `no` or `open`: shown, contradicted, or not established.
        headline: the short answer.
        sentence: the whole answer, quotable.
        status: confirmatory or exploratory.
    """

    title: str
    mark: str
    headline: str
    sentence: str
    status: str


def points(value: float, sign: bool = True) -> str:
    """A fraction as percentage points: +4.2, −1.0."""
    if math.isnan(value):
        return "–"
    text = f"{abs(100 * value):.1f}"
    if float(text) == 0:
        return text
    return (MINUS if value < 0 else "+" if sign else "") + text


def percent(rate: float) -> str:
    """A fraction as a percentage; or that there is none, since no run has a result."""
    return "no result" if math.isnan(rate) else f"{100 * rate:.1f}"


def interval(low: float, high: float) -> str:
    """Two limits as percentage points."""
    return "not estimable" if math.isnan(low) else f"{points(low)} to {points(high)}"


def p_text(p: float) -> str:
    """`p = 0.012`, `p < 0.001`, or that there is none."""
    if math.isnan(p):
        return "p not estimable"
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.1 else f"p = {p:.2f}"


def plural(count: int, word: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def listing(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"
