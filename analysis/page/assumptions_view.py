"""The tables of what verdicts depend on: categories of tasks, single tasks and models, skewed gaps, seeds."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mlesearch.analysis.comparisons.assumptions import ALPHA
from mlesearch.analysis.page.views import TableCell, View, name, number, p_number, sign_mark
from mlesearch.analysis.results import Results
from mlesearch.analysis.statistics.dependence import ClusteredMean
from mlesearch.analysis.statistics.fieller import Crossing, crossing
from mlesearch.analysis.statistics.hanging import Hanging
from mlesearch.analysis.statistics.skew import SkewForecast
from mlesearch.analysis.text import interval, plural, points
from mlesearch.analysis.words.assumptions_words import clustered_by


def rates(results: Results) -> View | None:
    """E2 beside the same rate clustered by category; None where no categories are known and repeated."""
    board, categories = results.board, results.categories
    if board.by_category is None or categories is None:
        return None
    rows = []
    for m, model in enumerate(results.models.names):
        for a, arm in enumerate(results.arms):
            spans = [
                TableCell(_span(r.low[m, a], r.high[m, a]), kind="text", key=repr(float(r.high[m, a] - r.low[m, a])))
                for r in (board.e2, board.by_category)
            ]
            rows.append((name(model), name(arm.label), number(float(board.e2.rate[m, a]), 1, 100), *spans))
    note = (
        f"{'Percent of runs' if results.claimed is None else 'Means in points'}, with two 95 % intervals for tasks "
        "like these (n = "
        f"{plural(categories.tasks, 'task')}): E2 takes the tasks as independent; the other has its variance "
        f"{clustered_by(categories)}, and t with {categories.df:.1f} degrees of freedom."
    )
    return View("rates-by-category", note, ("model", "strategy", "rate", "E2", "by category"), tuple(rows))


def _span(low: float, high: float) -> str:
    return "not estimable" if math.isnan(low) else f"[{100 * low:.1f}, {100 * high:.1f}]"


def gaps(results: Results) -> View | None:
    """The declared gaps by category, with the shape of the gaps over tasks."""
    main = results.main
    if main is None or main.assumptions is None:
        return None
    by = main.assumptions.by_category
    rows = []
    everything = zip(
        results.models.names,
        main.gaps,
        main.assumptions.gap_skews,
        by.gaps if by else [None] * len(main.gaps),
        by.p_adjusted if by else [math.nan] * len(main.gaps),
        strict=True,
    )
    for model, gap, skew, clustered, adjusted in everything:
        if skew is None:
            continue
        cells = [name(model), TableCell(points(gap.gap), key=repr(gap.gap), mark=sign_mark(gap.gap)), *_shape(skew)]
        if by is not None:
            cells += [TableCell(p_number(gap.p_adjusted), key=repr(gap.p_adjusted)), *_clustered(clustered, adjusted)]
        rows.append(tuple(cells))
    if not rows:
        return None
    note = (
        f"The gap of {main.treatment.label} over {main.baseline.label}, in points. Tasks by who is ahead on them. "
        "Forecast: share of studies without a gap in which a one-sided 5 % t test on the side of the gap rejects, by "
        "Edgeworth's series; above 7 % it is marked."
    )
    heads = ["model", "gap", "tasks ahead, behind, level", "forecast level, %"]
    if by is not None:
        note += f" By category: variances {clustered_by(by.categories)}; adjusted as the plain p: by Holm over the "
        note += "models and, of a declared claim, over its parts."
        heads += ["adjusted p", "95 % interval by category", "adjusted p by category"]
    return View("gaps-checked", note, tuple(heads), tuple(rows))


def _shape(skew: SkewForecast) -> tuple[TableCell, ...]:
    counts = TableCell(f"{skew.ahead}, {skew.behind}, {skew.equal}", kind="text")
    level = TableCell(f"{100 * skew.level:.1f}", key=repr(skew.level), mark="minus" if skew.flagged else "")
    return counts, level


def _clustered(found: ClusteredMean | None, p: float) -> tuple[TableCell, ...]:
    if found is None:
        return TableCell("–", kind="text", mark="weak"), TableCell("–", key="-inf", mark="weak")
    widest = max(1.0, abs(found.mean))
    low, high = (float(limit) for limit in np.clip([found.low, found.high], -widest, widest))
    span = TableCell(interval(low, high), kind="text")
    return span, TableCell(p_number(p), key=repr(p), mark="" if p <= ALPHA else "weak")


def left_out(results: Results) -> View | None:
    """The established verdicts, each with what it falls without."""
    main = results.main
    if main is None or main.assumptions is None or not main.assumptions.hanging:
        return None
    rows = tuple(
        (
            name(f"{h.verdict}, {h.model}" if h.model else h.verdict),
            *(TableCell(_names(part), kind="text", mark="" if part else "weak") for part in _parts(h)),
        )
        for h in main.assumptions.hanging
    )
    note = (
        "Established verdicts with one task, one category of tasks or one model left out in turn: named is each "
        "without which the verdict falls. A group of a crossover keeps two models at least."
    )
    return View("left-out", note, ("verdict", "falls without task", "category", "model"), rows)


def some_hang(results: Results) -> bool:
    """Whether an established verdict falls without some task, category or model."""
    main = results.main
    return main is not None and main.assumptions is not None and any(any(_parts(h)) for h in main.assumptions.hanging)


def crossings(results: Results) -> View | None:
    """Where lines through the gaps cross zero, as a description; None where no slope is tested."""
    found = _crossings(results)
    if not found:
        return None
    rows = tuple(
        (
            name(pair),
            number(c.at, 2),
            TableCell(_set_text(c), kind="text", mark="" if c.shape == "interval" else "weak"),
        )
        for pair, c in found
    )
    note = (
        "Description only: the capability at which the least-squares line through the gaps is zero. Any line that is "
        "not flat crosses zero somewhere, so this is no evidence of a crossover; the two groups decide on that. "
        "Fieller's 95 % set, clustered by task and by model, t with models − 2 degrees of freedom."
    )
    return View("crossings", note, ("comparison", "the line is zero at", "95 % set"), rows)


def _crossings(results: Results) -> list[tuple[str, Crossing]]:
    capability = results.models.capability
    comparisons = [c for c in (results.main, *results.others) if c is not None and c.slope is not None]
    if capability is None:
        return []
    return [(f"{c.treatment.label} − {c.baseline.label}", crossing(c.by_task, capability)) for c in comparisons]


def _set_text(c: Crossing) -> str:
    if c.shape == "interval":
        return f"{c.low:.2f} to {c.high:.2f}"
    if c.shape != "outside":
        return "any capability" if c.shape == "everywhere" else "none" if c.shape == "nowhere" else c.shape
    parts = [f"up to {c.low:.2f}"] if math.isfinite(c.low) else []
    return " and ".join([*parts, f"from {c.high:.2f}"] if math.isfinite(c.high) else parts)


def _parts(h: Hanging) -> tuple[tuple[str, ...], ...]:
    return h.tasks, h.categories, h.models


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names) if names else "none"


def frames(results: Results) -> dict[str, pd.DataFrame]:
    """The numbers behind these tables, for CSV."""
    out: dict[str, pd.DataFrame] = {}
    board, categories, main = results.board, results.categories, results.main
    if board.by_category is not None and categories is not None:
        r = board.by_category
        out["rates_by_category"] = pd.DataFrame(
            [
                {
                    "outcome": board.outcome,
                    "model": model,
                    "strategy": arm.label,
                    "rate": r.rate[m, a],
                    "low": r.low[m, a],
                    "high": r.high[m, a],
                    "n_eff": r.n_eff[m, a],
                    "df": r.df[m, a],
                    "categories": len(categories.names),
                    "effective_categories": categories.effective,
                }
                for m, model in enumerate(results.models.names)
                for a, arm in enumerate(results.arms)
            ]
        )
    if main is not None and main.assumptions is not None:
        out["assumptions"] = pd.DataFrame(_checked_rows(results))
        out["left_out"] = pd.DataFrame(
            [
                {"verdict": h.verdict, "model": h.model, "kind": kind, "falls_without": found}
                for h in main.assumptions.hanging
                for kind, names in zip(("task", "category", "model"), _parts(h), strict=True)
                for found in names
            ],
            columns=["verdict", "model", "kind", "falls_without"],
        )
    if crossed := _crossings(results):
        out["crossings"] = pd.DataFrame(
            [{"comparison": p, "at": c.at, "set": c.shape, "low": c.low, "high": c.high} for p, c in crossed]
        )
    if results.dispersion is not None:
        d = results.dispersion
        out["dispersion"] = pd.DataFrame(
            [
                {
                    "f": d.ratio,
                    "df_seeds": d.df_seeds,
                    "df_runs": d.df_runs,
                    "p": d.p,
                    "cells": d.cells,
                    "furthest": "/".join(d.worst),
                    "its_rate": d.worst_rate,
                    "rate_of_cell": d.cell_rate,
                }
            ]
        )
    return out


def _checked_rows(results: Results) -> list[dict[str, object]]:
    """Gaps of the models, then the two groups and the slope: skew, and variances by category."""
    main = results.main
    if main is None or main.assumptions is None:
        return []
    assumptions, by = main.assumptions, main.assumptions.by_category
    found: list[tuple[str, str, SkewForecast | None, ClusteredMean | None, float]] = [
        ("gap", model, skew, clustered, adjusted)
        for model, skew, clustered, adjusted in zip(
            results.models.names,
            assumptions.gap_skews,
            by.gaps if by else [None] * len(assumptions.gap_skews),
            by.p_adjusted if by else [math.nan] * len(assumptions.gap_skews),
            strict=True,
        )
    ]
    found += [
        ("low group", "", assumptions.low_skew, by.low if by else None, math.nan),
        ("high group", "", assumptions.high_skew, by.high if by else None, math.nan),
        ("slope", "", None, by.slope if by else None, math.nan if by is None or by.p_slope is None else by.p_slope),
    ]
    return [
        {
            "of": what,
            "model": model,
            "ahead": skew.ahead if skew else None,
            "behind": skew.behind if skew else None,
            "level": skew.equal if skew else None,
            "skewness": skew.skewness if skew else math.nan,
            "forecast_level": skew.level if skew else math.nan,
            "mean": clustered.mean if clustered else math.nan,
            "error_by_category": clustered.error if clustered else math.nan,
            "low_by_category": clustered.low if clustered else math.nan,
            "high_by_category": clustered.high if clustered else math.nan,
            "p_by_category": clustered.p if clustered else math.nan,
            "p_adjusted_by_category": adjusted,
        }
        for what, model, skew, clustered, adjusted in found
        if skew is not None or clustered is not None
    ]
