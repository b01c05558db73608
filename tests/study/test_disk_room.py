"""Work pauses where a study's disk has no room, says so once, and goes on when there is room again."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mlesearch.storage import file_systems
from mlesearch.storage.file_systems import is_full
from mlesearch.study.workers.disk_room import LATELY_S, LOOK_S, DiskRoom
from tests.support.disks import MIB, fill, small_disk


class Clock:
    """Seconds that grow when they are told to."""

    at = 0.0

    def __call__(self) -> float:
        return self.at


def test_below_what_is_asked_for_nothing_begins(tmp_path: Path) -> None:
    said: list[str] = []
    clock = Clock()
    with small_disk(tmp_path / "disk", 16 * MIB) as disk:
        room = DiskRoom(disk, 8 * MIB, said.append, clock)
        assert room.lacking() == ""
        ballast = fill(disk, 5 * MIB)
        assert room.lacking() == "", "it looked just now"
        for _ in range(3):
            clock.at += LOOK_S
            assert f"tmpfs at {disk}: 5 MiB are free and launcher.min_free_gib asks for 8" in room.lacking()
        ballast.unlink()
        clock.at += LOOK_S
        assert room.lacking() == ""
    assert len(said) == 2
    assert said[0].startswith("paused: ")
    assert said[0].endswith("work goes on by itself once there is room")
    assert said[1] == f"going on: tmpfs at {disk} has room"


def test_a_disk_that_was_full_has_to_take_something_first(tmp_path: Path) -> None:
    said: list[str] = []
    clock = Clock()
    with small_disk(tmp_path / "disk", 8 * MIB) as disk:
        ballast = fill(disk, 0)
        room = DiskRoom(disk, 0, said.append, clock)
        assert room.lacking() == "", "a disk is full once it was found so"
        assert room.was_full()
        assert f"the disk is full (tmpfs at {disk}" in room.lacking()
        ballast.unlink()
        clock.at += LOOK_S
        assert room.lacking() == ""
        assert room.was_full(), "a run may say so late"
        clock.at += LATELY_S
        assert not room.was_full(), "it is another disk that is full"
    assert len(said) == 2


def test_a_quota_shows_in_what_is_taken_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = DiskRoom(tmp_path, 0, lambda _: None, lambda: 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", lambda *_: (_ for _ in ()).throw(OSError(errno.EDQUOT, "quota")))
        room.was_full()
        assert room.lacking()
    room.was_full()
    assert room.lacking() == ""


def test_full_is_what_came_of_a_full_disk(tmp_path: Path) -> None:
    assert is_full(OSError(errno.ENOSPC, "full"))
    assert not is_full(OSError(errno.EIO, "broken"))
    assert not is_full(None)
    assert is_full(ValueError(f"store: {file_systems.in_words(OSError(errno.ENOSPC, 'full'), tmp_path)}"))
    store_error = ValueError("store")
    store_error.__cause__ = OSError(errno.EDQUOT, "quota")
    assert is_full(store_error)
    with closing(sqlite3.connect(tmp_path / "x.db")) as db:
        db.execute("CREATE TABLE t(x)")
        db.execute("PRAGMA max_page_count=2")
        with pytest.raises(sqlite3.Error) as caught:
            db.executemany("INSERT INTO t VALUES (?)", [("x" * 900,)] * 100)
    assert is_full(caught.value)
    assert file_systems.takes(tmp_path, 100)
