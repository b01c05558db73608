"""Gaps, slopes and crossovers: against brute force, by hand, and by simulation."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlesearch.analysis.statistics.capability import design_p, slope_test, task_slopes
from mlesearch.analysis.statistics.crossover import crossover, groups_by_capability, groups_by_tier
from mlesearch.analysis.statistics.gaps import adjust, benjamini_hochberg, holm, paired_gap
from tests.support.synthetic_study import CAPABILITY, EFFECTS, grid_probabilities


def test_gap_by_hand_equals_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.binomial(3, 0.7, 60), rng.binomial(3, 0.4, 60)
    got = paired_gap([a, b], np.full((2, 60), 3))
    reference = stats.ttest_rel(a / 3, b / 3)
    assert got.method == "t over tasks"
    assert got.p == pytest.approx(reference.pvalue)
    limits = reference.confidence_interval(0.95)
    assert (got.low, got.high) == pytest.approx((limits.low, limits.high))


def test_few_informative_tasks_cannot_reject():
    a, b = [1, 1, 1, 1] + [0] * 30, [0] * 34
    got = paired_gap([a, b], np.ones((2, 34), int))
    assert (got.method, got.informative, got.tasks) == ("exact sign-flip", 4, 34)
    assert got.p == got.attainable_p == 0.125
    assert not got.can_reject()
    five, six = (paired_gap([[1] * n, [0] * n], np.ones((2, n), int)) for n in (5, 6))
    assert (five.p, five.can_reject()) == (0.0625, False)
    assert (six.p, six.can_reject()) == (0.03125, True)
    assert not adjust([six, got], "holm")[0].can_reject()  # 2 x .03125
    explored = paired_gap([[1] * 5, [0] * 5], np.ones((2, 5), int), mid_p=True)
    assert (explored.p, explored.method) == (0.03125, "mid-p sign-flip")


def test_gaps_without_spread_have_no_interval():
    same = paired_gap([[2, 1], [2, 1]], [[3, 3], [3, 3]])
    assert (same.gap, same.p, same.method) == (0.0, 1.0, "none")
    assert math.isnan(same.low)
    constant = paired_gap([[3] * 25, [2] * 25], np.full((2, 25), 3))
    assert math.isnan(constant.low)
    assert constant.p == constant.attainable_p == 2.0**-24


def test_unequal_seeds_tie_exactly():
    # 1/3 - 2/6 and 2/6 - 1/3 are ties at zero that floats would miss in sums
    got = paired_gap([[1, 2, 1], [2, 1, 0]], [[3, 6, 3], [6, 3, 3]])
    assert (got.informative, got.gap) == (1, pytest.approx(1 / 9))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40))
def test_swapping_the_arms_mirrors_the_gap(pairs):
    h = np.array(pairs).T
    k = np.full(h.shape, 3)
    one, two = paired_gap(h, k), paired_gap(h[::-1], k)
    assert one.gap == -two.gap
    assert (one.p, one.attainable_p, one.method) == pytest.approx((two.p, two.attainable_p, two.method))
    np.testing.assert_allclose([one.low, one.high], [-two.high, -two.low])
    assert one.attainable_p <= one.p
    if not math.isnan(one.low):
        assert -1 <= one.low <= one.gap <= one.high <= 1


def test_adjustments_by_hand():
    p = [0.01, 0.04, 0.03, 0.005]
    np.testing.assert_allclose(holm(p), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(benjamini_hochberg(p), [0.02, 0.04, 0.04, 0.02])
    np.testing.assert_allclose(benjamini_hochberg(p), stats.false_discovery_control(p))
    assert adjust([], "holm") == ()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_adjusted_p_are_never_smaller_and_keep_the_order(p):
    for adjusted in (holm(p), benjamini_hochberg(p)):
        assert (adjusted >= np.array(p) - 1e-15).all()
        assert (adjusted <= 1).all()
        assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
    assert (holm(p) >= benjamini_hochberg(p) - 1e-15).all()


def brute_slope(d, c, alternative):
    """Permutation p by least squares on every arrangement."""
    means = d.mean(axis=1)
    observed = stats.linregress(c, means).slope
    null = [stats.linregress(order, means).slope for order in permutations(c)]
    if alternative == "greater":
        return observed, np.mean([s >= observed - 1e-9 for s in null])
    if alternative == "less":
        return observed, np.mean([s <= observed + 1e-9 for s in null])
    return observed, np.mean([abs(s) >= abs(observed) - 1e-9 for s in null])


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
@pytest.mark.parametrize("capability", [(0.0, 1.0, 2.5), (-1.0, 0.0, 0.0, 2.0), (3.0, 1.0, 2.0, 5.0, 4.0)])
def test_permutation_test_equals_brute_force(alternative, capability):
    d = np.random.default_rng(4).normal(size=(len(capability), 7))
    slope, p = brute_slope(d, capability, alternative)
    got = slope_test(d, capability, alternative)
    assert got.slope == pytest.approx(slope)
    assert got.p == pytest.approx(p)
    assert got.exact
    assert got.attainable_p <= got.p <= 1


def test_three_models_cannot_go_below_one_sixth():
    d = np.array([[-0.5] * 9, [0.0] * 9, [0.5] * 9]) + np.random.default_rng(0).normal(size=9) * 0.01
    got = slope_test(d, (1.0, 2.0, 3.0))
    assert got.p == got.attainable_p == pytest.approx(1 / 6)
    tied = slope_test(d, (1.0, 1.0, 2.0))
    assert tied.attainable_p == pytest.approx(1 / 3)


def test_no_gap_anywhere_is_no_evidence():
    got = slope_test(np.zeros((4, 6)), (1.0, 2.0, 3.0, 4.0))
    assert (got.slope, got.p, got.p_two_sided, got.attainable_p) == (0.0, 1.0, 1.0, 1.0)
    assert (got.p_tasks, got.p_both, got.p_opposite) == (1.0, 1.0, 1.0)
    assert math.isnan(got.low_tasks)
    assert math.isnan(got.p_clustered)
    third = slope_test(np.full((4, 6), 1 / 3), (1.0, 2.0, 3.0, 4.0))  # the same, with rounding
    assert (third.p, third.p_tasks) == (1.0, 1.0)
    alone = slope_test(np.random.default_rng(0).normal(size=(3, 5)), (0.0, 0.0, 1.0))
    assert math.isnan(alone.se_clustered)  # the slope hangs on one model


def test_drawn_permutations_are_seeded_and_close_to_exact():
    rng = np.random.default_rng(1)
    c = np.arange(9.0)
    d = rng.normal(size=(9, 5)) + 0.12 * c[:, None]
    one, two = slope_test(d, c, seed=7), slope_test(d, c, seed=7)
    assert one == two
    assert not one.exact
    means = d.mean(axis=1)
    null = np.array(list(permutations(range(9)))) @ (means - means.mean())
    exact = np.mean(null >= np.arange(9) @ (means - means.mean()) - 1e-9)
    assert one.p == pytest.approx(exact, abs=0.01)


def test_slope_over_tasks_and_clustered_by_hand():
    rng = np.random.default_rng(2)
    c = np.array([-1.0, 0.0, 0.5, 2.0])
    d = rng.normal(size=(4, 30))
    got = slope_test(d, c)
    slopes = [stats.linregress(c, d[:, t]).slope for t in range(30)]
    np.testing.assert_allclose(task_slopes(d, c), slopes)
    assert got.p_tasks_two_sided == pytest.approx(stats.ttest_1samp(slopes, 0).pvalue)
    upwards = stats.ttest_1samp(slopes, 0, alternative="greater")
    assert got.p_tasks == pytest.approx(upwards.pvalue)
    assert slope_test(d, c, "less").p_tasks == pytest.approx(1 - upwards.pvalue)
    limits = stats.ttest_1samp(slopes, 0).confidence_interval(0.90)  # what belongs to a one-sided test at 5 %
    assert (got.low_tasks, got.high_tasks, got.level_tasks) == pytest.approx((limits.low, limits.high, 0.90))
    assert got.p_both == max(got.p, got.p_tasks)
    other = slope_test(d, c, "less")
    assert got.p_opposite == pytest.approx(other.p_both)
    explored = slope_test(d, c, "two-sided")
    limits = stats.ttest_1samp(slopes, 0).confidence_interval(0.95)
    assert (explored.low_tasks, explored.high_tasks) == pytest.approx((limits.low, limits.high))
    assert math.isnan(explored.p_opposite)
    # two-way sandwich on the long regression, the part of the models as a jackknife that leaves each one out
    x = np.column_stack([np.ones(120), np.repeat(c, 30)])
    y = d.ravel()
    beta, *_ = np.linalg.lstsq(x, y, rcond=None)
    u = (y - x @ beta)[:, None] * x
    bread = np.linalg.inv(x.T @ x)
    by_task = np.var(slopes, ddof=1) / 30
    cells = (bread @ (u.T @ u) @ bread)[1, 1]
    means = d.mean(axis=1)
    without = [stats.linregress(np.delete(c, m), np.delete(means, m)).slope for m in range(4)]
    variance = by_task + sum((b - got.slope) ** 2 for b in without) - cells
    assert got.se_clustered == pytest.approx(math.sqrt(variance))
    assert got.p_clustered == pytest.approx(2 * stats.t.sf(abs(got.slope) / math.sqrt(variance), 2))


def test_slopes_need_two_capabilities():
    for capability in ((1.0, 1.0), (1.0,)):
        with pytest.raises(ValueError, match="at least two models"):
            slope_test(np.zeros((len(capability), 3)), capability)


@settings(max_examples=30)
@given(st.integers(2, 5), st.integers(1, 6), st.integers(0, 10_000))
def test_swapping_the_arms_mirrors_the_slope(models, tasks, seed):
    d = np.random.default_rng(seed).integers(-3, 4, size=(models, tasks)) / 3
    c = np.arange(models, dtype=float)
    one, two = slope_test(d, c, "greater"), slope_test(-d, c, "less")
    assert one.slope == pytest.approx(-two.slope, abs=1e-12)
    assert (one.p, one.attainable_p) == (two.p, two.attainable_p)
    assert one.attainable_p <= one.p


def test_groups():
    names = [f"m{i}" for i in range(10)]
    assert groups_by_capability(names, CAPABILITY) == (("m0", "m1", "m2"), ("m7", "m8", "m9"))
    assert groups_by_capability(list("dcba"), (4, 3, 2, 1)) == (("a", "b"), ("c", "d"))
    assert groups_by_tier(list("abc"), ["hi", "lo", "hi"], ["lo", "hi"]) == (("b",), ("a", "c"))


def verdict(d, capability=CAPABILITY):
    names = [f"m{i}" for i in range(len(capability))]
    return crossover(names, d, capability, *groups_by_capability(names, capability))


def test_a_clear_crossover_is_claimed_in_both_grades():
    c = np.array(CAPABILITY)
    d = 0.2 * c[:, None] + np.random.default_rng(0).normal(size=(10, 75)) * 0.1
    got = verdict(d)
    assert got.these_models
    assert got.like_models
    by_task = d[:3].mean(axis=0)
    assert got.weak.p == pytest.approx(stats.ttest_1samp(by_task, 0, alternative="less").pvalue)
    assert got.strong.p == pytest.approx(stats.ttest_1samp(d[-3:].mean(axis=0), 0, alternative="greater").pvalue)


def test_a_slope_alone_is_no_crossover():
    c = np.array(CAPABILITY)
    d = 0.2 * (c[:, None] + 1.4) + np.random.default_rng(0).normal(size=(10, 75)) * 0.1
    got = verdict(d)
    assert not got.these_models
    assert got.failed == ("the low group's gap is not shown to be below 0",)
    downwards = verdict(-0.2 * c[:, None] + np.random.default_rng(0).normal(size=(10, 75)) * 0.1)
    assert len(downwards.failed) == 3


@pytest.mark.parametrize(("tasks", "established"), [(4, False), (20, True)])
def test_without_spread_gap_slope_and_crossover_all_go_by_the_signs_of_the_tasks(tasks, established):
    """Every task gives the same gaps: t has no scale, and 4 signs that agree are no evidence at 5 %."""
    gaps = np.repeat(0.2 * np.array(CAPABILITY)[:, None], tasks, axis=1)
    got = verdict(gaps)
    assert got.weak.p == got.strong.p == 2.0**-tasks
    assert got.slope.p_tasks_two_sided == got.p == 2.0 ** (1 - tasks)
    assert got.these_models is established
    whole = paired_gap([[2] * tasks, [1] * tasks], np.full((2, tasks), 2))
    assert whole.p == 2.0 ** (1 - tasks)
    assert not math.isnan(slope_test(gaps, CAPABILITY).p_both)
    assert not verdict(-gaps).these_models


def test_a_crossover_is_looked_for_in_the_declared_direction():
    c = np.array(CAPABILITY)
    d = -0.2 * c[:, None] + np.random.default_rng(0).normal(size=(10, 75)) * 0.1
    names = [f"m{i}" for i in range(10)]
    ends = groups_by_capability(names, CAPABILITY)
    got = crossover(names, d, CAPABILITY, *ends, trend="falls")
    mirrored = crossover(names, -d, CAPABILITY, *ends)
    assert got.these_models
    assert got.like_models
    assert (got.p, got.weak.p, got.weak.gap) == pytest.approx((mirrored.p, mirrored.weak.p, -mirrored.weak.gap))
    assert crossover(names, -d, CAPABILITY, *ends, trend="falls").failed == (
        "the low group's gap is not shown to be above 0",
        "the high group's gap is not shown to be below 0",
        "the gap is not shown to fall with capability",
    )


@given(st.permutations(list("abcdef")))
def test_ties_in_capability_are_never_cut_by_name(names):
    low, high = groups_by_capability(names, (1.0, 2.0, 2.0, 3.0, 4.0, 5.0))
    assert (set(low), set(high)) == (set(names[:3]), set(names[-2:]))
    meet = groups_by_capability(names, (1.0, 2.0, 2.0, 2.0, 2.0, 3.0))
    refused = crossover(names, np.zeros((6, 5)), (1.0, 2.0, 2.0, 2.0, 2.0, 3.0), *meet).refused
    assert refused.startswith("models of the same capability are in one group")


def test_the_permutations_that_a_design_allows_bound_its_p():
    assert design_p((1.0, 2.0, 3.0)) == pytest.approx(1 / 6)
    assert design_p((1.0, 1.0, 2.0)) == pytest.approx(1 / 3)
    assert design_p(CAPABILITY) == pytest.approx(1 / math.factorial(10))


def test_what_is_too_few_is_refused_in_words():
    three = verdict(np.zeros((3, 5)), (0.0, 1.0, 2.0))
    assert three.refused == (
        "three models are too few for a crossover: one needs at least two in the lowest and two in the highest group, "
        "so at least four in all"
    )
    assert verdict(np.zeros((1, 5)), (0.0,)).refused.startswith("one model is too few")
    assert "one task is too few" in verdict(np.zeros((4, 1)), (0.0, 1.0, 2.0, 3.0)).refused
    uneven = crossover(list("abcd"), np.zeros((4, 5)), (0.0, 1.0, 1.0, 2.0), ["a"], ["d"])
    assert "the groups have 1 and 1 models" in uneven.refused
    four = verdict(np.random.default_rng(0).normal(size=(4, 9)), (0.0, 1.0, 2.0, 3.0))
    assert not four.refused
    assert "three models a group" in four.like_refused


def test_type_one_error_of_the_gap_in_short():
    rng = np.random.default_rng(6)
    rejected = []
    for _ in range(100):
        p = grid_probabilities(rng, EFFECTS["none"])[:, ::3]
        hits = rng.binomial(3, p)
        rejected += [paired_gap(hits[:, m], np.full((2, 75), 3)).p <= 0.05 for m in range(hits.shape[1])]
    assert 0.02 <= np.mean(rejected) <= 0.08


@pytest.mark.slow
@pytest.mark.parametrize(("tasks", "seeds"), [(75, 3), (75, 10), (22, 3)])
def test_type_one_error_of_the_gap_in_full(tasks, seeds):
    rng = np.random.default_rng(7)
    rejected = []
    for _ in range(4000):
        hits = rng.binomial(seeds, grid_probabilities(rng, EFFECTS["none"], tasks=tasks, capability=(0.1,)))
        rejected.append(paired_gap(hits[:, 0], np.full((2, tasks), seeds)).p <= 0.05)
    assert 0.03 <= np.mean(rejected) <= 0.07


def claims(effect, tau, replicates, seeds=3, seed=8):
    """Shares of grids on which a crossover is claimed, by grade."""
    rng = np.random.default_rng(seed)
    found = np.zeros(2)
    for _ in range(replicates):
        rate = rng.binomial(seeds, grid_probabilities(rng, EFFECTS[effect], tau)) / seeds
        got = verdict(rate[0] - rate[1])
        found += (got.these_models, got.like_models)
    return found / replicates


def test_crossover_size_and_power_in_short():
    these, like = claims("edge", 0.0, 150)
    assert these <= 0.08
    assert like <= 0.05
    these, like = claims("twice", 0.0, 40)
    assert these >= 0.9
    assert like >= 0.75


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("effect", ["none", "edge", "outside", "mirror", "bend"])
@pytest.mark.parametrize("tau", [0.0, 0.3])
def test_crossover_size_in_full(effect, tau):
    these, like = claims(effect, tau, 4000)
    error = 3 * math.sqrt(0.05 * 0.95 / 4000)
    if tau == 0.0:  # the first grade holds for fixed models only
        assert these <= 0.05 + error
    assert like <= 0.05 + error


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("effect", "seeds", "these", "like"),
    [("published", 3, 0.38, 0.21), ("published", 10, 0.58, 0.40), ("twice", 3, 0.98, 0.90)],
)
def test_crossover_power_in_full(effect, seeds, these, like):
    got = claims(effect, 0.0, 1000, seeds)
    np.testing.assert_allclose(got, (these, like), atol=0.06)


@pytest.mark.slow
def test_type_one_error_of_the_slope_in_full():
    rng = np.random.default_rng(9)
    rejected = np.zeros(3)
    for _ in range(4000):
        rate = rng.binomial(3, grid_probabilities(rng, EFFECTS["none"], 0.3)) / 3
        got = slope_test(rate[0] - rate[1], CAPABILITY, draws=1999)
        rejected += (got.p <= 0.05, got.p_clustered <= 0.05, got.p_both <= 0.05)
    permutation, clustered, both = rejected / 4000
    print(f"permutation {permutation:.4f}, clustered {clustered:.4f}, permutation and t over tasks {both:.4f}")
    assert 0.03 <= permutation <= 0.07
    assert 0.03 <= clustered <= 0.07
    assert both <= 0.06
