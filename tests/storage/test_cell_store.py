"""All runs of a cell in one file: whole or absent, read by whoever reads files of runs, never written by a reader."""

import json
import multiprocessing
import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.storage import cell_store
from mlesearch.storage.blobs import Blobs
from mlesearch.storage.cell_store import FAILED, RUNS, StoredRun
from mlesearch.storage.documents import read_grades, read_run
from mlesearch.storage.entry import StoreError
from mlesearch.storage.journal import begun, read
from mlesearch.storage.layout import run_folders
from mlesearch.storage.run_batches import apart, joined

HEADER = {"type": "journal", "format": 1, "mlesearch": "1", "run": "m/s/v/t/seed-0", "identity": "i"}
TEXT = "print(1)\n"


def stored(name: str = "t/seed-0", status: str = "ok", **files: str) -> StoredRun:
    run = {"id": f"m/s/v/{name}", "key": {}, "digest": "d", "identity": {}, "labels": {}}
    whole = {"run.json": json.dumps(run), "journal.jsonl": json.dumps(HEADER) + "\n", **files}
    return StoredRun(name, status, "d", {"run": {"run_id": name}}, {n: text.encode() for n, text in whole.items()})


@pytest.fixture
def cell(tmp_path) -> Path:
    folder = tmp_path / "study" / "m" / "s" / "v"
    folder.mkdir(parents=True)
    return folder


def test_readers_find_the_files_of_a_stored_run(cell):
    grade = {"id": 3, "score": 0.5, "medal": "none"}
    cell_store.put(cell, [stored(**{"grades.jsonl": json.dumps(grade) + "\n"})])
    run = cell / "t" / "seed-0"
    assert not run.exists()
    assert read_run(run)["id"] == "m/s/v/t/seed-0"
    assert begun(run / "journal.jsonl")
    assert read(run / "journal.jsonl") == (HEADER, [])
    assert read_grades(run) == {3: grade}
    assert list(run_folders(cell.parents[2])) == [run]
    assert cell_store.exists(run / "run.json")
    assert not cell_store.exists(run / "result.json")
    assert not begun(cell / "t" / "seed-1" / "journal.jsonl")
    with pytest.raises(FileNotFoundError):
        cell_store.read_bytes(run / "result.json")


def test_blobs_of_a_stored_run_are_checked_like_others(cell):
    digest = Blobs(cell / "elsewhere").put(TEXT)
    wrong = "0" * 64
    cell_store.put(cell, [stored(**{f"blobs/{digest}": TEXT, f"blobs/{wrong}": TEXT})])
    blobs = Blobs(cell / "t" / "seed-0" / "blobs")
    assert blobs.get(digest) == TEXT
    with pytest.raises(Exception, match="does not match"):
        blobs.get(wrong)
    assert not (cell / "t").exists(), "reading makes no folder"
    assert {p.name for p in cell_store.files_in(cell / "t" / "seed-0", "blobs")} == {digest, wrong}


def test_a_file_on_the_disk_comes_first(cell):
    cell_store.put(cell, [stored(note="stored")])
    run = cell / "t" / "seed-0"
    run.mkdir(parents=True)
    (run / "note").write_text("here")
    assert cell_store.read_bytes(run / "note") == b"here"


def test_a_run_stays_as_it_was_unless_it_failed(cell):
    run = cell / "t" / "seed-0"
    cell_store.put(cell, [stored(status=FAILED, note="first")])
    assert cell_store.finished_of(cell) == frozenset()
    cell_store.put(cell, [stored(note="second")])
    cell_store.put(cell, [stored(note="third")])
    assert cell_store.read_bytes(run / "note") == b"second"
    assert cell_store.state_of(run) == ("ok", "d")
    assert cell_store.finished_of(cell) == {"t/seed-0"}


@given(st.dictionaries(st.text("abc/.", min_size=1), st.binary(max_size=300), max_size=6))
def test_any_files_come_back(files):
    assert apart(joined([files, {}, files])) == [files, {}, files]


def _read_all(cell: Path) -> None:
    list(cell_store.rows_of_cell(cell))
    cell_store.files_of(cell / "t" / "seed-0")


@pytest.mark.parametrize("damage", ["zeros", "short", "text", "blob", "size", "bit", "rows", "place", "earlier"])
def test_a_damaged_store_is_one_line_that_names_it(cell, damage):
    cell_store.put(cell, [stored(note="x" * 100), stored("t/seed-1")])
    path = cell / RUNS
    data = path.read_bytes()
    statements = {
        "blob": "UPDATE batches SET files = x'00112233'",
        "size": "UPDATE batches SET files = x'ffffffffffffffff' || substr(files, 9)",
        "bit": "UPDATE batches SET files = x'0000000000000003' || substr(files, 9)",
        "rows": "UPDATE batches SET rows = files",
        "place": "UPDATE runs SET place = 7",
        "earlier": "ALTER TABLE runs RENAME COLUMN batch TO sample",
    }
    if damage in statements:
        with sqlite3.connect(path) as db:
            db.execute(statements[damage])
        db.close()
    else:
        path.write_bytes({"zeros": data[:100] + bytes(len(data) - 100), "short": data[:700], "text": b"no"}[damage])
    with pytest.raises(StoreError, match=r"runs\.db: it can't be used: ") as error:
        _read_all(cell)
    assert "\n" not in str(error.value)


def test_readers_never_write(cell):
    cell_store.put(cell, [stored()])
    before = (cell / RUNS).read_bytes(), (cell / RUNS).stat().st_mtime_ns
    with cell_store._opened(cell / RUNS) as db, pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM runs")
    db.close()
    assert ((cell / RUNS).read_bytes(), (cell / RUNS).stat().st_mtime_ns) == before
    assert [p.name for p in cell.iterdir()] == [RUNS]


def _write(cell: Path, first: int) -> None:
    for i in range(first, first + 40, 2):
        cell_store.put(cell, [stored(f"t/seed-{i}", note=str(i)), stored(f"t/seed-{i + 1}", note=str(i + 1))])


def test_several_writers_at_once_lose_nothing(cell):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(cell, first)) for first in (0, 20, 40)]
    for w in writers:
        w.start()
    for w in writers:
        w.join()
    assert [w.exitcode for w in writers] == [0, 0, 0]
    assert cell_store.finished_of(cell) == {f"t/seed-{i}" for i in range(80)}
    assert cell_store.read_bytes(cell / "t" / "seed-79" / "note") == b"79"


def test_what_a_killed_writer_left_is_taken_back_by_the_next_reader(cell):
    cell_store.put(cell, [stored(note="whole")])

    def die() -> None:
        db = sqlite3.connect(cell / RUNS, isolation_level=None)
        db.execute("PRAGMA cache_size=1")
        db.execute("BEGIN IMMEDIATE")
        for i in range(200):
            db.execute("INSERT INTO runs VALUES (?, 'ok', 'd', ?, 0)", (f"t/seed-{i + 1}", i + 2))
            db.execute("INSERT INTO batches (rows, files) VALUES (?, ?)", (bytes(4000), bytes(4000)))
        os._exit(9)

    killed = multiprocessing.get_context("fork").Process(target=die)
    killed.start()
    killed.join()
    assert (cell / f"{RUNS}-journal").exists()
    assert cell_store.finished_of(cell) == {"t/seed-0"}
    assert cell_store.read_bytes(cell / "t" / "seed-0" / "note") == b"whole"


def test_a_store_takes_the_rights_of_its_cell(cell):
    cell.chmod(0o750)
    cell_store.put(cell, [stored()])
    assert (cell / RUNS).stat().st_mode & 0o777 & ~0o640 == 0
