"""Verdicts with one task, one category or one model left out: against recomputing them from what is left."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mlesearch.analysis.statistics.capability import slope_test
from mlesearch.analysis.statistics.crossover import crossover
from mlesearch.analysis.statistics.family import family
from mlesearch.analysis.statistics.gaps import adjust, paired_gap
from mlesearch.analysis.statistics.hanging import Left, PartValues, hanging
from mlesearch.analysis.statistics.leave_out import (
    Sets,
    crossing_p,
    gap_p,
    holm_each,
    permutation_p,
    slope_p,
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


@settings(deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=3, max_size=12), st.randoms(use_true_random=False))
def test_t_statistics_equal_those_of_what_is_left(values, random):
    x = np.array(values) / 3
    codes = np.array([random.randrange(3) for _ in values])
    rows = sets_of(x.size, codes).rows
    statistic, df, spread = t_without(x, rows)
    for s, row in enumerate(rows):
        rest = x[~row]
        assert spread[s] == (rest.size > 1 and np.ptp(rest) > 0)
        if spread[s]:
            assert statistic[s] == pytest.approx(stats.ttest_1samp(rest, 0).statistic, abs=1e-9)
            assert df[s] == rest.size - 1


@pytest.mark.parametrize(("tasks", "effect"), [(12, 2.0), (24, 1.2), (60, 0.9)])
@pytest.mark.parametrize("mid_p", [False, True])
def test_gaps_equal_those_of_what_is_left(tasks, effect, mid_p):
    rng = np.random.default_rng(tasks)
    p = grid_probabilities(rng, lambda c: 0 * c + effect, tasks=tasks, capability=(-0.5, 0.0, 0.5, 1.0))
    hits, counts = rng.binomial(3, p).transpose(1, 0, 2), np.full((4, 2, tasks), 3)
    hits[3] = [[2] * tasks, [1] * tasks]  # every task alike
    rows = sets_of(tasks, np.arange(tasks) // 4).rows
    p_each, signs = gap_p(hits, counts, rows, mid_p)
    found = holm_each(p_each)
    for s, row in enumerate(rows):
        pairs = zip(hits, counts, strict=True)
        left = adjust([paired_gap(h[:, ~row], k[:, ~row], mid_p=mid_p) for h, k in pairs], "holm")
        np.testing.assert_allclose(found[:, s], [g.p_adjusted for g in left], rtol=1e-9)
        assert signs[:, s].tolist() == [int(np.sign(g.gap)) for g in left]


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


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["twice", "published", "none"]), st.booleans())
def test_slope_and_crossover_equal_those_of_what_is_left(seed, effect, falls):
    d = grid(effect, 20, 3, seed) * (-1 if falls else 1)
    rows = sets_of(20, np.arange(20) // 5).rows
    side, trend = ("less", "falls") if falls else ("greater", "rises")
    p_slope, signs = slope_p(d, C, rows, side)
    p_crossing = crossing_p(d, C, LOW, HIGH, rows, falls)
    for s in (0, 1, 7, 21, 24):
        left = d[:, ~rows[s]]
        slope = slope_test(left, C, side)
        assert p_slope[s] == pytest.approx(slope.p_both, rel=1e-9)
        assert signs[s] == np.sign(slope.slope)
        expected = crossover(NAMES, left, C, NAMES[:3], NAMES[7:], trend=trend).p
        assert p_crossing[s] == pytest.approx(expected, rel=1e-9)


def test_gaps_without_spread_are_tested_by_their_signs():
    d = np.repeat(np.sign(C)[:, None], 12, axis=1) / 3
    rows = sets_of(12).rows
    assert crossing_p(d, C, LOW, HIGH, rows)[:2] == pytest.approx([2.0**-11, 2.0**-10])
    assert slope_p(d, C, rows, "greater")[0][1] == pytest.approx(slope_test(d[:, 1:], C, "greater").p_both)
    assert slope_p(0 * d, C, rows, "greater")[0].tolist() == [1.0] * 13


def comparison(d, side="greater", falls=False):
    """A comparison in which every run of the baseline on a task failed or all did, so that only gaps matter."""
    whole = np.round(d * 3).astype(int)
    hits = np.stack([np.maximum(whole, 0), np.maximum(-whole, 0)], axis=1)
    groups = tuple(NAMES[:3]), tuple(NAMES[7:])
    return Left(tuple(NAMES), hits, np.full_like(hits, 3), d, C, side, groups, falls)


def shared(parts):
    """The family without a declared order."""
    found = family(parts.gaps, parts.slope, parts.crossover)
    return PartValues(found.gaps, found.slope, found.crossover)


def by_hand(d, capability, names):
    """In which direction each part is established, from the tests themselves."""
    groups = [[n for n in group if n in names] for group in (NAMES[:3], NAMES[7:])]
    whole = np.round(d * 3).astype(int)
    pairs = [np.stack([np.maximum(w, 0), np.maximum(-w, 0)]) for w in whole]
    gaps = adjust([paired_gap(h, np.full_like(h, 3)) for h in pairs], "holm")
    slope = slope_test(d, capability, "greater")
    across = crossover(names, d, capability, *groups)
    found = family([g.p_adjusted for g in gaps], slope.p_both, None if across.refused else across.p)
    signs = [int(np.sign(g.gap)) * (p <= 0.05) for g, p in zip(gaps, found.gaps, strict=True)]
    return signs, int(slope.slope > 0 and found.slope <= 0.05), int(found.crossover <= 0.05)


def test_what_verdicts_hang_on_is_what_undoes_them():
    hung = 0
    for seed in range(5):
        d = grid("twice", 20, 3, seed)
        sets = sets_of(20, np.arange(20) // 5)
        got = {(h.verdict, h.model): h for h in hanging(comparison(d), sets, shared)}
        gaps, slope, across = by_hand(d, C, NAMES)
        assert {name for verdict, name in got if verdict == "gap"} == {n for n, g in zip(NAMES, gaps, strict=True) if g}
        assert (("slope", "") in got, ("crossover", "") in got) == (bool(slope), bool(across))
        labels = (*sets.tasks, *sets.categories)
        left = [by_hand(d[:, ~row], C, NAMES) for row in sets.rows[1:]]
        for (verdict, name), h in got.items():
            if verdict == "gap":
                m = NAMES.index(name)
                fallen = [found[0][m] != gaps[m] for found in left]
            else:
                fallen = [found[1 if verdict == "slope" else 2] == 0 for found in left]
            assert h.tasks + h.categories == tuple(n for n, f in zip(labels, fallen, strict=True) if f)
            hung += not h.holds
        for m, name in enumerate(NAMES):
            rest = [other for other in NAMES if other != name]
            _, fewer, crossed = by_hand(np.delete(d, m, axis=0), np.delete(C, m), rest)
            if slope:
                assert (name in got["slope", ""].models) == (not fewer)
            if across:
                assert (name in got["crossover", ""].models) == (not crossed)
    assert hung  # some of these verdicts hang on something


def one_model(hits):
    return Left(("m",), hits, np.ones_like(hits), np.asarray(hits[:, 0] - hits[:, 1], dtype=float))


def test_what_hangs_is_named():
    hits = np.zeros((1, 2, 8), dtype=int)
    hits[0, 0, :6] = 1  # six informative tasks: exact p = .03, and .06 with five
    (got,) = hanging(one_model(hits), sets_of(8, [0, 0, 1, 1, 2, 3, 4, 5]))
    assert (got.verdict, got.model, got.holds) == ("gap", "m", False)
    assert got.tasks == ("t00", "t01", "t02", "t03", "t04", "t05")
    assert got.categories == ("c0", "c1")  # those of one task are named as that task
    twelve = np.zeros((1, 2, 12), dtype=int)
    twelve[0, 0] = 1
    (firm,) = hanging(one_model(twelve), sets_of(12))
    assert firm.holds
    assert hanging(one_model(0 * twelve), sets_of(12)) == ()


def test_a_slope_over_four_models_hangs_on_each():
    d = 0.1 * np.arange(4.0)[:, None] + 0.01 * np.random.default_rng(0).normal(size=(4, 40))
    hits = np.zeros((4, 2, 40), dtype=int)
    c = Left(("a", "b", "c", "d"), hits, np.ones_like(hits), d, np.arange(4.0), "greater")
    (got,) = hanging(c, sets_of(40))
    assert (got.verdict, got.tasks, got.models) == ("slope", (), ("a", "b", "c", "d"))  # three cannot go below 1/6
    assert hanging(Left(c.models, hits, c.counts, -d, c.capability, "greater"), sets_of(40)) == ()
