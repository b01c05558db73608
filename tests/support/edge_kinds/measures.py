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
IMPROVED = "mean normalised improvement"
SOONER = "mean share of the common budget of steps left when a run reaches"
RANGE = r"goes from 0 to 100 points, more is better"


def claimed(outcome: str, says: tuple[str, ...], never: tuple[str, ...], last: Values, **more: Any) -> EdgeStudy:
    """A study of `placed`; where it has an odd share of runs without a result, `lost` is what becomes of it."""
    lost, policy = more.pop("lost", lambda tables: tables), more.pop("policy", None)
    return EdgeStudy(lambda: lost(placed(outcome, last, **more)), says, never, policy=policy)


def everywhere(value: float) -> Values:
    """The same of all runs."""
    return lambda m, s, t, k: value + 0 * m


def without_price(tables: Tables) -> Tables:
    """The tables without what runs cost."""
    return replace(tables, runs=tables.runs.assign(cost_usd=None), nodes=tables.nodes.assign(cum_usd=None))


def late_greedy(status: str) -> Callable[[Tables], Tables]:
    """The last seed of the baseline has no result."""
    return lambda tables: gone(tables, lambda r: (r["strategy"] == "greedy") & (r["seed"] == 2), status)


STUDIES = {
    "a measure: ahead everywhere": claimed(
        "percentile", (BETTER, r"\+22\.0 points", RANGE, "the share of the leaderboard"), (WORSE, LEVEL), ahead(0.2)
    ),
    "a measure: behind everywhere": claimed(
        "percentile", (WORSE, r"−22\.0 points", "gome behind with 3 of 3"), (BETTER, LEVEL), ahead(-0.2)
    ),
    "a measure: all at the foot of the board": claimed(
        "percentile", (LEVEL, "no outcome could", "each observed gap is 0.0 points"), (BETTER, WORSE), everywhere(0.0)
    ),
    "a measure: all at its top": claimed(
        "percentile", (LEVEL, "no outcome could"), (BETTER, WORSE, "evidence of equality"), everywhere(1.0)
    ),
    "a measure: ties on all tasks but few": claimed(
        "percentile",
        (LEVEL, "at most 3 informative tasks", "smallest attainable adjusted p is 0.75"),
        (BETTER, r"p < 0\.001"),
        lambda m, s, t, k: 0.4 + 0.3 * s * (t < 3),
    ),
    "a measure: the same gap on every task": claimed(
        "percentile",
        (BETTER, r"\+20\.0 points", "not estimable"),
        (r"\+20\.0 to \+20\.0",),
        lambda m, s, t, k: 0.4 + 0.2 * s,
    ),
    "a measure: one seed": claimed(
        "percentile", (BETTER, "12 tasks, 1 seed each"), ("Seeds differ", "E1"), ahead(0.2), seeds=1
    ),
    "a measure: one task": claimed(
        "percentile", (LEVEL, "n = 1 task", "no outcome could"), (BETTER, r"\[95 %"), ahead(0.2), tasks=1
    ),
    "a measure: three tasks": claimed(
        "percentile", (LEVEL, "smallest attainable adjusted p is 0.75"), (BETTER,), ahead(0.2), tasks=3
    ),
    "a measure: 200 tasks": claimed(
        "percentile", (BETTER, "t over 200 tasks", r"\+2\.2 points"), (LEVEL,), ahead(0.02), tasks=200
    ),
    "a measure: one model": claimed(
        "percentile",
        (BETTER, r"\[95 % \+21\.0 to \+23\.0\]", "one model alone has no trend"),
        (LEVEL, "The gap rises"),
        ahead(0.2),
        models=MODELS[:1],
    ),
    "a measure: a gap that rises from behind to level": claimed(
        "percentile",
        ("The gap rises", r"from −29\.3 points", r"to −3\.7 points", WORSE),
        ("a crossover is established", "widens", "against the declared", BETTER),
        risen(-0.3, 0.0),
        models=TEN,
        tasks=30,
    ),
    "a measure: a gap that falls though a rise was declared": claimed(
        "percentile",
        ("The gap falls, against the declared claim", "this side was not declared, so it is exploratory", BETTER),
        ("a crossover is established", "widens", "The gap rises"),
        risen(0.3, 0.0),
        models=TEN,
        tasks=30,
    ),
    "a measure: a declared fall": claimed(
        "percentile",
        ("The gap falls", BETTER),
        ("against the declared", "a crossover is established"),
        risen(0.3, 0.0),
        models=TEN,
        tasks=30,
        claim={"trend": "falls"},
    ),
    "a measure: a gap that crosses over": claimed(
        "percentile",
        ("a crossover is established", "behind greedy in the low group and ahead in the high group", "The gap rises"),
        ("None established", LEVEL),
        risen(-0.3, 0.3),
        models=TEN,
        tasks=30,
    ),
    "a measure: improvement below zero": claimed(
        "normalised_improvement",
        (f"gome has a lower {IMPROVED} than greedy", r"−55\.0 points", "goes from −100 to 100 points", "first valid"),
        ("higher", "-100"),
        ahead(-0.25),
        first=everywhere(0.5),
    ),
    "a measure: improvement from a first program at the top": claimed(
        "normalised_improvement",
        (f"no difference in {IMPROVED} between gome and greedy is established", "no outcome could"),
        ("has a higher", "has a lower"),
        everywhere(1.0),
        first=everywhere(1.0),
    ),
    "a measure: an area": claimed(
        "auc_steps",
        (
            "gome has a higher mean area under the best-so-far curve over steps than greedy",
            "the percentile on the board of a run's best program so far by validation, averaged over the budget",
            r"the common budget, that all runs were followed to, is 10 \(steps\)",
        ),
        ("has a lower",),
        ahead(0.2),
        at=lambda m, s, t, k: 3 + t % 4,
    ),
    "a measure: a target that nobody reaches": claimed(
        "to_gold_steps",
        (f"no difference in {SOONER} gold between", "0 for a run that does not reach it", "no outcome could"),
        ("sooner", "has a higher", "has a lower"),
        ahead(0.2),
    ),
    "a measure: a target reached sooner": claimed(
        "to_bronze_steps",
        (f"gome has a higher {SOONER} bronze than greedy", r"\+30\.0 points", "more is better"),
        ("has a lower", "restricted"),
        everywhere(0.95),
        at=lambda m, s, t, k: 6 - 3 * s + t % 3,
    ),
    "a measure: a target that all have with their first program": claimed(
        "to_median_usd",
        ("US dollars left when a run reaches a place above the median between gome and greedy is established",),
        ("reaches median", "has a higher"),
        everywhere(0.95),
        first=everywhere(0.6),
    ),
    "a measure: spend that is not known": EdgeStudy(
        lambda: without_price(placed("auc_usd", ahead(0.2))),
        ("which these tables do not give", "nothing here is confirmatory", "Exploratory, on tasks like these"),
        ("Confirmatory, on", "in mean area under the best-so-far curve over US dollars"),
    ),
    "a measure: runs that failed": claimed(
        "percentile",
        (LEVEL, r"between \+0\.4 and \+33\.7 points \(12 runs\)", "hangs on the runs without a result"),
        (BETTER, "is the same in all"),
        ahead(0.2),
        lost=late_greedy("failed"),
    ),
    "a measure: failed runs left out": claimed(
        "percentile",
        (r"each observed gap is \+22\.0 points", "2 to 3 seeds each", r"drop_seed\)"),
        (BETTER,),
        ahead(0.2),
        lost=late_greedy("failed"),
        policy="drop_seed",
    ),
    "a measure: unfinished": EdgeStudy(
        lambda: gone(placed("percentile", ahead(0.2)), late_seeds("gome", 1), "missing"),
        ("Unfinished: 144 of 216 planned runs were made", "these are no failures"),
        (BETTER, WORSE, LEVEL, "95 %", "rejects", r"\bp [=<]"),
    ),
    "a measure: simulated": claimed(
        "percentile",
        ("Confirmatory, in simulation, on tasks like these", BETTER, "says nothing about any language model"),
        (WORSE,),
        ahead(0.2),
        simulated=True,
    ),
    "a measure: a crossover in budget beside it": claimed(
        "percentile",
        (
            BETTER,
            "a crossover in budget is established for gome over greedy: the gap in the any-medal rate is",
            "with these models",
        ),
        ("no crossover in budget",),
        lambda m, s, t, k: np.where(s == 1, 0.95 - 0.6 * (t % 4 == 0), 0.3),
        first=lambda m, s, t, k: np.where(s == 1, 0.2, 0.95 - 0.5 * (t % 5 == 0)),
        at=lambda m, s, t, k: 6 + 0 * m,
        claim={"budgets": {"axis": "steps", "low": [2, 4], "high": [8, 10]}},
    ),
    "a measure: a verdict on budgets beyond the common one": claimed(
        "percentile",
        ("no verdict on a crossover in budget",),
        ("crossover in budget is established",),
        ahead(0.2),
        claim={"budgets": {"axis": "steps", "low": [2, 4], "high": [8, 20]}},
    ),
    "a measure: twelve strategies": claimed(
        "percentile",
        (LEVEL, "smallest attainable adjusted p is 0.094", "Drawn are 6 of 11 comparisons"),
        (BETTER,),
        ahead(0.02),
        strategies=("greedy", *(f"s{i:02d}" for i in range(10)), "gome"),
        tasks=6,
    ),
    "a measure: names that are not Latin": claimed(
        "percentile",
        (f"梯度 has a higher {PLACE} than greedy with 実験/弱",),
        (LEVEL,),
        ahead(0.2),
        strategies=("greedy", "梯度"),
        models=("実験/弱", "実験/強"),
    ),
    "a measure: equal within a margin": claimed(
        "percentile",
        (LEVEL, "equal within the declared margin of 2.0 points", r"a gap of 0\.3 points"),
        (BETTER, "no evidence of equality"),
        lambda m, s, t, k: 0.4 + 0.004 * s * (-1) ** t,
        claim={"margin_points": 2.0},
        tasks=20,
    ),
    "a measure: one bad day": claimed(
        "percentile",
        (r"Seeds differ .* most so seed \d of .* \(mean percentile on the board \d+\.\d points, \d+\.\d of all",),
        ("of its runs,",),
        lambda m, s, t, k: (0.3 + 0.03 * ((3 * t + 5 * k + 7 * m + s) % 11)) * np.where(k == 1, 0.3, 1.0),
    ),
    "a measure: one task carries it": claimed(
        "percentile",
        (LEVEL,),
        (BETTER,),
        lambda m, s, t, k: 0.4 + 0.5 * s * (t == 0) + 0.01 * s * ((t + m) % 3 - 1),
        tasks=22,
    ),
}
