"""Tables that are made again: of what changed and nothing else, and always those that would be made from nothing."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import time
from collections import Counter

import hypothesis.strategies as st
import pandas as pd
import pytest
from hypothesis import given, settings

from mlesearch.storage.documents import write_result
from mlesearch.storage.layout import RunKey, note_launch, note_not_planned, open_study, study_header
from mlesearch.study.tables import collected
from mlesearch.study.tables.collect import collect, collect_for_report, tables
from mlesearch.study.tables.collected import RECORD, UNSETTLED, look, read_record
from mlesearch.types import ConfigError
from tests.support.disks import MIB, small_disk
from tests.support.run_story import Story
from tests.support.virtual_runs import launch

KEYS = [
    RunKey(m, s, "base", t, n) for m in ("m", "o") for s in ("greedy", "random") for t in ("t", "u") for n in (0, 1)
]
FAILED = {"status": "failed", "reason": "no key", "real_s": 1.0}


def told(folder, score=0.5):
    return Story(folder).step(0, "draft", score).executed(0).step(1, "improve", score + 0.1, base=0).executed(1)


def make(study, keys=KEYS):
    open_study(study, study_header("study", None))
    note_launch(study, keys)
    for key in keys[:-2]:
        told(study / key.id).ended(1).write(key, result=True)
    return study


def settle(study):
    """Wait until the times of all files are old enough to tell their next change."""
    while not look(study).settled:
        time.sleep(0.01)
    return study


@pytest.fixture
def study(tmp_path):
    return settle(make(tmp_path / "study"))


@pytest.fixture
def opened(monkeypatch):
    """How often each run's journal was opened."""
    counts = Counter()
    real = io.open

    def counting(file, *args, **kwargs):
        if str(file).endswith("journal.jsonl"):
            counts["/".join(str(file).split("/")[-6:-1])] += 1
        return real(file, *args, **kwargs)

    monkeypatch.setattr("builtins.open", counting)
    return counts


def made(study):
    return {p.name: (p.read_bytes(), p.stat().st_ino) for p in study.glob("*.parquet")}


def from_nothing(study):
    """The tables as they would be if none had been made before."""
    record = study / RECORD
    kept = record.read_bytes() if record.exists() else None
    record.unlink(missing_ok=True)
    found = tables(study)
    if kept is not None:
        record.write_bytes(kept)
    return found


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_nothing_is_read_or_written_where_nothing_changed(study, opened):
    collect(study)
    before = made(study)
    assert len(opened) == len(KEYS) - 2
    opened.clear()
    collect(study)
    assert_same(tables(study), from_nothing(study))
    assert made(study) == before
    assert set(opened.values()) == {1}, "by `from_nothing` alone"


def test_one_journal_is_read_where_one_run_changed(study, opened):
    collect(study)
    opened.clear()
    told(study / KEYS[-1].id).ended(1).write(KEYS[-1], result=True)
    collect(study)
    assert set(opened) == {KEYS[-1].id}
    assert_same([pd.read_parquet(study / f"{t}.parquet") for t in ("runs", "nodes", "calls")], from_nothing(study))


def test_a_change_that_keeps_size_and_time_is_seen(study):
    """As a copy of an older journal has them that was put back by a program that restores times."""
    collect(study)
    journal = study / KEYS[0].id / "journal.jsonl"
    times, text = journal.stat(), journal.read_text()
    changed = text.replace('"score": 0.6', '"score": 0.7')
    assert len(changed) == len(text)
    assert changed != text
    journal.write_text(changed)
    os.utime(journal, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert journal.stat().st_mtime_ns == times.st_mtime_ns
    nodes = tables(settle(study))[1]
    assert nodes.loc[nodes["run_id"] == KEYS[0].id, "val_score"].max() == 0.7


def test_what_changed_just_now_is_read_again(tmp_path):
    """Its next change could bear the same time."""
    study = make(tmp_path / "study")
    path = study / KEYS[0].id / "journal.jsonl"
    path.write_text(path.read_text())
    assert look(study).runs[KEYS[0].id] == UNSETTLED
    assert not look(study).settled
    ahead = time.time_ns() + 60_000_000_000
    os.utime(path, ns=(ahead, ahead))
    assert look(study).runs[KEYS[0].id] == UNSETTLED


@pytest.mark.parametrize("name", ["runs", "nodes", "calls"])
def test_tables_that_somebody_changed_are_no_source(study, name):
    expected = tables(collect(study))
    file = study / f"{name}.parquet"
    frame = pd.read_parquet(file)
    frame.iloc[:-1].to_parquet(file, index=False)
    assert read_record(study) is None
    assert_same(tables(study), expected)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"code": 1}', "null"])
