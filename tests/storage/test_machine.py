"""How much of the machine is this process's: affinity, and quotas of control groups of both versions."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlesearch.storage import machine

V2 = "31 23 0:28 / {root} rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "32 31 0:29 {below} {root} rw,relatime - cgroup cgroup rw,{names}\n"


@pytest.fixture
def many(monkeypatch):
    """A machine with 128 processors, and a process that may run on all."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(128)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 128)


class Process:
    """What the kernel says of a process, in files of the test."""

    def __init__(self, root: Path) -> None:
        self.proc, self.mounted = root / "proc", root / "sys fs"
        self.proc.mkdir()
        self.mounted.mkdir()

    def of(self, groups: str, mounts: str) -> Path:
        place = str(self.mounted).replace(" ", "\\040")
        (self.proc / "cgroup").write_text(groups)
        (self.proc / "mountinfo").write_text("24 1 8:1 / / rw - ext4 /dev/sda1 rw\n" + mounts.replace("{root}", place))
        return self.proc

    def write(self, path: str, text: str) -> None:
        (self.mounted / path).parent.mkdir(parents=True, exist_ok=True)
        (self.mounted / path).write_text(text)


@pytest.fixture
def process(tmp_path):
    return Process(tmp_path)


def test_affinity_counts(monkeypatch, tmp_path):
    """`taskset -c 0` and a Slurm job with 4 of 128 cores."""
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3, 5, 7, 9}, raising=False)
    assert machine.processors(tmp_path) == 4


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 128), ("100000 100000", 1), ("150000 100000", 2), ("1000 100000", 1), ("9999999 100000", 100)],
)
def test_a_quota_of_version_two_counts_rounded_up(many, process, quota, expected):
    """`docker run --cpus`."""
    process.write("cpu.max", f"{quota}\n")
    assert machine.processors(process.of("0::/\n", V2)) == expected


def test_the_least_quota_of_nested_groups_counts(many, process):
    process.write("slurm/job/step/cpu.max", "max 100000\n")
    process.write("slurm/job/cpu.max", "400000 100000\n")
    process.write("slurm/cpu.max", "800000 100000\n")
    assert machine.processors(process.of("0::/slurm/job/step\n", V2)) == 4


def test_a_quota_of_version_one_counts(many, process):
    process.write("job/cpu.cfs_quota_us", "250000\n")
    process.write("job/cpu.cfs_period_us", "100000\n")
    process.write("cpu.cfs_quota_us", "-1\n")
    process.write("cpu.cfs_period_us", "100000\n")
    mounts = V1.format(below="/", root="{root}", names="cpu,cpuacct")
    assert machine.processors(process.of("4:memory:/other\n3:cpu,cpuacct:/job\n", mounts)) == 3


def test_a_container_that_sees_its_own_group_alone(many, process):
    """The mount's root is the container's group, whose path on the host is what /proc/self/cgroup says."""
    process.write("cpu.cfs_quota_us", "200000\n")
    process.write("cpu.cfs_period_us", "100000\n")
    mounts = V1.format(below="/docker/0123", root="{root}", names="cpu")
    assert machine.processors(process.of("3:cpu:/docker/0123\n", mounts)) == 2
    assert machine.processors(process.of("3:cpu:/docker/0123/inner\n", mounts)) == 2


def test_memory_by_its_limits(process):
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    process.write("job/memory.max", "max\n")
    process.write("memory.max", f"{1 << 29}\n")
    assert machine.memory_bytes(process.of("0::/job\n", V2)) == 1 << 29
    process.write("job/memory.high", f"{1 << 28}\n")
    assert machine.memory_bytes(process.proc) == 1 << 28
    mounts = V1.format(below="/", root="{root}", names="memory")
    (process.mounted / "memory.max").unlink()
    process.write("v1/memory.limit_in_bytes", "9223372036854771712\n")
    assert machine.memory_bytes(process.of("4:memory:/v1\n", mounts)) == installed, "no limit, as version 1 says it"


def test_without_control_groups_the_machine_counts(many, tmp_path):
    assert machine.processors(tmp_path / "absent") == 128


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60), quota=st.text(max_size=20))
def test_whatever_the_kernel_says_there_is_a_processor(process, text, quota):
    process.write("cpu.max", quota.encode("utf-8", "replace").decode())
    (process.proc / "cgroup").write_bytes(b"0::/\n" + text.encode("utf-8", "replace"))
    assert 1 <= machine.processors(process.of("0::/\n", V2)) <= len(os.sched_getaffinity(0))


def test_one_processor_is_one_run_at_a_time():
    """The real thing: a process that may run on one processor."""
    here = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(here)})
        assert machine.processors() == 1
    finally:
        os.sched_setaffinity(0, here)
