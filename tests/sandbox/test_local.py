"""The local rung: the shared contract warm, cold and on older kernels, and what is its own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from mlesearch.sandbox.inside import contain, landlock
from mlesearch.sandbox.protocol import MIB, Limits, Spec
from mlesearch.sandbox.rungs.local import LocalSandbox, make
from mlesearch.testing.sandbox_contract import SandboxContract
from mlesearch.testing.sandbox_contract.processes import bystander, signals_by_descriptor
from mlesearch.types import ConfigError, ExecStatus, SandboxUnavailable
from tests.support.disks import small_disk
from tests.support.rung_jobs import job, small_spec
from tests.support.sandbox_user import in_memory

if landlock.abi() < 1:
    pytest.skip("this kernel has no Landlock, so there is no local rung", allow_module_level=True)


class TestLocal(SandboxContract):
    """Its `sandbox` is the module's."""

    known_gaps: ClassVar[Mapping[str, str]] = (
        {}
        if contain.can_have_private_shm()
        else {"test_worker_processes_can_be_used": "no mount namespace is allowed here, so there is no /dev/shm"}
    )


@pytest.fixture(scope="module")
def sandbox() -> Iterator[LocalSandbox]:
    with closing(LocalSandbox()) as rung:
        yield rung


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    return small_spec(tmp_path)


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
def test_older_kernels_keep_the_promises(version: int, spec: Spec, tmp_path: Path) -> None:
    if landlock.abi() < version:
        pytest.skip(f"this kernel has Landlock {landlock.abi()}")
    hostile = [
        f"import os\nos.kill({os.getpid()}, 0)",
        "import os\nos.truncate('input/train.csv', 0)",
        "import os\nos.open('input/train.csv', os.O_RDONLY | os.O_TRUNC)",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "import socket\nsocket.socket(socket.AF_UNIX)",
        "open('/tmp/x', 'w')",
    ]
    with closing(LocalSandbox(warm=False, landlock_limit=version)) as rung:
        assert rung.run(rung.prepare(spec), job(tmp_path, "open('a', 'w').write('x')")).status is ExecStatus.OK
        for program in hostile:
            result = rung.run(rung.prepare(spec), job(tmp_path, program))
            assert result.status is ExecStatus.ERROR, program
            assert "PermissionError" in result.reason
        with bystander() as other:
            for program in signals_by_descriptor(other.pid):
                result = rung.run(rung.prepare(spec), job(tmp_path, program))
                if os.geteuid():  # root's programs are another user's, whose signals the kernel does not let through
                    assert "PermissionError" in result.reason, program
                with pytest.raises(subprocess.TimeoutExpired):
                    other.wait(0.1)
        assert any("signal scope" in note for note in rung.notes())
    assert (tmp_path / "public" / "train.csv").read_text() == "id\n"


def test_without_landlock_it_is_refused(spec: Spec) -> None:
    with pytest.raises(SandboxUnavailable, match=r"lacks Landlock .*sandbox=docker"):
        LocalSandbox(landlock_limit=0)


