"""GPUs: what is found, who gets one and when, and that no death leaves one taken."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from mlesearch.sandbox.gpu.devices import Gpu, GpuLease, Inventory, describe, inventory
from mlesearch.sandbox.gpu.pool import POLL_S, GpuPool
from mlesearch.sandbox.gpu.sandbox import GpuSandbox
from mlesearch.sandbox.inside import landlock
from mlesearch.sandbox.protocol import Spec
from mlesearch.sandbox.rungs.local import LocalSandbox
from mlesearch.testing.sandbox_contract.processes import gone, processes_with
from mlesearch.testing.scripted_sandbox import ScriptedSandbox
from mlesearch.types import ConfigError, ExecStatus
from tests.support.command import python
from tests.support.gpu_machine import answer, entry, gpus, install
from tests.support.rung_jobs import job, small_spec
from tests.support.waiting import wait_for

local_only = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")


# inventory


def test_the_inventory_is_what_nvidia_smi_lists(tmp_path: Path) -> None:
    command = install(tmp_path / "bin", answer(*map(entry, gpus(2))))
    assert inventory(str(command)) == Inventory(gpus(2))


@pytest.mark.parametrize(
    ("says", "exit_code", "said"),
    [
        ("NVIDIA-SMI has failed: no driver", 9, "failed: NVIDIA-SMI has failed: no driver"),
        ("", 1, "failed: exit code 1"),
        ("not xml", 0, "gave an answer that can't be read"),
        (answer(), 0, "lists no GPU"),
        (answer("<gpu></gpu>"), 0, "GPU 0 has no uuid or no name"),
        (answer(entry(gpus(1)[0], "Enabled")), 0, "left out, since they are split into MIG instances: GPU-0000"),
    ],
)
def test_why_there_is_none_is_said(says: str, exit_code: int, said: str, tmp_path: Path) -> None:
    found = inventory(str(install(tmp_path / "bin", says, exit_code)))
    assert found.gpus == ()
    assert said in found.said
    assert "\n" not in found.said


def test_without_nvidia_smi_there_is_none() -> None:
    assert inventory("nvidia-smi-that-nobody-has").said == "nvidia-smi-that-nobody-has is not installed"


@pytest.mark.parametrize(
    ("visible", "kept"),
    [
        ("2,0", [2, 0]),
        ("GPU-11", [1]),
        ("GPU-3333,1", [3, 1]),
        ("1,9,2", [1]),  # CUDA stops at the first that names none
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
    ],
)
def test_cuda_visible_devices_narrows_it_as_cuda_reads_it(visible: str, kept: list[int], tmp_path: Path) -> None:
    command = install(tmp_path / "bin", answer(*map(entry, gpus(4))))
    found = inventory(str(command), visible)
    assert [g.index for g in found.gpus] == kept
    assert bool(found.said) == (not kept)


# the pool


def test_breadth_first_and_never_more_than_there_are(tmp_path: Path) -> None:
    pool = GpuPool(gpus(4), 2, tmp_path)
    leases = [lease for _ in range(8) if (lease := pool.try_lease()) is not None]
    assert [lease.gpu.index for lease in leases] == [0, 1, 2, 3, 0, 1, 2, 3]
    assert pool.try_lease() is None
    assert len({(lease.gpu.uuid, lease.slot) for lease in leases}) == 8
    leases[6].close()
    leases[2].close()  # now GPU 2 is empty and the others have two each
    again = pool.try_lease()
    assert again is not None
    assert again.gpu.index == 2
    for lease in (*leases, again):
        lease.close()
        lease.close()
    assert pool.held() == []


def test_a_process_that_allows_fewer_is_respected(tmp_path: Path) -> None:
    alone = GpuPool(gpus(1), 1, tmp_path)
    sharing = GpuPool(gpus(1), 4, tmp_path)
    lease = alone.try_lease()
    assert lease is not None
    assert sharing.try_lease() is None
    lease.close()
    lease = sharing.try_lease()
    assert lease is not None
    assert alone.try_lease() is None
    lease.close()


@pytest.mark.parametrize("slots", [0, 65])
def test_wrong_slots_are_refused(slots: int, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"sandbox\.gpu_slots"):
        GpuPool(gpus(1), slots, tmp_path)


WORKER = """
import json, os, random, sys, time
from pathlib import Path
from tests.support.gpu_machine import gpus
from mlesearch.sandbox.gpu.pool import GpuPool
folder, seed, jobs = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
pool, rng = GpuPool(gpus(4), 2, folder / "locks"), random.Random(seed)
with open(folder / f"log-{seed}", "w") as log:
    for _ in range(jobs):
        lease = pool.lease()
        began = time.monotonic_ns()
        time.sleep(rng.uniform(0, 0.02))
        ended = time.monotonic_ns()
        log.write(json.dumps([lease.gpu.index, lease.slot, began, ended]) + "\\n")
        lease.close()
