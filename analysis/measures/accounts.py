"""What happened and what it cost: mechanism, spending, failures, as plain tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.claim import Arm, Models
from mlesearch.analysis.data.codes import RowGroups, arm_codes, run_rows
from mlesearch.analysis.data.columns import coded, numbers, one_of, places_of, used
from mlesearch.analysis.data.outcomes import succeeded
from mlesearch.analysis.data.unranked import counted
from mlesearch.analysis.measures.curves import PROGRAM_OPS

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
    cells = len(models.names) * len(arms)
    cell = places_of(runs["model"], models.names) * len(arms) + arm_codes(runs, arms)
    task, tasks = coded(runs["task"])
    alphabetical = np.argsort(np.argsort(tasks.astype(str), kind="stable"), kind="stable")[task]
    rows: list[dict[str, object]] = [{"model": m, "strategy": arm.label} for m in models.names for arm in arms]
    for name in ("improvement_rate", "direction_accuracy"):
        values = numbers(runs[name])
        known = ~np.isnan(values)
        by_task = pd.Series(values[known]).groupby(cell[known] * len(tasks) + alphabetical[known]).mean()
        whose = by_task.index.to_numpy(dtype=np.int64) // max(1, len(tasks))
        count = np.bincount(cell[known], minlength=cells)
        for c, row in enumerate(rows):
            own = by_task.to_numpy(dtype=np.float64)[whose == c]
            row[name] = float(own.mean()) if own.size else np.nan
            row[f"{name}_sem_tasks"] = float(own.std(ddof=1) / np.sqrt(own.size)) if own.size > 1 else np.nan
            row[f"{name}_tasks"] = int(own.size)
            row[f"{name}_runs"] = int(count[c])
    return pd.DataFrame(rows)


def cost(
    runs: pd.DataFrame, calls: pd.DataFrame, arms: Sequence[Arm], asker: npt.NDArray[np.int32] | None = None
) -> pd.DataFrame:
    """What each arm spent in all, its medals, and the ratio of the sums. USD are NaN where a price is unknown.

    Args:
        runs: those that have a result.
        calls: model calls; those of other runs are left out.
        arms: of the study.
        asker: the arm of each call, where it is known already (`arms_of_calls`).
    """
    parts = RowGroups.of(arm_codes(runs, arms), len(arms))
    asked = RowGroups.of(arms_of_calls(runs, calls, arms) if asker is None else asker, len(arms))
    price = numbers(calls["cost_usd"])
    known, usd, service_s = asked.each(~np.isnan(price)), asked.sums(price), asked.sums(numbers(calls["service_s"]))
    sent, got = (asked.whole_sums(calls[name].to_numpy(dtype=np.int64)) for name in ("tokens_in", "tokens_out"))
    charged_s, waited_s = parts.sums(numbers(runs["charged_s"])), parts.sums(numbers(runs["wait_s"]))
    steps, executions = (parts.sums(numbers(runs[name])) for name in ("steps", "n_executions"))
    ranked = counted(runs, "any_medal")
    whose = arm_codes(ranked, arms)
    won = np.bincount(whose, succeeded(ranked, "any_medal").to_numpy(dtype=np.float64), minlength=len(arms))
    could = np.bincount(whose, minlength=len(arms)) > 0
    rows = []
    for a, arm in enumerate(arms):
        paid = float(usd[a]) if known[a] else np.nan
        medals = int(won[a]) if could[a] else np.nan
        rows.append(
            {
                "strategy": arm.label,
                "runs": int(parts.sizes[a]),
                "steps": int(steps[a]),
                "executions": int(executions[a]),
                "calls": int(asked.sizes[a]),
                "tokens_in": int(sent[a]),
                "tokens_out": int(got[a]),
                "usd": paid,
                "charged_h": float(charged_s[a]) / 3600.0,
                "model_h": float(service_s[a]) / 3600.0,
                "waited_h": float(waited_s[a]) / 3600.0,
                "medals": medals,
                "usd_per_medal": paid / medals if medals > 0 else np.nan,
            }
        )
    return pd.DataFrame(rows)


def arms_of_calls(runs: pd.DataFrame, calls: pd.DataFrame, arms: Sequence[Arm]) -> npt.NDArray[np.int32]:
    """The place of the arm of each call among `arms`, shape (calls,); -1 where its run is none of `runs`."""
    return np.append(arm_codes(runs, arms), -1).astype(np.int32)[run_rows(calls, runs)]


def cost_by_operator(
    runs: pd.DataFrame, calls: pd.DataFrame, arms: Sequence[Arm], asker: npt.NDArray[np.int32] | None = None
) -> pd.DataFrame:
    """Calls, tokens, USD and service time of each arm by operator, with the shares of the arm's total; see `cost`."""
    arm_of_call = arms_of_calls(runs, calls, arms) if asker is None else asker
    op, names = used(*coded(calls["op"]))
    known = [name for name in OPS if name in set(names)]
    ops = known + sorted(set(names) - set(known))
    place = np.array([ops.index(name) for name in names], dtype=np.int32)
    code = np.where(arm_of_call < 0, np.int32(-1), arm_of_call * np.int32(len(ops)) + place[op]) if ops else arm_of_call
    parts, shape = RowGroups.of(code, len(arms) * len(ops)), (len(arms), len(ops))
    price = numbers(calls["cost_usd"])
    priced, usd = (found.reshape(shape) for found in (parts.each(~np.isnan(price)), parts.sums(price)))
    service_s = parts.sums(numbers(calls["service_s"])).reshape(shape)
    count = parts.sizes.reshape(shape)
    sent, got = (
        parts.whole_sums(calls[name].to_numpy(dtype=np.int64)).reshape(shape) for name in ("tokens_in", "tokens_out")
    )
    rows = []
    for a, arm in enumerate(arms):
        whole, tokens = int(count[a].sum()), int((sent[a] + got[a]).sum())
        for o, name in enumerate(ops):
            if not count[a, o]:
                continue
            both = int(sent[a, o] + got[a, o])
            rows.append(
                {
                    "strategy": arm.label,
                    "operator": name,
                    "calls": int(count[a, o]),
                    "share_of_calls": int(count[a, o]) / whole,
                    "tokens_in": int(sent[a, o]),
                    "tokens_out": int(got[a, o]),
                    "share_of_tokens": both / tokens if tokens else np.nan,
                    "usd": float(usd[a, o]) if priced[a, o] else np.nan,
                    "service_h": float(service_s[a, o]) / 3600.0,
                }
            )
    columns = ["strategy", "operator", "calls", "share_of_calls", "tokens_in", "tokens_out", "share_of_tokens", "usd"]
    return pd.DataFrame(rows, columns=[*columns, "service_h"])


