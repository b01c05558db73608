"""Size of every confirmatory test where nothing, or not what is claimed, is true; docs/statistics.md has the figures.

The short forms run a few hundred grids with the tolerance that so few allow; the full ones, marked slow, print what
they measured (`pytest -s -m slow tests/analysis/test_nulls.py`).
"""

import math

import numpy as np
import pytest

from mlesearch.analysis.statistics.capability import slope_test
from mlesearch.analysis.statistics.crossover import crossover, groups_by_capability
from mlesearch.analysis.statistics.family import family
from mlesearch.analysis.statistics.gaps import paired_gap
from mlesearch.analysis.statistics.leave_out import gap_p, holm_each
from tests.support.nulls import CROSSOVER_NULLS, DEPENDENT_NULLS, TREND_NULLS, Truth, grid_hits
from tests.support.synthetic_study import CAPABILITY

DRAWS = 999
GRIDS = 4000
"""Of every size that docs/statistics.md quotes."""

NAMES = tuple(f"m{i}" for i in range(len(CAPABILITY)))
GROUPS = groups_by_capability(NAMES, CAPABILITY)


def slack(level, grids, errors=3.0):
    """What so many grids may be above the level by chance."""
    return errors * math.sqrt(level * (1 - level) / grids)


def trends(truth, tasks, seeds, grids, seed):
    """Shares of grids in which the gap "rises": by permutation alone, by t over tasks alone, by both."""
    rng = np.random.default_rng(seed)
    found = np.zeros(3)
    for _ in range(grids):
        rate = grid_hits(rng, truth, tasks, seeds) / seeds
        s = slope_test(rate[:, 0] - rate[:, 1], CAPABILITY, "greater", draws=DRAWS)
        found += (s.p <= 0.05, s.p_tasks <= 0.05, s.p_both <= 0.05)
    return found / grids


def crossings(truth, tasks, seeds, grids, seed, capability=CAPABILITY, noise=0.0):
    """Shares of grids in which a crossover is claimed: for these models, for models like these.

    `seeds` 0: from 1 to 5 on each task, with each model and strategy; `noise`: sd of the error of capability figures.
    """
    rng = np.random.default_rng(seed)
    found = np.zeros(2)
    names = NAMES[: len(capability)]
    for _ in range(grids):
        each = seeds or rng.integers(1, 6, size=(len(capability), 2, tasks))
        rate = grid_hits(rng, truth, tasks, each, capability) / each
        d = rate[:, 0] - rate[:, 1]
        known = capability if not noise else np.asarray(capability) + noise * rng.normal(size=len(capability))
        slope = slope_test(d, known, draws=DRAWS)
        x = crossover(names, d, known, *groups_by_capability(names, known), slope=slope)
        found += (x.these_models, x.like_models)
    return found / grids


def families(truth, tasks, seeds, grids, seed, order=()):
    """Shares of grids in which anything confirmatory is established: as one family, and by each part alone at 5 %."""
    rng = np.random.default_rng(seed)
    found = np.zeros(2)
    counts, nothing = np.full((len(CAPABILITY), 2, tasks), seeds), np.zeros((1, tasks), dtype=bool)
    for _ in range(grids):
        hits = grid_hits(rng, truth, tasks, seeds)
        d = (hits[:, 0] - hits[:, 1]) / seeds
        s = slope_test(d, CAPABILITY, "greater", draws=DRAWS)
        x = crossover(NAMES, d, CAPABILITY, *GROUPS, slope=s)
        gaps = holm_each(gap_p(hits, counts, nothing)[0])[:, 0].tolist()
        whole = family(gaps, s.p_both, x.p, order)
        found += (min([*whole.gaps, whole.slope, whole.crossover]) <= 0.05, min([*gaps, s.p_both, x.p]) <= 0.05)
    return found / grids


def gaps_rejected(truth, tasks, seeds, grids, seed):
    """Of one model: share of grids in which its gap is rejected; of all, and of those in which 20 tasks differ."""
    rng = np.random.default_rng(seed)
    counts = np.full((2, tasks), seeds)
    found = np.zeros((2, 2))
    for _ in range(grids):
        got = paired_gap(grid_hits(rng, truth, tasks, seeds, (0.1,))[0], counts)
        found += np.outer((1, got.informative >= 20), (1, got.p <= 0.05))
    (every, rejected), (many, among) = found
    return rejected / every, among / many if many >= 0.1 * grids else math.nan


