"""Reading submissions: order does not matter, and everything odd is refused with what was expected."""

import os
import re
import socket
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlesearch.tasks import folder, submission
from mlesearch.tasks.grading import grade_test, read_submission, score_validation
from mlesearch.tasks.protocol import Task
from mlesearch.types import ConfigError
from tests.support.task_maker import make_task, predictions, write_csv, write_submission


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return folder.load(make_task(tmp_path / "task"))


def refused(path: Path, task: Task) -> str:
    read = read_submission(path, task)
    assert read.frame is None
    assert "\n" not in read.problem
    assert str(path.parent) not in read.problem
    assert score_validation(task, path).problem == read.problem
    grade = grade_test(task, path)
    assert not grade.valid
    assert grade.score is None
    return read.problem


def test_rows_and_columns_in_any_order(task: Task, tmp_path: Path) -> None:
    values = predictions(0.25)
    straight = read_submission(write_submission(tmp_path / "a.csv", values), task).frame
    turned = dict(reversed(values.items()))
    write_csv(tmp_path / "b.csv", "y,id", [f"{y!r},{i}" for i, y in turned.items()])
    other = read_submission(tmp_path / "b.csv", task).frame
    assert straight is not None
    pd.testing.assert_frame_equal(straight, other)
    assert straight["id"].tolist() == list(values)
    validation, test = submission.split(straight, task)
    assert (len(validation), len(test)) == (5, 8)
    assert validation["id"].tolist() == [7, 8, 9, 10, 11]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(list(predictions().items())), st.floats(-5, 5))
def test_any_permutation_scores_the_same(
    task: Task, tmp_path: Path, rows: list[tuple[int, float]], error: float
) -> None:
    path = write_submission(tmp_path / "s.csv", {i: y + error * (i % 3) for i, y in rows})
    by_id = {i: y + error * (i % 3) for i, y in predictions().items()}
    expected = score_validation(task, write_submission(tmp_path / "t.csv", by_id)).score
    assert score_validation(task, path).score == expected


def test_test_rows_alone_can_be_graded_but_not_searched_on(task: Task, tmp_path: Path) -> None:
    path = write_submission(tmp_path / "s.csv", predictions(only=("test",)))
    assert grade_test(task, path).score == 0.0
    assert "5 values of id are missing: 7, 8, 9 and 2 more" in score_validation(task, path).problem


def test_ids_may_be_written_as_floats_and_with_a_byte_order_mark(task: Task, tmp_path: Path) -> None:
    rows = "\r\n".join(["id,y", *(f"{i}.0,{y}" for i, y in predictions().items())])
    (tmp_path / "s.csv").write_bytes(b"\xef\xbb\xbf" + rows.encode())
    assert score_validation(task, tmp_path / "s.csv").score == pytest.approx(0.0)


def _with(changes: dict[int, str], drop: tuple[int, ...] = (), header: str = "id,y") -> str:
    values = {i: repr(y) for i, y in predictions().items()} | changes
    return "\n".join([header, *(f"{i},{y}" for i, y in values.items() if i not in drop)]) + "\n"


