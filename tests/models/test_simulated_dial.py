"""The simulated engineer's dial: what a capability is worth, and the stated probabilities of choices and bugs."""

import json
import math
import random

import numpy as np
import pytest

from mlesearch.models.simulated import truth
from mlesearch.models.simulated.bugs import BUGS
from mlesearch.models.simulated.engineer import Dial, Engineer, make
from mlesearch.models.simulated.spaces import TASKS, apply, space
from mlesearch.types import Op
from tests.support.simulated_prompts import FULL, call, engineer, improve, program, written


def shuffled(task: str, seed: int = 0) -> truth.Truth:
    """The truth of a task with its scores dealt out anew."""
    rows = truth.load(task).rows
    dealt = list(rows.values())
    random.Random(seed).shuffle(dealt)
    return truth.Truth(task, dict(zip(rows, dealt, strict=True)))


def walk(model: Engineer, task: str, steps: int, entropy: int) -> list:
    """Draft, then improve the newest program again and again."""
    path = [written(call(model, task, Op.DRAFT, entropy=entropy)).pipeline]
    for i in range(1, steps):
        path.append(improve(model, task, path[-1], proposal=i, entropy=entropy))
    return path


@pytest.mark.parametrize("task", TASKS)
def test_full_capability_is_steepest_ascent_on_the_table(task):
    table, where = truth.load(task), space(task)
    worth_ = {p: where.direction.sign * row.test for p, row in table.rows.items()}
    for pipeline in where.pipelines[::7]:
        best = max(worth_[apply(pipeline, e)] for e in where.edits(pipeline))
        assert worth_[improve(engineer(1.0), task, pipeline)] == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("breadth", [3, FULL])
def test_no_capability_is_a_walk_that_is_blind_to_the_truth(task, breadth):
    real = engineer(0.0, breadth=breadth)
    other = Engineer("sim", Dial(0.0, breadth, 0.0, evidence_share=0.0), lambda t: shuffled(t, 3))
    for entropy in range(8):
        assert walk(real, task, 5, entropy) == walk(other, task, 5, entropy)
    base, subject = space(task).pipelines[3], space(task).pipelines[40]
    parts = [program(task, subject, "subject"), program(task, base)]
    for op in (Op.DIAGNOSE, Op.HYPOTHESIZE, Op.SELECT, Op.REVIEW):
        for i in range(10):
            assert call(real, task, op, *parts, proposal=i).text == call(other, task, op, *parts, proposal=i).text


def test_no_capability_takes_every_step_equally_often():
    where = space("canvas")
    start = where.baseline
    models = [engineer(0.0, name=f"m{i}", persistence=0.0) for i in range(8)]
    reached = [improve(m, "canvas", start, entropy=e) for m in models for e in range(150)]
    counts = [reached.count(apply(start, e)) for e in where.edits(start)]
    expected = len(reached) / len(counts)
    chi2 = sum((n - expected) ** 2 / expected for n in counts)
    assert chi2 < len(counts) - 1 + 5 * math.sqrt(2 * (len(counts) - 1))


@pytest.mark.parametrize("task", TASKS)
def test_quality_rises_with_capability(task):
    table = truth.load(task)
    sign = space(task).direction.sign

    def mean(c: float) -> float:
        ends = [walk(engineer(c, f"m{i}", breadth=6), task, 4, entropy=i)[-1] for i in range(60)]
        return float(np.mean([sign * table.rows[p].test for p in ends]))

    means = [mean(c) for c in (0.0, 0.4, 0.7, 1.0)]
    assert means == sorted(means)
    assert means[-1] - means[0] > 0.4 * np.std([row.test for row in table.rows.values()])


