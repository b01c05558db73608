"""The report's sentences: what was found, in words that can be quoted without the page around them.

No sentence presents simulated results as evidence about language models: each one that could be quoted alone says
"in simulation".
"""

from __future__ import annotations

from collections.abc import Sequence

from mlesearch.analysis.comparisons.comparison import Comparison
from mlesearch.analysis.comparisons.sandboxes import ASPECTS
from mlesearch.analysis.data.claim import TestedClaim
from mlesearch.analysis.data.outcomes import RATES
from mlesearch.analysis.results import Results
from mlesearch.analysis.statistics.gaps import Gap, holm
from mlesearch.analysis.text import ClaimAnswer, interval, listing, p_text, plural, points
from mlesearch.analysis.words.assumptions_words import noted
from mlesearch.analysis.words.equal_words import no_difference
from mlesearch.analysis.words.looks_words import declared_looks, looks_verdict
from mlesearch.analysis.words.lost_runs import place, runs_verdict, unfinished_verdict
from mlesearch.analysis.words.measure_words import scale
from mlesearch.analysis.words.phrases import opening, reasons_by_model, seeds_text, status_of
from mlesearch.analysis.words.trend_words import crossover_verdict, slope_verdict, waits

ALPHA = 0.05


def rate_verdict(results: Results, c: Comparison) -> ClaimAnswer:
    """Which strategy, with which models."""
    names = [m for m, g in zip(results.models.names, c.gaps, strict=True) if not g.refused]
    if not names:
        return _nothing_compared(results, c)
    gaps = [g for g in c.gaps if not g.refused]
    better = [(m, g) for m, g in zip(names, gaps, strict=True) if g.rejects() and g.gap > 0]
    worse = [(m, g) for m, g in zip(names, gaps, strict=True) if g.rejects() and g.gap < 0]
    rest = len(names) - len(better) - len(worse)
    a, b, rate = c.treatment.label, c.baseline.label, RATES[results.outcome]
    correction = "Holm" if c.confirmatory else "Benjamini–Hochberg"
    parts = [
        f"{a} has a {word} {rate} than {b} with {_with_gaps(found)}"
        for word, found in (("higher", better), ("lower", worse))
        if found
    ]
    family = [c] if c.confirmatory else [c, *results.others]
    tests = sum(gap.planned for one in family for gap in one.gaps)
    parts_too = " and over the parts of the claim" if c.family is not None and len(c.family.order) > 1 else ""
    n = f"({correction}-adjusted over {plural(tests, 'test')}{parts_too})"
    equal = no_difference(results, c)
    beside = f"{_in_family(results, c)}{_not_held(results, c)}{_left_out(results, c)}{scale(results)}"
    if parts:
        text = " and ".join(parts) + (
            f"; with the other {plural(rest, 'model')} no difference is established" if rest else ""
        )
        mark = "yes" if better and not worse else "no" if worse and not better else "open"
        headline = f"{a} ahead with {len(better)}, behind with {len(worse)} of {plural(len(names), 'model')}"
        if not worse:
            headline = f"{a} ahead with {len(better)} of {plural(len(names), 'model')}"
        elif not better:
            headline = f"{a} behind with {len(worse)} of {plural(len(names), 'model')}"
        return ClaimAnswer(
            "The gap",
            mark,
            headline,
            f"{opening(results, status_of(results, c))}{text} {n}{equal}.{beside}",
            status_of(results, c),
        )
    low, high = points(min(g.gap for g in gaps)), points(max(g.gap for g in gaps))
    ranges = f"the observed gaps run from {low} to {high} points"
    if low == high:
        ranges = f"each observed gap is {low} points"
    if len(gaps) == 1:
        ranges = f"the observed gap is {points(gaps[0].gap)} points [95 % {interval(gaps[0].low, gaps[0].high)}]"
    whom = "any model" if len(names) > 1 else names[0]
    text = f"no difference in {rate} between {a} and {b} is established with {whom}: {ranges} {n}"
    text = f"{opening(results, status_of(results, c))}{text}{equal}.{_unreachable(gaps, tests)}{beside}"
    return ClaimAnswer("The gap", "open", f"No difference between {a} and {b} established", text, status_of(results, c))


