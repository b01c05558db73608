"""Which rung is taken, why, and what is refused before anything runs."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from mlesearch.config.settings import SandboxSettings, Settings
from mlesearch.sandbox import ladder, scratch
from mlesearch.sandbox.inside import cgroup, landlock
from mlesearch.sandbox.promises import Degree
from mlesearch.sandbox.protocol import PROMISES
from mlesearch.sandbox.rungs import kernel
from mlesearch.types import ConfigError


@pytest.fixture(autouse=True)
def _probe_anew():
    """What one test masks, another must not find in the cache."""
    ladder._probe.cache_clear()
    yield
    ladder._probe.cache_clear()


@pytest.fixture
def no_docker(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")


@pytest.fixture
def no_bubblewrap(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def no_landlock(monkeypatch):
    monkeypatch.setattr(landlock, "abi", lambda: 0)


def test_every_rung_is_described(no_docker):
    rungs = {rung.name: rung for rung in ladder.probe()}
    assert list(rungs) == list(ladder.SANDBOXES.builtin)
    assert set(rungs) == set(scratch.RUNGS), "what a killed orchestrator left of a rung is removed by the rung's name"
    for rung in rungs.values():
        assert [p.name for p in rung.promises] == list(PROMISES)
        assert rung.works != bool(rung.why)
        assert bool(rung.todo) == bool(rung.why)
        for promise in rung.promises:
            assert bool(promise.words) == (promise.degree is not Degree.ABSENT), (rung.name, promise)
    assert not rungs["docker"].works
    assert (rungs["docker"].why, rungs["docker"].todo) == (
        "no daemon answers (there is no socket)",
        "start it, or set DOCKER_HOST to its socket",
    )
    assert all(p.degree is Degree.ABSENT for p in rungs["unsafe"].promises)


def test_auto_goes_down_the_ladder_and_says_why(no_docker, no_bubblewrap):
    if landlock.abi() < 1:
        pytest.skip("this kernel has no Landlock, so nothing is left below bubblewrap")
    choice = ladder.choose("auto")
    assert choice.name == "local"
    assert choice.why == (
        "local, the strongest rung that works here; docker: no daemon answers (there is no socket); bubblewrap: there "
        "is no `bwrap` on PATH"
    )
    assert [rung.name for rung in choice.rungs] == ["docker", "bubblewrap", "local"]


def test_auto_takes_the_strongest_that_works(no_docker):
    (bubblewrap,) = ladder.probe(["bubblewrap"])
    if not bubblewrap.works:
        pytest.skip(f"NO BUBBLEWRAP: {bubblewrap.why}")
    assert ladder.choose("auto").name == "bubblewrap"


def test_auto_passes_what_does_not_keep_a_requirement(no_docker, no_bubblewrap, monkeypatch):
    monkeypatch.setattr(cgroup, "parents", lambda: ())
    with pytest.raises(ConfigError) as error:
        ladder.choose("auto", ["memory_hard"])
    assert "local: does not keep memory_hard" in str(error.value)
    assert "\n" not in str(error.value)
    if landlock.abi() >= 1:
        assert ladder.choose("auto", ["memory_hard: advisory", "net_off"]).name == "local"


def test_auto_with_nothing_that_works_says_what_to_do(no_docker, no_bubblewrap, no_landlock):
    with pytest.raises(ConfigError) as error:
        ladder.choose("auto")
    for words in ("start it, or set DOCKER_HOST", "apt-get install bubblewrap", "Linux 5.13 or later", "use sandbox"):
        assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "require", "words"),
    [
        (
            "lokal",
            (),
            "no sandbox is called 'lokal' (did you mean 'local'?); there are: auto, docker, bubblewrap, local, unsafe",
        ),
        ("docker", (), "sandbox=docker: no daemon answers (there is no socket); start it, or set DOCKER_HOST"),
        ("auto", ("net",), "'net' is no promise; allowed: net_off"),
        ("local", ("gpu_pinned",), "the rung local does not keep gpu_pinned on this machine; it promises: net_off, "),
    ],
)
def test_wrong_choices(no_docker, name, require, words):
    if name == "local" and landlock.abi() < 1:
        pytest.skip("this kernel has no Landlock")
    with pytest.raises(ConfigError) as error:
        ladder.choose(name, require)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_gpu_each_is_pinned_as_the_rung_can(no_docker):
    for name, degree in (("bubblewrap", Degree.HELD), ("local", Degree.ADVISORY)):
        (rung,) = ladder.probe([name], gpu=True)
        if not rung.works:
            continue
        assert rung.degree("gpu_pinned") is degree
        choice = ladder.choose(name, ["gpu_pinned: advisory"], gpu=True)
        ladder.open_chosen(choice, {"warm": False, "require": ["net_off", "gpu_pinned: advisory"]}).close()
        if degree is Degree.ADVISORY:
            with pytest.raises(ConfigError, match="the rung local does not keep gpu_pinned on this machine"):
                ladder.choose(name, ["gpu_pinned"], gpu=True)


def test_promises_shrink_with_the_kernel():
    full = kernel.promised(7, has_cgroup=True)
    assert {p.partition(":")[0] for p in full} == set(PROMISES) - {"gpu_pinned"}
    for version in range(1, 8):
        assert kernel.promised(version, has_cgroup=True) == full  # seccomp carries what an older Landlock lacks
    assert {p for p in kernel.promised(1, has_cgroup=False) if p.endswith("advisory")} == {
        "memory_hard: advisory",
        "oom_signal: advisory",
    }
    assert kernel.promised(0, has_cgroup=True) == ()


def test_a_launch_records_the_rung_and_keeps_it(no_docker, no_bubblewrap, tmp_path):
    if landlock.abi() < 1:
        pytest.skip("this kernel has no Landlock, so nothing is left below bubblewrap")
    from mlesearch.config.parts.resources import ProcessResources
    from mlesearch.config.planning.plan import plan
    from mlesearch.config.settings import BudgetSettings, ModelSettings, StrategySettings, StudySettings

    settings = Settings(
        study=StudySettings("s", str(tmp_path / "study")),
        model=ModelSettings("sim_05", "simulated", params={"capability": 0.5}),
        strategy=StrategySettings("greedy", "greedy"),
        budget=BudgetSettings(steps=1),
        sandbox=SandboxSettings(params={"image": "host"}),
    )
    with ProcessResources() as resources:
        (run,) = plan([settings], resources).runs
    assert run.settings.sandbox.kind == "local"
    assert run.labels["sandbox"] == "local"
    assert "docker: no daemon answers" in run.labels["sandbox_why"]
    assert run.identity["sandbox"]["promises"] == list(kernel.promised(landlock.abi(), bool(cgroup.parents())))


def test_unsafe_is_refused_to_root():
    if os.geteuid() != 0:
        pytest.skip("this test needs root")
    (rung,) = ladder.probe(["unsafe"])
    assert (rung.works, rung.why) == (False, "it holds nothing back, so it is refused to root")


def test_unsafe_serves_an_ordinary_user_but_not_beside_answers(tmp_path):
    from mlesearch.sandbox.protocol import Job, Limits, Spec
    from mlesearch.sandbox.rungs.unsafe import UnsafeSandbox
    from mlesearch.types import ExecStatus

    if os.geteuid() == 0:
        pytest.skip("this test needs an ordinary user")
    for name in ("public", "private"):
        (tmp_path / name).mkdir()
    sandbox = UnsafeSandbox(warm=False)
    try:
        spec = Spec("t@1", tmp_path / "public", limits=Limits(time_s=20))
        done = sandbox.run(sandbox.prepare(spec), Job("a", "print(__name__)", 20.0, tmp_path / "out"))
        assert (done.status, done.stdout.text, done.promises) == (ExecStatus.OK, "__main__\n", ())
        late = sandbox.run(sandbox.prepare(spec), Job("a", "while True: pass", 0.5, tmp_path / "out"))
        assert late.status is ExecStatus.TIMEOUT
        with pytest.raises(ConfigError, match="could read the answers of t@1"):
            sandbox.prepare(Spec("t@1", tmp_path / "public", hidden=(tmp_path / "private",)))
    finally:
        sandbox.close()


def test_bubblewrap_that_can_not_start_is_passed_with_its_reason(no_docker, monkeypatch, tmp_path):
    fake = tmp_path / "bwrap"
    fake.write_text(
        "#!/bin/sh\n[ $1 = --version ] && echo bubblewrap 0.8.0 && exit 0\n"
        "echo 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert shutil.which("bwrap") == str(fake)
    (rung,) = ladder.probe(["bubblewrap"])
    assert not rung.works
    assert "No permissions to create new namespace" in rung.why
    assert rung.todo == "allow user namespaces to ordinary users, or, in a container, use sandbox=local"


def test_an_old_bubblewrap_is_passed_with_its_version(no_docker, monkeypatch, tmp_path):
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho bubblewrap 0.6.1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (rung,) = ladder.probe(["bubblewrap"])
    assert (rung.works, rung.why) == (False, f"{fake} has version 0.6")
    assert rung.todo == "install 0.7 or later"
