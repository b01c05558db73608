"""Odd shapes, outcomes and names of studies, and tables that are none."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd

from tests.support.edge_kinds.common import (
    CANNOT,
    CONFIRMED,
    CROSSED,
    FINDINGS,
    HIGHER,
    LOWER,
    NONE,
    all_won,
    gome_wins,
    of_seed,
    shuffled,
    twelve,
)
from tests.support.edge_studies import MODELS, EdgeStudy, changed, every, of_arm, study, without_board

STUDIES = {
    # shapes
    "one seed": EdgeStudy(
        lambda: study(lambda m, s, t, k: s == 1, seeds=1),
        (HIGHER, "1 seed each", "With one seed there is no SEM"),
        ("SEM over 1",),
    ),
    "one task": EdgeStudy(
        lambda: study(lambda m, s, t, k: s == 1, tasks=1), (NONE, CANNOT, "not estimable", "1 task"), FINDINGS
    ),
    "three tasks": EdgeStudy(lambda: study(lambda m, s, t, k: s == 1, tasks=3), (NONE, CANNOT), FINDINGS),
    "four informative tasks": EdgeStudy(
        lambda: study(lambda m, s, t, k: (s == 1) & (t < 4)), (NONE, CANNOT, "4 informative tasks"), FINDINGS
    ),
    "one model": EdgeStudy(lambda: study(models=MODELS[:1]), ("one model alone has no trend",), (CROSSED,)),
    "two models": EdgeStudy(lambda: study(models=MODELS[:2]), ("No verdict",), (CROSSED,)),
    "three models": EdgeStudy(study, ("too few for a crossover",), (CROSSED,)),
    "one strategy": EdgeStudy(
        lambda: study(strategies=("greedy",), declared=False), ("A single strategy ran",), (*FINDINGS, "Gap in the")
    ),
    "one run": EdgeStudy(
        lambda: study(models=MODELS[:1], strategies=("greedy",), tasks=1, seeds=1, declared=False),
        ("A single strategy ran", "not estimable"),
        FINDINGS,
    ),
    "200 tasks": EdgeStudy(
        lambda: study(lambda m, s, t, k: (s == 1) & (t % 3 == 0), models=MODELS[:1], tasks=200, seeds=1),
        (HIGHER, "200 tasks"),
        (LOWER, CANNOT),
    ),
    "12 strategies, none declared": EdgeStudy(
        lambda: twelve(False),
        ("No claim was declared", "shown first since", "Drawn are 6 of 11 comparisons", "Benjamini–Hochberg"),
        CONFIRMED,
    ),
    "12 strategies, two declared": EdgeStudy(
        lambda: twelve(True), ("gome against greedy", "Holm", "everything else exploratory"), ("shown first since",)
    ),
    "rows in any order": EdgeStudy(lambda: shuffled(gome_wins.made()), (HIGHER, *CONFIRMED), (LOWER,)),
    # outcomes
    "all 0": EdgeStudy(lambda: study(lambda m, s, t, k: s > 9), (NONE, CANNOT, r"\b0\.0\b"), FINDINGS),
    "all 1": EdgeStudy(all_won, (NONE, CANNOT, r"\b100\.0\b"), FINDINGS),
    "ties on every task": EdgeStudy(lambda: study(lambda m, s, t, k: t % 2 == 0), (NONE, "0 of 12", CANNOT), FINDINGS),
    "ahead on all tasks alike": EdgeStudy(gome_wins.made, (HIGHER, *CONFIRMED, r"\+100\.0"), (LOWER, NONE)),
    "behind on all tasks alike": EdgeStudy(
        lambda: study(lambda m, s, t, k: s == 0), (LOWER, r"−100\.0"), (HIGHER, NONE)
    ),
    "one medal in all": EdgeStudy(
        lambda: study(lambda m, s, t, k: (m == 0) & (s == 1) & (t == 0) & (k == 0)), (NONE, CANNOT), FINDINGS
    ),
    "gaps that cancel": EdgeStudy(
        lambda: study(lambda m, s, t, k: (s == 1) == (t % 2 == 0)), (NONE, "12 of 12"), FINDINGS
    ),
    "ahead with one model alone": EdgeStudy(
        lambda: study(lambda m, s, t, k: (s == 1) & (m == 2)),
        (HIGHER, "with the other 2 models no difference is established", "lab/strong"),
        (LOWER,),
    ),
    "a claim about gold": EdgeStudy(
        lambda: study(lambda m, s, t, k: s == 1, claim={"outcome": "gold"}), ("gold-medal rate",), (HIGHER,)
    ),
    "a claim about the median": EdgeStudy(
        lambda: study(lambda m, s, t, k: s == 1, claim={"outcome": "above_median"}),
        ("higher above-median rate",),
        (HIGHER,),
    ),
    "a claim about validity": EdgeStudy(
        lambda: study(claim={"outcome": "valid"}), ("no difference in valid-submission rate",), FINDINGS
    ),
    "no leaderboard": EdgeStudy(
        lambda: without_board(study(declared=False), every),
        ("No task has a leaderboard", "valid"),
        (HIGHER, "any-medal rate"),
    ),
    "no leaderboard, and a claim about medals": EdgeStudy(
        lambda: without_board(study(), every),
        ("no task of this study has a leaderboard", "nothing here is confirmatory"),
        CONFIRMED,
    ),
    "some tasks without a leaderboard": EdgeStudy(
        lambda: without_board(gome_wins.made(), lambda runs: runs["task"] > "task-009"),
        (HIGHER, "Rates of medals are over the other tasks alone", "10 tasks"),
        (LOWER,),
    ),
    "ungraded tasks": EdgeStudy(
        lambda: changed(without_board(study(declared=False), every), every, ungraded=True, score=None),
        ("Ungraded, without test answers",),
        (HIGHER,),
    ),
    # names
    "models alike after a slash": EdgeStudy(
        lambda: study(lambda m, s, t, k: s == 1, models=("azure/gpt-5", "openai/gpt-5")),
        ("azure/gpt-5", "openai/gpt-5"),
    ),
    "names that are not Latin": EdgeStudy(
        lambda: study(lambda m, s, t, k: s == 1, models=("模型/深度",), strategies=("базовая", "стратегия")),
        ("стратегия has a higher any-medal rate than базовая", "模型/深度"),
    ),
    "hostile names": EdgeStudy(
        lambda: study(
            lambda m, s, t, k: s == 2,
            models=("<script>alert(1)</script>", "$\\frac{$"),
            strategies=("{{ 7 * 7 }}", "_hidden", "%s & 'x' $y$"),
        ),
        (re.escape("%s & 'x' $y$ has a higher any-medal rate than {{ 7 * 7 }}"), "_hidden"),
        ("49 has",),
    ),
    "names of 300 characters": EdgeStudy(
        lambda: study(lambda m, s, t, k: s == 1, models=("m" * 300,), strategies=("greedy", "g" * 300)),
        ("g" * 300 + " has a higher",),
    ),
    "a strategy called like another's variant": EdgeStudy(
        lambda: changed(study(strategies=("greedy", "a/x", "a")), of_arm("greedy"), strategy="a", variant="x"),
        refused="table runs: .*'?a/x'?.*",
    ),
    # tables that are none
    "no run at all": EdgeStudy(lambda: replace(study(), runs=study().runs[:0]), refused="table runs is empty.*"),
    "a run twice": EdgeStudy(
        lambda: replace(
            study(), runs=pd.concat([study().runs, study().runs[:1].assign(run_id="x")], ignore_index=True)
        ),
        refused="table runs holds two rows for model=lab/weak.*",
    ),
    "two medals": EdgeStudy(lambda: changed(all_won(), of_seed(0), gold=True), refused=".*more than one medal flag.*"),
    "an unknown status": EdgeStudy(
        lambda: changed(study(), of_seed(0), status="done"),
        refused=".*has status 'done'; allowed: ok, failed, timeout, missing.*",
    ),
    "programs of a run that is not there": EdgeStudy(
        lambda: replace(study(), nodes=study().nodes.assign(run_id="nobody")),
        refused="table nodes has rows of run 'nobody'.*",
    ),
}
