"""Ablations, parallel traces, cost and its front, the best baseline: by hand, by brute force, and through studies."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlesearch.analysis.comparisons.ablation import ablations, log2_contrast, trace_contrasts, traces_of
from mlesearch.analysis.comparisons.pareto import TaskSums, dominated, efficiencies, task_sums
from mlesearch.analysis.data.claim import Arm
from mlesearch.analysis.data.outcomes import Outcomes
from mlesearch.analysis.page import contrasts_view
from mlesearch.analysis.results import analyse
from mlesearch.analysis.statistics.baseline import best_baseline
from mlesearch.analysis.statistics.gaps import holm, paired_gap
from tests.support.synthetic_study import lost, synthetic

ARMS = (
    Arm("gome", "base", "gome/base"),
    Arm("gome", "no-memory", "gome/no-memory"),
    Arm("gome", "one-trace", "gome/one-trace"),
    Arm("greedy", "base", "greedy"),
)


def outcomes(hits, lost_runs=None):
    """Counts of cells with three runs a task, hits of shape (M, A, T)."""
    counts = np.full_like(hits, 3)
    gone = np.zeros_like(hits) if lost_runs is None else lost_runs
    return Outcomes(tuple(f"t{t}" for t in range(hits.shape[2])), hits, counts, gone)


def test_ablations_are_paired_gaps_over_all_models_with_holm():
    hits = np.random.default_rng(0).binomial(3, 0.4, (2, 4, 30))
    hits[:, 0] = np.minimum(3, hits[:, 0] + 1)
    got = ablations(outcomes(hits), ARMS)
    assert [(a.strategy, a.variant) for a in got] == [("gome", "no-memory"), ("gome", "one-trace")]
    six = np.full((2, 30), 6)
    expected = [paired_gap(hits[:, [v, 0]].sum(axis=0), six) for v in (1, 2)]
    assert [a.gap.gap for a in got] == pytest.approx([g.gap for g in expected])
    assert [a.gap.p_adjusted for a in got] == pytest.approx(holm([g.p for g in expected]))
    assert all(a.gap.gap < 0 for a in got)


def test_a_model_without_results_is_left_out_of_an_ablation():
    hits = np.random.default_rng(1).binomial(3, 0.5, (2, 4, 12))
    gone = np.zeros_like(hits)
    hits[0, 1], gone[0, 1] = 0, 3
    got = {a.variant: a.gap for a in ablations(outcomes(hits, gone), ARMS)}
    assert got["no-memory"].gap == pytest.approx((hits[1, 1] - hits[1, 0]).mean() / 3)
    assert got["one-trace"].gap == pytest.approx((hits[:, 2] - hits[:, 0]).mean() / 3)
    assert ablations(outcomes(hits), ARMS[2:] + ARMS[2:]) == ()  # greedy has no other variant


def test_traces_are_a_contrast_in_their_logarithm():
    rng = np.random.default_rng(2)
    rates = rng.uniform(size=(3, 20)) + 0.1 * np.array([0, 1, 3])[:, None]
    got = log2_contrast("gome", rates, [1, 2, 8])
    slopes = [stats.linregress([0, 1, 3], rates[:, t]).slope for t in range(20)]
    reference = stats.ttest_1samp(slopes, 0)
    limits = reference.confidence_interval()
    assert got.traces == (1, 2, 8)
    assert (got.slope, got.p) == pytest.approx((np.mean(slopes), reference.pvalue))
    assert (got.low, got.high) == pytest.approx((limits.low, limits.high))
    flat = log2_contrast("gome", np.ones((2, 5)), [1, 4])
    assert (flat.slope, flat.p, np.isnan(flat.low)) == (0.0, 1.0, True)


def test_traces_are_counted_from_the_nodes():
    runs = pd.DataFrame({"run_id": ["a", "b", "c"], "strategy": ["gome"] * 3, "variant": ["base", "base", "one-trace"]})
    nodes = pd.DataFrame({"run_id": ["a", "a", "b", "c"], "trace": [0, 2, 3, None]})
    assert traces_of(runs, nodes, ARMS).tolist() == [4, 0, 1, 0]
    hits = np.random.default_rng(3).binomial(3, 0.5, (1, 4, 9))
    (found,) = trace_contrasts(outcomes(hits), ARMS, [4, 0, 1, 1])
    assert found.slope == pytest.approx((hits[0, 0] - hits[0, 2]).mean() / 3 / 2)
    assert trace_contrasts(outcomes(hits), ARMS, [4, 4, 4, 1]) == ()


points = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=6)


@given(points)
def test_dominated_equals_the_definition(drawn):
    rate, cost = np.array(drawn).T
    for a in range(rate.size):
        better = [
            rate[b] >= rate[a] and cost[b] <= cost[a] and (rate[b] > rate[a] or cost[b] < cost[a])
            for b in range(rate.size)
        ]
        assert dominated(rate, cost)[a] == any(better)
    assert not dominated(rate, cost).all()


def test_the_bootstrap_of_two_tasks_equals_enumeration():
    hits, cost = np.array([[3.0, 0.0], [1.0, 2.0]]), np.array([[6.0, 2.0], [2.0, 2.0]])
    sums = TaskSums(hits, cost, np.full((2, 2), 3.0))
    got = efficiencies(sums, ["a", "b"], draws=20_000)
    front, ratios = [], []
    for pair in product((0, 1), repeat=2):
        h, c = hits[:, pair].sum(axis=1), cost[:, pair].sum(axis=1)
        front.append(~dominated(h, c))
        ratios.append(h / c)
    assert [e.front_share for e in got] == pytest.approx(np.mean(front, axis=0), abs=0.02)
    assert [e.per_unit for e in got] == pytest.approx([3 / 8, 3 / 4])
    for e, seen in zip(got, np.array(ratios).T, strict=True):
        assert (e.low, e.high) == pytest.approx((seen.min(), seen.max()))
    assert [e.on_front for e in got] == [False, True]
    assert got == efficiencies(sums, ["a", "b"], draws=20_000)


def test_costs_are_sums_over_runs_with_a_result():
    tables = synthetic(models=2, strategies=("greedy", "mcts", "gome"), tasks=5, seeds=2, steps=2)
    results = analyse(tables)
    costs = contrasts_view.front(results)
    assert set(costs) == {"usd", "charged_h"}
    ended = results.tables.runs[results.tables.runs["status"] == "ok"]
    for e in costs["usd"]:
        own = ended[ended["strategy"] == e.arm]
        medals = own[["gold", "silver", "bronze"]].any(axis=1)
        assert e.per_unit == pytest.approx(medals.sum() / own["cost_usd"].sum())
        assert e.low <= e.per_unit <= e.high
    free = analyse(synthetic(models=2, strategies=("greedy", "gome"), tasks=4, seeds=2, steps=2, priced=False))
    assert set(contrasts_view.front(free)) == {"charged_h"}
    gone = lost(tables, (tables.runs["strategy"] == "mcts") & (tables.runs["task"] == "task-00"))
    assert contrasts_view.front(analyse(gone)) == {}  # a strategy lacks a task
    assert task_sums(ended.iloc[:0], results.arms, np.zeros(0), np.zeros(0)) is None


def test_the_tables_of_a_study_with_variants():
    tables = synthetic(models=2, strategies=("greedy", "gome"), variants=("base", "plain"), tasks=6, seeds=2, steps=2)
    traced = tables.nodes["run_id"].str.contains("/base/") & (tables.nodes["step"] == 2)
    results = analyse(replace(tables, nodes=tables.nodes.assign(trace=traced.astype(int))))
    shown = contrasts_view.ablation_view(results)
    assert [row[0].text for row in shown.rows] == ["greedy/plain", "gome/plain"]
    assert [row[1].text for row in contrasts_view.trace_view(results).rows] == ["1, 2", "1, 2"]
    assert set(contrasts_view.frames(results)) == {"best_baseline", "ablations", "traces", "front"}
    plain = analyse(synthetic(models=2, strategies=("greedy", "gome"), tasks=5, seeds=2, steps=1))
    assert contrasts_view.ablation_view(plain) is None
    assert contrasts_view.trace_view(plain) is None
    assert contrasts_view.baseline_view(plain) is None  # one other strategy is no choice


def test_the_best_baseline_of_a_study():
    results = analyse(synthetic(models=2, strategies=("random", "greedy", "mcts", "gome"), tasks=8, seeds=3, steps=2))
    view = contrasts_view.baseline_view(results)
    rates = results.board.counts.hits / results.board.counts.counts
    labels = [arm.label for arm in results.arms]
    own = labels.index("gome")
    expected = best_baseline(rates[1, own], np.delete(rates[1], own, axis=0))
    got = contrasts_view.best_baselines(results)[results.models.names[1]]
    assert (got.gap, got.error, got.p_ahead, got.chosen) == (
        expected.gap,
        expected.error,
        expected.p_ahead,
        expected.chosen,
    )
    assert len(view.rows) == 2
    assert "intersection-union" in view.caption
    frame = contrasts_view.frames(results)["best_baseline"]
    assert frame["p_ahead_adjusted"].tolist() == pytest.approx(holm(frame["p_ahead"].to_numpy()))
