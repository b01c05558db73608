"""What file systems refuse is one line that names them and the way out; what is made takes its folder's rights."""

import errno
import fcntl
import os
import sqlite3
import stat
import subprocess
import time

import pytest

from mlesearch.storage import file_systems, files, locks
from mlesearch.storage.blobs import Blobs
from mlesearch.storage.database import Database
from mlesearch.storage.documents import write_run
from mlesearch.storage.entry import Entry, StoreError
from mlesearch.storage.files import append_line, copy_atomically, read_lines, write_atomically
from mlesearch.storage.journal import Journal, JournalBusy, begun
from mlesearch.storage.layout import RunKey, note_launch, open_study, study_header
from mlesearch.storage.store import open_store
from mlesearch.types import MlesearchError
from tests.support.disks import MIB, FailingWrites, fill, small_disk

HEADER = {"mlesearch": "test", "run": "r"}
NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)


@pytest.mark.parametrize("number", NO_LOCKS)
def test_a_file_system_without_locks_is_named_at_once(tmp_path, monkeypatch, number):
    """filelock#67: today it waits for 10 s, and tells of another process."""

    def refused(fd: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    began = time.monotonic()
    with pytest.raises(OSError, match=os.strerror(errno.ENOLCK)) as raised:
        Journal(tmp_path / "j", HEADER)
    assert time.monotonic() - began < 2
    said = file_systems.in_words(raised.value)
    assert said.startswith("it has no locks to give (")
    assert f" at {file_systems.mount_of(tmp_path).place}: " in said
    assert "study.dir" in said
    database = Database(tmp_path / "d", lambda db: None, synced="OFF", failed=MlesearchError)
    with pytest.raises(MlesearchError, match="has no locks to give"), database.transaction():
        pass


def test_a_lock_that_somebody_holds_is_waited_for(tmp_path):
    with Journal(tmp_path / "j", HEADER):
        with pytest.raises(JournalBusy, match="another process is writing"):
            Journal(tmp_path / "j", HEADER, lock_wait_s=0.2)
        fd = os.open(tmp_path / "j", os.O_RDWR)
        assert not locks.try_lock(fd, tmp_path / "j")
        os.close(fd)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the quota of this user is used up"),
        (errno.EFBIG, "the file is larger than may be"),
        (errno.EROFS, "it can only be read"),
        (errno.ESTALE, "stale handle"),
        (errno.EIO, "fails to read or write"),
        (errno.EOPNOTSUPP, "lacks what is needed"),
        (errno.ENOSYS, "lacks what is needed"),
    ],
)
def test_a_fault_is_one_line_with_kind_place_and_way_out(tmp_path, number, words):
    found = file_systems.mount_of(tmp_path)
    error = OSError(number, os.strerror(number), str(tmp_path / "x"))
    said = file_systems.in_words(error)
    assert words in said
    assert f"({found.kind} at {found.place}: {os.strerror(number)}): " in said
    assert "\n" not in said
    assert file_systems.is_fault(error)


def test_other_errors_are_the_paths():
    error = PermissionError(errno.EACCES, "Permission denied", "/x/y")
    assert file_systems.in_words(error) == "/x/y: Permission denied"
    assert not file_systems.is_fault(error)
    assert file_systems.in_words(OSError("odd")) == "a file: odd"


def test_a_rename_or_link_that_is_refused_names_the_store(tmp_path, monkeypatch):
    store = open_store(tmp_path / "s", "files")

    def refused(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "link", refused)
    with pytest.raises(StoreError, match=r"lacks what is needed here \(.* at .*study\.dir"):
        store.put(Entry({"a": 1}, {"b": 2}), "near")
    assert store.keys() == []


