"""Studies left to a real Slurm of two nodes, and all that a cluster does to jobs: each ends as if nothing had happened.

Minutes each: Slurm counts time limits in minutes, and holds a requeued job back for two.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlesearch.storage.worker_files import ENDED, read_attempts
from tests.support import slow_study, slurm
from tests.support.command import MLESEARCH
from tests.support.journals import once_each, same_tables
from tests.support.slow_study import SlowStudy
from tests.support.slurm import SlurmCluster
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
CALLS_S = 1.0


@dataclass(frozen=True)
class Left:
    """A study that was left to the cluster."""

    cluster: SlurmCluster
    folder: Path
    said: str
    env: dict[str, str]

    @property
    def study(self) -> Path:
        return self.folder / "studies" / slow_study.NAME

    @property
    def job(self) -> int:
        """The first job of the first chain."""
        return int(re.findall(r"the first ones: (\d+)", self.said)[0])

    def results(self) -> int:
        return len(slow_study.results(self.study))

    def journaled(self) -> int:
        return slow_study.journaled_bytes(self.study)

    def at_work(self, number: int | None = None) -> None:
        """Returns when a job has run, and a run in it has got somewhere."""
        wait_for(lambda: self.cluster.jobs().get(self.job if number is None else number) == "RUNNING", 120)
        before = self.journaled()
        wait_for(lambda: self.journaled() > before + 500, 120)

    def logs(self) -> str:
        return "\n".join(f"{p.name}:\n{p.read_text()}" for p in sorted((self.study / "slurm").glob("*.log")))

    def ends(self, within_s: float = 600) -> dict[int, str]:
        """Wait for the end of all jobs; the states of those of this study that Slurm still knows."""
        wait_for(lambda: self.cluster.jobs() == {}, within_s)
        lines = self.cluster.command("squeue", "-h", "-t", "all", "-o", "%A %T %j").splitlines()
        jobs = [(int(number), state, name) for number, state, name in map(str.split, lines)]
        return {number: state for number, state, name in jobs if number >= self.job and name.startswith("mlesearch-")}


@pytest.fixture
def leave(cluster: SlurmCluster, slow: SlowStudy, tmp_path: Path) -> Iterator[Callable[..., Left]]:
    """Leaves the study to the cluster, which has nothing else to do before and after."""
    cluster.clear()

    def submitted(*options: str, calls_s: float = CALLS_S) -> Left:
        slow.calls_take(calls_s)
        command = [*MLESEARCH, "submit", "--slurm", *options, *slow.words]
        env = {**cluster.env, **{k: v for k, v in slow.env.items() if k not in cluster.env or k == "PYTHONPATH"}}
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=env, timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr
        return Left(cluster, tmp_path, done.stdout + done.stderr, env)

    yield submitted
    cluster.clear()


def check(left: Left, slow: SlowStudy, states: dict[int, str]) -> None:
    """The study is as the undisturbed one, and no job that was over before its end says that it succeeded."""
    assert left.results() == slow_study.RUNS, left.logs()
    same_tables(slow.whole, left.study)
    once_each(left.study)
    last = max(path.stat().st_mtime for path in slow_study.results(left.study))
    shown = left.cluster.command("squeue", "-h", "-t", "all", "-o", "%A|%T|%e").splitlines()
    ended = {int(job): end for job, state, end in (line.split("|") for line in shown) if state == "COMPLETED"}
    ended = {job: time.mktime(time.strptime(end, "%Y-%m-%dT%H:%M:%S")) for job, end in ended.items() if job in states}
    assert ended, states
    assert min(ended.values()) >= int(last), "a job was completed, with runs missing"


def hosts(left: Left) -> set[str]:
    """The nodes on which runs ended."""
    return {attempt.host for attempt in read_attempts(left.study) if attempt.status in ENDED}


# undisturbed


def test_a_study_is_left_to_two_nodes(leave, slow: SlowStudy) -> None:
    left = leave("--workers", "2", "--time", "10", "--cpus", "2")
    assert "queued 2 workers, each a chain of jobs" in left.said
    left.at_work()
    assert sorted(left.cluster.jobs().values()) == ["PENDING", "PENDING", "RUNNING", "RUNNING"], (
        "each has its successor"
    )
    states = left.ends()
    check(left, slow, states)
    assert left.cluster.jobs() == {}
    assert hosts(left) == {"n1", "n2"}


# what clusters do to jobs


def test_a_time_limit_of_a_minute_and_a_study_of_five(leave, slow: SlowStudy) -> None:
    left = leave("--time", "1", "--cpus", "1", calls_s=7.0)
    began = time.monotonic()
    states = left.ends(1200)
    assert time.monotonic() - began > 300, "the study is too short to say anything"
    check(left, slow, states)
    assert len(list((left.study / "slurm").glob("*.log"))) >= 5


def usr2(left: Left) -> None:
    left.cluster.command("scancel", "--signal=USR2", "--batch", str(left.job))


def usr2_to_the_steps(left: Left) -> None:
    """The job has none: nothing comes of it."""
    left.cluster.command("scancel", "--signal=USR2", str(left.job))


def requeued(left: Left) -> None:
    left.cluster.command("scontrol", "requeue", str(left.job))


def preempted(left: Left) -> None:
    node = left.cluster.command("squeue", "-h", "-o", "%N", "-j", str(left.job))
    urgent = left.folder / "urgent.sh"
    urgent.write_text("#!/bin/sh\nsleep 3\n")
    words = ["sbatch", "--parsable", "-p", slurm.URGENT, "--exclusive", "-w", node, "-o", "/dev/null", str(urgent)]
    number = int(left.cluster.command(*words))
    wait_for(lambda: left.cluster.jobs().get(number, "over") in ("RUNNING", "COMPLETING", "over"), 60)


def drained(left: Left) -> None:
    """Its node takes no other job; the job itself is stopped, as an operator would who can't wait."""
    node = left.cluster.command("squeue", "-h", "-o", "%N", "-j", str(left.job))
    left.cluster.command("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test")
    usr2(left)


