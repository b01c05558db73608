"""Runs without a result or a program: they are no results, they bound every verdict, and the first box says so."""

import re
from dataclasses import replace

import numpy as np
import pytest

from mlesearch.analysis.data.tables import validate
from mlesearch.analysis.report import write_report
from mlesearch.analysis.results import analyse
from mlesearch.analysis.terminal import medal_table
from mlesearch.analysis.words.wording import verdicts
from mlesearch.types import ConfigError
from tests.support.html_page import Page
from tests.support.synthetic_study import FLAGS, lost, synthetic, write

FAILED = ["status", "valid", "val_score", "test_score", "medal"]
CLAIMS = re.compile(
    r"has a (higher|lower)|is behind|is ahead| ahead with| behind with|rises with|falls with|a crossover is"
)


def study(**shape):
    return synthetic(
        **{"models": 1, "strategies": ("greedy", "gome"), "tasks": 8, "seeds": 2, "simulated": False} | shape
    )


def won(tables, arm, wins):
    """The tables with the arm's medals as told: all or none."""
    runs = tables.runs.copy()
    own = runs["strategy"] == arm
    runs.loc[own, FLAGS] = False
    if wins:
        runs.loc[own, ["valid", "gold", "above_median"]] = True
    return replace(tables, runs=runs)


def first_box(tables):
    return verdicts(analyse(tables))[0]


def nothing_is_claimed(tables):
    said = " ".join(f"{v.headline} {v.sentence}" for v in verdicts(analyse(tables)))
    assert not CLAIMS.search(said), said


@pytest.mark.usefixtures("undrawn")
def test_an_arm_of_failures_has_no_rate_and_no_gap(tmp_path):
    tables = won(study(), "gome", True)
    gone = lost(tables, tables.runs["strategy"] == "greedy")
    results = analyse(gone)
    assert np.isnan(results.board.e2.rate[0, 0])
    assert results.board.parity[0][0] is None
    assert results.board.e2.rate[0, 1] == 1.0
    (gap,) = results.main.gaps
    assert np.isnan(gap.gap)
    assert (gap.refused, gap.rejects()) == ("greedy: no run has a result", False)
    assert set(results.mechanism.loc[results.mechanism["strategy"] == "greedy", "improvement_rate_runs"]) == {0}
    assert results.cost.set_index("strategy").loc["greedy", "runs"] == 0
    box = first_box(gone)
    assert (box.title, box.headline) == ("The runs", "16 of 32 runs have no result")
    assert "greedy: 16 of 16 runs have no result (16 failed: HTTP 401: refused × 16)" in box.sentence
    assert "The two sides lost runs unequally (gome 0 of 16, greedy 16 of 16)" in box.sentence
    nothing_is_claimed(gone)
    assert "no result" in medal_table(analyse(gone))
    folder = write(gone, tmp_path)
    text = Page(write_report(folder).read_text(encoding="utf-8")).text
    assert "16 of 32 runs are missing, 16 of them since they failed" in text
    assert not re.search(r"\bnan\b", text)
    assert text.index("16 of 32 runs have no result") < text.index("not compared")
    curves = (folder / "report_tables/dynamics.csv").read_text(encoding="utf-8")
    assert ",gome," in curves
    assert ",greedy," not in curves


@pytest.mark.parametrize("policy", ["fail", "drop_task", "drop_seed"])
def test_a_lost_arm_costs_the_others_nothing_under_any_policy(policy):
    tables = study(strategies=("random", "greedy", "gome"))
    results = analyse(lost(tables, tables.runs["strategy"] == "random"), policy)
    assert len(results.board.counts.tasks) == 8
    whole = analyse(tables)
    np.testing.assert_array_equal(results.board.e2.rate[:, 1:], whole.board.e2.rate[:, 1:])
    assert results.main.gaps[0].gap == whole.main.gaps[0].gap


@pytest.mark.parametrize("policy", ["fail", "drop_seed"])
@pytest.mark.parametrize("status", ["failed", "missing"])
def test_a_difference_that_lost_runs_could_undo_is_not_established(status, policy):
    """The treatment won with one seed, the baseline's other seed is gone: had that one won, there is no difference."""
    tables = won(won(study(), "gome", True), "greedy", False)
    assert analyse(tables).main.gaps[0].rejects()
    half = (tables.runs["strategy"] == "greedy") & (tables.runs["seed"] == 1)
    one = half & (tables.runs["task"] == "task-00")
    results = analyse(lost(tables, half, status), policy)
    (gap,) = results.main.gaps
    assert (gap.lost, gap.least, gap.most) == (8, 0.5, 1.0)
    assert gap.rejects()  # each task still differs by one half at least
    everything = (tables.runs["strategy"] == "gome") & (tables.runs["seed"] == 1)
    most = won(tables, "greedy", False)
    most.runs.loc[everything, FLAGS] = False  # the treatment won with one seed, the other of the baseline is gone
    results = analyse(lost(most, half, status), policy)
    (gap,) = results.main.gaps
    assert gap.p_adjusted <= 0.05
    assert (gap.least, gap.held, gap.rejects()) == (0.0, False, False)
    said = next(v.sentence for v in verdicts(results) if v.title == "The gap")
    assert "no difference in any-medal rate between gome and greedy is established" in said
    assert "A difference that they could undo is not counted as established." in said
    assert analyse(lost(tables, one, status), policy).main.gaps[0].rejects()  # one run of 32 undoes nothing


