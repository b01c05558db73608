"""The best of one group against the best of another: equal ones give no gap, and no false lead."""

import numpy as np
import pytest

from mlesearch.analysis.statistics import best_of
from mlesearch.analysis.statistics.best_of import adjusted, best_gap, divisions
from mlesearch.analysis.statistics.gaps import paired_gap

ONES = np.ones(40, dtype=np.int64)


def group(*rows):
    hits = np.array(rows, dtype=np.int64)
    return hits, np.ones_like(hits)


def compared(first, second):
    return best_gap((first[0], second[0]), (first[1], second[1]))


def test_of_one_against_one_it_is_the_paired_gap():
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 4, size=(2, 31))
    runs = np.full(31, 3)
    found = best_gap((a[None], b[None]), (runs[None], runs[None]))
    plain = paired_gap(np.stack((a, b)), np.stack((runs, runs)))
    assert found.gap == pytest.approx(plain.gap)
    assert found.low == pytest.approx(plain.low)
    assert found.high == pytest.approx(plain.high)
    assert found.p == pytest.approx(plain.p if plain.gap > 0 else 1.0)


def test_a_best_that_is_clear_is_chosen_on_every_half():
    tree, weak = np.arange(40) % 2, np.zeros(40, dtype=np.int64)
    found = compared(group(ONES), group(weak, tree))
    assert found.gap == pytest.approx(0.5)
    assert adjusted([found])[0].ahead()
    assert found.p == paired_gap(np.stack((ONES, tree)), np.stack((ONES, ONES))).p


def test_it_has_to_be_ahead_of_every_one():
    half = np.arange(40) % 2
    found = compared(group(half), group(np.zeros(40), ONES))
    assert found.gap == pytest.approx(-0.5)
    assert found.p == 1.0
    assert not found.ahead()


def test_several_in_the_first_group_cost_their_number():
    few = np.arange(40) < 6
    one, two = compared(group(few), group(np.zeros(40))), compared(group(few, few), group(np.zeros(40)))
    assert two.p == pytest.approx(2 * one.p)
    assert two.gap == pytest.approx(one.gap)


@pytest.mark.parametrize("tasks", [1, 2, 3, 4, 5])
def test_few_tasks(tasks):
    rng = np.random.default_rng(tasks)
    found = compared(group(*rng.integers(0, 2, size=(2, tasks))), group(*rng.integers(0, 2, size=(2, tasks))))
    assert np.isnan(found.gap) == (tasks < 2)
    assert np.isnan(found.low) or tasks >= 4
    assert not found.ahead()


def test_leaving_a_task_out_is_computing_without_it(monkeypatch):
    rng = np.random.default_rng(8)
    rates = rng.random((3, 9))
    halves = divisions(9)
    every = best_of.rate_of_best(rates, halves, leave_out=True)
    for task in range(9):
        kept = np.arange(9) != task
        np.testing.assert_allclose(every[task], best_of.rate_of_best(rates[:, kept], halves[:, kept])[0])


def test_equal_strategies_show_no_gap_where_the_plain_maximum_does():
    """400 studies of 40 tasks in which four strategies are equal: three trees, one gradient."""
    rng = np.random.default_rng(11)
    fair, plain, ahead, covered = [], [], 0, 0
    for _ in range(400):
        task = 1 / (1 + np.exp(1.0 - 1.5 * rng.normal(size=40)))
        hits = (rng.random((4, 40)) < task).astype(np.int64)
        found = compared(group(hits[0]), group(*hits[1:]))
        fair.append(found.gap)
        plain.append(hits[0].mean() - hits[1:].mean(axis=1).max())
        ahead += found.ahead()
        covered += found.low <= 0 <= found.high
    sem = np.std(fair, ddof=1) / 20
    assert abs(np.mean(fair)) < 3 * sem
    assert sem < 0.006
    assert np.mean(plain) < -0.03
    assert ahead / 400 <= 0.03
    assert 0.91 <= covered / 400 <= 0.985
