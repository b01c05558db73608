"""Tasks without test answers: how they are declared and made, what is valid, what is handed over."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.operators.scene import contract
from mlesearch.tasks import check, folder
from mlesearch.tasks.answers import answers
from mlesearch.tasks.grading import UNGRADED, grade_test, report, score_validation
from mlesearch.tasks.protocol import Task, Validation, Validity
from mlesearch.tasks.resplit import check_resplit
from mlesearch.tasks.submission import read
from mlesearch.tasks.ungraded import deliverable
from mlesearch.tasks.ungraded_folder import UngradedRequest, write_ungraded
from mlesearch.types import ConfigError, Direction, Level
from tests.support.unanswered import write_data


def made(tmp_path: Path, sample: str | None = None, **given: object) -> Task:
    """The task of a folder of data; its sample submission as given."""
    data = write_data(tmp_path / "data", rows=4)
    if sample is not None:
        (data / "sample_submission.csv").write_text(sample)
    request = UngradedRequest(data, tmp_path / "task", **{"metric": "rmse", **given})
    write_ungraded(request)
    return folder.load(tmp_path / "task")


def submitted(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "submission.csv"
    path.write_text(text)
    return path


def test_a_folder_of_data_becomes_a_task_with_nothing_copied(tmp_path: Path) -> None:
    task = made(tmp_path)
    assert (task.id, task.metric, task.direction) == ("data", "rmse", Direction.MINIMIZE)
    assert task.ungraded is Validity.SAMPLE
    assert task.validation is Validation.REPORTED
    assert task.public_dir == (tmp_path / "data").resolve()
    assert (task.id_column, task.target_columns) == ("id", ("y",))
    assert task.board is None
    assert list((tmp_path / "task/private").iterdir()) == []
    assert [finding.level for finding in check.check(task)] == [Level.OK]
    again = made_again(tmp_path)
    assert again.version == task.version


@pytest.mark.parametrize("metric", ["log_loss", "Log loss", "LOG-LOSS"])
def test_a_named_metric_is_known_however_it_is_written(tmp_path: Path, metric: str) -> None:
    task = made(tmp_path, metric=metric)
    assert (task.metric, task.direction) == ("log_loss", Direction.MINIMIZE)


def made_again(tmp_path: Path) -> Task:
    write_ungraded(UngradedRequest(tmp_path / "data", tmp_path / "task", metric="rmse"))
    return folder.load(tmp_path / "task")


def test_other_data_are_another_version(tmp_path: Path) -> None:
    task = made(tmp_path)
    (tmp_path / "data/train.csv").write_text("id,x,y\n1,1,1\n")
    assert made_again(tmp_path).version != task.version


def test_the_contract_names_the_sample_and_asks_for_its_order(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", rows=4, sample="sampleSubmission.csv")
    write_ungraded(UngradedRequest(data, tmp_path / "task", metric="rmse", group="x"))
    text = contract(folder.load(tmp_path / "task"))
    assert "`input/sampleSubmission.csv`: the columns `id`, `y`, in this order" in text
    assert "`GroupKFold(n_splits=5)` by the column `x`" in text
    assert "sample_submission.csv" not in text
    assert str(tmp_path) not in text


def test_without_a_sample_a_server_judges_and_the_description_tells_the_format(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", rows=4)
    (data / "sample_submission.csv").unlink()
    write_ungraded(UngradedRequest(data, tmp_path / "task", Validity.SERVER, metric="rmse"))
    task = folder.load(tmp_path / "task")
    assert (task.sample, task.target_columns) == ("", ())
    assert "in the format that the description asks for" in contract(task)
    assert [finding.level for finding in check.check(task)] == [Level.OK]
    assert deliverable(task, submitted(tmp_path, "b,a\r\n2,1\r\n")) == b"b,a\r\n2,1\r\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("id,y\n1000,1\n1001,2\n1002,3\n1003,4\n", ""),
        ("y,id\n1,1003\n2,1002\n3,1001\n4,1000\n", ""),
        ("id,y\n1000,1\n1001,2\n1002,3\n", "1 values of id are missing: 1003; expected the test rows"),
        ("id,y\n1000,1\n1001,2\n1002,3\n1002,4\n", "occur more than once"),
        ("id,y\n1000,1\n1001,2\n1002,3\n7,4\n", "1 values of id are unknown: 7"),
        ("id,y\n1000,1\n1001,2\n1002,3\n1003,\n", "must hold a finite number in every row"),
        ("id,y\n1000,1\n1001,2\n1002,3\n1003,inf\n", "must hold a finite number in every row"),
        ("id,y\n1000,1\n1001,2\n1002,3\n1003,high\n", "must hold a finite number in every row"),
        ("id,z\n1000,1\n1001,2\n1002,3\n1003,1\n", "expected"),
        ("", "is empty"),
    ],
)
def test_a_submission_is_valid_by_columns_and_ids_of_the_sample(tmp_path: Path, text: str, problem: str) -> None:
    task = made(tmp_path)
    path = submitted(tmp_path, text)
    grade = grade_test(task, path)
    scored = score_validation(task, path, "validation_score: 0.5")
    if problem:
        assert problem in grade.problem
        assert not grade.valid
        assert scored.score is None
    else:
        assert grade == UNGRADED
        assert scored.score == 0.5
        found = report(task, path)
        assert (found["valid_submission"], found["score"], found["any_medal"]) == (True, None, False)


@pytest.mark.parametrize(
    ("metric", "sample", "cells", "valid"),
    [
        ({"metric": "accuracy"}, "id,y\n1,0\n2,0\n", "cat", True),  # 0 may stand in the place of a label
        ({"metric": "auc"}, "id,y\n1,0\n2,0\n", "cat", False),
        ({"metric": "auc"}, "id,y\n1,0\n2,0\n", "0.3", True),
        ({"metric": "MAP@3", "direction": "maximize"}, "id,y\n1,0\n2,0\n", "a b c", True),
        ({"metric": "pinball", "direction": "minimize"}, "id,y\n1,0.5\n2,0.5\n", "cat", False),
        ({"metric": "pinball", "direction": "minimize"}, "id,y\n1,0.5\n2,0.5\n", "7", True),
        ({"metric": "Dice", "direction": "maximize"}, "id,y\n1,\n2,1 4\n", "", True),  # some are empty: a value too
        ({"metric": "Dice", "direction": "maximize"}, "id,y\n1,\n2,\n", "", False),  # a form to be filled in
        ({"metric": "Dice", "direction": "maximize"}, "id,y\n1,\n2,\n", "1 4", True),
    ],
)
def test_what_a_cell_may_hold_depends_on_sample_and_metric(
    tmp_path: Path, metric: Mapping[str, str], sample: str, cells: str, valid: bool
) -> None:
    task = made(tmp_path, sample, **metric)
    assert not [f for f in check.check(task) if f.level is Level.ERROR]
    assert (read(submitted(tmp_path, f"id,y\n1,{cells}\n2,{cells}\n"), task).frame is not None) is valid


@given(order=st.permutations(range(4)), columns=st.permutations(("id", "y")), mark=st.booleans(), crlf=st.booleans())
def test_what_is_handed_over_stands_in_the_samples_order_with_the_programs_own_cells(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], columns: list[str], mark: bool, crlf: bool
) -> None:
    place = tmp_path_factory.mktemp("ungraded")
    task = made(place, "id,y\n007,0.5\nb,0.5\nNA,0.5\nd,0.5\n")
    rows = [("007", "0.10"), ("b", "1e-3"), ("NA", "12345678901234567890"), ("d", "-0.0")]
    cells = [dict(zip(("id", "y"), rows[i], strict=True)) for i in order]
    lines = [",".join(columns), *(",".join(row[c] for c in columns) for row in cells), ""]
    text = ("\r\n" if crlf else "\n").join(lines)
    path = place / "submission.csv"
    path.write_bytes((b"\xef\xbb\xbf" if mark else b"") + text.encode())
    assert read(path, task).frame is not None
    wanted = "id,y\n" + "".join(f"{id},{cell}\n" for id, cell in rows)
    assert deliverable(task, path).decode() == wanted
    path.write_text(wanted)
    assert deliverable(task, path).decode() == wanted


def test_ids_stay_as_the_sample_writes_them(tmp_path: Path) -> None:
    task = made(tmp_path, "id,y\n0012,0.5\n3,0.5\n")
    path = submitted(tmp_path, "id,y\n3.0,2\n12,1\n")
    assert deliverable(task, path).decode() == "id,y\n0012,1\n3,2\n"


def test_validation_rows_that_the_harness_scores_are_not_handed_over(tmp_path: Path) -> None:
    """By hand: an ungraded task whose validation labels are kept. The search is scored, the test rows handed over."""
    root = tmp_path / "task"
    for name in ("public", "private"):
        (root / name).mkdir(parents=True)
    (root / "description.md").write_text("Predict y.\n")
    (root / "public/sample_submission.csv").write_text("id,y\n5,0\n1,0\n6,0\n2,0\n")
    (root / "public/train.csv").write_text("id,x,y\n8,1,1\n")
    (root / "private/validation.csv").write_text("id,y\n1,10\n2,20\n")
    declared = {"id": "t", "metric": "mae", "direction": "minimize", "validation": "harness", "ungraded": "sample"}
    (root / "task.yaml").write_text(yaml.safe_dump(declared))
    task = folder.load(root)
    path = submitted(tmp_path, "id,y\n1,11\n2,23\n5,7\n6,8\n")
    assert score_validation(task, path).score == 2.0
    assert grade_test(task, path) == UNGRADED
    assert deliverable(task, path).decode() == "id,y\n5,7\n6,8\n"
    assert list(answers(task).test["id"]) == [5, 6]
    with pytest.raises(ConfigError, match="is ungraded, so it is not split anew"):
        check_resplit(task)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ungraded": "sampel"}, r"ungraded is 'sampel'; allowed: sample, server; did you mean 'sample'"),
        ({"ungraded": True}, "ungraded is True; expected str"),
        ({"leaderboard": {"teams": 3}}, "leaderboard is declared, but without answers"),
        ({"sample": "../sample.csv"}, "expected a file of public/"),
        ({"sample": ""}, "expected a file of public/"),
        ({"ungraded": "server", "validation": "harness"}, "a server sees whole submissions"),
        ({"validation": "harness"}, "private/validation.csv is missing"),
        ({"metric": "rmse", "direction": "maximize"}, "direction is 'maximize'"),
    ],
)
def test_a_wrong_declaration_is_refused_in_a_line(tmp_path: Path, changes: Mapping[str, object], said: str) -> None:
    made(tmp_path)
    path = tmp_path / "task/task.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))
    with pytest.raises(ConfigError, match=said) as error:
        folder.load(tmp_path / "task")
    assert "\n" not in str(error.value)


def test_a_folder_with_nothing_but_a_sample_is_no_task(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", rows=4)
    for name in ("train.csv", "test.csv"):
        (data / name).unlink()
    shutil.move(data / "description.md", tmp_path / "d.md")
    write_ungraded(UngradedRequest(data, tmp_path / "task", metric="rmse", description=tmp_path / "d.md"))
    (found,) = [f for f in check.check(tmp_path / "task") if f.level is Level.ERROR]
    assert found.text == "there is nothing but sample_submission.csv; put the data there"


def test_a_graded_task_may_call_its_sample_otherwise(tmp_path: Path) -> None:
    """The version of a task that says nothing of it is what it was before there was the key."""
    mini = folder.load("rentals")
    assert mini.sample == "sample_submission.csv"
    root = tmp_path / "rentals"
    shutil.copytree(mini.public_dir.parent, root)
    (root / "public/sample_submission.csv").rename(root / "public/sampleSubmission.csv")
    path = root / "task.yaml"
    declared = yaml.safe_load(path.read_text())
    del declared["sha256"]
    path.write_text(yaml.safe_dump({**declared, "sample": "sampleSubmission.csv"}))
    task = folder.load(root)
    assert not [f for f in check.check(task) if f.level is not Level.OK]
    whole = pd.read_csv(root / "public/sampleSubmission.csv")
    whole.iloc[1:].to_csv(tmp_path / "short.csv", index=False)
    assert "expected all rows of sampleSubmission.csv" in read(tmp_path / "short.csv", task).problem
    assert answers(task).test.equals(answers(mini).test)
