"""Faults of every kind on a real Slurm: all others finish, each is named once, and going on does what is missing."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support import faulty
from tests.support.command import MLESEARCH
from tests.support.fault_launches import (
    FaultyEnd,
    FaultyStudy,
    launch_and_go_on,
    of_every_kind,
    sweep,
    task_that_goes_away,
)
from tests.support.slurm import SlurmCluster
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


class Left:
    """A study with faults, left to the cluster."""

    def __init__(self, cluster: SlurmCluster, cwd: Path, faults: FaultyStudy, *options: str) -> None:
        self.cluster, self.cwd = cluster, cwd
        self.words = ["submit", "--slurm", "--time", "120", "--cpus", "2", *options, *faults.words]
        self.env = {**cluster.env, **faulty.install(cwd / "installed")}

    def give(self, *words: str) -> str:
        """A command, which must succeed; what it printed."""
        command = [*MLESEARCH, *words]
        done = subprocess.run(command, cwd=self.cwd, env=self.env, capture_output=True, text=True, timeout=3000)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def failures(self) -> list[str]:
        """As `status` names them, each with its node and job."""
        told = [line for line in self.give("status", "studies/main").splitlines() if line.startswith("failed")]
        for line in told:
            assert re.search(r" \[on n[12]; job \d+; log: \S+\]$", line), line
        return told

    def submit(self) -> FaultyEnd:
        """Submit it, to the end of all jobs; the exit code is that of the job that ended last."""
        before = set(self.cluster.jobs(over=True))
        self.give(*self.words)
        wait_for(lambda: self.cluster.jobs() == {}, 6000, every_s=1.0)
        jobs = [self.cluster.facts(number) for number in set(self.cluster.jobs(over=True)) - before]
        assert {job["JobState"] for job in jobs} <= {"COMPLETED", "FAILED", "CANCELLED"}, jobs
        last = max((job for job in jobs if job["JobState"] != "CANCELLED"), key=lambda job: job["EndTime"])
        failures = self.failures()
        assert not failures or "COMPLETED" not in {job["JobState"] for job in jobs}, jobs
        return FaultyEnd(int(last["ExitCode"].partition(":")[0]), failures, self.logs())

    def logs(self) -> str:
        """Of its jobs."""
        return "\n".join(path.read_text() for path in sorted(self.cwd.glob("studies/main/slurm/*.log")))

    def resume(self) -> FaultyEnd:
        """Do here what is missing, without the cluster."""
        said = self.give("resume", "studies/main")
        return FaultyEnd(0, self.failures(), said)


def test_faults_of_every_kind(cluster: SlurmCluster, tmp_path: Path) -> None:
    study = of_every_kind()
    left = Left(cluster, tmp_path, study, "--workers", "2")
    launch_and_go_on(tmp_path, study, left.submit, left.submit)


def test_a_task_folder_that_goes_away(cluster: SlurmCluster, tmp_path: Path) -> None:
    study = task_that_goes_away()
    left = Left(cluster, tmp_path, study, "--workers", "1")
    launch_and_go_on(tmp_path, study, left.submit, left.submit)


@pytest.mark.timeout(7200)
def test_a_sweep_with_faults(cluster: SlurmCluster, tmp_path: Path) -> None:
    study = sweep()
    left = Left(cluster, tmp_path, study, "--workers", "2")
    launch_and_go_on(tmp_path, study, left.submit, left.resume)
