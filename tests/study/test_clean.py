"""What `clean` removes can be made again, or says nothing any more; it asks, and removes no result."""

import os
import time
from dataclasses import replace

import pytest

from mlesearch.cli.main import main
from mlesearch.storage.files import temporary_of
from mlesearch.storage.layout import RunKey, note_launch, open_study, study_header
from mlesearch.storage.worker_files import new_worker_id, this_worker, write_worker
from mlesearch.study.clean import OLD_S, removable
from mlesearch.study.collect import collect
from mlesearch.types import ConfigError
from tests.support.run_story import Story

KEY = RunKey("m", "greedy", "base", "t", 0)


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
    (study / "leases/a.1").write_text("held")
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
