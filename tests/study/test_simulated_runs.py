"""Studies on a virtual clock: the same at any number of processes and after any kill, and read like all others."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlesearch.analysis.data.tables import read
from mlesearch.analysis.results import analyse
from mlesearch.config.loading.plain import cells
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import plan
from mlesearch.storage import cell_store
from mlesearch.storage.documents import finished_row
from mlesearch.storage.layout import RunKey, declared, note_launch, run_folders
from mlesearch.study.archive.packing import export
from mlesearch.study.archive.replay import plan_replay
from mlesearch.study.archive.unpacking import unpack
from mlesearch.study.archive.verify import find_damage, verify_run
from mlesearch.study.estimates.estimate import estimate_plan
from mlesearch.study.launches.launch import begin, run_cell
from mlesearch.study.runs.simulated import chunks
from mlesearch.study.tables.collect import collect, tables
from mlesearch.types import ConfigError
from tests.support.paths import ROOT
from tests.support.virtual_runs import GIVEN, launch


def contents(study: Path) -> dict[str, dict[str, bytes]]:
    """The files of all runs, without the name of the study's folder."""
    name = f'"dir":{json.dumps(str(study))}'.encode()
    found = {run.relative_to(study).as_posix(): cell_store.files_of(run) for run in run_folders(study)}
    return {id: {n: data.replace(name, b"") for n, data in files.items()} for id, files in found.items()}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("virtual") / "study"
    assert {r.status for r in launch(folder, 1)} == {"ok"}
    return folder


def test_no_run_has_a_folder_of_its_own(study):
    names = {p.relative_to(study).as_posix() for p in study.rglob("*") if p.is_file()}
    stores = {f"{m}/{s}/base/runs.db" for m in GIVEN["model"] for s in GIVEN["strategy"]}
    of_workers = {name for name in names if name.split("/")[0] in ("index", "workers")}
    assert names - of_workers == {"study.json", "launches.jsonl", "launches/1.jsonl", *stores}
    assert len(of_workers) == 2
    assert len(list(run_folders(study))) == 32


@pytest.mark.parametrize("jobs", [2, 3])
def test_a_study_is_the_same_at_any_number_of_processes(study, tmp_path, jobs):
    assert {r.status for r in launch(tmp_path / "study", jobs)} == {"ok"}
    assert contents(tmp_path / "study") == contents(study)


def test_a_finished_study_is_skipped(study):
    before = contents(study)
    assert {r.status for r in launch(study, 2)} == {"skipped"}
    assert contents(study) == before


KILLED = """
import sys
from pathlib import Path
from mlesearch.study.runs import simulated as simulated_runs
from tests.support import virtual_runs
simulated_runs.CHUNK = 1
virtual_runs.launch(Path(sys.argv[1]), 2)
"""


def test_a_killed_launch_begins_its_lost_runs_anew_and_ends_the_same(study, tmp_path):
    place = tmp_path / "study"
    killed = subprocess.Popen([sys.executable, "-c", KILLED, str(place)], cwd=ROOT, start_new_session=True)
    until = time.monotonic() + 60
    while not cell_store.cells(place) and killed.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert {r.status for r in launch(place, 2)} <= {"ok", "skipped"}
    assert contents(place) == contents(study)


def test_two_launches_at_once_end_the_same(study, tmp_path):
    place = tmp_path / "study"
    both = [subprocess.Popen([sys.executable, "-c", KILLED, str(place)], cwd=ROOT) for _ in range(2)]
    assert [p.wait(timeout=120) for p in both] == [0, 0]
    assert contents(place) == contents(study)


def test_stored_rows_are_those_that_folding_the_journals_gives(study, tmp_path):
    stored = tables(study)
    assert export(study, tmp_path / "study.zip").runs == 32
    unpack(tmp_path / "study.zip", tmp_path / "unpacked")
    assert not cell_store.cells(tmp_path / "unpacked")
    for ours, folded in zip(stored, tables(tmp_path / "unpacked"), strict=True):
        assert ours.equals(folded)
    assert stored[0]["simulated"].all()


def test_runs_that_are_not_there_are_missing_from_the_tables(study, tmp_path):
    launch(tmp_path / "study", 1, seeds=[0], strategy="random")
    with ProcessResources() as resources:
        more = {**GIVEN, "study": {"dir": str(tmp_path / "study")}, "seeds": [1], "strategy": "random"}
        begin(plan(cells(more), resources), resources)
    runs = tables(tmp_path / "study")[0]
    assert sorted(runs["status"]) == ["missing"] * 4 + ["ok"] * 4
    assert runs["simulated"].all()


