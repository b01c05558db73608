"""Ctrl-C with hydra-submitit-launcher on a real Slurm: what is in flight ends, jobs that are still queued are named."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import slow_study, slurm
from tests.support.command import MLESEARCH, cli
from tests.support.journals import journals, once_each, same_tables
from tests.support.slow_study import SlowLaunch, SlowStudy
from tests.support.slurm import SlurmCluster
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SWEEP = "seeds=[0],[1]"
"""Two strategies by two lists of seeds: four jobs, of which two nodes with a job each hold two back."""
SLURM = ["hydra/launcher=submitit_slurm", "hydra.launcher.timeout_min=30", "hydra.launcher.cpus_per_task=2"]


@pytest.fixture(scope="module", autouse=True)
def _accounting(cluster: SlurmCluster) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="pip install 'mlesearch[slurm]'")
    slurm.stand_in_for_accounting(cluster)


class Launched(SlowLaunch):
    """The study under way: two jobs at work, and two that wait for their nodes."""

    def __init__(self, cluster: SlurmCluster, slow: SlowStudy, folder: Path) -> None:
        self.cluster = cluster
        words = [SWEEP if word.startswith("seeds=") else word for word in slow.words]
        env = {**slow.env, **{k: cluster.env[k] for k in ("PATH", "SLURM_CONF")}}
        super().__init__(MLESEARCH, folder, [*SLURM, *words, "launcher.n_jobs=1"], env)

    def working(self) -> bool:
        """Whether two jobs work, each on a run that has got somewhere, and others wait."""
        assert self.process.poll() is None, self.said()
        states = list(self.cluster.jobs().values())
        begun = sum(len(lines) > 3 for lines in journals(self.study).values())
        return states.count("RUNNING") == 2 and "PENDING" in states and begun == 2

    def follow(self, command: str) -> None:
        """Give a command that the launch named."""
        subprocess.run(shlex.split(command), env=self.env, check=True, timeout=60)


@pytest.fixture
def launched(cluster: SlurmCluster, slow: SlowStudy, tmp_path: Path) -> Iterator[Callable[[], Launched]]:
    cluster.clear()
    slow.calls_take(1.0)
    made: list[Launched] = []

    def launch() -> Launched:
        made.append(Launched(cluster, slow, tmp_path))
        wait_for(made[0].working, 200)
        return made[0]

    yield launch
    for each in made:
        each.kill()
    cluster.clear()


def goes_on(left: Launched, slow: SlowStudy) -> None:
    """The same command does the rest, and all is as if nothing had happened."""
    slow.calls_take(0.0)
    done = cli(left.folder, *left.words, env=left.env, fresh=True)
    assert done.returncode == 0, done.stderr
    same_tables(slow.whole, left.study)
    once_each(left.study)


@pytest.mark.parametrize("moves", [True, False], ids=["the queue moves", "the queue stands still"])
def test_ctrl_c_once(launched: Callable[[], Launched], slow: SlowStudy, cluster: SlurmCluster, moves: bool) -> None:
    """Jobs at work end by themselves, those that wait are named with what cancels them, and then the launch ends."""
    left = launched()
    if not moves:
        cluster.command("scontrol", "update", "NodeName=n1,n2", "State=DRAIN", "Reason=test")
    os.killpg(left.process.pid, signal.SIGINT)
    wait_for(lambda: "scancel" in left.said() or left.process.poll() is not None, 60)
    (command,) = re.findall(r"scancel --state=PENDING \d+(?: \d+)*", left.said())
    if not moves:
        wait_for(lambda: set(cluster.jobs().values()) == {"PENDING"}, 60)
        left.follow(command)
    assert left.ends() == 130, left.said()
    assert left.said().count("the proposals in flight finish first") == 1
    assert "run the same command again to go on" in left.said()
    assert "Traceback" not in left.said()
    assert len(slow_study.results(left.study)) < slow_study.RUNS
    wait_for(lambda: cluster.jobs() == {}, 30)
    if not moves:
        cluster.command("scontrol", "update", "NodeName=n1,n2", "State=RESUME")
    assert not [p for p in left.study.iterdir() if p.name.startswith(".stop-")]
    told = [line for lines in journals(left.study).values() for line in lines if b'"type":"told"' in line]
    asked = [line for lines in journals(left.study).values() for line in lines if b'"type":"asked"' in line]
    assert len(told) == len(asked), "something was cut off"
    goes_on(left, slow)


def test_ctrl_c_twice(launched: Callable[[], Launched], slow: SlowStudy) -> None:
    """The launch ends at once; all jobs are named with what cancels them, and it does."""
    left = launched()
    os.killpg(left.process.pid, signal.SIGINT)
    wait_for(lambda: "the proposals in flight finish first" in left.said(), 60)
    os.killpg(left.process.pid, signal.SIGINT)
    assert left.ends() == 130, left.said()
    assert "run the same command again to go on" in left.said()
    assert "Traceback" not in left.said()
    (command,) = re.findall(r"scancel \d+(?: \d+)*", left.said())
    left.follow(command)
    wait_for(lambda: left.cluster.jobs() == {}, 60)
    assert len(slow_study.results(left.study)) < slow_study.RUNS
    goes_on(left, slow)
