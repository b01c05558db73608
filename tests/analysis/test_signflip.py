"""The sign-flip test and its interval: against enumeration, and their size and coverage counted or simulated."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from mlesearch.analysis.statistics.gaps import adjust, paired_gap
from mlesearch.analysis.statistics.signflip import sign_flip, sign_flip_interval

differences = st.lists(st.integers(-4, 4), min_size=1, max_size=9)


def enumerated(d, mid_p):
    """The two-sided p by going through all sign patterns."""
    sums = [abs(sum(s * x for s, x in zip(signs, d, strict=True))) for signs in product((-1, 1), repeat=len(d))]
    slack = 1e-9
    tied = [0.5 if mid_p else 1.0, 0.0]
    observed = abs(sum(d))
    return float(np.mean([1.0 if s > observed + slack else tied[s < observed - slack] for s in sums]))


@given(differences, st.booleans())
def test_sign_flip_equals_enumeration(d, mid_p):
    p, attainable = sign_flip(d, mid_p)
    assert p == pytest.approx(enumerated(d, mid_p) if any(d) else 1.0)
    if any(d):
        informative = sum(x != 0 for x in d)
        assert attainable == pytest.approx(2.0 ** -(informative if mid_p else informative - 1))


@given(differences, st.integers(1, 7), st.booleans())
def test_sign_flip_ignores_scale_and_side_and_never_beats_its_best(d, scale, mid_p):
    p, attainable = sign_flip(d, mid_p)
    assert sign_flip([scale * x for x in d], mid_p) == (p, attainable)
    assert sign_flip([-x for x in d], mid_p) == (p, attainable)
    assert attainable <= p <= 1.0


def test_the_exact_p_is_that_of_scipys_permutation_test():
    d = np.array([3, -1, 2, 2, 0, 5, -2, 1, 1, 4])
    p = stats.permutation_test((d,), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue
    assert sign_flip(d)[0] == pytest.approx(p)


def test_twenty_informative_tasks_are_still_exact_and_quick():
    d = np.arange(1, 21) * 7919 % 1009  # awkward values: few ties
    assert sign_flip(d) == (2.0**-19, 2.0**-19)
    assert sign_flip(d, mid_p=True) == (2.0**-20, 2.0**-20)
    low, high = sign_flip_interval(d)
    assert 0 < low < d.mean() < high
    few = np.array([900, -300, 600, 900, 300, 600, 900, 300])  # the same beyond and below the limit of a dense table
    np.testing.assert_allclose(sign_flip_interval(100 * few), 30_000 * np.array(sign_flip_interval(few // 300)))


@given(differences)
def test_the_interval_is_what_the_test_does_not_reject(d):
    low, high = sign_flip_interval(d)
    if math.isnan(low):
        assert len(d) < 6 or len(set(d)) == 1
        return
    assert (low <= 0.0 <= high) == (sign_flip(d)[0] > 0.05)
    near = 1e-6
    for mean, within in ((low - near, False), (low + near, True), (high - near, True), (high + near, False)):
        assert (enumerated([x - mean for x in d], False) > 0.05) == within


@given(differences)
def test_the_interval_mirrors_shifts_and_is_narrower_with_mid_p(d):
    low, high = sign_flip_interval(d)
    assume(not math.isnan(low))
    np.testing.assert_allclose(sign_flip_interval([-x for x in d]), (-high, -low), atol=1e-9)
    np.testing.assert_allclose(sign_flip_interval([3 * x for x in d]), (3 * low, 3 * high), atol=1e-8)
    np.testing.assert_allclose(sign_flip_interval([x + 2 for x in d]), (low + 2, high + 2), atol=1e-9)
    inner = sign_flip_interval(d, mid_p=True)
    assert low - 1e-9 <= inner[0] <= inner[1] <= high + 1e-9
    assert min(d) - 1e-9 <= low <= np.mean(d) <= high <= max(d) + 1e-9


def equal_size(m, mid_p, level=0.05):
    """The exact size with m differences that are alike but for their signs: as always with one seed."""
    plus = np.arange(m + 1)
    p = np.array([sign_flip([1] * k + [-1] * (m - k), mid_p)[0] for k in plus])
    return float(stats.binom.pmf(plus, m, 0.5)[p <= level].sum())


def test_the_exact_test_keeps_its_level_and_mid_p_does_not():
    exact = {m: equal_size(m, False) for m in range(1, 21)}
    mid = {m: equal_size(m, True) for m in range(1, 21)}
    assert max(exact.values()) <= 0.05
    assert {m: round(mid[m], 4) for m in (5, 8, 11, 16)} == {5: 0.0625, 8: 0.0703, 11: 0.0654, 16: 0.0768}


def test_a_family_of_confirmatory_gaps_keeps_its_level_where_mid_p_would_not():
    """Ten models of eight informative tasks each, under Holm: any false rejection."""
    rng = np.random.default_rng(0)
    wins = rng.binomial(8, 0.5, size=(4000, 10))
    found = {}
    for mid_p in (False, True):
        by_wins = [paired_gap([[1] * k + [0] * (8 - k), [0] * k + [1] * (8 - k)], np.ones((2, 8), int), mid_p=mid_p)
                   for k in range(9)]  # fmt: skip
        found[mid_p] = np.mean([any(g.rejects() for g in adjust([by_wins[k] for k in row], "holm")) for row in wins])
    assert found[False] <= 0.05
    assert 0.06 <= found[True] <= 0.095  # .078


@pytest.mark.parametrize(("tasks", "seeds", "rate"), [(22, 1, 0.3), (22, 3, 0.1), (75, 1, 0.08)])
def test_the_interval_covers_in_short(tasks, seeds, rate):
    """Both arms alike but for a constant gap in the rate: the interval of the sign-flip test holds it."""
    rng = np.random.default_rng(1)
    gap, held, tried = 0.06, 0, 0
    for _ in range(500):
        hits = np.array([rng.binomial(seeds, rate + gap, tasks), rng.binomial(seeds, rate, tasks)])
        got = paired_gap(hits, np.full((2, tasks), seeds))
        if got.method == "exact sign-flip" and not math.isnan(got.low):
            tried += 1
            held += got.low - 1e-9 <= gap <= got.high + 1e-9
    assert tried > 200
    assert held / tried >= 0.92
