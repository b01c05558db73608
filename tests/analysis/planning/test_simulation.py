"""What sequential plans claim, and what they run, on simulated grids."""

import math

import numpy as np
import pytest

from mlesearch.analysis.planning.conditions import EndGroups
from mlesearch.analysis.planning.looks import LookBounds
from mlesearch.analysis.planning.simulation import Population, sequential
from tests.support.synthetic_study import CAPABILITY

ENDS = EndGroups.of(CAPABILITY[:3], CAPABILITY[-3:])
TASKS, FULL_GRID = 75, 10 * 2 * 75 * 3
NULLS = {
    "step": lambda c: 0.9 * (c > 0),
    "bend": lambda c: np.maximum(0.0, 0.9 * (c - 0.1)),
    "step down": lambda c: -0.9 * (c < 0),
    "edge": lambda c: 0.4 * (c + 1.4),
    "none": lambda c: 0.0 * c,
}
RATIOS = {0.32: "20", 0.7: "4", 1.5: "1"}
"""Standard deviations of strategies' own standing on a task, with the ratio of variances that they make, about."""


def plan(effect, arm_sd=0.7, futility=0.1, grids=4000, seed=1):
    bounds = LookBounds.of((1, 2, 3, 4, 5), 0.05, futility)
    got = sequential(Population(effect, arm_sd=arm_sd), ENDS, bounds, TASKS, grids, np.random.default_rng(seed))
    print(f"claimed {got.claimed:.3f} at {got.runs / FULL_GRID:.0%} of the runs, ratio {got.ratio:.1f}")
    return got


def test_size_and_power_in_short():
    assert plan(NULLS["step"], 0.32, 0.0, grids=500).claimed <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 500)
    got = plan(lambda c: 0.6 * c, grids=250)
    assert got.claimed >= 0.8
    assert got.runs <= 0.55 * FULL_GRID


@pytest.mark.slow
@pytest.mark.parametrize("arm_sd", RATIOS)
@pytest.mark.parametrize("futility", [0.0, 0.1])
@pytest.mark.parametrize("null", NULLS)
def test_size_of_a_sequential_plan_in_full(null, futility, arm_sd):
    got = plan(NULLS[null], arm_sd, futility, grids=8000)
    assert got.claimed <= 0.057
    assert got.ratio == pytest.approx(float(RATIOS[arm_sd]), rel=0.25)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gain", "power", "share"), [(0.4, 0.45, 0.6), (0.6, 0.85, 0.55), (0.8, 0.95, 0.45), (1.2, 0.99, 0.35)]
)
def test_power_of_a_sequential_plan_in_full(gain, power, share):
    got = plan(lambda c: gain * c)
    assert got.claimed >= power
    assert got.runs <= share * FULL_GRID


@pytest.mark.slow
def test_unsafe_fractions_are_wrong_too_often():
    """The reason why the ratio of a study is not guessed: with information as if seeds hardly mattered."""
    bounds = LookBounds.of((1, 2, 3, 4, 5), 0.05, 0.0, ratio=1.0)
    got = sequential(Population(NULLS["step"], arm_sd=0.32), ENDS, bounds, TASKS, 8000, np.random.default_rng(1))
    assert got.claimed > 0.057
