"""What a verdict's sentence says of the assumptions that it depends on; nothing where it stands without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlesearch.analysis.comparisons.assumptions import ALPHA, Assumptions
from mlesearch.analysis.comparisons.comparison import Comparison
from mlesearch.analysis.results import Results
from mlesearch.analysis.statistics.dependence import Categories
from mlesearch.analysis.statistics.dispersion import Dispersion
from mlesearch.analysis.statistics.hanging import Hanging
from mlesearch.analysis.statistics.skew import SkewForecast
from mlesearch.analysis.text import ClaimAnswer, listing, p_text, plural

NAMED = 4
"""Up to this many things are named, more are counted."""


def noted(results: Results, c: Comparison, answers: Sequence[ClaimAnswer]) -> tuple[ClaimAnswer, ...]:
    """The answers on gap, slope and crossover, each with what it depends on.

    Args:
        results: of the study.
        c: the claim's comparison.
        answers: in this order.
    """
    if c.assumptions is None:
        return tuple(answers)
    gap, slope, across = answers
    notes = (
        _of_gaps(results, c, c.assumptions),
        _of_slope(c.assumptions, slope),
        _of_crossover(c, c.assumptions, across),
    )
    return tuple(
        replace(answer, sentence=f"{answer.sentence} {note}") if note else answer
        for answer, note in zip((gap, slope, across), notes, strict=True)
    )


def clustered_by(categories: Categories) -> str:
    """How variances were clustered, in words."""
    count = f"{categories.effective:.1f}".removesuffix(".0")
    return f"clustered by category of task ({len(categories.names)} that weigh as much as {count} equal ones)"


def _of_gaps(results: Results, c: Comparison, assumptions: Assumptions) -> str:
    notes = []
    by = assumptions.by_category
    if by is not None:
        found = list(zip(results.models.names, c.gaps, by.p_adjusted, strict=True))
        fall = [m for m, g, p in found if g.rejects() and not p <= ALPHA]
        rise = [m for m, g, p in found if not g.refused and g.held and not g.rejects() and p <= ALPHA]
        for models, word in ((fall, "not established"), (rise, "established")):
            if models:
                notes.append(
                    f"With variances {clustered_by(by.categories)} a difference is {word} with {_models(models)}."
                )
    rejected = {m for m, g in zip(results.models.names, c.gaps, strict=True) if g.rejects()}
    hung: dict[str, list[str]] = {}
    for h in assumptions.hanging:
        if h.verdict == "gap" and h.model in rejected and not h.holds:
            hung.setdefault(_named(h), []).append(h.model)
    notes += [
        f"The difference with {models[0]} hangs on {what}: left out, it is not established."
        if len(models) == 1
        else f"The differences with {_models(models)} hang on {what}: left out, they are not established."
        for what, models in hung.items()
    ]
    for model, gap, skew in zip(results.models.names, c.gaps, assumptions.gap_skews, strict=True):
        if skew is not None and skew.flagged and gap.rejects():
            notes.append(_skewed(f"The gaps with {model}", skew))
    return " ".join(notes)


def _of_slope(assumptions: Assumptions, answer: ClaimAnswer) -> str:
    if answer.mark == "open":
        return ""
    notes = []
    by = assumptions.by_category
    if by is not None and by.slope is not None and by.p_slope is not None and not by.rises:
        over = f"{p_text(by.slope.p)}" + (f", adjusted {p_text(by.p_slope)}" if by.slope.p <= ALPHA else "")
        notes.append(f"With variances {clustered_by(by.categories)} the trend over tasks is not established ({over}).")
    notes += [
        f"The trend hangs on {_named(h)}: left out, it is not established."
        for h in assumptions.hanging
        if h.verdict == "slope" and not h.holds
    ]
    return " ".join(notes)


def _of_crossover(c: Comparison, assumptions: Assumptions, answer: ClaimAnswer) -> str:
    notes = []
    by, x = assumptions.by_category, c.crossover
    if answer.mark != "open" and by is not None and not by.crossed:
        parts = (("low group", by.low), ("high group", by.high), ("trend", by.change))
        failed = [f"the {name} ({p_text(part.p)})" for name, part in parts if part is not None and not part.p <= ALPHA]
        why = f"{listing(failed)} {'fails' if len(failed) == 1 else 'fail'} the test"
        if not failed and by.p_crossover is not None:
            why = f"adjusted over the parts of the claim, {p_text(by.p_crossover)}"
        notes.append(f"With variances {clustered_by(by.categories)} it is not established: {why}.")
    if answer.mark != "open":
        notes += [
            f"The crossover hangs on {_named(h)}: left out, it is not established."
            for h in assumptions.hanging
            if h.verdict == "crossover" and not h.holds
        ]
    if x is not None and x.weak is not None and x.strong is not None:
        for name, group, skew in (("low", x.weak, assumptions.low_skew), ("high", x.strong, assumptions.high_skew)):
            if skew is not None and skew.flagged and group.p <= ALPHA:
                notes.append(_skewed(f"The gaps of the {name} group", skew))
    return " ".join(notes)


def _models(names: Sequence[str]) -> str:
    return listing(names) if len(names) <= NAMED else plural(len(names), "model")


def _named(h: Hanging) -> str:
    """What a verdict hangs on, in words."""
    parts = []
    for kind, plural_kind, names in (
        ("task", "tasks", h.tasks),
        ("category", "categories", h.categories),
        ("model", "models", h.models),
    ):
        if len(names) == 1:
            parts.append(f"{kind} {names[0]}")
        elif len(names) > NAMED:
            parts.append(f"any one of {len(names)} {plural_kind}")
        elif names:
            parts.append(f"any one of the {plural_kind} {listing(names)}")
    return ", or ".join(parts)


def _skewed(what: str, skew: SkewForecast) -> str:
    return (
        f"{what} are skewed ({skew.ahead} tasks ahead, {skew.behind} behind, {skew.equal} level): "
        f"a one-sided 5 % test on this side is forecast to reject in {100 * skew.level:.0f} % of studies where there "
        "is no such gap."
    )


def dispersion_sentence(found: Dispersion | None, measure: str = "") -> str:
    """That seeds differ by more than independent runs do; empty where they do not.

    Args:
        found: of the claim's outcome.
        measure: what its mean is called, where that is a measure; empty where it is a yes or no.
    """
    if found is None or not found.flagged:
        return ""
    model, arm, seed = found.worst
    own, whole = (f"{100 * mean:.1f}".replace("-", "−") for mean in (found.worst_rate, found.cell_rate))
    rates = f"{own} % of its runs, {whole} % of all seeds"
    if measure:
        rates = f"{measure} {own} points, {whole} of all seeds"
    return (
        f"Seeds differ by more than independent runs do (F = {found.ratio:.1f}, {p_text(found.p)}, pooled over "
        f"{plural(found.cells, 'cell')}), most so seed {seed} of {arm} with {model} ({rates}). "
        "Something may have hit one seed on all tasks; the runs are then not independent, and all intervals are too "
        "short."
    )
