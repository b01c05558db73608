"""`mlesearch tasks new` and `tasks show` as commands; runs on all tasks that were made, over a stub of a provider."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlesearch.sandbox import ladder
from mlesearch.testing.openai_stub import Answer, OpenAIStub
from tests.support.command import cli, run_live
from tests.support.tables import cases, made_task

PROGRAM = """
import pandas as pd
sample = pd.read_csv("input/sample_submission.csv", dtype=str)
train = pd.read_csv("input/train.csv")
print(train.shape)
sample.to_csv("submission.csv", index=False)
print("validation_score: 0.5")
"""


def test_a_run_completes_on_every_task_that_was_made(tmp_path: Path) -> None:
    """One program a task, which gives back the sample submission: every one is valid, scored and graded."""
    place = tmp_path / "tasks"
    place.mkdir()
    names = [made_task(case, place, mended=True).planned.request.name for case in cases().values()]
    with OpenAIStub(lambda body: Answer(f"A plan.\n\n```python\n{PROGRAM}```\n", 1000, 100)) as stub:
        done = run_live(tmp_path, stub, "strategy=greedy", "budget.steps=1", f"tasks=[{','.join(names)}]")
    assert done.returncode == 0, done.stderr
    runs = {path.parts[-3]: path.parent for path in tmp_path.glob("studies/**/result.json")}
    assert sorted(runs) == sorted(names)
    for name, run in runs.items():
        assert json.loads((run / "result.json").read_text())["status"] == "ok", name
        (grade,) = map(json.loads, (run / "grades.jsonl").read_text().splitlines())
        assert grade["valid"], grade["problem"]
        assert json.loads((run / "best" / "node.json").read_text())["validation_score"] is not None, name


def test_the_command_makes_a_task_that_is_found_by_name_and_shown(tmp_path: Path) -> None:
    case = cases()["semicolons"]
    case.write(tmp_path)
    done = cli(tmp_path, "tasks", "new", "--from", "semicolons.csv", *case.options)
    assert done.returncode == 0, done.stderr
    assert "Latin-1 (Windows-1252) text, 4 columns separated by semicolons, 400 rows" in done.stdout
    assert "decimal commas" in done.stdout
    assert "no board: runs are scored and win no medal" in done.stdout
    assert "semicolons" in cli(tmp_path, "tasks", "list").stdout
    shown = cli(tmp_path, "tasks", "show", "semicolons")
    assert shown.returncode == 0, shown.stderr
    facts = ("rmse (RMSE), to minimize", "240 train, 60 validation, 100 test", "none: runs are scored", "private/")
    for words in facts:
        assert words in shown.stdout
    prompt = cli(tmp_path, "tasks", "show", "semicolons", "--prompt").stdout
    assert "Predict `Preis` of each row" in prompt
    assert "<contract>" in prompt
    again = cli(tmp_path, "tasks", "new", "--from", "semicolons.csv", *case.options)
    assert again.returncode == 2
    said = "mlesearch: error: --out: tasks/semicolons is there already; remove it, or name another folder\n"
    assert again.stderr == said


def test_a_refusal_of_the_command_is_one_line(tmp_path: Path) -> None:
    case = cases()["sorted_ids"]
    case.write(tmp_path)
    done = cli(tmp_path, "tasks", "new", "--from", "sorted_ids.csv", *case.options)
    assert done.returncode == 2
    assert done.stderr.startswith("mlesearch: error: column 'id' predicts the target 'good' by itself")
    assert done.stderr.count("\n") == 1
    assert "--drop id" in done.stderr
    assert not (tmp_path / "tasks").exists()


@pytest.mark.slow
def test_a_board_is_of_pipelines_that_were_executed(tmp_path: Path) -> None:
    case = cases()["plain"]
    case.write(tmp_path)
    rung = next(rung.name for rung in ladder.probe(("bubblewrap", "local")) if rung.works)
    words = ("--board", "--sandbox", rung, "--out", "churn")
    done = cli(tmp_path, "tasks", "new", "--from", "plain.csv", *case.options, *words)
    assert done.returncode == 0, done.stderr
    assert "a board of 40 reference pipelines" in done.stdout
    assert "a medal here means to beat that share of these pipelines" in done.stdout
    checked = cli(tmp_path, "tasks", "check", "churn")
    assert checked.stdout == "churn: all checks passed\n"
    shown = cli(tmp_path, "tasks", "show", "churn").stdout
    assert f"executed in the sandbox {rung}" in shown
    assert "40 teams: gold" in shown
