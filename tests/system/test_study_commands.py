"""A study that was launched, seen and steered from another terminal: killed, looked at, gone on with, paused."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.command import alive, cli, start
from tests.support.disks import MIB, small_disk
from tests.support.journals import once_each
from tests.support.waiting import until

WORDS = ["run", "-m", "tasks=[rentals]", "sandbox=local", "study.name=s", "launcher.n_jobs=2"]
SMALL = [*WORDS, "model=sim_02", "strategy=random,greedy", "seeds=[0]", "budget.steps=2"]


def status(cwd: Path, study: str = "studies/s") -> dict:
    done = cli(cwd, "status", study, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def begun(cwd: Path) -> bool:
    return any((cwd / "studies/s").glob("*/*/*/*/seed-*/journal.jsonl"))


def killed(cwd: Path, words: list[str]) -> None:
    """Launch a study, and kill the launch as soon as a run of it has begun."""
    launch = start(cwd, *words)
    assert until(lambda: begun(cwd), 60)
    launch.send_signal(signal.SIGKILL)
    launch.communicate()
    assert until(lambda: not alive(cwd), 20)


def test_a_killed_study_is_looked_at_and_gone_on_with_from_anywhere(tmp_path):
    words = [*SMALL, "sandbox.exec_store=record", f"sandbox.exec_store_path={tmp_path}/executions.db"]
    killed(tmp_path, words)
    found = status(tmp_path)
    assert (found["planned"], found["ended"], found["failed"], found["missing"]) == (2, 0, 0, 2)
    assert {w["standing"] for w in found["workers"]} == {"gone"}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = cli(elsewhere, "resume", "../studies/s", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "2 runs, 2 of them to do\n" in done.stdout
    assert "report: " in done.stdout
    assert status(tmp_path)["ended"] == 2
    once_each(tmp_path / "studies/s")
    again = cli(elsewhere, "resume", "../studies/s")
    assert (again.returncode, again.stderr) == (0, "")
    assert f"nothing is left to run; its report: mlesearch report {tmp_path}/studies/s" in again.stdout
    (log,) = (tmp_path / "studies/s").glob("sim_02/random/*/*/*/run.log")
    assert " began" in log.read_text()

    whole = tmp_path / "whole"
    whole.mkdir()
    assert cli(whole, *words).returncode == 0
    same = cli(tmp_path, "compare", "studies/s", "whole/studies/s")
    assert (same.returncode, same.stderr) == (0, "")
    assert "2 of 2 runs in both are the same, durations aside" in same.stdout
    shutil.rmtree(whole / "studies/s/sim_02/random")
    assert "1 is in studies/s alone" in cli(tmp_path, "compare", "studies/s", "whole/studies/s").stdout

    old = tmp_path / "studies/old"
    shutil.copytree(tmp_path / "studies/s", old)
    for name in ("index", "workers", "launches"):
        shutil.rmtree(old / name)
    assert status(tmp_path, "studies/old")["ended"] == 2, "as a study of an earlier version"
    refused = cli(tmp_path, "resume", "studies/old")
    assert refused.returncode == 2
    assert "no list of runs is here (launches/1.jsonl); launch the study with `mlesearch run`" in refused.stderr


def test_a_study_that_can_only_be_read_is_looked_at_and_reported_elsewhere(tmp_path):
    with small_disk(tmp_path / "disk", 24 * MIB) as disk:
        words = [word for word in SMALL if word != "sandbox=local"]
        assert cli(disk, *words, "clock=virtual", "launcher.min_free_gib=0").returncode == 0
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        found = status(tmp_path, "disk/studies/s")
        assert (found["ended"], found["missing"]) == (2, 0)
        done = cli(tmp_path, "report", "disk/studies/s", "--out", "out")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "out/report.html").is_file()
        assert cli(tmp_path, "recheck", "out/report.html").returncode == 0
        before = sorted(path for path in disk.rglob("*"))
        for words in (
            ("work",), ("resume",), ("pause",), ("pause", "--off"), ("requeue",), ("clean", "--yes"), ("doctor",),
            ("submit", "--slurm", "--check"), ("submit", "--list"),
        ):  # fmt: skip
            done = cli(tmp_path, *words[:1], *words[1:], "disk/studies/s")
            assert done.returncode == 2, (words, done.stdout, done.stderr)
            assert done.stderr.splitlines()[-1].startswith("mlesearch: error: disk/studies/s: nothing can be written")
            assert "Read-only file system" in done.stderr
            assert done.stderr.count("\n") == 1
        assert sorted(path for path in disk.rglob("*")) == before
        refused = cli(tmp_path, "report", "disk/studies/s")
        assert refused.returncode == 2
        assert "nothing can be written in this study; name a folder for its report: --out DIR" in refused.stderr


def test_a_worker_of_a_paused_study_says_that_it_waits_and_what_for(tmp_path):
    words = ["sandbox=local", "model=sim_05", "strategy=random", "tasks=[rentals]", "seeds=[0]", "budget.steps=1"]
    assert cli(tmp_path, "submit", "--list", *words, "study.name=s").returncode == 0
    assert cli(tmp_path, "pause", "studies/s", "--why", "a new disk").returncode == 0
    worker = start(tmp_path, "work", "studies/s", "--jobs", "1")
    assert until(lambda: "the study is paused (a new disk)" in {w["why"] for w in status(tmp_path)["workers"]}, 60)
    said = cli(tmp_path, "status", "studies/s").stdout
    assert "waiting: worker" in said
    assert "paused: a new disk; nothing new begins until: mlesearch pause studies/s --off" in said
    assert cli(tmp_path, "pause", "studies/s", "--off").returncode == 0
    _, err = worker.communicate(timeout=120)
    assert worker.returncode == 0
    off = f"nothing new begins until: mlesearch pause {tmp_path}/studies/s --off"
    assert err.splitlines() == [
        f"waiting: the study is paused (a new disk); {off}",
        "going on: the study is no longer paused",
        "nothing is left to do",
    ]


@pytest.mark.slow
def test_pause_requeue_and_more_workers_without_a_relaunch(tmp_path):
    """A model's folder is a file: its runs fail at once, for good. Mended, they are tried again by the same launch."""
    study = tmp_path / "studies/s"
    words = [*WORDS, "model=sim_02,sim_05", "strategy=random,greedy", "seeds=[0,1,2]", "budget.steps=3"]
    words[words.index("launcher.n_jobs=2")] = "launcher.n_jobs=1"
    launch = start(tmp_path, *words)
    assert until(lambda: (study / "launches/1.jsonl").exists(), 60)
    (study / "sim_05").touch()
    assert until(lambda: status(tmp_path)["failed"] >= 2, 120)
    assert cli(tmp_path, "pause", "studies/s", "--why", "a new disk").returncode == 0
    assert until(lambda: not status(tmp_path)["under_way"], 60)
    held = status(tmp_path)
    assert held["paused"] == "a new disk"
    assert "paused: a new disk" in cli(tmp_path, "status", "studies/s").stdout
    (study / "sim_05").unlink()
    done = cli(tmp_path, "requeue", "studies/s")
    assert f"{held['failed']} runs of studies/s to be tried again\n" in done.stdout
    assert status(tmp_path)["failed"] == 0
    more = start(tmp_path, "work", "studies/s", "--jobs", "1")
    assert until(lambda: len([w for w in status(tmp_path)["workers"] if w["standing"] == "paused"]) == 2, 60)
    assert status(tmp_path)["ended"] == held["ended"], "a worker that came later keeps to the pause"
    assert cli(tmp_path, "pause", "studies/s", "--off").stdout == "workers begin runs again\n"
    _, said = launch.communicate(timeout=200)
    assert launch.returncode == 0, said
    assert more.wait(60) == 0
    found = status(tmp_path)
    assert (found["ended"], found["failed"], found["missing"]) == (12, 0, 0)
    assert {w["n_ended"] > 0 for w in found["workers"]} == {True}
    once_each(study)
    refused = cli(tmp_path, "requeue", "studies/s", "sim_02/random/base/rentals/seed-0")
    assert refused.returncode == 2
    assert "it did not fail (ended)" in refused.stderr
    typo = cli(tmp_path, "requeue", "studies/s", "sim_02/random/base/rentals/seed-7")
    assert "the study has no such run" in typo.stderr
    assert os.path.exists(study / "requeue.jsonl")
