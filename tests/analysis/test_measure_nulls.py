"""Size of the tests of measures, and of the crossover in budget, where nothing, or not what is claimed, is true.

Like `test_nulls`: a short form with every run, the full ones, marked slow, print what docs/statistics.md quotes.
"""

import math

import numpy as np
import pytest

from mlesearch.analysis.measures.budget_rates import crossing_of
from mlesearch.analysis.statistics.capability import slope_test
from mlesearch.analysis.statistics.crossover import crossover, groups_by_capability
from mlesearch.analysis.statistics.gaps import paired_gap
from tests.support.measure_nulls import BUDGET_NULLS, BUDGETS, KINDS, budget_gaps_of, measure_sums
from tests.support.synthetic_study import CAPABILITY

GRIDS = 4000
NAMES = tuple(f"m{i}" for i in range(len(CAPABILITY)))
GROUPS = groups_by_capability(NAMES, CAPABILITY)
STEP = tuple(1.0 if c > 0 else 0.0 for c in CAPABILITY)


def slack(level, grids, errors=3.0):
    """What so many grids may be above the level by chance."""
    return errors * math.sqrt(level * (1 - level) / grids)


def gaps_rejected(kind, tasks, seeds, arm_sd, grids, seed):
    """Share of grids in which the gap of two equal strategies in a measure is rejected."""
    rng = np.random.default_rng(seed)
    counts = np.full((2, tasks), seeds)
    found = [paired_gap(measure_sums(rng, kind, tasks, seeds, arm_sd)[0], counts).p <= 0.05 for _ in range(grids)]
    return float(np.mean(found))


def trends(kind, effect, tasks, seeds, grids, seed):
    """Shares of grids in which the gap in a measure "rises", and in which it crosses over, for these models."""
    rng = np.random.default_rng(seed)
    found = np.zeros(2)
    for _ in range(grids):
        sums = measure_sums(rng, kind, tasks, seeds, 0.7, effect, CAPABILITY)
        d = (sums[:, 0] - sums[:, 1]) / seeds
        s = slope_test(d, CAPABILITY, "greater", draws=999)
        found += (s.p_both <= 0.05, crossover(NAMES, d, CAPABILITY, *GROUPS, slope=s).these_models)
    return found / grids


def budget_crossings(null, tasks, seeds, grids, seed):
    """Share of grids in which a crossover in budget is claimed."""
    rng = np.random.default_rng(seed)
    claimed = [
        crossing_of("steps", BUDGETS[:2], BUDGETS[2:], budget_gaps_of(rng, null, tasks, seeds)).established
        for _ in range(grids)
    ]
    return float(np.mean(claimed))


@pytest.mark.parametrize("kind", KINDS)
def test_equal_strategies_are_not_told_apart_in_short(kind):
    assert gaps_rejected(kind, 22, 3, 0.7, 300, seed=0) <= 0.05 + slack(0.05, 300)


@pytest.mark.parametrize("null", ["level with little, ahead with much", "behind with little, level with much"])
def test_no_crossover_in_budget_is_found_in_short(null):
    assert budget_crossings(null, 40, 2, 300, seed=1) <= 0.05 + slack(0.05, 300)


def test_what_crosses_in_budget_is_found():
    """The short forms would also pass if nothing were ever found."""
    rng = np.random.default_rng(2)
    d = budget_gaps_of(rng, "no gap", 75, 3) + np.array([-0.2, -0.2, 0.2, 0.2])[:, None]
    assert crossing_of("steps", BUDGETS[:2], BUDGETS[2:], d).established


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("arm_sd", [0.0, 1.4])
@pytest.mark.parametrize(("tasks", "seeds"), [(75, 3), (22, 3), (7, 3), (75, 1)])
def test_size_of_a_gap_in_full(kind, arm_sd, tasks, seeds):
    got = gaps_rejected(kind, tasks, seeds, arm_sd, GRIDS, seed=3)
    print(f"\nmeasure gap | {kind} | sd {arm_sd} | {tasks} x {seeds} | {got:.3f}")
    assert got <= 0.07


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("tasks", "seeds"), [(75, 3), (22, 3)])
def test_size_of_trend_and_crossover_in_full(kind, tasks, seeds):
    level, step = (trends(kind, effect, tasks, seeds, GRIDS, seed=4) for effect in ((0.0,) * len(STEP), STEP))
    print(f"\nmeasure trend | {kind} | {tasks} x {seeds} | rises {level[0]:.3f} | step, nothing below {step[1]:.3f}")
    assert level[0] <= 0.06
    assert step[1] <= 0.055 + slack(0.055, GRIDS, 2.0)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("null", BUDGET_NULLS)
@pytest.mark.parametrize(("tasks", "seeds"), [(75, 3), (40, 2), (22, 3), (7, 3)])
def test_size_of_the_crossover_in_budget_in_full(null, tasks, seeds):
    got = budget_crossings(null, tasks, seeds, GRIDS, seed=5)
    print(f"\nbudget crossover | {null} | {tasks} x {seeds} | {got:.3f}")
    assert got <= 0.055 + slack(0.055, GRIDS, 2.0)
