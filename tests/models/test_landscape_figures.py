"""The figures of a landscape, on small ones whose answers can be seen, and against other ways of computing them."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from mlesearch.experiments import landscape_figures as figures
from mlesearch.experiments import make_landscapes, measure_suite
from mlesearch.models.simulated import truth
from mlesearch.models.simulated.spaces import TASKS, Choice, Option, Space
from mlesearch.tasks.folder import load
from mlesearch.types import Component, Direction


def grid(*sizes: int) -> Space:
    """A space with so many options a choice."""
    choices = tuple(
        Choice(f"c{i}", Component.MODEL, "What.", tuple(Option(f"o{j}", "why") for j in range(size)))
        for i, size in enumerate(sizes)
    )
    return Space("grid", Direction.MAXIMIZE, "y", choices, tuple("o0" for _ in sizes), lambda _: "")


def landscape(space: Space, test, validation=None) -> figures.Landscape:
    scores = np.array(test, dtype=float)
    return figures.Landscape(space, scores if validation is None else np.array(validation, dtype=float), scores)


# Two choices of three options, by rows. 9 is the best; 7 is an optimum of its own, apart from 9 in both choices.
TWO_HILLS = (7, 3, 2, 4, 1, 5, 0, 6, 9)


def test_ascent_ends_where_no_neighbour_is_better():
    hills = landscape(grid(3, 3), TWO_HILLS)
    ends = [TWO_HILLS[figures.ascent_end(hills, i)] for i in range(9)]
    assert ends == [7, 7, 9, 7, 9, 9, 9, 9, 9]


def test_a_perfect_engineer_leaves_a_local_optimum_by_its_best_neighbour():
    hills = landscape(grid(3, 3), TWO_HILLS)
    assert figures.steps_to(hills, 8, 9.0) == 0
    assert figures.steps_to(hills, 2, 9.0) == 1
    # From 7 it tries 4, 3, 2 and 0; then, from the 4, it goes to 5, and from there to 9.
    assert figures.steps_to(hills, 0, 9.0) == 6
    with pytest.raises(ValueError, match="no pipeline of grid reaches"):
        figures.steps_to(hills, 0, 10.0)


@given(st.permutations(range(18)), st.integers(0, 17))
def test_ascent_agrees_with_a_plain_walk(order, start):
    space = grid(3, 3, 2)
    score = dict(zip(space.pipelines, order, strict=True))
    at = space.pipelines[start]
    while True:
        near = [p for p in space.pipelines if sum(a != b for a, b in zip(p, at, strict=True)) == 1]
        best = max(near, key=score.__getitem__)
        if score[best] <= score[at]:
            break
        at = best
    found = figures.ascent_end(landscape(space, order), start)
    assert space.pipelines[found] == at


@given(st.permutations(range(18)), st.integers(0, 17), st.integers(0, 17))
def test_steps_agree_with_a_plain_search(order, start, bar):
    space = grid(3, 3, 2)
    score = dict(zip(space.pipelines, order, strict=True))
    tried = [space.pipelines[start]]
    while score[tried[-1]] < bar:
        steps = [
            (score[p], score[q], q)
            for p, q in itertools.product(tried, space.pipelines)
            if q not in tried and sum(a != b for a, b in zip(p, q, strict=True)) == 1
        ]
        tried.append(max(steps)[2])
    assert figures.steps_to(landscape(space, order), start, bar) == len(tried) - 1


def test_random_search_keeps_what_is_best_on_validation():
    space = grid(4, 3)
    flat = landscape(space, range(12), [-i for i in range(12)])
    bests = figures.random_bests(flat)
    assert len(bests) == figures.RANDOM_RUNS
    # The lowest of 12 draws out of 12 is 0 unless 0 is never drawn.
    assert abs(np.mean(bests == 0) - (1 - (11 / 12) ** 12)) < 0.015


def test_figures_of_two_hills():
    found = figures.figures(landscape(grid(3, 3), TWO_HILLS), [9.0, 8.0, 6.0, 5.0, 4.0])
    assert (found.gold, found.silver, found.bronze, found.median) == (9.0, 9.0, 8.0, 6.0)
    assert (found.worst, found.middle, found.best) == (0.0, 4.0, 9.0)
    assert found.golden == pytest.approx(1 / 9)
    assert found.optima == 2
    assert found.stuck == pytest.approx(3 / 9)
    assert found.rank_correlation == 1.0


@pytest.mark.parametrize("task", TASKS)
def test_what_is_stated_of_every_task_holds(task):
    """The bounds that the suite was made for; the figures themselves stand in docs/tasks.md."""
    found = measure_suite.figures(task)
    assert 0.05 <= found.random_medals <= 0.40
    assert found.optima > 1
    assert found.stuck > 0.1
    assert found.golden > 0
    rows = list(truth.load(task).rows.values())
    assert found.rank_correlation == pytest.approx(
        spearmanr([r.validation for r in rows], [round(r.test, 5) for r in rows])[0], abs=1e-9
    )
    assert found.gold == load(task).direction.sign * load(task).thresholds.gold


def test_on_most_tasks_a_perfect_engineer_needs_more_than_twelve_steps():
    """It stops at a local optimum below gold from more than half of the starts in the middle."""
    found = [measure_suite.figures(task) for task in TASKS]
    assert sum(f.steps > 12 for f in found) >= 0.7 * len(TASKS)
    assert all(f.stuck_in_the_middle > 0.5 for f in found if f.steps > 12)


def test_the_tables_in_the_docs_are_those_of_the_script():
    from tests.support.paths import ROOT

    text = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
    for line in measure_suite.figures_table(TASKS):
        assert line in text


def test_rungs_of_a_ladder_are_chosen_without_the_test_rows():
    where, rows = make_landscapes.space("friedman"), truth.load("friedman").rows
    rungs = measure_suite.chosen("friedman")
    values = [where.direction.sign * rows[p].validation for p in rungs]
    assert values == sorted(values)
    assert values[-1] == max(where.direction.sign * row.validation for row in rows.values())
    assert where.baseline in rungs
    assert len(rungs) >= 10


def test_levels_are_what_separates():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, size=(3, 400))
    rungs = [measure_suite.Rung((), mean, mean + noise) for mean in (0.0, 0.1, 5.0, 5.2, 12.0)]
    assert [rung.score for rung in measure_suite.levels(rungs)] == [0.0, 5.0, 12.0]
