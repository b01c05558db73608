"""A launch is watched by what its workers say, and whatever its size a look opens few files."""

import io
import os
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest

from mlesearch.storage import requests
from mlesearch.storage.documents import write_result
from mlesearch.storage.layout import RunKey
from mlesearch.storage.worker_files import (
    RunAttempt,
    SlotState,
    WorkerState,
    append_attempts,
    write_worker,
)
from mlesearch.study.monitoring import watching
from mlesearch.study.monitoring.watching import FOLLOWED, SWEPT, LaunchWatch
from tests.support.run_story import Story


def plans(study, n, steps=2):
    keys = [RunKey("m", "greedy", "base", f"t{i:05d}", 0) for i in range(n)]
    settings = SimpleNamespace(budget=SimpleNamespace(steps=steps))
    return [SimpleNamespace(key=k, folder=study / k.id, study_dir=study, settings=settings) for k in keys]


def watch(runs):
    found = LaunchWatch(runs)
    found.begin()
    return found


def tell(run, *, ended=True):
    story = Story(run.folder).step(0, "draft", 0.5).executed(0)
    (story.ended(0) if ended else story).write(run.key, result=ended)


def finished(watched):
    return [w.run.key.id for w in watched if w.finished]


def pause_and_wait(study):
    """Pause a study, and have a worker wait for that."""
    study.mkdir(exist_ok=True)
    requests.pause(study, "a new disk")
    reader = requests.RequestReader(study)
    reader.look()
    write_worker(study, WorkerState("w", activity="paused", why=reader.why_waiting))


@pytest.mark.parametrize("before", [True, False])
def test_a_launch_says_what_ends_a_pause_that_its_worker_waits_for(tmp_path, at_once, before):
    study = tmp_path / "a study"
    runs = plans(study, 2)
    if before:  # a worker may have said so before the launch looks for the first time
        pause_and_wait(study)
    watched = watch(runs)
    if not before:
        pause_and_wait(study)
    list(watched.look())
    list(watched.look())
    off = f"nothing new begins until: mlesearch pause '{study}' --off"
    assert watched.news == [f"worker w: waiting: the study is paused (a new disk); {off}"]


def test_a_pause_that_is_over_is_no_news(tmp_path, at_once):
    pause_and_wait(tmp_path)
    requests.end_pause(tmp_path)
    watched = watch(plans(tmp_path, 2))
    list(watched.look())
    assert watched.news == []


@pytest.fixture
def at_once(monkeypatch):
    """Workers are looked at at every look."""
    monkeypatch.setattr(watching, "WORKERS_S", 0.0)


def test_a_run_that_a_worker_names_is_found_at_the_next_look_wherever_it_stands(tmp_path):
    runs = plans(tmp_path, 10 * SWEPT)
    watched = watch(runs)
    last = runs[-1]
    tell(last)
    assert finished(watched.look()) == []
    append_attempts(tmp_path, "w", [RunAttempt(last.key.id, "ok")])
    assert finished(watched.look()) == [last.key.id]
    assert (watched.ended, watched.steps) == (1, 1)
    assert finished(watched.look()) == []


def test_runs_that_nobody_names_are_found_all_the_same(tmp_path):
    runs = plans(tmp_path, 3 * SWEPT)
    watched = watch(runs)
    for run in runs[::7]:
        tell(run)
    found = [run_id for _ in range(3) for run_id in finished(watched.look())]
    assert sorted(found) == sorted(r.key.id for r in runs[::7])
    tell(runs[1])
    assert runs[1].key.id in finished(watched.look_at_all())


def test_what_was_there_before_is_counted_and_no_news(tmp_path):
    runs = plans(tmp_path, 4)
    tell(runs[0])
    tell(runs[1], ended=False)
    write_result(runs[1].folder, {"status": "failed", "reason": "x", "real_s": 1})
    append_attempts(tmp_path, "w", [RunAttempt(runs[0].key.id, "ok"), RunAttempt(runs[2].key.id, "lost", "signal 9")])
    write_worker(tmp_path, WorkerState("w", activity="paused", why="the disk is full"))
    watched = watch(runs)
    assert (watched.ended, watched.programs_to_come) == (2, 4)
    assert finished(watched.look()) == []
    assert watched.news == []


