"""A study that came from elsewhere: nothing that came along with it runs in our process, unless we say so."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from mlesearch.study.archive.unpacking import is_imported
from tests.support.command import cli
from tests.support.exported import members_of, packed
from tests.support.task_maker import make_task

GRADER = """
import os
from pathlib import Path

with open(os.environ["GRADED"], "a") as file:
    file.write(f"{Path(__file__).absolute().parent}\\n")

def grade(submission, answers):
    both = answers.merge(submission, on="id")
    return float((both["y_x"] - both["y_y"]).abs().mean())
"""
PROGRAM = "import pandas as pd\npd.read_csv('input/sample_submission.csv').to_csv('submission.csv', index=False)\n"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a task of its own, `their/task`, and the export of a study on it, `first.zip`."""
    folder = tmp_path_factory.mktemp("theirs")
    make_task(folder / "their" / "task", id="flats", metric="mean error")
    (folder / "their" / "task" / "leaderboard.csv").unlink()
    (folder / "their" / "task" / "grade.py").write_text(GRADER)
    replies = {"default": [f"Plan\n```python\n{PROGRAM}```\n"]}
    (folder / "replies.yaml").write_text(json.dumps(replies))
    done = cli(
        folder,
        *("run", "model=local", "model.kind=scripted", "~model.params.model", "~model.params.api_base"),
        *(
            "~model.params.price",
            f"+model.params.file={folder}/replies.yaml",
            "strategy=random",
            "strategy.review=false",
        ),
        *("tasks=[their/task]", "sandbox=local", "budget.steps=1", "launcher.n_jobs=1", "study.dir=first"),
        *("cassette=record", "sandbox.exec_store=record"),
        env={"GRADED": str(folder / "graded")},
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "graded").read_text()
    assert cli(folder, "cassette", "export", "first", "first.zip").returncode == 0
    return folder


def replayed(folder: Path, *words: str) -> tuple[int, str, list[str]]:
    """Exit code, words, and where graders ran from."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    graded = folder / "graded"
    graded.unlink(missing_ok=True)
    done = cli(folder, "replay", *words, "--out", "out", env={"GRADED": str(graded)})
    return done.returncode, done.stdout + done.stderr, graded.read_text().splitlines() if graded.exists() else []


def test_no_grader_of_an_imported_study_runs_unasked(recorded: Path, tmp_path: Path) -> None:
    assert cli(tmp_path, "cassette", "import", str(recorded / "first.zip"), "here").returncode == 0
    assert is_imported(tmp_path / "here")
    code, words, graded = replayed(tmp_path, "here")
    assert (code, graded) == (2, []), words
    shutil.copytree(recorded / "their", tmp_path / "their")  # came along, where the study says that it is
    code, words, graded = replayed(tmp_path, "here")
    assert (code, graded) == (2, [])
    assert "its task 'their/task' has a grade.py, which would run here" in words
    assert "--task FOLDER" in words
    assert "--trust" in words
    assert len(words.splitlines()) == 1
    assert "its task 'their/task' has a grade.py" in cli(tmp_path, "cassette", "verify", "here").stderr
    shutil.copytree(recorded / "their" / "task", tmp_path / "mine")
    code, words, graded = replayed(tmp_path, "here", "--task", "mine")
    assert (code, set(graded)) == (0, {str(tmp_path / "mine")}), words
    assert is_imported(tmp_path / "out")
    code, words, graded = replayed(tmp_path, "here", "--trust")
    assert (code, set(graded)) == (0, {str(tmp_path / "their" / "task")}), words
    (tmp_path / "mine" / "description.md").write_text("Another one.\n")
    code, words, graded = replayed(tmp_path, "here", "--task", "mine")
    assert (code, graded) == (2, []), "another version of the task is not the task"


def test_a_task_inside_the_study_never_runs_unasked(recorded: Path, tmp_path: Path) -> None:
    """However the folder came here: what is said of it in run.json is theirs."""
    shutil.copytree(recorded / "first", tmp_path / "study")
    shutil.copytree(recorded / "their" / "task", tmp_path / "study" / "task")
    for run in tmp_path.glob("study/*/*/*/*/seed-0/run.json"):
        run.write_text(run.read_text().replace("their/task", "study/task"))
    code, words, graded = replayed(tmp_path, "study")
    assert (code, graded) == (2, [])
    assert "lies in the study's own folder" in words
    code, words, graded = replayed(tmp_path, "study", "--trust")
    assert code == 0, words
    code, words, graded = replayed(tmp_path, "study", "--task", str(recorded / "their" / "task"))
    assert (code, set(graded)) == (0, {str(recorded / "their" / "task")}), words


def test_a_task_folder_in_an_export_is_refused(recorded: Path, tmp_path: Path) -> None:
    members = members_of((recorded / "first.zip").read_bytes())
    for path in (recorded / "their" / "task").rglob("*"):
        if path.is_file():
            members[f"study/task/{path.relative_to(recorded / 'their' / 'task')}"] = path.read_bytes()
    (tmp_path / "evil.zip").write_bytes(packed(members))
    assert zipfile.is_zipfile(tmp_path / "evil.zip")
    done = cli(tmp_path, "cassette", "import", "evil.zip", "here")
    assert done.returncode == 2
    assert "is no member of an export" in done.stderr
    assert not (tmp_path / "here").exists()


def test_ones_own_study_replays_as_it_did(recorded: Path) -> None:
    code, words, graded = replayed(recorded, "first")
    assert code == 0, words
    assert graded
