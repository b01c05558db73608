"""Outcomes beyond medals, and medals at any budget: worked values, other libraries' values, and what must hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from mlesearch.analysis.data.claim import arms_of, models_of
from mlesearch.analysis.data.outcomes import outcomes
from mlesearch.analysis.data.tables import Tables, read
from mlesearch.analysis.measures.beyond_medals import (
    TaskCells,
    mean_intervals,
    measured_gaps,
    measures,
    normalised_change,
)
from mlesearch.analysis.measures.budget_axis import AXES, budget_progress
from mlesearch.analysis.measures.budget_rates import BudgetCrossover, budget_crossover, budget_gaps, declared_budgets
from mlesearch.analysis.measures.curves import best_so_far
from mlesearch.analysis.page import measured_view
from mlesearch.analysis.report import all_frames, write_report
from mlesearch.analysis.results import analyse
from mlesearch.types import ConfigError
from tests.support.html_page import Page
from tests.support.large_study import Shape, large
from tests.support.synthetic_study import synthetic, write

SHAPE = Shape(models=2, tasks=4, seeds=2, steps=8)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return read(write(large(SHAPE), tmp_path_factory.mktemp("measured")))


def worked(ended: tuple[str, str] = ("completed", "completed")) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two runs of ten and eight steps: the first better at steps 2 and 6, the second at step 4 alone."""
    runs = pd.DataFrame({"run_id": ["a", "b"], "status": "ok", "steps": [10, 8], "ended": ended})
    runs = runs.assign(charged_s=[100.0, 80.0], tokens_in=[50, 40], tokens_out=[50, 40], cost_usd=[1.0, None])
    best = pd.DataFrame(
        {
            "run_id": ["a", "a", "b"],
            "step": [2.0, 6.0, 4.0],
            "t_charged_s": [20.0, 60.0, 40.0],
            "cum_tokens": [20.0, 60.0, 40.0],
            "cum_usd": [0.2, 0.6, np.nan],
        }
    )
    return runs, best


def test_worked_values_at_a_common_budget() -> None:
    """The common budget is the shorter run's 8 steps: (6 - 2) * .5 + (8 - 6) * 1 over 8, and (8 - 4) * .25 over 8."""
    runs, best = worked()
    on = budget_progress(best, runs, "steps")
    assert on.limit == 8.0
    values = np.array([0.5, 1.0, 0.25])
    assert on.area(values).tolist() == [0.5, 0.125]
    assert on.values_at([1.9], values)[0].tolist() == [0.0, 0.0]
    assert on.values_at([4.0], values)[0].tolist() == [0.5, 0.25]
    assert on.values_at([8.0], values)[0].tolist() == [1.0, 0.25]
    assert on.restricted_time(np.array([0.0, 1.0, 0.0])).tolist() == [6.0, 8.0]


def test_a_run_that_had_nothing_more_to_propose_is_followed_everywhere() -> None:
    runs, best = worked(("completed", "finished"))
    assert budget_progress(best, runs, "steps").limit == 10.0
    assert budget_progress(best, runs, "tokens").limit == 100.0


def test_without_a_known_price_there_is_no_common_budget_of_it() -> None:
    runs, best = worked()
    assert np.isnan(budget_progress(best, runs, "usd").limit)


@given(st.lists(st.floats(0.01, 0.99), min_size=1, max_size=6, unique=True), st.integers(0, 1000))
def test_the_area_is_the_integral_of_the_curve(times: list[float], seed: int) -> None:
    """Against scipy's integration of what the run shows at each budget, and bounded by the values."""
    at = np.array(sorted(times))
    values = np.sort(np.random.default_rng(seed).random(at.size))
    runs = pd.DataFrame({"run_id": ["a"], "status": "ok", "ended": "completed", "charged_s": 1.0})
    best = pd.DataFrame({"run_id": "a", "t_charged_s": at})
    on = budget_progress(best, runs, "time_s")
    found = float(on.area(values)[0])
    steps, _ = integrate.quad(lambda x: on.values_at([x], values)[0, 0], 0, 1, points=at.tolist(), limit=200)
    assert found == pytest.approx(steps, abs=1e-9)
    assert 0 <= found <= values.max()


