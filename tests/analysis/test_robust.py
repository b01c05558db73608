"""Interquartile mean and probability of improvement: against scipy, by brute force, and through a study."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlesearch.analysis.comparisons.robust import (
    interquartile_mean,
    mean_over_tasks,
    percentiles,
    probability_of_improvement,
    score_grid,
)
from mlesearch.analysis.page import robust_view
from mlesearch.analysis.results import analyse
from tests.support.synthetic_study import lost, synthetic

scores = st.lists(st.integers(0, 8), min_size=1, max_size=9).map(lambda x: np.array(x) / 8)


@given(scores)
def test_interquartile_mean_equals_scipy(x):
    assert interquartile_mean(x) == pytest.approx(stats.trim_mean(np.repeat(x, 4), 0.25))  # each value four times
    if x.size % 4 == 0:
        assert interquartile_mean(x) == pytest.approx(stats.trim_mean(x, 0.25))


@given(scores, scores)
def test_probability_of_improvement_equals_counting(a, b):
    won = sum(1.0 if x > y else 0.5 if x == y else 0.0 for x in a for y in b)
    assert probability_of_improvement(a, b) == pytest.approx(won / (a.size * b.size))
    assert probability_of_improvement(a, b) == pytest.approx(stats.mannwhitneyu(a, b).statistic / (a.size * b.size))
    assert probability_of_improvement(b, a) == pytest.approx(1 - probability_of_improvement(a, b))


def test_gaps_in_a_grid_are_no_runs():
    grid = np.array([[0.2, 0.4, np.nan], [0.1, 0.5, 0.9], [np.nan] * 3])
    assert interquartile_mean(grid)[:2] == pytest.approx([0.3, 0.5])
    assert math.isnan(interquartile_mean(grid)[2])
    beats = probability_of_improvement(grid, np.full((3, 1), 0.3))
    assert beats[:2] == pytest.approx([0.5, 2 / 3])
    assert math.isnan(beats[2])


def test_means_over_tasks_equal_scipy():
    x = np.random.default_rng(0).uniform(0.4, 0.8, 20)
    got = mean_over_tasks([*x, np.nan], null=0.5)
    reference = stats.ttest_1samp(x, 0.5)
    limits = reference.confidence_interval()
    assert (got.mean, got.p, got.low, got.high) == pytest.approx((x.mean(), reference.pvalue, limits.low, limits.high))
    assert got.tasks == 20
    for alike in ([0.5], [0.5, 0.5]):
        assert math.isnan(mean_over_tasks(alike, null=0.5).low)
    assert mean_over_tasks([]).tasks == 0


def test_a_failed_run_is_the_worst_value():
    tables = synthetic(models=2, strategies=("greedy", "gome"), tasks=5, seeds=3, steps=2)
    broken = lost(tables, tables.runs["seed"] == 2)
    results = analyse(broken)
    grid = score_grid(results.tables.runs, results.models, results.arms)
    assert grid.shape == (2, 2, 5, 3)
    for m, model in enumerate(results.models.names):
        for a, arm in enumerate(results.arms):
            for t, task in enumerate(results.board.counts.tasks):
                runs = broken.runs[
                    (broken.runs["model"] == model)
                    & (broken.runs["strategy"] == arm.strategy)
                    & (broken.runs["task"] == task)
                ]
                expected = runs["percentile"].where(runs["valid"], 0.0).fillna(0.0)
                assert sorted(grid[m, a, t]) == pytest.approx(sorted(expected))
    cells = percentiles(grid, results.models, results.arms)
    assert [c.runs for c in cells] == [15] * 4
    assert all(c.worst >= 5 for c in cells)
    assert all(c.mean.mean == pytest.approx(grid[i // 2, i % 2].mean()) for i, c in enumerate(cells))
    dropped = analyse(broken, "drop_seed")
    assert score_grid(dropped.tables.runs, dropped.models, dropped.arms).shape[-1] == 2


def test_the_interquartile_mean_never_stands_alone():
    results = analyse(synthetic(models=2, strategies=("greedy", "mcts", "gome"), tasks=5, seeds=2, steps=2))
    shown, beats = robust_view.views(results)
    assert shown.heads == ("model", "strategy", "mean", "interquartile mean", "runs at 0")
    assert "read it beside the mean" in shown.caption
    assert len(beats.rows) == 4  # two treatments with two models
    frames = robust_view.frames(results)
    assert {"mean", "iqm", "runs_at_worst"} <= set(frames["percentiles"])
    assert set(frames["improvement"]["treatment"]) == {"mcts", "gome"}


def test_without_a_leaderboard_there_are_no_percentiles():
    tables = synthetic(models=1, strategies=("greedy", "gome"), tasks=3, seeds=2, steps=1)
    flags = dict.fromkeys(("gold", "silver", "bronze", "above_median"), False)
    bare = replace(tables, runs=tables.runs.assign(no_board=True, percentile=None, **flags), study={"name": "bare"})
    assert robust_view.views(analyse(bare)) == ()
    assert robust_view.frames(analyse(bare)) == {}
