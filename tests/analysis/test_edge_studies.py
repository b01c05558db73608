"""Words: studies of odd kinds, each with what its report must say and must not say.

Key words are tested, not whole sentences. To add a kind: a line in `STUDIES`.
"""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlesearch.analysis.data.tables import only
from mlesearch.analysis.recheck import recheck
from mlesearch.analysis.report import write_report
from mlesearch.types import ConfigError
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
    with_header,
    with_import,
    with_nodes,
    without_board,
    words,
)
from tests.support.html_page import Page
from tests.support.synthetic_study import write

HIGHER, LOWER = r"gome has a higher any-medal rate than greedy", r"gome has a lower any-medal rate than greedy"
NONE = r"no difference in any-medal rate between gome and greedy is established"
CANNOT = r"These data cannot reach 0\.05"
CROSSED = r"a crossover is established"
FINDINGS = (r"has a higher", r"has a lower", CROSSED, r"The gap (widens|narrows|rises|falls)")
UNFINISHED = (*FINDINGS, NONE, "95 %", "rejects", "SEM over", r"\bp [=<]")
CONFIRMED = (r"is confirmatory, everything else exploratory", "Holm-adjusted")

gome_wins = EdgeStudy(lambda: study(lambda m, s, t, k: s == 1))


def all_won():
    return study(lambda m, s, t, k: s >= 0)


def of_seed(n):
    return lambda runs: runs["seed"] == n


def shuffled(tables):
    """Rows in another order."""
    return replace(tables, runs=tables.runs.sample(frac=1, random_state=3).reset_index(drop=True))


def twelve(declared):
    names = ("greedy", *(f"s{i:02d}" for i in range(10)), "gome")
    return study(strategies=names, models=MODELS[:2], tasks=6, seeds=1, declared=declared)


TEN = tuple(f"lab/model-{i:02d}" for i in range(10))