def _nothing_compared(results: Results, c: Comparison) -> ClaimAnswer:
    """That no model has anything to compare, and why."""
    a, b = c.treatment.label, c.baseline.label
    reasons = {g.refused for g in c.gaps}
    why = reasons.pop() if len(reasons) == 1 else reasons_by_model(results, c)
    text = f"{opening(results, status_of(results, c))}nothing is said about {a} and {b}: {why}."
    return ClaimAnswer("The gap", "open", f"{a} and {b} are not compared", text, status_of(results, c))


def _in_family(results: Results, c: Comparison) -> str:
    """The models with which the gap would be established if it were the whole claim."""
    if c.family is None:
        return ""
    planned = [(m, g) for m, g in zip(results.models.names, c.gaps, strict=True) if g.planned]
    alone = holm([g.p for _, g in planned])
    found = [m for (m, g), p in zip(planned, alone, strict=True) if p <= ALPHA and g.held and not g.rejects()]
    if not found:
        return ""
    if before := waits(c.family, "gap"):
        return f" With {listing(found)}: {before[0].lower()}{before[1:]}"
    return f" With {listing(found)} it would be if the gap were the whole claim; its parts share the level of 0.05."


def _left_out(results: Results, c: Comparison) -> str:
    """The models that are not compared, as a sentence of its own."""
    why = reasons_by_model(results, c)
    return f" Not compared with {why}." if any(g.refused for g in c.gaps) else ""


def _not_held(results: Results, c: Comparison) -> str:
    """The models with which runs without a result could undo, or hide, a difference."""
    found = [
        f"with {m} between {points(g.least)} and {points(g.most)} points ({plural(g.lost, 'run')})"
        for m, g in zip(results.models.names, c.gaps, strict=True)
        if g.lost and not g.refused
    ]
    if not found:
        return ""
    undone = any(g.p_adjusted <= ALPHA and not g.held for g in c.gaps)
    fell = " A difference that they could undo is not counted as established." if undone else ""
    return f" Depending on the runs without a result, the gap lies {listing(found)}.{fell}"


def _with_gaps(found: Sequence[tuple[str, Gap]]) -> str:
    """Models with their gaps; beyond two their names, the range, and the largest p."""
    if len(found) > 2:
        low, high = min(g.gap for _, g in found), max(g.gap for _, g in found)
        names = listing([m for m, _ in found]) if len(found) <= 6 else plural(len(found), "model")
        span = (
            f"{points(low)} to {points(high)} points" if points(low) != points(high) else f"{points(low)} points each"
        )
        worst = p_text(max(g.p_adjusted for _, g in found)).replace("p =", "all p ≤").replace("p <", "all p <")
        return f"{names} ({span}, {worst})"
    return listing(
        [f"{m} ({points(g.gap)} points [95 % {interval(g.low, g.high)}], {p_text(g.p_adjusted)})" for m, g in found]
    )


def _unreachable(gaps: Sequence[Gap], family: int) -> str:
    """That these data could not have rejected, where that is so."""
    if any(g.can_reject() for g in gaps):
        return ""
    most = max(g.informative for g in gaps)
    least = min(g.attainable_adjusted for g in gaps)
    tests = "" if family == 1 else f" in {family} tests"
    said = f", the smallest attainable adjusted p is {least:.2g}" if least < 1 else ", no outcome could"
    return f" These data cannot reach 0.05: with at most {plural(most, 'informative task')}{tests}{said}."


def sandbox_verdict(results: Results, c: Comparison) -> ClaimAnswer:
    """That the two sides of the claim's comparison were not run in the same sandbox."""
    headline = "Not the same on both sides"
    said = sandbox_sentence(c)
    text = f"{place(results)}{said[0].lower()}{said[1:]}" if results.tables.simulated else said
    return ClaimAnswer("The sandbox", "open", headline, text, "the gap below")


