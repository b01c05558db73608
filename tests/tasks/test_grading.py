"""Scores, grades and reports; a folder's own grader; reported validation scores."""

import json
import math
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlesearch.tasks import folder
from mlesearch.tasks.grading import grade_test, report, score_validation
from mlesearch.tasks.protocol import Medal, Scored
from mlesearch.types import ConfigError
from tests.support.task_maker import make_task, predictions, write_submission

# mle-bench's grading report, in its order.
REPORT_FIELDS = [
    "competition_id",
    "score",
    "gold_threshold",
    "silver_threshold",
    "bronze_threshold",
    "median_threshold",
    "any_medal",
    "gold_medal",
    "silver_medal",
    "bronze_medal",
    "above_median",
    "submission_exists",
    "valid_submission",
    "is_lower_better",
    "created_at",
    "submission_path",
]


def test_validation_and_test_rows_are_scored_apart(tmp_path: Path) -> None:
    task = folder.load(make_task(tmp_path / "task"))
    values = predictions(0.25, only=("validation",)) | predictions(-0.75, only=("test",))
    path = write_submission(tmp_path / "s.csv", values)
    assert score_validation(task, path).score == pytest.approx(0.25)
    assert grade_test(task, path).score == 0.75


@pytest.mark.parametrize(
    ("error", "medal", "above", "percentile"),
    [
        (0.0, Medal.GOLD, True, 1.0),
        (0.5, Medal.GOLD, True, 1.0),
        (0.500004, Medal.GOLD, True, 1.0),  # rounded to 5 decimals before it is compared
        (0.50001, Medal.SILVER, True, 11 / 12),
        (0.7, Medal.BRONZE, True, 10 / 12),
        (0.8, Medal.BRONZE, True, 9 / 12),
        (0.9, Medal.NONE, True, 8 / 12),
        (1.05, Medal.NONE, False, 6 / 12),  # the median itself is not above it
        (9.0, Medal.NONE, False, 0.0),
    ],
)
def test_medals_and_places(tmp_path: Path, error: float, medal: Medal, above: bool, percentile: float) -> None:
    task = folder.load(make_task(tmp_path / "task"))
    grade = grade_test(task, write_submission(tmp_path / "s.csv", predictions(error)))
    assert grade.valid
    assert (grade.medal, grade.above_median) == (medal, above)
    assert grade.percentile == pytest.approx(percentile)
    assert grade.score == round(error, 5)


def test_percentile_counts_ties_where_higher_is_better(tmp_path: Path) -> None:
    board = [1.0, 0.5, 0.5, 0.0]
    root = make_task(tmp_path / "task", metric="accuracy", direction="maximize", board=board)
    values = predictions()
    for i in range(12, 16):
        values[i] = 0.0
    grade = grade_test(folder.load(root), write_submission(tmp_path / "s.csv", values))
    assert (grade.score, grade.percentile) == (0.5, 0.75)


def test_the_report_has_mle_benchs_fields(tmp_path: Path) -> None:
    task = folder.load(make_task(tmp_path / "task"))
    path = write_submission(tmp_path / "s.csv", predictions(0.6))
    got = report(task, path)
    assert list(got) == REPORT_FIELDS
    assert got["competition_id"] == "small"
    assert (got["score"], got["silver_medal"], got["any_medal"], got["gold_medal"]) == (0.6, True, True, False)
    assert (got["submission_exists"], got["valid_submission"], got["is_lower_better"]) == (True, True, True)
    assert got["submission_path"] == str(path)
    assert json.loads(json.dumps(got)) == got
    absent = report(task, tmp_path / "absent.csv")
    assert list(absent) == REPORT_FIELDS
    assert (absent["score"], absent["submission_exists"], absent["valid_submission"]) == (None, False, False)
    assert not any(absent[name] for name in REPORT_FIELDS if name.endswith("_medal") or name == "above_median")


def _graded(root: Path, code: str) -> Path:
    make_task(root, metric="my own", direction="minimize")
    (root / "grade.py").write_text(code)
    return root


