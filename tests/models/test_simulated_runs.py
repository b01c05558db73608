"""The simulated engineer's programs and bugs, really executed and really graded."""

import ast
import math
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mlesearch.experiments import make_landscapes
from mlesearch.models.simulated import programs, truth
from mlesearch.models.simulated.bugs import BUGS
from mlesearch.models.simulated.spaces import TASKS, render, space
from mlesearch.tasks.folder import load
from mlesearch.tasks.grading import SCORE_DECIMALS, grade_test, score_validation

SAME, ELSEWHERE = 1e-9, 1e-3
"""How far a score may be from the table's: where the table was made, and with other versions or another processor."""


def tolerance(task: str) -> float:
    """What the header of a task's table says of where it was made, against what is here."""
    lines = (make_landscapes.TABLES / f"{task}.csv").read_text(encoding="utf-8").splitlines()
    said = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# "))
    return SAME if make_landscapes.environment().items() <= said.items() else ELSEWHERE


def execute(program: str, task: str, place: Path) -> str:
    """Run a program of a task in a directory; returns what it printed."""
    return make_landscapes.run(program, load(task).public_dir, place)[0]


@pytest.mark.parametrize("task", TASKS)
def test_a_program_reproduces_its_row_under_the_tasks_own_grader(task, tmp_path):
    pipeline = random.Random(f"sample {task}").choice(space(task).pipelines)
    row, loaded = truth.load(task).rows[pipeline], load(task)
    settings = dict(zip((choice.name for choice in space(task).choices), pipeline, strict=True))
    fitted, *asked = (len(pd.read_csv(loaded.public_dir / f"{name}.csv")) for name in ("train", "validation", "test"))
    said = programs.printed(settings, fitted, sum(asked))
    assert execute(render(task, pipeline), task, tmp_path) == said
    rounding = 0.5 * 10**-SCORE_DECIMALS
    limit = tolerance(task) + rounding
    assert score_validation(loaded, tmp_path / "submission.csv").score == pytest.approx(row.validation, abs=limit)
    grade = grade_test(loaded, tmp_path / "submission.csv")
    assert grade.valid
    assert grade.score == pytest.approx(row.test, abs=limit)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_two_hundred_random_programs_reproduce_their_rows(task):
    """Over all tasks together, as many of each."""
    loaded, table = load(task), truth.load(task)
    for pipeline in random.Random(f"two hundred {task}").sample(space(task).pipelines, math.ceil(200 / len(TASKS))):
        result = make_landscapes.execute(render(task, pipeline), loaded)
        assert result.validation == pytest.approx(table.rows[pipeline].validation, abs=tolerance(task))
        assert result.test == pytest.approx(table.rows[pipeline].test, abs=tolerance(task))


def warned(program: str, task: str, place: Path) -> list[str]:
    """The warnings that a real run of a program prints; the table of a virtual clock knows of none."""
    shown: list[str] = []
    make_landscapes.run(program, load(task).public_dir, place, shown=shown)
    return shown


def test_warnings_are_seen(tmp_path):
    kinds = ("UserWarning", "DeprecationWarning", "PendingDeprecationWarning", "FutureWarning")
    text = "import warnings\n" + "".join(f'warnings.warn("odd", {kind})\n' for kind in kinds)
    assert warned(text, "wear", tmp_path) == ["UserWarning: odd", "DeprecationWarning: odd", "FutureWarning: odd"]


@pytest.mark.parametrize("task", TASKS)
def test_no_program_prints_a_warning(task, tmp_path):
    """One of each model, drawn at random."""
    at = next(i for i, choice in enumerate(space(task).choices) if choice.name == "model")
    for option in space(task).choices[at].options:
        pipelines = [p for p in space(task).pipelines if p[at] == option.name]
        pipeline = random.Random(f"warnings {task} {option.name}").choice(pipelines)
        (place := tmp_path / option.name).mkdir()
        assert warned(render(task, pipeline), task, place) == [], pipeline


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_no_program_at_all_prints_a_warning(task, tmp_path):
    for number, pipeline in enumerate(space(task).pipelines):
        (place := tmp_path / str(number)).mkdir()
        assert warned(render(task, pipeline), task, place) == [], pipeline
        shutil.rmtree(place)


CHEAP = {
    "canvas": ("none", "as_is", "pixels", "linear", "middle", "middle"),
    "demand": ("numbers", "none", "raw", "codes", "linear", "middle", "middle"),
    "digits": ("kept", "pixels", "none", "linear", "middle", "strong", "full"),
    "friedman": ("none", "all", "plain", "linear", "middle", "middle"),
    "rentals": ("as_typed", "onehot", "coordinates", "raw", "linear", "middle", "middle"),
    "reviews": ("last", "ignored", "kept", "words", "naive_bayes", "middle", "middle"),
    "strides": ("kept", "samples", "linear", "middle", "middle", "full"),
    "tickets": ("ignored", "words", "naive_bayes", "none", "middle", "middle"),
    "transfers": ("raw", "none", "dropped", "linear", "middle", "middle"),
    "wear": ("typed", "ignored", "nearest", "linear", "middle", "middle"),
}
RAISES = {
    "column": KeyError,
    "name": NameError,
    "shape": ValueError,
    "path": OSError,
}
INVALID = {"rows": "missing", "nan": "must hold|finite", "format": "column"}


