"""What happened and what it cost: mechanism, spending, failures, as plain tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlesearch.analysis.claim import Arm, Models, succeeded
from mlesearch.analysis.codes import RowGroups, arm_codes, run_rows
from mlesearch.analysis.curves import PROGRAM_OPS
from mlesearch.analysis.rates import Ints
from mlesearch.analysis.unranked import counted

OPS = ("draft", "debug", "improve", "merge", "review", "diagnose", "hypothesize", "select", "embed")
"""Operators in the order in which tables and figures show them."""


def arm_labels(runs: pd.DataFrame, arms: Sequence[Arm]) -> pd.Series[str]:
    """The label of each run's arm."""
    labels = np.array([arm.label for arm in arms], dtype=object)
    return pd.Series(labels[arm_codes(runs, arms)], index=runs.index, dtype=object)


def mechanism(runs: pd.DataFrame, models: Models, arms: Sequence[Arm]) -> pd.DataFrame:
    """Improvement rate and direction accuracy by model and arm.

    Each is the mean over tasks of the mean over those runs that have it, with its standard error over tasks (ddof 1,
    NaN with one task) and both numbers.
    """
    places = {model: i for i, model in enumerate(models.names)}
    codes = runs["model"].map(places).to_numpy(dtype=np.int64) * len(arms) + arm_codes(runs, arms)
    parts = RowGroups.of(codes, len(models.names) * len(arms))
    frame = runs[["task", "improvement_rate", "direction_accuracy"]]
    rows = []
    for m, model in enumerate(models.names):
        for a, arm in enumerate(arms):
            cell = frame.iloc[parts[m * len(arms) + a]]
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
    codes = arm_codes(runs, arms)
    parts, asked_parts = RowGroups.of(codes, len(arms)), RowGroups.of(_arms_of_calls(runs, calls, codes), len(arms))
    amounts = calls[list(_AMOUNTS)]
    rows = []
    for a, arm in enumerate(arms):
        own, asked = runs.iloc[parts[a]], amounts.iloc[asked_parts[a]]
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


_AMOUNTS = ("tokens_in", "tokens_out", "cost_usd", "service_s")
"""Columns of calls that are summed up."""


def _arms_of_calls(runs: pd.DataFrame, calls: pd.DataFrame, codes: Ints) -> Ints:
    """The code of the arm of each call; -1 where its run is none of `runs`, whose codes are given."""
    return np.append(codes, -1)[run_rows(calls, runs)]


def _total(values: pd.Series[int]) -> int:
    """Sum, with unknown ones left out."""
    return int(values.fillna(0).sum())


def cost_by_operator(runs: pd.DataFrame, calls: pd.DataFrame, arms: Sequence[Arm]) -> pd.DataFrame:
    """Calls, tokens, USD and service time of each arm by operator, with the shares of the arm's total."""
    arm_of_call = _arms_of_calls(runs, calls, arm_codes(runs, arms))
    op_codes, names = pd.factorize(calls["op"])
    known = [op for op in OPS if op in set(names)]
    ops = known + sorted(set(names) - set(known))
    place = np.array([ops.index(name) for name in names], dtype=np.int64)
    parts = RowGroups.of(np.where(arm_of_call < 0, -1, arm_of_call * len(ops) + place[op_codes]), len(arms) * len(ops))
    amounts = calls[list(_AMOUNTS)]
    amounts = amounts.assign(tokens=amounts["tokens_in"] + amounts["tokens_out"])
    rows = []
    for a, arm in enumerate(arms):
        own = [amounts.iloc[parts[a * len(ops) + o]] for o in range(len(ops))]
        whole, tokens = sum(map(len, own)), sum(int(part["tokens"].sum()) for part in own)
        for op, part in zip(ops, own, strict=True):
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
    is_program = nodes["op"].isin(PROGRAM_OPS).to_numpy(dtype=bool)
    arm_of_node = np.append(arm_codes(runs, arms), -1)[run_rows(nodes, runs)[is_program]]
    status, names = pd.factorize(nodes["status"][is_program], sort=True)
    totals = pd.Series(np.bincount(status, minlength=len(names)), index=names)
    kinds = ["ok"] + [str(kind) for kind in totals.sort_values(ascending=False, kind="stable").index if kind != "ok"]
    counts = np.zeros((len(arms), len(names)), dtype=np.int64)
    known = arm_of_node >= 0
    np.add.at(counts, (arm_of_node[known], status[known]), 1)
    place = {str(name): i for i, name in enumerate(names)}
    rows = []
    for a, arm in enumerate(arms):
        whole = int(counts[a].sum())
        for kind in kinds:
            count = int(counts[a, place[kind]]) if kind in place else 0
            if whole:
                rows.append({"strategy": arm.label, "status": kind, "programs": count, "share": count / whole})
    return pd.DataFrame(rows, columns=["strategy", "status", "programs", "share"])
