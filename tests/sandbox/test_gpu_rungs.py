"""Pinning on the rungs with namespaces, with devices that stand in: a program sees the nodes of its GPU alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mlesearch.sandbox import ladder
from mlesearch.sandbox.gpu.devices import GpuLease, Inventory
from mlesearch.sandbox.gpu.pool import GpuPool
from mlesearch.sandbox.gpu.sandbox import GpuSandbox
from mlesearch.sandbox.protocol import Slot, Spec
from mlesearch.sandbox.rungs.bubblewrap import BubblewrapSandbox
from mlesearch.sandbox.rungs.docker import DockerSandbox
from mlesearch.types import ExecStatus, SandboxUnavailable
from tests.support.gpu_machine import gpus
from tests.support.rung_jobs import job, small_spec


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    return small_spec(tmp_path, gpus=1)


@pytest.fixture(scope="module")
def bubblewrap() -> Iterator[BubblewrapSandbox]:
    (found,) = ladder.probe(("bubblewrap",))
    if not found.works:
        pytest.skip(f"NO BUBBLEWRAP: {found.why}")
    with closing(BubblewrapSandbox()) as rung:
        yield rung


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Devices nvidia0 and nvidia1 that behave like /dev/zero, and of which a GPU has the one of its number."""
    folder = tmp_path / "dev"
    folder.mkdir()
    try:
        for number in range(2):
            os.mknod(folder / f"nvidia{number}", stat.S_IFCHR | 0o666, os.makedev(1, 5))
            (folder / f"nvidia{number}").chmod(0o666)  # as a driver makes them, whatever the mask here
            (folder / f"nvidia{number}").chmod(0o666)
        with open(folder / "nvidia0", "rb") as file:
            file.read(1)
    except OSError as error:
        pytest.skip(f"no device node can be made or used here: {error}")
    monkeypatch.setattr(GpuLease, "device_nodes", lambda lease: (str(folder / f"nvidia{lease.gpu.minor}"),))
    return folder


def shared(rung: object, tmp_path: Path) -> GpuSandbox:
    pool = GpuPool(gpus(2), 1, tmp_path / "locks")
    return GpuSandbox(rung, inventory=Inventory(gpus(2)), pool=pool)  # type: ignore[arg-type]  # any rung


def test_bubblewrap_binds_the_nodes_of_one_gpu(
    bubblewrap: BubblewrapSandbox, nodes: Path, spec: Spec, tmp_path: Path
) -> None:
    sandbox = shared(bubblewrap, tmp_path)
    program = (
        "import os, sys\n"
        f"print(sorted(os.listdir({str(nodes)!r})), os.environ['CUDA_VISIBLE_DEVICES'], 'numpy' in sys.modules)\n"
        f"for name in sorted(os.listdir({str(nodes)!r})):\n"
        f"    with open(os.path.join({str(nodes)!r}, name), 'r+b', buffering=0) as node:\n"
        "        print(node.read(3), node.write(b'x'))\n"
        "print(sorted(os.listdir('/proc/self/fd')))"
    )
    result = sandbox.run(sandbox.prepare(spec), job(tmp_path, program))
    assert result.status is ExecStatus.OK, result
    assert result.stdout.text.splitlines() == [
        "['nvidia0'] GPU-0000 False",
        r"b'\x00\x00\x00' 1",
        "['0', '1', '2', '3']",  # 3 is the listing itself
    ]
    assert result.gpu_us == result.wall_us > 0
    assert "gpu_pinned" in result.promises
    held = sandbox.pool.lease()
    try:
        other = sandbox.run(sandbox.prepare(spec), job(tmp_path, program))
    finally:
        held.close()
    assert other.stdout.text.splitlines()[0] == "['nvidia1'] GPU-1111 False"
    assert sandbox.pool.held() == []


def test_without_a_gpu_no_node_is_there(bubblewrap: BubblewrapSandbox, nodes: Path, spec: Spec, tmp_path: Path) -> None:
    sandbox = shared(bubblewrap, tmp_path)
    plain = Spec(spec.task, spec.input_dir, limits=spec.limits)
    program = f"import os\nprint(os.path.exists({str(nodes)!r}), 'CUDA_VISIBLE_DEVICES' in os.environ)"
    result = sandbox.run(sandbox.prepare(plain), job(tmp_path, program))
    assert result.stdout.text == "False False\n"


def test_a_slot_with_a_gpu_serves_once_and_needs_a_lease(
    bubblewrap: BubblewrapSandbox, spec: Spec, tmp_path: Path
) -> None:
    one = job(tmp_path, "print(1)")
    with pytest.raises(SandboxUnavailable, match="needs the lease of one"):
        bubblewrap.run(bubblewrap.prepare(spec), one)
    slot = bubblewrap.prepare(spec)
    with pytest.raises(SandboxUnavailable):
        bubblewrap.run(slot, one)
    with pytest.raises(SandboxUnavailable, match="a slot serves one program"):
        bubblewrap.run(slot, one)
    with pytest.raises(SandboxUnavailable, match="a slot serves one program"):
        bubblewrap.run(Slot(spec), job)


def test_docker_is_asked_for_one_gpu_by_its_uuid(spec: Spec, tmp_path: Path) -> None:
    """The request as the daemon gets it; with no GPU there is none."""
    rung = object.__new__(DockerSandbox)  # only the request is looked at, so no daemon is needed
    rung._limits, rung._host, rung._seen, rung._weights = (True, True), False, {"covered": []}, None
    lease = GpuPool(gpus(2), 1, tmp_path / "locks").lease()
    (tmp_path / "slot").mkdir()
    try:
        import docker

        api = docker.APIClient(base_url="unix:///nowhere.sock", version="1.43")
        with closing(api):
            asked = rung._host_config(api, spec, tmp_path / "slot", tmp_path, False, lease)
            plain = rung._host_config(api, spec, tmp_path / "slot", tmp_path, False)
    finally:
        lease.close()
    (request,) = asked["DeviceRequests"]
    assert request["DeviceIDs"] == ["GPU-0000"]
    assert request["Capabilities"] == [["gpu"]]
    assert not request["Count"]
    assert "DeviceRequests" not in plain
