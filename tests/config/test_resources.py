"""What a process keeps is made once, shared by its runs, left alone by a fork, and closed by whoever made it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.budgets.shared import SharedBudgetSpent
from mlesearch.config.plan import StudyPlan, plan
from mlesearch.config.resources import ProcessResources
from mlesearch.config.settings import (
    BudgetSettings,
    ModelSettings,
    SandboxSettings,
    Settings,
    StrategySettings,
    StudySettings,
)
from mlesearch.sandbox.inside import landlock
from mlesearch.sandbox.rungs.forkserver import ForkServer
from mlesearch.study.launch import begin, run_cell

needs_local = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")


def settings(folder: Path, **changes: object) -> Settings:
    """A cell whose calls and executions are recorded, and whose study shares a budget."""
    made = Settings(
        study=StudySettings("s", str(folder / "study")),
        model=ModelSettings("sim_05", "simulated", params={"capability": 0.5}),
        strategy=StrategySettings("random", "random"),
        seeds=[0, 1],
        budget=BudgetSettings(steps=1, study_usd=1.0),
        sandbox=SandboxSettings("local", exec_store="record"),
        cassette="record",
    )
    return replace(made, **changes)


def launched(cells: list[Settings], resources: ProcessResources, n_jobs: int = 1) -> StudyPlan:
    """A launch without Hydra and without the command line."""
    planned = plan(cells, resources)
    begin(planned, resources)
    reports = run_cell(planned.runs, n_jobs, planned.folder / ".stop", resources)
    assert {r.status for r in reports} <= {"ok", "skipped"}, reports
    return planned


def in_a_fork(work: Callable[[], object]) -> object:
    """What a function returns in a forked child."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(theirs, json.dumps(work()).encode())
        except BaseException as e:
            os.write(theirs, json.dumps(repr(e)).encode())
        os._exit(0)
    os.close(theirs)
    with open(ours, "rb") as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(said)


# made once


def test_what_is_asked_for_alike_is_one_thing(tmp_path: Path) -> None:
    s = settings(tmp_path)
    other = replace(s, strategy=StrategySettings("greedy", "greedy"), seeds=[7])
    with ProcessResources() as resources:
        assert resources.tape(s) is resources.tape(other)
        assert resources.shared_budget(s) is resources.shared_budget(other)
        assert resources.task("rentals") is resources.task("rentals")
        elsewhere = settings(tmp_path / "other")
        assert resources.tape(s) is not resources.tape(elsewhere)
        assert resources.shared_budget(s) is not resources.shared_budget(elsewhere)
        more = replace(s, budget=replace(s.budget, study_usd=2.0))
        assert resources.shared_budget(s) is not resources.shared_budget(more)


@needs_local
def test_sandboxes_differ_where_their_settings_do(tmp_path: Path) -> None:
    off = settings(tmp_path, sandbox=SandboxSettings("local"))
    recorded = settings(tmp_path)
    with ProcessResources() as resources:
        assert resources.sandbox(off) is resources.sandbox(off)
        assert resources.sandbox(recorded) is resources.sandbox(recorded)
        assert vars(resources.sandbox(recorded))["inner"] is resources.sandbox(off)
        for changed in (
            SandboxSettings("local", warm=False),
            SandboxSettings("local", require=["net_off"]),
            SandboxSettings("local", min_free_gib=0.5),
        ):
            assert resources.sandbox(settings(tmp_path, sandbox=changed)) is not resources.sandbox(off)


@needs_local
def test_what_is_warm_stays_warm_from_run_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warm: list[int] = []
    start = ForkServer.__init__

    def counted(self: ForkServer, executable: str, config: dict, *more: object) -> None:
        start(self, executable, config, *more)  # type: ignore[arg-type]
        if config["preload"]:
            warm.append(self.pid)

    monkeypatch.setattr(ForkServer, "__init__", counted)
    with ProcessResources() as resources:
        launched([settings(tmp_path)], resources)
        assert len(warm) == 1
        assert Path(f"/proc/{warm[0]}").exists()
    assert not Path(f"/proc/{warm[0]}").exists()


# closed


