"""Rates and their intervals: figures worked by hand, contracts, and coverage by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from mlesearch.analysis.statistics.rates import e1_rates, e2_rates, parity, wilson
from tests.support.synthetic_study import TASK_RATES

cells = st.integers(1, 6).flatmap(
    lambda k: st.lists(st.integers(0, k), min_size=2, max_size=30).map(lambda hits: (np.array(hits), k))
)


def test_wilson_is_where_the_score_test_just_rejects():
    low, high = wilson(0.3, 40, 2.1)
    for limit in (low, high):
        assert abs(0.3 - limit) / math.sqrt(limit * (1 - limit) / 40) == pytest.approx(2.1)


def test_wilson_equals_the_textbook_figures():
    low, high = wilson(81 / 263, 263, stats.norm.ppf(0.975))  # Newcombe 1998, table I: .2553 to .3662
    assert low == pytest.approx(0.2553, abs=5e-5)
    assert high == pytest.approx(0.3662, abs=5e-5)
    exact = stats.binomtest(81, 263).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((exact.low, exact.high))


def test_e2_by_hand():
    # p = 1, 1/3, 0, 2/3: r = 1/2, var = 5/27, V = 5/108, n_eff = (1/4) / (5/108) = 5.4, q = t(.975; 3)
    got = e2_rates([3, 1, 0, 2], 3)
    q = stats.t.ppf(0.975, 3)
    assert got.rate == pytest.approx(0.5)
    assert got.n_eff == pytest.approx(5.4)
    half = optimize.brentq(lambda d: d / math.sqrt((0.5 + d) * (0.5 - d) / 5.4) - q, 1e-6, 0.4999)
    assert (got.low, got.high) == pytest.approx((0.5 - half, 0.5 + half))


def test_e1_by_hand():
    # p (1 - p) = 0, 2/9, 0, 2/9; V = (4/9) / 2 / 16 = 1/72; n_eff = 18; df = 8
    got = e1_rates([3, 1, 0, 2], 3)
    assert got.n_eff == pytest.approx(18.0)
    assert got.df == 8
    assert (got.low, got.high) == pytest.approx(wilson(0.5, 18.0, stats.t.ppf(0.975, 8)))


def test_e1_floor_and_edges():
    tasks = 10
    hits = np.array([3] * 4 + [0] * 6)  # every task certain: only the floor keeps the interval from vanishing
    got = e1_rates(hits, 3)
    assert got.n_eff == pytest.approx(0.4 * 0.6 / (0.5 * 2 / 9 / tasks**2))
    assert e1_rates(np.zeros(tasks, int), 3).n_eff == 30
    assert e2_rates(np.zeros(tasks, int), 3).n_eff == tasks
    assert e2_rates(np.full(tasks, 3), 3).n_eff == tasks
    assert e2_rates(np.full(tasks, 1), 3).n_eff == 30  # no spread over tasks: never more than the runs


def test_what_is_not_estimable_says_so():
    assert np.isnan(e2_rates([2], 3).low)
    assert e2_rates([2], 3).rate == pytest.approx(2 / 3)
    assert np.isnan(e1_rates([1, 0, 1], 1).low)
    assert np.isnan(e1_rates([1, 0, 1], [3, 3, 1]).high)
    for hits, counts in (([], []), ([1, 2], [3, 0]), ([4], [3]), ([-1], [3])):
        with pytest.raises(ValueError, match="at least one"):
            e2_rates(hits, counts)


@given(cells)
def test_intervals_lie_in_the_unit_range_and_hold_the_rate(cell):
    hits, seeds = cell
    for rates in (e2_rates(hits, seeds), e1_rates(hits, seeds)):
        if not np.isnan(rates.low):
            assert 0.0 <= rates.low <= rates.rate <= rates.high <= 1.0
            assert rates.high - rates.low > 0


@given(cells)
def test_intervals_shrink_with_more_of_the_same_tasks(cell):
    hits, seeds = cell
    for make in (e2_rates, e1_rates):
        few, many = make(hits, seeds), make(np.tile(hits, 3), seeds)
        if not np.isnan(few.low):
            assert many.high - many.low < few.high - few.low


@given(cells)
def test_success_and_failure_mirror(cell):
    hits, seeds = cell
    for make in (e2_rates, e1_rates):
        a, b = make(hits, seeds), make(seeds - hits, seeds)
        np.testing.assert_allclose([a.low, a.high], [1 - b.high, 1 - b.low], atol=1e-12)


def test_cells_at_once_equal_cells_one_by_one():
    rng = np.random.default_rng(3)
    hits = rng.binomial(3, 0.4, size=(4, 5, 20))
    for make in (e2_rates, e1_rates):
        whole = make(hits, 3)
        assert whole.low.shape == (4, 5)
        one = make(hits[2, 3], 3)
        assert (whole.low[2, 3], whole.high[2, 3]) == (one.low, one.high)


def test_parity_by_hand():
    # three seeds over four tasks: 50 %, 25 %, 75 %
    reports = [[1, 0, 1], [1, 1, 1], [0, 0, 1], [0, 0, 0]]
    got = parity(reports)
    assert got.mean == 50.0
    assert got.sem == stats.sem([50.0, 25.0, 75.0], ddof=1)
    assert (got.low, got.high) == (got.mean - 1.96 * got.sem, got.mean + 1.96 * got.sem)
    assert (got.seeds, got.tasks) == (3, 4)


def test_parity_cuts_or_pads_unequal_seeds():
    reports = [[True, True, True], [True]]
    assert parity(reports).mean == 100.0
    assert (parity(reports).seeds, parity(reports).sem) == (1, 0.0)
    padded = parity(reports, padded=True)
    assert (padded.seeds, padded.mean) == (3, pytest.approx(200 / 3))
    assert parity([[True], []], padded=True).mean == 50.0
    for bad in ([], [[], [True]]):
        with pytest.raises(ValueError, match="no complete seed"):
            parity(bad)


def coverage(rates, tasks, seeds, replicates, seed=11):
    """Shares of E2 and E1 intervals that hold the truth."""
    rng = np.random.default_rng(seed)
    truth = rates(np.random.default_rng(1), 1_000_000).mean()
    p = rates(rng, (replicates, tasks))
    hits = rng.binomial(seeds, p)
    e2, e1 = e2_rates(hits, seeds), e1_rates(hits, seeds)
    own = p.mean(axis=1)
    return np.mean((e2.low <= truth) & (truth <= e2.high)), np.mean((e1.low <= own) & (own <= e1.high))


@pytest.mark.parametrize("name", sorted(TASK_RATES))
def test_coverage_in_short(name):
    e2, e1 = coverage(TASK_RATES[name], 22, 3, 1000)
    assert 0.93 <= e2 <= 0.99
    assert 0.92 <= e1 <= 0.975


@pytest.mark.slow
@pytest.mark.parametrize(("tasks", "seeds"), [(22, 3), (75, 3), (75, 10), (22, 1)])
@pytest.mark.parametrize("name", sorted(TASK_RATES))
def test_coverage_in_full(name, tasks, seeds):
    e2, e1 = coverage(TASK_RATES[name], tasks, seeds, 10_000)
    assert 0.935 <= e2 <= 0.985  # the published range .94 to .98, with Monte Carlo error
    if seeds > 1:
        assert 0.925 <= e1 <= 0.965


def test_parity_covers_as_little_as_the_report_says():
    rng = np.random.default_rng(5)
    p = TASK_RATES["strong"](rng, (1500, 75))
    truth = TASK_RATES["strong"](np.random.default_rng(1), 1_000_000).mean()
    runs = rng.random((1500, 75, 3)) < p[..., None]
    percent = 100 * runs.mean(axis=1)
    sem = percent.std(axis=1, ddof=1) / math.sqrt(3)
    e2 = np.mean(np.abs(percent.mean(axis=1) - 100 * truth) <= 1.96 * sem)
    e1 = np.mean(np.abs(percent.mean(axis=1) - 100 * p.mean(axis=1)) <= 1.96 * sem)
    assert 0.4 <= e2 <= 0.7
    assert 0.76 <= e1 <= 0.86
    one = parity(runs[0].tolist())
    assert one.mean == pytest.approx(percent[0].mean())
    assert one.sem == pytest.approx(sem[0])
