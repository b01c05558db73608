"""Verdicts with one task, one category or one model left out: against recomputing them from what is left."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlesearch.analysis.capability import slope_test
from mlesearch.analysis.crossover import crossover
from mlesearch.analysis.gaps import adjust, paired_gap
from mlesearch.analysis.leave_out import (
    Sets,
    crossed,
    gap_signs,
    hanging_crossover,
    hanging_gaps,
    hanging_slope,
    permutation_p,
    slope_signs,
    t_without,
)
from tests.support.synthetic_study import CAPABILITY, EFFECTS, grid_probabilities

C = np.array(CAPABILITY)
NAMES = [f"m{i}" for i in range(10)]
LOW, HIGH = np.arange(3), np.arange(7, 10)


def sets_of(tasks, codes=None):
    names = [f"t{t:02d}" for t in range(tasks)]
    codes = None if codes is None else np.asarray(codes)
    categories = [] if codes is None else [f"c{c}" for c in range(codes.max() + 1)]
    return Sets.of(names, categories, codes)


@given(st.lists(st.integers(-3, 3), min_size=3, max_size=12), st.randoms(use_true_random=False))
def test_t_statistics_equal_those_of_what_is_left(values, random):
    x = np.array(values) / 3
    codes = np.array([random.randrange(3) for _ in values])
    rows = sets_of(x.size, codes).rows
    statistic, df = t_without(x, rows)
    for s, row in enumerate(rows):
        rest = x[~row]
        if rest.size < 2 or np.ptp(rest) == 0:
            assert statistic[s] == 0
        else:
            assert statistic[s] == pytest.approx(stats.ttest_1samp(rest, 0).statistic, abs=1e-9)
            assert df[s] == rest.size - 1


@pytest.mark.parametrize(("tasks", "effect"), [(12, 2.0), (24, 1.2), (60, 0.9)])
def test_gaps_equal_those_of_what_is_left(tasks, effect):
    rng = np.random.default_rng(tasks)
    p = grid_probabilities(rng, lambda c: 0 * c + effect, tasks=tasks, capability=(-0.5, 0.0, 0.5, 1.0))
    hits, counts = rng.binomial(3, p).transpose(1, 0, 2), np.full((4, 2, tasks), 3)
    rows = sets_of(tasks, np.arange(tasks) // 4).rows
    found = gap_signs(hits, counts, rows)
    for s, row in enumerate(rows):
        left = adjust([paired_gap(h[:, ~row], k[:, ~row]) for h, k in zip(hits, counts, strict=True)], "holm")
        assert found[:, s].tolist() == [int(np.sign(g.gap)) * int(g.p_adjusted <= 0.05) for g in left]
    assert len(set(found.ravel().tolist())) > 1  # some stand and some do not


@pytest.mark.parametrize("models", [4, 9])
@pytest.mark.parametrize("side", ["greater", "less", "two-sided"])
def test_permutation_p_is_that_of_the_slope_test(models, side):
    rng = np.random.default_rng(models)
    d = rng.normal(size=(models, 6)) + 0.3 * np.arange(models)[:, None]
    c = np.arange(models) ** 1.5
    got = permutation_p(np.stack([d.mean(axis=1), d[:, 1:].mean(axis=1)], axis=1), c, side, seed=3)
    assert got[0] == pytest.approx(slope_test(d, c, side, seed=3).p)
    assert got[1] == pytest.approx(slope_test(d[:, 1:], c, side, seed=3).p)


def grid(effect, tasks, seeds, seed):
    rng = np.random.default_rng(seed)
    rate = rng.binomial(seeds, grid_probabilities(rng, EFFECTS[effect], tasks=tasks)) / seeds
    return rate[0] - rate[1]


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.sampled_from(["twice", "published", "none"]))
def test_slope_and_crossover_equal_those_of_what_is_left(seed, effect):
    d = grid(effect, 20, 3, seed)
    rows = sets_of(20, np.arange(20) // 5).rows
    signs, across = slope_signs(d, C, rows, "greater"), crossed(d, C, LOW, HIGH, rows)
    for s in (0, 1, 7, 21, 24):
        left = d[:, ~rows[s]]
        slope = slope_test(left, C, "greater")
        over_tasks = slope.p_tasks / 2 if slope.slope > 0 else 1 - slope.p_tasks / 2
        assert signs[s] == int(slope.p <= 0.05 and over_tasks <= 0.05)
        assert across[s] == crossover(NAMES, left, C, NAMES[:3], NAMES[7:]).these_models


def test_a_crossover_names_what_it_falls_without():
    seen = 0
    for seed in range(6):
        d = grid("twice", 20, 3, seed)
        sets = sets_of(20, np.arange(20) // 5)
        got = hanging_crossover(NAMES, d, C, NAMES[:3], NAMES[7:], sets)
        assert (got is not None) == crossover(NAMES, d, C, NAMES[:3], NAMES[7:]).these_models
        if got is None:
            continue
        stands = [crossover(NAMES, d[:, ~row], C, NAMES[:3], NAMES[7:]).these_models for row in sets.rows[1:]]
        assert got.tasks + got.categories == tuple(
            name for name, stood in zip((*sets.tasks, *sets.categories), stands, strict=True) if not stood
        )
        for m, name in enumerate(NAMES):
            rest = [other for other in NAMES if other != name]
            left = [[other for other in group if other != name] for group in (NAMES[:3], NAMES[7:])]
            stood = crossover(rest, np.delete(d, m, axis=0), np.delete(C, m), *left).these_models
            assert (name in got.models) == (not stood)
        seen += not got.holds
    assert seen  # some of these verdicts hang on something


def test_what_hangs_is_named():
    hits = np.zeros((1, 2, 8), dtype=int)
    hits[0, 0, :6] = 1  # six informative tasks: exact p = .03, and .06 with five
    counts = np.ones_like(hits)

    def exact(whole):
        return 2.0 ** (1 - np.count_nonzero(whole))

    (got,) = hanging_gaps(["m"], hits, counts, sets_of(8, [0, 0, 1, 1, 2, 3, 4, 5]), exact)
    assert (got.verdict, got.model, got.holds) == ("gap", "m", False)
    assert got.tasks == ("t00", "t01", "t02", "t03", "t04", "t05")
    assert got.categories == ("c0", "c1")  # those of one task are named as that task
    twelve = np.zeros((1, 2, 12), dtype=int)
    twelve[0, 0] = 1
    (firm,) = hanging_gaps(["m"], twelve, np.ones_like(twelve), sets_of(12))
    assert firm.holds
    assert hanging_gaps(["m"], 0 * twelve, np.ones_like(twelve), sets_of(12)) == ()


def test_a_slope_that_hangs_on_one_model_names_it():
    rng = np.random.default_rng(0)
    d = 0.01 * rng.normal(size=(5, 40))
    d[4] += 0.5
    c = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    d[3] += 0.03
    d[2] += 0.02
    d[1] += 0.01
    got = hanging_slope([f"m{i}" for i in range(5)], d, c, sets_of(40), "greater")
    assert got.tasks == ()
    assert got.models == ()  # four models in order: p = 1/24
    got = hanging_slope([f"m{i}" for i in range(4)], d[:4], c[:4], sets_of(40), "greater")
    assert got.models == tuple(f"m{i}" for i in range(4))  # three models cannot go below 1/6
    assert hanging_slope([f"m{i}" for i in range(5)], -d, c, sets_of(40), "greater") is None