def test_a_trend_is_no_finding_where_strategies_differ_by_task_in_short():
    """Permutation alone would find one in .10 to .16 of grids here."""
    alone, _, both = trends(TREND_NULLS["arm x task sd 1.4"], 75, 10, 300, seed=0)
    assert both <= 0.05 + slack(0.05, 300)
    assert alone > 0.08


def test_what_models_have_of_their_own_is_no_trend_in_short():
    """t over tasks alone would find one in .09 to .29 of grids here."""
    _, alone, both = trends(TREND_NULLS["arm x task sd .7, models differ by .3"], 75, 10, 300, seed=1)
    assert both <= 0.05 + slack(0.05, 300)
    assert alone > 0.12


@pytest.mark.parametrize("null", ["step in the middle", "step down, nothing above", "vee"])
def test_no_crossover_is_found_in_short(null):
    assert crossings(CROSSOVER_NULLS[null], 75, 3, 150, seed=2)[0] <= 0.05 + slack(0.05, 150)


def test_the_family_keeps_its_level_in_short():
    assert families(Truth(), 75, 3, 100, seed=3)[0] <= 0.05 + slack(0.05, 100)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("null", TREND_NULLS)
@pytest.mark.parametrize(("tasks", "seeds"), [(75, 3), (75, 10), (22, 10)])
def test_size_of_a_trend_in_full(null, tasks, seeds):
    got = trends(TREND_NULLS[null], tasks, seeds, GRIDS, seed=4)
    print(f"\ntrend | {null} | {tasks} x {seeds} | {got.round(3)}")
    assert got[2] <= 0.06


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("null", CROSSOVER_NULLS)
@pytest.mark.parametrize(("tasks", "seeds"), [(75, 3), (40, 2), (22, 3), (7, 3)])
def test_size_of_the_crossover_in_full(null, tasks, seeds):
    got = crossings(CROSSOVER_NULLS[null], tasks, seeds, GRIDS, seed=5)
    print(f"\ncrossover | {null} | {tasks} x {seeds} | {got.round(3)}")
    assert (got <= 0.055 + slack(0.055, GRIDS, 2.0)).all()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("null", ["step in the middle", "bend"])
@pytest.mark.parametrize(
    ("what", "seeds", "capability", "noise"),
    [
        ("capability with noise (sd .7)", 3, CAPABILITY, 0.7),
        ("four models", 3, (-1.4, -0.6, 0.4, 1.7), 0.0),
        ("one to five seeds", 0, CAPABILITY, 0.0),
    ],
)
def test_size_of_the_crossover_in_other_designs(null, what, seeds, capability, noise):
    got = crossings(CROSSOVER_NULLS[null], 75, seeds, GRIDS, 9, capability, noise)
    print(f"\ncrossover | {null} | {what} | {got.round(3)}")
    assert (got <= 0.055 + slack(0.055, GRIDS, 2.0)).all()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("null", DEPENDENT_NULLS)
def test_dependence_and_skew_break_the_crossover_as_the_page_says(null):
    got = crossings(DEPENDENT_NULLS[null], 75, 3, GRIDS, seed=6)
    print(f"\ndependent | {null} | 75 x 3 | {got.round(3)}")
    assert got[0] > 0.055


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("order", [(), ("gap", "slope", "crossover"), ("slope", "crossover", "gap")])
@pytest.mark.parametrize(("tasks", "seeds"), [(75, 3), (75, 10), (22, 3)])
def test_size_of_the_family_in_full(order, tasks, seeds):
    got = families(Truth(), tasks, seeds, GRIDS, 7, order)
    print(f"\nfamily | {order} | {tasks} x {seeds} | {got.round(3)}")
    assert got[0] <= 0.06


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("null", [name for name, truth in TREND_NULLS.items() if not truth.model_sd])
@pytest.mark.parametrize(("tasks", "seeds"), [(75, 3), (75, 10), (22, 3), (7, 3), (75, 1)])
def test_size_of_a_gap_in_full(null, tasks, seeds):
    whole, among = gaps_rejected(TREND_NULLS[null], tasks, seeds, GRIDS, seed=8)
    print(f"\ngap | {null} | {tasks} x {seeds} | {whole:.3f} {among:.3f}")
    assert whole <= 0.07
    assert math.isnan(among) or among >= 0.03 - slack(0.03, GRIDS, 2.0)
