"""Packing and unpacking cut off: by a kill at any moment, a power cut, a full disk; and readers meanwhile."""

import os
import shutil
import signal
import sys
from functools import partial

import pytest

from mlesearch.storage import cell_store
from mlesearch.storage.cell_store import exists, read_bytes
from mlesearch.storage.layout import (
    state_of_any,
)
from mlesearch.study.clean import TEMPORARY
from mlesearch.study.pack import pack, packable, unpack
from tests.support.packed_study import KEYS, all_files, contents, make


@pytest.fixture
def study(tmp_path):
    return make(tmp_path / "study")


def test_a_full_disk_leaves_all_where_it_was(study, monkeypatch):
    before, files = contents(study), all_files(study)

    def full(fd):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        pack(study, packable(study))
    assert all_files(study) == files
    assert contents(study) == before


def test_while_unpacking_no_file_has_its_name_before_it_is_on_the_disk(study, monkeypatch):
    """One that a power cut tore would go before the pack, and the pack be removed by the next unpacking."""
    pack(study, packable(study))
    files, syncs = all_files(study), []

    def cut():
        syncs.append(all_files(study))
        raise OSError(5, os.strerror(5))

    monkeypatch.setattr(os, "sync", cut)
    with pytest.raises(OSError, match="Input/output"):
        unpack(study)
    named = [name for name in syncs[0] if name not in files]
    assert named
    assert all(TEMPORARY.fullmatch(name.rpartition("/")[2]) for name in named)
    assert all_files(study) == files
    monkeypatch.undo()
    assert unpack(study) == 4


def test_what_is_unpacked_while_a_reader_looks_for_it_is_found(study, monkeypatch):
    """The reader has seen no file on the disk; then all is unpacked, and no pack is there any more."""
    path, inside = study / KEYS[0].id / "run.json", cell_store.packed_file
    for look in (exists, read_bytes, state_of_any):
        pack(study, packable(study))

        def late(cell, run, file):
            monkeypatch.setattr(cell_store, "packed_file", inside)
            unpack(study)
            return inside(cell, run, file)

        monkeypatch.setattr(cell_store, "packed_file", late)
        found = look(path.parent if look is state_of_any else path)
        assert found == ("finished" if look is state_of_any else path.read_bytes() if look is read_bytes else True)


# killed

CHANGES = ("open", "os.rename", "os.remove", "os.rmdir", "os.link", "os.mkdir")


def killed_at(act, moment):
    """Do something in a process that is killed before its so many-th change of the disk; whether it was killed."""
    pid = os.fork()
    if pid == 0:
        seen = 0

        def count(event, arguments):
            nonlocal seen
            if event in CHANGES and not (event == "open" and arguments[2] & os.O_ACCMODE == os.O_RDONLY):
                seen += 1
                if seen == moment:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def killed_everywhere(whole, folder, step):
    """Kill packing, and then unpacking, at every so many-th moment; returns how many kills there were."""
    before, kills = contents(whole), 0
    pack(whole_packed := shutil.copytree(whole, folder / "packed"), packable(whole_packed))
    for source, act in ((whole, lambda s: pack(s, packable(s))), (whole_packed, unpack)):
        moment = 1
        while True:
            study = shutil.copytree(source, folder / f"{kills}")
            was_killed = killed_at(partial(act, study), moment)
            assert contents(study) == before, f"at moment {moment}"
            if not was_killed:
                break
            kills += 1
            act(study)
            assert contents(study) == before
            assert bool(list(study.glob("m/*/base/packed-*.zip"))) == (source is whole)
            assert (study / KEYS[0].id).exists() == (source is whole_packed)
            shutil.rmtree(study)
            moment += step
        shutil.rmtree(study)
    return kills


def test_killed_at_some_moments_nothing_is_lost_and_the_next_one_ends_it(study, tmp_path):
    assert killed_everywhere(study, tmp_path / "k", step=17) >= 5


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_every_moment_nothing_is_lost_and_the_next_one_ends_it(study, tmp_path):
    assert killed_everywhere(study, tmp_path / "k", step=1) >= 100