def test_every_run_verifies_and_a_tampered_one_does_not(study, tmp_path):
    runs = list(run_folders(study))
    assert all(verify_run(run) > 0 for run in runs[::5])
    assert find_damage(study) == (pytest.approx(find_damage(study)[0]), [])
    run = tmp_path / "m" / "s" / "v" / "t" / "seed-0"
    files = {
        name: data.replace(b'"op":"draft"', b'"op":"debug"', 1) for name, data in cell_store.files_of(runs[0]).items()
    }
    run.parents[1].mkdir(parents=True)
    cell_store.put(run.parents[1], [cell_store.StoredRun("t/seed-0", "ok", "d", None, files)])
    with pytest.raises(Exception, match="decides otherwise"):
        verify_run(run)


def test_a_replay_is_refused_since_a_launch_gives_the_same(study, tmp_path):
    with ProcessResources() as resources, pytest.raises(ConfigError, match=r"clock=virtual.*launched again"):
        plan_replay(study, tmp_path / "again", resources)


def test_an_estimate_is_measured_in_stored_runs(study):
    with ProcessResources() as resources:
        more = {**GIVEN, "study": {"dir": str(study)}, "seeds": [9], "strategy": "random", "model": "sim_03"}
        found = estimate_plan(plan(cells(more), resources), resources)
    assert [row.profile for row in found.rows] == ["recorded: 4 of this model, strategy and task"]
    assert found.rows[0].disk_bytes > 0
    assert found.wall_s(0, 1, 1) == 0.0, "nothing waits"


class Broken:
    """A strategy that fails at its first word."""

    def __init__(self, *_: object) -> None: ...

    def ask(self, used: float) -> None:
        raise RuntimeError("it is broken")


def test_a_run_that_fails_says_why_and_is_carried_out_again(tmp_path, monkeypatch):
    place = tmp_path / "study"
    few = {"seeds": [0], "tasks": ["tickets"], "model": "sim_03", "strategy": "random"}
    with monkeypatch.context() as broken:
        broken.setattr("mlesearch.config.assemble.factory", lambda kind: Broken)
        (failed,) = launch(place, 1, **few)
    assert (failed.status, failed.reason.split(" (")[0]) == ("failed", "RuntimeError: it is broken")
    (run,) = run_folders(place)
    assert finished_row(run) is None
    assert b"Traceback" in cell_store.files_of(run)["error.txt"]
    assert list(tables(place)[0]["status"]) == ["failed"]
    (again,) = launch(place, 1, **few)
    assert again.status == "ok"
    assert finished_row(run) is not None
    assert "error.txt" not in cell_store.files_of(run)


def test_a_launch_that_is_stopped_says_so_and_goes_on(study, tmp_path):
    place = tmp_path / "study"
    place.mkdir(mode=0o700)
    with ProcessResources() as resources:
        planned = plan(cells({**GIVEN, "study": {"dir": str(place)}}), resources)
        begin(planned, resources)
        (place / "stop").touch()
        assert {r.status for r in run_cell(planned.runs, 2, place / "stop", resources)} == {"interrupted"}
    (place / "stop").unlink()
    launch(place, 2)
    assert contents(place) == contents(study)


def test_chunks_are_of_one_cell_each_and_hold_every_run():
    with ProcessResources() as resources:
        runs = plan(cells({**GIVEN, "study": {"dir": "nowhere"}}), resources).runs
    found = chunks(runs, 3)
    assert [i for numbers in found for i in numbers] == list(range(len(runs)))
    assert all(len({runs[i].key.cell for i in numbers}) == 1 for numbers in found)
    assert max(map(len, found)) == 3


def test_what_a_run_is_says_that_its_clock_is_virtual(study):
    run = json.loads(cell_store.files_of(next(run_folders(study)))["run.json"])
    assert run["identity"]["clock"] == run["settings"]["clock"] == "virtual"
    assert run["identity"]["sandbox"]["rung"] == "table"
    assert run["labels"]["simulated"] is True


def test_a_virtual_study_that_was_not_finished_has_no_verdict(study, tmp_path):
    """Its runs are carried out in chunks, and not in rounds of seeds: what was made first is lopsided."""
    place = tmp_path / "study"
    shutil.copytree(study, place)
    keys = declared(place)
    assert analyse(read(collect(place))).progress is None
    note_launch(place, [RunKey(k.model, k.strategy, k.variant, k.task, k.seed + 100) for k in keys])
    results = analyse(read(collect(place)))
    assert (results.main, results.boards) == (None, ())
    assert (results.progress.planned, results.progress.made) == (64, 32)
    assert results.tables.simulated