def test_rates_with_lost_runs_are_given_by_their_bounds():
    tables = won(won(study(), "gome", True), "greedy", False)
    gone = lost(tables, (tables.runs["strategy"] == "gome") & (tables.runs["seed"] == 1), "missing", "")
    text = medal_table(analyse(gone, "fail"))
    assert "50.0 to 100.0" in text
    assert "8 of 16 without result" in text
    assert "8 not begun or not ended" in verdicts(analyse(gone, "fail"))[1].sentence


def test_a_trend_that_lost_runs_could_undo_is_not_established():
    tables = synthetic(models=10, tasks=30, seeds=2, simulated=False, effect=1.4, steps=3)

    def by_title(gone=None):
        return {v.title: v for v in verdicts(analyse(tables if gone is None else lost(tables, gone)))}

    whole = by_title()
    assert (whole["Capability"].headline, whole["Crossover"].mark) == ("The gap rises", "yes")
    gome, one_seed = tables.runs["strategy"] == "gome", tables.runs["seed"] == 1
    strong = tables.runs["model"].isin([f"lab/model-{m:02d}" for m in (8, 9, 10)])
    weak = tables.runs["model"].isin([f"lab/model-{m:02d}" for m in (1, 2, 3)])
    found = by_title(gome & weak & one_seed)
    assert " of 2,400 runs have no result" in found["The runs"].headline
    assert found["Crossover"].mark == "open"
    assert "are counted against a crossover" in found["Crossover"].sentence
    assert by_title(gome & (weak | strong) & one_seed)["Capability"].headline == "No trend established"
    wholly = by_title(gome & (tables.runs["model"] == "lab/model-05"))
    assert "not all models can be compared: lab/model-05 (gome: no run has a result)" in wholly["Capability"].sentence
    assert "Not compared with lab/model-05" in wholly["The gap"].sentence
    assert wholly["Crossover"].headline == "No verdict"


def unusable(tables, arm, reason):
    nodes = tables.nodes.copy()
    own = nodes["run_id"].str.contains(f"/{arm}/")
    nodes["reason"] = nodes.get("reason", "")
    nodes.loc[own, ["status", "valid", "val_score", "test_score", "medal"]] = [
        "reply_unusable",
        False,
        None,
        None,
        "none",
    ]
    nodes.loc[own, "reason"] = reason
    return replace(won(tables, arm, False), nodes=nodes)


def test_runs_without_a_program_are_told_apart_from_searches_that_found_nothing():
    tables = unusable(won(study(), "gome", True), "greedy", "the prompt is longer than the model takes: 9001 > 8192")
    box = first_box(tables)
    assert box.headline == "16 runs gave no program"
    assert "0 of 96 steps gave one, the prompt is longer than the model takes × 96" in box.sentence
    assert "lost runs unequally (gome 0 of 16, greedy 16 of 16)" in box.sentence
    nothing_is_claimed(tables)
    assert analyse(tables).main.gaps[0].refused == "greedy: no run gave a program"
    searched = won(study(), "greedy", False)
    assert all(v.title != "The runs" for v in verdicts(analyse(searched)))
    assert not analyse(searched).main.gaps[0].refused


def test_a_budget_that_ended_before_the_first_step_is_a_reason():
    tables = won(study(), "greedy", False)
    own = tables.nodes["run_id"].str.contains("/greedy/")
    none = replace(tables, nodes=tables.nodes[~own], runs=tables.runs.assign(ended="budget"))
    box = first_box(none)
    assert (
        "greedy: 16 of 16 runs with a result gave no program (ended before its first step (budget) × 16)"
        in box.sentence
    )
    nothing_is_claimed(none)


def test_programs_that_all_fail_for_one_cause_are_no_search():
    tables = won(won(study(), "greedy", False), "gome", True)
    nodes = tables.nodes.copy()
    own = nodes["run_id"].str.contains("/greedy/")
    nodes["reason"] = ""
    nodes.loc[own, FAILED] = ["error", False, None, None, "none"]
    lines = [f"ModuleNotFoundError: No module named 'torch' (solution.py line {n})" for n in range(int(own.sum()))]
    nodes.loc[own, "reason"] = lines
    alike = replace(tables, nodes=nodes)
    box = first_box(alike)
    assert (
        "all 96 programs with lab/model-01 failed alike: ModuleNotFoundError: No module named 'torch'" in box.sentence
    )
    nothing_is_claimed(alike)
    nodes.loc[nodes.index[own][0], "reason"] = "ValueError: 3 (solution.py line 2)"
    assert all(v.title != "The runs" for v in verdicts(analyse(replace(tables, nodes=nodes))))


def test_a_single_arm_and_one_seed_say_it_too():
    tables = study(strategies=("gome",), seeds=1, claim=False)
    (box,) = verdicts(analyse(lost(tables, tables.runs.index)))
    assert box.headline == "No run has a result"
    assert "8 failed" in box.sentence


def test_money_of_lost_runs_is_said_beside_the_table_that_leaves_it_out():
    tables = study()
    gone = tables.runs["seed"] == 1
    tables.runs.loc[gone, "cost_usd"] = 0.25
    assert "have cost 4 USD, which the table of costs leaves out" in first_box(lost(tables, gone)).sentence


def test_a_run_without_a_result_that_has_a_medal_is_refused():
    tables = study()
    runs = tables.runs.copy()
    runs.loc[runs.index[runs["valid"]][0], "status"] = "missing"
    with pytest.raises(ConfigError, match="is missing, which is no result, and yet valid"):
        validate(replace(tables, runs=runs))
