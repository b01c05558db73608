"""The local rung's processes: servers and supervisors that die or hang, orphans, forks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from mlesearch.sandbox.inside import landlock, tree
from mlesearch.sandbox.protocol import Spec
from mlesearch.sandbox.results import report
from mlesearch.sandbox.rungs.local import LocalSandbox
from mlesearch.testing.sandbox_contract.processes import gone, processes_with
from mlesearch.types import ExecStatus, SandboxUnavailable
from tests.support.rung_jobs import job, small_spec
from tests.support.waiting import wait_for

if landlock.abi() < 1:
    pytest.skip("this kernel has no Landlock, so there is no local rung", allow_module_level=True)


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    return small_spec(tmp_path)


def test_a_dead_fork_server_is_restarted(spec: Spec, tmp_path: Path) -> None:
    with closing(LocalSandbox(warm=False)) as rung:
        slot = rung.prepare(spec)
        os.kill(slot.server.pid, signal.SIGKILL)
        assert rung.run(slot, job(tmp_path, "print(1)")).stdout.text == "1\n"  # its supervisor lives on
        again = rung.prepare(spec)
        assert again.server.pid != slot.server.pid
        assert rung.run(again, job(tmp_path, "print(2)")).stdout.text == "2\n"


def test_a_supervisor_that_does_not_answer_is_given_up(spec: Spec, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(report, "PATIENCE_S", 0.5)
    with closing(LocalSandbox(warm=False)) as rung:
        slot = rung.prepare(spec)
        (supervisor,) = wait_for(lambda: tree.children(slot.server.pid))
        os.kill(supervisor, signal.SIGSTOP)
        began = time.monotonic()
        try:
            with pytest.raises(SandboxUnavailable, match="ended without a report"):
                rung.run(slot, job(tmp_path, "print(1)", 0.5))
            assert time.monotonic() - began < 10
        finally:
            os.kill(supervisor, signal.SIGCONT)


@pytest.mark.parametrize("with_group", [True, False])
def test_a_killed_supervisor_leaves_nothing(with_group: bool, spec: Spec, tmp_path: Path) -> None:
    mark = f"below-{os.getpid()}-{time.monotonic_ns()}"
    sleep = f"[sys.executable, '-S', '-c', 'import time; time.sleep(60)', '{mark}']"
    program = (
        "import os, subprocess, sys, time\nfor _ in range(3):\n    if os.fork():\n        time.sleep(60)\n"
        f"    os.setsid()\nsubprocess.run({sleep})"
    )
    with closing(LocalSandbox(warm=False, use_cgroup=with_group)) as rung, ThreadPoolExecutor(1) as pool:
        slot = rung.prepare(spec)
        (supervisor,) = wait_for(lambda: tree.children(slot.server.pid))
        running = pool.submit(rung.run, slot, job(tmp_path, program, 60.0))
        wait_for(lambda: processes_with(f"60)\0{mark}"))
        below = tree.descendants(supervisor)
        assert len(below) == 5
        os.kill(supervisor, signal.SIGKILL)
        with pytest.raises(SandboxUnavailable, match="ended without a report"):
            running.result(20)
        assert not tree.living(below)
        assert slot.group is None or not any(map(os.path.exists, slot.group.folders))
        assert not slot.folder.exists()
        again = rung.run(rung.prepare(spec), job(tmp_path, "print(1)"))
        assert (again.status, again.stdout.text) == (ExecStatus.OK, "1\n")


def test_a_server_that_ends_leaves_nothing_of_a_killed_supervisor(spec: Spec, tmp_path: Path) -> None:
    mark = f"last-{os.getpid()}-{time.monotonic_ns()}"
    sleep = f"[sys.executable, '-S', '-c', 'import time; time.sleep(60)', '{mark}']"
    program = f"import os, subprocess, sys\nos.fork() and os.wait()\nos.fork() and os.wait()\nsubprocess.run({sleep})"
    with closing(LocalSandbox(warm=False)) as rung, ThreadPoolExecutor(1) as pool:
        slot = rung.prepare(spec)
        (supervisor,) = wait_for(lambda: tree.children(slot.server.pid))
        running = pool.submit(report.ask, slot.conn, job(tmp_path, program, 60.0), sorted(os.sched_getaffinity(0)))
        wait_for(lambda: processes_with(f"60)\0{mark}"))
        below = tree.descendants(supervisor)
        os.kill(slot.server.pid, signal.SIGSTOP)  # it learns of both at once
        os.kill(supervisor, signal.SIGKILL)
        wait_for(lambda: not tree.living([supervisor]))
        slot.server._control.close()
        os.kill(slot.server.pid, signal.SIGCONT)
        assert slot.server.ends(10)
        assert not tree.living(below)
        assert running.result(20) is None


def test_when_memory_is_short_the_program_goes_before_its_supervisor(spec: Spec) -> None:
    with closing(LocalSandbox(warm=False)) as rung:
        slot = rung.prepare(spec)

        def alone() -> list[int]:
            below = tree.descendants(slot.server.pid)[1:]
            return below if len(below) == 1 else []  # what it imports may start a process of its own for a moment

        (program,) = wait_for(alone)
        wait_for(lambda: Path(f"/proc/{program}/oom_score_adj").read_text() == "1000\n")


def test_unused_slots_go_away(spec: Spec) -> None:
    rung = LocalSandbox(warm=False)
    slots = [rung.prepare(spec) for _ in range(3)]
    time.sleep(0.2)
    rung.close()
    assert not any(slot.folder.exists() for slot in slots)
    assert not slots[0].folder.parent.exists()
    rung.close()


_ORCHESTRATOR = """
import sys, time
from pathlib import Path
from typing import ClassVar
from mlesearch.sandbox.rungs.local import LocalSandbox
from mlesearch.sandbox.protocol import Job, Spec
rung = LocalSandbox(warm=False)
slots = [rung.prepare(Spec("t@1", Path(sys.argv[1]))) for _ in range(2)]
print(slots[0].folder.parent, flush=True)
sleep = f"[sys.executable, '-c', 'import time; time.sleep(60)', '{sys.argv[2]}']"
program = f"import subprocess, sys, time\\nsubprocess.Popen({sleep})\\ntime.sleep(60)"
rung.run(slots[0], Job("a", program, 60.0, Path(sys.argv[1]).parent / "out"))
"""


def test_orphans_are_reaped_and_nothing_else(spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLESEARCH_SCRATCH", str(tmp_path / "scratch"))
    mark = f"reaped-{os.getpid()}-{time.monotonic_ns()}"
    with closing(LocalSandbox(warm=False)) as living:
        slot = living.prepare(spec)
        command = [sys.executable, "-c", _ORCHESTRATOR, str(spec.input_dir), mark]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        wait_for(lambda: processes_with(f"60)\0{mark}"))
        assert living.reap_orphans() == 0
        process.kill()
        process.wait()
        process.stdout.close()
        assert gone(mark, 15)
        strange = folder.parent / "local-of-somebody"
        strange.mkdir()
        assert folder.exists()
        assert living.reap_orphans() == 1
        assert not folder.exists()
        assert strange.exists()
        assert slot.folder.exists()
        assert living.reap_orphans() == 0


def test_a_fork_of_the_orchestrator_starts_afresh(spec: Spec, tmp_path: Path) -> None:
    with closing(LocalSandbox(warm=False)) as rung:
        rung.run(rung.prepare(spec), job(tmp_path, "print(1)"))
        child = os.fork()
        if child == 0:
            ok = False
            try:
                ok = rung.run(rung.prepare(spec), job(tmp_path, "print(2)")).stdout.text == "2\n"
                rung.close()
            finally:
                os._exit(0 if ok else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert rung.run(rung.prepare(spec), job(tmp_path, "print(3)")).stdout.text == "3\n"
