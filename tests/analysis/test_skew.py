"""The skew forecast: worked by hand, and against the size that simulation gives."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlesearch.analysis.statistics.skew import skew_forecast
from tests.support.dependent_grids import rescue_gaps


def test_level_by_hand():
    d = np.array([1.0, 0, 0, 0])  # skewness 2/sqrt(3); z = 1.644854, phi(z) = .103136
    got = skew_forecast(d, "less")
    assert got.skewness == pytest.approx(2 / math.sqrt(3))
    assert got.level == pytest.approx(0.05 + 1.154701 * (2 * 1.644854**2 + 1) * 0.103136 / 12, abs=1e-6)
    assert (got.ahead, got.behind, got.equal) == (1, 0, 3)
    assert got.flagged
    assert not skew_forecast(d, "greater").flagged


@given(st.lists(st.integers(-3, 3), min_size=3, max_size=30))
def test_the_other_side_is_the_mirror(values):
    d = np.array(values) / 3
    one, two = skew_forecast(d, "less"), skew_forecast(-d, "greater")
    assert one.level == pytest.approx(two.level)
    assert (one.ahead, one.behind) == (two.behind, two.ahead)
    assert one.ahead + one.behind + one.equal == d.size
    assert 0 <= one.level <= 1


def test_gaps_without_spread_or_shape_keep_their_level():
    for d in (np.zeros(9), np.full(9, 0.5), np.array([0.0, 1.0])):
        got = skew_forecast(d, "less")
        assert (got.level, got.flagged) == (0.05, False)
        assert math.isnan(got.skewness)
    assert skew_forecast(np.array([-1.0, 0, 1]), "less").level == pytest.approx(0.05)


def sizes(tasks, share, replicates, seed=41):
    """Of the one-sided test "below 0" of three models under rescue with a mean of 0: size, mean forecast, flags."""
    rng = np.random.default_rng(seed)
    d = rescue_gaps(rng, replicates, tasks, 3, share).mean(axis=1)
    size = float(np.mean(stats.ttest_1samp(d, 0, axis=1, alternative="less").pvalue <= 0.05))
    found = [skew_forecast(row, "less") for row in d]
    level, flagged = float(np.mean([f.level for f in found])), float(np.mean([f.flagged for f in found]))
    print(f"{tasks} x 3, rescued {share}: size {size:.3f}, forecast {level:.3f}, flagged {flagged:.2f}")
    return size, level, flagged


def test_rescue_is_flagged_in_short():
    size, level, flagged = sizes(75, 0.05, 400)
    assert size > 0.07
    assert level > 0.07
    assert flagged > 0.7


@pytest.mark.slow
@pytest.mark.parametrize("tasks", [22, 40, 75])
@pytest.mark.parametrize("share", [0.05, 0.10])
def test_rescue_is_forecast_in_full(tasks, share):
    size, level, _ = sizes(tasks, share, 4000)
    assert size > 0.06
    assert level > 0.06
