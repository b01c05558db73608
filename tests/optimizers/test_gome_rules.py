"""Gome's rules by hand: what momentum remembers and draws, and what the decision list decides."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from mlesearch.optimizers.base import factory
from mlesearch.optimizers.gome.accept import Scores, decide
from mlesearch.optimizers.gome.memory import Memory, draw, keep, probabilities
from mlesearch.optimizers.gome.propose import scenario_weight
from mlesearch.types import (
    GuidanceKind,
    Op,
    Problem,
)
from tests.support.gome_driver import (
    ACC,
    BAD_FORMAT,
    BETTER_CODE,
    BY_NUMBERS,
    LEAK,
    MAX,
    MIN,
    REJ,
    REPLACE,
    SOUND,
    VOID,
    Driver,
    gome,
    hyp,
)


def worked(direction=MAX):
    memory = Memory(direction)
    sign = direction.sign
    memory.add("a", sign * 0.7, 0, 1, (1.0, 0.0))
    memory.add("b", sign * 0.9, 1, 2, (0.6, 0.8))
    memory.add("c", sign * 0.5, 1, 3, None)
    return memory


@pytest.mark.parametrize("direction", [MAX, MIN])
def test_kernel_on_worked_numbers_raw(direction):
    memory = worked(direction)
    # L = 30: exp(-gamma L) = 1/2. Candidate (0, 1): cosines 0, 0.8, 0. s_cur = 0.7: tanh(0, 0.2, -0.2)
    # U = (0, 0.4 + 0.1973753, -0.1973753); exp = 1, 1.8173423, 0.8208825; sum 3.6382248
    p = probabilities(memory.similarity([(0.0, 1.0)]), memory.gains(direction.sign * 0.7, 1.0), 30, 1.0, 1.0, 30.0)
    u = [0.0, 0.5 * 0.8 + math.tanh(0.2), math.tanh(-0.2)]
    by_formula = [math.exp(x) / sum(map(math.exp, u)) for x in u]
    assert p[0] == pytest.approx(by_formula, abs=1e-12)
    assert p[0] == pytest.approx([0.2748593, 0.4995135, 0.2256272], abs=2e-6)


def test_kernel_robust_scale_divides_by_the_interquartile_range():
    scores = Scores()
    for s in (0.1, 0.2, 0.3):
        scores.add(s)
    assert scores.interquartile_range == 0.0  # fewer than four
    scores.add(0.9)
    assert scores.interquartile_range == pytest.approx(0.45 - 0.175)  # as numpy's default
    assert scores.interquartile_range == pytest.approx(np.subtract(*np.percentile([0.1, 0.2, 0.3, 0.9], [75, 25])))
    memory = worked()
    gains = memory.gains(0.7, scores.interquartile_range)
    assert gains == pytest.approx([0.0, 0.2 / 0.275, -0.2 / 0.275])
    assert list(memory.gains(0.7, 0.0)) == [0, 0, 0]  # a range of 0: beta = 0
    assert list(memory.gains(None, 1.0)) == [0, 0, 0]  # nothing accepted: beta = 0
    scores.discard(0.9)
    assert scores.interquartile_range == 0.0


def test_kernel_clips_and_stays_finite():
    memory = Memory(MAX)
    for i, s in enumerate((-1e308, 1e308, 0.0)):
        memory.add(str(i), s, 0, i, (1.0,) if i else (-1.0,))
    p = probabilities(memory.similarity([(1.0,)]), memory.gains(1e308, 1e-300), 0, 5.0, 1.0, 30.0)
    u = [-2.0, 2.0, 2.0]
    assert p[0] == pytest.approx([math.exp(x) / sum(map(math.exp, u)) for x in u])


def test_memory_without_or_with_other_embeddings_is_similar_to_nothing():
    memory = worked()
    assert memory.similarity([None, (1.0, 0.0, 0.0), (0.0, 0.0)]).tolist() == [[0.0] * 3] * 3
    empty = Memory(MAX)
    empty.add("x", 1.0, 0, 0, None)
    empty.add("y", 1.0, 0, 1, (0.0, 2.0))
    assert empty.similarity([(0.0, 1.0)]).tolist() == [[0.0, 1.0]]
    for i in range(50):
        empty.add(str(i), 1.0, 0, i, (3.0, 4.0))
    assert empty.similarity([(0.0, 1.0)])[0, -1] == pytest.approx(0.8)
    assert empty.best is not None
    assert empty.best.text == "x"  # ties go to the earlier


def test_draw_without_replacement_follows_the_probabilities():
    p = np.array([[0.5, 0.3, 0.15, 0.05]])
    generator, n = np.random.default_rng(11), 20_000
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(n):
        pair = tuple(draw(p, lambda: generator))
        counts[pair] = counts.get(pair, 0) + 1
    q = p[0]
    expected = {(i, j): n * q[i] * q[j] * (1 / (1 - q[i]) + 1 / (1 - q[j])) for i in range(4) for j in range(i + 1, 4)}
    assert set(counts) == set(expected)
    chi2 = sum((counts[k] - e) ** 2 / e for k, e in expected.items())
    assert chi2 < 20.5  # 99.9 % of chi-square with 5 degrees of freedom
    assert draw(p[:, :2], lambda: pytest.fail("nothing to draw")) == [0, 1]


def test_pool_by_probability_or_as_released():
    p = np.array([[0.1, 0.2, 0.6, 0.1], [0.1, 0.5, 0.1, 0.3]])
    assert keep([0, 1, 2, 3], p, "by_probability") == [1, 2]  # sums .2 .7 .7 .4: the tie goes to the older
    assert keep([0, 2, 3], p, "by_probability") == [2, 3]
    assert keep([0, 2, 3], p, "as_released") == [0, 2]


def test_retrieval_prepends_the_global_best_and_draws_one_generator():
    calls = []
    search = factory("gome")(
        {**BY_NUMBERS, "n_traces": 1}, Problem(MAX, 100), lambda id: calls.append(id) or np.random.default_rng(id)
    )
    d = Driver(search)
    two = (hyp("x", embedding=(1.0, 0.0)), hyp("y", embedding=(0.0, 1.0)))
    for i in range(6):
        d.step(0.1 * i, hypotheses=tuple(replace(h, text=f"{h.text}{i}") for h in two))
    assert [e.score for e in search.memory.entries] == pytest.approx([0.1 * i for i in range(6)])
    assert len(calls) == len(set(calls))
    p = d.ask()
    assert p.op is Op.HYPOTHESIZE
    d.ok(p, hypotheses=two)
    p = d.ask()
    shown = [g.score for g in p.guidance if g.kind is GuidanceKind.MEMORY]
    assert shown[0] == pytest.approx(0.5)
    assert len(shown) in (2, 3)
    assert len(set(shown)) == len(shown)


@pytest.mark.parametrize(
    ("diagnosis", "score", "reference", "direction", "by_model", "kind"),
    [
        (BAD_FORMAT, 0.9, None, MAX, False, REJ),
        (replace(BAD_FORMAT, severely_misaligned=True), 0.9, None, MAX, False, REJ),
        (LEAK, 0.9, None, MAX, False, VOID),
        (LEAK, 0.9, 0.1, MAX, True, VOID),
        (SOUND, 0.1, None, MAX, False, ACC),
        (SOUND, 0.9, 0.5, MAX, False, ACC),
        (SOUND, 0.1, 0.5, MAX, False, REJ),
        (SOUND, 0.9, 0.5, MIN, False, REJ),
        (SOUND, 0.1, 0.5, MIN, False, ACC),
        (BETTER_CODE, 0.495, 0.5, MAX, False, ACC),
        (SOUND, 0.505, 0.5, MAX, False, REJ),
        (BETTER_CODE, 0.485, 0.5, MAX, False, REJ),
        (None, 0.505, 0.5, MAX, False, REJ),
        (None, 0.515, 0.5, MAX, False, ACC),
        (REPLACE, 0.1, 0.5, MAX, True, ACC),
        (SOUND, 0.9, 0.5, MAX, True, REJ),
        (SOUND, 0.9, None, MAX, True, REJ),
        (REPLACE, 0.1, None, MAX, True, ACC),
        (None, 0.1, None, MAX, True, ACC),
        (None, 0.9, 0.5, MAX, True, ACC),
    ],
)
def test_decision_list(diagnosis, score, reference, direction, by_model, kind):
    assert decide(diagnosis, score, reference, direction, 0.01, by_model).kind is kind


def test_any_change_is_clear_while_fewer_than_two_are_accepted():
    assert decide(SOUND, 0.5 + 1e-12, 0.5, MAX, 0.0, False).kind is ACC
    assert decide(BETTER_CODE, 0.5, 0.5, MAX, 0.0, False).kind is ACC  # no change at all is a tie
    scores = Scores()
    scores.accept(3.0)
    assert scores.spread == 0.0
    scores.accept(-1.0)
    assert scores.spread == 4.0


def test_tie_tolerance_is_a_share_of_the_spread_of_accepted_scores():
    d = Driver(gome(n_traces=1, tie_tolerance=0.1))
    d.step(0.0)
    d.step(1.0)  # spread 1: changes up to 0.1 are near-ties
    _, verdicts = d.step(1.05)
    assert (verdicts[0].kind, verdicts[0].reason) == (REJ, "near-tie without better code")
    _, verdicts = d.step(0.95, BETTER_CODE)
    assert (verdicts[0].kind, verdicts[0].reason) == (ACC, "near-tie with better code")
    _, verdicts = d.step(1.2)
    assert verdicts[0].reason == "clearly better score"


@pytest.mark.parametrize(
    ("accepted", "failed", "m"),
    [(0, 0, 3), (1, 0, 3), (2, 0, 3), (3, 0, 2), (0, 3, 3), (0, 4, 2), (2, 1, 2), (4, 2, 1), (5, 5, 0), (9, 9, 0)],
)
def test_scenario_weight(accepted, failed, m):
    # e.g. accepted 4, failed 2: (12 + 4) // 2 = 8, 8 // 4 = 2, 3 - 2 = 1
    assert scenario_weight(accepted, failed) == m