MEAN_ERROR = """
import pandas as pd

def grade(submission: pd.DataFrame, answers: pd.DataFrame) -> float:
    both = answers.merge(submission, on="id", suffixes=("", "_said"))
    answers["y"] = 0.0
    submission["y"] = 0.0
    return (both["y"] - both["y_said"]).abs().max()
"""


def test_own_grader_and_its_changes_do_not_spoil_the_answers(tmp_path: Path) -> None:
    task = folder.load(_graded(tmp_path / "task", MEAN_ERROR))
    path = write_submission(tmp_path / "s.csv", predictions(0.125))
    for _ in range(2):
        assert score_validation(task, path).score == pytest.approx(0.125)
        assert grade_test(task, path).score == 0.125
    assert not list((tmp_path / "task").rglob("*.pyc"))


def test_own_grader_that_fails(tmp_path: Path) -> None:
    task = folder.load(_graded(tmp_path / "task", "def grade(s, a):\n    raise KeyError('z')\n"))
    path = write_submission(tmp_path / "s.csv", predictions())
    assert score_validation(task, path).problem == "grade.py could not score it: KeyError: 'z'"
    assert not grade_test(task, path).valid


@pytest.mark.parametrize("value", ["float('nan')", "float('inf')"])
def test_a_score_that_is_not_finite_is_invalid(tmp_path: Path, value: str) -> None:
    task = folder.load(_graded(tmp_path / "task", f"def grade(s, a):\n    return {value}\n"))
    grade = grade_test(task, write_submission(tmp_path / "s.csv", predictions()))
    assert not grade.valid
    assert "expected predictions that give a finite one" in grade.problem


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def score(s, a): return 1.0", "expected a function grade"),
        ("def grade(s): return 1.0", "expected a function grade"),
        ("def grade(", "cannot be loaded: SyntaxError"),
        ("import nothing_of_that_name", "cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_graders_that_cannot_be_used(tmp_path: Path, code: str, expected: str) -> None:
    task = folder.load(_graded(tmp_path / "task", code))
    with pytest.raises(ConfigError, match=expected):
        grade_test(task, write_submission(tmp_path / "s.csv", predictions()))


def test_a_changed_grader_is_used_at_once(tmp_path: Path) -> None:
    root = _graded(tmp_path / "task", "def grade(s, a): return 1.0")
    path = write_submission(tmp_path / "s.csv", predictions())
    assert grade_test(folder.load(root), path).score == 1.0
    (root / "grade.py").write_text("def grade(s, a): return 2.0")
    assert grade_test(folder.load(root), path).score == 2.0


def test_answers_that_the_metric_cannot_score_are_the_tasks_fault(tmp_path: Path) -> None:
    task = folder.load(make_task(tmp_path / "task", metric="auc", direction="maximize", board=[0.9, 0.8, 0.7, 0.6]))
    with pytest.raises(ConfigError, match="auc cannot score these answers: the answers must be 0 or 1"):
        grade_test(task, write_submission(tmp_path / "s.csv", predictions()))


@pytest.mark.parametrize("name", ["private/test.csv", "private/validation.csv", "leaderboard.csv"])
def test_what_went_away_is_no_fault_of_a_submission(tmp_path: Path, name: str) -> None:
    """The run stops; the exceptions that a submission is to blame for are others (`engine.scoring`)."""
    task = folder.load(make_task(tmp_path / "task"))
    path = write_submission(tmp_path / "s.csv", predictions())
    (tmp_path / "task" / name).rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=rf"{name}: No such file or directory, so nothing can be graded"):
        grade_test(task, path)
    (tmp_path / "elsewhere").rename(tmp_path / "task" / name)
    assert grade_test(task, path).valid


def test_predictions_that_the_metric_refuses_are_invalid(tmp_path: Path) -> None:
    task = folder.load(make_task(tmp_path / "task", metric="rmsle"))
    assert "not negative" in score_validation(task, write_submission(tmp_path / "s.csv", predictions(-50))).problem
    huge = write_submission(tmp_path / "t.csv", dict.fromkeys(predictions(), 1e308))
    assert grade_test(task, huge).valid


