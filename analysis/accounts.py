"""What happened and what it cost: mechanism, spending, failures, as plain tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlesearch.analysis.claim import Arm, Models, succeeded
from mlesearch.analysis.curves import PROGRAM_OPS
from mlesearch.analysis.unranked import counted

OPS = ("draft", "debug", "improve", "merge", "review", "diagnose", "hypothesize", "select", "embed")
"""Operators in the order in which tables and figures show them."""


def arm_labels(runs: pd.DataFrame, arms: Sequence[Arm]) -> pd.Series[str]:
    """The label of each run's arm."""
    label = {(arm.strategy, arm.variant): arm.label for arm in arms}
    keys = zip(runs["strategy"], runs["variant"], strict=True)
    return pd.Series([label[key] for key in keys], index=runs.index, dtype=object)


def mechanism(runs: pd.DataFrame, models: Models, arms: Sequence[Arm]) -> pd.DataFrame:
    """Improvement rate and direction accuracy by model and arm.

    Each is the mean over tasks of the mean over those runs that have it, with its standard error over tasks (ddof 1,
    NaN with one task) and both numbers.
    """
    frame = runs.assign(arm=arm_labels(runs, arms))
    rows = []
    for model in models.names:
        for arm in arms:
            cell = frame[(frame["model"] == model) & (frame["arm"] == arm.label)]
            row: dict[str, object] = {"model": model, "strategy": arm.label}
            for name in ("improvement_rate", "direction_accuracy"):
                known = cell[cell[name].notna()]
                by_task = known.groupby("task")[name].mean().to_numpy(dtype=np.float64)
                row[name] = float(by_task.mean()) if by_task.size else np.nan
                row[f"{name}_sem_tasks"] = (
                    float(by_task.std(ddof=1) / np.sqrt(by_task.size)) if by_task.size > 1 else np.nan
                )
                row[f"{name}_tasks"] = int(by_task.size)
                row[f"{name}_runs"] = len(known)
            rows.append(row)
    return pd.DataFrame(rows)


def cost(runs: pd.DataFrame, calls: pd.DataFrame, arms: Sequence[Arm]) -> pd.DataFrame:
    """What each arm spent in all, its medals, and the ratio of the sums. USD are NaN where a price is unknown.

    Args:
        runs: those that have a result.
        calls: model calls; those of other runs are left out.
        arms: of the study.
    """
    frame = runs.assign(arm=arm_labels(runs, arms))
    made = calls.join(frame.set_index("run_id")["arm"], on="run_id")
    rows = []
    for arm in arms:
        own, asked = frame[frame["arm"] == arm.label], made[made["arm"] == arm.label]
        known = bool(asked["cost_usd"].notna().all())
        usd = float(asked["cost_usd"].sum()) if known else np.nan
        ranked = counted(own, "any_medal")
        medals = int(succeeded(ranked, "any_medal").sum()) if len(ranked) else np.nan
        rows.append(
            {
                "strategy": arm.label,
                "runs": len(own),
                "steps": _total(own["steps"]),
                "executions": _total(own["n_executions"]),
                "calls": len(asked),
                "tokens_in": int(asked["tokens_in"].sum()),
                "tokens_out": int(asked["tokens_out"].sum()),
                "usd": usd,
                "charged_h": float(own["charged_s"].sum()) / 3600.0,
                "model_h": float(asked["service_s"].sum()) / 3600.0,
                "waited_h": float(own["wait_s"].fillna(0.0).sum()) / 3600.0,
                "medals": medals,
                "usd_per_medal": usd / medals if medals > 0 else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _total(values: pd.Series[int]) -> int:
    """Sum, with unknown ones left out."""
    return int(values.fillna(0).sum())


def cost_by_operator(runs: pd.DataFrame, calls: pd.DataFrame, arms: Sequence[Arm]) -> pd.DataFrame:
    """Calls, tokens, USD and service time of each arm by operator, with the shares of the arm's total."""
    frame = runs.assign(arm=arm_labels(runs, arms))
    made = calls.join(frame.set_index("run_id")["arm"], on="run_id")
    made = made.assign(tokens=made["tokens_in"] + made["tokens_out"])
    known = [op for op in OPS if op in set(made["op"])]
    ops = known + sorted(set(made["op"]) - set(known))
    rows = []
    for arm in arms:
        own = made[made["arm"] == arm.label]
        whole, tokens = len(own), int(own["tokens"].sum())
        for op in ops:
            part = own[own["op"] == op]
            if part.empty:
                continue
            rows.append(
                {
                    "strategy": arm.label,
                    "operator": op,
                    "calls": len(part),
                    "share_of_calls": len(part) / whole,
                    "tokens_in": int(part["tokens_in"].sum()),
                    "tokens_out": int(part["tokens_out"].sum()),
                    "share_of_tokens": int(part["tokens"].sum()) / tokens if tokens else np.nan,
                    "usd": float(part["cost_usd"].sum()) if part["cost_usd"].notna().all() else np.nan,
                    "service_h": float(part["service_s"].sum()) / 3600.0,
                }
            )
    columns = ["strategy", "operator", "calls", "share_of_calls", "tokens_in", "tokens_out", "share_of_tokens", "usd"]
    return pd.DataFrame(rows, columns=[*columns, "service_h"])


def failures(runs: pd.DataFrame, nodes: pd.DataFrame, arms: Sequence[Arm]) -> pd.DataFrame:
    """How programs ended, by arm: one row per arm and status that occurred, `ok` included, with the share."""
    frame = runs.assign(arm=arm_labels(runs, arms))
    programs = nodes[nodes["op"].isin(PROGRAM_OPS)].join(frame.set_index("run_id")["arm"], on="run_id")
    counts = programs.groupby(["arm", "status"]).size()
    totals = programs.groupby("status").size().sort_values(ascending=False, kind="stable")
    kinds = ["ok"] + [str(kind) for kind in totals.index if kind != "ok"]
    rows = []
    for arm in arms:
        whole = int((programs["arm"] == arm.label).sum())
        for kind in kinds:
            count = int(counts.get((arm.label, kind), 0))
            if whole:
                rows.append({"strategy": arm.label, "status": kind, "programs": count, "share": count / whole})
    return pd.DataFrame(rows, columns=["strategy", "status", "programs", "share"])
