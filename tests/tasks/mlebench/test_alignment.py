"""Copies in the official order: the same cells, in the sample's columns and the answers' rows."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.tasks.mlebench.alignment import Alignment

ANSWERS = "id,y,Usage\nb,1,Public\na,2,Private\nc,3,Public\n"
SAMPLE = "id,y,z\na,0,0\nb,0,0\nc,0,0\n"


def write(folder: Path, submission: str, answers: str = ANSWERS, sample: str = SAMPLE) -> str | None:
    paths = [folder / name for name in ("submission.csv", "sample.csv", "answers.csv")]
    for path, text in zip(paths, (submission, sample, answers), strict=True):
        path.write_text(text, encoding="utf-8")
    target = folder / "aligned.csv"
    target.unlink(missing_ok=True)
    written = Alignment().write(paths[0], paths[1], paths[2], target)
    assert target.exists() == written
    return target.read_text(encoding="utf-8") if written else None


@pytest.mark.parametrize(
    ("submission", "aligned"),
    [
        ("id,y,z\nb,1,2\na,3,4\nc,5,6\n", None),  # in order already
        ("id,y,z\nc,5,6\na,3,4\nb,1,2\n", "id,y,z\nb,1,2\na,3,4\nc,5,6\n"),
        ("z,id,y\n2,b,1\n4,a,3\n6,c,5\n", "id,y,z\nb,1,2\na,3,4\nc,5,6\n"),
        ("\ufeffid,y,z\nc,NA,\na,nan,1e3\nb,007,\n", "id,y,z\nb,007,\na,nan,1e3\nc,NA,\n"),
        ('id,y,z\nc,"1,5",x\na,"two\nlines",y\nb,"",""\n', 'id,y,z\nb,,\na,"two\nlines",y\nc,"1,5",x\n'),
        ("id,y,z\nc,5,6\na,3,4\n", None),  # a row less
        ("id,y,z\nc,5,6\na,3,4\nb,1,2\nb,1,2\n", None),
        ("id,y,z\nc,5,6\na,3,4\nd,1,2\n", None),
        ("id,y\nc,5\na,3\nb,1\n", None),
        ("id,y,z,w\nc,5,6,7\na,3,4,7\nb,1,2,7\n", None),
        ("id,y,z\nc,5\na,3,4\nb,1,2\n", None),
        ("", None),
    ],
)
def test_only_the_order_changes(tmp_path, submission, aligned):
    assert write(tmp_path, submission) == aligned


def test_where_the_answers_have_no_such_key_the_sample_has_the_order(tmp_path):
    submission = "id,y,z\nc,5,6\na,3,4\nb,1,2\n"
    in_order = "id,y,z\na,3,4\nb,1,2\nc,5,6\n"
    for answers in ("key,y\nb,1\n", "id,y\nb,1\nb,2\na,3\n", "id,y\nb\n"):
        assert write(tmp_path, submission, answers) == in_order
    assert write(tmp_path, in_order, "key,y\nb,1\n") is None


def test_what_is_no_text_has_no_order(tmp_path):
    paths = [tmp_path / name for name in ("submission.csv", "sample.csv", "answers.csv")]
    paths[0].write_bytes("id,y,z\nc,5,6\n".encode("utf-16"))
    paths[1].write_text(SAMPLE)
    paths[2].write_text(ANSWERS)
    assert not Alignment().write(*paths, tmp_path / "aligned.csv")
    paths[1].unlink()
    assert not Alignment().write(*paths, tmp_path / "aligned.csv")


def test_an_order_is_read_again_when_its_file_changed(tmp_path):
    paths = [tmp_path / name for name in ("submission.csv", "sample.csv", "answers.csv")]
    paths[0].write_text("id,y,z\nb,1,2\na,3,4\nc,5,6\n")
    paths[1].write_text(SAMPLE)
    paths[2].write_text(ANSWERS)
    alignment = Alignment()
    assert not alignment.write(*paths, tmp_path / "aligned.csv")
    paths[2].write_text("id,y\na,1\nb,2\nc,3\n")
    assert alignment.write(*paths, tmp_path / "aligned.csv")


def test_a_cell_may_be_long_and_the_limit_of_others_stays(tmp_path):
    limit, cell = csv.field_size_limit(), "1 2 " * 100_000
    assert write(tmp_path, f"id,y,z\nc,{cell},6\na,3,4\nb,1,2\n") == f"id,y,z\nb,1,2\na,3,4\nc,{cell},6\n"
    assert csv.field_size_limit() == limit


KEYS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\0\ufeff"), min_size=1), min_size=1, unique=True
)


@given(KEYS, st.integers(0, 1000))
def test_whatever_the_keys_are(tmp_path_factory, keys, seed):
    folder = tmp_path_factory.mktemp("keys")
    order = random.Random(seed).sample(range(len(keys)), len(keys))
    rows = [[key, str(i)] for i, key in enumerate(keys)]

    def save(name: str, lines: list[list[str]]) -> Path:
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["k", "y"], *lines])
        return folder / name

    answers = save("answers.csv", rows)
    submission = save("submission.csv", [rows[i] for i in order])
    target = folder / "aligned.csv"
    assert Alignment().write(submission, answers, answers, target) == (order != sorted(order))
    if target.exists():
        with target.open(encoding="utf-8", newline="") as file:
            assert list(csv.reader(file)) == [["k", "y"], *rows]
