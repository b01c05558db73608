"""Private control groups: real ones where this machine lets us, and version 2 with the kernel's files imitated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlesearch.sandbox.inside import cgroup

MIB = 1 << 20


@pytest.fixture
def group():
    made = cgroup.create(64 * MIB, 20)
    if made is None:
        pytest.skip("no control group can be written here")
    yield made
    made.remove()


def run_in(group: cgroup.Group, program: str) -> int:
    """Exit code of a Python program that enters the group first."""
    enter = "import os\nfor folder in {!r}: open(folder + '/cgroup.procs', 'w').write(str(os.getpid()))\n"
    code = enter.format(list(group.folders)) + program
    return subprocess.run([sys.executable, "-S", "-c", code], stderr=subprocess.DEVNULL, check=False).returncode


def test_the_kernel_kills_and_counts(group):
    counters = cgroup.Counters.of(group.as_request())
    assert counters is not None
    assert run_in(group, "x = b'x' * (40 << 20)") == 0
    assert counters.oom_kills() == 0
    assert run_in(group, "x = b'x' * (400 << 20)") == -9
    assert counters.oom_kills() >= 1
    assert counters.refused_tasks() == 0
    forks = "import time\nfor _ in range(50):\n    if os.fork() == 0:\n        time.sleep(0.5)\n        os._exit(0)\n"
    assert run_in(group, forks) == 1
    assert counters.refused_tasks() >= 1
    counters.close()


def test_only_groups_of_the_dead_are_reaped(group):
    if not cgroup.parents():
        pytest.skip("no control group can be written here")
    dead = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
    started = cgroup._started(dead.pid)
    left = [Path(folder, f"{cgroup.PREFIX}{dead.pid}-{started}-{os.urandom(4).hex()}") for folder in cgroup.parents()]
    for path in left:
        path.mkdir()
    cgroup.reap()
    assert all(path.exists() for path in left)
    dead.kill()
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is not waited for
    cgroup.reap()
    dead.wait()
    assert not any(path.exists() for path in left)
    assert all(Path(folder).exists() for folder in group.folders)


class _Kernel:
    """A folder that behaves as a version 2 hierarchy: its control files come and go with each group."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        make, remove = os.mkdir, os.rmdir

        def mkdir(path, *arguments):
            make(path, *arguments)
            if str(path).startswith(str(root)):
                self._fill(Path(path))

        def rmdir(path, **options):
            if str(path).startswith(str(root)):
                for file in Path(path).iterdir():
                    file.unlink()
            remove(path, **options)

        self._fill(root)
        monkeypatch.setattr(cgroup, "_ROOT", str(root))
        monkeypatch.setattr(cgroup.os, "mkdir", mkdir)
        monkeypatch.setattr(cgroup.os, "rmdir", rmdir)
        cgroup._parents.cache_clear()

    @staticmethod
    def _fill(folder: Path) -> None:
        for name, text in {
            "cgroup.controllers": "cpuset cpu io memory pids\n",
            "cgroup.subtree_control": "",
            "cgroup.procs": "",
            "memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n",
            "pids.events": "max 0\n",
        }.items():
            (folder / name).write_text(text)


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    yield _Kernel(tmp_path, monkeypatch)
    monkeypatch.undo()
    cgroup._parents.cache_clear()


def test_version_two_takes_the_nearest_group_that_hands_both_controllers_down(kernel, monkeypatch):
    inner = kernel.root / "user.slice" / "mine.scope"
    (kernel.root / "user.slice").mkdir()
    kernel._fill(kernel.root / "user.slice")
    inner.mkdir()
    kernel._fill(inner)
    monkeypatch.setattr(cgroup, "_own", lambda controller: "/user.slice/mine.scope")
    assert cgroup.parents() == ()  # none hands down what is needed
    cgroup._parents.cache_clear()
    (kernel.root / "cgroup.subtree_control").write_text("memory pids\n")
    (kernel.root / "user.slice" / "cgroup.subtree_control").write_text("cpu memory pids\n")
    assert cgroup.parents() == (str(kernel.root / "user.slice"),)
    made = cgroup.create(64 * MIB, 20)
    assert made is not None
    (folder,) = map(Path, made.folders)
    assert folder.parent == kernel.root / "user.slice"
    assert (folder / "memory.max").read_text() == str(64 * MIB)
    assert (folder / "memory.swap.max").read_text() == "0"
    assert (folder / "pids.max").read_text() == "20"
    counters = cgroup.Counters.of(made.as_request())
    assert counters is not None
    (folder / "memory.events").write_text("oom 3\noom_kill 2\n")
    (folder / "pids.events").write_text("max 5\n")
    assert (counters.oom_kills(), counters.refused_tasks()) == (2, 5)
    counters.close()
    made.remove()
    assert not folder.exists()


def test_a_kernel_that_counts_no_kills_gives_no_group(kernel, monkeypatch):
    (kernel.root / "cgroup.subtree_control").write_text("memory pids\n")
    monkeypatch.setattr(cgroup, "_own", lambda controller: "/")
    fill = _Kernel._fill

    def older(folder: Path) -> None:
        fill(folder)
        (folder / "memory.events").write_text("low 0\nmax 0\n")

    monkeypatch.setattr(_Kernel, "_fill", staticmethod(older))
    assert cgroup.parents() == (str(kernel.root),)
    assert cgroup.create(64 * MIB, 20) is None
    assert not list(kernel.root.glob(f"{cgroup.PREFIX}*"))
