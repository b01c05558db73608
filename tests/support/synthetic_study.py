"""Made-up studies of any shape, for the tests of the analysis: tables as `mlesearch collect` writes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.tables import Tables

Row = dict[str, Any]
Floats = npt.NDArray[np.float64]
FLAGS = ["valid", "gold", "silver", "bronze", "above_median", "medal_oracle"]
CAPABILITY = (-1.4, -1.2, -0.9, -0.6, -0.2, 0.1, 0.4, 0.8, 1.3, 1.7)


def grid_probabilities(
    rng: np.random.Generator,
    effect: Callable[[Floats], Floats],
    tau: float = 0.0,
    tasks: int = 75,
    capability: Sequence[float] = CAPABILITY,
) -> Floats:
    """Success probabilities of one simulated grid: shape (2, M, T), treatment first."""
    c = np.asarray(capability)
    z, z_arm, z_model = rng.normal(size=tasks), rng.normal(size=(2, tasks)), rng.normal(size=c.size)
    logit = -1.3 + 2.3 * z + 0.9 * c[:, None] + 0.7 * z_arm[:, None, :]
    logit[0] += (effect(c) + tau * z_model)[:, None]
    probabilities: Floats = 1.0 / (1.0 + np.exp(-logit))
    return probabilities


EFFECTS: dict[str, Callable[[Floats], Floats]] = {
    "none": lambda c: 0.0 * c,
    "edge": lambda c: 0.4 * (c + 1.4),
    "outside": lambda c: 0.4 * (c + 1.8),
    "mirror": lambda c: 0.4 * (c - 1.7),
    "bend": lambda c: np.maximum(0.0, 0.9 * (c - 0.1)),
    "published": lambda c: 0.12 + 0.4 * c,
    "twice": lambda c: 0.8 * c,
}

TASK_RATES: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Floats]] = {
    "alike": lambda g, shape: np.full(shape, 0.3),
    "mild": lambda g, shape: 1 / (1 + np.exp(0.6 - 0.5 * g.normal(size=shape))),
    "strong": lambda g, shape: 1 / (1 + np.exp(1.5 - 2.5 * g.normal(size=shape))),
    "rare": lambda g, shape: 1 / (1 + np.exp(4.5 - 1.5 * g.normal(size=shape))),
    "rare and alike": lambda g, shape: np.full(shape, 0.03),
    "bimodal": lambda g, shape: g.beta(0.1, 0.3, size=shape),
}

OPS = {
    "random": ("draft",),
    "greedy": ("draft", "improve", "debug"),
    "mcts": ("draft", "improve", "debug", "merge"),
    "gome": ("draft", "improve", "debug", "merge"),
}
STATUS = ("ok", "error", "timeout", "invalid_submission", "reply_unusable")


def synthetic(
    models: int = 3,
    strategies: Sequence[str] = ("random", "greedy", "mcts", "gome"),
    tasks: int = 2,
    seeds: int = 2,
    steps: int = 6,
    effect: float = 0.8,
    claim: bool = True,
    simulated: bool = True,
    tiers: bool = False,
    variants: Sequence[str] = ("base",),
    priced: bool = True,
    seed: int = 0,
    name: str = "synthetic",
) -> Tables:
    """Tables of a study in which gome gains `effect` logits over the others per unit of capability."""
    rng = np.random.default_rng(seed)
    capability = np.linspace(-1.2, 1.4, models) if models > 1 else np.zeros(1)
    labels = [f"{'sim' if simulated else 'lab'}/model-{m + 1:02d}" for m in range(models)]
    difficulty = rng.normal(size=tasks) * 1.6
    names = ["low", "middle", "high"]
    runs: list[Row] = []
    nodes: list[Row] = []
    calls: list[Row] = []
    for m, model in enumerate(labels):
        tier = names[min(2, 3 * m // max(models, 1))]
        for strategy in strategies:
            for variant in variants:
                for t in range(tasks):
                    for s in range(seeds):
                        gain = effect * capability[m] if strategy == "gome" else 0.0
                        skill = capability[m] - difficulty[t] + gain
                        run = _run(rng, model, strategy, variant, t, s, skill, steps, priced)
                        row, own_nodes, own_calls = run
                        row |= {"tier": tier, "capability": None if tiers else float(capability[m])}
                        row |= {"capability_source": None if tiers else "dial", "simulated": simulated}
                        runs.append(row)
                        nodes += own_nodes
                        calls += own_calls
    study: Row = {"name": name, "mlesearch_version": "0.1.0", "claim": None, "simulated": simulated}
    study["grid"] = {"strategies": list(strategies), "models": labels}
    if claim:
        study["claim"] = {"treatment": "gome", "baseline": "greedy", "outcome": "any_medal", "capability": not tiers}
        study["claim"] |= {"tiers": names if tiers else [], "primary": "the gap grows with capability"}
    return Tables(pd.DataFrame(runs), pd.DataFrame(nodes), pd.DataFrame(calls), study)


def _run(
    rng: np.random.Generator,
    model: str,
    strategy: str,
    variant: str,
    task: int,
    seed: int,
    skill: float,
    steps: int,
    priced: bool,
) -> tuple[Row, list[Row], list[Row]]:
    run_id = f"{model.replace('/', '__')}/{strategy}/{variant}/task-{task:02d}/seed-{seed}"
    lower = task % 2 == 1
    sign = -1.0 if lower else 1.0
    nodes: list[Row] = []
    calls: list[Row] = []
    clock = usd = 0.0
    tokens, quality = 0, skill - 1.5
    best: tuple[float, float] | None = None
    for step in range(1, steps + 1):
        op = "draft" if step == 1 else str(rng.choice(OPS.get(strategy, OPS["greedy"])))
        asked: tuple[str, ...] = (op, "review") if strategy != "gome" or step == 1 else ("diagnose", "hypothesize", op)
        for number, kind in enumerate(asked):
            sent, got = int(rng.integers(800, 6000)), int(rng.integers(200, 1800))
            price = (sent + 4 * got) * 1e-6 if priced else None
            service = float(rng.uniform(1, 20))
            calls.append(
                {
                    "run_id": run_id,
                    "proposal": 3 * step + number,
                    "op": kind,
                    "attempt": 0,
                    "tokens_in": sent,
                    "tokens_out": got,
                    "cost_usd": price,
                    "service_s": service,
                    "model_answered": model,
                }
            )
            clock += service
            tokens += sent + got
            usd += price or 0.0
        status = "ok" if rng.random() < 0.72 else str(rng.choice(STATUS[1:]))
        clock += float(rng.uniform(2, 40))
        valid = status == "ok"
        if valid:
            quality = max(quality, skill + rng.normal() * 0.7)
        score = sign * (quality + rng.normal() * 0.2) if valid else None
        if score is not None and (best is None or sign * score > sign * best[0]):
            best = (score, quality)
        nodes.append(
            {
                "run_id": run_id,
                "proposal": 3 * step + len(asked) - 1,
                "step": step,
                "op": op,
                "trace": 0,
                "base": None if op == "draft" else 3 * (step - 1),
                "parents": "" if op == "draft" else str(3 * (step - 1)),
                "status": status,
                "verdict": "accepted" if valid else "",
                "t_charged_s": clock,
                "cum_tokens": tokens,
                "cum_usd": usd if priced else None,
                "val_score": score,
                "test_score": sign * quality if valid else None,
                "valid": valid,
                "best_so_far": best[0] if best else None,
                "medal": _medal(quality) if valid else "none",
            }
        )
    medal = _medal(best[1]) if best else "none"
    row = {
        "run_id": run_id,
        "model": model,
        "strategy": strategy,
        "variant": variant,
        "task": f"task-{task:02d}",
        "suite": "mini",
        "seed": seed,
        "status": "ok" if best else "failed",
        "ended": "completed",
        "reason": "",
        "valid": best is not None,
        "score": sign * best[1] if best else None,
        "lower_is_better": lower,
        **{kind: medal == kind for kind in ("gold", "silver", "bronze")},
        "above_median": bool(best and best[1] > -0.6),
        "percentile": float(1 / (1 + np.exp(-best[1]))) if best else None,
        "selected": None,
        "val_selected": best[0] if best else None,
        "test_selected": sign * best[1] if best else None,
        "test_oracle": sign * best[1] if best else None,
        "medal_oracle": medal != "none",
        "improvement_rate": float(np.clip(0.3 + 0.15 * skill + rng.normal() * 0.1, 0, 1)),
        "direction_accuracy": float(np.clip(0.5 + 0.1 * skill, 0, 1)) if strategy == "gome" else None,
        "charged_s": clock,
        "wait_s": 1.0,
        "real_s": clock + 1.0,
        "program_s": clock / 2,
        "program_cpu_s": clock / 4,
        "gpu_h": 0.0,
        "gpu_wait_s": 0.0,
        "cost_usd": usd if priced else None,
        "tokens_in": sum(c["tokens_in"] for c in calls),
        "tokens_out": sum(c["tokens_out"] for c in calls),
        "n_calls": len(calls),
        "n_executions": sum(n["status"] != "reply_unusable" for n in nodes),
        "steps": steps,
        "validation": "harness",
        "promises": "net_off,data_read_only",
        "rung": "local",
        "environment": "3f" * 32,
        "model_answered": model,
        "hardware": "2 CPU, 4 GiB",
    }
    return row, nodes, calls


def _medal(quality: float) -> str:
    for name, bar in (("gold", 1.6), ("silver", 1.0), ("bronze", 0.5)):
        if quality > bar:
            return name
    return "none"


def lost(tables: Tables, rows: pd.Series[bool], status: str = "failed", reason: str = "HTTP 401: refused") -> Tables:
    """The tables with some runs lost: without a result, and with a reason."""
    runs = tables.runs.copy()
    runs.loc[rows, FLAGS] = False
    runs.loc[rows, "status"] = status
    runs["reason"] = runs["reason"] if "reason" in runs.columns else ""
    runs.loc[rows, "reason"] = reason
    runs.loc[rows, ["score", "improvement_rate", "direction_accuracy"]] = None
    ids = set(runs.loc[rows, "run_id"])
    nodes, calls = (frame[~frame["run_id"].isin(ids)] for frame in (tables.nodes, tables.calls))
    return replace(tables, runs=runs, nodes=nodes, calls=calls)


def write(tables: Tables, folder: Path) -> Path:
    """Writes the tables as a study's folder; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in (("runs", tables.runs), ("nodes", tables.nodes), ("calls", tables.calls)):
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    (folder / "study.json").write_text(json.dumps(tables.study), encoding="utf-8")
    return folder
