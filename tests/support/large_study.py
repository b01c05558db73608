"""A large made-up study, drawn column by column: what reading, analysing and showing many runs takes.

Beside `synthetic_study`, whose rows are made one by one, this makes 30,000 runs with 600,000 programs in a few seconds.
No run is carried out, and nothing in it is like any model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.tables import Tables
from mlesearch.storage.columns import TABLES
from mlesearch.study.tables.collect import DTYPES

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STRATEGIES = ("random", "greedy", "mcts", "gome")
_OPS = np.array(["draft", "improve", "debug", "merge"], dtype=object)
_STATUS = np.array(["ok", "error", "timeout", "invalid_submission", "reply_unusable"], dtype=object)
_REASONS = np.array(["", "ValueError: bad value", "its limit was up", "no submission", "no program"], dtype=object)
_MEDALS = np.array(["none", "bronze", "silver", "gold"], dtype=object)
_BARS = (0.5, 1.0, 1.6)


@dataclass(frozen=True)
class Shape:
    """How large a study is.

    Attributes:
        models: number of models, of rising capability.
        tasks: number of tasks.
        seeds: of every task.
        steps: programs of a run.
        strategies: names.
    """

    models: int = 10
    tasks: int = 75
    seeds: int = 10
    steps: int = 20
    strategies: tuple[str, ...] = STRATEGIES


@dataclass(frozen=True)
class _Grid:
    """The coordinates of each run, all of shape (runs,)."""

    model: Ints
    arm: Ints
    task: Ints
    seed: Ints

    @property
    def size(self) -> int:
        return self.model.size


def large(shape: Shape = Shape(), seed: int = 0) -> Tables:
    """The tables of such a study, typed as `mlesearch collect` types them; the same shape and seed make the same."""
    rng = np.random.default_rng(seed)
    axes = (np.arange(n) for n in (shape.models, len(shape.strategies), shape.tasks, shape.seeds))
    grid = _Grid(*(part.ravel() for part in np.meshgrid(*axes, indexing="ij")))
    capability = np.linspace(-1.2, 1.4, shape.models) if shape.models > 1 else np.zeros(1)
    difficulty = rng.normal(size=shape.tasks) * 1.6
    names = {
        "model": np.array([f"lab-{m % 3}/model-{m + 1:02d}" for m in range(shape.models)], dtype=object)[grid.model],
        "strategy": np.array(shape.strategies, dtype=object)[grid.arm],
        "task": np.array([f"task-{t:03d}" for t in range(shape.tasks)], dtype=object)[grid.task],
    }
    ids = pd.Series(names["model"]).str.replace("/", "__") + "/" + names["strategy"] + "/base/" + names["task"]
    run_id = (ids + "/seed-" + pd.Series(grid.seed).astype(str)).to_numpy(dtype=object)
    gain = np.where(grid.arm == len(shape.strategies) - 1, 0.8 * capability[grid.model], 0.0)
    skill = capability[grid.model] - difficulty[grid.task] + gain
    sign = np.where(grid.task % 2 == 1, -1.0, 1.0)
    calls = _calls(rng, shape, grid)
    nodes, best = _nodes(rng, shape, skill, sign, calls)
    runs = _runs(rng, shape, grid, names, capability, sign, best, nodes, calls)
    owners = {"runs": np.arange(grid.size), "nodes": nodes.pop("run"), "calls": calls.pop("run")}
    columns = {"runs": runs, "nodes": nodes, "calls": calls}
    calls["model_answered"] = names["model"][owners["calls"]]
    frames = {
        table: _frame(table, {"run_id": run_id[owners[table]], "simulated": True, **parts})
        for table, parts in columns.items()
    }
    study: dict[str, Any] = {"name": "large", "mlesearch_version": "0.1.0", "simulated": True}
    study["grid"] = {"strategies": list(shape.strategies), "models": sorted(set(names["model"]))}
    study["claim"] = {
        "treatment": shape.strategies[-1],
        "baseline": "greedy",
        "outcome": "any_medal",
        "capability": True,
        "tiers": [],
        "primary": "the gap grows with capability",
    }
    return Tables(frames["runs"], frames["nodes"], frames["calls"], study)


def _calls(rng: np.random.Generator, shape: Shape, grid: _Grid) -> dict[str, Any]:
    """Columns of calls: two or three a step, the program's own the first of two or the last of three."""
    gome = np.repeat(grid.arm == len(shape.strategies) - 1, shape.steps)
    step = np.tile(np.arange(1, shape.steps + 1), grid.size)
    op = np.where(step == 1, 0, rng.integers(0, 4, step.size))
    op[np.repeat(grid.arm == 0, shape.steps)] = 0
    three = gome & (step > 1)
    each = np.where(three, 3, 2)
    row = np.repeat(np.arange(step.size), each)
    number = np.arange(row.size) - np.repeat(np.cumsum(each) - each, each)
    asked = np.array(["review", "diagnose", "hypothesize"], dtype=object)
    own = np.where(three[row], number == 2, number == 0)
    kind = np.where(own, _OPS[op[row]], asked[np.where(three[row], 1 + number, 0) % 3])
    sent, got = rng.integers(800, 6000, row.size), rng.integers(200, 1800, row.size)
    return {
        "run": row // shape.steps,
        "proposal": 3 * step[row] + number,
        "op": kind,
        "attempt": 0,
        "tokens_in": sent,
        "tokens_out": got,
        "cost_usd": (sent + 4 * got) * 1e-6,
        "service_s": rng.uniform(1, 20, row.size),
        "_row": row,
        "_op": op,
    }