def test_require_fails_closed() -> None:
    with pytest.raises(SandboxUnavailable, match="asks for memory_hard, which this machine does not promise"):
        LocalSandbox(require=["net_off", "memory_hard"], use_cgroup=False)
    with closing(make({"require": ["net_off", "tree_kill"], "warm": "off"})) as rung:
        assert not rung.warm


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"warmth": "on"}, "sandbox.warmth: unknown for the rung local; allowed: warm, require, min_free_gib"),
        ({"warm": "yes"}, "sandbox.warm: 'yes' is not allowed; use on or off"),
        ({"min_free_gib": -1}, "sandbox.min_free_gib: -1 is not allowed; a number of GiB, 0 or more, is needed"),
        ({"require": "net_off"}, "is not a list of promises"),
        ({"require": ["netoff"]}, "'netoff' is no promise; allowed: net_off"),
    ],
)
def test_wrong_parameters(params: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        make(params)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_cold_start_imports_in_the_program(spec: Spec, tmp_path: Path) -> None:
    with closing(LocalSandbox(warm=False)) as rung:
        result = rung.run(rung.prepare(spec), job(tmp_path, "import sys\nprint('numpy' in sys.modules)\nimport numpy"))
        assert (result.status, result.stdout.text) == (ExecStatus.OK, "False\n")


def test_warm_start_is_quick(sandbox: LocalSandbox, spec: Spec, tmp_path: Path) -> None:
    waits = []
    for _ in range(5):
        slot = sandbox.prepare(spec)
        time.sleep(0.1)
        began = time.time()
        result = sandbox.run(slot, job(tmp_path, "import time, sklearn.ensemble, pandas\nprint(time.time())"))
        waits.append(float(result.stdout.text) - began)
    assert min(waits) < 0.2  # some 7 ms on an idle machine; a cold import takes a second


def test_the_fork_server_has_one_thread(sandbox: LocalSandbox, spec: Spec) -> None:
    slot = sandbox.prepare(spec)
    assert slot.server.threads == 1
    assert slot.server.missing == ()


def test_a_bad_task_is_named(sandbox: LocalSandbox, tmp_path: Path) -> None:
    public = tmp_path / "public"
    with pytest.raises(ConfigError, match=r"public folder .* does not exist"):
        sandbox.prepare(Spec("t@1", public))
    public.mkdir()
    with pytest.raises(ConfigError, match=r"holds .*/public, which programs must read"):
        sandbox.prepare(Spec("t@1", public, hidden=(tmp_path,)))
    with pytest.raises(ConfigError, match="which programs may read; put the answers elsewhere"):
        sandbox.prepare(Spec("t@1", public, hidden=(Path(np.__file__).parent / "random",)))


def test_answers_below_the_public_folder_stay_hidden(sandbox: LocalSandbox, tmp_path: Path) -> None:
    public = tmp_path / "public"
    (public / "secret").mkdir(parents=True)
    (public / "secret" / "y.csv").write_text("1234567")
    (public / "train.csv").write_text("id\n")
    spec = Spec("t@1", public, hidden=(public / "secret",))
    program = "print(open('input/train.csv').read())\nprint(open('input/secret/y.csv').read())"
    result = sandbox.run(sandbox.prepare(spec), job(tmp_path, program))
    assert result.stdout.text == "id\n\n"
    assert "PermissionError" in result.reason


def test_sklearn_workers_in_processes(sandbox: LocalSandbox, tmp_path: Path, spec: Spec) -> None:
    limits = Limits(time_s=60, cpu_count=2)
    program = (
        "from joblib import Parallel, delayed\nimport numpy as np\n"
        "print(sum(Parallel(n_jobs=2)(delayed(np.sqrt)(i ** 2) for i in range(10))))\n"
        "from sklearn.ensemble import RandomForestClassifier\n"
        "X = np.random.rand(100, 3)\ny = X[:, 0] > .5\n"
        "print(RandomForestClassifier(5, n_jobs=2).fit(X, y).score(X, y))"
    )
    result = sandbox.run(sandbox.prepare(Spec("t@1", spec.input_dir, limits=limits)), job(tmp_path, program, 60))
    assert result.status is ExecStatus.OK, result.stderr.text
    assert result.stdout.text.startswith("45.0\n")


def test_where_psutil_is_installed_joblib_runs_serially(
    tmp_path: Path, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would fail: a worker process looks up its memory in /proc, which it may not read."""
    site = tmp_path / "site-packages"
    (site / "psutil").mkdir(parents=True)
    (site / "psutil/__init__.py").write_text("import os\ndef Process(pid): os.listdir('/proc')\n")
    monkeypatch.syspath_prepend(str(site))
    program = (
        "import os\nfrom joblib import Parallel, delayed\n"
        "print(Parallel(n_jobs=2)(delayed(os.getpid)() for i in range(2)) == [os.getpid()] * 2)\n"
        "import psutil\npsutil.Process(os.getpid())"
    )
    with closing(LocalSandbox()) as rung:
        result = rung.run(rung.prepare(spec), job(tmp_path, program))
        assert result.stdout.text == "True\n"
        assert "PermissionError" in result.reason
        assert any("psutil" in note for note in rung.notes())


def test_without_shared_memory_joblib_runs_serially(tmp_path: Path, spec: Spec) -> None:
    program = (
        "import os\nfrom joblib import Parallel, delayed\n"
        "print(Parallel(n_jobs=2)(delayed(os.getpid)() for i in range(2)) == [os.getpid()] * 2)\n"
        "open('/dev/shm/x', 'w')"
    )
    with closing(LocalSandbox(private_shm=False)) as rung:
        result = rung.run(rung.prepare(spec), job(tmp_path, program))
        assert result.stdout.text == "True\n"
        assert result.reason == "PermissionError: [Errno 13] Permission denied: '/dev/shm/x' (solution.py line 4)"
        assert any("no /dev/shm" in note for note in rung.notes())


_MAPS = (
    "import mmap, os, time\nwith open('input/big', 'rb') as file:\n"
    "    kept = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)\n"
    "print(sum(kept[at] for at in range(0, len(kept), 4096)), flush=True)\n"
)


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("time.sleep(0.3)", ExecStatus.OK),
        ("", ExecStatus.OK),
        ("time.sleep(0.3)\nos.kill(os.getpid(), 9)", ExecStatus.KILLED),
    ],
)
def test_mapped_files_are_no_memory_without_a_group(end: str, status: ExecStatus, tmp_path: Path) -> None:
    if in_memory(tmp_path):
        pytest.skip("temporary files lie in memory here, where a mapped one is shared memory")
    (tmp_path / "public").mkdir()
    with open(tmp_path / "public" / "big", "wb") as file:
        file.truncate(500 * MIB)
    spec = Spec("t@1", tmp_path / "public", limits=Limits(memory_bytes=320 * MIB))
    with closing(LocalSandbox(use_cgroup=False)) as rung:
        result = rung.run(rung.prepare(spec), job(tmp_path, _MAPS + end))
        assert (result.status, result.stdout.text) == (status, "0\n"), result.reason


def test_too_little_space(spec: Spec) -> None:
    with (
        closing(LocalSandbox(warm=False, min_free_bytes=1 << 60)) as rung,
        pytest.raises(SandboxUnavailable, match="MiB are free at"),
    ):
        rung.prepare(spec)


def test_identity_is_stable_and_complete() -> None:
    with closing(LocalSandbox(warm=False)) as one, closing(LocalSandbox(warm=False)) as two:
        assert one.identity() == two.identity()
        assert set(one.identity()) >= {"rung", "promises", "environment", "cpu_count"}
        assert one.packages()["scikit-learn"]


# a full disk


FILLS = "with open('big', 'wb') as f:\n    for _ in range(64):\n        f.write(bytes(1 << 20))\n"


def test_a_failure_on_a_full_disk_is_not_the_programs(
    spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path / "scratch", 32 * MIB) as disk:
        monkeypatch.setenv("MLESEARCH_SCRATCH", str(disk))
        with closing(LocalSandbox(warm=False, min_free_bytes=8 * MIB)) as rung:
            with pytest.raises(SandboxUnavailable, match=r"while the disk was full .*its failure is not counted"):
                rung.run(rung.prepare(spec), job(tmp_path, FILLS))
            removed = FILLS.replace("range(64)", "range(28)") + "import os\nraise OSError(28, os.strerror(28))"
            with pytest.raises(SandboxUnavailable, match="MLESEARCH_SCRATCH"):
                rung.run(rung.prepare(spec), job(tmp_path, removed))
            own = rung.run(rung.prepare(spec), job(tmp_path, "raise OSError(28, 'No space left on device')"))
            assert own.status is ExecStatus.ERROR  # there is space: it is the program that fails
            own = rung.run(rung.prepare(spec), job(tmp_path, FILLS.replace("range(64)", "range(28)") + "1 / 0"))
            assert own.reason.startswith("ZeroDivisionError")
