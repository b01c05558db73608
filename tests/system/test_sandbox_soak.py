"""Hundreds of programs and dozens of killed orchestrators: everything ends where it began, on every rung."""

from __future__ import annotations

import gc
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from mlesearch.sandbox import ladder, scratch
from mlesearch.sandbox.inside import cgroup, contain, memory, tree
from mlesearch.sandbox.protocol import MIB, Job, Limits, Sandbox, Spec
from mlesearch.sandbox.rungs import docker_daemon
from mlesearch.storage import processes
from mlesearch.types import ExecStatus, SandboxUnavailable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
RUNS, AT_ONCE, KILLS = 500, 4, 50
LIMITS = Limits(time_s=30, memory_bytes=300 * MIB, disk_bytes=16 * MIB, file_bytes=8 * MIB, processes=60, entries=3000)

_CHILD = "[sys.executable, '-S', '-c', 'import time; time.sleep(60)']"
PROGRAMS: dict[str, tuple[str, set[ExecStatus]]] = {
    "prints": ("print('x' * 1000)", {ExecStatus.OK}),
    "writes": ("open('submission.csv', 'w').write('id,y\\n1,2\\n')", {ExecStatus.OK}),
    "computes": ("import numpy as np\nprint(np.linalg.svd(np.random.rand(80, 80))[1][0])", {ExecStatus.OK}),
    "starts a child": (f"import subprocess, sys\nsubprocess.Popen({_CHILD}).kill()", {ExecStatus.OK}),
    "raises": ("raise ValueError('no')", {ExecStatus.ERROR}),
    "leaves early": ("import sys\nsys.exit(3)", {ExecStatus.ERROR}),
    "ends itself": ("import os\nos.kill(os.getpid(), 11)", {ExecStatus.KILLED}),
    "sleeps": ("import signal, time\nsignal.signal(15, signal.SIG_IGN)\ntime.sleep(60)", {ExecStatus.TIMEOUT}),
    "never sleeps": ("while True: pass", {ExecStatus.TIMEOUT}),
    "a daemon": (
        "import os, sys\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        f"        os.execv(sys.executable, {_CHILD})\n    os._exit(0)\nos.wait()",
        {ExecStatus.ERROR},
    ),
    "children": (
        f"import subprocess, sys, time\nfor _ in range(4):\n    subprocess.Popen({_CHILD}, start_new_session=True)\n"
        "time.sleep(60)",
        {ExecStatus.TIMEOUT},
    ),
    "many children": (
        "import os, time\nfor _ in range(200):\n    if os.fork() == 0:\n        time.sleep(60)\ntime.sleep(60)",
        {ExecStatus.PIDS},
    ),
    "memory": ("kept = []\nwhile True: kept.append(b'x' * (8 << 20))", {ExecStatus.OOM}),
    "disk": ("n = 0\nwhile True:\n    open(str(n), 'wb').write(bytes(4 << 20))\n    n += 1", {ExecStatus.DISK_LIMIT}),
    "entries": ("n = 0\nwhile True:\n    open(str(n), 'w').close()\n    n += 1", {ExecStatus.DISK_LIMIT}),
    "deep": ("import os\nwhile True:\n    os.mkdir('d')\n    os.chdir('d')", {ExecStatus.DISK_LIMIT}),
    "closed folders": ("import os\nos.makedirs('a/b')\nos.chmod('a/b', 0)\nos.chmod('a', 0)", {ExecStatus.OK}),
    "links": ("import os\nos.symlink('/', 'root')\nos.mkfifo('submission.csv')", {ExecStatus.OK}),
    "output": ("for _ in range(500): print('x' * 100_000)", {ExecStatus.OK}),
}


@pytest.fixture(params=["local", "bubblewrap", "docker"])
def name(request, tmp_path, monkeypatch) -> Iterator[str]:
    monkeypatch.setenv("MLESEARCH_SCRATCH", str(tmp_path / "scratch"))
    (rung,) = ladder.probe([request.param], {"image": "host"})
    if not rung.works:
        pytest.skip(f"NO {rung.name.upper()}: {rung.why}")
    yield request.param
    ladder._probe.cache_clear()


@pytest.fixture
def subreaper() -> Iterator[None]:
    """Whoever loses its parent becomes a child of this process, so that survivors can be counted."""
    contain.be_subreaper()
    yield
    contain.prctl(contain._PR_SET_CHILD_SUBREAPER, 0)


def params(name: str) -> dict[str, object]:
    return {"warm": "on" if name == "local" else "off", **({"image": "host"} if name == "docker" else {})}


def survivors(known: Sequence[int], within_s: float) -> list[str]:
    """Processes below this one that are neither known children nor below one, after at most that long."""
    end = time.monotonic() + within_s
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        strange = [pid for pid in tree.children(os.getpid()) if pid not in known]
        left = tree.living([pid for child in strange for pid in (child, *tree.descendants(child))])
        if not left or time.monotonic() > end:
            return [f"{pid}: {Path(f'/proc/{pid}/cmdline').read_text()[:200]}" for pid in left]
        time.sleep(0.05)


def containers() -> list[str]:
    """Of all orchestrators of this machine that have ended or are this process."""
    try:
        client = docker_daemon.connect()
    except SandboxUnavailable:
        return []
    try:
        found = client.api.containers(all=True, filters={"label": "org.mlesearch.owner"})
        owners = [c["Labels"]["org.mlesearch.owner"] for c in found]
        return [each for each in owners if each == processes.owner() or not processes.alive(each)]
    finally:
        client.close()


