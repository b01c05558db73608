"""Packed runs: one file a cell, read where they are; nothing is lost whenever packing is killed."""

import json
import os
import shutil
import subprocess
import zipfile
from dataclasses import replace

import pytest

from mlesearch.cli.main import main
from mlesearch.storage import pack_writer
from mlesearch.storage.cell_store import exists, files_in, size_bytes
from mlesearch.storage.entry import StoreError
from mlesearch.storage.layout import (
    is_simulated,
    run_folders,
)
from mlesearch.storage.lease_files import HELD, file_name, head
from mlesearch.storage.packs import pack_path, packs_of, runs_in
from mlesearch.storage.processes import owner
from mlesearch.storage.run_log import read_log
from mlesearch.storage.worker_files import new_worker_id, this_worker, write_worker
from mlesearch.study import pack as packing
from mlesearch.study.archive.compare import compare
from mlesearch.study.monitoring.status import read_status
from mlesearch.study.pack import check_unpacked, pack, packable, unpack
from mlesearch.types import ConfigError
from tests.support.packed_study import FAILED, KEYS, OPEN, all_files, collected, contents, made_tables, make
from tests.support.run_story import Story


@pytest.fixture
def study(tmp_path):
    return make(tmp_path / "study")


def test_what_has_ended_is_one_file_a_cell_and_reads_the_same(study, tmp_path, capsys):
    before, tables = contents(study), made_tables(study, tmp_path / "a")
    in_folders, shown = len(all_files(study)), read_status(study)
    assert main(["clean", str(study), "--pack", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "2 runs not finished: left as they are" in said
    ended = [name for name in before if not name.startswith((OPEN.id, FAILED.id))]
    size = sum(len(before[name]) for name in ended)
    kept = [p for p in all_files(study) if p.endswith(".zip")]
    packed = sum((study / name).stat().st_size for name in kept)
    rows = {line.split()[0]: line.split()[-2:] for line in said.splitlines() if line.startswith(("before", "packed "))}
    assert rows == {"before": [f"{len(ended)}", f"{size / 1e6:,.1f}"], "packed": ["2", f"{packed / 1e6:,.1f}"]}
    assert kept == ["m/greedy/base/packed-1.zip", "m/random/base/packed-1.zip"]
    assert len(all_files(study)) == in_folders - len(ended) + 2
    assert not (study / KEYS[0].id).exists()
    assert contents(study) == before
    assert made_tables(study, tmp_path / "b") == tables
    now = read_status(study)
    assert [(r.state, r.usd, r.steps) for r in now.runs.values()] == [
        (r.state, r.usd, r.steps) for r in shown.runs.values()
    ]
    assert read_log(study / KEYS[0].id) == ["began"]
    assert [p.name for p in files_in(study / KEYS[0].id, "blobs")] == ["0a"]
    assert 0 < size_bytes(study / KEYS[0].id) <= packed
    assert main(["clean", str(study), "--pack", "--yes"]) == 0
    assert "nothing to pack" in capsys.readouterr().out


def test_they_come_back_as_they_were(study, capsys):
    before = contents(study)
    files = all_files(study)
    pack(study, packable(study))
    assert is_simulated(study)
    assert main(["clean", str(study), "--unpack"]) == 2
    assert "there is no terminal to ask at; add --yes" in capsys.readouterr().err
    assert main(["clean", str(study), "--unpack", "--yes"]) == 0
    assert "4 runs unpacked" in capsys.readouterr().out
    assert all_files(study) == files
    assert contents(study) == before
    assert main(["clean", str(study), "--unpack", "--yes"]) == 0
    assert "nothing is packed" in capsys.readouterr().out


def test_it_asks_first(study, capsys):
    files = all_files(study)
    assert main(["clean", str(study), "--pack"]) == 2
    assert "there is no terminal to ask at" in capsys.readouterr().err
    assert all_files(study) == files


def test_what_ended_since_becomes_another_pack_beside_the_first(study, tmp_path):
    pack(study, packable(study))
    first = [p.stat().st_ino for p in study.glob("m/*/base/*.zip")]
    Story(study / OPEN.id).step(0, "draft", 0.5).executed(0).ended(0).write(OPEN, result=True)
    (study / KEYS[0].id).mkdir(parents=True)
    (study / KEYS[0].id / "note.txt").write_text("by hand")
    before, tables = contents(study), made_tables(study, tmp_path / "a")
    pack(study, packable(study))
    assert [len(packs_of(study / f"m/{cell}/base")) for cell in ("greedy", "random")] == [2, 1]
    assert {p.stat().st_ino for p in study.glob("m/*/base/*-1.zip")} == set(first)
    assert runs_in(study / "m/greedy/base") == {"t/seed-0", "t/seed-1", "t/seed-2"}
    assert contents(study) == before
    assert made_tables(study, tmp_path / "b") == tables


def test_what_lies_in_the_folder_goes_before_a_pack_and_is_never_removed_unread(study):
    pack(study, packable(study))
    run = study / KEYS[0].id
    run.mkdir(parents=True)
    (run / "run.log").write_text("began\nagain\n")
    assert read_log(run) == ["began", "again"]
    pack(study, packable(study))
    assert not run.exists()
    assert read_log(run) == ["began", "again"]
    unpack(study)
    assert (run / "run.log").read_text() == "began\nagain\n"


def test_a_study_on_which_somebody_works_is_refused_and_a_leased_run_left(study):
    (study / "leases").mkdir()
    body = {"name": KEYS[0].id, "owner": owner(), "host": "h", "lost": 0}
    (study / "leases" / f"{file_name(KEYS[0].id)}.1").write_bytes(head(HELD, 3) + json.dumps(body).encode())
    found = packable(study)
    assert found.stay == {"not finished": 2, "leased by a worker that may be at work": 1}
    pack(study, found)
    assert (study / KEYS[0].id / "run.json").is_file()
    state = this_worker(new_worker_id())
    write_worker(study, state)
    for act in (packable, unpack):
        with pytest.raises(ConfigError, match=r"worker .* is at work, or may be"):
            act(study)
    write_worker(study, replace(state, activity="ended"))
    assert unpack(study) == 3


def test_a_worker_that_began_while_the_user_was_asked_is_seen(study):
    found = packable(study)
    files, state = all_files(study), this_worker(new_worker_id())
    write_worker(study, state)
    with pytest.raises(ConfigError, match=r"worker .* is at work, or may be"):
        pack(study, found)
    assert all_files(study) == files
    write_worker(study, replace(state, activity="ended"))
    (study / "leases").mkdir(exist_ok=True)
    body = {"name": KEYS[0].id, "owner": owner(), "host": "h", "lost": 0}
    (study / "leases" / f"{file_name(KEYS[0].id)}.1").write_bytes(head(HELD, 3) + json.dumps(body).encode())
    pack(study, found)
    assert runs_in(study / "m/greedy/base") == {"t/seed-1"}


def test_what_is_packed_can_be_unpacked_whatever_it_is_called(study):
    """Seeds below 0 are runs; a copy that somebody made beside a run is none, and stays."""
    below = replace(KEYS[0], seed=-1)
    for name in (below.id, f"{KEYS[0].id}.bak", "m/greedy/base/t copy/seed-0"):
        shutil.copytree(study / KEYS[0].id, study / name)
    for odd in ("a" * 255, os.fsdecode(b"\xff\xfe"), "new\nline", "index.json", "-rf", "back\\slash", " \u202e"):
        (study / below.id / "blobs" / odd).write_text(odd, errors="surrogateescape")
    files = all_files(study)
    found = packable(study)
    assert found.stay == {"not finished": 2, "with names that a launch gives to none": 2}
    pack(study, found)
    assert not (study / below.id).exists()
    assert unpack(study) == 5
    assert all_files(study) == files
    assert (study / below.id / "blobs" / ("a" * 255)).read_text() == "a" * 255


def test_links_and_large_runs_stay_in_their_folders(study, monkeypatch):
    (study / KEYS[0].id / "link").symlink_to("run.json")
    elsewhere = (study / KEYS[3].id).rename(study / "elsewhere")
    (study / KEYS[3].id).symlink_to(elsewhere)
    (study / KEYS[1].id / "blobs/large").write_bytes(bytes(20_000))
    monkeypatch.setattr(packing, "MAX_RUN_BYTES", 10_000)
    found = packable(study)
    assert found.stay == {"not finished": 2, "with links or devices in its folder": 2, "larger than 0 MiB": 1}
    assert found.runs == 1


@pytest.mark.parametrize("what", ["run.log", "best"])
def test_what_this_user_can_not_read_or_remove_stays_and_keeps_nothing_else(study, monkeypatch, what):
    """As of a colleague: packing ends, and of nothing a part alone is packed."""
    other, may = study / KEYS[0].id / what, os.access
    monkeypatch.setattr(os, "access", lambda path, mode: other != path and may(path, mode))
    found = packable(study)
    assert found.stay == {"not finished": 2, "with files that this user can't read or remove": 1}
    assert found.runs == 3


def test_batches_are_closed_and_each_run_is_found_in_its_own(study, monkeypatch):
    monkeypatch.setattr(pack_writer, "BATCH_BYTES", 1)
    before = contents(study)
    pack(study, packable(study))
    with zipfile.ZipFile(pack_path(study / "m/greedy/base", 1)) as file:
        assert file.namelist() == ["0.zst", "1.zst", "index.json"]
        assert file.testzip() is None
    assert contents(study) == before


def test_a_damaged_pack_and_one_that_is_gone_are_named(study, capsys):
    pack(study, packable(study))
    cell = study / "m/greedy/base"
    Story(study / OPEN.id).step(0, "draft", 0.5).executed(0).ended(0).write(OPEN, result=True)
    pack(study, packable(study))
    whole = (cell / "packed-1.zip").read_bytes()
    (cell / "packed-1.zip").write_bytes(whole[: len(whole) // 2])
    assert main(["collect", str(study)]) == 1
    assert "packed-1.zip: this pack of runs can't be read" in capsys.readouterr().err
    (cell / "packed-1.zip").unlink()
    with pytest.raises(StoreError, match=r"packed-1\.zip: it is not here, and a later pack is"):
        list(run_folders(study))


@pytest.mark.parametrize("name", ["../../up", "/tmp/up", "a//b", "blobs/../../up"])
def test_a_pack_writes_nothing_outside_the_folders_of_its_runs(study, name):
    cell = study / "m/greedy/base"
    with open(pack_path(cell, 1), "wb") as file:
        pack_writer._write(zipfile.ZipFile(file, "w"), [("t/seed-9", {name: b"x"})])
    before = all_files(study)
    with pytest.raises(StoreError, match="which is no file of a run"):
        unpack(study)
    assert all_files(study) == before


def test_a_pack_has_no_runs_outside_its_cell_and_a_folder_in_the_way_is_named(study):
    cell = study / "m/greedy/base"
    with open(pack_path(cell, 1), "wb") as file:
        pack_writer._write(zipfile.ZipFile(file, "w"), [("../seed-9", {"run.json": b"x"})])
    with pytest.raises(StoreError, match="which is no run"):
        unpack(study)
    (cell / "packed-1.zip").unlink()
    pack(study, packable(study))
    (study / KEYS[0].id / "run.json").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"run\.json: a folder, and a pack holds a file of this name"):
        unpack(study)
    assert runs_in(cell) == {"t/seed-0", "t/seed-1"}


def test_other_programs_are_told_how_to_have_the_files(study):
    check_unpacked(study / KEYS[0].id)
    pack(study, packable(study))
    with pytest.raises(ConfigError, match=r"this run is packed; to have its files: mlesearch clean .* --unpack"):
        check_unpacked(study / KEYS[0].id)
    check_unpacked(study / OPEN.id)


def test_a_packed_study_is_read_from_a_file_system_that_can_only_be_read(study, tmp_path, capsys):
    before, tables = contents(study), made_tables(study, tmp_path / "a")
    pack(study, packable(study))
    (place := tmp_path / "mounted").mkdir()
    mounted = subprocess.run(["mount", "--bind", study, place], capture_output=True, text=True)
    if mounted.returncode or subprocess.run(["mount", "-o", "remount,bind,ro", place], capture_output=True).returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.strip()}")
    try:
        assert contents(place) == before
        assert collected(place, tmp_path / "b") == tables
        assert main(["status", str(place)]) == 0
        assert "4 of 6 runs have ended" in capsys.readouterr().out
        assert compare(study, place).same
        assert main(["clean", str(place), "--unpack", "--yes"]) == 2
        assert "nothing can be written in this study" in capsys.readouterr().err
    finally:
        subprocess.run(["umount", "-l", place], check=True)
    assert exists(study / KEYS[0].id / "run.json")
