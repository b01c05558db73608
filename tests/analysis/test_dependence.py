"""Rates and gaps clustered by category: against statsmodels, by hand, and by simulation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.regression.linear_model import OLS

from mlesearch.analysis.statistics.dependence import (
    categories,
    categories_of,
    category_rates,
    clustered_mean,
    clustered_variance,
)
from mlesearch.analysis.statistics.leave_out import crossing_p
from mlesearch.analysis.statistics.rates import e2_rates
from mlesearch.types import ConfigError
from tests.support.dependent_grids import (
    UNEVEN,
    category_arm_hits,
    category_grid,
    category_task_rates,
    codes_of,
    logistic,
)
from tests.support.synthetic_study import CAPABILITY

SIX = [f"t{i}" for i in range(6)]


def of(codes):
    """Categories by codes."""
    names = [f"t{i:03d}" for i in range(len(codes))]
    return categories({name: f"c{code:02d}" for name, code in zip(names, codes, strict=True)}, names)


def test_categories_by_hand():
    got = categories({"t0": "text", "t1": "image", "t2": "image", "t4": "text", "t5": "image"}, SIX)
    assert got.names == ("image", "text", "t3 alone")
    assert got.codes.tolist() == [1, 0, 0, 2, 1, 0]
    assert got.sizes.tolist() == [3, 2, 1]
    assert got.effective == pytest.approx(36 / 14)
    assert got.df == pytest.approx(36 / 14 - 1)


def test_where_nothing_is_known_or_repeated_there_is_none():
    assert categories({}, SIX) is None
    assert categories({task: task for task in SIX}, SIX) is None
    assert categories(dict.fromkeys(SIX, "tabular"), SIX) is None  # one category has no variance between categories
    runs = pd.DataFrame({"task": SIX})
    assert categories_of(runs, SIX) is None
    assert categories_of(runs.assign(category=None), SIX) is None
    found = categories_of(runs.assign(category=["a", "a", "b", "b", None, None]), SIX)
    assert found.names == ("a", "b", "t4 alone", "t5 alone")
    with pytest.raises(ConfigError, match=r"task t0 has more than one category in table runs \(a, b\)"):
        categories_of(pd.DataFrame({"task": ["t0", "t0"], "category": ["a", "b"]}), ["t0"])


@pytest.mark.parametrize("seed", range(5))
def test_variance_equals_statsmodels(seed):
    rng = np.random.default_rng(seed)
    codes = codes_of(UNEVEN[22])
    x = rng.normal(size=7)[codes] + 0.5 * rng.normal(size=22)
    fit = OLS(x, np.ones(22)).fit(cov_type="cluster", cov_kwds={"groups": codes}, use_t=True)
    got = clustered_mean(x, of(codes))
    assert float(clustered_variance(x, of(codes))) > x.var(ddof=1) / 22  # else the plain one would stand there
    assert got.error == pytest.approx(fit.bse[0])
    assert got.mean == pytest.approx(fit.params[0])
    df = 22**2 / sum(n * n for n in UNEVEN[22]) - 1
    assert got.p == pytest.approx(2 * stats.t.sf(abs(fit.tvalues[0]), df))
    reach = stats.t.ppf(0.975, df) * fit.bse[0]
    assert (got.low, got.high) == pytest.approx((fit.params[0] - reach, fit.params[0] + reach))


def test_variance_is_never_below_that_of_independent_tasks():
    x = np.array([1.0, -1.0, 2.0, -2.0, 0.5, -0.5])  # every category has the same mean
    assert float(clustered_variance(x, of([0, 0, 1, 1, 2, 2]))) == pytest.approx(x.var(ddof=1) / 6)


@given(st.lists(st.integers(0, 3), min_size=6, max_size=6), st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_intervals_hold_the_rate_and_are_never_shorter_than_e2(hits, codes):
    found = of(codes)
    if found is None:
        return
    plain, got = e2_rates(hits, 3), category_rates(hits, 3, found)
    assert got.rate == plain.rate
    if found.df < 1:
        assert np.isnan(got.low)
    else:
        assert 0.0 <= got.low <= plain.low + 1e-12
        assert plain.high - 1e-12 <= got.high <= 1.0


def test_sides_of_a_mean():
    x, found = np.array([0.2, 0.3, -0.1, 0.4, 0.1, 0.2]), of([0, 0, 1, 1, 2, 2])
    up, down, both = (clustered_mean(x, found, side).p for side in ("greater", "less", "two-sided"))
    assert up + down == pytest.approx(1.0)
    assert both == pytest.approx(2 * up)
    assert clustered_mean(np.zeros(6), found).p == 1.0
    assert np.isnan(clustered_mean(x, of([0, 0, 0, 0, 0, 1])).low)  # G* = 1.4: no degree of freedom


def coverage(tasks, seeds, share, replicates, seed=21):
    """Of the plain E2 interval and of that by category."""
    rng = np.random.default_rng(seed)
    codes = codes_of(UNEVEN[tasks])
    truth = logistic(-0.8 + 1.6 * np.random.default_rng(5).normal(size=1_000_000)).mean()
    hits = rng.binomial(seeds, category_task_rates(rng, replicates, codes, share))
    found = [e2_rates(hits, seeds), category_rates(hits, seeds, of(codes))]
    plain, clustered = (float(np.mean((r.low <= truth) & (truth <= r.high))) for r in found)
    print(f"{tasks} x {seeds}, share {share}: E2 {plain:.3f}, by category {clustered:.3f}")
    return plain, clustered


def test_coverage_by_category_in_short():
    plain, clustered = coverage(75, 3, 0.18, 500)
    assert plain < 0.90
    assert clustered >= 0.92


@pytest.mark.slow
@pytest.mark.parametrize("tasks", [22, 75])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.18, 0.69])
def test_coverage_by_category_in_full(tasks, share):
    assert coverage(tasks, 3, share, 10_000)[1] >= 0.92


def sizes(tasks, seeds, sd, replicates, seed=22):
    """Shares of two equal arms that are told apart: by t over tasks, and clustered by category."""
    rng = np.random.default_rng(seed)
    codes = codes_of(UNEVEN[tasks])
    a, b = category_arm_hits(rng, replicates, codes, sd, seeds)
    d = (a - b) / seeds
    plain = float(np.mean(stats.ttest_1samp(d, 0, axis=1).pvalue <= 0.05))
    found = of(codes)
    clustered = float(np.mean([clustered_mean(row, found).p <= 0.05 for row in d]))
    print(f"{tasks} x {seeds}, sd {sd}: t over tasks {plain:.3f}, by category {clustered:.3f}")
    return plain, clustered


def test_size_of_the_clustered_gap_in_short():
    plain, clustered = sizes(75, 3, 0.6, 300)
    assert plain > 0.10
    assert clustered <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize(("tasks", "seeds"), [(22, 3), (75, 3), (75, 10)])
@pytest.mark.parametrize("sd", [0.0, 0.3, 0.6])
def test_size_of_the_clustered_gap_in_full(tasks, seeds, sd):
    assert sizes(tasks, seeds, sd, 4000)[1] <= 0.07


NULLS = {"step": lambda c: 1.2 * (c > 0), "bend": lambda c: np.maximum(0.0, 0.9 * (c - 0.1)), "none": lambda c: 0 * c}
"""Shapes of the gap, on the logit scale, in which the low group has none."""


def crossings(effect, tasks, seeds, replicates, seed=23):
    """Shares of grids without a crossover on which one is found: by t over tasks, and clustered by category."""
    rng = np.random.default_rng(seed)
    codes = codes_of(UNEVEN[tasks])
    found, c = of(codes), np.array(CAPABILITY)
    centred = (c - c.mean()) / ((c - c.mean()) ** 2).sum()
    none = np.zeros((1, tasks), dtype=bool)
    plain = clustered = 0
    for _ in range(replicates):
        d = category_grid(rng, NULLS[effect], codes, 0.6, seeds)
        plain += crossing_p(d, c, [0, 1, 2], [7, 8, 9], none)[0] <= 0.05
        parts = [
            clustered_mean(d[:3].mean(axis=0), found, "less"),
            clustered_mean(d[7:].mean(axis=0), found, "greater"),
        ]
        slope = clustered_mean(centred @ d, found)
        clustered += max(*(part.p for part in parts), slope.p) <= 0.05 and slope.mean > 0
    print(
        f"{tasks} x {seeds}, {effect}: t over tasks {plain / replicates:.3f}, by category {clustered / replicates:.3f}"
    )
    return plain / replicates, clustered / replicates


@pytest.mark.slow
@pytest.mark.parametrize("effect", ["step", "bend", "none"])
@pytest.mark.parametrize(("tasks", "seeds"), [(22, 3), (75, 3), (75, 10)])
def test_size_of_the_clustered_crossover_in_full(effect, tasks, seeds):
    assert crossings(effect, tasks, seeds, 4000)[1] <= 0.07
