"""Two launches that end at once collect and report one study: neither fails, and what they leave is of one moment."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pandas as pd
import pytest

from mlesearch.cli.main import main
from mlesearch.storage.layout import RunKey, note_launch, open_study, study_header
from mlesearch.study.tables import collect as collect_module
from mlesearch.study.tables.collect import collect
from tests.support.run_story import Story

KEYS = [RunKey("m", strategy, "base", "t", seed) for strategy in ("greedy", "random") for seed in (0, 1)]


def end(study: Path, key: RunKey) -> None:
    story = Story(study / key.id).step(0, "draft", 0.5).executed(0).step(1, "improve", 0.6, base=0).executed(1)
    story.ended(1).write(key, result=True)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    study = tmp_path / "study"
    open_study(study, study_header("study", None))
    note_launch(study, KEYS)
    end(study, KEYS[0])
    return study


def collect_often(study: Path, times: int) -> None:
    for _ in range(times):
        if main(["collect", str(study)]):
            os._exit(1)


def test_collects_at_once_all_succeed(study):
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=collect_often, args=(study, 8)) for _ in range(3)]
    for process in processes:
        process.start()
    for key in KEYS[1:]:
        end(study, key)
    for process in processes:
        process.join(timeout=120)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    collect(study)
    assert len(pd.read_parquet(study / "runs.parquet")) == 4
    assert [p.name for p in study.iterdir() if p.name.startswith(".")] == []
    assert list((study / "leases").iterdir()) == []


def test_a_collect_that_began_earlier_does_not_write_between_the_tables_of_a_later_one(study, monkeypatch):
    fork = multiprocessing.get_context("fork")
    looked, late = fork.Event(), fork.Event()
    real = collect_module._made

    def slowly(*seen: object) -> object:
        made = real(*seen)
        looked.set()
        late.wait(timeout=60)
        return made

    monkeypatch.setattr(collect_module, "_made", slowly)
    first = fork.Process(target=collect, args=(study,))
    first.start()
    assert looked.wait(timeout=60)
    monkeypatch.setattr(collect_module, "_made", real)
    end(study, KEYS[1])
    second = fork.Process(target=collect, args=(study,))
    second.start()
    second.join(timeout=0.5)
    late.set()
    for process in (first, second):
        process.join(timeout=60)
        assert process.exitcode == 0
    runs, nodes = (pd.read_parquet(study / f"{name}.parquet") for name in ("runs", "nodes"))
    ended = set(runs.loc[runs["status"] == "ok", "run_id"])
    assert ended == set(nodes["run_id"]) == {KEYS[0].id, KEYS[1].id}