def test_the_mean_restricted_time_is_that_of_kaplan_and_meier(study: Tables) -> None:
    """The area under the product-limit curve up to the common budget, with runs censored where they were followed to.

    lifelines' `restricted_mean_survival_time(KaplanMeierFitter().fit(t, observed), B)` is this integral; up to a budget
    that all runs were followed to it is the mean of min(t, B).
    """
    runs = study.runs
    best = best_so_far(study.nodes, runs)
    on = budget_progress(best, runs, "time_s")
    reached = (best["level"] >= 1).to_numpy(dtype=float)
    hit = np.full(len(runs), np.inf)
    rows = reached[on.rows] > 0
    np.minimum.at(hit, on.run[rows], on.at[rows])
    followed = runs["charged_s"].to_numpy(dtype=float)
    seen = np.minimum(hit, followed)
    area, survival, before = 0.0, 1.0, 0.0
    for t in np.unique(seen[hit <= followed]):
        if t > on.limit:
            break
        area, before = area + survival * (t - before), t
        survival *= 1 - ((seen == t) & (hit <= followed)).sum() / (seen >= t).sum()
    area += survival * (on.limit - before)
    assert on.restricted_time(reached).mean() == pytest.approx(area, rel=1e-12)


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_normalised_change_is_bounded_and_has_the_sign_of_the_change(first: float, last: float) -> None:
    found = float(normalised_change(np.array([first]), np.array([last]))[0])
    assert -1 <= found <= 1
    assert np.sign(found) == np.sign(last - first) or abs(last - first) < 1e-300


def test_worked_normalised_changes() -> None:
    assert normalised_change(np.array([0.5, 0.5, 1.0, 0.0]), np.array([0.75, 0.25, 1.0, 0.0])).tolist() == [
        0.5,
        -0.5,
        0,
        0,
    ]


def test_intervals_and_p_are_scipys() -> None:
    d = np.random.default_rng(3).normal(0.1, 1, (5, 9))
    d[2, 4:6] = np.nan
    low, high, p = mean_intervals(d)
    for row, own in enumerate(d):
        expected = stats.ttest_1samp(own[~np.isnan(own)], 0.0)
        interval = expected.confidence_interval(0.95)
        assert (low[row], high[row], p[row]) == pytest.approx((interval.low, interval.high, expected.pvalue), rel=1e-10)


def test_without_spread_nothing_is_judged() -> None:
    low, _, p = mean_intervals(np.array([[0.0, 0.0, 0.0], [0.1, 0.1, 0.1], [0.2, np.nan, np.nan]]))
    assert np.isnan(low).all()
    assert p[0] == 1.0
    assert np.isnan(p[1:]).all()


def test_at_the_whole_budget_of_steps_rates_are_those_of_the_medal_table(study: Tables) -> None:
    models, arms = models_of(study), arms_of(study)
    best = best_so_far(study.nodes, study.runs)
    found = [g for g in budget_gaps(study.runs, best, models, arms, arms[3], arms[1]) if g.axis == "steps"]
    counts = outcomes(study.runs, models, arms, "any_medal")
    rates = (counts.hits / counts.counts).mean(axis=(0, 2))
    assert found[-1].budget == SHAPE.steps
    assert (found[-1].rate_treatment, found[-1].rate_baseline) == pytest.approx((rates[3], rates[1]), rel=1e-12)


