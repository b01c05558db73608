"""Process measures and their association with success, as tables of the report."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlesearch.analysis.data.columns import frame_of
from mlesearch.analysis.measures.process import PROCESS, RERUN
from mlesearch.analysis.page.views import TableCell, View, p_number, sign_mark
from mlesearch.analysis.results import Results
from mlesearch.analysis.text import plural


def frames(results: Results) -> dict[str, pd.DataFrame]:
    """The same numbers as data frames, unrounded; only what there is."""
    found = {
        "process": frame_of(results.measured.process),
        "process_success": frame_of(results.measured.associations),
    }
    return {key: frame for key, frame in found.items() if not frame.empty}


def process_view(results: Results) -> View | None:
    """Each measure by strategy."""
    means = {(one.measure, one.strategy): one for one in results.measured.process}
    rows = []
    for measure, title in PROCESS.items():
        cells = []
        for arm in results.arms:
            one = means.get((measure, arm.label))
            if one is None:
                cells.append(TableCell("–", key="-inf", mark="weak"))
                continue
            error = "" if np.isnan(one.sem_tasks) else f" ± {one.sem_tasks:.3f}"
            cells.append(TableCell(f"{one.mean:.3f}{error}", f"{plural(one.tasks, 'task')}", repr(one.mean)))
        if any(cell.key != "-inf" for cell in cells):
            rows.append((TableCell(title, kind="text"), *cells))
    if not rows:
        return None
    note = (
        "What runs did on their way: mean over tasks of the mean over models and those runs that have the "
        f"figure, ± SEM over tasks. {_of_optimism({one.measure for one in results.measured.process})}"
    )
    return View("process", note, ("of a run", *(arm.label for arm in results.arms)), tuple(rows))


def _of_optimism(known: set[str]) -> str:
    """What optimism is made of, or that it is not told apart."""
    if not known & set(RERUN):
        return (
            "Optimism holds noise of evaluation and overfitting alike: no program was run again on fresh splits "
            "(run.selection=revalidate), so the two cannot be estimated apart."
        )
    return (
        "Optimism of what validation puts first, where candidates were run again on fresh splits, is the sum of three "
        "parts: noise, by how much one fresh split flatters the candidate that it puts first; overfitting, what "
        "validation − mean of the fresh splits is beyond that; and the fresh splits − test."
    )


def associations_view(results: Results) -> View | None:
    """How any medal goes with each measure, over the runs of all strategies."""
    rows = []
    for one in results.measured.associations:
        if one.strategy:
            continue
        rows.append(
            (
                TableCell(PROCESS[one.measure], kind="text"),
                TableCell(f"{100 * one.slope:+.1f}", key=repr(one.slope), mark=sign_mark(one.slope)),
                TableCell(f"[{100 * one.low:+.1f}, {100 * one.high:+.1f}]", kind="text"),
                TableCell(p_number(one.p), key=repr(one.p)),
                TableCell(f"{one.runs:,}", plural(one.tasks, "task"), str(one.runs)),
            )
        )
    if not rows:
        return None
    note = (
        "Exploratory, and no effect: nothing here was assigned at random. Points of the any-medal rate for one "
        "standard deviation of the measure, over runs of the same model on the same task, all strategies together; "
        "95 % interval clustered by task; p of each row alone. Tasks: on which both vary. Within each strategy: "
        "process_success.csv."
    )
    return View("process-success", note, ("of a run", "points per SD", "95 % interval", "p", "runs"), tuple(rows))


def shown(results: Results) -> tuple[View, ...]:
    """Both tables, where there is anything in them."""
    return tuple(view for view in (process_view(results), associations_view(results)) if view is not None)
