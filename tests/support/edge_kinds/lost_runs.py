"""Studies that are unfinished, that lost runs, or that leave some out by design."""

from __future__ import annotations

from dataclasses import replace

from mlesearch.analysis.data.tables import Tables, only
from tests.support.edge_kinds.common import (
    CONFIRMED,
    CROSSED,
    FINDINGS,
    HIGHER,
    LOWER,
    NONE,
    UNFINISHED,
    all_won,
    gome_wins,
    of_seed,
)
from tests.support.edge_studies import (
    MODELS,
    EdgeStudy,
    changed,
    every,
    gone,
    late_seeds,
    late_tasks,
    of_arm,
    study,
    with_nodes,
)


def all_failed(status: str, reason: str) -> Tables:
    """Every node of the baseline ended so, for one reason."""
    tables = changed(gome_wins.made(), of_arm("greedy"), valid=False)
    return with_nodes(tables, of_arm("greedy"), status=status, valid=False, val_score=None, reason=reason)


STUDIES = {
    # unfinished
    "one run to come": EdgeStudy(
        lambda: gone(gome_wins.made(), lambda runs: runs.index == 5, "missing"),
        ("Unfinished: 215 of 216 planned runs were made", "this is no failure", "35 of 36"),
        UNFINISHED,
    ),
    "a quarter of the treatment's tasks, and all won": EdgeStudy(
        lambda: gone(all_won(), late_tasks("gome", 0.25), "missing"),
        ("Unfinished", "9 of 36", r"9 of 9 \(100\.0 %\)", "nothing here is confirmatory"),
        UNFINISHED,
    ),
    "half of the treatment's tasks": EdgeStudy(
        lambda: gone(all_won(), late_tasks("gome", 0.5), "missing"), ("Unfinished", "18 of 36"), UNFINISHED
    ),
    "three quarters of the treatment's tasks": EdgeStudy(
        lambda: gone(all_won(), late_tasks("gome", 0.75), "missing"), ("Unfinished", "27 of 36"), UNFINISHED
    ),
    "two seeds of one arm to come": EdgeStudy(
        lambda: gone(all_won(), late_seeds("gome", 1), "missing"), ("Unfinished", "12 of 36"), UNFINISHED
    ),
    "the treatment never began": EdgeStudy(
        lambda: gone(all_won(), of_arm("gome"), "missing"), ("Unfinished", "0 of 36"), UNFINISHED
    ),
    "nothing began": EdgeStudy(
        lambda: gone(study(), every, "missing"), ("Unfinished: 0 of 216", "0 of 36"), (*UNFINISHED, r"\b0\.0 %")
    ),
    "some failed and some are to come": EdgeStudy(
        lambda: gone(gone(study(), of_seed(0)), of_seed(2), "missing"),
        ("72 planned runs were not made", "72 of 144 runs have no result", "HTTP 500"),
        UNFINISHED,
    ),
    "an unfinished simulated study": EdgeStudy(
        lambda: gone(study(simulated=True), of_seed(2), "missing"), ("[Ii]n simulation", "Unfinished"), UNFINISHED
    ),
    "unfinished, with a policy": EdgeStudy(
        lambda: gone(all_won(), late_tasks("gome", 0.5), "missing"),
        ("Unfinished", "under the policy drop_task", "exploratory", NONE),
        (*FINDINGS, *CONFIRMED),
        policy="drop_task",
    ),
    "unfinished, with fail": EdgeStudy(
        lambda: gone(all_won(), late_seeds("gome", 1), "missing"),
        ("those that were not made are no failures", "exploratory", NONE),
        (*FINDINGS, *CONFIRMED),
        policy="fail",
    ),
    "the first round of seeds": EdgeStudy(
        lambda: only(gome_wins.made(), set(gome_wins.made().runs.query("seed == 0")["run_id"])),
        ("Interim: the first 72 of 216 runs", "12 of 12"),
        UNFINISHED,
    ),
    "the first round of seeds, with a policy": EdgeStudy(
        lambda: only(gome_wins.made(), set(gome_wins.made().runs.query("seed == 0")["run_id"])),
        ("Interim: the first 72 of 216 runs",),
        UNFINISHED,
        policy="fail",
    ),
    # missing at the end
    "a failed run that changes nothing": EdgeStudy(
        lambda: gone(gome_wins.made(), lambda runs: runs.index == 5),
        (
            HIGHER,
            "1 of 216 runs have no result",
            "The verdict is the same",
            "worst case",
            "keeps every run in its own seed",
        ),
        (LOWER, "hangs on"),
    ),
    "failed runs that the verdict hangs on": EdgeStudy(
        lambda: gone(study(lambda m, s, t, k: (s == 1) & (k == 0), models=MODELS[:1]), late_seeds("greedy", 1)),
        (NONE, "The verdict hangs on the runs without a result", "lost runs unequally"),
        FINDINGS,
    ),
    "an arm of failures": EdgeStudy(
        lambda: gone(gome_wins.made(), of_arm("greedy")), ("not compared", "no run has a result", "HTTP 500"), FINDINGS
    ),
    "nothing but failures": EdgeStudy(
        lambda: gone(study(), every), ("No run has a result", "not compared"), (*FINDINGS, NONE)
    ),
    "one model of failures": EdgeStudy(
        lambda: gone(gome_wins.made(), lambda runs: runs["model"] == "lab/middle"),
        (HIGHER, "lab/middle \\(", "not compared"),
        (CROSSED, "The gap (widens|rises)"),
    ),
    "seeds left out": EdgeStudy(
        lambda: gone(gome_wins.made(), lambda runs: late_seeds("gome", 2)(runs) & (runs["task"] < "task-004")),
        ("policy: drop_seed", "parity of the first 2 seeds", "2 to 3 seeds"),
        ("policy: fail",),
        policy="drop_seed",
    ),
    "tasks left out": EdgeStudy(
        lambda: gone(gome_wins.made(), lambda runs: late_seeds("gome", 2)(runs) & (runs["task"] < "task-004")),
        ("policy: drop_task", "4 tasks left out", "8 tasks"),
        ("12 tasks",),
        policy="drop_task",
    ),
    "every task left out": EdgeStudy(
        lambda: gone(study(), of_seed(1)), refused="policy drop_task leaves no task: .*use fail", policy="drop_task"
    ),
    "a missing run with a medal": EdgeStudy(
        lambda: changed(study(), of_seed(1), status="missing"),
        refused="is missing, which is no result, and yet valid.*",
    ),
    "a failed run with a medal on nothing valid": EdgeStudy(
        lambda: changed(all_won(), of_seed(1), status="failed", valid=False),
        refused="has a medal or stands above the median though its submission is invalid.*",
    ),
    "runs that the cluster ended": EdgeStudy(
        lambda: changed(gome_wins.made(), of_seed(1), status="timeout"), (HIGHER,), ("have no result", "are missing")
    ),
    "replies without a program": EdgeStudy(
        lambda: all_failed("reply_unusable", "no program"),
        ("gave no program", "not compared"),
        FINDINGS,
    ),
    "programs that all fail alike": EdgeStudy(
        lambda: all_failed("error", "ModuleNotFoundError: torch"),
        ("failed alike", "ModuleNotFoundError: torch"),
        FINDINGS,
    ),
    # designs
    "more seeds for one model by design": EdgeStudy(
        lambda: gone(
            gome_wins.made(),
            lambda r: (r["model"] != "lab/strong") & (r["seed"] > 0),
            "not_planned",
            "strong ones first",
        ),
        (HIGHER, "96 runs not run by design", "strong ones first", "no missing run among 120", "1 to 3 seeds"),
        ("have no result", "Unfinished"),
    ),
    "a strategy that is not planned with a model": EdgeStudy(
        lambda: gone(
            gome_wins.made(), lambda r: (r["model"] == "lab/middle") & (r["strategy"] == "gome"), "not_planned", "dear"
        ),
        (HIGHER, "gome: not run by design", "not planned"),
        ("have no result", "Unfinished"),
    ),
    "tasks that are not planned with a model": EdgeStudy(
        lambda: gone(
            gome_wins.made(), lambda r: (r["model"] == "lab/weak") & (r["task"] > "task-007"), "not_planned", "too hard"
        ),
        ("left out for all, since not planned in every cell: task-008, task-009, task-010, task-011", "8 tasks"),
        ("12 tasks",),
    ),
    "a design and a run to come": EdgeStudy(
        lambda: gone(gone(all_won(), of_seed(2), "not_planned", "enough"), lambda r: r.index == 0, "missing"),
        ("Unfinished: 143 of 144", "72 runs not run by design"),
        UNFINISHED,
    ),
    "a hole that nobody meant": EdgeStudy(
        lambda: replace(study(), runs=study().runs.drop(index=3)),
        refused="the grid has a hole: no row for model=lab/weak.*",
    ),
    "nothing planned": EdgeStudy(
        lambda: gone(study(), every, "not_planned"), refused="table runs: no run is planned.*"
    ),
}