def test_closed_means_no_descriptor_and_used_again_it_opens_again(tmp_path: Path) -> None:
    def open_here() -> list[str]:
        held = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if fd_exists(fd)]
        return [Path(p).name for p in held if p.startswith(str(tmp_path))]

    def fd_exists(fd: str) -> bool:
        return os.path.lexists(f"/proc/self/fd/{fd}")

    s = settings(tmp_path)
    resources = ProcessResources()
    for _ in range(2):
        budget = resources.shared_budget(s)
        assert budget is not None
        budget.settle(budget.hold("m/s/base", 10, 1), 10)
        tape = resources.tape(s)
        assert tape is not None
        assert tape.store.get("0" * 64) is None
        assert "budgets.db" in open_here()
        resources.close()
        assert open_here() == []
    assert budget.account().spent_nusd == 20


def test_everything_is_closed_whatever_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resources = ProcessResources()
    s = settings(tmp_path)
    tape, budget = resources.tape(s), resources.shared_budget(s)
    assert tape is not None
    assert budget is not None
    closed: list[str] = []

    def fails() -> None:
        closed.append("budget")
        raise OSError("the disk is gone")

    monkeypatch.setattr(budget, "close", fails)
    monkeypatch.setattr(tape.store, "close", lambda: closed.append("tape"))
    with pytest.raises(OSError, match="the disk is gone"):
        resources.close()
    assert closed == ["budget", "tape"]  # the last one first


LAUNCH = """
import os, sys
from pathlib import Path
from mlesearch.cli.main import main

def open_files():
    return sorted(os.readlink(path) for path in Path("/proc/self/fd").iterdir() if os.path.lexists(path))

def children():
    pids = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    return [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids]

words = ["run", "-m", "strategy=random,greedy", "sandbox=local", "budget.steps=1", "budget.study_usd=1",
         "cassette=record", "sandbox.exec_store=record", f"launcher.n_jobs={sys.argv[1]}"]
assert main([*words, "study.dir=first"]) == 0
before = open_files()  # of what is imported, and of joblib's tracker of resources, which is for life
assert main([*words, "study.dir=second"]) == 0
after = open_files()
assert len(after) == len(before), (before, after)
assert all("resource_tracker" in command for command in children()), children()
left = [path for path in Path(os.environ["MLESEARCH_SCRATCH"]).rglob("server*")]
assert not left, left
print("nothing is left")
"""


@needs_local
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_launch_leaves_nothing_open_and_nobody_at_work(n_jobs: int, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    env = {**os.environ, "MLESEARCH_SCRATCH": str(tmp_path / "scratch")}
    done = subprocess.run(
        [sys.executable, "-c", LAUNCH, str(n_jobs)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("nothing is left\n")


# forked


def test_a_fork_has_its_own_connections_and_leaves_its_parents_alone(tmp_path: Path) -> None:
    s = settings(tmp_path)
    with ProcessResources() as resources:
        budget, tape, task = resources.shared_budget(s), resources.tape(s), resources.task("rentals")
        assert budget is not None
        budget.settle(budget.hold("m/s/base", 600_000_000, 1), 600_000_000)

        def child() -> list[bool]:
            own = resources.shared_budget(s)
            assert own is not None
            own.settle(own.hold("m/s/base", 300_000_000, 1), 300_000_000)
            resources.close()
            return [own is budget, resources.tape(s) is tape, resources.task("rentals") is task]

        assert in_a_fork(child) == [False, False, True]
        assert resources.shared_budget(s) is budget
        with pytest.raises(SharedBudgetSpent, match=r"\$0.9 of \$1 are spent"):
            budget.hold("m/s/base", 200_000_000, 1)


@needs_local
def test_a_fork_closes_nothing_of_its_parents(tmp_path: Path) -> None:
    s = settings(tmp_path, seeds=[0])
    with ProcessResources() as resources:
        launched([s], resources)
        sandbox = resources.sandbox(s)

        def child() -> bool:
            resources.after_fork()
            resources.close()
            return resources.sandbox(s) is sandbox

        assert in_a_fork(child) is False
        (server,) = vars(vars(sandbox)["inner"])["_state"].servers.values()
        assert server.alive
        launched([replace(s, seeds=[1])], resources)
