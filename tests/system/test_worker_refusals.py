"""What a worker does not carry out: its machine can not, its processes die at once, or it was asked for late."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mlesearch.sandbox.inside import landlock
from mlesearch.storage.layout import state_of_result
from mlesearch.storage.worker_files import read_attempts, read_workers
from mlesearch.study.runs.execute import write_failure
from tests.support import faulty
from tests.support.command import cli, python
from tests.support.launched import listed

pytestmark = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")
SMALL_NODES = """
import os
if b"worker_process" in open("/proc/self/cmdline", "rb").read():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
"""
"""Workers that a launcher starts have one processor."""


@pytest.mark.timeout(600)
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor: no node can have fewer")
def test_a_launch_names_the_nodes_that_refused_its_runs_and_why(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes/sitecustomize.py").write_text(SMALL_NODES, encoding="utf-8")
    words = ["-m", "sandbox=local", "sandbox.cpu_count=2", "model=sim_05", "strategy=random,greedy", "tasks=[rentals]"]
    words += ["seeds=[0,1]", "budget.steps=1", "hydra/launcher=joblib", "launcher.n_jobs=1"]
    done = cli(tmp_path, "run", *words, env={"PYTHONPATH": str(tmp_path / "nodes")}, fresh=True)
    assert done.returncode == 1, done.stderr
    host = read_workers(tmp_path / "studies/main")[0].host
    (missing,) = [line for line in done.stderr.splitlines() if line.startswith("missing: ")]
    assert missing.startswith("missing: 4 of 4 runs: ")
    assert f": no worker has carried it out; {host} left it to other machines: sandbox" in missing
    assert missing.count("cpu_count") == 1, missing
    shown = cli(tmp_path, "status", "studies/main").stdout
    assert shown.count(f"left to other machines by {host}: sandbox") == 1, shown
    assert read_attempts(tmp_path / "studies/main") == []


@pytest.mark.timeout(300)
def test_a_machine_on_which_every_process_ends_at_once_is_left(tmp_path: Path) -> None:
    """Five pieces in a row, each of them another: it is no run's fault. None is set aside, and none was begun."""
    env = faulty.install(tmp_path / "installed")
    words = ["model=sim_05", "strategy=kills", "tasks=[rentals]", "seeds=[0,1,2,3,4,5]", "budget.steps=1"]
    assert cli(tmp_path, "submit", "--list", "-m", *words, "sandbox=local", "study.name=s", env=env).returncode == 0
    (tmp_path / "faults_at_once").touch()
    done = cli(tmp_path, "work", "studies/s", "--jobs", "1", env=env)
    assert done.returncode == 75, done.stderr
    assert "5 processes in a row ended before they began: was killed by SIGKILL" in done.stderr
    assert "6 pieces of work are left; start it again to go on" in done.stderr
    study = tmp_path / "studies/s"
    assert "set aside" not in done.stderr
    assert [a for a in read_attempts(study) if a.status != "lost"] == []
    assert not list(study.rglob("result.json"))
    (worker,) = read_workers(study)
    assert worker.activity == "ended"
    (tmp_path / "faults_at_once").unlink()
    (tmp_path / "faults_off").touch()
    assert cli(tmp_path, "work", "studies/s", "--jobs", "2", env=env).returncode == 0


def test_what_is_asked_while_a_worker_begins_is_heard(tmp_path: Path) -> None:
    """It has seen that the run failed, and has not begun yet: the very moment at which the user asks."""
    study = tmp_path / "studies/main"
    (run,) = listed(study, strategy=["random"], seeds=[0], budget={"steps": 1}).runs
    write_failure(run, "the disk was away", 0.0)
    code = """
from pathlib import Path
from mlesearch.cli.main import main
from mlesearch.cli.requests import requeue
from mlesearch.study.workers import work
look, asked = work.read_result, []
def late(folder):
    found = look(folder)
    if found is not None and not asked:
        asked.append(requeue(Path(sys.argv[1]), [], None))
    return found
work.read_result = late
sys.exit(main(["work", sys.argv[1], "--jobs", "1"]))
"""
    done = subprocess.run(python(code, study), cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert "1 run of" in done.stdout
    assert done.returncode == 0, done.stdout + done.stderr
    assert state_of_result(run.folder) == "finished"
