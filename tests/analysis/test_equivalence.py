"""Equality within a margin, and the gap that would have been found: against statsmodels and by simulation."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from mlesearch.analysis.statistics.equivalence import detectable_gap, equivalences, two_one_sided

NONE_LOST = np.zeros(1, dtype=np.int64)


@pytest.mark.parametrize("margin", [0.02, 0.05, 0.3])
def test_the_two_one_sided_tests_are_those_of_statsmodels(margin):
    rng = np.random.default_rng(0)
    a, b = rng.binomial(3, 0.5, 40) / 3, rng.binomial(3, 0.5, 40) / 3
    expected, *_ = ttost_paired(a, b, -margin, margin)
    (got,) = equivalences([a - b], margin, NONE_LOST)
    assert got.p == pytest.approx(expected)
    assert got.p_adjusted == got.p


def test_the_detectable_gap_is_that_of_the_power_of_t():
    """(t + t) standard errors is an approximation; the exact power from the noncentral t differs by a percent."""
    for tasks in (22, 75):
        exact = TTestPower().solve_power(nobs=tasks, alpha=0.05, power=0.8, alternative="two-sided")
        assert detectable_gap(1 / math.sqrt(tasks), tasks) == pytest.approx(exact, rel=0.02)


def test_over_several_models_it_is_larger():
    known = {tests: detectable_gap(1.0, 100_000, tests) for tests in (1, 4, 10)}
    assert {k: round(v, 2) for k, v in known.items()} == {1: 2.80, 4: 3.34, 10: 3.65}


def test_what_would_have_been_found_is_found():
    rng = np.random.default_rng(1)
    gap = detectable_gap(1 / math.sqrt(40), 40)
    p = stats.ttest_1samp(gap + rng.normal(size=(4000, 40)), 0, axis=1).pvalue
    assert 0.77 <= np.mean(p <= 0.05) <= 0.83


def test_at_the_margin_equality_is_claimed_in_five_percent():
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(2000):
        d = 0.5 + rng.normal(size=30)
        found += two_one_sided(d.mean(), d.std(ddof=1) / math.sqrt(30), 30, 0.5) <= 0.05
    assert found / 2000 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


def test_holm_over_the_models_and_nothing_is_shown_without_spread_or_with_lost_runs():
    rng = np.random.default_rng(3)
    rows = np.vstack([rng.normal(size=(2, 50)) * 0.1, np.zeros(50), np.full(50, np.nan), rng.normal(size=50) * 0.1])
    first, second, alike, absent, lossy = equivalences(rows, 0.05, np.array([0, 0, 0, 0, 2]))
    assert first.p_adjusted >= first.p
    assert math.isnan(alike.p)
    assert math.isnan(alike.detectable)
    assert math.isnan(absent.p)
    assert lossy.p == lossy.p_adjusted == 1.0
    assert not math.isnan(lossy.detectable)
    assert max(first.p_adjusted, second.p_adjusted) <= 0.05
    assert all(math.isnan(e.p) for e in equivalences(rows, None, np.zeros(5, dtype=np.int64)))
