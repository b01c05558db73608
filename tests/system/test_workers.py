"""Workers that die, stand still, or differ: the others go on, no run is made twice, the tables are the same."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from mlesearch.sandbox.inside import landlock
from mlesearch.storage.layout import state_of_result
from mlesearch.storage.lease_files import LeaseTimes, set_times
from mlesearch.storage.requests import end_pause, pause
from mlesearch.storage.worker_files import read_attempts, read_workers
from mlesearch.study.runs.execute import write_failure
from mlesearch.study.runs.failures import LOSSES_SET_ASIDE
from mlesearch.study.slurm import job as slurm_job
from tests.support.command import cli, finish, start
from tests.support.journals import journals, once_each, same_tables
from tests.support.launched import WORDS, busy, listed, slots_of, state_of_files, work
from tests.support.waiting import wait_for

pytestmark = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")


def contents(cell: Path) -> dict[str, bytes]:
    """Every file and folder of a cell but logs and files that are not yet whole."""
    paths = [path for path in cell.rglob("*") if path.name != "run.log" and not path.name.startswith(".")]
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in paths}


def in_flight(study: Path) -> dict[str, int]:
    """Runs that slots carry out, and how long their journals are."""
    runs = [slot.run_id for w in read_workers(study) if w.activity != "ended" for slot in w.slots if slot.run_id]
    paths = {run: study / run / "journal.jsonl" for run in runs}
    return {run: path.stat().st_size if path.exists() else 0 for run, path in paths.items()}


def kill_slots(cwd: Path, words: list[str], kills: int, seed: int) -> Path:
    """Kill a slot at random moments of one launch, which ends well all the same.

    On a loaded machine steps are longer than the time between two kills: a run that may have been hit twice at one
    point of its journal is left alone until it gets further, since it would be set aside, as it should be.
    """
    study, moments = cwd / "studies/main", random.Random(seed)
    launch = start(cwd, "run", *words)
    killed, hit = 0, Counter[tuple[str, int]]()
    while killed < kills and launch.poll() is None:
        time.sleep(moments.uniform(0.3, 2.5))
        before, now = journals(study), in_flight(study)
        pids = busy(study)
        if pids and all(hit[point] < LOSSES_SET_ASIDE - 1 for point in now.items()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(moments.choice(pids), signal.SIGKILL)
                killed += 1
                hit.update(now.items())
        after = journals(study)
        assert all(after[name][: len(lines)] == lines for name, lines in before.items())
    _, err = launch.communicate(timeout=600)
    assert launch.returncode == 0, err
    assert killed == kills, "the study was over too early"
    return study


def test_a_slot_that_is_killed_costs_its_step_in_flight(whole: Path, tmp_path: Path) -> None:
    study = kill_slots(tmp_path, [*WORDS, "launcher.n_jobs=2"], kills=2, seed=3)
    same_tables(whole, study)
    once_each(study)
    attempts = read_attempts(study)
    assert 1 <= sum(a.status == "lost" for a in attempts) <= 2  # one may have been idle
    assert sorted(a.run_id for a in attempts if a.status == "ok") == sorted({a.run_id for a in attempts})


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_thirty_kills(tmp_path: Path) -> None:
    words = ["-m", "sandbox=local", "model=sim_02,sim_05", "strategy=random,gome", "tasks=[rentals,canvas]"]
    words += ["seeds=[0,1]", "budget.steps=8", "launcher.n_jobs=2"]
    (tmp_path / "whole").mkdir()
    finish(tmp_path / "whole", "run", *words)
    (tmp_path / "killed").mkdir()
    study = kill_slots(tmp_path / "killed", words, kills=30, seed=30)
    same_tables(tmp_path / "whole/studies/main", study)
    once_each(study)


@pytest.mark.slow
def test_a_worker_that_is_killed_is_started_again(whole: Path, tmp_path: Path) -> None:
    study = tmp_path / "studies/main"
    launch = start(tmp_path, "run", *WORDS, "launcher.n_jobs=2")
    wait_for(lambda: busy(study))
    (worker,) = read_workers(study)
    os.kill(worker.pid, signal.SIGKILL)
    _, err = launch.communicate(timeout=280)
    assert launch.returncode == 0, err
    assert "was killed by SIGKILL" in err
    assert len(read_workers(study)) == 2
    same_tables(whole, study)
    once_each(study)


def test_workers_share_a_study_that_was_listed(whole: Path, tmp_path: Path) -> None:
    """Two of them, and each run once; the second time there is nothing left."""
    study = tmp_path / "studies/main"
    listed(study)
    both = [work(study, "--jobs", "1") for _ in range(2)]
    for worker in both:
        out, err = worker.communicate(timeout=280)
        assert worker.returncode == 0, out + err
    same_tables(whole, study)
    once_each(study)
    assert sorted(a.run_id for a in read_attempts(study)) == sorted({a.run_id for a in read_attempts(study)})
    assert len({a.worker for a in read_attempts(study)}) == 2
    before = state_of_files(study / "sim_05")
    again = work(study)
    assert again.communicate(timeout=120)[1].strip() == "nothing is left to do"
    assert again.returncode == 0
    assert state_of_files(study / "sim_05") == before


def test_a_worker_knows_of_runs_that_failed_before_it_began_and_hears_that_they_are_tried_again(tmp_path: Path) -> None:
    study = tmp_path / "studies/main"
    failed, other = listed(study, strategy=["random"], budget={"steps": 1}).runs
    write_failure(failed, "the disk was away", 0.0)
    pause(study, "not yet")
    assert slurm_job._standing(study) == slurm_job.AGAIN, "runs are left, whatever has failed"
    worker = work(study, "--jobs", "1")
    wait_for(lambda: any(w.activity == "paused" for w in read_workers(study)))
    assert cli(tmp_path, "requeue", "studies/main", failed.key.id).returncode == 0
    end_pause(study)
    out, err = worker.communicate(timeout=120)
    assert worker.returncode == 0, out + err
    assert "2 runs, 1 of them to do" in out
    assert {state_of_result(run.folder) for run in (failed, other)} == {"finished"}

    write_failure(failed, "the disk was away", 0.0)
    worker = work(study, "--jobs", "1")
    assert worker.communicate(timeout=120)[1].strip() == "1 run failed, and none is left to do"
    assert worker.returncode == 1


def test_a_worker_whose_time_is_over_says_start_me_again(tmp_path: Path) -> None:
    study = tmp_path / "studies/main"
    listed(study, seeds=[0])
    worker = work(study, "--jobs", "1", "--for", "0.1s")
    out, err = worker.communicate(timeout=120)
    assert worker.returncode == 75, out + err
    assert "its time is over" in err
    assert "start it again" in err


@pytest.mark.timeout(300)
def test_a_worker_that_stood_still_writes_nothing_once_it_wakes(whole: Path, tmp_path: Path) -> None:
    study = tmp_path / "studies/main"
    listed(study)
    set_times(study, LeaseTimes(0.3, 1.5, 4.0))
    first = work(study, "--jobs", "2")
    wait_for(lambda: len(journals(study)) > 1)
    os.killpg(first.pid, signal.SIGSTOP)
    second = work(study, "--jobs", "2")
    out, err = second.communicate(timeout=200)
    assert second.returncode == 0, out + err
    before = contents(study / "sim_05")
    os.killpg(first.pid, signal.SIGCONT)
    out, err = first.communicate(timeout=60)
    assert first.returncode == 75, out + err
    assert "lease is lost" in err
    assert contents(study / "sim_05") == before
    same_tables(whole, study)
    once_each(study)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor: no node can have fewer")
def test_a_node_that_yields_other_runs_does_none_and_says_why(tmp_path: Path) -> None:
    study = tmp_path / "studies/main"
    listed(study, seeds=[0])
    one = str(min(os.sched_getaffinity(0)))
    worker = work(study, before=("taskset", "-c", one))
    out, err = worker.communicate(timeout=120)
    assert worker.returncode == 2, out + err
    assert err.count("cpu_count is ") == 1, err
    assert "left to other machines" in err
    assert list(study.rglob("run.json")) == []
    assert read_attempts(study) == []
    assert not slots_of(study)