@pytest.mark.parametrize("bug", list(RAISES))
@pytest.mark.parametrize("task", TASKS)
def test_a_bug_that_raises_leaves_no_submission(task, bug, tmp_path):
    with pytest.raises(RAISES[bug]):
        execute(render(task, CHEAP[task], (bug,)), task, tmp_path)
    assert not (tmp_path / "submission.csv").exists()


@pytest.mark.parametrize("task", TASKS)
def test_a_shape_bug_raises_with_every_kind_of_model(task, tmp_path):
    where = space(task)
    at = next(i for i, choice in enumerate(where.choices) if choice.name == "model")
    for option in where.choices[at].options:
        pipeline = (*CHEAP[task][:at], option.name, *CHEAP[task][at + 1 :])
        with pytest.raises(ValueError, match="features"):
            make_landscapes.execute(render(task, pipeline, ("shape",)), load(task))


@pytest.mark.parametrize("bug", list(INVALID))
@pytest.mark.parametrize("task", TASKS)
def test_a_bug_in_the_submission_makes_it_invalid(task, bug, tmp_path):
    execute(render(task, CHEAP[task], (bug,)), task, tmp_path)
    scored = score_validation(load(task), tmp_path / "submission.csv")
    assert scored.score is None
    assert re.search(INVALID[bug], scored.problem)


def test_a_loop_bug_never_ends(tmp_path):
    """The loop itself, cut out of the program and given two seconds."""
    text = render("tickets", CHEAP["tickets"], ("timeout",))
    loop = text[text.index("change = 1.0\n") : text.index("model.fit(")]
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([sys.executable, "-c", loop], cwd=tmp_path, timeout=2.0, check=False)


@pytest.mark.parametrize("task", TASKS)
def test_a_leak_prints_a_flattering_score_and_changes_nothing_else(task, tmp_path):
    sound, leaky = tmp_path / "sound", tmp_path / "leaky"
    sound.mkdir()
    leaky.mkdir()
    execute(render(task, CHEAP[task]), task, sound)
    assert "validation score:" in execute(render(task, CHEAP[task], ("leak",)), task, leaky)
    assert (sound / "submission.csv").read_bytes() == (leaky / "submission.csv").read_bytes()


@pytest.mark.parametrize("task", TASKS)
def test_what_a_program_reads_keeps_its_name(task):
    """So that the numbers of rows that it prints are those of the files."""
    for pipeline in space(task).pipelines[::11]:
        body = [part for part in ast.parse(render(task, pipeline)).body if not isinstance(part, ast.FunctionDef)]
        nodes = [node for part in body for node in ast.walk(part) if isinstance(node, ast.Name)]
        names = [node.id for node in nodes if isinstance(node.ctx, ast.Store)]
        assert (names.count("train"), names.count("rows")) == (1, 1)


def test_every_bug_is_executed_here():
    assert {*RAISES, *INVALID, "timeout", "leak"} == set(BUGS)


@pytest.mark.parametrize("task", TASKS)
def test_the_script_scores_as_the_grader_does(task):
    result, row = make_landscapes.execute(render(task, CHEAP[task]), load(task)), truth.load(task).rows[CHEAP[task]]
    assert result.validation == pytest.approx(row.validation, abs=tolerance(task))
    assert result.test == pytest.approx(row.test, abs=tolerance(task))
    assert result.seconds > 0


def test_a_personal_touch_changes_numbers_only():
    for task in TASKS:
        for pipeline in space(task).pipelines[::37]:
            text = render(task, pipeline)
            touched = make_landscapes.personal(text, random.Random(1))
            compile(touched, "solution.py", "exec")
            plain = [line for line in text.splitlines() if not make_landscapes.VARIED.search(line)]
            kept = [line for line in plain if "random_state=" not in line]
            assert [line for line in touched.splitlines() if line in kept] == kept
            assert touched == make_landscapes.personal(text, random.Random(1))
    tuned = make_landscapes.personal("SVC(l2_regularization=1.0, random_state=0, C=2.0)", random.Random(1))
    assert tuned.startswith("SVC(l2_regularization=")
    assert tuned.endswith("C=2.0)")


def test_teams_are_the_same_every_time():
    table = {p: make_landscapes.Result(r.validation, r.test, r.seconds) for p, r in truth.load("canvas").rows.items()}
    one, two = (make_landscapes.team_programs(space("canvas"), table) for _ in range(2))
    assert one == two
    assert len(one) == make_landscapes.TEAMS
    assert len(set(one)) > 0.9 * len(one)
