"""Test scores on tasks without a leaderboard, where no medal says how good they are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlesearch.analysis.data.unranked import tasks_without
from mlesearch.analysis.measures.accounts import arm_labels
from mlesearch.analysis.page.views import TableCell, View, name, number
from mlesearch.analysis.results import Results


def frame(runs: pd.DataFrame, arm: pd.Series[str]) -> pd.DataFrame:
    """Test scores on tasks without a leaderboard, by task, model and arm.

    Args:
        runs: rows of runs.
        arm: the label of each row's arm.

    Returns:
        Columns task, model, strategy, better (higher or lower), runs, scored, mean, sd (ddof 1; NaN below two), best.
    """
    shown = runs.assign(strategy=arm)[runs["task"].isin(tasks_without(runs)).to_numpy()]
    rows: list[dict[str, object]] = []
    for (task, model, label), part in shown.groupby(["task", "model", "strategy"], sort=True):
        values = part.loc[part["valid"].astype(bool), "score"].dropna().to_numpy(dtype=np.float64)
        lower = bool(part["lower_is_better"].iloc[0])
        rows.append(
            {
                "task": task,
                "model": model,
                "strategy": label,
                "better": "lower" if lower else "higher",
                "runs": len(part),
                "scored": values.size,
                "mean": float(values.mean()) if values.size else np.nan,
                "sd": float(values.std(ddof=1)) if values.size > 1 else np.nan,
                "best": float(values.min() if lower else values.max()) if values.size else np.nan,
            }
        )
    columns = ["task", "model", "strategy", "better", "runs", "scored", "mean", "sd", "best"]
    return pd.DataFrame(rows, columns=columns)


def view(results: Results) -> View:
    """Test scores on tasks without a leaderboard."""
    found = frame(results.tables.runs, arm_labels(results.tables.runs, results.arms))
    rows = tuple(
        (
            name(str(r["task"])),
            name(str(r["model"])),
            name(str(r["strategy"])),
            TableCell(str(r["better"]), kind="text"),
            number(float(r["mean"]), 5),
            number(float(r["sd"]), 5),
            number(float(r["best"]), 5),
            TableCell(f"{r['scored']} of {r['runs']}", key=str(r["scored"])),
        )
        for r in found.to_dict("records")
    )
    note = (
        "Test scores in the metric's units, over the runs that made a valid submission: mean, standard deviation over "
        "runs (ddof 1) and best. Nothing is tested here; scores of different tasks can't be compared."
    )
    heads = ("task", "model", "strategy", "better", "mean", "SD", "best", "runs with a score")
    return View("scores", note, heads, rows)


def frames(results: Results) -> dict[str, pd.DataFrame]:
    """The same as a data frame, for a CSV file; only where there are such tasks."""
    runs = results.tables.runs
    return {"scores": frame(runs, arm_labels(runs, results.arms))} if tasks_without(runs) else {}