def _nodes(
    rng: np.random.Generator, shape: Shape, skill: Floats, sign: Floats, calls: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Floats]]:
    """Columns of nodes, one a step, and what each run's best one by validation is."""
    row, op = calls.pop("_row"), calls.pop("_op")
    steps, size = shape.steps, (skill.size, shape.steps)
    each = np.bincount(row)
    status = np.where(rng.random(size) < 0.72, 0, rng.integers(1, 5, size))
    valid = status == 0
    drawn = np.where(valid, skill[:, None] + rng.normal(size=size) * 0.7, -np.inf)
    quality = np.maximum(np.maximum.accumulate(drawn, axis=1), skill[:, None] - 1.5)
    score = np.where(valid, quality + rng.normal(size=size) * 0.2, -np.inf)
    so_far = np.maximum.accumulate(score, axis=1)
    first = np.argmax(score, axis=1)
    spent = {
        "t_charged_s": np.bincount(row, calls["service_s"]) + rng.uniform(2, 40, row[-1] + 1),
        "cum_tokens": np.bincount(row, calls["tokens_in"] + calls["tokens_out"]),
        "cum_usd": np.bincount(row, calls["cost_usd"]),
    }
    run, step = np.divmod(np.arange(skill.size * steps), steps)
    medal = np.where(valid, np.searchsorted(_BARS, quality), 0)
    drafted = op == 0
    flat_sign = sign[run]
    proposal = 3 * (step + 1) + each - 1
    before = np.where(step > 0, np.r_[0, proposal[:-1]], 0)

    def shown(values: Floats, there: npt.NDArray[np.bool_]) -> Floats:
        return np.where(there, values.ravel() * flat_sign, np.nan)

    nodes: dict[str, Any] = {
        "run": run,
        "proposal": proposal,
        "step": step + 1,
        "op": _OPS[op],
        "trace": 0,
        "base": np.where(drafted, np.nan, before),
        "parents": np.where(drafted, "", np.array([str(p) for p in range(3 * steps + 3)], dtype=object)[before]),
        "status": _STATUS[status.ravel()],
        "failed_on_sample": False,
        "reason": _REASONS[status.ravel()],
        "verdict": np.where(valid.ravel(), "accepted", ""),
        **{name: np.cumsum(values.reshape(size), axis=1).ravel() for name, values in spent.items()},
        "val_score": shown(score, valid.ravel()),
        "test_score": shown(quality, valid.ravel()),
        "valid": valid.ravel(),
        "best_so_far": shown(so_far, np.isfinite(so_far).ravel()),
        "medal": _MEDALS[medal.ravel()],
        "above_median": (valid & (quality > -0.6)).ravel(),
        "percentile": np.where(valid, 1 / (1 + np.exp(-quality)), np.nan).ravel(),
    }
    nodes["cum_tokens"] = nodes["cum_tokens"].astype(np.int64)
    at = np.arange(skill.size), first
    some = np.isfinite(so_far[:, -1])
    best = {"val": np.where(some, score[at], np.nan), "test": np.where(some, quality[at], np.nan)}
    best["medal"] = np.where(some, medal[at], 0).astype(np.float64)
    best["oracle"] = np.where(some, np.where(valid, quality, -np.inf).max(axis=1), np.nan)
    best["selected"] = np.where(some, nodes["proposal"].reshape(size)[at], np.nan)
    return nodes, best


