"""`mlesearch doctor` and `mlesearch sandbox`: what is lacking is said with what to do, and figures are real ones."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from mlesearch.cli import doctor
from mlesearch.cli import sandbox as machine
from mlesearch.cli.main import main
from mlesearch.sandbox import environment, ladder
from mlesearch.sandbox.bench import Speed, cold_s, table, task, throughput, warm_s
from mlesearch.sandbox.gpu import devices
from mlesearch.sandbox.inside import landlock
from mlesearch.sandbox.promises import Degree, Promise
from mlesearch.sandbox.protocol import GIB, PROMISES
from mlesearch.sandbox.rungs import docker_image
from mlesearch.sandbox.rungs.local import LocalSandbox
from mlesearch.testing import contract_checks, contract_run
from mlesearch.testing.sandbox_contract import SandboxContract
from mlesearch.types import ConfigError, Level, SandboxUnavailable
from tests.support.gpu_machine import answer, entry, gpus, install
from tests.support.paths import ROOT

needs_local = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")


# doctor


def test_every_lack_comes_with_what_to_do() -> None:
    findings = list(doctor.examine())
    assert [f.subject for f in findings][:4] == ["python", "packages", "disk", "machine"]
    assert {"docker", "bubblewrap", "local", "sandbox=auto", "gpu"} <= {f.subject for f in findings}
    assert all(f.todo for f in findings if f.level is Level.ERROR)
    assert findings[0].level is Level.OK
    for finding in findings:
        assert doctor.line(finding).count("\n") == bool(finding.todo)


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 10, 9), Level.ERROR), ((3, 11, 0), Level.OK), ((3, 13, 5), Level.OK), ((3, 14, 0), Level.ERROR)],
)
def test_pythons(version: tuple[int, int, int], level: Level) -> None:
    found = doctor.python(version, "/usr/bin/python3")
    assert found.level is level
    assert found.text.startswith(".".join(map(str, version)))
    assert ("3.11 to 3.13" in found.todo) == (level is Level.ERROR)


@pytest.mark.parametrize(("free", "level"), [(GIB - 1, Level.ERROR), (5 * GIB, Level.WARNING), (50 * GIB, Level.OK)])
def test_disks(free: int, level: Level) -> None:
    found = doctor.disk(free, Path("/tmp"))
    assert found.level is level
    assert ("MLESEARCH_SCRATCH" in found.todo) == (level is Level.ERROR)


def test_without_a_scratch_folder_the_rest_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLESEARCH_SCRATCH", "/proc/nowhere")
    ladder._probe.cache_clear()
    try:
        findings = {finding.subject: finding for finding in doctor.examine()}
    finally:
        ladder._probe.cache_clear()
    disk = findings["disk"]
    assert disk.level is Level.ERROR
    assert disk.text.startswith("no scratch folder at /proc/nowhere/mlesearch-")
    assert "MLESEARCH_SCRATCH" in disk.todo
    assert list(findings)[:3] == ["python", "packages", "disk"]
    assert {"machine", "docker", "bubblewrap", "local", "sandbox=auto", "gpu"} <= set(findings)
    assert findings["local"].level is Level.WARNING
    assert findings["sandbox=auto"].level is Level.ERROR


def test_a_rung_that_does_not_work_is_a_note_with_its_remedy() -> None:
    absent = tuple(Promise(name, Degree.ABSENT, "") for name in PROMISES)
    degrees = {"net_off": Degree.HELD, "oom_signal": Degree.ADVISORY}
    held = tuple(Promise(name, degree, "") for name, degree in degrees.items())
    docker, local = doctor.rungs(
        (
            ladder.Rung("docker", False, "no daemon answers", "start it", absent),
            ladder.Rung("local", True, "", "", held),
            ladder.Rung("unsafe", True, "", "", absent),
        )
    )
    assert (docker.level, docker.text, docker.todo) == (Level.WARNING, "does not work: no daemon answers", "start it")
    assert (local.level, local.text) == (Level.OK, "works; it promises net_off, oom_signal (advisory)")


def test_no_rung_at_all_is_a_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise ConfigError("no rung works on this machine")

    monkeypatch.setattr(ladder, "choose", refuse)
    assert doctor.chosen().level is Level.ERROR


def test_gpus_are_tried_one_by_one() -> None:
    def computed(gpu: devices.Gpu) -> str:
        if gpu.index == 1:
            raise SandboxUnavailable("a small computation failed: no kernel image")
        return "torch multiplied two matrices in 0.4 s"

    inventory = devices.Inventory(gpus(2), "left out, since they are split into MIG instances: GPU-9")
    good, bad, note = doctor.gpu_findings(inventory, computed)
    assert (good.level, bad.level, note.level) == (Level.OK, Level.ERROR, Level.WARNING)
    assert good.text == "0: Fake 9000, 24 GiB: torch multiplied two matrices in 0.4 s"
    assert "no kernel image" in bad.text
    assert "CUDA_VISIBLE_DEVICES" in bad.todo
    (none,) = doctor.gpu_findings(devices.Inventory(said="nvidia-smi is not installed"), computed)
    assert (none.level, none.text) == (Level.WARNING, "none: nvidia-smi is not installed")


def test_a_gpu_without_a_driver_fails_its_computation_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('not here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match=r"a small computation failed: .*libcuda") as error:
        doctor.compute(gpus(1)[0])
    assert "\n" not in str(error.value)


TORCH = """
import os
__version__ = "9.9"
float64 = None
assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-0000"
def manual_seed(n): pass
class rand:
    def __init__(self, *shape, dtype=None, off=0.0): self.off = off
    def cuda(self): return rand(off={off})
    def __matmul__(self, other): return self
    cpu = abs = max = lambda self: self
    def __sub__(self, other): return self
    def item(self): return self.off
