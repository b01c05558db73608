"""The report's sentences: what was found, in words that can be quoted without the page around them.

No sentence presents simulated results as evidence about language models: each one that could be quoted alone says
"in simulation".
"""

from __future__ import annotations

from collections.abc import Sequence

from mlesearch.analysis.checks_words import noted
from mlesearch.analysis.claim import RATES, Models
from mlesearch.analysis.crossover import Crossover, GroupGap
from mlesearch.analysis.gaps import Gap
from mlesearch.analysis.lost_runs import interim_verdict, place, runs_verdict
from mlesearch.analysis.results import Comparison, Results
from mlesearch.analysis.sandboxes import ASPECTS
from mlesearch.analysis.text import ClaimAnswer, interval, listing, p_text, plural, points

ALPHA = 0.05


def seeds_text(results: Results) -> str:
    """How many seeds there are per task: one number, or a span."""
    counts = results.board.counts.counts
    low, high = int(counts.min()), int(counts.max())
    return plural(high, "seed") if low == high else f"{low} to {high} seeds"


def _opening(results: Results) -> str:
    """How a quotable sentence begins: its target population, and that it is simulated where it is."""
    return "In simulation, on tasks like these, " if results.tables.simulated else "On tasks like these, "


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
    n = f"({plural(c.gaps[0].tasks, 'task')}, {seeds_text(results)} each, {correction}-adjusted over "
    tests = len(c.gaps) * (1 if c.confirmatory else 1 + len(results.others))
    n += f"{plural(tests, 'test')})"
    beside = f"{_not_held(results, c)}{_left_out(results, c)}"
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
        return ClaimAnswer("The gap", mark, headline, f"{_opening(results)}{text} {n}.{beside}", _status(c))
    ranges = f"the observed gaps run from {points(min(g.gap for g in gaps))} to "
    ranges += f"{points(max(g.gap for g in gaps))} points" if len(gaps) > 1 else ""
    if len(gaps) == 1:
        ranges = f"the observed gap is {points(gaps[0].gap)} points [{interval(gaps[0].low, gaps[0].high)}]"
    whom = "any model" if len(names) > 1 else names[0]
    text = f"no difference in {rate} between {a} and {b} is established with {whom}: {ranges} {n}"
    text = f"{_opening(results)}{text}.{_unreachable(gaps)}{beside}"
    return ClaimAnswer("The gap", "open", f"No difference between {a} and {b} established", text, _status(c))


def _nothing_compared(results: Results, c: Comparison) -> ClaimAnswer:
    """That no model has anything to compare, and why."""
    a, b = c.treatment.label, c.baseline.label
    reasons = {g.refused for g in c.gaps}
    why = reasons.pop() if len(reasons) == 1 else _reasons_by_model(results, c)
    text = f"{place(results)}nothing is said about {a} and {b}: {why}."
    return ClaimAnswer("The gap", "open", f"{a} and {b} are not compared", text, _status(c))


def _reasons_by_model(results: Results, c: Comparison) -> str:
    """Why models are not compared, each with its reason."""
    found = [f"{m} ({g.refused})" for m, g in zip(results.models.names, c.gaps, strict=True) if g.refused]
    return listing(found)


def _left_out(results: Results, c: Comparison) -> str:
    """The models that are not compared, as a sentence of its own."""
    why = _reasons_by_model(results, c)
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
        worst = p_text(max(g.p_adjusted for _, g in found)).replace("p =", "all p ≤").replace("p <", "all p <")
        return f"{names} ({points(low)} to {points(high)} points, {worst})"
    return listing(
        [f"{m} ({points(g.gap)} points [{interval(g.low, g.high)}], {p_text(g.p_adjusted)})" for m, g in found]
    )


