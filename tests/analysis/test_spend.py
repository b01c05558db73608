"""Equal spend: shares of budgets by hand, who spent less and why, and what an older study's tables leave unsaid."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlesearch.analysis.measures.spend import frame, spends
from mlesearch.analysis.report import write_report
from mlesearch.analysis.results import analyse
from tests.support.html_page import Page
from tests.support.synthetic_study import lost, synthetic, write

LIMITS = ("budget_steps", "budget_time_s", "budget_usd", "budget_tokens")


def with_budgets(tables, **limits):
    """The tables with these declared budgets, and no others."""
    return replace(tables, runs=tables.runs.assign(**{name: limits.get(name, math.nan) for name in LIMITS}))


def of(tables):
    return {(s.model, s.arm, s.budget): s for s in analyse(tables).spends}


def test_steps_are_spent_whole():
    found = of(with_budgets(synthetic(steps=6), budget_steps=6))
    assert {budget for _, _, budget in found} == {"steps"}
    for s in found.values():
        assert (s.mean, s.least, s.most, s.step) == (1, 1, 1, pytest.approx(1 / 6))
        assert s.within == s.runs
        assert (s.over, s.short, s.lost, s.why_short) == (0, 0, 0, "")
    assert found["", "gome", "steps"].runs == 12
    assert found["sim/model-01", "gome", "steps"].runs == 4


def test_shares_and_largest_steps_are_those_of_the_rows():
    tables = with_budgets(synthetic(models=2), budget_time_s=90.0, budget_usd=0.05, budget_tokens=40_000)
    for s in (s for s in analyse(tables).spends if s.model):
        own = tables.runs[(tables.runs["model"] == s.model) & (tables.runs["strategy"] == s.arm)]
        limit = {"time_s": 90.0, "cost_usd": 0.05, "tokens": 40_000}[s.budget]
        so_far = {"time_s": "t_charged_s", "cost_usd": "cum_usd", "tokens": "cum_tokens"}[s.budget]
        shares, steps = [], []
        for run_id in own["run_id"]:
            values = tables.nodes[tables.nodes["run_id"] == run_id][so_far].to_list()
            shares.append(values[-1] / limit)
            steps.append(max(b - a for a, b in zip([0, *values], values, strict=False)) / limit)
        ended = own["status"].eq("ok").to_numpy()
        shares, steps = np.array(shares)[ended], np.array(steps)[ended]
        if s.budget != "tokens":  # whose sums of runs are of all calls so far in this made-up study
            assert s.mean == pytest.approx(shares.mean())
            assert (s.least, s.most) == (pytest.approx(shares.min()), pytest.approx(shares.max()))
            assert s.step == pytest.approx(steps.mean())


def test_a_run_is_within_a_step_by_the_budget_that_ended_it():
    tables = synthetic(models=1, strategies=("greedy", "gome"), tasks=1, seeds=2)
    most = float(tables.runs["charged_s"].max())
    within = of(with_budgets(tables, budget_steps=6, budget_time_s=10 * most))
    for s in within.values():
        assert s.within == s.runs, "the steps were spent, so the time need not be"
    assert within["", "gome", "time_s"].mean < 0.11


def test_who_spent_less_is_named_with_what_ended_it():
    tables = with_budgets(synthetic(models=1, strategies=("greedy", "gome"), tasks=3), budget_steps=12)
    gome = tables.runs["strategy"] == "gome"
    runs = tables.runs.assign(ended=np.where(gome, "finished", "budget"))
    found = of(replace(tables, runs=runs))
    s = found["", "gome", "steps"]
    assert (s.short, s.within, s.mean) == (s.runs, 0, 0.5)
    assert s.why_short == f"the strategy had nothing more to propose × {s.runs}"
    assert found["", "greedy", "steps"].why_short.startswith("what was left was less than the next call may cost × ")


def test_who_spent_more_than_a_step_beyond_is_counted():
    tables = with_budgets(synthetic(models=1, strategies=("greedy", "gome"), tasks=3), budget_steps=4)
    for s in of(tables).values():
        assert (s.over, s.within, s.short) == (s.runs, 0, 0)


def test_runs_without_a_result_are_in_no_mean():
    tables = with_budgets(synthetic(models=1, tasks=3, seeds=2), budget_steps=6)
    gone = (tables.runs["strategy"] == "mcts") & (tables.runs["seed"] == 0)
    before, after = of(tables)["", "mcts", "steps"], of(lost(tables, gone))["", "mcts", "steps"]
    assert after.lost >= 3
    assert after.runs == 6 - after.lost
    assert before.mean == after.mean == 1


def test_what_came_after_the_last_program_is_a_step_too():
    runs = pd.DataFrame({
        "run_id": ["r"], "model": ["m"], "strategy": ["s"], "variant": ["base"], "status": ["ok"], "ended": ["budget"],
        "steps": [2], "charged_s": [100.0], "cost_usd": [None], "tokens_in": [1], "tokens_out": [1],
        **{key: [math.nan] for key in LIMITS}, "budget_time_s": [120.0],
    })  # fmt: skip
    nodes = pd.DataFrame(
        {"run_id": ["r", "r"], "t_charged_s": [30.0, 50.0], "cum_usd": [None] * 2, "cum_tokens": [1, 2]}
    )
    from mlesearch.analysis.data.claim import Arm

    whole, _ = spends(runs, nodes, ["m"], [Arm("s", "base", "s")])
    assert whole.step == 50 / 120
    assert whole.short == 0, "20 s were left, and its largest step took 50"


@pytest.mark.usefixtures("undrawn")
def test_the_page_shows_it_and_a_csv_has_it(tmp_path):
    tables = with_budgets(synthetic(steps=6), budget_steps=6, budget_usd=1.0)
    page = Page(write_report(write(tables, tmp_path)).read_text(encoding="utf-8"))
    assert "t-spend" in page.ids
    assert "t-spend-by-model" in page.ids
    assert "A run is within a step" in page.text
    kept = pd.read_csv(tmp_path / "report_tables" / "spend.csv")
    assert len(kept) == len(frame(analyse(tables).spends)) == 4 * 4 * 2
    assert (kept["mean_share"] <= kept["most_share"]).all()


@pytest.mark.usefixtures("undrawn")
def test_tables_of_an_earlier_version_have_none(tmp_path):
    tables = synthetic()
    assert analyse(tables).spends == ()
    page = Page(write_report(write(tables, tmp_path)).read_text(encoding="utf-8"))
    assert "t-spend" not in page.ids
    assert not (tmp_path / "report_tables" / "spend.csv").exists()