BAD: dict[str, tuple[str, str]] = {
    "missing ids": (_with({}, drop=(8, 15)), "2 values of id are missing: 8, 15; expected all rows of sample_sub"),
    "unknown ids": (_with({99: "1"}), "1 values of id are unknown: 99; id takes the 13 values of .* such as 7"),
    "text ids": ("id,y\na,1\nb,2\n", "2 values of id are no numbers: 'a', 'b'; expected those of sample_sub"),
    "no id": (_with({}) + ",3\n", "1 rows have no id"),
    "twice": (_with({}) + "9,1\n9,2\n", "1 values of id occur more than once: 9; expected once"),
    "missing column": ("id,z\n7,1\n", "missing: 'y'; not expected: 'z'; expected exactly: id,y"),
    "extra column": ("id,y,z\n7,1,1\n", "wrong columns, not expected: 'z'; expected exactly: id,y"),
    "index": (",id,y\n0,7,1\n", "write the file without its index"),
    "column twice": ("id,y,y\n7,1,1\n", "wrong columns, more than once: 'y'; expected exactly: id,y"),
    "other separator": ("id;y\n7;1\n", "wrong columns, missing: 'id', 'y'"),
    "nan": (
        _with({13: "nan", 14: "nan"}),
        "'y' must hold a finite number in every row, but 2 do not.*'nan', for id 13",
    ),
    "empty cell": (_with({13: ""}), "'y' must hold a finite number .* 1 do not; the first is missing, for id 13"),
    "infinite": (_with({13: "inf"}), "a finite number .* for id 13"),
    "overflow": (_with({13: "1e999"}), "a finite number .* for id 13"),
    "text": (_with({12: "high"}), "but 1 do not; the first is 'high', for id 12"),
    "empty": ("", "is empty; expected the columns id,y"),
    "header only": ("id,y\n", "13 values of id are missing"),
    "long rows": ("id,y\n7,1,2\n8,1\n", "the first row has 3 cells; expected 2"),
    "open quote": ('id,y\n7,1\n8,"1\n', "no well-formed CSV"),
    "some long rows": ("id,y\n7,1\n8,1,2\n", "no well-formed CSV"),
    "trailing commas": ("id,y\n7,1,\n8,1,\n", "the first row has 3 cells; expected 2"),
    "many columns": (
        ",".join(["id", *["y"] * 300_000]) + "\n",
        "the first lines have 300,000 commas; expected the col",
    ),
    "long header": ("x" * 300_000 + "\n", "the first lines are no CSV"),
    "NUL": ("id,y\n7,1\0\n", "NUL bytes"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_content(task: Task, tmp_path: Path, case: str) -> None:
    text, expected = BAD[case]
    (tmp_path / "submission.csv").write_text(text)
    problem = refused(tmp_path / "submission.csv", task)
    assert re.search(expected, problem), problem


def test_not_utf8(task: Task, tmp_path: Path) -> None:
    (tmp_path / "submission.csv").write_bytes(b"id,y\n7,\xff\xfe\n")
    assert "is not UTF-8 text" in refused(tmp_path / "submission.csv", task)


def test_links_to_the_answers_are_not_followed(task: Task, tmp_path: Path) -> None:
    path = tmp_path / "submission.csv"
    path.symlink_to(task.private_dir / "test.csv")
    assert refused(path, task) == "submission.csv is a symbolic link; expected a regular file"


def test_only_regular_files(task: Task, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "pipe.csv is a device, pipe or socket" in refused(tmp_path / "pipe.csv", task)
    assert "folder.csv is a directory" in refused(tmp_path / "folder.csv", task)
    assert "null is a device" in refused(Path("/dev/null"), task)
    assert "zero is a device" in refused(Path("/dev/zero"), task)
    assert "does not exist" in refused(tmp_path / "absent.csv", task)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.csv"))
        assert "s.csv cannot be opened" in refused(tmp_path / "s.csv", task)


def test_too_large(tmp_path: Path) -> None:
    task = folder.load(make_task(tmp_path / "task", max_submission_mb=0.001))
    assert task.max_submission_bytes == 1048
    path = write_submission(tmp_path / "s.csv", predictions())
    assert read_submission(path, task).frame is not None
    with path.open("a") as file:
        file.write("\n" * 2000)
    assert "at most 1,048 are allowed" in refused(path, task)


def test_a_sparse_file_of_a_terabyte_is_refused_unread(task: Task, tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.touch()
    try:
        os.truncate(path, 2**40)
    except OSError:
        pytest.skip("this file system has no sparse files of that size")
    assert "has 1,099,511,627,776 bytes; at most" in refused(path, task)


def _text_task(root: Path, labels: list[str]) -> Task:
    make_task(root, metric="accuracy", direction="maximize", board=[0.9, 0.8, 0.7, 0.6, 0.5])
    ids = [f"{i:03d}" for i in range(len(labels))]
    write_csv(root / "private" / "validation.csv", "id,y", ["v1,a"])
    write_csv(root / "private" / "test.csv", "id,y", [f"{i},{y}" for i, y in zip(ids, labels, strict=True)])
    write_csv(root / "public" / "sample_submission.csv", "id,y", [f"{i},a" for i in ["v1", *ids]])
    return folder.load(root)


def test_labels_such_as_na_and_ids_with_leading_zeros_stay_texts(tmp_path: Path) -> None:
    task = _text_task(tmp_path / "task", ["NA", "None", "nan", "1", "a"])
    write_csv(tmp_path / "s.csv", "id,y", ["000,NA", "001,None", "002,nan", "003,1", "004,b"])
    assert grade_test(task, tmp_path / "s.csv").score == 0.8
    write_csv(tmp_path / "t.csv", "id,y", ["000,", "001,None", "002,nan", "003,1", "004,b"])
    assert "'y' must hold a value in every row, but 1 do not" in grade_test(task, tmp_path / "t.csv").problem


def test_labels_as_floats_equal_labels_as_whole_numbers(tmp_path: Path) -> None:
    root = make_task(tmp_path / "task", metric="accuracy", direction="maximize", board=[0.9, 0.8, 0.7, 0.6])
    for name in ("validation", "test"):
        frame = pd.read_csv(root / "private" / f"{name}.csv")
        frame.assign(y=frame["id"] % 3).to_csv(root / "private" / f"{name}.csv", index=False)
    path = write_submission(tmp_path / "s.csv", {i: float(i % 3) for i in predictions()})
    assert grade_test(folder.load(root), path).score == 1.0


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["12,1", "12,2"], "id must be unique, but some occur twice: 12"),
        (["12,1", "13,"], "column 'y' has missing values"),
        (["7,1"], "id must be unique"),
    ],
)
def test_broken_answers_are_the_tasks_fault(tmp_path: Path, rows: list[str], expected: str) -> None:
    root = make_task(tmp_path / "task")
    write_csv(root / "private" / "test.csv", "id,y", rows)
    with pytest.raises(ConfigError, match=expected):
        grade_test(folder.load(root), write_submission(tmp_path / "s.csv", predictions()))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_no_bytes_raise(task: Task, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "submission.csv").write_bytes(data)
    read = read_submission(tmp_path / "submission.csv", task)
    assert (read.frame is None) != (read.problem == "")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 25), st.sampled_from(["1", "nan", "", "x", '"', "1e999", "-3"])), max_size=20))
def test_whatever_is_accepted_is_finite_and_whole(task: Task, tmp_path: Path, rows: list[tuple[int, str]]) -> None:
    (tmp_path / "submission.csv").write_text("\n".join(["id,y", *(f"{i},{y}" for i, y in rows)]))
    frame = read_submission(tmp_path / "submission.csv", task, only_test=True).frame
    if frame is not None:
        assert frame["id"].tolist() == list(range(12, 20))
        assert np.isfinite(frame["y"]).all()