def risen(low, high):
    """The treatment's advantage goes from one share of tasks to another as models get more capable; seeds alike."""

    def wins(m, s, t, k):
        share = low + (high - low) * m / 9
        tasks = t.max() + 1
        inside = (t + 0.5) / tasks < np.abs(share)  # the first tasks are those that tell the two apart
        ahead = share > 0
        return np.where(inside, (s == 1) == ahead, (t + m) % 2 == 0)

    return wins


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
        lambda: with_nodes(
            changed(gome_wins.made(), of_arm("greedy"), valid=False),
            of_arm("greedy"),
            status="reply_unusable",
            valid=False,
            val_score=None,
            reason="no program",
        ),
        ("gave no program", "not compared"),
        FINDINGS,
    ),
    "programs that all fail alike": EdgeStudy(
        lambda: with_nodes(
            changed(gome_wins.made(), of_arm("greedy"), valid=False),
            of_arm("greedy"),
            status="error",
            valid=False,
            val_score=None,
            reason="ModuleNotFoundError: torch",
        ),
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
    # claims
    "no claim": EdgeStudy(
        lambda: study(lambda m, s, t, k: s == 1, declared=False),
        ("No claim was declared", "exploratory"),
        (*CONFIRMED, "claim's order"),
    ),
    "a claim about a strategy that never ran": EdgeStudy(
        lambda: study(claim={"treatment": "gnome"}), ("no runs of gnome", "nothing here is confirmatory"), CONFIRMED
    ),
    "a claim of a strategy against itself": EdgeStudy(
        lambda: study(claim={"baseline": "gome"}), refused=".*compares gome with itself.*"
    ),
    "a claim about an outcome that is none": EdgeStudy(
        lambda: study(claim={"outcome": "medals"}), refused=".*claim.outcome is 'medals'; allowed: any_medal.*"
    ),
    "a claim about capability, and none known": EdgeStudy(
        lambda: study(capability=[0.1, None, 0.3]), refused=".*capability, but table runs has none for lab/middle.*"
    ),
    "tiers": EdgeStudy(
        lambda: study(
            capability=[None] * 3,
            tiers=["low", "mid", "high"],
            claim={"capability": False, "tiers": ["low", "mid", "high"]},
        ),
        (r"per tier|No trend|no (change|rise)",),
        (CROSSED,),
    ),
    "a tier that the claim lacks": EdgeStudy(
        lambda: study(tiers=["low", "odd", "high"], claim={"capability": False, "tiers": ["low", "high"]}),
        refused=".*lacks the tier 'odd' of model lab/middle.*",
    ),
    "models of one capability": EdgeStudy(
        lambda: study(capability=[0.5] * 3), ("same place in the declared order",), (CROSSED, "The gap (widens|rises)")
    ),
    "two capabilities of one model": EdgeStudy(
        lambda: changed(study(), of_seed(1), capability=0.7),
        refused="model lab/middle has more than one tier or capability.*",
    ),
    "a gap that rises from behind to level": EdgeStudy(
        lambda: study(risen(-0.6, 0.0), models=TEN, tasks=30),
        ("The gap rises", "from −", LOWER),
        (CROSSED, "widens", "against what was declared"),
    ),
    "a gap that falls though a rise was declared": EdgeStudy(
        lambda: study(risen(0.6, -0.1), models=TEN, tasks=30),
        ("against the declared claim", "this side was not declared, so it is exploratory"),
        (CROSSED, "widens"),
    ),
    "a declared fall": EdgeStudy(
        lambda: study(risen(0.6, 0.0), models=TEN, tasks=30, claim={"trend": "falls"}),
        ("The gap falls", HIGHER),
        (CROSSED, "against the declared"),
    ),
    "a gap that crosses over": EdgeStudy(
        lambda: study(risen(-0.5, 0.5), models=TEN, tasks=40),
        (CROSSED, "low group", "high group", "The gap rises"),
        ("None established",),
    ),
    "low and high groups without any spread": EdgeStudy(
        lambda: study(lambda m, s, t, k: (s == 1) == (m >= 5), models=TEN, tasks=12),
        (CROSSED, "The gap rises"),
        ("not shown to",),
    ),
    "a capability that is not finite": EdgeStudy(
        lambda: study(capability=[0.1, float("inf"), 0.3]), refused="model lab/middle has the capability inf.*"
    ),
    "ties in capability at the edge of a group": EdgeStudy(
        lambda: study(risen(-0.5, 0.5), models=TEN, tasks=40, capability=[0, 1, 2, 2, 2, 3, 4, 5, 6, 7]),
        ("low group|No verdict",),
        ("nan",),
    ),
    "ties in capability under other names": EdgeStudy(
        lambda: study(risen(-0.5, 0.5), models=TEN[::-1], tasks=40, capability=[0, 1, 2, 2, 2, 3, 4, 5, 6, 7]),
        ("low group|No verdict",),
        ("nan",),
    ),
    "every sentence says what it is of": EdgeStudy(
        lambda: study(lambda m, s, t, k: s == 1, models=MODELS[:1]),
        (r"Confirmatory, on tasks like these \(E2, n = 12 tasks, 3 seeds each\)", "Exploratory, |Confirmatory, "),
        (LOWER,),
    ),
    # mixtures
    "a simulated study": EdgeStudy(
        lambda: study(lambda m, s, t, k: s == 1, simulated=True),
        ("[Ii]n simulation", "says nothing about any language model", HIGHER),
        (LOWER,),
    ),
    "a live study": EdgeStudy(gome_wins.made, (HIGHER,), ("imulat",)),
    "live and simulated runs": EdgeStudy(
        lambda: changed(study(), of_seed(1), simulated=True),
        refused="table runs mixes 72 simulated with 144 live runs.*",
    ),
    "nodes of another kind": EdgeStudy(
        lambda: replace(study(), nodes=study().nodes.assign(simulated=True)),
        refused="table nodes says simulated=True.*",
    ),
    "study.json of another kind": EdgeStudy(
        lambda: with_header(study(), simulated=True), refused="study.json says simulated=True but the runs.*"
    ),
    "imported results": EdgeStudy(
        lambda: with_import(study(), "gpt", "aide"),
        ("board \\(imported\\)", "never pooled", "Imported rows"),
        ("aide against",),
    ),
    "imported results under an own name": EdgeStudy(
        lambda: with_import(study(), "lab/weak", "gome"), refused=".*has the model and strategy of the import board.*"
    ),
    "imported results in a simulated study": EdgeStudy(
        lambda: with_import(study(simulated=True), "gpt", "aide"),
        refused="this study is simulated, and board was imported.*",
    ),
    "rows that are marked as imported": EdgeStudy(
        lambda: changed(study(), of_seed(1), imported=True),
        refused=".*was imported; imported results are never pooled.*",
    ),
    "hardware that differs": EdgeStudy(
        lambda: changed(study(), of_arm("gome"), hardware="8 GPU"),
        ("Not all runs share the same hardware: 2 CPU; 8 GPU",),
        (),
    ),
    "promises that differ between the sides": EdgeStudy(
        lambda: changed(study(), of_arm("gome"), promises="net_off,gpu"),
        ("did not share one sandbox", "gpu with gome only", "may come from that"),
        (),
    ),
    "an environment that differs between seeds": EdgeStudy(
        lambda: changed(study(), of_seed(1), environment="4e"),
        ("Not all runs share the same sandbox environment",),
        ("did not share one sandbox",),
    ),
    "validation that differs": EdgeStudy(
        lambda: changed(study(), lambda r: r["task"] == "task-001", validation="reported"),
        ("Programs reported their own score on task-001",),
        (),
    ),
    "a model that answered under two ids": EdgeStudy(
        lambda: replace(
            study(), calls=study().calls.assign(model_answered=np.where(study().calls.index % 2, "a", "b"))
        ),
        ("Model lab/weak answered under 2 ids: a; b",),
        (),
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

BAD = re.compile(r"\b(nan|None|inf)\b(?! established)|Traceback|Ellipsis|numpy")


def test_there_are_enough_kinds():
    assert len(STUDIES) >= 60
    assert all(edge.refused or edge.says for edge in STUDIES.values())


@pytest.mark.parametrize("name", STUDIES)
def test_what_a_report_says_and_does_not(name):
    edge = STUDIES[name]
    if edge.refused:
        with pytest.raises(ConfigError) as caught:
            words(edge.made(), edge.policy)
        assert re.search(edge.refused, str(caught.value))
        assert "\n" not in str(caught.value)
        return
    tables = edge.made()
    found = words(tables, edge.policy)
    said, box = found.all, found.box
    for pattern in edge.says:
        assert re.search(pattern, said), f"lacks {pattern!r}:\n{said}"
    for pattern in edge.never:
        assert not re.search(pattern, said), f"says {pattern!r}:\n{re.search(pattern, said)}\n{said}"
    assert not BAD.search(box), box
    assert not box or tables.simulated == ("imulat" in box)


@pytest.mark.parametrize(
    "name",
    ["hostile names", "names that are not Latin", "nothing began", "a strategy that is not planned with a model"],
)
def test_whole_pages(name, tmp_path):
    """Escaped, self-contained, the same twice, and equal to their tables."""
    folder = write(STUDIES[name].made(), tmp_path)
    path = write_report(folder)
    page = Page(path.read_text(encoding="utf-8"))
    assert page.links == []
    assert "<script>alert" not in path.read_text(encoding="utf-8")
    for pattern in STUDIES[name].says:
        assert re.search(pattern, page.text)
    assert len(page.ids) == len(set(page.ids))
    assert recheck(path).differs == ""
    if name == "hostile names":  # every strategy stands in a legend, and no name is read as a formula
        labels = re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text(encoding="utf-8"))
        assert {"_hidden", "$\\frac{$"} <= {label.strip() for label in labels}
    assert write_report(folder, tmp_path / "two").read_bytes() == path.read_bytes()
