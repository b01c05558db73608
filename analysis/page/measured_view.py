"""Outcomes beyond medals, and medals at any budget, as tables, sentences and a figure of the report."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import numpy as np
import pandas as pd

from mlesearch.analysis.data.columns import frame_of
from mlesearch.analysis.figures import svg
from mlesearch.analysis.figures.svg import Drawn
from mlesearch.analysis.measures.beyond_medals import MeasuredGap
from mlesearch.analysis.measures.budget_axis import AXES
from mlesearch.analysis.measures.budget_rates import BudgetCrossover
from mlesearch.analysis.page.section import Section
from mlesearch.analysis.page.views import TableCell, View, name, number, p_number, sign_mark
from mlesearch.analysis.results import Results
from mlesearch.analysis.text import amount, interval, plural, points

_PAGE_AXES = ("", "steps", "time_s")
"""Axes whose measures the page's table shows; the CSV file has all."""

_SHOWN = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
"""Shares of the common budget that the page's table shows; the CSV file has all tenths."""


def frames(results: Results) -> dict[str, pd.DataFrame]:
    """The same numbers as data frames, unrounded; only what there is."""
    measured = results.measured
    found = {
        "measures": frame_of(measured.gaps),
        "budget_gaps": frame_of(measured.budgets),
    }
    if (x := measured.crossover) is not None:
        row = asdict(x) | {
            side: ";".join(f"{b:.12g}" for b in getattr(x, side)) for side in ("low_budgets", "high_budgets")
        }
        found["budget_crossover"] = pd.DataFrame([row | {"established": x.established}])
    return {key: frame for key, frame in found.items() if not frame.empty}


def measures_view(results: Results) -> View | None:
    """Every strategy against the baseline, all models together."""
    titles = {measure.key: measure for measure in results.measured.measures}
    several = len(results.models.names) > 1
    rows = []
    for gap in results.measured.gaps:
        if (several and gap.model) or (gap.axis not in _PAGE_AXES and not gap.declared):
            continue
        measure = titles[gap.measure]
        better = np.sign(gap.gap) * (-1 if measure.lower_is_better else 1)
        rows.append(
            (
                name(_outcome(measure.title, gap)),
                name(f"{gap.treatment} − {gap.baseline}{', confirmatory' if gap.declared else ''}"),
                _value(gap.mean_treatment, gap),
                _value(gap.mean_baseline, gap),
                TableCell(_digits(gap.gap, gap), key=repr(gap.gap), mark=sign_mark(float(better))),
                TableCell(_interval(gap), kind="text"),
                TableCell(p_number(gap.p_adjusted), f"raw {p_number(gap.p)}", repr(gap.p_adjusted)),
                TableCell(f"{gap.ahead} / {gap.tasks - gap.ahead - gap.behind} / {gap.behind}", kind="text"),
            )
        )
    if not rows:
        return None
    tasks = max(gap.tasks for gap in results.measured.gaps)
    models = f"the mean over {plural(len(results.models.names), 'model')}, " if several else ""
    note = (
        f"Exploratory where not marked. Each is one number a run; {models}paired over {plural(tasks, 'task')}. "
        "Interval: 95 %, t over tasks. p: t over tasks, adjusted by Holm over the declared rows, by Benjamini and "
        "Hochberg over all others of the file measures.csv; raw below. "
        "A run without a valid program, or without a result, has the worst value. Areas and times are up to the common "
        "budget, the largest that every run was followed to; a target that was not reached counts as the whole of it."
    )
    heads = (
        "outcome",
        "pair",
        "treatment",
        "baseline",
        "gap",
        "95 % interval",
        "adjusted p",
        "tasks better / level / worse",
    )
    return View("measures", note, heads, tuple(rows))


def _outcome(title: str, gap: MeasuredGap) -> str:
    return f"{title} ({amount(gap.limit)})" if gap.axis else title


def _digits(value: float, gap: MeasuredGap) -> str:
    if np.isnan(value):
        return "–"
    return (f"{value:,.4g}" if gap.measure.startswith("to_") else f"{value:.3f}").replace("-", "−")


def _value(value: float, gap: MeasuredGap) -> TableCell:
    return TableCell(_digits(value, gap), key=repr(value) if not np.isnan(value) else "-inf")


def _interval(gap: MeasuredGap) -> str:
    return "not estimable" if np.isnan(gap.low) else f"[{_digits(gap.low, gap)}, {_digits(gap.high, gap)}]"


