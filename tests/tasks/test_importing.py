"""Folders of other benchmarks: what becomes a task, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlesearch.tasks import folder, grading, importing
from mlesearch.tasks.new import make
from mlesearch.tasks.protocol import Medal, Validation
from mlesearch.types import ConfigError, Direction
from tests.support.task_maker import write_csv

METRIC = """
import numpy as np
from mledojo.metrics.base import CompetitionMetrics, InvalidSubmissionError


class RentsMetrics(CompetitionMetrics):
    def __init__(self, value: str = "rent", higher_is_better: bool = False):
        super().__init__(higher_is_better)
        self.value = value

    def evaluate(self, y_true, y_pred):
        both = y_true.merge(y_pred, on="flat")
        return float(np.abs(both[self.value + "_x"] - both[self.value + "_y"]).mean())

    def validate_submission(self, submission, ground_truth):
        if (submission[self.value] < 0).any():
            raise InvalidSubmissionError("Rents are never negative.")
        return "Submission is valid."
"""


def rent(flat: int) -> int:
    """The answer for a flat."""
    return 10 * (flat % 7) + flat * flat % 5


def competition(root: Path, metric: str = METRIC) -> Path:
    """A prepared competition, as MLE-Dojo lays it out."""
    place = root / "rents"
    for name, text in (("utils/metric.py", metric), ("info/description.txt", "Predict the rent of a flat.\n")):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    write_csv(place / "info/private_leaderboard.csv", "rank,score", [f"{i},{0.5 + i / 10}" for i in range(1, 21)])
    public, private = place / "data/public", place / "data/private"
    write_csv(public / "train.csv", "flat,area,rent", [f"{i},{i % 7},{rent(i)}" for i in range(40)])
    write_csv(public / "test.csv", "flat,area", [f"{i},{i % 7}" for i in range(40, 60)])
    write_csv(public / "sample_submission.csv", "flat,rent", [f"{i},0" for i in range(40, 60)])
    write_csv(private / "test_answer.csv", "flat,rent", [f"{i},{rent(i)}" for i in range(40, 60)])
    (public / "description.txt").write_text("Predict the rent of a flat.\n", encoding="utf-8")
    return place


def imported(source: Path, place: Path) -> Path:
    plan = importing.plan_import(source)
    with make.staged(place) as staged:
        importing.write_import(plan, staged)
        assert [f for f in make.preflight(staged) if f.subject != "leaderboard"] == []
    return place


def test_a_competition_of_mle_dojo_is_graded_by_its_own_metric(tmp_path):
    task = folder.load(imported(competition(tmp_path), tmp_path / "task"))
    assert task.direction is Direction.MINIMIZE
    assert task.validation is Validation.REPORTED
    assert task.metric == "RentsMetrics"
    assert task.thresholds.teams == 20
    assert not (task.public_dir / "description.txt").exists()
    assert "another test set" in task.known_issues[0]
    off_by_one = [f"{i},{rent(i) + 1}" for i in range(59, 39, -1)]
    write_csv(tmp_path / "submission.csv", "flat,rent", off_by_one)
    grade = grading.grade_test(task, tmp_path / "submission.csv")
    assert (grade.score, grade.medal) == (1.0, Medal.BRONZE)
    write_csv(tmp_path / "submission.csv", "flat,rent", ["40,-1", *off_by_one[:-1]])
    assert "Rents are never negative" in grading.grade_test(task, tmp_path / "submission.csv").problem


def test_the_metric_is_part_of_the_version(tmp_path):
    first = folder.load(imported(competition(tmp_path / "a"), tmp_path / "task"))
    changed = competition(tmp_path / "b", METRIC.replace(".mean()", ".median()"))
    assert folder.load(imported(changed, tmp_path / "other")).version != first.version


def test_a_board_with_a_gap_is_left_out(tmp_path):
    source = competition(tmp_path)
    write_csv(source / "info/private_leaderboard.csv", "rank,score", ["1,0.5", "2,"])
    plan = importing.plan_import(source)
    assert plan.scores == ()
    assert "no board that can be used" in plan.notes[0]


def test_a_direction_is_never_guessed(tmp_path):
    source = competition(tmp_path, METRIC.replace(", higher_is_better: bool = False", ", higher_is_better"))
    with pytest.raises(ConfigError, match=r"no default for `higher_is_better`|no Python program"):
        importing.plan_import(source)


def test_what_can_not_be_a_task_is_refused_with_the_reason(tmp_path):
    harbor = tmp_path / "harbor"
    harbor.mkdir()
    (harbor / "task.toml").write_text("[metadata]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="a Harbor task; its test is a script that runs in the task's own container"):
        importing.plan_import(harbor)
    with pytest.raises(ConfigError, match="no such folder"):
        importing.plan_import(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"no utils/metric.py in it"):
        importing.plan_import(tmp_path / "empty")
    source = competition(tmp_path)
    (source / "data/private/test_answer.csv").unlink()
    with pytest.raises(ConfigError, match="prepare the competition with MLE-Dojo first"):
        importing.plan_import(source)