"""


@pytest.mark.parametrize(("off", "right"), [("0.0", True), ("0.5", False)])
def test_the_result_of_the_computation_is_checked(
    off: str, right: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a torch that is not one: whether it ran on the GPU asked for, and whether its answer is believed."""
    (tmp_path / "torch.py").write_text(TORCH.replace("{off}", off))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    if right:
        assert doctor.compute(gpus(1)[0]).startswith("torch 9.9 multiplied two matrices in ")
    else:
        with pytest.raises(SandboxUnavailable, match="gave a wrong result"):
            doctor.compute(gpus(1)[0])


def test_the_command_counts_what_is_lacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tmp_path / "bin", answer(*map(entry, gpus(1))))
    (tmp_path / "torch.py").write_text("raise ImportError('not here')")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    lacks = sum(f.level is Level.ERROR for f in doctor.examine())
    assert lacks >= 1  # the GPU that is listed can't compute
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("mlesearch ")
    assert "LACK  gpu          0: Fake 9000" in said
    assert f"{lacks} lacking" in said


# sandbox check


CHECKS = sorted(name for name in dir(SandboxContract) if name.startswith("test_"))


def test_every_promise_that_can_be_proved_has_checks() -> None:
    proved = {contract_run.promise_of(check) for check in CHECKS}
    assert proved == {"net_off", "data_read_only", "answers_absent", "memory_hard", "tree_kill", "disk_bound",
                      contract_run.ORDINARY}  # fmt: skip
    for promise, words in contract_run._BY_PROMISE.items():
        for word in words:
            assert any(word in check for check in CHECKS), (promise, word)


def test_a_promise_in_words() -> None:
    checked = contract_run.Checked({"net_off": 3, "memory_hard": 1}, [("memory_hard", "test_x", "it failed")])
    assert checked.describe("net_off") == "3 of 3 checks"
    assert checked.describe("memory_hard") == checked.describe("oom_signal") == "1 of 2 checks"
    assert checked.describe("gpu_pinned") == "no check"


def test_a_failed_check_fails_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    held = tuple(Promise(name, Degree.HELD, "by something") for name in PROMISES)
    absent = tuple(Promise(name, Degree.ABSENT, "") for name in PROMISES)
    rungs = (
        ladder.Rung("docker", False, "no daemon answers", "start it", absent),
        ladder.Rung("local", True, "", "", held, ("weaker in one way",)),
    )
    results = contract_run.Checked({"net_off": 2}, [("net_off", "test_no_network", "it got out")])
    monkeypatch.setattr(ladder, "probe", lambda names, params: rungs)
    monkeypatch.setattr(contract_run, "run", lambda name, params: results)
    assert machine.check([], {}) == 1
    said = capsys.readouterr().out
    assert "net_off            does not work here  held, 2 of 3 checks" in said
    assert "docker: no daemon answers; start it" in said
    assert "local: weaker in one way" in said
    assert "local: FAILED test_no_network: it got out" in said
    assert "2 checks passed, 1 failed" in said
    results.failed.clear()
    assert machine.check([], {}) == 0
    monkeypatch.setattr(ladder, "probe", lambda names, params: rungs[:1])
    assert machine.check([], {}) == 1  # nothing works here


@needs_local
@pytest.mark.slow
def test_the_contract_is_run_from_the_command_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mlesearch", "sandbox", "check", "local"],
        cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "answers_absent     held, " in done.stdout
    assert " checks passed, 0 failed" in done.stdout
    assert list(tmp_path.iterdir()) == []


@needs_local
def test_checks_that_were_not_made_are_not_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract_checks, "__file__", os.devnull)
    with pytest.raises(
        SandboxUnavailable,
        match=r"sandbox check local: the checks were not made to their end: pytest ended with code [45]: ",
    ):
        contract_run.run("local", {"warm": "off"})


