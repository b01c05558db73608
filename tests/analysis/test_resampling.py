"""Samples of whole tasks: sample by sample, against what is known of their mean, and the same for all cells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlesearch.analysis.statistics.resampling import resampled_limits, task_samples


@given(st.integers(1, 9), st.integers(1, 30), st.integers(0, 99))
def test_each_sample_has_as_many_tasks_as_there_are(tasks, draws, seed):
    found = task_samples(tasks, seed, draws)
    assert found.shape == (draws, tasks)
    assert (found.sum(axis=1) == tasks).all()
    assert (found >= 0).all()
    assert np.array_equal(found, task_samples(tasks, seed, draws))


def test_tasks_are_drawn_alike():
    counts = task_samples(6, draws=20_000)
    assert counts.mean(axis=0) == pytest.approx(np.ones(6), abs=0.03)
    assert counts.var(axis=0) == pytest.approx(np.full(6, 5 / 6), abs=0.03)  # of a multinomial
    assert np.corrcoef(counts[:, 0], counts[:, 1])[0, 1] == pytest.approx(-1 / 5, abs=0.03)
    assert not np.array_equal(task_samples(6, seed=1), task_samples(6, seed=2))


def test_limits_are_those_of_sample_by_sample():
    by_task = np.random.default_rng(0).random((2, 3, 7))
    low, high = resampled_limits(by_task, seed=5, draws=400, level=0.9)
    samples = [np.repeat(np.arange(7), row.astype(int)) for row in task_samples(7, 5, 400)]
    for m, a in np.ndindex(2, 3):
        means = [by_task[m, a][drawn].mean() for drawn in samples]
        assert (low[m, a], high[m, a]) == pytest.approx(tuple(np.quantile(means, [0.05, 0.95])), abs=1e-12)


def test_many_tasks_give_the_normal_interval():
    x = np.random.default_rng(1).random(400)
    low, high = resampled_limits(x)
    reach = stats.norm.ppf(0.975) * x.std() / 20
    assert (float(low), float(high)) == pytest.approx((x.mean() - reach, x.mean() + reach), abs=0.002)


def test_cells_share_their_samples():
    by_task = np.random.default_rng(2).random((4, 12))
    low, high = resampled_limits(by_task)
    for row, below, above in zip(by_task, low, high, strict=True):
        assert (below, above) == pytest.approx(tuple(map(float, resampled_limits(row))), abs=1e-12)


@pytest.mark.parametrize("nothing", [0.5, [], np.zeros((3, 0))])
def test_there_is_no_sample_of_nothing(nothing):
    with pytest.raises(ValueError, match="at least one task is needed"):
        resampled_limits(nothing)
