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


LEVEL = 0.05
"""The level of the tests: a p next to it is printed with the digits that tell on which side it lies."""


def points(value: float, sign: bool = True, digits: int = 1) -> str:
    """A fraction as percentage points: +4.2, −1.0."""
    if math.isnan(value):
        return "–"
    text = f"{abs(100 * value):.{digits}f}"
    if float(text) == 0:
        return text
    return (MINUS if value < 0 else "+" if sign else "") + text


def amount(value: float) -> str:
    """An amount of a budget: 0.05, 12.5, 3,600."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def percent(rate: float) -> str:
    """A fraction as a percentage; or that there is none, since no run has a result."""
    return "no result" if math.isnan(rate) else f"{100 * rate:.1f}"


def interval(low: float, high: float) -> str:
    """Two limits as percentage points, with the digits that tell them apart."""
    if math.isnan(low):
        return "not estimable"
    digits = next((n for n in (1, 2, 3) if points(low, digits=n) != points(high, digits=n)), 1)
    return f"{points(low, digits=digits)} to {points(high, digits=digits)}"


def p_text(p: float) -> str:
    """`p = 0.012`, `p < 0.001`, or that there is none."""
    if math.isnan(p):
        return "p not estimable"
    return "p < 0.001" if p < 0.001 else f"p = {near_level(p, f'{p:.2g}' if p < 0.1 else f'{p:.2f}')}"


def near_level(p: float, text: str) -> str:
    """A p-value's text, with the digits that tell it from 0.05, or that it is exactly that and rejects."""
    if float(text) != LEVEL:
        return text
    if math.isclose(p, LEVEL, rel_tol=1e-9):
        return f"{text} exactly"
    return next(t for n in range(2, 10) if float(t := f"{p:.{n}g}") != LEVEL)


def plural(count: int, word: str) -> str:
    """`1 task`, `2,000 tasks`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def listing(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"
