"""Claims about a measure: what runs are worth in points, in kinds of studies that break such sentences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlesearch.analysis.data.tables import Tables
from tests.support.edge_kinds.common import TEN
from tests.support.edge_studies import MODELS, EdgeStudy, Ints, gone, late_seeds, study

Values = Callable[[Ints, Ints, Ints, Ints], npt.NDArray[Any]]
"""A number of each run, from the places of its model, strategy, task and seed."""


def placed(outcome: str, last: Values, first: Values | None = None, at: Values | None = None, **shape: Any) -> Tables:
    """A study whose runs have two programs each: a first one, and the one that they submit.

    Args:
        outcome: that the claim is about.
        last: place on the board, 0 to 1, of what is submitted; a medal from .9 on.
        first: the same of the first program; None: 0.2 everywhere.
        at: the step of the second one; None: 2.
        shape: of `study`; `claim` is added to the usual one.
    """
    claim = {"outcome": outcome, **shape.pop("claim", {})}
    plain = study(lambda m, s, t, k: m < 0, claim=claim, **shape)
    runs = plain.runs
    axes = [pd.factorize(runs[name])[0] for name in ("model", "strategy", "task", "seed")]
    end = np.asarray(last(*axes), dtype=np.float64) + np.zeros(len(runs))
    begin = (np.full(len(runs), 0.2) if first is None else np.asarray(first(*axes), dtype=np.float64)) + 0.0 * end
    step = np.full(len(runs), 2) if at is None else np.asarray(at(*axes), dtype=np.int64)
    runs = runs.assign(percentile=end, silver=end >= 0.9, above_median=end >= 0.5, medal_oracle=end >= 0.9, steps=10)
    parts = [
        plain.nodes.assign(
            proposal=number,
            step=when,
            percentile=place,
            val_score=0.4 + 0.1 * number,
            best_so_far=0.4 + 0.1 * number,
            test_score=place,
            medal=np.where(place >= 0.9, "silver", "none"),
            above_median=place >= 0.5,
            t_charged_s=6.0 * when,
            cum_tokens=100 * when,
            cum_usd=0.05 * when,
        )
        for number, (place, when) in enumerate(((begin, 1 + 0 * step), (end, step)))
    ]
    nodes = pd.concat(parts, ignore_index=True).sort_values(["run_id", "proposal"], ignore_index=True)
    return replace(plain, runs=runs, nodes=nodes)


def ahead(by: float) -> Values:
    """The treatment is further up the board on all tasks, by a little more or less from task to task."""
    return lambda m, s, t, k: 0.3 + 0.02 * (t % 7) + s * by * (1 + 0.1 * (t % 3))


def risen(low: float, high: float) -> Values:
    """The treatment's place less the baseline's goes from one figure to another as models get more capable."""
    return lambda m, s, t, k: 0.5 + s * (low + (high - low) * m / 9) * (1 + 0.1 * (t % 3)) + 0.02 * (t % 5)


PLACE = "mean percentile on the board"
BETTER, WORSE = f"gome has a higher {PLACE} than greedy", f"gome has a lower {PLACE} than greedy"
LEVEL = f"no difference in {PLACE} between gome and greedy is established"
FRACTIONS = r"[+−]0\.\d+ points"

STUDIES = {
    "a measure: ahead everywhere": EdgeStudy(lambda: placed("percentile", ahead(0.2)), (BETTER,), ("X",)),
    "a measure: behind everywhere": EdgeStudy(lambda: placed("percentile", ahead(-0.2)), (WORSE,), ("X",)),
    "a measure: all at the foot of the board": EdgeStudy(
        lambda: placed("percentile", lambda m, s, t, k: 0 * m), (LEVEL,), ("X",)
    ),
    "a measure: all at its top": EdgeStudy(
        lambda: placed("percentile", lambda m, s, t, k: 1 + 0 * m), (LEVEL,), ("X",)
    ),
    "a measure: ties on all tasks but few": EdgeStudy(
        lambda: placed("percentile", lambda m, s, t, k: 0.4 + 0.3 * s * (t < 3)), (LEVEL,), ("X",)
    ),
    "a measure: the same gap on every task": EdgeStudy(
        lambda: placed("percentile", lambda m, s, t, k: 0.4 + 0.2 * s), (BETTER,), ("X",)
    ),
    "a measure: one seed": EdgeStudy(lambda: placed("percentile", ahead(0.2), seeds=1), (BETTER,), ("X",)),
    "a measure: one task": EdgeStudy(lambda: placed("percentile", ahead(0.2), tasks=1), (LEVEL,), ("X",)),
    "a measure: three tasks": EdgeStudy(lambda: placed("percentile", ahead(0.2), tasks=3), (LEVEL,), ("X",)),
    "a measure: 200 tasks": EdgeStudy(lambda: placed("percentile", ahead(0.02), tasks=200), (BETTER,), ("X",)),
    "a measure: one model": EdgeStudy(lambda: placed("percentile", ahead(0.2), models=MODELS[:1]), (BETTER,), ("X",)),
    "a measure: a gap that rises from behind to level": EdgeStudy(
        lambda: placed("percentile", risen(-0.3, 0.0), models=TEN, tasks=30), ("The gap rises",), ("X",)
    ),
    "a measure: a gap that falls though a rise was declared": EdgeStudy(
        lambda: placed("percentile", risen(0.3, 0.0), models=TEN, tasks=30), ("against the declared",), ("X",)
    ),
    "a measure: a gap that crosses over": EdgeStudy(
        lambda: placed("percentile", risen(-0.3, 0.3), models=TEN, tasks=30), ("a crossover is established",), ("X",)
    ),
    "a measure: improvement below zero": EdgeStudy(
        lambda: placed("normalised_improvement", ahead(-0.25), lambda m, s, t, k: 0.5 + 0 * m), ("lower",), ("X",)
    ),
    "a measure: improvement from a first program at the top": EdgeStudy(
        lambda: placed("normalised_improvement", lambda m, s, t, k: 1 + 0 * m, lambda m, s, t, k: 1 + 0 * m),
        ("no difference",),
        ("X",),
    ),
    "a measure: an area": EdgeStudy(
        lambda: placed("auc_steps", ahead(0.2), at=lambda m, s, t, k: 3 + t % 4), ("higher",), ("X",)
    ),
    "a measure: a target that nobody reaches": EdgeStudy(
        lambda: placed("to_gold_steps", ahead(0.2)), ("no difference",), ("X",)
    ),
    "a measure: a target reached sooner": EdgeStudy(
        lambda: placed("to_bronze_steps", lambda m, s, t, k: 0.95 + 0 * m, at=lambda m, s, t, k: 6 - 3 * s + t % 3),
        ("higher",),
        ("X",),
    ),
    "a measure: a target that all have with their first program": EdgeStudy(
        lambda: placed("to_median_usd", lambda m, s, t, k: 0.95 + 0 * m, lambda m, s, t, k: 0.6 + 0 * m),
        ("no difference",),
        ("X",),
    ),
    "a measure: spend that is not known": EdgeStudy(
        lambda: unpriced(placed("auc_usd", ahead(0.2))), ("which these tables do not give",), ("X",)
    ),
    "a measure: runs that failed": EdgeStudy(
        lambda: gone(placed("percentile", ahead(0.2)), lambda r: (r["strategy"] == "greedy") & (r["seed"] == 2)),
        ("without a result",),
        ("X",),
    ),
    "a measure: failed runs left out": EdgeStudy(
        lambda: gone(placed("percentile", ahead(0.2)), lambda r: (r["strategy"] == "greedy") & (r["seed"] == 2)),
        ("fewer seeds",),
        ("X",),
        policy="drop_seed",
    ),
    "a measure: unfinished": EdgeStudy(
        lambda: gone(placed("percentile", ahead(0.2)), late_seeds("gome", 1), "missing"),
        ("Unfinished",),
        ("X",),
    ),
    "a measure: simulated": EdgeStudy(
        lambda: placed("percentile", ahead(0.2), simulated=True), ("in simulation",), ("X",)
    ),
    "a measure: not declared": EdgeStudy(
        lambda: placed("percentile", ahead(0.2), declared=False), ("exploratory",), ("X",)
    ),
    "a measure: a crossover in budget": EdgeStudy(
        lambda: placed(
            "percentile",
            lambda m, s, t, k: np.where(s == 1, 0.95, 0.3) - 0.0 * m,
            lambda m, s, t, k: np.where(s == 1, 0.2, 0.95 - 0.5 * (t % 5 == 0)),
            at=lambda m, s, t, k: 6 + 0 * m,
            claim={"budget_axis": "steps", "low_budgets": [2, 4], "high_budgets": [8, 10]},
        ),
        ("crossover in budget",),
        ("X",),
    ),
    "a measure: twelve strategies": EdgeStudy(
        lambda: placed(
            "percentile", ahead(0.02), strategies=("greedy", *(f"s{i:02d}" for i in range(10)), "gome"), tasks=6
        ),
        (BETTER,),
        ("X",),
    ),
    "a measure: names that are not Latin": EdgeStudy(
        lambda: placed("percentile", ahead(0.2), strategies=("greedy", "梯度<script>"), models=("実験/弱", "実験/強")),
        ("梯度",),
        ("X",),
    ),
    "a measure: equal within a margin": EdgeStudy(
        lambda: placed(
            "percentile", lambda m, s, t, k: 0.4 + 0.004 * s * (-1) ** t, claim={"margin_points": 2.0}, tasks=20
        ),
        ("equal",),
        ("X",),
    ),
}


def unpriced(tables: Tables) -> Tables:
    """The tables without a price."""
    return replace(tables, runs=tables.runs.assign(cost_usd=None), nodes=tables.nodes.assign(cum_usd=None))
