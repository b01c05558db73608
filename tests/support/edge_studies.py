"""Small studies of odd kinds, made in milliseconds, and all that a report says of one, without drawing a figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.policies import Policy
from mlesearch.analysis.data.tables import Tables
from mlesearch.analysis.page.sections import sections
from mlesearch.analysis.page.titles import TITLES
from mlesearch.analysis.results import Results, analyse
from mlesearch.analysis.terminal import medal_table
from mlesearch.analysis.words.checks import warnings
from mlesearch.analysis.words.facts import facts
from mlesearch.analysis.words.wording import declaration, estimand, missing_runs, title, verdicts
from mlesearch.storage.imported import ImportedFile, ImportedRow
from tests.support.synthetic_study import FLAGS, lost

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Wins = Callable[[Ints, Ints, Ints, Ints], npt.NDArray[Any]]
"""Whether runs have a medal, from the places of their model, strategy, task and seed."""

MODELS = ("lab/weak", "lab/middle", "lab/strong")
ARMS = ("greedy", "gome")


def by_chance(rate: float = 0.4, seed: int = 1) -> Wins:
    """Medals drawn alike for all."""
    return lambda m, s, t, k: np.random.default_rng(seed).random(m.size) < rate


def study(
    wins: Wins | None = None,
    models: Sequence[str] = MODELS,
    strategies: Sequence[str] = ARMS,
    tasks: int = 12,
    seeds: int = 3,
    claim: Mapping[str, Any] | None = None,
    declared: bool = True,
    simulated: bool = False,
    capability: Sequence[float | None] | None = None,
    tiers: Sequence[str] | None = None,
) -> Tables:
    """A complete study in which every run has one valid program.

    Args:
        wins: which runs have a (silver) medal; None: drawn alike for all.
        models: names.
        strategies: names; the claim is that the last one beats the first.
        tasks: how many.
        seeds: how many.
        claim: keys of the claim that differ from the usual one.
        declared: whether there is a claim.
        simulated: whether engineers stood in for models.
        capability: of each model; None: rising.
        tiers: of each model; None: none.
    """
    m, s, t, k = (a.ravel() for a in np.indices((len(models), len(strategies), tasks, seeds)))
    won = np.asarray((wins or by_chance())(m, s, t, k), dtype=bool)
    known = list(capability) if capability is not None else np.linspace(-1, 1, len(models)).tolist()
    model, arm = np.array(models, dtype=object)[m], np.array(strategies, dtype=object)[s]
    task = np.array([f"task-{i:03d}" for i in range(tasks)], dtype=object)[t]
    ids = [f"{a}/{b}/base/{c}/seed-{d}" for a, b, c, d in zip(model, arm, task, k, strict=True)]
    runs = pd.DataFrame(
        {
            "run_id": ids,
            "model": model,
            "tier": np.array(tiers, dtype=object)[m] if tiers else None,
            "capability": np.array(known, dtype=object)[m],
            "capability_source": "index",
            "strategy": arm,
            "variant": "base",
            "task": task,
            "suite": "mini",
            "seed": k,
            "status": "ok",
            "ended": "completed",
            "reason": "",
            "simulated": simulated,
            "valid": True,
            "score": 0.5,
            "lower_is_better": False,
            "gold": False,
            "silver": won,
            "bronze": False,
            "above_median": won,
            "percentile": won.astype(float),
            "val_selected": 0.5,
            "test_selected": 0.5,
            "test_oracle": 0.5,
            "medal_oracle": won,
            "improvement_rate": 0.4,
            "direction_accuracy": None,
            "charged_s": 60.0,
            "wait_s": 0.0,
            "real_s": 61.0,
            "gpu_h": 0.0,
            "cost_usd": 0.5,
            "tokens_in": 1000,
            "tokens_out": 100,
            "n_calls": 1,
            "n_executions": 1,
            "steps": 1,
            "validation": "harness",
            "promises": "net_off",
            "rung": "local",
            "environment": "3f",
            "model_answered": model,
            "hardware": "2 CPU",
        }
    )
    nodes = pd.DataFrame(
        {
            "run_id": ids,
            "proposal": 0,
            "step": 1,
            "op": "draft",
            "trace": 0,
            "base": None,
            "parents": "",
            "status": "ok",
        }
        | {"reason": "", "verdict": "", "t_charged_s": 60.0, "cum_tokens": 1100, "cum_usd": 0.5, "val_score": 0.5}
        | {"test_score": 0.5, "medal": np.where(won, "silver", "none"), "valid": True, "best_so_far": 0.5}
    )
    calls = pd.DataFrame(
        {"run_id": ids, "proposal": 0, "op": "draft", "attempt": 0, "tokens_in": 1000, "tokens_out": 100}
        | {"cost_usd": 0.5, "service_s": 10.0, "model_answered": model}
    )
    usual = {"treatment": strategies[-1], "baseline": strategies[0], "outcome": "any_medal", "capability": True}
    usual |= {"tiers": [], "primary": ""} | dict(claim or {})
    header = {"name": "edge", "mlesearch_version": "0", "simulated": simulated, "claim": usual if declared else None}
    return Tables(runs, nodes, calls, header)


Where = Callable[[pd.DataFrame], Any]
"""Which runs, from the table of runs."""


def gone(tables: Tables, where: Where, status: str = "failed", reason: str = "HTTP 500") -> Tables:
    """The tables with some runs without a result."""
    rows = pd.Series(np.asarray(where(tables.runs), dtype=bool), index=tables.runs.index)
    return lost(tables, rows, status, "" if status == "missing" else reason)


def changed(tables: Tables, where: Where, **values: Any) -> Tables:
    """The tables with some columns of some runs changed."""
    runs = tables.runs.copy()
    rows = np.asarray(where(runs), dtype=bool)
    for column, value in values.items():
        if column not in runs.columns:
            runs[column] = False if isinstance(value, bool) else None
        runs.loc[rows, column] = value
    return replace(tables, runs=runs)


def of_launches(tables: Tables, launch: Where) -> Tables:
    """The tables with which launch asked for each run first."""
    return replace(tables, runs=tables.runs.assign(launch=launch(tables.runs)))


def every(runs: pd.DataFrame) -> Bools:
    """All runs."""
    return np.ones(len(runs), dtype=bool)


def of_arm(arm: str) -> Where:
    """The runs of one strategy."""
    return lambda runs: runs["strategy"] == arm


def late_tasks(arm: str, share: float) -> Where:
    """The runs of one strategy on all tasks but the first ones."""
    return lambda runs: (runs["strategy"] == arm) & (runs["task"] >= f"task-{int(share * runs['task'].nunique()):03d}")


def late_seeds(arm: str, first: int) -> Where:
    """The runs of one strategy with later seeds."""
    return lambda runs: (runs["strategy"] == arm) & (runs["seed"] >= first)


def without_board(tables: Tables, where: Where) -> Tables:
    """The tables with some tasks that have no leaderboard."""
    none = changed(tables, where, no_board=True, **dict.fromkeys(FLAGS[1:], False))
    return replace(none, runs=none.runs.assign(no_board=none.runs["no_board"].astype(bool)))


def with_header(tables: Tables, **keys: object) -> Tables:
    """The tables with other keys of study.json."""
    return replace(tables, study={**tables.study, **keys})


def with_nodes(tables: Tables, where: Where, **values: Any) -> Tables:
    """The tables with the programs of some runs changed."""
    ids = set(tables.runs.loc[np.asarray(where(tables.runs), dtype=bool), "run_id"])
    nodes = tables.nodes.copy()
    for column, value in values.items():
        nodes.loc[nodes["run_id"].isin(ids), column] = value
    return replace(tables, nodes=nodes)


def with_import(tables: Tables, model: str, strategy: str) -> Tables:
    """The tables with results of others beside them."""
    rows: list[ImportedRow] = [
        {
            "model": model,
            "strategy": strategy,
            "task": task,
            "seed": 0,
            "score": 0.5,
            "medal": "gold",
            "above_median": True,
            "submitted": True,
            "valid": True,
            "kind": "test",
            "lower_is_better": None,
            "source": "f",
        }
        for task in sorted(set(tables.runs["task"]))
    ]
    content: ImportedFile = {
        "format": 1,
        "name": "board",
        "imported": True,
        "mlesearch": "0",
        "sources": {},
        "incomplete": "pad",
        "notes": [],
        "mismatches": [],
        "rows": rows,
    }
    return replace(tables, imported=(content,))


@dataclass(frozen=True, slots=True)
class EdgeStudy:
    """A study of an odd kind, and what its report must and must not say.

    Attributes:
        made: its tables.
        says: regular expressions, each of which is found in the report's words.
        never: such of which none is.
        refused: where the study is refused, a regular expression of the whole reason.
        policy: for missing runs; None: none is named.
    """

    made: Callable[[], Tables]
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    refused: str = ""
    policy: Policy | None = None


@dataclass(frozen=True, slots=True)
class ReportWords:
    """What a report says.

    Attributes:
        all: its tables, captions and facts included, but for its figures; and what the terminal shows.
        box: headlines and sentences of the claim box alone.
        results: its numbers.
    """

    all: str
    box: str
    results: Results


def words(tables: Tables, policy: Policy | None = None) -> ReportWords:
    """What the report of a study says."""
    results = analyse(tables, policy)
    said = [title(results), declaration(results), estimand(results), missing_runs(results), *warnings(results)]
    answers = verdicts(results)
    said += [text for v in answers for text in (v.title, v.headline, v.sentence, v.status)]
    for section in sections(results, []):
        said += [section.title, section.text, section.caption]
        for view in (*section.tables, *section.folded):
            said += [
                TITLES[view.name],
                view.caption,
                *view.heads,
                *(f"{c.text} {c.sub}" for row in view.rows for c in row),
            ]
    said += [f"{name} {value}" for name, value in facts(results)]
    box = "\n".join(f"{v.headline}\n{v.sentence}" for v in answers)
    return ReportWords("\n".join([*said, medal_table(results)]), box, results)