def switched_off(left: Left) -> None:
    left.cluster.kill_node(left.cluster.command("squeue", "-h", "-o", "%N", "-j", str(left.job)))


@pytest.mark.parametrize(
    ("disturb", "options"),
    [
        (usr2, ()),
        (usr2_to_the_steps, ()),
        (requeued, ()),
        (preempted, ()),
        (preempted, ("--partition", slurm.LOW)),
        (preempted, ("--workers", "2")),
        (drained, ()),
        (switched_off, ()),
    ],
    ids=lambda value: value.__name__ if callable(value) else "-".join(value).strip("-") or "main",
)
def test_what_a_cluster_does_to_a_job(
    leave, slow: SlowStudy, cluster: SlurmCluster, disturb: Callable[[Left], None], options: tuple[str, ...]
) -> None:
    left = leave("--time", "30", "--cpus", "2", *options)
    left.at_work()
    disturb(left)
    assert left.results() < slow_study.RUNS, "it was over before"
    try:
        check(left, slow, left.ends())
    finally:
        for node in slurm.NODES:
            if disturb is switched_off and not cluster.has_node(node):
                cluster.start_node(node)


def test_the_controller_is_down_at_submission_and_on_the_way(leave, slow: SlowStudy, cluster: SlurmCluster) -> None:
    down_s = 20.0
    cluster.stop_controller()
    with ThreadPoolExecutor(1) as pool:  # the controller is started by this thread: it ends with the one that starts it
        submitted = pool.submit(leave, "--time", "1", "--cpus", "2", calls_s=3.0)
        time.sleep(down_s)
        cluster.start_controller()
        left = submitted.result()
    assert "trying again" in left.said
    left.at_work()
    cluster.stop_controller()
    time.sleep(down_s)
    cluster.start_controller()
    check(left, slow, left.ends())


# the end of a chain


def test_a_node_with_other_processors_does_no_run_and_says_why(
    leave: Callable[..., Left], slow: SlowStudy, cluster: SlurmCluster
) -> None:
    """The first worker fixes what all keep to; n2 lets a process use one processor, and n1 two."""
    if not cluster.apart:
        pytest.skip("nodes are no machines of their own here: namespaces can't be made")
    cluster.kill_node("n2")
    left = leave("--time", "30", "--cpus", "2")
    left.at_work()
    cluster.start_node("n2", "taskset", "-c", str(min(os.sched_getaffinity(0))))
    wait_for(lambda: cluster.states()["n2"] == "idle", 60)
    try:
        command = [*MLESEARCH, "submit", "--slurm", "--time", "30", "--cpus", "2", str(left.study)]
        more = subprocess.run(command, cwd=left.folder, capture_output=True, text=True, env=left.env, timeout=200)
        assert more.returncode == 0, more.stderr
        number = int(re.findall(r"the first ones: (\d+)", more.stdout)[0])
        wait_for(lambda: number not in cluster.jobs(), 120)
        (log,) = (left.study / "slurm").glob(f"*-{number}.log")
        assert re.search(r"identity\.cpu_count", log.read_text()), log.read_text()
        assert re.search(r"next: job \d+, on another node than n2", log.read_text())
        assert cluster.jobs(over=True)[number] == "FAILED"
        check(left, slow, left.ends())
        assert hosts(left) == {"n1"}
    finally:
        cluster.kill_node("n2")
        cluster.start_node("n2")


def test_cancelled_by_the_command_that_it_names(leave, cluster: SlurmCluster) -> None:
    left = leave("--workers", "2", "--time", "30", "--cpus", "2")
    left.at_work()
    stop = re.findall(r"^stop: +(.*)$", left.said, re.MULTILINE)[0]
    subprocess.run(stop, shell=True, env=cluster.env, check=True, timeout=60)
    left.ends(60)
    before = left.journaled()
    time.sleep(2)
    assert left.journaled() == before
    assert left.results() < slow_study.RUNS
