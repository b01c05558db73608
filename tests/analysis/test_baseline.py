"""The best of several baselines: against loops, by enumeration, and by simulation."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlesearch.analysis.statistics.baseline import best_baseline
from mlesearch.analysis.statistics.best_of import divisions
from mlesearch.analysis.statistics.signflip import sign_flip, sign_flip_above
from tests.support.dependent_grids import equal_arms

rates = st.lists(st.integers(0, 3), min_size=5, max_size=12).flatmap(
    lambda first: st.tuples(
        st.just(first),
        st.lists(st.lists(st.integers(0, 3), min_size=len(first), max_size=len(first)), min_size=1, max_size=4),
    )
)


def by_loops(b, halves):
    """The rate of the baseline that the other half chose, task by task; a share of each where several tie."""
    found = []
    for half in halves:
        total = 0.0
        for own, other in ((half, ~half), (~half, half)):
            sums = b[:, other].sum(axis=1)
            best = np.flatnonzero(sums >= sums.max() - 1e-9)
            total += b[best][:, own].sum() / best.size
        found.append(total / b.shape[1])
    return float(np.mean(found))


@given(rates)
def test_gap_and_jackknife_equal_loops(drawn):
    a, b = (np.array(part) / 3 for part in drawn)
    got = best_baseline(a, b, splits=7)
    halves = divisions(a.size, 7, 0)
    assert got.gap == pytest.approx(a.mean() - by_loops(b, halves), abs=1e-12)
    without = []
    for t in range(a.size):
        keep = np.arange(a.size) != t
        without.append(a[keep].mean() - by_loops(b[:, keep], halves[:, keep]))
    error = np.sqrt((a.size - 1) / a.size * ((np.array(without) - np.mean(without)) ** 2).sum())
    assert got.error == pytest.approx(error, abs=1e-12)
    assert sum(got.chosen) == pytest.approx(1.0)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_one_sided_p_equals_enumeration(d):
    sums = [sum(s * x for s, x in zip(signs, d, strict=True)) for signs in product((-1, 1), repeat=len(d))]
    expected = np.mean([s >= sum(d) for s in sums])
    assert sign_flip_above(np.array(d) / 3) == pytest.approx(expected)
    assert sign_flip_above(np.array(d) / 7) == pytest.approx(expected)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=20), st.integers(1, 7))
def test_one_sided_p_is_half_of_the_two_sided_one(d, unit):
    above, below = (sign_flip_above(sign * np.array(d) / unit) for sign in (1, -1))
    assert sign_flip(d)[0] == (min(1.0, 2 * min(above, below)) if sum(d) else 1.0)


def test_many_differences_are_tested_by_t():
    d = np.random.default_rng(0).normal(0.1, 1, 60)
    expected = stats.ttest_1samp(d, 0, alternative="greater").pvalue
    assert best_baseline(d, [np.zeros(60)]).p_ahead == pytest.approx(expected)
    alike = best_baseline(np.full(25, 0.3), [np.zeros(25)])  # t has no scale, the signs have
    assert (alike.p_ahead, alike.p_behind) == (pytest.approx(2.0**-25), 1.0)
    assert best_baseline(np.zeros(25), [np.zeros(25)]).p_ahead == 1.0


def test_one_baseline_is_the_paired_gap():
    rng = np.random.default_rng(1)
    a, b = rng.binomial(3, 0.6, 40) / 3, rng.binomial(3, 0.4, 40) / 3
    got = best_baseline(a, [b])
    limits = stats.ttest_rel(a, b).confidence_interval()
    assert (got.gap, got.low, got.high) == pytest.approx((float((a - b).mean()), limits.low, limits.high))
    assert got.gap == pytest.approx(got.observed)
    assert got.chosen == (1.0,)
    assert got.p_ahead == pytest.approx(stats.ttest_rel(a, b, alternative="greater").pvalue)


def test_one_baseline_far_ahead_is_always_chosen():
    rng = np.random.default_rng(2)
    weak = rng.binomial(3, 0.1, (3, 30)) / 3
    strong = np.minimum(1, weak.max(axis=0) + 2 / 3)
    a = rng.binomial(3, 0.5, 30) / 3
    got = best_baseline(a, [*weak, strong])
    assert got.chosen[-1] == 1.0
    assert got.gap == pytest.approx(got.observed) == pytest.approx(float((a - strong).mean()))
    assert got.error == pytest.approx(float((a - strong).std(ddof=1) / np.sqrt(30)))


@given(rates, st.randoms(use_true_random=False))
def test_the_order_of_baselines_does_not_matter(drawn, random):
    a, b = (np.array(part) / 3 for part in drawn)
    order = list(range(len(b)))
    random.shuffle(order)
    one, two = best_baseline(a, b, splits=5), best_baseline(a, b[order], splits=5)
    assert (one.gap, one.error, one.p_ahead, one.p_behind) == pytest.approx(
        (two.gap, two.error, two.p_ahead, two.p_behind), abs=1e-12
    )
    assert np.array(one.chosen)[order] == pytest.approx(two.chosen)


def test_what_is_too_few_is_refused():
    with pytest.raises(ValueError, match="at least 4 tasks"):
        best_baseline(np.zeros(3), np.zeros((2, 3)))
    for a, b in ((np.zeros(5), np.zeros((0, 5))), (np.zeros(5), np.zeros((2, 6))), (np.zeros(5), np.zeros(5))):
        with pytest.raises(ValueError, match="shape"):
            best_baseline(a, b)


def outside(got):
    """Share of intervals that do not hold 0."""
    return np.mean([not g.low <= 0 <= g.high for g in got])


def four_equal(tasks, seeds, replicates, splits=100, seed=11):
    """Means of the cross-fitted and of the observed gap, standard error of the first, and shares rejected."""
    rng = np.random.default_rng(seed)
    got = []
    for _ in range(replicates):
        rate = equal_arms(rng, 5, tasks, seeds)
        got.append(best_baseline(rate[0], rate[1:], splits=splits))
    gaps = np.array([g.gap for g in got])
    print(f"{tasks} x {seeds}: bias {100 * gaps.mean():+.2f} ± {100 * gaps.std() / replicates**0.5:.2f}")
    print(f"observed {100 * np.mean([g.observed for g in got]):+.2f}, shares rejected:")
    print({"interval": outside(got), "ahead": np.mean([g.p_ahead <= 0.05 for g in got])})
    print({"behind": np.mean([g.p_behind <= 0.05 for g in got])})
    return gaps.mean(), gaps.std() / replicates**0.5, got


def test_four_equal_baselines_in_short():
    bias, error, got = four_equal(75, 3, 200, splits=20)
    assert abs(bias) <= 3 * error
    assert np.mean([g.observed for g in got]) < -0.02  # the observed best would be ahead by some 2.6 points


@pytest.mark.slow
@pytest.mark.parametrize(("tasks", "seeds"), [(75, 3), (75, 10), (22, 3), (22, 10)])
def test_four_equal_baselines_in_full(tasks, seeds):
    bias, error, got = four_equal(tasks, seeds, 4000)
    assert abs(bias) <= 3 * error
    assert outside(got) <= 0.07
    assert np.mean([g.p_ahead <= 0.05 for g in got]) <= 0.06
    assert np.mean([g.p_behind <= 0.05 for g in got]) <= 0.06


@pytest.mark.slow
@pytest.mark.parametrize(("tasks", "seeds"), [(75, 3), (22, 3)])
def test_size_where_one_baseline_is_the_best(tasks, seeds):
    """The least favourable case: one baseline as good as the treatment, the others far behind."""
    rng = np.random.default_rng(12)
    got = []
    for _ in range(4000):
        rate = equal_arms(rng, 2, tasks, seeds)
        got.append(best_baseline(rate[0], [rate[1], *(0.3 * rate[1] for _ in range(3))], splits=20))
    ahead = np.mean([g.p_ahead <= 0.05 for g in got])
    print(f"{tasks} x {seeds}: ahead {ahead:.3f}, interval {outside(got):.3f}")
    assert ahead <= 0.06
    assert outside(got) <= 0.07