def test_runs_under_way_are_those_that_workers_carry_out(tmp_path, at_once):
    runs = plans(tmp_path, 50)
    watched = watch(runs)
    slots = (SlotState(runs[40].key.id), SlotState(), SlotState(runs[30].key.id), SlotState("of another launch"))
    worker = WorkerState("w", slots=slots)
    write_worker(tmp_path, worker)
    tell(runs[40], ended=False)
    list(watched.look())
    assert {w.run.key.id for w in watched.under_way} == {runs[40].key.id, runs[30].key.id}
    assert watched.steps == 1
    write_worker(tmp_path, replace(worker, beats=2, slots=()))
    list(watched.look())
    assert [w.run.key.id for w in watched.under_way] == [runs[40].key.id]  # nobody says so, but it has begun
    write_worker(tmp_path, replace(worker, activity="ended"))
    list(watched.look())
    assert [w.run.key.id for w in watched.under_way] == [runs[40].key.id]


def test_what_befalls_workers_and_attempts_is_said_once(tmp_path, at_once):
    runs = plans(tmp_path, 3)
    watched = watch(runs)
    worker = WorkerState("w", host="n")
    lost = RunAttempt(runs[0].key.id, "lost", "worker process 12 was killed by signal 9", host="n")
    append_attempts(tmp_path, "w", [lost, replace(lost, reason=lost.reason.replace("12", "13"))])
    append_attempts(tmp_path, "w", [RunAttempt(runs[1].key.id, "interrupted", "asked to stop")])
    write_worker(tmp_path, replace(worker, activity="paused", why="the disk is full"))
    list(watched.look())
    list(watched.look())
    assert watched.news == [
        f"{runs[0].key.id}: lost on n: worker process 12 was killed by signal 9 (said once)",
        "worker w: waiting: the disk is full",
    ]
    watched.news.clear()
    write_worker(tmp_path, replace(worker, beats=9))
    list(watched.look())
    write_worker(tmp_path, replace(worker, beats=10, activity="paused", why="the disk is full"))
    list(watched.look())
    assert watched.news == ["worker w: waiting: the disk is full"]
    for beats, left in ((11, 3), (12, 2)):
        write_worker(tmp_path, replace(worker, beats=beats, activity="paused", why=f"{left} pieces of work wait"))
        list(watched.look())
    assert watched.news[1:] == ["worker w: waiting: 3 pieces of work wait"]


@pytest.fixture
def calls(monkeypatch):
    """How often files were asked for, by what."""
    counts = Counter()

    def counted(owner, name):
        real = getattr(owner, name)

        def call(*args, **kwargs):
            counts[name] += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)

    for name in ("stat", "open", "scandir", "listdir", "lstat"):
        counted(os, name)
    counted(io, "open")
    monkeypatch.setattr("builtins.open", io.open)
    return counts


def test_a_look_opens_as_many_files_whatever_the_size_of_the_launch(tmp_path, calls, at_once):
    asked = {}
    for n in (2 * FOLLOWED + SWEPT, 5_000):
        study = tmp_path / str(n)
        runs = plans(study, n)
        watched = watch(runs)
        for run in runs[: FOLLOWED + 5]:
            tell(run, ended=False)
        write_worker(study, WorkerState("w", slots=tuple(SlotState(r.key.id) for r in runs[: FOLLOWED + 5])))
        append_attempts(study, "w", [RunAttempt("of another launch", "ok")])
        list(watched.look())
        calls.clear()
        for _ in range(10):
            list(watched.look())
        asked[n] = calls.total()
    few, many = asked.values()
    assert abs(few - many) < 0.1 * few
    assert many < 10 * 500, "two looks a second: 1,000 calls"