def test_shuffled_labels_take_away_the_value_of_capability():
    table, sign = truth.load("canvas"), 1
    models = [
        Engineer(f"m{i}", Dial(1.0, 6, 0.0, evidence_share=0.0), lambda t, i=i: shuffled(t, i)) for i in range(80)
    ]
    ends = [sign * table.rows[walk(m, "canvas", 4, 0)[-1]].test for m in models]
    plain = [sign * table.rows[walk(engineer(0.0, f"m{i}", breadth=6), "canvas", 4, 0)[-1]].test for i in range(80)]
    able = [sign * table.rows[walk(engineer(1.0, f"m{i}", breadth=6), "canvas", 4, 0)[-1]].test for i in range(80)]
    error = math.sqrt((np.var(ends) + np.var(plain)) / 80)
    assert abs(np.mean(ends) - np.mean(plain)) < 4 * error
    assert np.mean(able) - np.mean(ends) > 4 * error


@pytest.mark.parametrize("c", [0.0, 0.35, 0.8])
def test_of_two_steps_the_better_one_is_told_with_the_stated_probability(c):
    """1/2 + asin(c)/pi for Gaussian z; the normal scores of few ranks are near enough for a wide margin."""
    table, where = truth.load("canvas"), space("canvas")
    right = total = 0
    for i in range(500):
        start = where.pipelines[i % len(where.pipelines)]
        known = dict(table.edits(start))
        told = json.loads(call(engineer(c, f"m{i}"), "canvas", Op.HYPOTHESIZE, program("canvas", start)).text)
        (first, a), (second, b) = ((h["scores"]["impact"], h) for h in told["hypotheses"][:5:4])
        za, zb = (known[where.instructions(h["hypothesis"])[0]] for h in (a, b))
        if first != second and za != zb:
            total += 1
            right += (za > zb) == (first > second)
    # The first and the fifth of all candidates differ more than two drawn at random, so this is a lower bound.
    assert right / total > 0.5 + math.asin(c) / math.pi - 0.06
    if c == 0.0:
        assert abs(right / total - 0.5) < 0.09


def test_misconceptions_persist_with_k():
    def same(k: float) -> float:
        firsts = [
            improve(engineer(0.0, f"m{i}", persistence=k), "rentals", space("rentals").baseline) for i in range(40)
        ]
        seconds = [
            improve(engineer(0.0, f"m{i}", persistence=k), "rentals", space("rentals").baseline, proposal=9)
            for i in range(40)
        ]
        return float(np.mean([a == b for a, b in zip(firsts, seconds, strict=True)]))

    assert same(1.0) == 1.0
    assert same(0.0) < 0.5


@pytest.mark.parametrize("b", [0.1, 0.4])
def test_a_change_has_a_bug_with_the_stated_probability(b):
    model = make("sim", {"bug_rate": b})
    base = program("canvas", space("canvas").baseline)
    steps = [bool(written(call(model, "canvas", Op.IMPROVE, base, entropy=e)).bugs) for e in range(500)]
    assert np.mean(steps) == pytest.approx(b, abs=4 * math.sqrt(b * (1 - b) / 500))
    drafts = [bool(written(call(model, "canvas", Op.DRAFT, entropy=e)).bugs) for e in range(500)]
    assert np.mean(drafts) == pytest.approx(1 - (1 - b) ** 3, abs=4 * 0.5 / math.sqrt(500))


@pytest.mark.parametrize("d", [0.0, 0.6, 1.0])
def test_a_debug_repairs_with_the_stated_probability_and_leaves_the_design(d):
    model = make("sim", {"debug_skill": d})
    pipeline = space("tickets").pipelines[30]
    broken = program("tickets", pipeline, status="error", score="", bugs=("rows",))
    found = [written(call(model, "tickets", Op.DEBUG, broken, entropy=e)) for e in range(400)]
    assert {f.pipeline for f in found} == {pipeline}
    fixed = np.mean([not f.bugs for f in found])
    assert fixed == pytest.approx(d, abs=4 * math.sqrt(d * (1 - d) / 400) + 1e-9)
    if d < 1:
        kept = {f.bugs for f in found if f.bugs}
        assert ("rows",) in kept
        assert len(kept) > 2
        assert all(not BUGS[name].silent for bugs in kept for name in bugs)