def budgets_view(results: Results) -> View | None:
    """The claim's pair at some shares of each common budget."""
    rows = []
    for gap in results.measured.budgets:
        if gap.share not in _SHOWN:
            continue
        span = "not estimable" if np.isnan(gap.low) else interval(gap.low, gap.high)
        rows.append(
            (
                name(AXES[gap.axis].name),
                TableCell(amount(gap.budget), key=repr(gap.budget)),
                number(gap.rate_treatment, 1, 100),
                number(gap.rate_baseline, 1, 100),
                TableCell(points(gap.gap), key=repr(gap.gap), mark=sign_mark(gap.gap)),
                TableCell(span, kind="text"),
            )
        )
    if not rows:
        return None
    first = results.measured.budgets[0]
    note = (
        f"Exploratory. Any-medal rates in percent of {first.treatment} and {first.baseline} had every run been stopped "
        "at the budget: the medal of the best program by validation up to there. Mean over models, paired over "
        f"{plural(first.tasks, 'task')}; interval: 95 %, t over tasks, of each budget alone."
    )
    return View(
        "budgets",
        note,
        ("axis", "budget", first.treatment, first.baseline, "gap, points", "95 % interval"),
        tuple(rows),
    )


def draw_budgets(results: Results, width: float = svg.WIDTH) -> Drawn:
    """The gap over each budget, with its band."""
    found = results.measured.budgets
    axes_shown = list(dict.fromkeys(gap.axis for gap in found))
    if not axes_shown:
        return Drawn("budgets")
    with svg.drawing():
        fig = svg.figure(width, 2.3)
        axes = fig.subplots(1, len(axes_shown), sharey=True, squeeze=False)[0]
        for ax, axis in zip(axes, axes_shown, strict=True):
            own = [gap for gap in found if gap.axis == axis]
            x = np.array([gap.budget for gap in own])
            mean, low, high = (100 * np.array([getattr(gap, part) for gap in own]) for part in ("gap", "low", "high"))
            ax.axhline(0, color=svg.MUTED, lw=0.9)
            ax.fill_between(x, low, high, color=svg.SERIES[0], alpha=0.15, lw=0)
            ax.plot(x, mean, color=svg.SERIES[0], marker="o", ms=3.5, lw=1.5)
            ax.set_xlim(left=0)
            ax.grid(axis="y")
            ax.set_xlabel(AXES[axis].name)
        axes[0].set_ylabel("gap, points")
        ends = ", ".join(
            f"{100 * g.gap:+.0f} at {amount(g.budget)} {AXES[g.axis].name}" for g in found if g.share == 1.0
        )
        alt = f"Gap in the any-medal rate of {found[0].treatment} over {found[0].baseline} at each budget: {ends}."
        return svg.drawn(fig, "budgets", alt, simulated=results.tables.simulated)


def verdict(results: Results) -> str:
    """What is said of a crossover at the budgets that the claim declared; empty where it declared none."""
    x, claim = results.measured.crossover, results.claim
    if x is None or claim is None:
        return ""
    treatment, baseline = claim.treatment.label, claim.baseline.label
    status = "Confirmatory: " if claim.declared else "Exploratory: "
    return status + crossover_sentence(x, treatment, baseline, simulated=results.tables.simulated)


def crossover_sentence(x: BudgetCrossover, treatment: str, baseline: str, *, simulated: bool) -> str:
    """The verdict on the crossover in budget, which can be quoted alone."""
    unit = AXES[x.axis].name
    low, high = (f"{amount(b[0])} to {amount(b[-1])}" for b in (x.low_budgets, x.high_budgets))
    place = "in simulation, " if simulated else ""
    if x.refused:
        return f"{place}no verdict on a crossover in budget of {treatment} and {baseline}: {x.refused}."
    gaps = (
        f"the gap in the any-medal rate is {100 * x.low_gap:+.1f} points at {low} {unit} "
        f"(one-sided p = {p_number(x.p_low)}) and {100 * x.high_gap:+.1f} at {high} (p = {p_number(x.p_high)}; "
        f"change p = {p_number(x.p_change)}), "
        f"t over {plural(x.tasks, 'task')} like these, with these models"
    )
    said = "a crossover in budget is established" if x.established else "no crossover in budget is established"
    return f"{place}{said} for {treatment} over {baseline}: {gaps}."


def section(results: Results) -> Section | None:
    """The section of the page, where there is anything to show."""
    shown, budgets = measures_view(results), budgets_view(results)
    if shown is None:
        return None
    declared = any(gap.declared for gap in results.measured.gaps)
    return Section(
        "budgets",
        "Beyond medals, and at any budget",
        text=verdict(results),
        figure=partial(draw_budgets, results) if budgets else None,
        caption=(
            "Gap in the any-medal rate had every run been stopped at the budget, mean over models, paired by task. "
            "Band: 95 % t interval over tasks, of each budget alone."
        ),
        tables=(shown,) if declared else (),
        folded=tuple(view for view in (None if declared else shown, budgets) if view is not None),
    )
