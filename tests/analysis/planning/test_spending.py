"""Bounds of a group-sequential test: against published tables, another package, and integration by other means."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from mlesearch.analysis.planning.spending import (
    conditional_power,
    crossing,
    futility_bounds,
    information_fractions,
    obrien_fleming_spent,
    upper_bounds,
)

PUBLISHED = {
    (2, 0.025): (2.9626, 1.9686),
    (3, 0.025): (3.7103, 2.5114, 1.9930),
    (4, 0.025): (4.3326, 2.9631, 2.3590, 2.0141),
    (5, 0.025): (4.8769, 3.3570, 2.6803, 2.2898, 2.0310),
    (5, 0.05): (4.229, 2.888, 2.298, 1.962, 1.740),
}
"""Published bounds of O'Brien-Fleming-like spending at equal steps, by the number of looks and the one-sided level."""

GSDESIGN = {
    ((0.2, 0.4, 0.6, 0.8, 1.0), 0.025): (
        (4.876885, 3.357055, 2.680293, 2.289825, 2.031038),
        (8.538e-05, 0.0377944, 0.19255547, 0.25685419, 0.20698707),
    ),
    ((0.3, 0.4, 0.9, 1.0), 0.01): (
        (4.559303, 3.913154, 2.47792, 2.402964),
        (0.00071146, 0.00921644, 0.44792717, 0.10139674),
    ),
    (tuple(information_fractions((1, 2, 3, 4, 5)).tolist()), 0.05): (
        (3.850199, 2.684943, 2.194846, 1.926035, 1.753778),
        (0.0042653, 0.15476977, 0.27791212, 0.21718619, 0.13630111),
    ),
}
"""Bounds, and probabilities to cross at each look with drift 2.5, by the recursion of the package gsdesign 0.1.5.

Its error is some 1e-4 where little is spent, as the test by adaptive integration shows; ours is 1e-6.
"""


@pytest.mark.parametrize(("looks", "alpha"), PUBLISHED)
def test_bounds_are_those_of_published_tables(looks, alpha):
    got = upper_bounds(np.arange(1, looks + 1) / looks, alpha)
    np.testing.assert_allclose(got, PUBLISHED[looks, alpha], atol=1e-3 if alpha == 0.05 else 1.01e-4)


@pytest.mark.parametrize(("fractions", "alpha"), GSDESIGN)
def test_bounds_and_powers_are_those_of_another_package(fractions, alpha):
    bounds, powers = GSDESIGN[fractions, alpha]
    np.testing.assert_allclose(upper_bounds(fractions, alpha), bounds, atol=1.5e-4)
    np.testing.assert_allclose(crossing(fractions, bounds, 2.5), powers, atol=2e-5)


@pytest.mark.parametrize("drift", [0.0, 1.3, 3.0])
def test_three_looks_equal_a_trivariate_normal(drift):
    t, b = np.array([0.25, 0.6, 1.0]), np.array([2.2, 2.0, 1.8])
    cov = np.sqrt(np.minimum.outer(t, t) / np.maximum.outer(t, t))
    none = stats.multivariate_normal(drift * np.sqrt(t), cov, abseps=1e-9, releps=1e-9, maxpts=400_000).cdf(b)
    assert crossing(t, b, drift).sum() == pytest.approx(1.0 - none, abs=1e-6)


def test_the_second_bound_equals_adaptive_integration():
    first, second = upper_bounds(np.arange(1, 6) / 5, 0.025)[:2]

    def density(z):
        late = special.ndtr((z * math.sqrt(0.2) - second * math.sqrt(0.4)) / math.sqrt(0.2))
        return math.exp(-z * z / 2) / math.sqrt(2 * math.pi) * late

    spent = integrate.quad(density, -9, first, epsabs=1e-16, epsrel=1e-12, points=[0, 3, 4])[0]
    assert spent == pytest.approx(np.diff(obrien_fleming_spent([0.2, 0.4], 0.025))[0], rel=1e-5)


