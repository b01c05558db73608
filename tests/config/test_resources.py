"""What a process keeps is made once, shared by its runs, left alone by a fork, and closed by whoever made it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.budgets.shared import SharedBudgetSpent
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import StudyPlan, plan
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
from mlesearch.study.launches.launch import begin, run_cell

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
        assert resources.cassette(s) is resources.cassette(other)
        assert resources.shared_budget(s) is resources.shared_budget(other)
        assert resources.task("rentals") is resources.task("rentals")
        elsewhere = settings(tmp_path / "other")
        assert resources.cassette(s) is not resources.cassette(elsewhere)
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
        for seed in (0, 1):
            launched([settings(tmp_path, seeds=[seed])], resources)
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
        budget.settle(budget.reserve("m/s/base", 10, 1), 10)
        cassette = resources.cassette(s)
        assert cassette is not None
        assert cassette.store.get("0" * 64) is None
        assert "budgets.db" in open_here()
        resources.close()
        assert open_here() == []
    assert budget.account().spent_nusd == 20


def test_everything_is_closed_whatever_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resources = ProcessResources()
    s = settings(tmp_path)
    cassette, budget = resources.cassette(s), resources.shared_budget(s)
    assert cassette is not None
    assert budget is not None
    closed: list[str] = []

    def fails() -> None:
        closed.append("budget")
        raise OSError("the disk is gone")

    monkeypatch.setattr(budget, "close", fails)
    monkeypatch.setattr(cassette.store, "close", lambda: closed.append("cassette"))
    with pytest.raises(OSError, match="the disk is gone"):
        resources.close()
    assert closed == ["budget", "cassette"]  # the last one first


# forked


def test_a_fork_has_its_own_connections_and_leaves_its_parents_alone(tmp_path: Path) -> None:
    s = settings(tmp_path)
    with ProcessResources() as resources:
        budget, cassette, task = resources.shared_budget(s), resources.cassette(s), resources.task("rentals")
        assert budget is not None
        budget.settle(budget.reserve("m/s/base", 600_000_000, 1), 600_000_000)

        def child() -> list[bool]:
            own = resources.shared_budget(s)
            assert own is not None
            own.settle(own.reserve("m/s/base", 300_000_000, 1), 300_000_000)
            resources.close()
            return [own is budget, resources.cassette(s) is cassette, resources.task("rentals") is task]

        assert in_a_fork(child) == [False, False, True]
        assert resources.shared_budget(s) is budget
        with pytest.raises(SharedBudgetSpent, match=r"\$0.9 of \$1 are spent"):
            budget.reserve("m/s/base", 200_000_000, 1)


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
