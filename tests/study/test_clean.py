"""What `clean` removes can be made again, or says nothing any more; it asks, and removes no result."""

import json
import os
import time
from dataclasses import replace

import pytest

from mlesearch.cli.main import main
from mlesearch.storage.files import temporary_of
from mlesearch.storage.layout import RunKey, note_launch, open_study, study_header
from mlesearch.storage.lease_files import HELD, RELEASED, head
from mlesearch.storage.processes import owner
from mlesearch.storage.worker_files import WORKERS, new_worker_id, this_worker, write_worker
from mlesearch.study.clean import OLD_S, removable
from mlesearch.study.monitoring.status import SILENT_S
from mlesearch.study.tables.collect import collect
from mlesearch.types import ConfigError
from tests.support.run_story import Story

KEY = RunKey("m", "greedy", "base", "t", 0)
HERE, PID, STARTED = owner().split(":")
DEAD = f"{HERE}:4194305:{STARTED}"
ELSEWHERE = f"{HERE}:{PID}:{STARTED.partition('.')[0]}.of-another-boot"


def lease(study, file, whose, what=HELD):
    body = {"name": "n", "owner": whose, "host": "h", "lost": 0}
    (study / "leases" / file).write_bytes(head(what, 3) + json.dumps(body).encode())


@pytest.fixture
def study(tmp_path):
    study = tmp_path / "study"
    open_study(study, study_header("s", None))
    note_launch(study, [KEY])
    Story(study / KEY.id).step(0, "draft", 0.5).executed(0).ended(0).write(KEY, result=True)
    collect(study)
    (study / "report.html").write_text("page")
    (study / "report_tables").mkdir()
    (study / "report_tables/medals.csv").write_text("a,b")
    (study / "leases").mkdir(exist_ok=True)
    lease(study, "a.1", DEAD)
    (study / "leases/times.json").write_text("{}")
    old, young = temporary_of(study / KEY.id / "run.json"), temporary_of(study / KEY.id / "result.json")
    for path in (old, young):
        path.write_text("half")
    os.utime(old, (time.time() - 2 * OLD_S,) * 2)
    return study


def kept(study):
    return {str(p.relative_to(study)) for p in study.rglob("*") if p.is_file()}


def test_what_is_removed_can_be_made_again_and_all_else_stays(study, capsys):
    before, tables = kept(study), (study / "runs.parquet").read_bytes()
    assert main(["clean", str(study), "--yes"]) == 0
    gone = before - kept(study)
    assert {name.split("/")[-1] for name in gone if "seed-0" not in name} == {
        *("report.html", "medals.csv", "runs.parquet", "nodes.parquet", "calls.parquet", "collected.json", "a.1"),
    }
    assert len(gone) == 8, "and one temporary file: the younger one may be another machine's"
    collect(study)
    assert (study / "runs.parquet").read_bytes() == tables
    assert main(["clean", str(study), "--yes"]) == 0
    assert main(["clean", str(study), "--yes"]) == 0
    assert "nothing to remove" in capsys.readouterr().out


def test_it_asks_first_and_there_has_to_be_somebody_to_ask(study, capsys):
    before = kept(study)
    assert main(["clean", str(study)]) == 2
    assert "there is no terminal to ask at; add --yes" in capsys.readouterr().err
    assert kept(study) == before


def test_tables_whose_runs_are_not_here_are_never_removed(study):
    for path in (study / KEY.id).iterdir():
        path.unlink()
    assert not [path for kind in removable(study) for path in kind.paths if path.suffix == ".parquet"]


def test_a_study_on_which_somebody_works_is_refused(study):
    state = this_worker(new_worker_id())
    write_worker(study, state)
    with pytest.raises(ConfigError, match=r"worker .* is at work, or may be"):
        removable(study)
    write_worker(study, replace(state, activity="ended"))
    assert removable(study)


def test_a_worker_of_another_machine_counts_while_it_is_heard_of_and_its_leases_stay(study):
    far = replace(this_worker("far"), host="node-9", owner=ELSEWHERE)
    write_worker(study, far)
    with pytest.raises(ConfigError, match=r"worker far is at work, or may be"):
        removable(study)
    old = time.time() - 2 * SILENT_S
    write_worker(study, replace(far, beat_s=old))
    os.utime(study / WORKERS / "far.json", (old, old))
    lease(study, "far.1", ELSEWHERE)
    lease(study, "far.2", DEAD)
    lease(study, "back.1", owner(), RELEASED)
    (study / "leases/half.1").write_bytes(b"")
    assert {p.name for kind in removable(study) for p in kind.paths if p.parent.name == "leases"} == {"a.1", "back.1"}
