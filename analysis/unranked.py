"""Tasks without a leaderboard: their runs have scores and win no medal, so no rate of medals may count them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlesearch.storage.claim import OUTCOMES

OF_A_BOARD = ("any_medal", "gold", "above_median")
"""Outcomes that only a task with a leaderboard can have."""


def counted(runs: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """The runs that an outcome is about: of those of a leaderboard, the runs on tasks that have one."""
    if outcome not in OF_A_BOARD or "no_board" not in runs.columns:
        return runs
    return runs[~runs["no_board"].astype(bool)]


def outcomes_of(runs: pd.DataFrame) -> tuple[str, ...]:
    """The outcomes that some task of a study can have, in the order of `OUTCOMES`."""
    return tuple(name for name in OUTCOMES if not counted(runs, name).empty)


def tasks_without(runs: pd.DataFrame) -> tuple[str, ...]:
    """The tasks that have no leaderboard, sorted."""
    return tuple(sorted(set(runs["task"]) - set(counted(runs, OF_A_BOARD[0])["task"])))


def sentence(runs: pd.DataFrame) -> str:
    """What a reader must know of such tasks; empty where there are none."""
    tasks = tasks_without(runs)
    if not tasks:
        return ""
    named = ", ".join(tasks[:6]) + (f" and {len(tasks) - 6} more" if len(tasks) > 6 else "")
    if len(tasks) == len(set(runs["task"])):
        return f"No task has a leaderboard ({named}), so there are no medals; rates are of valid submissions."
    return f"These tasks have no leaderboard: {named}. Rates of medals are over the other tasks alone."


def scores(runs: pd.DataFrame, arm: pd.Series[str]) -> pd.DataFrame:
    """Test scores on tasks without a leaderboard, by task, model and arm.

    Args:
        runs: rows of runs.
        arm: the label of each row's arm.

    Returns:
        Columns task, model, strategy, better (higher or lower), runs, scored, mean, sd (ddof 1; NaN below two), best.
    """
    frame = runs.assign(strategy=arm)[runs["task"].isin(tasks_without(runs)).to_numpy()]
    rows: list[dict[str, object]] = []
    for (task, model, label), part in frame.groupby(["task", "model", "strategy"], sort=True):
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