def test_constant_bounds_are_pococks():
    """Jennison and Turnbull 2000, table 2.1: two-sided .05 at 5 looks, of which the upper half here."""
    assert crossing(np.arange(1, 6) / 5, [2.413] * 5).sum() == pytest.approx(0.025, abs=1e-4)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=6, unique=True).map(sorted),
    st.sampled_from([0.01, 0.025, 0.05, 0.1]),
    st.sampled_from([1.0, 4.0, 20.0, math.inf]),
)
def test_what_is_spent_at_each_look_is_what_was_planned(seeds, alpha, ratio):
    t = information_fractions(seeds, ratio)
    bounds = upper_bounds(t, alpha)
    np.testing.assert_allclose(np.cumsum(crossing(t, bounds)), obrien_fleming_spent(t, alpha), atol=1e-6)
    assert obrien_fleming_spent(1.0, alpha) == pytest.approx(alpha)


@pytest.mark.parametrize("ratio", [0.1, 0.3, 1, 2, 4, 8, 20, 50, 1000, math.inf])
def test_shipped_bounds_hold_whatever_the_ratio_of_variances(ratio):
    bounds = upper_bounds(information_fractions((1, 2, 3, 4, 5)), 0.05)
    size = crossing(information_fractions((1, 2, 3, 4, 5), ratio), bounds).sum()
    assert size <= (0.05 + 1e-6 if ratio <= 20 else 0.0518)
    proportional = upper_bounds(information_fractions((1, 2, 3, 4, 5), math.inf), 0.05)
    assert crossing(information_fractions((1, 2, 3, 4, 5), ratio), proportional).sum() <= 0.05 + 1e-6


def test_a_ratio_that_is_too_small_spends_too_much():
    bounds = upper_bounds(information_fractions((1, 2, 3, 4, 5), 1.0), 0.05)
    assert crossing(information_fractions((1, 2, 3, 4, 5), 20.0), bounds).sum() > 0.06


def test_information_by_hand():
    np.testing.assert_allclose(information_fractions((1, 2, 4), 2.0), np.array([1 / 3, 1 / 2, 2 / 3]) * 1.5)
    np.testing.assert_allclose(information_fractions((1, 2, 4), math.inf), [0.25, 0.5, 1.0])
    for wrong in ([], [0.5, 0.5], [0.0, 1.0], [0.5, 1.2]):
        with pytest.raises(ValueError, match="rise"):
            upper_bounds(wrong, 0.05)


def test_conditional_power_by_hand():
    """With one look to come it is a normal tail: B(1) - B(t) has mean theta (1 - t) and variance 1 - t."""
    z, t, b = 1.1, 0.4, 1.9
    for drift, theta in ((None, z / math.sqrt(t)), (2.5, 2.5)):
        expected = stats.norm.sf((b - z * math.sqrt(t) - theta * (1 - t)) / math.sqrt(1 - t))
        assert conditional_power(0, z, [t, 1.0], [3.0, b], drift) == pytest.approx(expected, abs=1e-9)
    assert conditional_power(1, 1.0, [t, 1.0], [3.0, b]) == 0.0


def test_conditional_power_equals_drawn_paths():
    t, b = np.array([0.2, 0.5, 0.8, 1.0]), np.array([4.0, 2.6, 2.0, 1.8])
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(200_000, 3)) * np.sqrt(np.diff(t)) + 2.0 * np.diff(t)
    score = 0.7 * math.sqrt(0.2) + np.cumsum(steps, axis=1)
    drawn = (score / np.sqrt(t[1:]) >= b[1:]).any(axis=1).mean()
    assert conditional_power(0, 0.7, t, b, 2.0) == pytest.approx(drawn, abs=0.004)


def test_below_the_futility_bound_conditional_power_is_less_than_asked():
    t = information_fractions((1, 2, 3, 4, 5))
    b = upper_bounds(t, 0.05)
    futile = futility_bounds(t, b, 0.1)
    for k in range(4):
        assert conditional_power(k, futile[k], t, b) == pytest.approx(0.1, abs=1e-6)
        assert conditional_power(k, futile[k] - 0.1, t, b) < 0.1
    assert futile[-1] == b[-1]
    assert np.isneginf(futility_bounds(t, b, 0.0)[:-1]).all()