def _unreachable(gaps: Sequence[Gap]) -> str:
    """That these data could not have rejected, where that is so."""
    if any(g.can_reject() for g in gaps):
        return ""
    most = max(g.informative for g in gaps)
    least = min(g.attainable_adjusted for g in gaps)
    tests = "" if len(gaps) == 1 else f" in {len(gaps)} tests"
    return (
        f" These data cannot reach 0.05: with at most {plural(most, 'informative task')}{tests}, the smallest "
        f"attainable adjusted p is {least:.2g}."
    )


def _status(c: Comparison) -> str:
    return "confirmatory" if c.confirmatory else "exploratory"


def _unit(models: Models) -> str:
    return "tier" if models.ordinal else "unit of capability"


def slope_verdict(results: Results, c: Comparison) -> ClaimAnswer:
    """Whether the gap changes with capability."""
    title = "Capability"
    declared = bool(results.claim and results.claim.capability and c.confirmatory)
    status = "confirmatory" if declared else "exploratory"
    s = c.slope
    if s is None:
        apart = c.crossover is not None and any(g.refused for g in c.gaps)
        why = (
            f"not all models can be compared: {_reasons_by_model(results, c)}"
            if apart
            else "all models have the same place in the declared order"
            if results.models.capability is not None
            else "no capability figures cover all models and no tier order was declared"
        )
        if len(results.models.names) < 2:
            why = "one model alone has no trend"
        return ClaimAnswer(title, "open", "Not tested", f"A trend over capability is not tested: {why}.", status)
    a, b = c.treatment.label, c.baseline.label
    rejected = s.p <= ALPHA and (c.bound is None or c.bound.p <= ALPHA)
    over_tasks = s.p_tasks <= ALPHA and (c.bound is None or c.bound.p_tasks <= ALPHA)
    side = "one-sided as declared" if s.alternative == "greater" else "two-sided"
    test = f"{p_text(s.p)}, permutation over {plural(s.models, 'model')}, {side}"
    size = f"{points(s.slope)} points per {_unit(results.models)}"
    if s.low_tasks == s.low_tasks:
        size += f" [{interval(s.low_tasks, s.high_tasks)} over tasks]"
    if rejected:
        word = "widens" if s.slope > 0 else "narrows"
        text = f"the gap of {a} over {b} {word} with capability, by {size} ({test})"
        return ClaimAnswer(
            title, "yes" if s.slope > 0 else "no", f"The gap {word}", f"{_opening(results)}{text}.", status
        )
    text = f"no change of the gap of {a} over {b} with capability is established: {size} ({test})"
    text = f"{_opening(results)}{text}."
    if s.p <= ALPHA:
        text += f" {plural(c.lost, 'run')} of the two have no result; had they all come out against it, the test would"
        text += " not reject."
    elif over_tasks:
        text += (
            f" Over these models the gap {'widens' if s.slope > 0 else 'narrows'} ({p_text(s.p_tasks)}, t over tasks), "
            "but which model has which capability may still be chance."
        )
    if s.attainable_p > ALPHA:
        text += (
            f" These data cannot reach 0.05: with these gaps over {plural(s.models, 'model')}, the smallest "
            f"attainable p is {s.attainable_p:.2g}."
        )
    return ClaimAnswer(title, "open", "No trend established", text, status)


def crossover_verdict(results: Results, c: Comparison) -> ClaimAnswer:
    """The two-group verdict in words."""
    title = "Crossover"
    declared = bool(results.claim and results.claim.capability and c.confirmatory)
    status = "confirmatory" if declared else "exploratory"
    x = c.crossover
    if x is None:
        text = "No crossover verdict: the models have no declared order (neither capability figures nor tiers)."
        return ClaimAnswer(title, "open", "No verdict", text, status)
    if x.refused or x.weak is None or x.strong is None or x.slope is None:
        return ClaimAnswer(title, "open", "No verdict", f"No crossover verdict: {x.refused}.", status)
    if x.these_models:
        return _established(results, c, x, status)
    trend = "the gap widens with capability over these models"
    if not _rises(x) or (c.bound is not None and not (c.bound.slope > 0 and c.bound.p_tasks <= ALPHA)):
        trend = "the gap is not shown to widen with capability even over these models"
    text = f"{trend} ({p_text(x.slope.p_tasks)}, t over tasks), no crossover established: {_halves(x)}"
    if c.lost:
        text += f"; {plural(c.lost, 'run')} of the two have no result, and are counted against a crossover"
    return ClaimAnswer(title, "open", "None established", f"{_opening(results)}{text}.", status)


