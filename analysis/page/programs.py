"""What became of programs before and after their full runs: trial runs on a sample, and the audit by the review.

Both are switches of the study (`run.trial`, `run.audit`), equal for all strategies; where one is off, or the tables are
older than it, there is nothing to show.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlesearch.analysis.data.codes import run_rows
from mlesearch.analysis.data.columns import one_of
from mlesearch.analysis.measures.accounts import arm_labels
from mlesearch.analysis.page.views import TableCell, View, name, number
from mlesearch.analysis.results import Results

MOST_SHOWN = 50
"""Judged programs that the page shows; the CSV file has all of them."""

JUDGED_BUG = "judged_bug"
_TRIAL_RUNS = ("n_sample_runs", "n_sample_failures", "sample_run_s")


def trial_runs(results: Results) -> pd.DataFrame:
    """By strategy: trial runs, how many were not passed, their share, and their hours; empty without any."""
    runs = results.tables.runs
    columns = ["strategy", "trial_runs", "not_passed", "share_not_passed", "hours", "share_of_program_time"]
    if not set(_TRIAL_RUNS) <= set(runs.columns) or not runs["n_sample_runs"].fillna(0).any():
        return pd.DataFrame(columns=columns)
    labels = arm_labels(runs, results.arms)
    rows = []
    for arm in results.arms:
        own = runs[labels == arm.label]
        tried, failed, tried_s = (float(own[c].fillna(0).sum()) for c in _TRIAL_RUNS)
        whole_s = float(own["program_s"].fillna(0).sum())
        rows.append(
            (
                arm.label,
                int(tried),
                int(failed),
                failed / tried if tried else float("nan"),
                tried_s / 3600.0,
                tried_s / whole_s if whole_s else float("nan"),
            )
        )
    return pd.DataFrame(rows, columns=columns)


def trial_runs_view(results: Results) -> View | None:
    """The table of trial runs."""
    frame = trial_runs(results)
    if frame.empty:
        return None
    rows = tuple(
        (
            name(str(r["strategy"])),
            number(float(r["trial_runs"]), 0),
            number(float(r["not_passed"]), 0),
            number(float(r["share_not_passed"]), 1, 100),
            number(float(r["hours"]), 2),
            number(float(r["share_of_program_time"]), 1, 100),
        )
        for r in frame.to_dict("records")
    )
    note = (
        "Trial runs of programs on a sample of the labelled rows, before they run on all of them. One that is not "
        "passed ends its proposal; what a trial run scores counts for nothing. Executions and program time hold them."
    )
    heads = ("strategy", "trial runs", "not passed", "% not passed", "hours", "% of program time")
    return View("trial-runs", note, heads, rows)


def judged_bugs(results: Results) -> pd.DataFrame:
    """Programs that ran and that their review called a bug, by run and proposal, with the reason."""
    nodes = results.tables.nodes
    columns = ["strategy", "run_id", "proposal", "op", "reason"]
    if "reason" not in nodes.columns:
        return pd.DataFrame(columns=columns)
    runs = results.tables.runs
    found = nodes[one_of(nodes["status"], JUDGED_BUG)]
    labels = np.array([*arm_labels(runs, results.arms), None], dtype=object)
    found = found.assign(strategy=labels[run_rows(found, runs)], run_id=found["run_id"].astype(object))
    return found.sort_values(["run_id", "proposal"], kind="stable")[columns].reset_index(drop=True)


def judged_bugs_view(results: Results) -> View | None:
    """The table of programs that their review called a bug."""
    frame = judged_bugs(results)
    if frame.empty:
        return None
    rows = tuple(
        (
            name(str(r["strategy"])),
            name(str(r["run_id"])),
            number(float(r["proposal"]), 0),
            TableCell(str(r["op"]), kind="text"),
            TableCell(str(r["reason"]), kind="text"),
        )
        for r in frame.head(MOST_SHOWN).to_dict("records")
    )
    shown = f"the first {MOST_SHOWN} of {len(frame):,}" if len(frame) > MOST_SHOWN else f"all {len(frame):,}"
    note = f"Programs that ran with a score, which does not count since their review called them a bug: {shown}."
    return View("judged-bugs", note, ("strategy", "run", "node", "operator", "reason"), rows)


def frames(results: Results) -> dict[str, pd.DataFrame]:
    """Both as data frames, for the CSV files; only what there is."""
    made = {"trial_runs": trial_runs(results), "judged_bugs": judged_bugs(results)}
    return {key: frame for key, frame in made.items() if not frame.empty}
