"""Tasks without a leaderboard: their runs have scores and win no medal, so no rate of medals may count them.

An ungraded task has no test answers either: of its runs only validation scores are known, and whether they are valid.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mlesearch.storage.claim import OUTCOMES
from mlesearch.storage.claimed_measures import MEASURES

OF_A_BOARD = ("any_medal", "gold", "above_median", *MEASURES)
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


def ungraded(runs: pd.DataFrame) -> tuple[str, ...]:
    """The tasks that have no test answers, so that their runs have no test score, sorted."""
    if "ungraded" not in runs.columns:
        return ()
    return tuple(sorted(set(runs.loc[runs["ungraded"].fillna(False).astype(bool), "task"])))


def sentence(runs: pd.DataFrame) -> str:
    """What a reader must know of such tasks; empty where there are none."""
    tasks = tasks_without(runs)
    if not tasks:
        return ""
    named = _named(tasks)
    if len(tasks) == len(set(runs["task"])):
        said = f"No task has a leaderboard ({named}), so there are no medals; rates are of valid submissions."
    else:
        said = f"These tasks have no leaderboard: {named}. Rates of medals are over the other tasks alone."
    without_answers = ungraded(runs)
    if without_answers:
        said += f" Ungraded, without test answers: {_named(without_answers)}; no test score of them is known."
    return said


def _named(tasks: Sequence[str]) -> str:
    return ", ".join(tasks[:6]) + (f" and {len(tasks) - 6} more" if len(tasks) > 6 else "")