def _rises(x: Crossover) -> bool:
    return x.slope is not None and x.slope.slope > 0 and x.slope.p_tasks <= ALPHA


def _group_text(name: str, g: GroupGap) -> str:
    return f"the {name} group's gap is {points(g.gap)} points [{interval(g.low, g.high)}]"


def _halves(x: Crossover) -> str:
    """Which half failed; both groups when only the slope did."""
    groups = [(name, g) for name, g in (("low", x.weak), ("high", x.strong)) if g is not None]
    failed = [_group_text(name, g) for name, g in groups if not g.p <= ALPHA]
    return " and ".join(failed or [_group_text(name, g) for name, g in groups])


def _established(results: Results, c: Comparison, x: Crossover, status: str) -> ClaimAnswer:
    a, b = c.treatment.label, c.baseline.label
    if x.like_models:
        reach = "and this holds for models like these too (models taken as random)"
    elif x.like_refused:
        reach = f"for these models; not for others: {x.like_refused}"
    else:
        reach = "for these models; it is not established for models like these (models taken as random)"
    text = (
        f"a crossover is established: {a} is behind {b} in the low group and ahead in the high group "
        f"({', '.join(_group_text(name, g) for name, g in (('low', x.weak), ('high', x.strong)) if g)}), {reach}"
    )
    headline = "Established, for models like these too" if x.like_models else "Established, for these models"
    return ClaimAnswer("Crossover", "yes", headline, f"{_opening(results)}{text}.", status)


def sandbox_verdict(c: Comparison) -> ClaimAnswer:
    """That the two sides of the claim's comparison were not run in the same sandbox."""
    headline = "Not the same on both sides"
    return ClaimAnswer("The sandbox", "open", headline, sandbox_sentence(c), _status(c))


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
    interim = interim_verdict(results)
    first = tuple(answer for answer in (interim, lost) if answer is not None)
    if results.main is None:
        return first
    c = results.main
    found = noted(results, c, (rate_verdict(results, c), slope_verdict(results, c), crossover_verdict(results, c)))
    return (*first, *found, sandbox_verdict(c)) if c.sandboxes else (*first, *found)


def title(results: Results) -> str:
    """What the claim box is headed with."""
    c = results.main
    if c is None:
        return f"{RATES[results.outcome].capitalize()}s"
    return f"{c.treatment.label} against {c.baseline.label}: {RATES[results.outcome]}"


def declaration(results: Results) -> str:
    """Whether the claim was declared, and what it said."""
    claim = results.claim
    if claim is None:
        return "A single strategy ran, so nothing is compared."
    if claim.unmet:
        shown = "" if results.tables.planned else ": another pair is shown, to explore"
        return f"{claim.unmet} So nothing here is confirmatory{shown}."
    if not claim.declared:
        return (
            "No claim was declared before the first run, so everything here is exploratory: it may suggest a claim, "
            "it cannot confirm one."
        )
    said = f": “{claim.primary.rstrip('.')}”" if claim.primary else ""
    pair = f"{claim.treatment.label} against {claim.baseline.label}"
    return (
        f"Declared before the first run{said}. The comparison of {pair} is confirmatory, everything else exploratory."
    )


def estimand(results: Results) -> str:
    """What the intervals are about."""
    shape = results.board.counts
    models, arms = plural(len(results.models.names), "model"), plural(len(results.arms), "strategy")
    arms = arms.replace("strategys", "strategies")
    return (
        f"tasks like these (E2: tasks and runs random); {models} × {arms} × {plural(len(shape.tasks), 'task')} × "
        f"{seeds_text(results)}"
    )
