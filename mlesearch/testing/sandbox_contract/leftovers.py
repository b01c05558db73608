"""What is left of a program once it has ended: nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from mlesearch.sandbox import scratch
from mlesearch.sandbox.protocol import Job
from mlesearch.testing.sandbox_contract.base import Bench, Checks
from mlesearch.testing.sandbox_contract.processes import gone, processes_with, sleeper
from mlesearch.types import ExecStatus, SandboxUnavailable


def _footprint() -> tuple[list[str], list[str], list[str]]:
    """Of this process: its descriptors, its mounts, and the folders of slots that it owns."""
    descriptors = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the listing itself
            descriptors.append(os.readlink(f"/proc/self/fd/{fd}"))
    root = os.path.realpath(scratch.root())
    locks = [Path(path) for path in descriptors if path.startswith(root) and path.endswith("/lock")]
    slots = {str(path) for lock in locks for path in lock.parent.iterdir()}
    mounts = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return descriptors, [m for m in mounts if "mlesearch" in m], sorted(slots)


class LeftoverChecks(Checks):
    """Every process of a program ends, and every folder, mount and descriptor goes."""

    def test_a_daemon_fails_the_program_and_dies(self, bench: Bench) -> None:
        mark = f"daemon-{os.getpid()}-{time.monotonic_ns()}"
        program = (
            "import os, subprocess, sys\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
            f"        os.execv(sys.executable, {sleeper(mark)})\n    os._exit(0)\nos.wait()\n"
            "open('submission.csv', 'w').write('id\\n')"
        )
        result = bench.run(program)
        assert (result.status, result.reason) == (ExecStatus.ERROR, "left 1 background process(es) running")
        assert gone(mark, 0.5)

    def test_children_end_with_the_deadline(self, bench: Bench) -> None:
        mark = f"child-{os.getpid()}-{time.monotonic_ns()}"
        program = (
            "import subprocess, sys, time\nfor _ in range(3):\n"
            f"    subprocess.Popen({sleeper(mark)}, start_new_session=True)\ntime.sleep(60)"
        )
        assert bench.run(program, deadline_s=1.0).status is ExecStatus.TIMEOUT
        assert gone(mark, 0.5)

    def test_what_starts_while_the_tree_is_killed_dies_too(self, bench: Bench) -> None:
        mark = f"late-{os.getpid()}-{time.monotonic_ns()}"
        late = f"{sys.executable} -S -c 'import time; time.sleep(20)' {mark}"
        program = (
            "import os, sys\nread, write = os.pipe()\nos.set_inheritable(write, True)\n"
            "for _ in range(150):\n    os.fork() or os._exit(0)\n"  # the list of whom to kill gets long
            "if os.fork() == 0:\n    os.close(write)\n    os.dup2(read, 9)\n"
            f"    os.execv('/bin/sh', ['sh', '-c', {f'read x <&9; {late} & exit'!r}])\n"
            "os.execv(sys.executable, [sys.executable, '-S', '-c', 'import time; time.sleep(60)'])"
        )
        began = time.monotonic()
        assert bench.run(program, deadline_s=0.8).status is ExecStatus.TIMEOUT
        assert time.monotonic() - began < 10
        assert gone(mark, 0.5)

    def test_nothing_is_left_on_the_host(self, bench: Bench) -> None:
        bench.run("open('f', 'w').write('x')\nimport os\nos.mkdir('d', 0)\nopen(os.environ['TMPDIR'] + '/t', 'w')")
        bench.sandbox.close()  # what it keeps ready, of which there may be more at any moment, is no leftover
        before = _footprint()
        for end in ("", "\nos.kill(os.getpid(), 9)", "\nwhile True: pass"):
            bench.run("import os\nos.makedirs('a/b/c')\nos.symlink('/', 'a/b/root')" + end, deadline_s=1.0)
        unused = bench.sandbox.prepare(bench.spec())
        with contextlib.suppress(SandboxUnavailable):
            bench.sandbox.run(unused, Job("contract", "x" * 3, 1.0, bench.root / "out"))
        bench.sandbox.close()
        after = _footprint()
        assert len(after[0]) <= len(before[0]), after[0]
        assert after[1:] == before[1:]

    def test_a_killed_orchestrator_leaves_nothing(self, bench: Bench) -> None:
        mark = f"orphan-{os.getpid()}-{time.monotonic_ns()}"
        program = (
            f"import subprocess, sys, time\nsubprocess.Popen({sleeper(mark)}, start_new_session=True)\ntime.sleep(60)"
        )
        orchestrator = os.fork()
        if orchestrator == 0:
            try:
                bench.run(program, deadline_s=60)
            finally:
                os._exit(0)
        end = time.monotonic() + 60
        while not processes_with(mark) and time.monotonic() < end:
            time.sleep(0.02)
        assert processes_with(mark), "the program never began"
        os.kill(orchestrator, signal.SIGKILL)
        os.waitpid(orchestrator, 0)
        assert gone(mark, 15)
        bench.sandbox.reap_orphans()
