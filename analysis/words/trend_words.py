"""The sentences on capability: whether the gap rises or falls with it, and whether it crosses over."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mlesearch.analysis.comparisons.comparison import Comparison
from mlesearch.analysis.data.claim import Models
from mlesearch.analysis.data.outcomes import RATES
from mlesearch.analysis.results import Results
from mlesearch.analysis.statistics.capability import Slope
from mlesearch.analysis.statistics.crossover import ALPHA, Crossover, GroupGap
from mlesearch.analysis.statistics.family import Family
from mlesearch.analysis.text import MINUS, ClaimAnswer, interval, p_text, plural, points
from mlesearch.analysis.words.phrases import PARTS_IN_WORDS, opening, reasons_by_model, status_of
from mlesearch.storage.claim import ClaimPart


def _unit(models: Models) -> str:
    return "tier" if models.ordinal else "unit of capability"


@dataclass(frozen=True, slots=True)
class Ends:
    """The mean gap of the weakest and of the strongest models, as fractions.

    Attributes:
        low: of the weakest: the lowest third, ties included, or the lowest tier.
        high: of the strongest.
        weak: which these are, in words.
        strong: likewise.
    """

    low: float
    high: float
    weak: str
    strong: str


def ends(models: Models, c: Comparison) -> Ends | None:
    """From what to what the gap goes; None where the models have no order, or some model has no gap."""
    if models.capability is None or any(g.refused for g in c.gaps):
        return None
    ranked = np.sort(models.capability)
    size = max(1, ranked.size // 3)
    found = []
    for inside, word in (
        (models.capability <= ranked[size - 1], "weakest"),
        (models.capability >= ranked[-size], "strongest"),
    ):
        names = [name for name, there in zip(models.names, inside, strict=True) if there]
        whom = names[0] if len(names) == 1 else f"the {len(names)} {word} models"
        found.append((float(np.mean([g.gap for g, there in zip(c.gaps, inside, strict=True) if there])), whom))
    (low, weak), (high, strong) = found
    return Ends(low, high, weak, strong)


def _span(results: Results, c: Comparison, s: Slope) -> str:
    """From what to what, and by how much per unit."""
    reach = ends(results.models, c)
    size = f"{points(s.slope)} points per {_unit(results.models)}"
    if s.low_tasks == s.low_tasks:
        size += f" [{100 * s.level_tasks:.0f} % interval over tasks {interval(s.low_tasks, s.high_tasks)}]"
    if reach is None or (reach.high - reach.low) * s.slope <= 0:
        return f"by {size}"
    low, high = points(reach.low), points(reach.high)
    return f"from {low} points with {reach.weak} to {high} points with {reach.strong}, by {size}"


def _tests(s: Slope, *, opposite: bool = False) -> str:
    """Both tests with their p."""
    if opposite:
        return f"{p_text(s.p_opposite)}, the larger of permutation and t, one-sided the other way"
    side = "two-sided" if s.alternative == "two-sided" else "one-sided as declared"
    over = f"permutation over {plural(s.models, 'model')} {p_text(s.p)}"
    return f"{over}, t over {plural(s.tasks, 'task')} {p_text(s.p_tasks)}, both {side}"


def slope_verdict(results: Results, c: Comparison) -> ClaimAnswer:
    """Whether the gap changes with capability."""
    title, status, s = "Capability", status_of(results, c, trend=True), c.slope
    start = opening(results, status)
    if s is None:
        apart = c.crossover is not None and any(g.refused for g in c.gaps)
        why = (
            f"not all models can be compared: {reasons_by_model(results, c)}"
            if apart
            else "all models have the same place in the declared order"
            if results.models.capability is not None
            else "no capability figures cover all models and no tier order was declared"
        )
        if len(results.models.names) < 2:
            why = "one model alone has no trend"
        return ClaimAnswer(title, "open", "Not tested", f"{start}a trend over capability is not tested: {why}.", status)
    gap = f"the gap of {c.treatment.label} over {c.baseline.label} in {RATES[results.outcome]}"
    word = "rises" if s.slope > 0 else "falls"
    held = c.slope_p <= ALPHA
    part = _part(c, "slope", status)
    if held and s.p_adjusted <= ALPHA and not part:
        own, of_family = p_text(s.p_both), p_text(s.p_adjusted)
        adjusted = f"; adjusted {of_family}" if of_family != own else ""
        text = f"{start}{gap} {word} with capability, {_span(results, c, s)} ({_tests(s)}{adjusted})."
        text += _odds(results, c, established=True)
        mark = "yes" if s.alternative != "two-sided" or s.slope > 0 else "no"
        return ClaimAnswer(title, mark, f"The gap {word}", text, status)
    declared = {"greater": "rise", "less": "fall"}.get(s.alternative, "change")
    size = _span(results, c, s).removeprefix("by ")
    text = f"{start}no {declared} of {gap} with capability is established: {size} ({_tests(s)})."
    if s.p_opposite <= ALPHA and (c.bound is None or c.bound.p_opposite <= ALPHA):
        text = (
            f"{start}no {declared} of {gap} with capability is established. It {word}, against what was declared, "
            f"{_span(results, c, s)} ({_tests(s, opposite=True)}): this side was not declared, so it is exploratory."
        )
        return ClaimAnswer(title, "no", f"The gap {word}, against the declared claim", text, status)
    if held:
        text += f" {part or _alone(c, s)}"
    elif s.p_both <= ALPHA:
        text += f" {plural(c.lost, 'run')} of the two have no result; had they all come out against it, the tests would"
        text += " not reject."
    elif s.p_tasks <= ALPHA:
        text += f" With these models, on tasks like these, the gap {word}; but which model has which capability may be"
        text += " chance."
    elif s.p <= ALPHA:
        text += f" On these tasks the gap {word} with the models; on other tasks that may be chance."
    if s.attainable_p > ALPHA:
        least = f": the smallest attainable p is {s.attainable_p:.2g}" if s.attainable_p < 1 else ""
        text += f" These data cannot reach 0.05 with these gaps over {plural(s.models, 'model')}{least}."
    text += _odds(results, c, established=False)
    return ClaimAnswer(title, "open", "No trend established", text, status)


def _odds(results: Results, c: Comparison, *, established: bool) -> str:
    """The trend on the scale of log odds, which a change of scale cannot remove."""
    o, s = c.odds, c.slope
    if o is None or s is None or math.isnan(o.p):
        return ""
    size = f"{o.trend:+.2f}".replace("-", MINUS) if math.isfinite(o.trend) else "without limit"
    test = f"two-sided score test clustered by {plural(o.tasks, 'task')}"
    test = f"{size} per {_unit(results.models)} ({p_text(o.p)}, {test})"
    if established and not (o.p <= ALPHA and o.trend * s.slope > 0):
        return f" It is shown only on the scale of rates: on the scale of log odds the trend is {test}, exploratory."
    return f" On the scale of log odds the trend is {test}, exploratory."


def _alone(c: Comparison, s: Slope) -> str:
    over = "the parts of the claim" if c.confirmatory and c.family is not None else "the exploratory trends"
    return f"By themselves the tests reject; adjusted over {over}, {p_text(s.p_adjusted)}."


def _part(c: Comparison, part: ClaimPart, status: str) -> str:
    """Why a declared part that its own test would establish is not; empty where nothing stands before it."""
    if status != "confirmatory" or c.family is None:
        return ""
    if part not in c.family.order:
        return (
            "Too few models for this test and the gap to share a level of 0.05: a permutation of these models has a "
            "smallest p above 0.025. Declare claim.order to put the trend first."
        )
    return waits(c.family, part)


def waits(parts: Family, part: ClaimPart) -> str:
    """That a part waits for another one that is not established; empty where it does not."""
    before = parts.blocked_by(part)
    if before is None:
        return ""
    first = PARTS_IN_WORDS[before]
    return f"By itself it would be; but {first} comes before it in the claim's order and is not established."


def crossover_verdict(results: Results, c: Comparison) -> ClaimAnswer:
    """The two-group verdict in words."""
    title, status, x = "Crossover", status_of(results, c, trend=True), c.crossover
    start = opening(results, status)
    if x is None:
        text = f"{start}no crossover verdict, since the models have no declared order (capability figures or tiers)."
        return ClaimAnswer(title, "open", "No verdict", text, status)
    if x.refused or x.weak is None or x.strong is None or x.slope is None:
        return ClaimAnswer(title, "open", "No verdict", f"{start}no crossover verdict: {x.refused}.", status)
    if x.these_models:
        return _established(results, c, x, status)
    text = f"{_trend_over_tasks(c, x)}, no crossover established: {_halves(x)}"
    if c.lost:
        text += f"; {plural(c.lost, 'run')} of the two have no result, and are counted against a crossover"
    if status == "confirmatory" and c.family is not None and x.p <= ALPHA:
        alone = f"By itself it would be; adjusted over the parts of the claim, {p_text(x.p_adjusted)}."
        text += f". {waits(c.family, 'crossover') or alone}".removesuffix(".")
    return ClaimAnswer(title, "open", "None established", f"{start}{text}.", status)


def _trend_over_tasks(c: Comparison, x: Crossover) -> str:
    """What the slope says of these models, with the p over tasks that the crossover asks for."""
    gap = f"the gap of {c.treatment.label} over {c.baseline.label}"
    slope, word = x.slope, "rise" if x.trend == "rises" else "fall"
    if slope is None or (slope.slope > 0) != (x.trend == "rises"):
        return f"{gap} does not {word} with capability with these models"
    test = f"({p_text(slope.p_tasks_two_sided)}, t over tasks, two-sided)"
    if _goes(x) and (c.bound is None or _goes(x, c.bound)):
        return f"{gap} {word}s with capability with these models {test}"
    return f"{gap} is not shown to {word} with capability even with these models {test}"


def _goes(x: Crossover, slope: Slope | None = None) -> bool:
    """Whether the gap changes, over these models, in the direction in which a crossover is looked for."""
    s = slope or x.slope
    up = 1 if x.trend == "rises" else -1
    return s is not None and up * s.slope > 0 and s.p_tasks_two_sided <= ALPHA


def _group_text(name: str, g: GroupGap) -> str:
    return (
        f"the {name} group's gap is {points(g.gap)} points [90 % {interval(g.low, g.high)}; {p_text(g.p)}, one-sided]"
    )


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
    first, second = ("behind", "ahead") if x.trend == "rises" else ("ahead", "behind")
    sides = f"{first} {'of ' if first == 'ahead' else ''}{b} in the low group and {second} in the high group"
    groups = ", ".join(_group_text(name, g) for name, g in (("low", x.weak), ("high", x.strong)) if g)
    text = f"a crossover is established: {a} is {sides} ({groups}), {reach}"
    if status == "confirmatory" and x.p_adjusted > x.p:
        text += f"; adjusted over the parts of the claim, {p_text(x.p_adjusted)}"
    headline = "Established, for models like these too" if x.like_models else "Established, for these models"
    return ClaimAnswer("Crossover", "yes", headline, f"{opening(results, status)}{text}.", status)
