"""The trend of the log odds ratio: against statsmodels, by hand, and its size where there is no interaction."""

import math

import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.discrete.conditional_models import ConditionalLogit

from mlesearch.analysis.statistics.odds import odds_trend
from tests.support.nulls import ODDS_NULLS, grid_hits
from tests.support.synthetic_study import CAPABILITY


def binary(hits, counts, capability):
    """One row per run, its stratum (model, task), for a conditional logit with arm and arm x capability."""
    y, x, strata = [], [], []
    models, _, tasks = hits.shape
    for m in range(models):
        for t in range(tasks):
            for arm in (0, 1):
                k, h = counts[m, arm, t], hits[m, arm, t]
                y += [1] * h + [0] * (k - h)
                treated = 1.0 - arm
                x += [[treated, treated * capability[m]]] * k
                strata += [m * tasks + t] * k
    return np.array(y), np.array(x), np.array(strata)


@pytest.mark.filterwarnings("ignore:Dropped")  # statsmodels: pairs in which all or no run succeeds tell nothing
@pytest.mark.parametrize("seed", range(3))
def test_the_trend_is_that_of_statsmodels_conditional_logit(seed):
    rng = np.random.default_rng(seed)
    c = np.array([-1.0, -0.2, 0.4, 1.5])
    counts = rng.integers(1, 5, size=(4, 2, 12))
    logit = rng.normal(size=12) + 0.5 * c[:, None, None] + np.array([0.4, 0.0])[:, None]
    hits = rng.binomial(counts, 1 / (1 + np.exp(-logit)))
    y, x, strata = binary(hits, counts, c)
    model = ConditionalLogit(y, x, groups=strata)  # its likelihood; its own fit stops at a gradient of 1e-3
    best = optimize.root(model.score, np.zeros(2), tol=1e-10).x
    assert odds_trend(hits, counts, c).trend == pytest.approx(best[1], abs=1e-6)
    assert odds_trend(hits, counts, c).trend == pytest.approx(model.fit(disp=False).params[1], abs=1e-3)


def test_the_test_by_hand():
    """The score of each task from SciPy's noncentral hypergeometric distribution, at the common odds ratio."""
    rng = np.random.default_rng(3)
    c = np.array([0.0, 1.0, 2.5])
    counts = rng.integers(2, 5, size=(3, 2, 9))
    hits = rng.binomial(counts, 0.4)
    got = odds_trend(hits, counts, c)

    def moments(theta):
        mean, variance = np.zeros((3, 9)), np.zeros((3, 9))
        for m in range(3):
            for t in range(9):
                k, h = counts[m, :, t], hits[m, :, t]
                law = stats.nchypergeom_fisher(k.sum(), k[0], h.sum(), math.exp(theta))
                mean[m, t], variance[m, t] = law.mean(), law.var()
        return mean, variance

    low, high = -5.0, 5.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if moments(middle)[0].sum() < hits[:, 0].sum() else (low, middle)
    mean, variance = moments(low)
    centre = (variance * c[:, None]).sum() / variance.sum()
    score = ((c - centre)[:, None] * (hits[:, 0] - mean)).sum(axis=0)
    told = ((hits.sum(axis=1) > 0) & (hits.sum(axis=1) < counts.sum(axis=1))).any(axis=0)
    assert got.p == pytest.approx(stats.ttest_1samp(score[told], 0).pvalue, rel=1e-6)
    assert got.tasks == told.sum()


def test_swapping_the_arms_mirrors_it_and_the_unit_scales_it():
    rng = np.random.default_rng(5)
    c = np.array([0.0, 1.0, 2.0, 4.0])
    counts = np.full((4, 2, 15), 3)
    hits = rng.binomial(3, 0.5, size=counts.shape)
    one, swapped, scaled = (odds_trend(h, counts, x) for h, x in ((hits, c), (hits[:, ::-1], c), (hits, 10 * c + 7)))
    assert one.trend == pytest.approx(-swapped.trend, abs=1e-8)
    assert one.trend == pytest.approx(10 * scaled.trend, abs=1e-8)
    assert one.p == pytest.approx(swapped.p)
    assert one.p == pytest.approx(scaled.p)


def test_cells_of_zero_are_allowed_and_what_tells_nothing_is_not_estimated():
    c = (0.0, 1.0)
    nothing = odds_trend(np.zeros((2, 2, 5)), np.full((2, 2, 5), 3), c)
    assert (nothing.informative, nothing.tasks) == (0, 0)
    assert math.isnan(nothing.p)
    hits = np.zeros((2, 2, 6), int)
    hits[0, 1] = [1, 2, 1, 1, 2, 1]  # the weak model: only the baseline succeeds; the strong one: only the treatment
    hits[1, 0] = [2, 1, 1, 2, 1, 1]
    apart = odds_trend(hits, np.full((2, 2, 6), 3), c)
    assert apart.trend == math.inf
    assert apart.p < 0.001
    same = odds_trend(np.ones((2, 2, 6), int), np.full((2, 2, 6), 3), c)
    assert same.trend == pytest.approx(0.0, abs=1e-9)
    assert math.isnan(same.p)  # all tasks alike: no spread to compare with
    one_model = odds_trend(np.ones((1, 2, 6), int), np.full((1, 2, 6), 3), (1.0,))
    assert math.isnan(one_model.trend)


def rejected(null, tasks, seeds, replicates, seed):
    rng = np.random.default_rng(seed)
    found = 0
    for _ in range(replicates):
        hits = grid_hits(rng, ODDS_NULLS[null], tasks, seeds)
        found += odds_trend(hits, np.full(hits.shape, seeds), CAPABILITY).p <= 0.05
    return found / replicates


def test_a_constant_advantage_in_log_odds_is_no_trend_in_short():
    assert rejected("constant +.6", 40, 2, 300, seed=0) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("null", ODDS_NULLS)
@pytest.mark.parametrize(("tasks", "seeds"), [(75, 3), (75, 10), (22, 3)])
def test_size_in_full(null, tasks, seeds):
    got = rejected(null, tasks, seeds, 4000, seed=1)
    print(null, tasks, seeds, got)
    assert got <= 0.07
