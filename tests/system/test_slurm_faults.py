"""Faults of every kind on a real Slurm: all others finish, each is named once, and a relaunch does what is missing."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support import faulty
from tests.support.command import MLESEARCH
from tests.support.slurm import SlurmCluster
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
STUDY = ["-m", "model=sim_05", "strategy=random,quits,kills,raises", "tasks=[rentals]", "seeds=[0]", "budget.steps=2"]
STUDY += ["sandbox=local", "launcher.retries=0"]
SAID = {"quits": "SystemExit: 3", "kills": "was killed by SIGKILL", "raises": "RuntimeError: the plug-in is broken"}


def results(study: Path) -> dict[str, bytes]:
    """The journal of each run that has a result."""
    found = {p.parent for p in study.rglob("result.json") if b'"failed"' not in p.read_bytes()[:40]}
    return {folder.relative_to(study).as_posix(): (folder / "journal.jsonl").read_bytes() for folder in found}


def test_faults_of_every_kind(cluster: SlurmCluster, tmp_path: Path) -> None:
    env = {**cluster.env, **faulty.install(tmp_path / "installed")}
    faulty.write_files(tmp_path)

    def ours(*words: str) -> str:
        done = subprocess.run([*MLESEARCH, *words], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def left_to_slurm(*options: str) -> dict[int, str]:
        before = set(cluster.jobs(over=True))
        ours("submit", "--slurm", "--workers", "2", "--time", "30", "--cpus", "2", *options, *STUDY)
        wait_for(lambda: cluster.jobs() == {}, 900)
        return {job: state for job, state in cluster.jobs(over=True).items() if job not in before}

    states = left_to_slurm()
    assert "FAILED" in states.values()
    assert "COMPLETED" not in states.values(), "runs have failed"
    finished = results(tmp_path / "studies" / "main")
    assert set(finished) == {"sim_05/random/base/rentals/seed-0"}
    told = [line for line in ours("status", "studies/main").splitlines() if line.startswith("failed")]
    assert len(told) == len(SAID)
    for strategy, said in SAID.items():
        (line,) = [line for line in told if f"/{strategy}/" in line]
        assert said in line
        assert re.search(r"\[on n[12]; job \d+; log: \S+\]$", line), line

    (tmp_path / "faults_off").touch()
    states = left_to_slurm()
    assert "COMPLETED" in states.values()
    now = results(tmp_path / "studies" / "main")
    assert len(now) == 4
    assert finished.items() <= now.items(), "a run that had ended was touched"
