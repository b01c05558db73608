"""The tables of truth: complete, ranked rightly, read by one module, and the boards that belong to them."""

import ast
import itertools
import random

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, rankdata

from mlesearch.experiments import make_landscapes
from mlesearch.models.simulated import truth
from mlesearch.models.simulated.chance import Stream, fixed_normal
from mlesearch.models.simulated.spaces import TASKS, apply, space
from mlesearch.tasks.folder import load
from mlesearch.types import Direction
from tests.support.paths import ROOT

MINI = ROOT / "mlesearch" / "tasks" / "data" / "mini"

# sha256 and the normal quantile, worked out with hashlib and scipy alone.
GOLDEN_UNIFORM = [0.162838447503, 0.502184414926, 0.03686914945]
GOLDEN_NORMAL = -0.704610499876


@given(st.lists(st.floats(-5, 5) | st.sampled_from([0.0, 1.0]), min_size=1, max_size=30))
def test_normal_scores_equal_those_of_scipy(values):
    expected = norm.ppf((rankdata(np.round(values, truth.ROUNDING)) - 0.5) / len(values))
    assert truth.normal_scores(values) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("task", TASKS)
def test_the_table_is_whole_and_both_scores_differ_among_pipelines(task):
    table = truth.load(task)
    assert set(table.rows) == set(space(task).pipelines)
    assert len({row.test for row in table.rows.values()}) > 0.7 * len(table.rows)
    assert all(row.seconds < 4.0 for row in table.rows.values())
    assert np.mean([row.seconds for row in table.rows.values()]) <= 0.7


@pytest.mark.parametrize("task", TASKS)
def test_validation_and_test_agree_in_rank_but_not_quite(task):
    rows = list(truth.load(task).rows.values())
    r = np.corrcoef(rankdata([row.validation for row in rows]), rankdata([row.test for row in rows]))[0, 1]
    assert 0.9 < r < 1.0


def test_both_directions_are_there():
    assert {space(task).direction for task in TASKS} == set(Direction)


@pytest.mark.parametrize("task", TASKS)
def test_gains_are_test_gains_in_the_tasks_direction(task):
    table, where = truth.load(task), space(task)
    assert where.direction is load(task).direction
    for a, b in itertools.islice(itertools.combinations(where.pipelines, 2), 0, None, 97):
        better = where.direction.better(table.rows[b].test, table.rows[a].test)
        assert (table.gain(a, b) > 0) == better
        assert table.gain(a, b) == -table.gain(b, a)
        assert np.sign(table.signed(a, b)) == np.sign(table.gain(a, b))


def test_a_table_with_a_hole_is_refused():
    rows = dict(truth.load("canvas").rows)
    rows.popitem()
    with pytest.raises(ValueError, match="canvas"):
        truth.Truth("canvas", rows)


def test_one_module_reads_the_tables_and_one_imports_it():
    importers, readers = set(), set()
    for path in [*(ROOT / "mlesearch").rglob("*.py"), *(ROOT / "analysis").rglob("*.py")]:
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
            elif isinstance(node, ast.Import):
                names = {a.name for a in node.names}
            else:
                continue
            if "mlesearch.models.simulated.truth" in names:
                importers.add(path.relative_to(ROOT).as_posix())
        if "simulated" in path.as_posix() and '/ "tables"' in text:
            readers.add(path.name)
    assert importers == {"mlesearch/models/simulated/beliefs.py", "mlesearch/engine/virtual/table.py"}
    assert readers == {"truth.py"}


@pytest.mark.parametrize("task", TASKS)
def test_the_board_is_declared_and_its_thresholds_are_distinct(task):
    board = [float(line) for line in (MINI / task / "leaderboard.csv").read_text().split()[1:]]
    declared = yaml.safe_load((MINI / task / "task.yaml").read_text())["leaderboard"]
    assert declared["teams"] == len(board) == make_landscapes.TEAMS
    assert declared["seed"] == make_landscapes.BOARD_SEED
    assert "make_landscapes.py" in declared["source"]
    limits = load(task).thresholds
    four = [limits.gold, limits.silver, limits.bronze, limits.median]
    assert len(set(four)) == 4
    sign = space(task).direction.sign
    assert [sign * s for s in four] == sorted((sign * s for s in four), reverse=True)


@pytest.mark.parametrize("task", TASKS)
def test_a_random_search_of_12_steps_medals_sometimes_and_gold_can_be_reached(task):
    rows, where, limits = list(truth.load(task).rows.values()), space(task), load(task).thresholds
    sign, rng, won = where.direction.sign, random.Random(5), 0
    for _ in range(4000):
        best = max((rng.choice(rows) for _ in range(12)), key=lambda row: sign * row.validation)
        won += sign * round(best.test, 5) >= sign * limits.bronze
    assert 0.05 <= won / 4000 <= 0.60
    assert max(sign * round(row.test, 5) for row in rows) >= sign * limits.gold
    assert sum(sign * round(row.test, 5) >= sign * limits.bronze for row in rows) < 0.2 * len(rows)


def test_streams_are_fixed_for_good():
    stream = Stream("sim", 5, 7, "draft", 0)
    assert [round(stream.uniform(), 12) for _ in range(3)] == GOLDEN_UNIFORM
    assert round(fixed_normal("sim", "canvas", "model", "svm"), 12) == GOLDEN_NORMAL


def test_draws_have_the_right_distribution():
    stream = Stream("distribution")
    normals = [stream.normal() for _ in range(4000)]
    assert abs(np.mean(normals)) < 4 / 4000**0.5
    assert abs(np.var(normals) - 1) < 4 * (2 / 4000) ** 0.5
    picks = [stream.pick("abc", (1.0, 2.0, 1.0)) for _ in range(4000)]
    assert abs(picks.count("b") / 4000 - 0.5) < 0.04
    kept = [tuple(stream.subset(range(4), 2)) for _ in range(6000)]
    assert set(kept) == set(itertools.combinations(range(4), 2))
    assert max(map(kept.count, set(kept))) < 1150


@pytest.mark.parametrize("task", TASKS)
def test_edits_are_ranked_by_their_gain(task):
    table = truth.load(task)
    for pipeline in space(task).pipelines[::11]:
        ranked = sorted(table.edits(pipeline), key=lambda pair: pair[1])
        gains = [table.gain(pipeline, apply(pipeline, edit)) for edit, _ in ranked]
        assert gains == sorted(gains)
        assert sum(z for _, z in ranked) == pytest.approx(0.0, abs=0.5)
