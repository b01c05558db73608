"""The tables of further comparisons: the best baseline, ablations, parallel traces, cost and its front."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlesearch.analysis.comparisons.ablation import FULL, ablations, trace_contrasts, traces_of
from mlesearch.analysis.comparisons.pareto import Efficiency, efficiencies, task_sums
from mlesearch.analysis.data.columns import numbers
from mlesearch.analysis.data.outcomes import RATES
from mlesearch.analysis.measures.claimed import claimed_values
from mlesearch.analysis.page.views import TableCell, View, name, number, p_number, sign_mark
from mlesearch.analysis.results import Results
from mlesearch.analysis.statistics.baseline import MIN_TASKS, BestBaseline, best_baseline
from mlesearch.analysis.statistics.gaps import holm
from mlesearch.analysis.text import interval, p_text, plural, points

COSTS = {"usd": ("cost_usd", "USD", 1.0), "charged_h": ("charged_s", "charged hour", 3600.0)}
"""Costs by name: the column of runs, the unit in words, and how many of the column's units it has."""


def best_baselines(results: Results) -> dict[str, BestBaseline]:
    """The treatment against the best of all other strategies, by model; empty with fewer than two others."""
    main = results.main
    if main is None or len(results.arms) < 3 or len(results.board.counts.tasks) < MIN_TASKS:
        return {}
    counts = results.board.counts
    own = results.arms.index(main.treatment)
    others = [a for a in range(len(results.arms)) if a != own]
    rates = counts.hits / np.maximum(counts.counts, 1)
    return {
        model: best_baseline(rates[m, own], rates[m, others])
        for m, model in enumerate(results.models.names)
        if not counts.bare[m].any()
    }


def baseline_view(results: Results) -> View | None:
    """The treatment against the best of the others; None with fewer than two of them."""
    found, main = best_baselines(results), results.main
    if not found or main is None:
        return None
    labels = [arm.label for arm in results.arms if arm != main.treatment]
    adjusted = holm([b.p_ahead for b in found.values()])
    rows = tuple(
        (
            name(model),
            TableCell(points(b.gap), key=repr(b.gap), mark=sign_mark(b.gap)),
            TableCell(interval(b.low, b.high), kind="text"),
            TableCell(points(b.observed), key=repr(b.observed), mark="weak"),
            TableCell(p_number(b.p_ahead), key=repr(b.p_ahead)),
            TableCell(p_number(p), key=repr(float(p))),
            TableCell(_chosen(b, labels), kind="text"),
        )
        for (model, b), p in zip(found.items(), adjusted, strict=True)
    )
    tasks = plural(len(results.board.counts.tasks), "task")
    note = (
        f"Exploratory: {RATES[results.outcome]} of {main.treatment.label} minus that of the best of the "
        f"{len(labels)} other strategies, in points. The best is chosen on one half of the {tasks} and compared on the "
        "other, averaged over 100 splits; jackknife 95 % interval over tasks. The gap to the best on all tasks is "
        "biased against the treatment. Ahead of all: one-sided, the largest p against any of them "
        "(intersection-union), adjusted by Holm over the models."
    )
    heads = ("model", "gap to the best", "95 % interval", "to the observed best", "p, ahead of all", "adjusted p")
    return View("best-baseline", note, (*heads, "chosen in % of halves"), rows)


def _chosen(b: BestBaseline, labels: list[str]) -> str:
    ranked = sorted(zip(b.chosen, labels, strict=True), key=lambda pair: -pair[0])
    return ", ".join(f"{label} {100 * share:.0f}" for share, label in ranked if share >= 0.005)


def ablation_view(results: Results) -> View | None:
    """Variants against the full one; None without variants."""
    found = ablations(results.board.counts, results.arms)
    if not found:
        return None
    rows = tuple(
        (
            name(f"{a.strategy}/{a.variant}"),
            TableCell(points(a.gap.gap), key=repr(a.gap.gap), mark=sign_mark(a.gap.gap)),
            TableCell(interval(a.gap.low, a.gap.high), kind="text"),
            TableCell(p_number(a.gap.p), a.gap.method, repr(a.gap.p)),
            TableCell(p_number(a.gap.p_adjusted), key=repr(a.gap.p_adjusted)),
            TableCell(f"{a.gap.informative} of {a.gap.tasks}", key=str(a.gap.informative)),
        )
        for a in found
    )
    note = (
        f"Exploratory: {RATES[results.outcome]} of a variant minus that of the variant {FULL} of its strategy, in "
        f"points, paired by task (n = {plural(len(results.board.counts.tasks), 'task')}), runs of all models pooled "
        "within a task. 95 % interval of the test; adjusted by Holm over the variants."
    )
    return View("ablations", note, ("variant", "gap", "95 % interval", "p", "adjusted p", "tasks that differ"), rows)