def test_folders_that_cannot_be_synced_do_no_harm(tmp_path, monkeypatch):
    def refused(fd: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refused)
    assert Blobs(tmp_path / "b").put("x", durable=True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_write_that_fails_at_any_moment_leaves_nothing_torn(tmp_path, monkeypatch, number):
    """Lines, documents and blobs: after the fault each is whole or absent, and goes on."""
    layer = FailingWrites(monkeypatch, tmp_path, number)
    for moment in range(1, 13):
        folder = tmp_path / str(moment)
        folder.mkdir()
        done, faults = [], []
        layer.after = None
        with Journal(folder / "j", HEADER) as journal:
            layer.writes, layer.after = 0, moment
            for n in range(6):
                try:
                    Blobs(folder / "b").put(f"blob {n}")
                    journal.append({"type": "asked", "i": n})
                except OSError as error:
                    faults.append(error)
                else:
                    done.append(n)
        assert faults
        assert {e.errno for e in faults} == {number}
        assert all(e.filename.startswith(str(folder)) for e in faults)
        layer.after = None
        with Journal(folder / "j", HEADER) as journal:
            assert [e["i"] for e in journal.events] == done
        for n in range(6):
            assert Blobs(folder / "b").get(Blobs(folder / "b").put(f"blob {n}")) == f"blob {n}"


def test_lines_after_a_torn_one_are_kept(tmp_path):
    """launches.jsonl: the grid of a study."""
    append_line(tmp_path / "l", {"n": 1})
    with open(tmp_path / "l", "ab") as file:
        file.write(b'{"n": 2, "torn')
    append_line(tmp_path / "l", {"n": 3})
    assert [line["n"] for line in read_lines(tmp_path / "l")] == [1, 3]


def test_a_journal_without_its_first_line_begins_anew(tmp_path):
    """What a disk leaves that was full when it was made."""
    for left in (b"", b'{"type":"jour'):
        (tmp_path / "j").write_bytes(left)
        assert not begun(tmp_path / "j")
        with Journal(tmp_path / "j", HEADER) as journal:
            assert journal.events == []
        assert begun(tmp_path / "j")


def test_a_real_disk_that_is_full(tmp_path):
    with small_disk(tmp_path / "d", MIB) as disk:
        ballast = fill(disk, 0)
        words = rf"the disk is full \(tmpfs at {disk}: No space left on device\)"
        with pytest.raises(OSError, match=r".") as raised:
            write_atomically(disk / "f", "x" * 9000)
        assert file_systems.in_words(raised.value).startswith(f"the disk is full (tmpfs at {disk}: ")
        assert [p.name for p in disk.iterdir()] == ["ballast"]
        for form in ("sqlite", "files"):
            with pytest.raises(StoreError, match=words):
                open_store(disk / form, form).put(Entry({"a": 1}, {"b": "c" * 9000}), "near")
        ballast.unlink()
        for form in ("sqlite", "files"):
            store = open_store(disk / form, form)
            store.put(Entry({"a": 1}, {"b": "c" * 9000}), "near")
            assert len(store.keys()) == 1


def test_a_copy_that_a_full_disk_cuts_off_leaves_nothing(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"x" * 9000)
    with small_disk(tmp_path / "d", MIB) as disk:
        copy_atomically(source, disk / "copy")
        source.write_bytes(b"y" * MIB)
        with pytest.raises(OSError, match="No space left"):
            copy_atomically(source, disk / "copy")
        assert (disk / "copy").read_bytes() == b"x" * 9000
        assert [p.name for p in disk.iterdir()] == ["copy"]


def test_a_disk_that_can_only_be_read(tmp_path):
    with small_disk(tmp_path / "d", MIB) as disk:
        store = open_store(disk / "s.db")
        store.put(Entry({"a": 1}, {}), "near")
        store.close()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(OSError, match="Read-only") as raised:
            Journal(disk / "j", HEADER)
        assert "mount it for writing" in file_systems.in_words(raised.value)
        assert open_store(disk / "s.db").get(Entry({"a": 1}, {}).key) is not None


def test_a_database_that_fails_says_which_fault_it_is(tmp_path):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_IOERR_LOCK"
    said = file_systems.database_in_words(error, tmp_path / "x")
    assert "SQLITE_IOERR_LOCK" in said
    assert "cassette_form=files" in said
    assert file_systems.database_in_words(sqlite3.OperationalError("no such table: x"), tmp_path) == "no such table: x"


def test_the_shared_memory_of_a_log_that_found_no_room_is_a_full_disk_even_if_there_is_room_again(tmp_path):
    with small_disk(tmp_path / "d", 8 * MIB) as disk:
        store = open_store(disk / "s.db")
        store.put(Entry({"a": 1}, {}), "near")
        store.close()
        ballast = fill(disk, 4096)  # enough for an empty log, not for the 32 KiB beside it
        with sqlite3.connect(disk / "s.db") as db, pytest.raises(sqlite3.OperationalError) as raised:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        ballast.unlink()
        assert raised.value.sqlite_errorname == "SQLITE_IOERR_SHMSIZE"
        assert file_systems.is_full(raised.value)
        assert "the disk is full" in file_systems.database_in_words(raised.value, disk / "s.db")


# rights


def modes(folder):
    """Of all that lies in a folder; SQLite's side files may go while one looks."""
    found = [p for p in sorted(folder.rglob("*")) if not p.name.endswith(("-wal", "-shm"))]
    return {p.relative_to(folder).as_posix(): stat.S_IMODE(p.stat().st_mode) for p in found}


def make_study(folder, mask):
    """By a process with this umask."""
    before = os.umask(mask)
    try:
        key = RunKey("m", "s", "v", "t", 0)
        open_study(folder, study_header("s", None))
        note_launch(folder, [key])
        run = folder / key.id
        write_run(run, {"id": key.id})  # type: ignore[arg-type]
        with Journal(run / "journal.jsonl", HEADER):
            Blobs(run / "blobs").put("x")
        for form in ("sqlite", "files"):
            store = open_store(folder / f"store-{form}", form)
            store.put(Entry({"a": 1}, {}), "near")
            beside = [p for p in folder.glob("store-sqlite-*") if form == "sqlite"]
            assert all(stat.S_IMODE(p.stat().st_mode) == files.rights_of(folder) & 0o666 for p in beside)
            store.close()
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o022, 0o077])
def test_a_study_is_its_users_alone_whatever_the_umask(tmp_path, mask):
    make_study(tmp_path / "study", mask)
    found = {".": stat.S_IMODE((tmp_path / "study").stat().st_mode), **modes(tmp_path / "study")}
    assert len(found) > 10
    assert {name: mode & 0o077 for name, mode in found.items()} == dict.fromkeys(found, 0)


def test_a_folder_that_was_opened_to_a_group_opens_what_is_made_in_it(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study").chmod(0o2770)
    make_study(tmp_path / "study", 0o007)
    found = modes(tmp_path / "study")
    assert {mode & 0o077 for name, mode in found.items() if (tmp_path / "study" / name).is_dir()} == {0o070}
    assert {mode & 0o077 for name, mode in found.items() if (tmp_path / "study" / name).is_file()} == {0o060}


def test_a_folder_of_an_earlier_version_keeps_its_rights(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study").chmod(0o755)
    make_study(tmp_path / "study", 0o022)
    assert files.rights_of(tmp_path / "study") == 0o755
    assert {mode & 0o077 for mode in modes(tmp_path / "study").values()} == {0o055, 0o044}
