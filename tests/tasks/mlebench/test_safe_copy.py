"""What is copied is the file that was looked at, and no more of it than is allowed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlesearch.tasks import submission
from mlesearch.tasks.mlebench import safe_copy
from mlesearch.tasks.mlebench.safe_copy import copy_safely

SECRET = "id,y\nsecret,1\n"


@pytest.mark.parametrize("swap", ["link", "fifo", "other file", "gone"])
def test_a_file_that_is_swapped_after_the_check_changes_nothing(tmp_path, monkeypatch, swap):
    path, secret, target = tmp_path / "submission.csv", tmp_path / "answers.csv", tmp_path / "copy.csv"
    path.write_text("id,y\na,1\n")
    secret.write_text(SECRET)

    def swapped(opened: Path, limit: int) -> int | str:
        found = submission.open_regular(opened, limit)
        opened.unlink()
        if swap == "link":
            opened.symlink_to(secret)
        elif swap == "fifo":
            os.mkfifo(opened)
        elif swap == "other file":
            opened.write_text(SECRET)
        return found

    monkeypatch.setattr(safe_copy, "open_regular", swapped)
    assert copy_safely(path, target, 1000) == ""
    assert target.read_text() == "id,y\na,1\n"


def test_a_file_that_grows_meanwhile_is_refused(tmp_path, monkeypatch):
    path, target = tmp_path / "submission.csv", tmp_path / "copy.csv"
    path.write_bytes(b"x" * 10)

    def grown(opened: Path, limit: int) -> int | str:
        found = submission.open_regular(opened, limit)
        with opened.open("ab") as file:
            file.write(b"x" * 5_000_000)
        return found

    monkeypatch.setattr(safe_copy, "open_regular", grown)
    assert (
        copy_safely(path, target, 3_000_000) == "submission.csv grew to more than the 3,000,000 bytes that are allowed"
    )
    assert not target.exists()


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 200 << 20])
def test_whatever_its_size_up_to_the_limit(tmp_path, size):
    path, target = tmp_path / "submission.csv", tmp_path / "copy.csv"
    with path.open("wb") as file:
        file.truncate(size)
    assert copy_safely(path, target, size) == ""
    assert target.stat().st_size == size
    assert "bytes; at most" in copy_safely(path, tmp_path / "other.csv", size - 1)


def test_descriptors_are_closed(tmp_path):
    path = tmp_path / "submission.csv"
    path.write_text("id,y\n")
    before = len(os.listdir("/proc/self/fd"))
    for number in range(20):
        copy_safely(path, tmp_path / f"{number}.csv", 1000)
        copy_safely(path, tmp_path / "never.csv", 2)
        copy_safely(tmp_path, tmp_path / "never.csv", 1000)
    assert len(os.listdir("/proc/self/fd")) == before