def reaped(sandbox: Sandbox) -> int:
    """How much was reaped, until the daemon is quiet: it may still finish what a dead orchestrator had asked for."""
    total = sandbox.reap_orphans()
    quiet = 0 if sandbox.name == "docker" else 4
    while quiet < 4:
        time.sleep(0.4)
        more = sandbox.reap_orphans()
        total, quiet = total + more, 0 if more else quiet + 1
    return total


def groups(pids: Sequence[int]) -> list[str]:
    """Control groups that these processes made."""
    marks = tuple(f"{cgroup.PREFIX}{pid}-" for pid in pids)
    return [name for folder in cgroup.parents() for name in os.listdir(folder) if name.startswith(marks)]


def mounts() -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(scratch.root()) in line]


def resident() -> int:
    gc.collect()
    return memory.resident([os.getpid()])


def test_hundreds_of_programs(name, subreaper, tmp_path):
    (tmp_path / "public").mkdir()
    before = tree.children(os.getpid())
    draw = random.Random(7)
    wrong: Counter[str] = Counter()
    with closing(ladder.make(name, params(name))) as sandbox:
        spec = Spec("t@1", tmp_path / "public", limits=LIMITS)

        def one(k: int) -> None:
            what = names[k]
            program, allowed = PROGRAMS[what]
            result = sandbox.run(
                sandbox.prepare(spec), Job(str(k), program, deadlines[k], tmp_path / "out" / str(k % 8))
            )
            if result.status not in {*allowed, ExecStatus.TIMEOUT}:
                wrong[f"{what}: {result.status} {result.reason}"] += 1

        def run(count: int) -> tuple[int, int]:
            names[:] = [draw.choice(list(PROGRAMS)) for _ in range(count)]
            deadlines[:] = [1.0 if PROGRAMS[n][1] == {ExecStatus.TIMEOUT} else 30.0 for n in names]
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(one, range(count)))
            return len(os.listdir("/proc/self/fd")), resident()

        names: list[str] = []
        deadlines: list[float] = []
        descriptors, memory = run(40)
        known = tree.children(os.getpid()) if name == "local" else before
        then_descriptors, then_memory = run(RUNS - 40)
        grown = (then_memory - memory) / MIB
        print(f"{name}: {RUNS} runs; descriptors {descriptors} -> {then_descriptors}; memory {grown:+.1f} MiB")
        assert not wrong
        assert then_descriptors <= descriptors
        assert grown < 24
        assert survivors(known, 5.0) == []
        assert [p.name for p in scratch.root().glob("*/*/work")] == []
        assert groups([os.getpid()]) == []
        assert containers() == []
        assert mounts() == []
        assert sandbox.reap_orphans() == 0
    assert survivors(before, 5.0) == []
    assert [p.name for p in scratch.root().iterdir()] == ["cpu"]


_ORCHESTRATOR = """
import json, sys, random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from mlesearch.sandbox import ladder
from mlesearch.sandbox.protocol import Job, Limits, Spec
name, params, programs, limits, folder, seed = json.loads(sys.argv[1])
sandbox = ladder.make(name, params)
spec = Spec("t@1", Path(folder) / "public", limits=Limits(**limits))
draw = random.Random(seed)
def one(k):
    sandbox.run(sandbox.prepare(spec), Job(str(k), programs[k], 20.0, Path(folder) / "out"))
print("begun", flush=True)
with ThreadPoolExecutor(4) as pool:
    list(pool.map(one, [draw.randrange(len(programs)) for _ in range(1000)]))
"""


def test_dozens_of_killed_orchestrators(name, subreaper, tmp_path):
    import json
    from dataclasses import asdict

    (tmp_path / "public").mkdir()
    before = tree.children(os.getpid())
    draw = random.Random(11)
    programs = [program for program, _ in PROGRAMS.values()]
    pids, removed = [], 0
    with closing(ladder.make(name, params(name))) as living:
        slot = living.prepare(Spec("t@1", tmp_path / "public", limits=LIMITS))
        (scratch.root() / f"{name}-of-somebody").mkdir()
        known = tree.children(os.getpid())
        for k in range(KILLS):
            words = json.dumps([name, params(name), programs, asdict(LIMITS), str(tmp_path), k])
            with subprocess.Popen([sys.executable, "-c", _ORCHESTRATOR, words], stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == b"begun\n"
                pids.append(process.pid)
                time.sleep(draw.uniform(0.0, 1.5))
                assert living.reap_orphans() == 0  # a living owner's things are not touched
                process.send_signal(signal.SIGKILL)
            assert survivors(known, 10.0) == [], f"after kill {k}"
            removed += reaped(living)
            assert groups([process.pid]) == [], f"after kill {k}"
        print(f"{name}: {KILLS} orchestrators killed; {removed} things reaped")
        assert living.reap_orphans() == 0
        assert containers() == ([processes.owner()] if name == "docker" else [])
        assert mounts() == []
        assert (scratch.root() / f"{name}-of-somebody").exists()
        result = living.run(slot, Job("a", "print(1)", 20.0, tmp_path / "out"))
        assert (result.status, result.stdout.text) == (ExecStatus.OK, "1\n")
    (scratch.root() / f"{name}-of-somebody").rmdir()
    assert [p.name for p in scratch.root().iterdir()] == ["cpu"]
    assert groups(pids) == []
    assert containers() == []
    assert survivors(before, 5.0) == []
