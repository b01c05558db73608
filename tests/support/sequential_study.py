"""A made-up study with declared looks, in which gome loses with weak models and wins with strong ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mlesearch.analysis.data.tables import Tables
from mlesearch.analysis.planning.looks import LookBounds
from tests.support.synthetic_study import synthetic

ENDS = {"low": (1, 2), "high": (5, 6)}


def sequential_study(seeds_there: int, shift: float = 0.35, declared: bool = True, seed: int = 2) -> Tables:
    """Six models on 20 tasks; runs of later seeds than `seeds_there` are missing.

    Args:
        seeds_there: of three.
        shift: of gome's rate of success from one half, downwards in the low group and upwards in the high one.
        declared: whether the looks are declared.
        seed: of the outcomes.
    """
    tables = synthetic(models=6, strategies=("greedy", "gome"), tasks=20, seeds=3, steps=2)
    runs = tables.runs.copy()
    rank = runs["model"].str[-2:].astype(int)
    side = np.where(rank <= 2, -1.0, np.where(rank >= 5, 1.0, 0.0)) * (runs["strategy"] == "gome")
    won = np.random.default_rng(seed).random(len(runs)) < 0.5 + shift * side
    there = runs["seed"].astype(int) < seeds_there
    for flag in ("gold", "silver", "bronze", "above_median"):
        runs[flag] = (won & there) if flag == "gold" else False
    runs["valid"] = there
    runs["status"] = np.where(there, "ok", "missing")
    claim: dict[str, Any] = dict(tables.study["claim"])
    if declared:
        bounds = LookBounds.of((1, 2, 3), 0.05, 0.1)
        claim["sequential"] = {
            "looks": [1, 2, 3],
            "alpha": 0.05,
            "futility": 0.1,
            "bounds": list(bounds.upper),
            "gives_up_below": list(bounds.futile),
            **{end: {f"sim/model-{m:02d}": float(m) for m in models} for end, models in ENDS.items()},
            "tasks": sorted(set(runs["task"])),
            "seeds": [0, 1, 2],
        }
    kept = set(runs.loc[there, "run_id"])
    nodes, calls = (frame[frame["run_id"].isin(kept)] for frame in (tables.nodes, tables.calls))
    return replace(tables, runs=runs, nodes=nodes, calls=calls, study={**tables.study, "claim": claim})
