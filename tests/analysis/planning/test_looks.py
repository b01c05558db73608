"""The three conditions and the rule of looks: by hand, and on simulated grids."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlesearch.analysis.planning.conditions import EndGroups, normal_score, statistics
from mlesearch.analysis.planning.looks import LookBounds, LookProgress, take_look
from mlesearch.analysis.statistics.crossover import crossover

ENDS = EndGroups.of((-2.0, -1.0), (1.0, 1.5, 2.5))
BOUNDS = LookBounds.of((1, 2, 3, 4, 5), 0.05, 0.1)


def test_statistics_are_the_crossovers_own_t_tests():
    d = np.random.default_rng(0).normal(size=(5, 40)) * 0.3 + 0.1 * np.array(ENDS.capability)[:, None]
    z = statistics(d, ENDS)
    names = list("abcde")
    reference = crossover(names, d, ENDS.capability, names[:2], names[2:])
    assert stats.norm.sf(z[0]) == pytest.approx(reference.weak.p)
    assert stats.norm.sf(z[1]) == pytest.approx(reference.strong.p)
    assert 2 * stats.norm.sf(z[2]) == pytest.approx(reference.slope.p_tasks_two_sided)


def test_statistics_of_many_studies_are_those_of_each():
    d = np.random.default_rng(1).normal(size=(3, 5, 12))
    np.testing.assert_allclose(statistics(d, ENDS), [statistics(one, ENDS) for one in d])


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30))
def test_a_normal_score_has_the_tail_of_the_t_test_and_no_spread_has_none(values):
    z = float(normal_score(values))
    assert z == -float(normal_score(np.negative(values)))
    if np.ptp(values) > 1e-6:
        assert stats.norm.cdf(z) == pytest.approx(stats.ttest_1samp(values, 0, alternative="less").pvalue, abs=1e-9)


def test_no_spread_and_endless_spread():
    assert normal_score([0.5] * 9) == 0.0
    assert np.isfinite(normal_score([1.0] * 400 + [1.0 - 1e-6] * 400))


def step(progress, *z):
    return take_look(progress, np.array([z]), BOUNDS)


def test_a_condition_that_crossed_stays_crossed_and_its_group_stops():
    first = step(LookProgress.new(), 3.9, 1.0, 2.0)
    assert first.crossed.tolist() == [[0, -1, -1]]
    assert first.going_on.tolist() == [[False, True]]
    second = step(first, 0.0, 1.0, 2.7)  # what crossed is not looked at again
    assert second.crossed.tolist() == [[0, -1, 1]]
    third = step(second, 0.0, 2.2, 0.0)
    assert third.crossed.tolist() == [[0, 2, 1]]
    assert third.shown.all()
    assert third.decided.all()
    assert not third.going_on.any()


def test_where_the_slope_alone_is_open_both_groups_go_on():
    assert step(LookProgress.new(), 3.9, 3.9, 1.0).going_on.tolist() == [[True, True]]


def test_one_hopeless_condition_ends_it():
    first = step(LookProgress.new(), 3.9, 0.2, 2.0)
    assert first.given_up.tolist() == [0]
    assert not first.going_on.any()
    assert step(first, 9.0, 9.0, 9.0).crossed.tolist() == [[0, -1, -1]]  # and nothing crosses afterwards


def test_the_last_look_ends_it_in_any_case():
    progress = LookProgress.new()
    for _ in range(5):
        assert not progress.decided.any()
        progress = step(progress, 1.7, 1.7, 1.7)
    assert progress.given_up.tolist() == [4]
    patient = LookBounds.of((1, 2), 0.05, 0.0)
    assert not take_look(LookProgress.new(), np.full((1, 3), -9.0), patient).decided.any()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_looks_never_take_back_what_was_decided(seed):
    rng = np.random.default_rng(seed)
    progress = LookProgress.new(20)
    for _ in BOUNDS.seeds:
        after = take_look(progress, rng.normal(2.0, 1.0, size=(20, 3)), BOUNDS)
        known = progress.crossed >= 0
        assert (after.crossed[known] == progress.crossed[known]).all()
        assert (after.decided | ~progress.decided).all()
        assert (~after.going_on | progress.going_on).all() or (after.crossed[:, :2] >= 0).any()
        assert not (after.shown & (after.given_up >= 0)).any()
        progress = after
    assert progress.decided.all()
