"""Synthetic tasks to the engineer: the interface of tables, and programs that reproduce the world when they run."""

import ast
import math
import random
import subprocess
import sys

import numpy as np
import pytest

from mlesearch.models.simulated import truth
from mlesearch.models.simulated.beliefs import Faculties, Mind
from mlesearch.models.simulated.bugs import ANCHORS, BUGS
from mlesearch.models.simulated.engineer import make
from mlesearch.models.simulated.spaces import Pipeline, Recognised, apply, recognise, render, space
from mlesearch.tasks.folder import load
from mlesearch.tasks.grading import grade_test, score_validation
from mlesearch.tasks.synthetic.names import STATES, tasks
from mlesearch.types import Op
from tests.support import table_run
from tests.support.paths import ROOT
from tests.support.simulated_prompts import FULL, call, engineer, program, written

LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
TWENTY = [f"synthetic-{name}" for name in tasks()[::4]] + ["synthetic-hard-25"]
TASK = "synthetic-medium-07"


def drawn(task: str, count: int, seed: int = 0) -> list[Pipeline]:
    rng = random.Random(f"{task} {seed}")
    return [tuple(rng.choice(c.options).name for c in space(task).choices) for _ in range(count)]


@pytest.mark.parametrize("task", TWENTY)
def test_full_capability_is_steepest_ascent_on_the_world(task):
    """c = 1, full breadth, nothing hidden, no bugs: from three starts up to the top, each step the best there is."""
    table, where = truth.truth_of(task), space(task)
    for start in drawn(task, 3):
        at = start
        for i in range(6):
            best = max(table.worth(apply(at, edit)) for edit in where.edits(at))
            made = written(call(engineer(1.0), task, Op.IMPROVE, program(task, at), proposal=i))
            assert table.worth(made.pipeline) == pytest.approx(best, abs=1e-8)
            at = made.pipeline


@pytest.mark.parametrize("c", LEVELS)
@pytest.mark.parametrize("f", [0.0, 0.5])
def test_of_two_steps_the_better_one_is_told_as_often_as_the_identity_says(c, f):
    """1/2 + asin(c sqrt(1 - f))/pi where nothing was read, within 4 standard errors and the 0.01 of 30 to 41 ranks.

    2,250 pairs, a pair a program, 30 of each world. A right engineer fails one such test in 16,000.
    """
    right = total = 0
    for name in tasks():
        task = f"synthetic-{name}"
        table, rng = truth.truth_of(task), random.Random(f"{name} {c}")
        for i, base in enumerate(drawn(task, 30)):
            mind = Mind(f"m{i}", table, Faculties(c, 0.5, FULL, f), (name, i))
            beliefs = {belief.step: belief.score for belief in mind.steps(base)}
            (one, z1), (two, z2) = rng.sample(table.edits(base), 2)
            total += z1 != z2
            right += z1 != z2 and (beliefs[one] > beliefs[two]) == (z1 > z2)
    p = 0.5 + math.asin(c * math.sqrt(1 - f)) / math.pi
    assert right / total == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / total) + 0.01)


def test_a_program_names_its_task_and_its_random_state():
    for task in TWENTY[::5]:
        for i, pipeline in enumerate(drawn(task, 4)):
            state = 37 * i
            text = render(task, pipeline, (), state)
            compile(text, "solution.py", "exec")
            assert recognise(text) == Recognised(task, pipeline, (), state)
            assert recognise(text.replace("RANDOM_STATE = ", "RANDOM_STATE = 1", 1)) != recognise(text)
            for anchor in ANCHORS:
                assert text.count(anchor.format(target="level")) == 1
    assert recognise(text.replace(f'TASK = "{task}"', 'TASK = "synthetic-easy-99"')) is None
    assert recognise(text.replace(f'TASK = "{task}"', 'TASK = "synthetic-easy-01"')) is None
    states = {written(call(make("sim", {"bug_rate": 0.0}), task, Op.DRAFT, proposal=i)).random_state for i in range(40)}
    assert len(states) > 30
    assert states <= set(range(STATES))


@pytest.mark.parametrize("bug", list(BUGS))
def test_every_bug_is_recognised(bug):
    pipeline = drawn(TASK, 1)[0]
    text = render(TASK, pipeline, (bug,), 12)
    compile(text, "solution.py", "exec")
    assert recognise(text) == Recognised(TASK, pipeline, (bug,), 12)


