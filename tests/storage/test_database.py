"""A database that processes share: all or nothing, through forks and kills, and an error that says what is wrong."""

import multiprocessing
import os
import signal
import sqlite3
import stat

import pytest

from mlesearch.storage.database import Database
from mlesearch.types import MlesearchError

FORK = multiprocessing.get_context("fork")


class Lost(MlesearchError):
    """What this test's databases raise."""


def counter(path, synced="OFF", **options):
    def prepare(db):
        db.execute("CREATE TABLE IF NOT EXISTS n(value INTEGER)")
        if db.execute("SELECT 1 FROM n").fetchone() is None:
            db.execute("INSERT INTO n VALUES (0)")

    return Database(path, prepare, synced=synced, failed=lambda why: Lost(f"{path}: {why}"), **options)


def add(database, times=1):
    for _ in range(times):
        with database.transaction() as db:
            (value,) = db.execute("SELECT value FROM n").fetchone()
            db.execute("UPDATE n SET value = ?", (value + 1,))


def count(database):
    with database.reading() as db:
        return db.execute("SELECT value FROM n").fetchone()[0]


def test_nothing_is_made_before_the_first_use(tmp_path):
    database = counter(tmp_path / "a" / "n.db")
    database.close()
    assert not (tmp_path / "a").exists()
    add(database)
    assert count(database) == 1


def test_what_fails_half_way_did_not_happen(tmp_path):
    database = counter(tmp_path / "n.db")

    def half():
        with database.transaction() as db:
            db.execute("UPDATE n SET value = 7")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert count(database) == 0
    add(database)
    assert count(database) == 1


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "COMMIT"])
def test_an_interruption_as_a_transaction_begins_or_ends_leaves_none_open(tmp_path, statement):
    database = counter(tmp_path / "n.db")
    add(database)
    connection = database._open

    class Interrupted:
        in_transaction = property(lambda _self: connection.in_transaction)

        def execute(self, words, *values):
            done = connection.execute(words, *values)
            if words == statement:  # Ctrl-C while it waited for another process
                raise KeyboardInterrupt
            return done

    database._open = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        add(database)
    database._open = connection
    assert not connection.in_transaction
    value = count(counter(tmp_path / "n.db"))
    assert value == (1 if statement == "BEGIN IMMEDIATE" else 2)
    add(database)
    assert count(counter(tmp_path / "n.db")) == value + 1


def test_processes_that_read_and_write_lose_nothing(tmp_path):
    path = tmp_path / "n.db"
    workers = [FORK.Process(target=lambda: add(counter(path), 50)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert count(counter(path)) == 200


def test_a_fork_has_a_connection_of_its_own_and_leaves_its_parents_alone(tmp_path):
    database = counter(tmp_path / "n.db")
    add(database)
    inherited = database._open

    def child():
        add(database)
        assert database._open is not inherited
        database.close()
        os._exit(0 if count(database) == 2 else 1)

    worker = FORK.Process(target=child)
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    assert database._open is inherited
    add(database)
    assert count(database) == 3


def test_a_writer_that_was_killed_holds_nobody_up(tmp_path):
    path = tmp_path / "n.db"

    def child():
        with counter(path).transaction() as db:
            db.execute("UPDATE n SET value = 99")
            os.kill(os.getpid(), signal.SIGKILL)

    add(counter(path))
    worker = FORK.Process(target=child)
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL
    database = counter(path)
    assert count(database) == 1
    add(database)
    assert count(database) == 2


def test_one_in_memory_is_this_objects_alone():
    one, other = counter(None), counter(None)
    add(one)
    assert (count(one), count(other)) == (1, 0)


@pytest.mark.parametrize(("synced", "number"), [("FULL", 2), ("NORMAL", 1), ("OFF", 0)])
def test_it_is_synced_as_was_asked(tmp_path, synced, number):
    with counter(tmp_path / "n.db", synced).reading() as db:
        assert db.execute("PRAGMA synchronous").fetchone() == (number,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize(("private", "others"), [(True, 0), (False, 0o055)])
def test_a_folder_that_it_makes_is_private_where_asked(tmp_path, private, others):
    tmp_path.chmod(0o755)
    mask = os.umask(0o022)
    try:
        add(counter(tmp_path / "of" / "n.db", private=private))
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "of").stat().st_mode) & 0o077 == others


def test_a_published_file_is_read_as_it_lies(tmp_path, monkeypatch):
    path = tmp_path / "n.db"
    database = counter(path)
    add(database)
    database.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["n.db"]
    monkeypatch.setattr(os, "access", lambda place, mode: False)  # root may write everything
    published = counter(path)
    assert count(published) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["n.db"]
    with pytest.raises(Lost, match="readonly"):
        add(published)


@pytest.mark.parametrize("content", [b"no database at all, but a longer text than its header", bytes(4096)])
def test_a_file_that_is_none_is_named(tmp_path, content):
    path = tmp_path / "n.db"
    path.write_bytes(b"SQLite format 3\0" + content)
    with pytest.raises(Lost, match=r"n\.db: "):
        add(counter(path))


def test_a_folder_that_can_not_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Lost, match=r"Not a directory|File exists"):
        add(counter(tmp_path / "file" / "n.db"))


def test_errors_of_its_users_pass(tmp_path):
    def stop():
        with counter(tmp_path / "n.db").transaction():
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        stop()
    with pytest.raises(Lost), counter(tmp_path / "n.db").reading() as db:
        raise sqlite3.OperationalError(f"{db}: disk full")
