"""Fieller's set: a published example, the definition on a grid of points, degenerate cases, and statsmodels."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.regression.linear_model import OLS

from mlesearch.analysis.statistics.fieller import _covariance, crossing, fieller

number = st.floats(-3, 3).map(lambda x: round(x, 2))


@settings(deadline=None)
@given(number, number, number, number, number)
def test_a_point_is_in_the_set_where_the_line_there_is_not_told_from_zero(a, b, s, t, r):
    root = np.array([[s, 0.0], [r, t]])
    v, q = root @ root.T, 2.0
    shape, low, high = fieller(a, b, v, q)
    for c in np.linspace(-7.03, 7.07, 41):
        excess = (a + b * c) ** 2 - q**2 * (v[0, 0] + 2 * c * v[0, 1] + c**2 * v[1, 1])
        if abs(excess) < 1e-6:
            continue
        inside = (
            low <= c <= high
            if shape == "interval"
            else (c <= low or c >= high)
            if shape == "outside"
            else shape == "everywhere"
        )
        assert inside == (excess < 0), (shape, low, high, c)


def test_of_a_ratio_with_known_limits():
    # numerator 1, denominator 2, variances .01 and .04, no covariance, q = 2: (1 + 2c)^2 <= 4 (.01 + .04 c^2)
    shape, low, high = fieller(1.0, 2.0, [[0.01, 0.0], [0.0, 0.04]], 2.0)
    root = math.sqrt(4 - 3.84 * 0.96)
    assert shape == "interval"
    assert (low, high) == pytest.approx(((-2 - root) / 3.84, (-2 + root) / 3.84))


def test_a_line_that_is_told_from_flat_has_an_interval():
    c = np.linspace(-1, 1, 8)
    d = 0.3 * (c[:, None] - 0.2) + 0.02 * np.random.default_rng(0).normal(size=(8, 40))
    got = crossing(d, c)
    assert got.shape == "interval"
    assert got.low < got.at < got.high
    assert got.at == pytest.approx(0.2, abs=0.02)


def test_flat_lines_and_few_models():
    c = np.linspace(-1, 1, 6)
    noise = np.random.default_rng(1).normal(size=(6, 10))
    assert crossing(0.001 * c[:, None] + noise, c).shape in ("outside", "everywhere")
    flat = crossing(np.zeros((6, 10)), c)
    assert (flat.shape, math.isnan(flat.at)) == ("everywhere", True)
    assert crossing(np.zeros((2, 10)), c[:2]).shape == "not estimable"
    assert crossing(np.zeros((4, 1)), c[:4]).shape == "not estimable"
    exact = crossing(np.repeat(0.5 * (c[:, None] - 0.4), 5, axis=1), c)
    assert (exact.low, exact.high) == pytest.approx((0.4, 0.4), abs=1e-6)


def test_covariance_equals_statsmodels():
    rng = np.random.default_rng(2)
    c = np.sort(rng.normal(size=9))
    d = 0.2 * c[:, None] + rng.normal(size=25) + 0.5 * rng.normal(size=(9, 1)) + rng.normal(size=(9, 25))
    x = np.column_stack([np.ones(225), np.repeat(c, 25)])
    model, task = np.divmod(np.arange(225), 25)
    groups = [{"groups": g} for g in (model, task, np.arange(225))]
    parts = [
        OLS(d.ravel(), x).fit(cov_type="cluster", cov_kwds=g | {"use_correction": False}).cov_params() for g in groups
    ]
    short = np.column_stack([np.ones(9), c])
    bread = np.linalg.inv(short.T @ short)
    fitted = short @ bread @ short.T @ d.mean(axis=1)
    expected = parts[0] + parts[1] - parts[2]
    assert np.linalg.eigvalsh(expected).min() > 0  # so nothing is repaired
    np.testing.assert_allclose(_covariance(d, short, bread, fitted), expected)


def test_a_covariance_that_is_none_is_repaired():
    c = np.linspace(-1, 1, 5)
    d = np.random.default_rng(6).choice([-1.0, 1.0], size=(5, 4))
    d -= d.mean(axis=0)
    d -= d.mean(axis=1, keepdims=True)
    x = np.column_stack([np.ones(5), c])
    v = _covariance(d, x, np.linalg.inv(x.T @ x), np.zeros(5))
    assert np.linalg.eigvalsh(v).min() >= -1e-12
    assert crossing(d, c).shape in ("interval", "outside", "everywhere")


def test_coverage_of_the_crossing_in_short():
    rng = np.random.default_rng(3)
    c = np.linspace(-1.4, 1.7, 10)
    held = 0
    for _ in range(200):
        d = 0.15 * (c[:, None] - 0.3) + 0.05 * rng.normal(size=(10, 1)) + 0.3 * rng.normal(size=(10, 40))
        got = crossing(d, c)
        inside = got.low <= 0.3 <= got.high
        held += inside if got.shape == "interval" else not inside if got.shape == "outside" else True
    assert held / 200 >= stats.binom.ppf(0.001, 200, 0.88) / 200