def trace_view(results: Results) -> View | None:
    """The number of parallel traces as a contrast in log2 n; None where no strategy ran with several numbers."""
    traces = traces_of(results.tables.runs, results.tables.nodes, results.arms)
    found = trace_contrasts(results.board.counts, results.arms, traces)
    if not found:
        return None
    rows = tuple(
        (
            name(t.strategy),
            TableCell(", ".join(map(str, t.traces)), kind="text"),
            TableCell(points(t.slope), key=repr(t.slope), mark=sign_mark(t.slope)),
            TableCell(interval(t.low, t.high), kind="text"),
            TableCell(p_text(t.p), key=repr(t.p)),
        )
        for t in found
    )
    note = (
        f"Exploratory: change of the {RATES[results.outcome]} per doubling of the number of parallel traces, in "
        f"points: least squares over log2 n in each task, t over {plural(found[0].tasks, 'task')}. Variants may differ "
        "in more than this number."
    )
    heads = ("strategy", "traces of its variants", "points per doubling", "95 % interval", "p")
    return View("traces", note, heads, rows)


def front(results: Results) -> dict[str, tuple[Efficiency, ...]]:
    """Rate and cost of the strategies over all models, by the name of the cost; empty where none is known.

    Of an unfinished study there is none either.
    """
    if results.progress is not None:
        return {}
    runs, values = claimed_values(results.tables.runs, results.outcome, results.measured.measures)
    labels = [arm.label for arm in results.arms]
    found = {}
    for key, (column, _, scale) in COSTS.items():
        sums = task_sums(runs, results.arms, values, numbers(runs[column]) / scale)
        if sums is not None and sums.cost.sum() > 0:
            found[key] = efficiencies(sums, labels)
    return found


def front_view(results: Results) -> View | None:
    """Rate against cost; None where no cost is known."""
    found = front(results)
    if not found:
        return None
    measured = results.claimed is not None
    scale = 100 if measured else 1
    rows = tuple(
        (
            name(e.arm),
            name(COSTS[key][1]),
            number(e.rate, 1, 100),
            number(e.cost, 4 if e.cost < 10 else 2),
            TableCell(
                "–" if np.isnan(e.per_unit) else f"{scale * e.per_unit:.3g}",
                "" if np.isnan(e.low) else f"[{scale * e.low:.3g}, {scale * e.high:.3g}]",
                repr(e.per_unit),
            ),
            TableCell("on the front" if e.on_front else "dominated", kind="text", mark="" if e.on_front else "weak"),
            number(e.front_share, 0, 100),
        )
        for key, part in found.items()
        for e in part
    )
    tasks = plural(len(results.board.counts.tasks), "task")
    unit, what, shown = ("points", "a mean", "Points") if measured else ("percent", "a rate", "Successes")
    said = RATES[results.outcome]
    note = (
        f"{said[0].upper()}{said[1:]} in {unit} and cost of a run, means over {tasks}, all models together, "
        f"runs with a result alone. {shown} per unit of cost: the ratio of the sums, with its 95 % interval. A "
        f"strategy is dominated where another has {what} at least as high for at most its cost, and is better in one. "
        "Samples: 10,000 bootstrap samples of whole tasks, the same for all strategies."
    )
    heads = (
        "strategy",
        "cost in",
        "mean" if measured else "rate",
        "cost of a run",
        f"{shown.lower()} per unit",
        "front",
        "on the front, % of samples",
    )
    return View("front", note, heads, rows)


def frames(results: Results) -> dict[str, pd.DataFrame]:
    """The numbers behind these tables, for CSV."""
    out: dict[str, pd.DataFrame] = {}
    if best := best_baselines(results):
        adjusted = holm([b.p_ahead for b in best.values()])
        out["best_baseline"] = pd.DataFrame(
            [
                {
                    "model": model,
                    "gap": b.gap,
                    "low": b.low,
                    "high": b.high,
                    "observed": b.observed,
                    "p_ahead": b.p_ahead,
                    "p_ahead_adjusted": p,
                    "p_behind": b.p_behind,
                    "tasks": b.tasks,
                }
                for (model, b), p in zip(best.items(), adjusted, strict=True)
            ]
        )
    if found := ablations(results.board.counts, results.arms):
        out["ablations"] = pd.DataFrame(
            [
                {
                    "strategy": a.strategy,
                    "variant": a.variant,
                    "gap": a.gap.gap,
                    "low": a.gap.low,
                    "high": a.gap.high,
                    "p": a.gap.p,
                    "method": a.gap.method,
                    "p_adjusted": a.gap.p_adjusted,
                    "informative_tasks": a.gap.informative,
                }
                for a in found
            ]
        )
    traces = traces_of(results.tables.runs, results.tables.nodes, results.arms)
    if contrasts := trace_contrasts(results.board.counts, results.arms, traces):
        out["traces"] = pd.DataFrame(
            [
                {
                    "strategy": t.strategy,
                    "traces": " ".join(map(str, t.traces)),
                    "per_doubling": t.slope,
                    "low": t.low,
                    "high": t.high,
                    "p": t.p,
                    "tasks": t.tasks,
                }
                for t in contrasts
            ]
        )
    per_unit = "successes_per_unit" if results.claimed is None else "measure_per_unit"
    if costs := front(results):
        out["front"] = pd.DataFrame(
            [
                {
                    "strategy": e.arm,
                    "cost_in": key,
                    "rate": e.rate,
                    "cost_of_run": e.cost,
                    per_unit: e.per_unit,
                    "low": e.low,
                    "high": e.high,
                    "on_front": e.on_front,
                    "share_of_samples": e.front_share,
                }
                for key, part in costs.items()
                for e in part
            ]
        )
    return out
