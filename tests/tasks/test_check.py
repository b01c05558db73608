"""The preflight: a whole task passes, and each check catches the task that it is there for."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from mlesearch.tasks import folder, leaks
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


def _thresholds(*limits: float) -> Callable[[Path], None]:
    """Thresholds in the place of a board: gold, silver, bronze, median."""

    def put(root: Path) -> None:
        (root / "leaderboard.csv").unlink()
        write_csv(root / "thresholds.csv", "gold,silver,bronze,median,teams", [f"{','.join(map(str, limits))},1221"])

    return put


def _labels_table(root: Path) -> None:
    (root / "public" / "train.csv").rename(root / "public" / "labels.csv")
    (root / "public" / "train_images").mkdir()
    (root / "public" / "train_images" / "1.png").write_bytes(b"\x89PNG")


def _constant_sample(root: Path) -> None:
    write_csv(root / "public" / "randomPredictions.csv", "id,y", [f"{i},{_y(12)}" for i in range(12, 20)])


NOTED: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "a crowded board": (_board(*[0.5] * 3, *[0.7] * 5), ["thresholds"] * 2),
    "a tiny board": (_board(0.5), ["thresholds"] * 3),
    "thresholds near perfection (leaf)": (_thresholds(0.0, 0.001, 0.005, 0.02), []),
    "thresholds at perfection (aerial-cactus)": (_thresholds(0.0, 0.0, 0.0, 0.001), ["thresholds"] * 2),
    "labels under another name (taxi)": (_labels_table, []),
    "the sample under two names (pizza)": (_copy("public/sample_submission.csv", "public/sampleSubmission.csv"), []),
    "a second sample": (_constant_sample, []),
}


@pytest.mark.parametrize("case", NOTED)
def test_what_was_a_false_alarm_is_a_note_or_nothing(tmp_path: Path, case: str) -> None:
    damage, noted = NOTED[case]
    damage(make_task(tmp_path))
    assert found(tmp_path) == [(Level.OK, subject) for subject in noted]
    assert all(str(f).startswith("note (") for f in check(tmp_path))


def test_a_grader_that_is_declared_to_compare_by_position_is_a_note(tmp_path: Path) -> None:
    make_task(tmp_path, metric="own", positional=True)
    (tmp_path / "grade.py").write_text(BY_POSITION)
    assert found(tmp_path) == [(Level.OK, "shuffled")]


def test_of_a_large_table_only_the_first_rows_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_task(tmp_path)
    _table("train.csv", lambda lines: [*lines, *(f"{i},{i * i},{_y(i)}" for i in range(12, 20))])(tmp_path)
    monkeypatch.setattr(leaks, "READ_BYTES", 90)
    monkeypatch.setattr(leaks, "READ_ROWS", 6)
    assert found(tmp_path) == [(Level.OK, "tables")]
    monkeypatch.setattr(leaks, "READ_ROWS", 14)
    assert found(tmp_path) == [(Level.OK, "tables"), (Level.ERROR, "labelled")]


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


def _table(name: str, change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    """Changes the lines of a public table."""

    def damage(root: Path) -> None:
        path = root / "public" / name
        path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")

    return damage


def _y(i: int) -> float:
    return 10 + i / 10


def _column(name: str, value: Callable[[int], object]) -> Callable[[list[str]], list[str]]:
    return lambda lines: [f"{lines[0]},{name}", *(f"{line},{value(int(line.split(',')[0]))}" for line in lines[1:])]


def _only_sample(root: Path) -> None:
    for name in ("train", "validation", "test"):
        (root / "public" / f"{name}.csv").unlink()
    (root / "public" / ".DS_Store").touch()


def _renamed(root: Path) -> None:
    for name in ("train", "validation", "test"):
        (root / "public" / f"{name}.csv").rename(root / "public" / f"{'abc'[len(name) % 3]}{name[-1]}.csv")


MISSED: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "test rows in train": (
        _table("train.csv", lambda lines: [*lines, *(f"{i},{i * i},{_y(i)}" for i in range(12, 20))]),
        "labelled",
        "8 test rows stand in public/train.csv with their labels, by id; remove them there",
    ),
    "validation rows in train": (
        _table("train.csv", lambda lines: [*lines, *(f"{i},{i * i},{_y(i)}" for i in range(7, 12))]),
        "labelled",
        "5 validation rows stand in public/train.csv",
    ),
    "test rows under other ids": (
        _table("train.csv", lambda lines: [*lines, *(f"{i + 900},{i * i},{_y(i)}" for i in range(12, 20))]),
        "labelled",
        "8 of 8 test rows stand in public/train.csv with their labels, by all their features",
    ),
    "ids used twice": (
        _table("train.csv", lambda lines: [*lines, *(f"{i},{7 * i},{i}" for i in range(12, 20))]),
        "labelled",
        "8 ids of test rows occur in public/train.csv too, with other content; are they other rows?",
    ),
    "the target renamed": (
        _table("test.csv", _column("price", _y)),
        "copied",
        "'price' of public/test.csv is the target",
    ),
    "the target in other words": (
        _table("test.csv", _column("price", lambda i: f"{_y(i):.4f}0")),
        "copied",
        "'price' of public/test.csv is the target 'y' of the test rows under another name; remove it",
    ),
    "the target scaled": (
        _table("validation.csv", _column("cents", lambda i: 100 * _y(i) + 3)),
        "copied",
        "'cents' of public/validation.csv is the target 'y' of the validation rows, scaled",
    ),
    "the target in a table of its own": (
        lambda root: write_csv(
            root / "public" / "more.csv", "key,v", [f"{n},{_y(i)}" for n, i in enumerate(range(12, 20))]
        ),
        "copied",
        "column 'v' of public/more.csv is the target 'y' of the test rows",
    ),
    "a misnamed id": (
        _table("test.csv", lambda lines: ["Id,x", *lines[1:]]),
        "ids",
        "public/test.csv has no column 'id', the id_column, so programs can't tell which row is which; "
        "'Id' holds these ids",
    ),
    "other ids": (
        _table("test.csv", lambda lines: [lines[0], *(f"{n},{n}" for n in range(8))]),
        "ids",
        "public/test.csv lacks 8 of the 8 ids that are asked for, such as '12'",
    ),
    "nothing but the sample": (_only_sample, "parts", "public/ holds nothing but sample_submission.csv"),
    "names that say nothing": (_renamed, "parts", "public/ has no file or folder named after train, validation, test"),
}


@pytest.mark.parametrize("case", MISSED)
def test_answers_and_gaps_in_public_tables(tmp_path: Path, case: str) -> None:
    damage, subject, expected = MISSED[case]
    damage(make_task(tmp_path))
    matching = [f for f in check(tmp_path) if f.subject == subject and expected in f.text]
    assert matching, check(tmp_path)
    assert matching[0].level is (Level.WARNING if case in ("ids used twice", "the target scaled") else Level.ERROR)


def test_classes_under_other_labels_are_a_copy(tmp_path: Path) -> None:
    make_task(tmp_path, metric="accuracy", direction="maximize", board=[0.99, 0.98, 0.97, 0.9, 0.85, 0.8, 0.7, 0.6])
    for name, ids in (("validation", range(7, 12)), ("test", range(12, 20))):
        write_csv(tmp_path / "private" / f"{name}.csv", "id,y", [f"{i},{i % 2}" for i in ids])
    _table("test.csv", _column("pet", lambda i: ["cat", "dog"][i % 2]))(tmp_path)
    assert "is the target 'y' of the test rows under other labels" in " ".join(f.text for f in check(tmp_path))


def test_an_image_task_and_the_mini_suite_have_no_such_findings(tmp_path: Path) -> None:
    make_task(tmp_path, modality="image")
    for name in ("train", "validation", "test"):
        (tmp_path / "public" / f"{name}.csv").unlink()
        (tmp_path / "public" / f"{name}_images").mkdir()
        (tmp_path / "public" / f"{name}_images" / "1.png").write_bytes(b"\x89PNG")
    assert check(tmp_path) == []
    for name in folder.names():
        assert check(name) == []


def test_a_task_without_a_board_is_a_note_and_nothing_else(tmp_path: Path) -> None:
    make_task(tmp_path)
    (tmp_path / "leaderboard.csv").unlink()
    assert found(tmp_path) == [(Level.OK, "leaderboard")]
    _sample(float("nan"))(tmp_path)
    assert (Level.ERROR, "sample") in found(tmp_path)
