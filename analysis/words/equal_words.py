"""What stands beside "no difference is established": what would have been found, and equality within a margin."""

from __future__ import annotations

import math

from mlesearch.analysis.comparisons.comparison import Comparison
from mlesearch.analysis.results import Results
from mlesearch.analysis.text import listing, p_text, plural, points

ALPHA = 0.05


def no_difference(results: Results, c: Comparison) -> str:
    """The gap that these data would have found with the models that show none, and with which the two are equal.

    Returns:
        A clause that follows "no difference is established"; empty where nothing can be said.
    """
    rest = [
        (m, e)
        for m, g, e in zip(results.models.names, c.gaps, c.equivalence, strict=True)
        if not g.refused and not g.rejects() and g.can_reject() and not math.isnan(e.detectable)
    ]
    if not rest:
        return ""
    whom = rest[0][0] if len(rest) == 1 else "these models" if len(rest) < len(c.gaps) else "a model"
    tests = f", 5 % over {plural(len(c.gaps), 'model')}" if len(c.gaps) > 1 else ""
    found = f"{_size([e.detectable for _, e in rest])} with {whom} would have been found in 80 % of such studies"
    found = f"{found} (t over tasks{tests})"
    margin = results.claim.margin if results.claim is not None and c.confirmatory else None
    equal = [] if margin is None else [(m, e) for m, e in rest if e.p_adjusted <= ALPHA]
    if margin is None:
        return f"; that is no evidence of equality: {found}"
    within = f"within the declared margin of {points(margin, sign=False)} points"
    if not equal:
        return f"; that is no evidence of equality: {found}, and equality {within} is not shown (two one-sided t tests)"
    worst = p_text(max(e.p_adjusted for _, e in equal))
    worst = worst if len(equal) == 1 else worst.replace("p =", "all p ≤").replace("p <", "all p <")
    names = listing([m for m, _ in equal]) if len(equal) <= 6 else plural(len(equal), "model")
    others = ", with the others not" if len(equal) < len(rest) else ""
    shown = f"the two are equal {within} with {names} (two one-sided t tests, Holm-adjusted, {worst}){others}"
    return f"; {shown}; {found}"


def _size(detectable: list[float]) -> str:
    """The gaps that would have been found, as a span of points; none is larger than 100."""
    low, high = points(min(detectable), sign=False), points(max(detectable), sign=False)
    if min(detectable) > 1:
        return "not even a gap of 100 points"
    if max(detectable) > 1:
        return f"a gap of at least {low} points (with some models not even one of 100)"
    return f"a gap of {low} points" if low == high else f"a gap of {low} to {high} points"