def sandbox_sentence(c: Comparison) -> str:
    """In what the two sides differ, and what that means for their gap."""
    parts = []
    for d in c.sandboxes:
        if d.aspect == "promises":
            left, right = (set(",".join(side).split(",")) - {""} for side in (d.treatment, d.baseline))
            only = [
                f"{', '.join(sorted(mine - other))} with {arm.label} only"
                for arm, mine, other in ((c.treatment, left, right), (c.baseline, right, left))
                if mine - other
            ]
            parts.append(f"promises in force: {'; '.join(only) or 'not in the same runs'}")
        else:
            left_text, right_text = (listing([v[:12] for v in side]) for side in (d.treatment, d.baseline))
            parts.append(f"{ASPECTS[d.aspect].removeprefix('sandbox ')} {left_text} against {right_text}")
    models = list(dict.fromkeys(m for d in c.sandboxes for m in d.models))
    return (
        f"The runs of {c.treatment.label} and {c.baseline.label} did not share one sandbox (with "
        f"{listing(models) if len(models) <= 6 else plural(len(models), 'model')}): {'; '.join(parts)}. "
        "A gap between them may come from that."
    )


def verdicts(results: Results) -> tuple[ClaimAnswer, ...]:
    """The parts of the claim box: runs to come, runs that were lost, then the claim; no claim with a single arm."""
    lost = runs_verdict(results)
    first = tuple(answer for answer in (unfinished_verdict(results), lost) if answer is not None)
    if results.main is None:
        return first
    c = results.main
    looks = results.looks if results.looks is not None and results.looks.decided else None
    crossover = crossover_verdict(results, c) if looks is None else looks_verdict(results, looks)
    found = noted(results, c, (rate_verdict(results, c), slope_verdict(results, c), crossover))
    return (*first, *found, sandbox_verdict(results, c)) if c.sandboxes else (*first, *found)


def title(results: Results) -> str:
    """What the claim box is headed with."""
    c = results.main
    if results.progress is not None:
        return "How far the study is"
    if c is None:
        return f"{RATES[results.outcome].capitalize()}s"
    return f"{c.treatment.label} against {c.baseline.label}: {RATES[results.outcome]}"


def declaration(results: Results) -> str:
    """Whether the claim was declared, and what it said."""
    claim = results.claim
    if claim is None:
        return "A single strategy ran, so nothing is compared."
    if results.looks is not None and results.looks.decided:
        return declared_looks()
    if claim.unmet:
        shown = "" if results.unfinished else ": another pair is shown, to explore"
        return f"{claim.unmet} So nothing here is confirmatory{shown}.{_why_this(results, claim)}"
    if not claim.declared:
        return (
            "No claim was declared before the first run, so everything here is exploratory: it may suggest a claim, "
            f"it cannot confirm one.{_why_this(results, claim)}"
        )
    said = f": “{claim.primary.rstrip('.')}”" if claim.primary else ""
    pair = f"{claim.treatment.label} against {claim.baseline.label}"
    return (
        f"Declared before the first run{said}. The comparison of {pair} is confirmatory, everything else exploratory."
    )


def _why_this(results: Results, claim: TestedClaim) -> str:
    """Why the pair of the page is this one, where none was declared."""
    return f" {claim.why[0].upper()}{claim.why[1:]}." if claim.why and results.progress is None else ""


def estimand(results: Results) -> str:
    """What the intervals are about."""
    if results.progress is not None:
        return "none yet: nothing is estimated before all planned runs were made"
    shape = results.board.counts
    models, arms = plural(len(results.models.names), "model"), plural(len(results.arms), "strategy")
    arms = arms.replace("strategys", "strategies")
    return (
        f"tasks like these (E2: tasks and runs random); {models} × {arms} × {plural(len(shape.tasks), 'task')} × "
        f"{seeds_text(results)}"
    )


def missing_runs(results: Results) -> str:
    """What is done with missing runs."""
    if results.progress is None:
        return results.policy.words
    return f"no policy is applied before all planned runs were made ({results.progress.to_come} were not)"
