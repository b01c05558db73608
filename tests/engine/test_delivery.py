"""Handing the best submission over: whole, beside its program, and refused where it can't be written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mlesearch.engine import delivery
from mlesearch.engine.delivery import Delivery
from mlesearch.tasks import folder
from mlesearch.tasks.ungraded_folder import UngradedRequest, write_ungraded
from mlesearch.types import ConfigError, MlesearchError
from tests.support.unanswered import write_data


@pytest.fixture
def handed(tmp_path: Path) -> Delivery:
    data = write_data(tmp_path / "data", rows=4)
    write_ungraded(UngradedRequest(data, tmp_path / "task", metric="rmse"))
    return Delivery(folder.load(tmp_path / "task"), tmp_path / "out/submission.csv")


def best(tmp_path: Path, cell: str) -> Path:
    place = tmp_path / "best"
    place.mkdir(exist_ok=True)
    (place / "submission.csv").write_text("y,id\n" + "".join(f"{cell},{i}\n" for i in (1003, 1002, 1001, 1000)))
    (place / "solution.py").write_text(f"print({cell})\n")
    return place


def test_submission_and_program_are_replaced_and_equal_ones_left_alone(handed: Delivery, tmp_path: Path) -> None:
    handed.check()
    handed.put(best(tmp_path, "1"))
    assert handed.out.read_text().splitlines()[0] == "id,y"
    assert {line.split(",")[1] for line in handed.out.read_text().splitlines()[1:]} == {"1"}
    assert handed.program.read_text() == "print(1)\n"
    before = handed.out.stat().st_ino
    handed.put(best(tmp_path, "1"))
    assert handed.out.stat().st_ino == before
    handed.put(best(tmp_path, "2"))
    assert {line.split(",")[1] for line in handed.out.read_text().splitlines()[1:]} == {"2"}
    assert sorted(path.name for path in handed.out.parent.iterdir()) == ["submission.csv", "submission.py"]


def test_what_a_kill_left_half_written_is_removed_and_nothing_else(handed: Delivery) -> None:
    handed.out.parent.mkdir()
    for name in (
        ".submission.csv.0123456789ab",
        ".submission.py.fedcba987654",
        ".submission.csv.mine",
        "submission.csv.4711",
    ):
        (handed.out.parent / name).write_text("half")
    handed.check()
    assert sorted(path.name for path in handed.out.parent.iterdir()) == [".submission.csv.mine", "submission.csv.4711"]


def test_a_place_that_can_not_be_written_is_refused_in_a_line(handed: Delivery, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out, said in (
        (tmp_path / "file/submission.csv", "--out: "),
        (tmp_path / "data", "is a folder; name a file"),
        (Path("/proc/submission.csv"), "--out: "),
    ):
        with pytest.raises(ConfigError) as error:
            Delivery(handed.task, out).check()
        assert said in str(error.value)
        assert "\n" not in str(error.value)


def test_a_full_disk_is_refused_before_anything_is_paid_for(handed: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, offset: int, length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(delivery.os, "posix_fallocate", full)
    with pytest.raises(ConfigError, match="the disk is full"):
        handed.check()
    assert list(handed.out.parent.iterdir()) == []


def test_a_disk_that_fills_up_later_is_nobodys_fault_and_keeps_the_last_whole_one(
    handed: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed.check()
    handed.put(best(tmp_path, "1"))
    before = handed.out.read_bytes()

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patched:
        patched.setattr(delivery, "write_atomically", full)
        with pytest.raises(OSError, match="No space left"):
            handed.put(best(tmp_path, "2"))
    assert handed.out.read_bytes() == before

    def refused(path: Path, data: bytes) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(delivery, "write_atomically", refused)
    with pytest.raises(MlesearchError, match=r"submission.csv: Permission denied; the best submission is kept in"):
        handed.put(best(tmp_path, "2"))
