"""`tasks show`: the facts of a task, whatever it brings, and no path of its answers in what the agent reads."""

from __future__ import annotations

import pytest

from mlesearch.cli.show_task import task_lines
from mlesearch.config.parts.task_prompt import first_prompt
from mlesearch.tasks import folder
from mlesearch.tasks.protocol import Task
from tests.support.task_maker import make_task


def shown(task: Task, name: str = "small") -> str:
    return "\n".join(task_lines(task, name))


@pytest.mark.parametrize("name", folder.names())
def test_a_task_of_the_suite_is_shown_with_its_board(name):
    task = folder.load(name)
    text = shown(task, name)
    assert f"version      {task.version}" in text
    assert f"120 teams: gold {task.thresholds.gold:.5g}" in text
    assert "train.csv (" in text
    assert f"mlesearch tasks check {name}" in text
    prompt = "\n".join(message.content for message in first_prompt(task))
    assert task.description.strip() in prompt
    assert "submission.csv" in prompt
    assert str(task.private_dir) not in prompt
    assert prompt == "\n".join(message.content for message in first_prompt(task))


def test_what_a_task_declares_is_shown(tmp_path):
    place = make_task(tmp_path / "small", licence="CC0", known_issues=["rows leak"], tags=["a", "b"], rows={"train": 6})
    (place / "eda.md").write_text("Nothing special.\n", encoding="utf-8")
    text = shown(folder.load(place))
    for words in ("CC0", "rows leak", "a; b", "6 train", "eda.md stands in every prompt", "30 s a program", "12 teams"):
        assert words in text


def test_a_task_without_a_board_that_reports_its_score_says_so(tmp_path):
    place = make_task(tmp_path / "small", validation="reported", reported_split="five folds by week")
    (place / "leaderboard.csv").unlink()
    text = shown(folder.load(place))
    assert "none: runs are scored and win no medal" in text
    assert "programs say their own score, over five folds by week" in text


def test_an_own_grader_is_named_and_not_called(tmp_path):
    place = make_task(tmp_path / "small", metric="distance to the moon")
    (place / "grade.py").write_text("def grade(submission, answers):\n    raise SystemExit\n", encoding="utf-8")
    assert "distance to the moon, computed by grade.py, to minimize" in shown(folder.load(place))