def test_a_record_that_is_damaged_or_of_other_code_is_no_source(study, text, monkeypatch):
    before = tables(collect(study))
    sound = (study / RECORD).read_text()
    (study / RECORD).write_text(text)
    assert read_record(study) is None
    assert_same(tables(study), before)
    (study / RECORD).write_text(sound)
    assert read_record(study) is not None
    monkeypatch.setattr(collected, "_code", lambda: "other")
    assert read_record(study) is None


def test_tables_that_another_process_replaced_meanwhile_are_no_source(study, monkeypatch):
    before = tables(collect(study))
    record = read_record(study)
    runs = pd.read_parquet(study / "runs.parquet")
    runs.iloc[:3].to_parquet(study / "runs.parquet", index=False)
    monkeypatch.setattr("mlesearch.study.tables.collect.read_record", lambda study: record)
    assert_same(tables(study), before)


def apply(study, what, key):
    """One thing that launches, plug-ins and people do to a study."""
    folder = study / key.id
    match what:
        case "ended":
            told(folder, 0.3).ended(1).write(key, result=True)
        case "failed":
            told(folder).write(key)
            write_result(folder, FAILED)
        case "failed before its first step":
            shutil.rmtree(folder, ignore_errors=True)
            Story(folder).write(key)
            (folder / "journal.jsonl").unlink()
            write_result(folder, FAILED)
        case "begun":
            told(folder).write(key)
            (folder / "result.json").unlink(missing_ok=True)
        case "launched again":
            (folder / "result.json").unlink(missing_ok=True)
        case "corrupt and failed":
            told(folder).write(key)
            (folder / "journal.jsonl").write_text("garbage\n{}\n")
            write_result(folder, FAILED)
        case "labelled":
            if (folder / "run.json").exists():
                run = json.loads((folder / "run.json").read_text())
                run["labels"] |= {"capability": 0.25, "tier": "low", "category": "text", "no_board": True}
                (folder / "run.json").write_text(json.dumps(run))
        case "removed":
            shutil.rmtree(folder, ignore_errors=True)
        case "left out":
            note_not_planned(study, [key], "enough of them")
        case "asked for":
            note_launch(study, [RunKey(key.model, key.strategy, "other", key.task, key.seed)])


ACTS = st.sampled_from(
    [
        "ended",
        "failed",
        "failed before its first step",
        "begun",
        "launched again",
        "corrupt and failed",
        "labelled",
        "removed",
        "left out",
        "asked for",
    ]
)


@settings(max_examples=8, deadline=None)
@given(rounds=st.lists(st.lists(st.tuples(ACTS, st.sampled_from(KEYS[::3])), min_size=1, max_size=3), max_size=2))
def test_whatever_happens_the_tables_are_those_made_from_nothing(tmp_path_factory, rounds):
    study = make(tmp_path_factory.mktemp("any") / "study", KEYS[::3])
    for acts in rounds:
        with contextlib.suppress(ConfigError):  # runs of its tables were removed, and others are new
            collect(settle(study))
        for what, key in acts:
            apply(study, what, key)
        assert_same(tables(study), from_nothing(study))


def test_cells_on_a_virtual_clock_are_read_anew_when_they_grow(tmp_path, monkeypatch):
    study = tmp_path / "study"
    launch(study, 1, seeds=[0])
    collect(settle(study))
    launch(study, 1, strategy=["random"], seeds=[0, 1])
    settle(study)
    read = []
    real = collected.cell_store.rows_of_cell
    monkeypatch.setattr("mlesearch.study.tables.run_rows.rows_of_cell", lambda cell: read.append(cell) or real(cell))
    found = tables(study)
    assert {cell.parent.name for cell in read} == {"random"}
    assert_same(found, from_nothing(study))
    assert len(found[0]) == 12


# a study in which nothing can be written


def test_the_report_of_a_study_that_can_only_be_read_has_its_tables_beside_it(tmp_path):
    with small_disk(tmp_path / "disk", 8 * MIB) as disk:
        study = settle(make(disk / "study"))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        page = tmp_path / "out/report.html"
        assert collect_for_report(study, page) == page.parent
        assert_same([pd.read_parquet(page.parent / f"{t}.parquet") for t in ("runs", "nodes", "calls")], tables(study))
        assert (page.parent / "study.json").read_bytes() == (study / "study.json").read_bytes()
        assert collect_for_report(study, page) == page.parent
        with pytest.raises(ConfigError, match="nothing can be written in this study; name a folder for its report"):
            collect_for_report(study, study / "report.html")
        (page.parent / "study.json").write_text("{}")
        with pytest.raises(ConfigError, match="holds another study"):
            collect_for_report(study, page)
        (page.parent / "study.json").unlink()
        with pytest.raises(ConfigError, match="holds another study"):
            collect_for_report(study, page)
