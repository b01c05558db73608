"""The preflight: a whole task passes, and each check catches the task that it is there for."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from mlesearch.tasks import folder
from mlesearch.tasks.check import check
from mlesearch.types import Finding, Level
from tests.support.task_maker import make_task, write_csv


def found(root: Path) -> list[tuple[Level, str]]:
    findings = check(root)
    assert all("\n" not in f.text for f in findings)
    return [(f.level, f.subject) for f in findings]


def test_a_whole_task_has_no_findings(tmp_path: Path) -> None:
    root = make_task(tmp_path)
    assert check(root) == check(folder.load(root)) == check(str(root)) == []


def _board(*scores: float) -> Callable[[Path], None]:
    return lambda root: write_csv(root / "leaderboard.csv", "score", [repr(float(score)) for score in scores])


def _sample(value: float) -> Callable[[Path], None]:
    return lambda root: write_csv(
        root / "public" / "sample_submission.csv", "id,y", [f"{i},{value}" for i in range(7, 20)]
    )


def _copy(source: str, target: str) -> Callable[[Path], None]:
    return lambda root: shutil.copy(root / source, root / target) and None


def _link(root: Path) -> None:
    (root / "public" / "extra.csv").symlink_to(root / "private" / "test.csv")


def _record(root: Path) -> None:
    content = yaml.safe_load((root / "task.yaml").read_text())
    content["sha256"] = {"public/train.csv": "0" * 64, "public/gone.csv": "0" * 64}
    (root / "task.yaml").write_text(yaml.safe_dump(content))


def _lfs(root: Path) -> None:
    (root / "leaderboard.csv").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n")


def _answer_column(root: Path) -> None:
    write_csv(root / "public" / "test.csv", "id,y", [f"{i},0" for i in range(12, 20)])


DAMAGE: dict[str, tuple[Callable[[Path], None], str, str]] = {
    # the board is on another scale than the grader, and every run gets gold
    "board too easy": (_board(*np.arange(500.0, 620.0, 10)), "sample", "scores 1.56684 and earns gold"),
    # the board is on a hundredth of the grader's scale, and nothing gets a medal
    "board too hard": (_board(*np.arange(0.001, 0.013, 0.001)), "span", "on another scale than the grader"),
    "board out of reach": (_board(*np.arange(-1.0, 2.0, 0.1)), "answers", "score 0 and earn bronze, not gold"),
    "board the other way": (_board(*np.arange(1.6, 0.45, -0.1)), "direction", "the board runs from 1.6 to 0.5"),
    "flat board": (_board(*[0.5] * 3, *[0.7] * 5), "thresholds", "the gold threshold 0.5 is not strictly better"),
    "tiny board": (_board(0.5), "thresholds", "too small or too flat"),
    "lfs": (_lfs, "load", "Git-LFS pointer"),
    "sample in the middle": (_sample(11.0), "sample", "earns silver"),
    "sample above median": (_sample(12.39), "span", "above the median"),
    "sample not finite": (_sample(float("nan")), "sample", "must hold a finite number"),
    "answer column": (_answer_column, "public", "public/test.csv holds the target column 'y'"),
    "copied answers": (_copy("private/test.csv", "public/notes.txt"), "public", "notes.txt is a copy of private/test"),
    "linked answers": (_link, "load", "public/extra.csv is a link into the private folder; remove it"),
    "changed data": (_record, "recorded", "public/train.csv is not the file that task.yaml records"),
    "missing data": (_record, "recorded", "public/gone.csv is missing"),
    "no answers": (lambda root: (root / "private" / "test.csv").unlink(), "load", "private/test.csv is missing"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_each_check_catches_its_case(tmp_path: Path, case: str) -> None:
    damage, name, expected = DAMAGE[case]
    damage(make_task(tmp_path))
    findings = check(tmp_path)
    matching = [f for f in findings if f.subject == name and expected in f.text]
    assert matching, findings
    assert matching[0].level is Level.ERROR


BY_POSITION = """
def grade(submission, answers):
    return float(((submission["y"] - answers["y"]) ** 2).mean() ** 0.5)
"""
BY_ID = """
def grade(submission, answers):
    both = answers.merge(submission, on="id", suffixes=("", "_said"))
    return float(((both["y_said"] - both["y"]) ** 2).mean() ** 0.5)
"""
UPSIDE_DOWN = BY_ID.replace("float(", "-float(")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (BY_ID, []),
        (BY_POSITION, [(Level.ERROR, "shuffled")]),
        (UPSIDE_DOWN, [(Level.ERROR, "sample"), (Level.ERROR, "direction")]),
        ("def grade(s, a): return 1 / 0", [(Level.ERROR, "sample"), (Level.ERROR, "answers")]),
        ("def grade(s): return 1.0", [(Level.ERROR, "load")]),
    ],
)
def test_own_graders(tmp_path: Path, code: str, expected: list[tuple[Level, str]]) -> None:
    make_task(tmp_path, metric="own")
    (tmp_path / "grade.py").write_text(code)
    assert found(tmp_path) == expected


def test_answers_of_another_form_are_a_warning(tmp_path: Path) -> None:
    make_task(tmp_path, metric="own")
    (tmp_path / "grade.py").write_text("def grade(s, a): return 2.0")
    for name in ("validation", "test"):
        path = tmp_path / "private" / f"{name}.csv"
        path.write_text(path.read_text().replace("id,y", "id,label"))
    assert (Level.WARNING, "answers") in found(tmp_path)


def test_a_board_far_from_the_sample_is_a_warning_and_a_strong_board_is_not(tmp_path: Path) -> None:
    make_task(tmp_path)
    _sample(0.0)(tmp_path)  # RMSE 11.6: the worst team has closed 86 % of the way
    assert check(tmp_path) == []
    _sample(-30.0)(tmp_path)  # RMSE 41.6: 96 %
    findings = check(tmp_path)
    assert findings == [Finding(Level.WARNING, "span", findings[0].text)]
    assert "the board spans 1.6 to 0.5, but the sample submission scores 41.5" in findings[0].text


def test_unknown_task_is_a_finding() -> None:
    assert str(check("no-such-task")[0]).startswith("error (load): unknown task 'no-such-task'")
