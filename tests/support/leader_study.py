"""Made-up studies that vary settings, with outcomes that are given: who leads where is known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.tables import Tables
from mlesearch.storage.columns import CALLS, NODES, RUNS

FAMILIES: Mapping[str, str] = {"greedy": "tree search", "mcts": "tree search", "gome": "gradient", "random": "random"}

Key = tuple[str, str, str]
"""Model, strategy and variant."""


def first(count: int, tasks: int) -> npt.NDArray[np.int64]:
    """Outcomes of one seed: the first so many tasks are won."""
    return (np.arange(tasks) < count).astype(np.int64)


def study(
    hits: Mapping[Key, npt.NDArray[np.int64]],
    settings: Mapping[str, Mapping[str, Any]],
    capability: Mapping[str, float],
    lost: Sequence[Key] = (),
) -> Tables:
    """Tables of a study of one seed.

    Args:
        hits: by cell, shape (T,): whether its run on each task won a medal.
        settings: by variant: parameters of the engineer (`engineer`), and values of the columns of budgets.
        capability: by model.
        lost: cells whose first run failed.
    """
    rows: list[dict[str, Any]] = []
    for (model, strategy, variant), won in hits.items():
        setting = dict(settings[variant])
        engineer = setting.pop("engineer", None)
        for task, medal in enumerate(won):
            failed = task == 0 and (model, strategy, variant) in lost
            row = dict.fromkeys(RUNS) | {
                "run_id": f"{model}/{strategy}/{variant}/task-{task:02d}/seed-0",
                "model": model,
                "strategy": strategy,
                "variant": variant,
                "family": FAMILIES.get(strategy),
                "engineer": None if engineer is None else json.dumps(engineer),
                "task": f"task-{task:02d}",
                "seed": 0,
                "capability": capability[model],
                "capability_source": "dial",
                "simulated": True,
                "lower_is_better": False,
                "status": "failed" if failed else "ok",
                "ended": "completed",
                "reason": "HTTP 401" if failed else "",
                "valid": not failed,
                "gold": bool(medal) and not failed,
                "silver": False,
                "bronze": False,
                "above_median": bool(medal) and not failed,
                "medal_oracle": False,
                "charged_s": 10.0,
                "cost_usd": 0.1,
                "tokens_in": 10,
                "tokens_out": 10,
                "steps": 1,
            }
            rows.append(row | setting)
    runs = pd.DataFrame(rows)
    nodes = pd.DataFrame([_node(run_id) for run_id in runs["run_id"]])
    calls = pd.DataFrame({name: pd.Series(dtype="object") for name in CALLS})
    return Tables(runs, nodes, calls, {"name": "made", "mlesearch_version": "0.1.0", "claim": None, "simulated": True})


def _node(run_id: str) -> dict[str, Any]:
    known = {
        "run_id": run_id,
        "proposal": 0,
        "step": 1,
        "op": "draft",
        "status": "ok",
        "t_charged_s": 10.0,
        "cum_usd": 0.1,
        "cum_tokens": 20,
        "val_score": 0.5,
        "test_score": 0.5,
        "medal": "none",
        "valid": True,
        "best_so_far": 0.5,
        "simulated": True,
    }
    return dict.fromkeys(NODES) | known