def execute(text: str, task: str, place) -> subprocess.CompletedProcess:
    """Run a program as the sandbox would: the public data as input/, everything else its own."""
    public = load(task.replace("synthetic-", "synthetic:", 1)).public_dir
    (place / "input").symlink_to(public)
    (place / "solution.py").write_text(text)
    command = [sys.executable, "solution.py"]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("task", ["synthetic-easy-05", TASK, "synthetic-hard-20"])
def test_a_program_that_really_runs_scores_what_the_world_says(task, tmp_path):
    pipeline, state = drawn(task, 1)[0], 421
    ran = execute(render(task, pipeline, (), state), task, tmp_path)
    assert ran.returncode == 0
    assert ran.stdout.startswith("pipeline: ")
    loaded, row = load(task.replace("synthetic-", "synthetic:", 1)), truth.truth_of(task).scores(pipeline, state)
    assert score_validation(loaded, tmp_path / "submission.csv").score == row.validation
    assert grade_test(loaded, tmp_path / "submission.csv").score == round(row.test, 5)


@pytest.mark.parametrize("bug", [name for name in BUGS if name != "timeout"])
def test_a_bug_ends_a_program_or_spoils_its_submission_and_a_leak_does_neither(bug, tmp_path):
    ran = execute(render(TASK, drawn(TASK, 1)[0], (bug,), 3), TASK, tmp_path)
    raised = {"column": "KeyError", "name": "NameError", "shape": "ValueError", "path": "OSError"}
    if bug in raised:
        assert ran.returncode != 0
        assert raised[bug] in ran.stderr
        return
    scored = score_validation(load("synthetic:medium-07"), tmp_path / "submission.csv")
    assert ran.returncode == 0
    assert (scored.score is not None) is (bug == "leak")
    assert ("validation score: 1.0" in ran.stdout) is (bug == "leak")


@pytest.mark.parametrize("strategy", ["greedy", "gome"])
def test_strategies_run_on_a_world(strategy, tmp_path):
    run = table_run.run(tmp_path / "run", TASK, make("sim", {}), strategy, steps=6, review=strategy != "gome")
    assert len(run.programs) == 6
    assert all(found.task == TASK for text in run.programs if (found := recognise(text)))
    assert run.test is not None


def test_a_rise_of_capability_shows_in_quality():
    """Ten steps from a draft, 30 worlds: 1.0 beats 0.5, which beats 0, each by 4 standard errors."""
    ends = {}
    for c in (0.0, 0.5, 1.0):
        ends[c] = []
        for i, name in enumerate(tasks()[::3]):
            task = f"synthetic-{name}"
            model = engineer(c, f"m{i}", breadth=8)
            at = written(call(model, task, Op.DRAFT)).pipeline
            for step in range(1, 9):
                at = written(call(model, task, Op.IMPROVE, program(task, at), proposal=step)).pipeline
            ends[c].append(truth.truth_of(task).worth(at))
    for low, high in ((0.0, 0.5), (0.5, 1.0)):
        error = math.sqrt((np.var(ends[low]) + np.var(ends[high])) / len(ends[low]))
        assert np.mean(ends[high]) - np.mean(ends[low]) > 4 * error


def test_one_module_of_the_engineer_imports_what_options_are_worth():
    """Outside of the task's own package, nothing else sees a world, a board, an answer or the scores of levels."""
    secret = {f"mlesearch.tasks.synthetic.{name}" for name in ("world", "scoring", "board", "folder")}
    importers = set()
    for path in [*(ROOT / "mlesearch").rglob("*.py"), *(ROOT / "analysis").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found = {node.module} if isinstance(node, ast.ImportFrom) else set()
            found |= {f"{node.module}.{a.name}" for a in node.names} if isinstance(node, ast.ImportFrom) else set()
            found |= {a.name for a in node.names} if isinstance(node, ast.Import) else set()
            if found & secret:
                importers.add(path.relative_to(ROOT).as_posix())
    inside = {name for name in importers if name.startswith("mlesearch/tasks/synthetic/")}
    assert importers - inside == {"mlesearch/models/simulated/truth.py"}