"""


def test_200_jobs_of_8_processes_never_overlap(tmp_path: Path) -> None:
    workers = [subprocess.Popen(python(WORKER, tmp_path, n, 25)) for n in range(8)]
    assert [w.wait(120) for w in workers] == [0] * 8
    jobs = [json.loads(line) for n in range(8) for line in (tmp_path / f"log-{n}").read_text().splitlines()]
    assert len(jobs) == 200
    places: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for gpu, slot, began, ended in jobs:
        places.setdefault((gpu, slot), []).append((began, ended))
    assert set(places) <= {(gpu, slot) for gpu in range(4) for slot in range(2)}
    overlaps = 0
    for spans in places.values():
        spans.sort()
        overlaps += sum(spans[n][1] > spans[n + 1][0] for n in range(len(spans) - 1))
    assert overlaps == 0
    assert len(places) > 1
    assert GpuPool(gpus(4), 2, tmp_path / "locks").held() == []


HOLDER = """
import sys, time
from pathlib import Path
from tests.support.gpu_machine import gpus
from mlesearch.sandbox.gpu.pool import GpuPool
pool = GpuPool(gpus(2), 2, Path(sys.argv[1]))
leases = [pool.lease() for _ in range(4)]
print("held", flush=True)
time.sleep(60)
"""


def test_kill_9_of_a_holder_frees_all_that_it_held(tmp_path: Path) -> None:
    command = python(HOLDER, tmp_path)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        pool = GpuPool(gpus(2), 2, tmp_path)
        assert Counter(gpu.index for gpu, _ in pool.held()) == {0: 2, 1: 2}
        assert pool.try_lease() is None
        holder.kill()
        holder.wait()
        assert pool.held() == []


# with a rung


def test_none_seen_or_unlike_ones_are_refused_in_one_line() -> None:
    rung = ScriptedSandbox(lambda job: {})
    with pytest.raises(ConfigError, match=r"the rung scripted gives programs no GPU; set sandbox.gpus=0"):
        GpuSandbox(rung, inventory=Inventory(gpus(1)))
    rung.gpu_promise = "gpu_pinned"  # type: ignore[attr-defined]  # how a rung says that it pins
    with pytest.raises(ConfigError, match=r"none is seen here: nvidia-smi is not installed; set sandbox.gpus=0"):
        GpuSandbox(rung, inventory=Inventory(said="nvidia-smi is not installed"))
    unlike = (*gpus(1), Gpu(1, "GPU-b", "Other", 8, 1))
    with pytest.raises(ConfigError, match=r"differ.*Fake 9000 \(index 0\); Other \(index 1\)"):
        GpuSandbox(rung, inventory=Inventory(unlike))


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    return small_spec(tmp_path, gpus=1)


@pytest.fixture(scope="module")
def rung() -> Iterator[LocalSandbox]:
    if landlock.abi() < 1:
        pytest.skip("this kernel has no Landlock, so there is no local rung")
    with closing(LocalSandbox()) as local:
        yield local


def shared(rung: LocalSandbox, folder: Path) -> GpuSandbox:
    return GpuSandbox(rung, inventory=Inventory(gpus(1)), pool=GpuPool(gpus(1), 1, folder / "locks"))


def test_a_program_sees_its_gpu_alone_and_is_metered(rung: LocalSandbox, spec: Spec, tmp_path: Path) -> None:
    sandbox = shared(rung, tmp_path)
    program = (
        "import os, sys\nprint(os.environ['CUDA_VISIBLE_DEVICES'], os.environ['CUDA_DEVICE_ORDER'])\n"
        "print('numpy' in sys.modules)\nprint(sorted(os.listdir('/proc/self/fd')))"
    )
    result = sandbox.run(sandbox.prepare(spec), job(tmp_path, program))
    assert result.status is ExecStatus.OK, result
    lines = result.stdout.text.splitlines()
    assert lines[0] == "GPU-0000 PCI_BUS_ID"
    assert lines[1] == "False"  # nothing is imported before the fork where a GPU is used
    assert lines[2] == "['0', '1', '2', '3']"  # 3 is the listing itself: the lease is not among them
    assert result.gpu_us == result.wall_us > 0
    assert result.charged_us == result.wall_us
    assert "gpu_pinned: advisory" in result.promises


def test_a_program_without_one_sees_none(rung: LocalSandbox, spec: Spec, tmp_path: Path) -> None:
    sandbox = shared(rung, tmp_path)
    plain = Spec(spec.task, spec.input_dir, limits=spec.limits)
    result = sandbox.run(
        sandbox.prepare(plain), job(tmp_path, "import os\nprint('CUDA_VISIBLE_DEVICES' in os.environ)")
    )
    assert (result.stdout.text, result.gpu_us, result.gpu_wait_us) == ("False\n", 0, 0)


@pytest.mark.parametrize("charged", [False, True])
def test_waiting_stands_apart_from_run_time(charged: bool, rung: LocalSandbox, spec: Spec, tmp_path: Path) -> None:
    pool = FreedAtThirdAttempt(gpus(1), 1, tmp_path / "locks")
    sandbox = GpuSandbox(rung, inventory=Inventory(gpus(1)), pool=pool, charge_wait=charged)
    result = sandbox.run(sandbox.prepare(spec), job(tmp_path, "print(1)"))
    assert result.status is ExecStatus.OK
    assert result.gpu_wait_us >= 1_000_000 * (POLL_S[0] + 2 * POLL_S[0]) / 2  # two pauses at their shortest
    assert result.charged_us == result.wall_us + (result.gpu_wait_us if charged else 0)
    assert result.gpu_us == result.wall_us


class FreedAtThirdAttempt(GpuPool):
    """Its only GPU is taken by somebody until the third attempt."""

    attempts = 0

    def try_lease(self) -> GpuLease | None:
        if self.attempts == 0:
            self.other = super().try_lease()
        self.attempts += 1
        if self.attempts == 3 and self.other is not None:
            self.other.close()
        return super().try_lease()


ORCHESTRATOR = """
import sys
from pathlib import Path
from tests.support.gpu_machine import gpus
from mlesearch.sandbox.gpu.pool import GpuPool
from mlesearch.sandbox.gpu.sandbox import GpuSandbox
from mlesearch.sandbox.gpu.devices import Inventory
from mlesearch.sandbox.rungs.local import LocalSandbox
from mlesearch.sandbox.protocol import Job, Limits, Spec
root = Path(sys.argv[1])
pool = GpuPool(gpus(1), 1, root / "locks")
sandbox = GpuSandbox(LocalSandbox(), inventory=Inventory(gpus(1)), pool=pool)
spec = Spec("t@1", root / "public", limits=Limits(time_s=60, memory_bytes=1 << 30), gpus=1)
sandbox.run(sandbox.prepare(spec), Job("a", sys.argv[2], 60.0, root / "out"))
"""


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@local_only
def test_kill_9_of_the_orchestrator_frees_the_gpu_with_the_tree_and_not_before(spec: Spec, tmp_path: Path) -> None:
    mark = f"gpu-orphan-{os.getpid()}-{time.monotonic_ns()}"
    sleeper = f"[sys.executable, '-S', '-c', 'import time; time.sleep(60)', '{mark}']"
    program = f"import subprocess, sys, time\nsubprocess.Popen({sleeper}, start_new_session=True)\ntime.sleep(60)"
    pool = GpuPool(gpus(1), 1, tmp_path / "locks")
    command = python(ORCHESTRATOR, tmp_path, program)
    with subprocess.Popen(command) as orchestrator:
        # with its arguments: a child of the orchestrator has the program's text in its command line, until its exec
        found = wait_for(lambda: processes_with(f"60)\0{mark}"))
        supervisor = _parent(_parent(found[0]))
        assert pool.try_lease() is None
        os.kill(supervisor, signal.SIGSTOP)  # it can't kill the tree now
        try:
            orchestrator.kill()
            orchestrator.wait()
            for _ in range(10):
                assert pool.try_lease() is None, "the GPU was free while the program still ran"
                time.sleep(0.02)
            assert Path(f"/proc/{found[0]}").exists()
        finally:
            os.kill(supervisor, signal.SIGCONT)
        lease = pool.lease()
        assert gone(mark, 0.0), "the GPU was free before the tree was dead"
        lease.close()


# in words


@pytest.mark.parametrize(
    ("slots", "memory_mib", "said"),
    [
        (1, 24_576, "1 x Fake 9000, 24 GiB"),
        (1, 0, "1 x Fake 9000"),
        (3, 81_559, "1 x Fake 9000, 79.6 GiB, shared with up to 2 other programs"),
    ],
)
def test_the_declared_gpu_in_words(slots: int, memory_mib: int, said: str) -> None:
    identity: Mapping[str, object] = {
        "gpu": {"count": 1, "name": "Fake 9000", "memory_mib": memory_mib, "slots": slots, "wait_charged": False}
    }
    assert describe(identity) == said
    assert describe({}) == ""