def test_overflow_gives_no_score(tmp_path: Path) -> None:
    task = folder.load(make_task(tmp_path / "task"))
    scored = score_validation(task, write_submission(tmp_path / "s.csv", dict.fromkeys(predictions(), 1e308)))
    assert scored.score is None
    assert "finite" in scored.problem


REPORTED = [
    ("epoch 1\nvalidation_score: 0.5\nvalidation_score: 0.25\nbye\n", None, 0.25),
    ("  validation_score = 1e-3\r\n", None, 0.001),
    ("validation_score: 0.5", '{"validation_score": 0.125}', 0.125),
    ("", '{"validation_score": 3, "other": [1]}', 3.0),
    ("validation_score: 0.5", '{"rmse": 1}', 0.5),  # a metrics.json of the program's own
    ("validation_score: 0.5", "{", 0.5),
    ("", '\ufeff{"validation_score": "np.float64(0.5)"}', 0.5),
]


def reported(place: Path, stdout: str, metrics: str | None) -> Scored:
    """The score of a program that prints this, and leaves these metrics."""
    task = folder.load(make_task(place / "task", validation="reported"))
    path = write_submission(place / "s.csv", predictions(only=("test",)))
    if metrics is not None:
        (place / "metrics.json").write_text(metrics)
    return score_validation(task, path, stdout, place / "metrics.json" if metrics is not None else None)


@pytest.mark.parametrize(("stdout", "metrics", "expected"), REPORTED)
def test_reported_scores(tmp_path: Path, stdout: str, metrics: str | None, expected: float) -> None:
    assert reported(tmp_path, stdout, metrics).score == expected


UNREPORTED = [
    ("all done", None, "no validation score was reported; expected a printed line `validation_score: <number>`"),
    ("validation_score: nan", None, "'nan', not a finite number"),
    ("validation_score: 0.5\nvalidation_score: good", None, "'good', not a finite number"),
    ("my validation_score: 0.5 or so", None, "no validation score was reported"),
    ("no score", "[]", "metrics.json holds no validation_score"),
    ("no score", "{", "metrics.json holds no validation_score"),
    ("", '{"validation_score": Infinity}', "metrics.json is 'inf', not a finite number"),
    ("", "[" * 50_000, "metrics.json"),
    ("", " " * 100_000, "metrics.json"),
]


@pytest.mark.parametrize(("stdout", "metrics", "expected"), UNREPORTED)
def test_unreported_scores(tmp_path: Path, stdout: str, metrics: str | None, expected: str) -> None:
    found = reported(tmp_path, stdout, metrics)
    assert found.score is None
    assert found.unreported
    assert expected in found.problem


def test_a_reported_score_without_a_valid_submission_counts_nothing(tmp_path: Path) -> None:
    task = folder.load(make_task(tmp_path / "task", validation="reported"))
    found = score_validation(task, tmp_path / "absent.csv", "validation_score: 0.99\n")
    assert found.score is None
    assert not found.unreported


def test_grading_4000_rows_takes_under_10_ms(tmp_path: Path) -> None:
    root = make_task(tmp_path / "task")
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"id": rng.permutation(4000), "y": rng.normal(10, 1, 4000).round(6)})
    frame[:2000].to_csv(root / "private" / "validation.csv", index=False)
    frame[2000:].to_csv(root / "private" / "test.csv", index=False)
    frame.to_csv(root / "public" / "sample_submission.csv", index=False)
    task = folder.load(root)
    path = tmp_path / "s.csv"
    frame.sample(frac=1, random_state=1).assign(y=lambda f: f["y"] + 0.1).to_csv(path, index=False)
    durations = []
    for _ in range(15):
        started = time.perf_counter()
        grade = grade_test(task, path)
        durations.append(time.perf_counter() - started)
    assert grade.score == 0.1
    assert math.isclose(score_validation(task, path).score or 0.0, 0.1)
    assert min(durations[1:]) < 0.010, f"{min(durations[1:]) * 1e3:.1f} ms"
