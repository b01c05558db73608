"""A worker waits while the disk is full, says so once, and says when it goes on."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from mlesearch.study.disk_room import DiskRoom


def test_a_full_disk_is_said_once_and_looked_at_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full, looks, said, now = [True], [0], list[str](), [0.0]

    def check(folder: Path) -> None:
        looks[0] += 1
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    monkeypatch.setattr("mlesearch.study.disk_room.check_space", check)
    room = DiskRoom(tmp_path, said.append, lambda: now[0])
    for now[0] in (0.0, 0.5, 1.0, 1.5):
        assert "the disk is full" in room.lacking()
    assert looks == [2]
    full[0] = False
    assert room.lacking(), "it was looked at half a second ago"
    now[0] = 3.0
    assert room.lacking() == ""
    assert [line.split(":")[0] for line in said] == ["paused", "there is room again"]


def test_without_a_study_there_is_always_room() -> None:
    assert DiskRoom(None, pytest.fail).lacking() == ""
