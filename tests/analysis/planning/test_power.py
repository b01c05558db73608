"""What designs detect: against worked values, and against simulated studies."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlesearch.analysis.planning.conditions import EndGroups
from mlesearch.analysis.planning.looks import LookBounds
from mlesearch.analysis.planning.power import (
    Spread,
    crossover_power,
    detectable_in_errors,
    power_of,
    seeds_needed,
    standard_error,
    tasks_needed,
)
from mlesearch.analysis.planning.simulation import Population, sequential
from mlesearch.analysis.planning.spread import spread_of_counts, spread_of_population
from mlesearch.types import ConfigError
from tests.support.synthetic_study import CAPABILITY

LOW, HIGH = range(3), range(7, 10)


def test_multiples_of_the_standard_error():
    """One test 2.80, ten under Holm 3.65, four 3.34; at 22 tasks t adds 5 %."""
    assert detectable_in_errors(100_000) == pytest.approx(2.80, abs=0.005)
    assert detectable_in_errors(100_000, 10) == pytest.approx(3.65, abs=0.005)
    assert detectable_in_errors(100_000, 4) == pytest.approx(3.34, abs=0.005)
    assert detectable_in_errors(22) / detectable_in_errors(100_000) == pytest.approx(1.05, abs=0.005)
    with pytest.raises(ValueError, match="at least two"):
        detectable_in_errors(1)


def test_the_textbook_case():
    """Cohen 1988: a paired difference of half a standard deviation needs 34 pairs for 80 % (power .808)."""
    assert power_of(0.5, 1 / math.sqrt(34), 34) == pytest.approx(0.808, abs=0.001)
    assert power_of(0.5, 1 / math.sqrt(33), 33) < 0.8
    assert tasks_needed(1.0, 0.0, 1, 0.5) == 34
    assert power_of(0.0, 1.0, 34) == pytest.approx(0.05, abs=1e-6)
    assert power_of(0.1, 0.0, 34) == 1.0


@pytest.mark.parametrize(
    ("tasks", "ratio", "tests"), [(3, 2.0, 1), (7, 3.0, 10), (22, 2.9, 1), (75, 3.6, 10), (900, 1, 4)]
)
def test_power_is_the_tail_of_a_noncentral_t(tasks, ratio, tests):
    critical = stats.t.isf(0.05 / (2 * tests), tasks - 1)
    expected = stats.nct.sf(critical, tasks - 1, ratio) + stats.nct.cdf(-critical, tasks - 1, ratio)
    assert power_of(ratio, 1.0, tasks, tests) == pytest.approx(expected, abs=1e-6)


def test_seeds_by_hand():
    """T = 75, s = .01, w = .3: one test needs SE = gap / 2.84."""
    multiple = detectable_in_errors(75)
    gap = 0.08
    wanted = (gap / multiple) ** 2 * 75 - 0.01
    assert seeds_needed(0.01, 0.3, 75, gap) == math.ceil(0.3 / wanted)
    assert seeds_needed(0.01, 0.3, 75, 0.03) is None  # the tasks' own gaps alone leave 3.3 points
    assert standard_error(0.01, 0.3, 75, math.inf) * multiple > 0.03
    assert seeds_needed(0.0, 0.0, 75, 0.03) == 1
    assert tasks_needed(0.01, 0.3, 3, 1e-6) is None


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0.0, 0.05),
    st.floats(0.01, 0.5),
    st.integers(3, 200),
    st.floats(0.01, 0.3),
    st.sampled_from([1, 4, 10]),
)
def test_what_is_said_to_be_needed_is_enough_and_one_less_is_not(own, noise, tasks, gap, tests):
    def found(t, k):
        return power_of(gap, standard_error(own, noise, t, k), t, tests) >= 0.8 - 1e-6

    seeds = seeds_needed(own, noise, tasks, gap, tests)
    if seeds is None:
        assert not found(tasks, 1e9)
    else:
        assert found(tasks, seeds)
        assert seeds == 1 or not found(tasks, seeds - 1 - 1e-6)
    needed = tasks_needed(own, noise, 3, gap, tests)
    assert needed is not None
    assert found(needed, 3)
    assert needed == 2 or not found(needed - 1, 3)


def test_the_formula_for_the_error_and_the_power_are_those_of_simulated_studies():
    population = Population(lambda c: 0.8 + 0.0 * c)
    rng = np.random.default_rng(3)
    tasks, seeds, grids = 40, 3, 3000
    truth = spread_of_population(population, [0.0, 0.0], [0], [1], "")
    rates = population.rates(rng, grids, [0.0], tasks)
    gaps = rng.binomial(seeds, rates) / seeds
    d = gaps[:, 0, 0] - gaps[:, 0, 1]
    error = standard_error(truth.own, truth.noise, tasks, seeds)
    assert d.mean(axis=-1).std() == pytest.approx(error, rel=0.04)
    rejected = (stats.ttest_1samp(d, 0, axis=-1).pvalue <= 0.05).mean()
    assert power_of(d.mean(), error, tasks) == pytest.approx(rejected, abs=0.03)


def test_variances_of_a_pilot_are_unbiased():
    population = Population(lambda c: 0.4 * c)
    rng = np.random.default_rng(4)
    truth = spread_of_population(population, CAPABILITY, LOW, HIGH, "")
    found = []
    for _ in range(150):
        rates = population.rates(rng, 1, CAPABILITY, 60)[0]
        counts = rng.integers(2, 5, size=rates.shape)  # seeds may differ
        got = spread_of_counts(rng.binomial(counts, rates), counts, LOW, HIGH, "pilot")
        found.append([got.own, got.noise, got.ends_own[0][0], got.ends_own[0][1], *got.ends_noise])
    expected = [truth.own, truth.noise, truth.ends_own[0][0], truth.ends_own[0][1], *truth.ends_noise]
    np.testing.assert_allclose(np.mean(found, axis=0), expected, rtol=0.12)


def test_a_pilot_of_one_seed_or_one_task_is_refused():
    with pytest.raises(ConfigError, match="single seed"):
        spread_of_counts(np.ones((4, 2, 9)), np.ones((4, 2, 9)), [0, 1], [2, 3], "pilot")
    with pytest.raises(ConfigError, match="one task"):
        spread_of_counts(np.ones((4, 2, 1)), np.full((4, 2, 1), 2), [0, 1], [2, 3], "pilot")


@pytest.mark.parametrize("looks", [(3,), (1, 2, 3, 4, 5)])
def test_power_of_a_crossover_is_that_of_simulated_grids(looks):
    population = Population(lambda c: 0.6 * c)
    rates = population.rates(np.random.default_rng(5), 1, CAPABILITY, 20_000)[0]
    gaps = rates[:, 0].mean(axis=-1) - rates[:, 1].mean(axis=-1)
    spread = spread_of_population(population, CAPABILITY, LOW, HIGH, "")
    bounds = LookBounds.of(looks, 0.05, 0.1)
    planned = crossover_power((gaps[:3].mean(), gaps[-3:].mean()), spread, 75, bounds, grids=2000)
    ends = EndGroups.of(CAPABILITY[:3], CAPABILITY[-3:])
    made = sequential(population, ends, bounds, 75, 2000, np.random.default_rng(6))
    assert planned.power == pytest.approx(made.claimed, abs=0.05)
    assert (planned.seeds_low + planned.seeds_high) * 3 * 2 * 75 == pytest.approx(made.runs, rel=0.05)


def test_a_crossover_without_noise_at_one_end_is_the_power_of_the_other():
    spread = Spread(0, 0, ((1e-4, 0.0), (0.0, 1e-8)), (0.2, 1e-8), "")
    bounds = LookBounds.of((3,), 0.05, 0.0)
    got = crossover_power((-0.05, 0.05), spread, 75, bounds, grids=4000)
    error = standard_error(1e-4, 0.2, 75, 3)
    assert got.power == pytest.approx(stats.nct.sf(stats.t.isf(0.05, 74), 74, 0.05 / error), abs=0.02)
    assert (got.seeds_low, got.seeds_high) == (3.0, 3.0)
