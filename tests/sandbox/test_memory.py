"""Memory verdicts in numbers: programs over their limit are told, programs below it are left alone; on every rung."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from mlesearch.sandbox.inside import cgroup
from mlesearch.sandbox.protocol import MIB, Job, Limits, Sandbox, Spec
from mlesearch.types import ExecResult, ExecStatus, SandboxUnavailable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
N, AT_ONCE = 100, 4
LIMITS = Limits(time_s=60, memory_bytes=480 * MIB, cpu_count=2)

OVER = {
    "one huge array": "import numpy as np\nnp.ones({over} << 17)",
    "many arrays": "import numpy as np\nkept = []\nwhile True:\n    kept.append(np.ones({step} << 17))",
    "slowly": "import time\nkept = []\nwhile True:\n    kept.append(b'x' * ({step} << 20))\n    time.sleep(0.02)",
    "a short peak": "kept = b'x' * ({over} << 20)\ndel kept\nprint('done')",
    "a list": "kept = []\nwhile True:\n    kept.append(object())",
    "a mapping": "import mmap\nm = mmap.mmap(-1, {over} << 20)\nfor i in range(0, len(m), 4096):\n    m[i] = 1",
    "threads": (
        "import threading, time\nkept = []\ndef grow():\n    for _ in range(40):\n"
        "        kept.append(b'x' * (4 << 20))\n        time.sleep(0.01)\n"
        "threads = [threading.Thread(target=grow) for _ in range(8)]\n"
        "[t.start() for t in threads]\n[t.join() for t in threads]\ntime.sleep(1)"
    ),
    "children together": (
        "import os, time\nfor _ in range(5):\n    if os.fork() == 0:\n        kept = os.urandom(1 << 20) * {fifth}\n"
        "        time.sleep(20)\n        os._exit(0)\ntime.sleep(20)"
    ),
    "a child whose end is ignored": (
        "import os\nif os.fork() == 0:\n    kept = []\n    while True:\n        kept.append(b'x' * ({step} << 20))\n"
        "os.wait()\nopen('submission.csv', 'w').write('id')"
    ),
    "a child that only peaks": (
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'x = b\"x\" * ({over} << 20); del x'])"
    ),
}
BELOW = {
    "one array": "fill(room())",
    "threads": (
        "import threading\npart = room() / 21\n"
        "parts = [threading.Thread(target=fill, args=(part,)) for _ in range(21)]\n"
        "[t.start() for t in parts]\n[t.join() for t in parts]"
    ),
    "children": (
        "import os, time\npids, part = [], room() / 3\nfor _ in range(3):\n    pid = os.fork()\n    if pid == 0:\n"
        "        fill(part)\n        time.sleep(0.5)\n        os._exit(0)\n    pids.append(pid)\n"
        "assert all(os.waitpid(pid, 0)[1] == 0 for pid in pids)"
    ),
    "OpenMP": (
        "import numpy as np\nfrom sklearn.ensemble import HistGradientBoostingClassifier\n"
        "X = np.random.rand(2000, 10)\nHistGradientBoostingClassifier(max_iter=5).fit(X, X[:, 0] > 0.5)\nfill(room())"
    ),
    "BLAS": "import numpy as np\na = np.random.rand(600, 600)\n(a @ a).sum()\nfill(room())",
    "up and down": "for _ in range(5):\n    fill(room())\n    kept.clear()",
}
_FILL = """
import mmap
kept = []
def room():
    "Bytes from here to the goal."
    with open("/proc/self/statm") as file:
        return {goal} - int(file.read().split()[1]) * mmap.PAGESIZE
def fill(size):
    for _ in range(int(size / (1 << 20))):
        kept.append(b"x" * (1 << 20))
"""


def rungs() -> Iterator[tuple[str, bool]]:
    for name in ("local", "bubblewrap", "docker"):
        for with_group in (True, False):
            if not (name == "docker" and not with_group):
                yield name, with_group


@pytest.fixture(scope="module", params=list(rungs()), ids=lambda p: f"{p[0]}{'' if p[1] else ' without a group'}")
def rung(request) -> Iterator[Sandbox]:
    from mlesearch.sandbox.rungs.bubblewrap import BubblewrapSandbox
    from mlesearch.sandbox.rungs.docker import DockerSandbox
    from mlesearch.sandbox.rungs.local import LocalSandbox

    name, with_group = request.param
    if with_group and name != "docker" and not cgroup.parents():
        pytest.skip("no control group can be written here")
    try:
        if name == "docker":
            made: Sandbox = DockerSandbox(image="host", warm=False)
        elif name == "local":
            made = LocalSandbox(use_cgroup=with_group)
        else:
            made = BubblewrapSandbox(warm=False, use_cgroup=with_group)
        made.check()
    except SandboxUnavailable as lack:
        pytest.skip(f"NO {name.upper()}: {lack}")
    with closing(made) as sandbox:
        assert ("oom_signal: advisory" in sandbox.promises()) is not with_group
        yield sandbox


def run_all(rung: Sandbox, tmp_path: Path, programs: list[tuple[str, str]]) -> list[tuple[str, ExecResult]]:
    (tmp_path / "public").mkdir()

    def one(k: int) -> tuple[str, ExecResult]:
        name, program = programs[k]
        slot = rung.prepare(Spec("t@1", tmp_path / "public", limits=LIMITS))
        return name, rung.run(slot, Job(str(k), program, 60.0, tmp_path / f"out-{k}"))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(len(programs))))


def test_programs_over_the_limit_are_told(rung, tmp_path, record_property):
    draw = random.Random(1)
    programs = []
    for k in range(N):
        name = list(OVER)[k % len(OVER)]
        over = draw.randrange(520, 700)
        programs.append((name, OVER[name].format(over=over, step=draw.choice([1, 4, 16, 64]), fifth=over // 5)))
    results = run_all(rung, tmp_path, programs)
    missed = Counter(f"{name}: {r.status} {r.reason}" for name, r in results if r.status is not ExecStatus.OOM)
    record_property("oom", N - missed.total())
    print(f"{rung.name}: {N - missed.total()} of {N} programs over the limit reported oom; missed: {dict(missed)}")
    assert missed.total() <= (5 if "oom_signal: advisory" in rung.promises() else 0), missed


def test_programs_below_the_limit_are_left_alone(rung, tmp_path, record_property):
    programs = []
    for k in range(N):
        name = list(BELOW)[k % len(BELOW)]
        head = _FILL.format(goal=int(0.8 * LIMITS.memory_bytes))
        programs.append((name, head + BELOW[name]))
    results = run_all(rung, tmp_path, programs)
    wrong = Counter(f"{name}: {r.status} {r.reason}" for name, r in results if r.status is not ExecStatus.OK)
    print(f"{rung.name}: {wrong.total()} of {N} programs at 80 % of the limit ended; {dict(wrong)}")
    peaks = [r.peak_memory_bytes for _, r in results]
    assert not wrong
    assert min(peaks) > 0.5 * LIMITS.memory_bytes
