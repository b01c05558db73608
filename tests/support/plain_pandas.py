"""Figures of the analysis in plain pandas, text by text and group by group: what its arrays must equal."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlesearch.analysis.measures.curves import PROGRAM_OPS


def best_so_far(nodes: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """What `mlesearch.analysis.measures.curves.best_so_far` finds."""
    columns = runs[["run_id", "task", "lower_is_better"]]
    frame = nodes[nodes["op"].isin(PROGRAM_OPS) & nodes["valid"] & nodes["val_score"].notna()]
    frame = frame[frame["verdict"].astype(object).fillna("") != "void"]
    frame = frame.assign(run_id=frame["run_id"].astype(object)).merge(columns, on="run_id")
    frame = frame.sort_values(["run_id", "t_charged_s", "proposal"], kind="stable").reset_index(drop=True)
    sign = np.where(frame["lower_is_better"].astype(bool), -1.0, 1.0)
    oriented: pd.Series[float] = frame["val_score"].astype(float) * sign
    before: pd.Series[float] = oriented.groupby(frame["run_id"]).cummax().groupby(frame["run_id"]).shift()
    test: pd.Series[float] = frame["test_score"].astype(float) * sign
    ranks: pd.Series[float] = test.groupby(frame["task"]).rank(method="average")
    sizes: pd.Series[float] = test.groupby(frame["task"]).transform("count")
    standing = ((ranks - 1) / (sizes - 1).clip(lower=1)).where(sizes > 1, 0.5)
    medal = frame["medal"].astype(object)
    won = medal.isin(["gold", "silver", "bronze"]).astype(float)
    found = pd.DataFrame(
        {
            "run_id": frame["run_id"],
            "task": frame["task"],
            "step": frame["step"].astype(float),
            "t_charged_s": frame["t_charged_s"],
            "val_score": frame["val_score"],
            "test_score": frame["test_score"],
            "standing": standing.where(test.notna(), 0.0),
            "medal": won if bool(medal.notna().any()) else np.nan,
        }
    )
    return found[before.isna() | (oriented > before)].reset_index(drop=True)


def cost_by_operator(runs: pd.DataFrame, calls: pd.DataFrame) -> pd.DataFrame:
    """Calls, tokens, USD and service hours by strategy and operator, of runs that have one variant."""
    frame = calls.assign(run_id=calls["run_id"].astype(object), operator=calls["op"].astype(object))
    frame = frame.merge(runs[["run_id", "strategy"]], on="run_id")
    rows = []
    for (strategy, operator), part in frame.groupby(["strategy", "operator"]):
        row = {"strategy": strategy, "operator": operator, "calls": len(part)}
        row |= {name: int(part[name].sum()) for name in ("tokens_in", "tokens_out")}
        rows.append(row | {"usd": part["cost_usd"].sum(), "service_h": part["service_s"].sum() / 3600.0})
    return pd.DataFrame(rows)