@needs_local
def test_checks_are_made_whatever_pytest_is_told_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "strange.py").write_text("raise RuntimeError('a plugin that was not asked for')")
    (tmp_path / "short.py").write_text(
        "from mlesearch.testing.sandbox_contract import SandboxContract\n"
        "class TestContract(SandboxContract): pass\n"
        "for name in set(dir(TestContract)) - {'test_the_harness_is_not_importable'}:\n"
        "    if name.startswith('test_'): setattr(TestContract, name, None)\n"
    )
    (tmp_path / "strange-1.dist-info").mkdir()
    (tmp_path / "strange-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1\n")
    (tmp_path / "strange-1.dist-info" / "entry_points.txt").write_text("[pytest11]\nstrange = strange\n")
    told = {"PYTEST_ADDOPTS": "-k nothing_at_all", "PYTEST_PLUGINS": "strange"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    code = (
        "from mlesearch.testing import contract_checks, contract_run\n"
        f"contract_checks.__file__ = {str(tmp_path / 'short.py')!r}\n"
        "print(contract_run.run('local', {'warm': 'off'}))\n"
        f"import os; print({{name: os.environ[name] for name in {list(told)}}})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == f"Checked(passed={{'answers_absent': 1}}, failed=[], skipped=[])\n{told}\n", done.stderr


def test_an_unknown_rung_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sandbox", "check", "lokal"]) == 2
    assert "no sandbox is called 'lokal'" in capsys.readouterr().err


# sandbox bench


@needs_local
def test_what_is_measured_is_the_programs_first_line() -> None:
    with task() as (spec, outbox):
        with closing(LocalSandbox(warm=False)) as cold:
            first = cold_s(cold, spec, outbox)
        with closing(LocalSandbox()) as warm:
            second = warm_s(warm, spec, outbox, 0.0)
            per_s = throughput(warm, spec, outbox, 2)
    assert 0 < first < spec.limits.time_s
    assert 0 < second < spec.limits.time_s
    assert per_s > 0
    assert not spec.input_dir.exists()


def test_speeds_in_words() -> None:
    speed = Speed("local", (2.0, 1.0, 3.0), (0.01, 0.02, 0.03), 50, 12.34)
    assert speed.ratio == pytest.approx(100)
    assert table([speed]) == [
        {
            "rung": "local",
            "cold, ms": "2,000.0 (1,000.0 to 3,000.0)",
            "warm, ms": "20.0 (10.0 to 30.0)",
            "times quicker": "100",
            "programs a second": "12.3",
        }
    ]


# sandbox build


def test_an_image_lacks_what_the_rungs_withhold() -> None:
    assert runpy.run_path(str(ROOT / "docker" / "finish.py"))["DATA"] == environment.BUNDLED_DATA


def test_the_last_step_takes_data_out_and_compiles(tmp_path: Path) -> None:
    """In a folder that stands for site-packages; the standard library is left alone."""
    data = tmp_path / "site" / "sklearn" / "datasets" / "data"
    data.mkdir(parents=True)
    (data / "wine_data.csv").write_text("1,2\n")
    (tmp_path / "site" / "sklearn" / "__init__.py").write_text("x = 1\n")
    (tmp_path / "lib").mkdir()
    paths = {"purelib": str(tmp_path / "site"), "stdlib": str(tmp_path / "lib")}
    code = f"import runpy, sysconfig\nsysconfig.get_path = {json.dumps(paths)}.get\n"
    code += f"runpy.run_path({str(ROOT / 'docker' / 'finish.py')!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not data.exists()
    (compiled,) = (tmp_path / "site").rglob("*.pyc")
    assert compiled.read_bytes()[4] == 1  # by hash, unchecked


def test_a_tag_is_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (ROOT / "docker").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(docker_image, "recipe", lambda: tmp_path)
    plain, cuda = docker_image.tag(), docker_image.tag(cuda=True)
    assert plain != cuda
    assert docker_image.tag() == plain
    (tmp_path / "Dockerfile.cuda").write_text("FROM other\n")
    assert docker_image.tag() == plain
    assert docker_image.tag(cuda=True) != cuda
    (tmp_path / "requirements.txt").write_text("numpy\n")
    assert docker_image.tag() != plain


def test_an_image_with_another_base_is_another_image() -> None:
    tags = {docker_image.tag(cuda, base) for cuda in (False, True) for base in (None, "debian:12", "debian:13")}
    assert len(tags) == 6
    assert all(re.fullmatch(r"mlesearch-sandbox(-cuda)?:[0-9a-f]{12}", tag) for tag in tags)


@pytest.mark.parametrize(
    ("words", "use"),
    [
        ([], "sandbox=docker"),
        (["--cuda"], "sandbox=docker sandbox.params.image=TAG"),
        (["--base", "debian:13"], "sandbox=docker sandbox.params.image=TAG"),
    ],
)
def test_what_to_use_a_built_image_with_is_said(
    words: list[str], use: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tag = docker_image.tag("--cuda" in words, "debian:13" if "--base" in words else None)
    monkeypatch.setattr(docker_image, "connect", lambda: None)
    monkeypatch.setattr(docker_image, "has", lambda client, name: name == tag)
    assert main(["sandbox", "build", *words]) == 0
    assert capsys.readouterr().out == f"{tag} is ready; use it with: {use.replace('TAG', tag)}\n"


def test_building_needs_a_daemon(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix:///nowhere-{os.getpid()}.sock")
    assert main(["sandbox", "build"]) == 1
    said = capsys.readouterr().err
    assert "no daemon answers" in said
    assert said.count("\n") == 1
