"""What bubblewrap and docker add to the shared contract: warm single-use workers, containers' limits, old kernels."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from docker.errors import NotFound

from mlesearch.sandbox import ladder, packages
from mlesearch.sandbox.inside import cgroup, landlock, memory, seccomp, tree
from mlesearch.sandbox.protocol import MIB, Limits, Spec
from mlesearch.sandbox.rungs import box, docker_image
from mlesearch.sandbox.rungs.docker import DockerSandbox
from mlesearch.sandbox.rungs.rung import BoxedRung, BoxedSlot
from mlesearch.storage import processes
from mlesearch.testing.sandbox_contract.ownership import SETTINGS
from mlesearch.types import ConfigError, ExecResult, ExecStatus, SandboxUnavailable
from tests.support.rung_jobs import job, small_spec
from tests.support.waiting import wait_for

Make = Callable[..., BoxedRung]
LIMITS = Limits(time_s=20, memory_bytes=512 * MIB)


@pytest.fixture(autouse=True)
def _light_preload(monkeypatch):
    """Warm sandboxes import little here; that they import it ahead is what is tested."""
    monkeypatch.setattr(packages, "PRELOAD", ("decimal", "no_such_module"))


def made(name: str, **options: object) -> BoxedRung:
    from mlesearch.sandbox.rungs.bubblewrap import BubblewrapSandbox

    return DockerSandbox(image="host", **options) if name == "docker" else BubblewrapSandbox(**options)  # type: ignore[arg-type]  # a test's options


def makers(name: str) -> Iterator[Make]:
    (rung,) = ladder.probe([name], {"image": "host"})
    if not rung.works:
        pytest.skip(f"NO {name.upper()}: {rung.why}")
    with ExitStack() as stack:

        def one(**options: object) -> BoxedRung:
            sandbox = made(name, **options)
            stack.callback(sandbox.close)
            return sandbox

        yield one


@pytest.fixture(params=["bubblewrap", "docker"])
def make(request) -> Iterator[Make]:
    yield from makers(request.param)


@pytest.fixture
def docker() -> Iterator[Make]:
    yield from makers("docker")


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    return small_spec(tmp_path, LIMITS)


def run(sandbox: BoxedRung, slot: BoxedSlot, tmp_path: Path, program: str, refill: bool = True) -> ExecResult:
    return sandbox.run(slot, job(tmp_path, program), refill)


def idle(sandbox: BoxedRung) -> BoxedSlot:
    """The warm sandbox that was started after a run."""
    return wait_for(lambda: sandbox._state.idle)[0]


def test_a_warm_worker_serves_one_program(make, spec, tmp_path):
    sandbox = make(warm=True)
    dirty = "import sys\nprint('decimal' in sys.modules)\nopen('/tmp/mark', 'w')\nopen('mark', 'w')\nsys.mark = 1"
    first = run(sandbox, sandbox.prepare(spec), tmp_path, dirty)
    assert (first.status, first.stdout.text) == (ExecStatus.OK, "True\n")
    waiting = idle(sandbox)
    slot = sandbox.prepare(spec)
    assert slot is waiting
    clean = "import sys, os\nprint('decimal' in sys.modules, os.path.exists('/tmp/mark'), sorted(os.listdir()))"
    second = run(sandbox, slot, tmp_path, clean + "\nassert not hasattr(sys, 'mark')", refill=False)
    assert (second.status, second.stdout.text) == (ExecStatus.OK, "True False ['input', 'solution.py']\n")
    assert not sandbox._state.idle


def test_a_warm_worker_is_for_its_spec_alone(make, spec, tmp_path):
    sandbox = make(warm=True)
    run(sandbox, sandbox.prepare(spec), tmp_path, "print(1)")
    waiting = idle(sandbox)
    other = Spec("t@1", spec.input_dir, split_seed=1, limits=LIMITS)
    slot = sandbox.prepare(other)
    assert slot is not waiting
    assert sandbox._state.idle == [waiting]


def test_a_worker_that_died_while_it_waited_is_replaced(make, spec, tmp_path):
    sandbox = make(warm=True)
    run(sandbox, sandbox.prepare(spec), tmp_path, "print(1)")
    waiting = idle(sandbox)
    if isinstance(sandbox, DockerSandbox):
        waiting.box._api.kill(waiting.box._id)
    else:
        for pid in (*tree.descendants(waiting.box._process.pid), waiting.box._process.pid):
            os.kill(pid, signal.SIGKILL)
    select.select([waiting.box.conn], [], [], 10)
    slot = sandbox.prepare(spec)
    assert slot is not waiting
    assert not waiting.folder.exists()
    assert run(sandbox, slot, tmp_path, "print(2)", refill=False).stdout.text == "2\n"


def test_closing_ends_what_waits(make, spec, tmp_path):
    sandbox = make(warm=True)
    before = set(tree.children(os.getpid()))  # of other tests in this process
    run(sandbox, sandbox.prepare(spec), tmp_path, "print(1)")
    waiting, unused = idle(sandbox), sandbox.prepare(Spec("t@1", spec.input_dir, split_seed=1, limits=LIMITS))
    owned = waiting.folder.parent
    sandbox.close()
    assert not owned.exists()
    assert not tree.living([pid for pid in tree.children(os.getpid()) if pid not in before])
    with pytest.raises(SandboxUnavailable, match="a slot serves one program"):
        run(sandbox, unused, tmp_path, "print(1)")


def test_a_full_disk_is_refused(make, spec):
    with pytest.raises(SandboxUnavailable, match=r"MiB are free at .* are needed: free some or set MLESEARCH_SCRATCH"):
        make(warm=False, min_free_bytes=1 << 60).prepare(spec)


def test_answers_below_the_public_folder_stay_hidden(make, spec, tmp_path):
    (spec.input_dir / "secret").mkdir()
    (spec.input_dir / "secret" / "y.csv").write_text("1234567")
    (spec.input_dir / "train.csv").write_text("id\n")
    sandbox = make(warm=False)
    hidden = Spec("t@1", spec.input_dir, hidden=(spec.input_dir / "secret",), limits=LIMITS)
    program = "print(open('input/train.csv').read())\nprint(open('input/secret/y.csv').read())"
    result = run(sandbox, sandbox.prepare(hidden), tmp_path, program)
    assert result.stdout.text == "id\n\n"
    assert result.reason.startswith(("PermissionError", "FileNotFoundError"))


@pytest.mark.parametrize("version", [0, 1, 3])
def test_namespaces_hold_without_landlock(make, spec, tmp_path, monkeypatch, version):
    if landlock.abi() < version:
        pytest.skip(f"this kernel has Landlock {landlock.abi()}")
    monkeypatch.setattr(landlock, "abi", lambda: version)
    sandbox = make(warm=False)
    if sandbox.name == "bubblewrap":
        lacking = ["data_read_only: advisory", "answers_absent: advisory"] if version == 0 else []
        assert [p for p in sandbox.promises() if "advisory" in p and "memory" not in p and "oom" not in p] == lacking
        assert any("no Landlock" in note for note in sandbox.notes()) == (version == 0)
    program = (
        f"import os, socket\nfor attempt in (lambda: os.kill({os.getpid()}, 0), lambda: open('input/x', 'w'),\n"
        f"        lambda: os.listdir({str(tmp_path)!r}), lambda: socket.create_connection(('127.0.0.1', 9), 1),\n"
        "        lambda: open('/usr/x', 'w'), lambda: __import__('mlesearch.types')):\n"
        "    try:\n        print(attempt())\n    except (OSError, ImportError):\n        print('no')"
    )
    result = run(sandbox, sandbox.prepare(spec), tmp_path, program)
    assert (result.status, result.stdout.text) == (ExecStatus.OK, "no\n" * 6)


def test_the_machine_is_safe_with_neither_landlock_nor_a_filter(make, spec, tmp_path, monkeypatch):
    sent = dict(box.sources())
    sent["seccomp"] = sent["seccomp"].replace("return platform.machine() in ARCHITECTURES", "return False")
    assert sent != dict(box.sources())
    monkeypatch.setattr(box, "sources", lambda: sent)
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    monkeypatch.setattr(seccomp, "supported", lambda: False)
    sandbox = make(warm=False)
    program = f"{SETTINGS}\nprint('files of others', os.stat('/usr').st_uid == os.getuid())"
    result = run(sandbox, sandbox.prepare(spec), tmp_path, program)
    assert result.stdout.text == "opened []\nfiles of others False\n", result
    if sandbox.name == "bubblewrap":
        assert {p for p in sandbox.promises() if "memory" not in p and "oom" not in p} == {
            "net_off: advisory",
            "data_read_only: advisory",
            "answers_absent: advisory",
            "tree_kill",
            "disk_bound",
        }
        notes = " ".join(sandbox.notes())
        assert "no Landlock" in notes
        assert "AF_VSOCK" in notes


def test_auto_names_the_layers_that_are_absent(monkeypatch, tmp_path):
    (rung,) = ladder.probe(["bubblewrap"])
    if not rung.works:
        pytest.skip(f"NO BUBBLEWRAP: {rung.why}")
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    ladder._probe.cache_clear()
    try:
        choice = ladder.choose("auto")
        assert choice.name == "bubblewrap"
        assert "answers_absent is advisory here" in choice.why
        with pytest.raises(ConfigError, match=r"no rung that keeps data_read_only works .*bubblewrap: does not keep"):
            ladder.choose("auto", ["data_read_only"])
    finally:
        ladder._probe.cache_clear()


def test_bubblewrap_s_promises_without_a_control_group(monkeypatch):
    (rung,) = ladder.probe(["bubblewrap"])
    if not rung.works:
        pytest.skip(f"NO BUBBLEWRAP: {rung.why}")
    monkeypatch.setattr(cgroup, "parents", lambda: ())
    sandbox = made("bubblewrap", warm=False)
    assert [p for p in sandbox.promises() if "advisory" in p] == ["memory_hard: advisory", "oom_signal: advisory"]
    with pytest.raises(SandboxUnavailable, match="asks for memory_hard, which this machine does not promise"):
        made("bubblewrap", warm=False, require=["memory_hard"])


def test_containers_have_every_limit(docker, spec):
    sandbox = docker(warm=False)
    sandbox.prepare(spec)
    client = docker_image.connect()
    try:
        mine = {"label": f"org.mlesearch.owner={processes.owner()}"}
        (listed,) = client.api.containers(filters=mine)
        seen = client.api.inspect_container(listed["Id"])
    finally:
        client.close()
    host, config = seen["HostConfig"], seen["Config"]
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["Privileged"]) == ("none", True, False)
    assert host["Memory"] == host["MemorySwap"] == LIMITS.memory_bytes + 32 * MIB
    assert host["PidsLimit"] >= 512
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["LogConfig"]["Type"] == "none"
    assert host["ShmSize"] == LIMITS.memory_bytes // 4
    assert "/tmp" in host["Tmpfs"]
    assert not host["Devices"]
    assert set(host["CpusetCpus"].split(",")) <= {str(cpu) for cpu in os.sched_getaffinity(0)}
    assert config["User"].partition(":")[0] not in ("", "0")
    writable = {m["Destination"] for m in seen["Mounts"] if m["RW"]}
    assert writable == {"/box/work", "/box/tmp", "/box/home"}


def test_containers_of_the_dead_are_reaped_and_no_others(docker):
    sandbox = docker(warm=False)
    say = "from mlesearch.storage.processes import owner; print(owner(), flush=True); import time; time.sleep(60)"
    client = docker_image.connect()
    made = {}

    def left() -> set[str]:
        """Which of ours are there; what other tests leave behind may be reaped at any moment."""
        return {container["Id"] for container in client.api.containers(all=True)} & set(made.values())

    try:
        with subprocess.Popen([sys.executable, "-c", say], stdout=subprocess.PIPE, text=True) as dead:
            owners = {"dead": dead.stdout.readline().strip(), "mine": processes.owner(), "strange": "4711-12"}
            for name, owner in owners.items():
                labels = {"org.mlesearch.owner": owner}
                made[name] = client.api.create_container(docker_image.host_image(client), ["x"], labels=labels)["Id"]
            sandbox.reap_orphans()
            assert left() == set(made.values())
            dead.kill()
            os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is not waited for
            sandbox.reap_orphans()
        assert left() == {made["mine"], made["strange"]}
    finally:
        for id in made.values():
            with suppress(NotFound):
                client.api.remove_container(id, force=True)
        client.close()


def test_an_image_that_can_not_run_python_leaves_no_container(docker, spec, monkeypatch):
    sandbox = docker(warm=False)
    monkeypatch.setattr("mlesearch.sandbox.rungs.mounts.executable", lambda python: "/no/python")
    with pytest.raises(SandboxUnavailable, match="sandbox docker: "):
        sandbox.prepare(spec)
    client = docker_image.connect()
    try:
        assert client.api.containers(all=True, filters={"label": f"org.mlesearch.owner={processes.owner()}"}) == []
    finally:
        client.close()
    assert list(sandbox._owned().path.glob("*/work")) == []


def test_an_image_that_is_missing_is_said(docker):
    with pytest.raises(
        SandboxUnavailable, match=r"the daemon has no image none:such; build it with `mlesearch sandbox b"
    ):
        DockerSandbox(image="none:such")


def test_a_container_that_is_killed_from_outside_is_no_fault_of_the_program(docker, spec, tmp_path):
    sandbox = docker(warm=False)
    slot = sandbox.prepare(spec)
    slot.box._api.kill(slot.box._id)
    with pytest.raises(SandboxUnavailable, match="sandbox docker: it ended without a report"):
        run(sandbox, slot, tmp_path, "print(1)")


def test_a_public_folder_that_programs_can_not_read_is_said(docker, spec):
    if os.geteuid() != 0:
        pytest.skip("programs run as the user who launched them")
    spec.input_dir.chmod(0o700)
    with pytest.raises(
        ConfigError, match=r"programs of root run as another user, who can't read its public folder .*chmod -R a\+rX"
    ):
        docker(warm=False).prepare(spec)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["docker", "bubblewrap", "local"])
def test_ten_gigabytes_of_output(name, spec, tmp_path):
    (rung,) = ladder.probe([name], {"image": "host"})
    if not rung.works:
        pytest.skip(f"NO {rung.name.upper()}: {rung.why}")
    sandbox = ladder.make(name, {"warm": "off", **({"image": "host"} if name == "docker" else {})})
    try:
        program = (
            "import sys\nblock = b'x' * 999_999 + b'\\n'\nfor _ in range(10_000):\n    sys.stdout.buffer.write(block)\n"
            "print('end')"
        )
        slot = sandbox.prepare(Spec("t@1", spec.input_dir, limits=Limits(time_s=300)))
        before = memory.resident([os.getpid()])
        result = sandbox.run(slot, job(tmp_path, program, 300.0))
        assert result.status is ExecStatus.OK
        assert result.stdout.bytes_seen == 10_000_000_004
        assert result.stdout.tail.endswith("end\n")
        assert memory.resident([os.getpid()]) - before < 8 * MIB
    finally:
        sandbox.close()
