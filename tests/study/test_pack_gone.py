"""While a pack is gone nothing of a study begins: the runs in it would be carried out, and paid for, once more."""

import json
import os
import shutil
from functools import partial

import pytest

from mlesearch.cli.main import main
from mlesearch.storage import packs
from mlesearch.storage.entry import StoreError
from mlesearch.storage.layout import check_run, run_folders, state_of_any
from mlesearch.storage.packs import NOTED, packs_noted, packs_of
from mlesearch.study import pack as packing
from mlesearch.study.pack import pack, packable, unpack
from mlesearch.study.workers.work import ended_before
from tests.support.packed_study import KEYS, OPEN, all_files, contents, make
from tests.support.run_story import Story

CELL = "m/greedy/base"


@pytest.fixture
def study(tmp_path):
    """Packed once: two runs of each cell."""
    made = make(tmp_path / "study")
    pack(made, packable(made))
    return made


def pack_another(study):
    Story(study / OPEN.id).step(0, "draft", 0.5).executed(0).ended(0).write(OPEN, result=True)
    pack(study, packable(study))


def refused(study, match, keys=(KEYS[0], OPEN)):
    """Whatever would begin runs, or tell what there is, refuses."""
    looks = [partial(look, study / key.id) for look in (state_of_any, partial(check_run, identity={})) for key in keys]
    for look in (*looks, partial(ended_before, study, ()), partial(packable, study), partial(unpack, study)):
        with pytest.raises(StoreError, match=match):
            look()
    with pytest.raises(StoreError, match=match):
        list(run_folders(study))


def test_while_a_pack_is_gone_no_run_of_its_cell_counts_as_new(study):
    """Even those in packs that are still there."""
    pack_another(study)
    for key in (KEYS[0], OPEN):
        assert state_of_any(study / key.id) == "finished"
    (study / "m/greedy/base/packed-1.zip").rename(study / "elsewhere.zip")
    for look in (state_of_any, partial(check_run, identity={})):
        for key in (KEYS[0], OPEN):
            with pytest.raises(StoreError, match=r"packed-1\.zip: it is not here, and a later pack is"):
                look(study / key.id)
    with pytest.raises(StoreError, match="it is not here"):
        ended_before(study, ())
    assert state_of_any(study / "m/none/base/t/seed-0") == "new"


@pytest.mark.parametrize("last", [1, 2])
def test_the_newest_pack_and_the_only_one_are_missed_too(study, last, capsys):
    if last == 2:
        pack_another(study)
    (path := study / CELL / f"packed-{last}.zip").rename(study / "elsewhere.zip")
    said = rf"packed-{last}\.zip: it is not here, and runs that have ended were packed into it; restore it"
    refused(study, said, [KEYS[0] if last == 1 else OPEN])
    for command in ("status", "collect", "report"):
        assert main([command, str(study)]) == 1
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert f"take its cell out of {study / NOTED}: then they begin anew, and are paid for again" in line
    assert main(["clean", str(study), "--pack", "--yes"]) == 1
    assert state_of_any(study / "m/none/base/t/seed-0") == "new"
    assert state_of_any(study / "m/random/base/t/seed-0") == "finished"
    (study / "elsewhere.zip").rename(path)
    assert state_of_any(study / KEYS[0].id) == "finished"


def test_a_cell_whose_folder_is_gone_is_missed(study):
    shutil.rmtree(study / CELL)
    refused(study, r"packed-1\.zip: it is not here", KEYS[:1])


def test_who_has_lost_a_pack_for_good_can_go_on(study):
    (study / CELL / "packed-1.zip").unlink()
    noted = json.loads((study / NOTED).read_text())
    assert noted["packs"] == {"m/greedy/base": 1, "m/random/base": 1}
    del noted["packs"][CELL]
    (study / NOTED).write_text(json.dumps(noted))
    assert state_of_any(study / KEYS[0].id) == "new"
    assert ended_before(study, ()).done == set()


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2, "packs": {}}', '{"format": 1, "packs": {"a": 1e9}}'])
def test_what_was_noted_and_is_damaged_is_named(study, text):
    (study / NOTED).write_text(text)
    refused(study, r"packed\.json: it can't be read .*restore it, or remove it once all of them are there", ())
    (study / NOTED).unlink()
    assert state_of_any(study / KEYS[0].id) == "finished"


def test_a_study_that_was_packed_before_is_noted_with_its_next_pack(study):
    (study / NOTED).unlink()
    pack_another(study)
    assert packs_noted(study) == {CELL: 2}


def test_nothing_is_removed_before_it_is_noted_and_no_pack_while_it_is(study, monkeypatch):
    """So that neither a kill nor a power cut leaves packs that nobody misses, or missed ones that nobody needs."""
    removed, seen = packing._remove_packed, []

    def remove_packed(cell, name, lease):
        seen.append(packs_noted(study)[CELL])
        removed(cell, name, lease)

    monkeypatch.setattr(packing, "_remove_packed", remove_packed)
    pack_another(study)
    assert seen == [2]
    unlink = os.unlink

    def unlinked(path, *args, **kwargs):
        if str(path).endswith(".zip"):
            assert str(path).removeprefix(f"{study}/").rpartition("/")[0] not in packs_noted(study)
            seen.append(path)
        unlink(path, *args, **kwargs)

    monkeypatch.setattr(os, "unlink", unlinked)
    assert unpack(study) == 5
    assert len(seen) == 1 + 3
    assert not (study / NOTED).exists()


@pytest.mark.parametrize("first", ["noted", "listed"])
def test_a_study_that_is_unpacked_or_packed_while_it_is_looked_at_misses_nothing(study, monkeypatch, first):
    """The reader knows the one of what was noted and what lies there from before, the other from after."""
    before, files = contents(study), all_files(study)
    name = "packs_noted" if first == "noted" else "_numbers_in"
    look, meanwhile = getattr(packs, name), [unpack, lambda s: pack(s, packable(s))]

    def then(place):
        found = look(place)
        if meanwhile:
            monkeypatch.setattr(packs, name, look)
            meanwhile.pop(0)(study)
            monkeypatch.setattr(packs, name, then)
        return found

    monkeypatch.setattr(packs, name, then)
    new = study / CELL / "t" / "seed-7"
    assert [state_of_any(new), state_of_any(new)] == ["new", "new"]
    assert not meanwhile
    monkeypatch.undo()
    assert contents(study) == before
    assert all_files(study) == files
    assert len(packs_of(study / CELL)) == 1
