"""The tables of percentile scores: mean, interquartile mean, and probability of improvement."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlesearch.analysis.comparisons.robust import (
    Improvement,
    MeanOverTasks,
    Percentiles,
    improvements,
    percentiles,
    score_grid,
)
from mlesearch.analysis.page.views import TableCell, View, name
from mlesearch.analysis.results import Results
from mlesearch.analysis.text import p_text, plural


def _found(results: Results) -> tuple[tuple[Percentiles, ...], tuple[Improvement, ...]]:
    grid = score_grid(results.tables.runs, results.models, results.arms)
    if results.main is None:
        return percentiles(grid, results.models, results.arms), ()
    treatments = [c.treatment for c in (results.main, *results.others)]
    beats = improvements(grid, results.models, results.arms, treatments, results.main.baseline)
    return percentiles(grid, results.models, results.arms), beats


def views(results: Results) -> tuple[View, ...]:
    """Percentile scores by cell, and how often a run of a strategy beats one of the baseline; none without a board."""
    cells, beats = _found(results)
    if not any(cell.mean.tasks for cell in cells):
        return ()
    rows = tuple(
        (
            name(cell.model),
            name(cell.arm),
            _cell(cell.mean),
            _cell(cell.iqm),
            TableCell(f"{cell.worst} of {cell.runs}", key=str(cell.worst)),
        )
        for cell in cells
    )
    tasks = plural(max(cell.mean.tasks for cell in cells), "task")
    note = (
        "Percent of the leaderboard that a score reaches; a run without a valid score counts as 0. Mean over "
        f"{tasks} of the mean, and of the interquartile mean, over each task's runs, with 95 % t intervals over tasks. "
        "The interquartile mean hides failures of up to a quarter of the runs: read it beside the mean."
    )
    shown = [View("percentiles", note, ("model", "strategy", "mean", "interquartile mean", "runs at 0"), rows)]
    if beats:
        against = (
            f"How often the percentile score of a run of a strategy exceeds that of one of {beats[0].baseline} on the "
            f"same task, in percent; ties count half. Mean over {tasks}, 95 % t interval over tasks, p of one half, "
            "not adjusted: exploratory."
        )
        lines = tuple(
            (name(b.model), name(b.treatment), _cell(b.probability), TableCell(p_text(b.probability.p), kind="text"))
            for b in beats
        )
        heads = ("model", "strategy", f"runs that beat {beats[0].baseline}, %", "p")
        shown.append(View("improvement", against, heads, lines))
    return tuple(shown)


def _cell(found: MeanOverTasks) -> TableCell:
    if not found.tasks:
        return TableCell("–", key="-inf", mark="weak")
    span = "not estimable" if np.isnan(found.low) else f"[{100 * found.low:.1f}, {100 * found.high:.1f}]"
    return TableCell(f"{100 * found.mean:.1f}", span, repr(found.mean))


def frames(results: Results) -> dict[str, pd.DataFrame]:
    """The same numbers, for CSV."""
    cells, beats = _found(results)
    if not any(cell.mean.tasks for cell in cells):
        return {}
    out = {
        "percentiles": pd.DataFrame(
            [
                {"model": c.model, "strategy": c.arm, "tasks": c.mean.tasks, "runs": c.runs, "runs_at_worst": c.worst}
                | _columns("mean", c.mean)
                | _columns("iqm", c.iqm)
                for c in cells
            ]
        )
    }
    if beats:
        out["improvement"] = pd.DataFrame(
            [
                {"model": b.model, "treatment": b.treatment, "baseline": b.baseline, "tasks": b.probability.tasks}
                | _columns("probability", b.probability)
                | {"p": b.probability.p}
                for b in beats
            ]
        )
    return out


def _columns(key: str, found: MeanOverTasks) -> dict[str, object]:
    return {key: found.mean, f"{key}_low": found.low, f"{key}_high": found.high}