def failures(runs: pd.DataFrame, nodes: pd.DataFrame, arms: Sequence[Arm]) -> pd.DataFrame:
    """How programs ended, by arm: one row per arm and status that occurred, `ok` included, with the share."""
    is_program = one_of(nodes["op"], *PROGRAM_OPS)
    arm_of_node = np.append(arm_codes(runs, arms), -1)[run_rows(nodes, runs)[is_program]]
    status, names = coded(nodes["status"])
    status, names = used(status[is_program], names)
    totals = dict(zip(names.tolist(), np.bincount(status[status >= 0], minlength=len(names)).tolist(), strict=True))
    kinds = ["ok", *sorted((kind for kind in sorted(totals) if kind != "ok"), key=lambda kind: -totals[kind])]
    known = (arm_of_node >= 0) & (status >= 0)
    counts = np.bincount(arm_of_node[known] * len(names) + status[known], minlength=len(arms) * len(names))
    counts = counts.reshape(len(arms), len(names))
    place = {name: i for i, name in enumerate(names.tolist())}
    rows = []
    for a, arm in enumerate(arms):
        whole = int(counts[a].sum())
        for kind in kinds:
            count = int(counts[a, place[kind]]) if kind in place else 0
            if whole:
                rows.append({"strategy": arm.label, "status": kind, "programs": count, "share": count / whole})
    return pd.DataFrame(rows, columns=["strategy", "status", "programs", "share"])