def _runs(
    rng: np.random.Generator,
    shape: Shape,
    grid: _Grid,
    names: dict[str, npt.NDArray[np.object_]],
    capability: Floats,
    sign: Floats,
    best: dict[str, Floats],
    nodes: dict[str, Any],
    calls: dict[str, Any],
) -> dict[str, Any]:
    """Columns of runs."""
    some = ~np.isnan(best["test"])
    last = {n: nodes[n].reshape(grid.size, -1)[:, -1] for n in ("t_charged_s", "cum_usd", "cum_tokens")}
    sums = {n: np.bincount(calls["run"], calls[n]).astype(np.int64) for n in ("tokens_in", "tokens_out")}
    charged = last["t_charged_s"]
    oriented = np.nan_to_num(best["test"], nan=-9.0)
    skilled = capability[grid.model]
    direction = np.where(grid.arm == len(shape.strategies) - 1, np.clip(0.5 + 0.1 * skilled, 0, 1), np.nan)
    return {
        **names,
        "tier": np.array(["low", "middle", "high"], dtype=object)[3 * grid.model // shape.models],
        "capability": skilled,
        "capability_source": "dial",
        "variant": "base",
        "suite": "made",
        "seed": grid.seed,
        "status": np.where(some, "ok", "failed"),
        "ended": "completed",
        "reason": np.where(some, "", "no valid program"),
        "valid": some,
        "score": best["test"] * sign,
        "lower_is_better": sign < 0,
        **{name: best["medal"] == i for i, name in ((3, "gold"), (2, "silver"), (1, "bronze"))},
        "above_median": oriented > -0.6,
        "percentile": np.where(some, 1 / (1 + np.exp(-oriented)), np.nan),
        "selected": best["selected"],
        "val_selected": best["val"] * sign,
        "test_selected": best["test"] * sign,
        "test_oracle": best["oracle"] * sign,
        "medal_oracle": best["medal"] > 0,
        "improvement_rate": np.clip(0.3 + 0.15 * skilled + 0.1 * rng.normal(size=grid.size), 0, 1),
        "direction_accuracy": direction,
        "charged_s": charged,
        "wait_s": 1.0,
        "real_s": charged + 1.0,
        "program_s": charged / 2,
        "program_cpu_s": charged / 4,
        "gpu_h": 0.0,
        "gpu_wait_s": 0.0,
        "cost_usd": last["cum_usd"],
        **sums,
        "n_calls": np.bincount(calls["run"]),
        "n_executions": (nodes["status"] != "reply_unusable").reshape(grid.size, -1).sum(axis=1),
        "steps": shape.steps,
        "budget_steps": shape.steps,
        "budget_time_s": 3_600.0,
        "validation": "harness",
        "promises": "net_off,data_read_only",
        "rung": "local",
        "environment": "3f" * 32,
        "model_answered": names["model"],
        "hardware": "2 CPU, 4 GiB",
    }


def _frame(table: str, parts: dict[str, Any]) -> pd.DataFrame:
    """The columns that are given, in their declared order and with the types of `mlesearch collect`."""
    rows = len(parts["run_id"])
    declared = TABLES[table]
    names: Sequence[str] = [name for name in declared if name in parts]
    return pd.DataFrame(
        {n: pd.array(np.broadcast_to(parts[n], (rows,)), dtype=DTYPES[declared[n].kind]) for n in names}
    )