def test_a_measured_gap_is_the_mean_over_tasks_of_the_means_over_runs(study: Tables) -> None:
    models, arms = models_of(study), arms_of(study)
    found = measures(study.runs, best_so_far(study.nodes, study.runs))
    keys = [m.key for m in found]
    assert keys[:2] == ["percentile", "normalised_improvement"]
    assert {f"auc_{axis}" for axis in AXES} <= set(keys)
    assert {f"to_{target}_{axis}" for axis in AXES for target in ("median", "bronze", "silver", "gold")} <= set(keys)
    gap = measured_gaps(found, study.runs, models, arms, arms[1])[0]
    frame = study.runs.assign(y=study.runs["percentile"].fillna(0.0))
    means = frame.groupby(["strategy", "task", "model"])["y"].mean().groupby(["strategy", "task"]).mean()
    d = means["random"] - means["greedy"]
    assert (gap.measure, gap.model, gap.treatment) == ("percentile", "", "random")
    assert gap.gap == pytest.approx(d.mean(), rel=1e-12)
    assert gap.p == pytest.approx(stats.ttest_1samp(d, 0.0).pvalue, rel=1e-9)
    assert (gap.ahead, gap.behind) == ((d > 0).sum(), (d < 0).sum())
    assert TaskCells.of(study.runs, models, arms).means(found[0].values).shape == (2, 4, 4)


def crossing(tables: Tables, low: float, high: float) -> tuple[Tables, pd.DataFrame]:
    """Every run of the treatment finds its medal at `high` steps, of the others at `low`, on all tasks but one each."""
    rows = []
    for r in tables.runs.to_dict("records"):
        late = r["strategy"] == "gome"
        if not (late and r["task"] == "task-000") and not (not late and int(str(r["task"])[-1]) > 1):
            rows.append({"run_id": r["run_id"], "step": high if late else low, "level": 1.0})
    return tables, pd.DataFrame(rows)


def test_a_crossover_in_budget_needs_both_ends_and_a_change(study: Tables) -> None:
    models, arms = models_of(study), arms_of(study)
    tables, best = crossing(study, 1.0, 5.0)
    best = best.assign(t_charged_s=best["step"], cum_tokens=best["step"], cum_usd=best["step"])
    pair = arms[3], arms[1]
    declared = ("steps", (1.0, 2.0), (6.0, 8.0))
    found = budget_crossover(tables.runs, best, models, arms, pair, declared)
    assert (found.low_gap, found.high_gap) == (-0.5, 0.25)
    assert not found.established  # ahead on one task more of four: that may be chance
    d_low, d_high = np.array([-1.0, -1, 0, 0]), np.array([-1.0, 0, 1, 1])
    assert found.p_low == pytest.approx(stats.ttest_1samp(d_low, 0, alternative="less").pvalue)
    assert found.p_high == pytest.approx(stats.ttest_1samp(d_high, 0, alternative="greater").pvalue)
    assert found.p_change == pytest.approx(stats.ttest_rel(d_high, d_low).pvalue)


@pytest.mark.parametrize(
    ("gaps", "p", "expected"),
    [
        ((-0.1, 0.1), (0.01, 0.02, 0.03), True),
        ((0.1, 0.1), (0.01, 0.02, 0.03), False),
        ((-0.1, 0.1), (0.01, 0.06, 0.03), False),
    ],
)
def test_what_establishes_it(gaps: tuple[float, float], p: tuple[float, float, float], expected: bool) -> None:
    x = BudgetCrossover("steps", (1.0, 2.0), (3.0, 4.0), *gaps, *p, tasks=9)
    assert x.established is expected


def test_budgets_beyond_what_runs_were_followed_to_give_no_verdict(study: Tables) -> None:
    models, arms = models_of(study), arms_of(study)
    best = best_so_far(study.nodes, study.runs)
    declared = ("steps", (1.0, 2.0), (6.0, 80.0))
    found = budget_crossover(study.runs, best, models, arms, (arms[3], arms[1]), declared)
    assert "followed to 8 alone" in found.refused
    assert not found.established


