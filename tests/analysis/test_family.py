"""The confirmatory parts as one family: against a general graphical procedure, and its error by simulation."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.analysis.statistics.family import family
from mlesearch.analysis.statistics.gaps import holm
from mlesearch.storage.claim import PARTS

EPSILON = 1e-7


def graph(models, order):
    """Weights and edges of the graph: hypotheses 0 to M - 1 are the gaps, M is the slope, M + 1 the crossover."""
    size, slope, cross = models + 2, models, models + 1
    edges = np.zeros((size, size))
    gaps = list(range(models))

    def gaps_hand_to(target):
        for i in gaps:
            for j in gaps:
                if i != j:
                    edges[i, j] = (1 - (EPSILON if target is not None else 0)) / (models - 1)
            if target is not None:
                edges[i, target] = EPSILON if models > 1 else 1.0

    if not order:
        weights = np.array([0.5 / models] * models + [0.5, 0.0])
        edges[slope, cross] = 1.0
        edges[cross, gaps] = 1.0 / models
        gaps_hand_to(slope)
        return weights, edges
    weights = np.zeros(size)
    after = dict(zip(order, [*order[1:], None], strict=True))
    heads = {"gap": gaps, "slope": [slope], "crossover": [cross]}
    weights[heads[order[0]]] = 1.0 / len(heads[order[0]])
    for part, one in (("slope", slope), ("crossover", cross)):
        if after[part]:
            edges[one, heads[after[part]]] = 1.0 / len(heads[after[part]])
    gaps_hand_to(heads[after["gap"]][0] if after["gap"] else None)
    return weights, edges


def rejected(p, weights, edges, level):
    """The hypotheses that the graphical procedure of Bretz et al. (2009) rejects."""
    left, w, g, out = set(range(len(p))), weights.copy(), edges.copy(), set()
    while True:
        found = [i for i in left if p[i] <= w[i] * level * (1 + 1e-4)]
        if not found:
            return out
        i = found[0]
        left.remove(i)
        out.add(i)
        before = g.copy()
        for j in left:
            w[j] += w[i] * before[i, j]
            for k in left:
                loop = 1 - before[j, i] * before[i, j]
                g[j, k] = (before[j, k] + before[j, i] * before[i, k]) / loop if j != k and loop > 1e-12 else 0.0
        w[i] = 0.0


ORDERS = [(), *permutations(PARTS)]
probability = st.sampled_from([0.0004, 0.003, 0.007, 0.012, 0.018, 0.024, 0.031, 0.047, 0.06, 0.3, 0.9])


@given(st.lists(probability, min_size=1, max_size=5), probability, probability, st.sampled_from(ORDERS))
def test_what_is_established_is_what_the_graphical_procedure_rejects(gaps, slope, cross, order):
    got = family(holm(gaps).tolist(), slope, cross, order)
    weights, edges = graph(len(gaps), order)
    expected = rejected([*gaps, slope, cross], weights, edges, 0.05)
    assert {i for i, p in enumerate((*got.gaps, got.slope, got.crossover)) if p <= 0.05} == expected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5), st.floats(0, 1), st.floats(0, 1), st.sampled_from(ORDERS))
def test_adjusted_p_are_never_below_the_raw_ones_and_say_what_is_established_at_any_level(gaps, slope, cross, order):
    own = holm(gaps).tolist()
    got = family(own, slope, cross, order)
    assert all(a >= p for a, p in zip((*got.gaps, got.slope, got.crossover), (*own, slope, cross), strict=True))
    assert all(a <= 1 for a in (*got.gaps, got.slope, got.crossover))
    assert got.crossover >= got.slope or bool(order)


def test_a_claim_of_the_gap_alone_is_holm_over_the_models():
    got = family([0.01, 0.04], None, None)
    assert (got.gaps, got.order) == ((0.01, 0.04), ("gap",))
    assert family([0.01, 0.04], None, None, ("slope", "crossover", "gap")).gaps == (0.01, 0.04)


def test_by_hand():
    shared = family([0.03, 0.2], 0.02, 0.04)  # the slope alone at half of the level
    assert shared.gaps == (0.06, 0.2)  # the second: at that level the trend hands its half over
    assert (shared.slope, shared.crossover) == (0.04, 0.08)
    assert shared.blocked_by("crossover") is None
    whole = family([0.01, 0.02], 0.04, 0.045)  # all gaps hand their half over
    assert (whole.slope, whole.crossover) == (0.04, 0.045)
    assert family([0.01, 0.02], 0.06, 0.001).blocked_by("crossover") == "slope"
    declared = family([0.001, 0.3], 0.06, 0.01, ("slope", "crossover", "gap"))
    assert (declared.gaps, declared.crossover) == ((0.06, 0.3), 0.06)
    assert declared.blocked_by("gap") == "slope"
    first = family([0.001, 0.06], 0.01, 0.01, ("gap", "slope", "crossover"))  # not with every model
    assert (first.gaps, first.slope, first.blocked_by("slope")) == ((0.001, 0.06), 0.06, "gap")


@pytest.mark.parametrize("order", ORDERS[:4])
@pytest.mark.parametrize("real", [0, 1, 3, 5])
def test_any_false_verdict_is_kept_at_the_level_whatever_is_real(order, real):
    """Five models of which some differ for certain, and no trend; p independent and uniform where nothing is real."""
    rng = np.random.default_rng(real)
    p = rng.uniform(size=(4000, 7))
    p[:, :real] = 0.0
    false = 0
    for row in p:
        got = family(holm(row[:5]).tolist(), row[5], max(row[5], row[6]), order)
        false += min([*got.gaps[real:], got.slope, got.crossover]) <= 0.05
    assert false / 4000 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 4000)
