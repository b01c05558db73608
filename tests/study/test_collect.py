"""From run folders to the three tables: each run is read once, and the columns are those that are declared."""

import io
import json
import shutil
from collections import Counter

import pytest

from mlesearch.storage.columns import CALLS, NODES, RUNS
from mlesearch.storage.documents import write_result
from mlesearch.storage.layout import RunKey, note_launch, note_not_planned, open_study, study_header
from mlesearch.study.runs.fold import ProgramTime, program_time
from mlesearch.study.tables.collect import collect, tables
from mlesearch.types import ConfigError
from tests.support.run_story import Story
from tests.support.synthetic_study import synthetic, write

KEYS = [RunKey("m", strategy, "base", "t", seed) for strategy in ("greedy", "random") for seed in (0, 1)]


def told(folder):
    return Story(folder).step(0, "draft", 0.5).executed(0).step(1, "improve", 0.6, base=0).executed(1)


@pytest.fixture
def study(tmp_path):
    """A run that ended, one that failed, one that is under way, and one that has not begun."""
    study = tmp_path / "study"
    open_study(study, study_header("study", None))
    note_launch(study, KEYS)
    told(study / KEYS[0].id).ended(1).write(KEYS[0], result=True)
    told(study / KEYS[1].id).write(KEYS[1])
    write_result(study / KEYS[1].id, {"status": "failed", "reason": "no key", "real_s": 1.0})
    told(study / KEYS[2].id).write(KEYS[2])
    return study


@pytest.fixture
def opened(monkeypatch):
    """How often each file was opened, by its path."""
    counts = Counter()
    real = io.open

    def counting(file, *args, **kwargs):
        counts[str(file)] += 1
        return real(file, *args, **kwargs)

    monkeypatch.setattr("builtins.open", counting)
    monkeypatch.setattr(io, "open", counting)
    return counts


def of(counts, name):
    return {path: n for path, n in counts.items() if path.endswith(name)}


def test_a_run_is_folded_once(study, opened):
    tables(study)
    read = [str(study / key.id) for key in KEYS[:2]]
    assert of(opened, "journal.jsonl") == {f"{run}/journal.jsonl": 1 for run in read}
    assert of(opened, "grades.jsonl") == {f"{run}/grades.jsonl": 1 for run in read}
    assert of(opened, "result.json") == {f"{run}/result.json": 1 for run in read}


def test_every_run_that_was_asked_for_has_a_row(study):
    runs, nodes, calls = tables(study)
    assert dict(zip(runs["run_id"], runs["status"], strict=True)) == {
        KEYS[0].id: "ok",
        KEYS[1].id: "failed",
        KEYS[2].id: "missing",
        KEYS[3].id: "missing",
    }
    failed = runs.set_index("run_id").loc[KEYS[1].id]
    assert (failed["reason"], failed["steps"], bool(failed["valid"])) == ("no key", 2, False)
    assert [*nodes["run_id"]] == [KEYS[0].id] * 2 == [*calls["run_id"]]


def test_columns_are_those_that_are_declared(study):
    kinds = {"text": "string", "int": "Int64", "float": "Float64", "flag": "boolean"}
    for frame, columns in zip(tables(study), (RUNS, NODES, CALLS), strict=True):
        assert {c: str(t) for c, t in frame.dtypes.items()} == {c: kinds[x.kind] for c, x in columns.items()}
        assert [*frame.columns] == [*columns]
    row = json.loads((study / KEYS[0].id / "result.json").read_text())
    assert row.keys() == RUNS.keys()


def test_a_column_that_may_not_be_empty_never_is(study):
    runs, nodes, calls = tables(study)
    for frame, columns in ((runs, RUNS), (nodes, NODES), (calls, CALLS)):
        empty = [name for name in columns if frame[name].isna().any()]
        assert not [name for name in empty if not columns[name].nullable and columns[name].kind != "flag"]


def test_the_tables_lie_in_the_study(study):
    assert collect(study) == study
    assert {p.name for p in study.glob("*.parquet")} == {"runs.parquet", "nodes.parquet", "calls.parquet"}


def test_program_time_of_a_run_that_ended_needs_no_journal(study, opened):
    folders = [study / key.id for key in KEYS]
    assert program_time(folders[:1]) == ProgramTime(2, 1.0, 0.5)
    assert not of(opened, "journal.jsonl")
    assert program_time(folders) == ProgramTime(6, 3.0, 1.5)
    assert len(of(opened, "journal.jsonl")) == 2


def test_runs_that_the_design_leaves_out_have_a_row_that_says_why(study):
    """One that ended keeps its result, one that failed stays failed; one under way and one never asked for are out."""
    other = RunKey("m", "greedy", "base", "t", 2)
    note_not_planned(study, [*KEYS[:3], other], "two seeds are enough for random")
    runs = tables(study)[0].set_index("run_id")
    assert runs["status"].to_dict() == {
        KEYS[0].id: "ok",
        KEYS[1].id: "failed",
        KEYS[2].id: "not_planned",
        KEYS[3].id: "missing",
        other.id: "not_planned",
    }
    assert runs.loc[other.id, "reason"] == runs.loc[KEYS[2].id, "reason"] == "two seeds are enough for random"
    assert runs.loc[other.id, "seed"] == 2


def parquet(folder):
    return {p.name: p.read_bytes() for p in folder.glob("*.parquet")}


def test_tables_that_came_without_their_runs_are_never_written_over(tmp_path, capsys):
    folder = write(synthetic(models=1, strategies=("greedy", "gome"), tasks=2, seeds=1), tmp_path)
    before = parquet(folder)
    assert len(before) == 3
    collect(folder)
    assert parquet(folder) == before
    assert "the tables are left as they are: 4 of their runs are not here" in capsys.readouterr().err


def test_tables_whose_runs_were_removed_are_kept_and_refused_where_others_came(study):
    before = parquet(collect(study))
    shutil.rmtree(study / KEYS[0].id)
    collect(study)
    assert parquet(study) == before
    told(study / KEYS[3].id).ended(1).write(KEYS[3], result=True)
    with pytest.raises(ConfigError, match=r"has 1 run whose folders are not here .* lacks 1 run that ended"):
        collect(study)
    assert parquet(study) == before
    for name in before:
        (study / name).unlink()
    assert collect(study) == study
    (study / "runs.parquet").write_bytes(b"cut")
    with pytest.raises(ConfigError, match=r"runs\.parquet can't be read"):
        collect(study)


def test_a_study_whose_runs_are_here_is_collected_anew(study):
    before = parquet(collect(study))
    told(study / KEYS[3].id).ended(1).write(KEYS[3], result=True)
    (study / KEYS[1].id / "result.json").unlink()  # as a launch that tries again does
    assert parquet(collect(study)) != before
    assert len(tables(study)[1]) == 4


def test_a_category_stands_in_every_row_of_its_task(study):
    assert tables(study)[0]["category"].isna().all()
    path = study / KEYS[0].id / "run.json"
    run = json.loads(path.read_text())
    run["labels"]["category"] = "text"
    path.write_text(json.dumps(run))
    found = tables(study)[0].set_index("run_id")["category"]
    assert found[KEYS[0].id] == "text"
    assert found[KEYS[3].id] == "text"  # a run of the same task that has not begun