@pytest.mark.parametrize(
    "raw",
    [
        [1, 2],
        {"axis": "days", "low": [1, 2], "high": [3, 4]},
        {"axis": "steps", "low": [1], "high": [3, 4]},
        {"axis": "steps", "low": [1, 4], "high": [3, 5]},
        {"axis": "steps", "low": [1, 2]},
    ],
)
def test_budgets_that_are_none_are_refused(raw: object) -> None:
    with pytest.raises(ConfigError, match=r"claim\."):
        declared_budgets({"claim": {"budgets": raw}})


@pytest.mark.usefixtures("undrawn")
def test_declared_budgets_reach_page_and_tables(study: Tables, tmp_path: Path) -> None:
    claim = dict(study.study["claim"]) | {"budgets": {"axis": "steps", "low": [1, 2], "high": [6, 8]}}
    folder = write(replace(study, study=dict(study.study) | {"claim": claim}), tmp_path)
    results = analyse(read(folder))
    said = measured_view.verdict(results)
    assert said.startswith("Confirmatory: in simulation, ")
    assert "4 tasks like these" in said
    found = all_frames(results)
    assert {"measures", "budget_gaps", "budget_crossover"} <= set(found)
    assert bool(found["measures"]["simulated"].all())
    text = Page(write_report(folder).read_text(encoding="utf-8")).text
    assert "crossover in budget is established" in text
    assert "percentile on the board" in text


def test_a_study_without_medals_of_programs_has_percentiles_and_areas_alone() -> None:
    """Its tables are of an earlier version, and the area is that of the standing in the study."""
    tables = synthetic(models=1, tasks=3, seeds=2)
    nodes = tables.nodes.drop(columns="medal")
    results = analyse(replace(tables, nodes=nodes))
    keys = {m.key for m in results.measured.measures}
    assert keys == {"percentile", "auc_steps", "auc_time_s", "auc_tokens", "auc_usd"}
    assert results.measured.budgets == ()


@pytest.mark.parametrize(
    ("limit", "times", "expected"),
    [
        (40.0, [76.9, 108.2, 94.2, 30.9, 39.5, 105.5, 5.6, 99.4, 96.7, 58.8, 39.8, 37.0], 36.06666666666666),
        (60.0, [34.3, 56.2, 63.0, 68.7, 119.5, 96.2, 76.6, 118.7, 29.8, 23.4, 75.4, 10.1], 47.81666666666666),
    ],
)
def test_restricted_means_are_those_of_lifelines(limit: float, times: list[float], expected: float) -> None:
    """Values of lifelines 0.30.0: `restricted_mean_survival_time(KaplanMeierFitter().fit(seen, event), t=limit)`."""
    ids = [f"r{i}" for i in range(len(times))]
    runs = pd.DataFrame({"run_id": ids, "status": "ok", "ended": "completed", "charged_s": limit})
    best = pd.DataFrame({"run_id": ids, "t_charged_s": times})
    spent = budget_progress(best, runs, "time_s").restricted_time(np.ones(len(times)))
    assert spent.mean() == pytest.approx(expected, rel=1e-12)


def test_declared_measures_are_a_family_of_their_own(study: Tables) -> None:
    """Holm over them, and the others keep Benjamini and Hochberg; a measure that the tables lack is refused."""
    named = ["percentile", "auc_steps", "to_gold_usd"]
    claimed = replace(study, study=dict(study.study) | {"claim": dict(study.study["claim"]) | {"measures": named}})
    found = analyse(claimed).measured.gaps
    declared = [gap for gap in found if gap.declared]
    assert [(gap.measure, gap.model, gap.treatment) for gap in declared] == [(name, "", "gome") for name in named]
    raw = sorted(gap.p for gap in declared)
    highest = max(p * (3 - i) for i, p in enumerate(raw))
    assert max(gap.p_adjusted for gap in declared) == pytest.approx(min(1.0, highest))
    assert not any(gap.declared for gap in analyse(study).measured.gaps)
    without = replace(claimed, nodes=claimed.nodes.drop(columns="medal"))
    with pytest.raises(ConfigError, match="do not give to_gold_usd"):
        analyse(without)
