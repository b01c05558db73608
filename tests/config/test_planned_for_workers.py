"""What only workers need is left to workers, said in words, and checked there; all keep to the sandbox of the first."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.node_check import NodeCheck, NodeDiffers, fix_sandboxes
from mlesearch.config.planning.plan import RunPlan, StudyPlan, plan
from mlesearch.config.settings import (
    BudgetSettings,
    ModelSettings,
    SandboxSettings,
    Settings,
    StrategySettings,
    StudySettings,
)
from mlesearch.sandbox import ladder
from mlesearch.storage import study_sandboxes
from mlesearch.storage.study_sandboxes import StudySandbox, fix_sandbox, read_sandbox
from mlesearch.study.launches.launch import begin
from mlesearch.study.runs.execute import execute_run
from mlesearch.types import ConfigError


def cell(folder: Path, **sandbox: object) -> Settings:
    return Settings(
        study=StudySettings("s", str(folder / "study")),
        model=ModelSettings("sim_05", "simulated", params={"capability": 0.5}),
        strategy=StrategySettings("random", "random"),
        tasks=["rentals"],
        seeds=[0, 1],
        budget=BudgetSettings(steps=1),
        sandbox=SandboxSettings(**sandbox),
    )


def planned(s: Settings, on: str = "workers", *more: Settings) -> StudyPlan:
    with ProcessResources() as resources:
        return plan([s, *more], resources, on=on)  # type: ignore[arg-type]


def said(found: StudyPlan) -> dict[str, str]:
    return {left.setting: left.text for left in found.later}


# the planner


@pytest.mark.parametrize(
    ("sandbox", "setting"),
    [({"gpus": 1}, "sandbox.gpus"), ({"kind": "docker"}, "sandbox"), ({"cpu_count": 9_999}, "sandbox.cpu_count")],
)
def test_what_this_machine_lacks_is_left_to_workers(tmp_path: Path, sandbox: dict[str, object], setting: str) -> None:
    if setting == "sandbox" and ladder.probe(("docker",))[0].works:
        pytest.skip("docker works here")
    s = cell(tmp_path, **{"kind": "local", **sandbox})
    with pytest.raises(ConfigError, match="sandbox"):
        planned(s, "here")
    found = planned(s)
    assert setting in said(found)
    assert all(run.sandbox_open for run in found.runs)
    assert set(found.states.values()) == {"new"}
    assert not (tmp_path / "study").exists(), "a plan writes nothing"


def test_a_key_that_is_not_here_may_be_on_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    params = {"model": "openai/x", "api_base": "http://127.0.0.1:9/v1", "api_key_env": "NO_SUCH_KEY"}
    live = replace(cell(tmp_path, kind="local"), model=ModelSettings("m", "litellm", params=params))
    with pytest.raises(ConfigError, match="NO_SUCH_KEY"):
        planned(live, "here")
    assert "NO_SUCH_KEY" in said(planned(live))["model"]
    monkeypatch.setenv("NO_SUCH_KEY", "k")
    assert "model" not in said(planned(live))


def test_what_is_wrong_everywhere_is_refused_at_once(tmp_path: Path) -> None:
    for wrong in ({"gpus": 2}, {"memory_gib": -1.0}, {"exec_store": "no"}):
        with pytest.raises(ConfigError, match="sandbox"):
            planned(cell(tmp_path, **wrong))


# the workers


def complete_all(found: StudyPlan) -> list[str]:
    """Each run as this machine has it: its rung, or why not."""
    rungs = []
    with ProcessResources() as resources:
        node = NodeCheck(resources)
        for run in found.runs:
            try:
                done = node.complete(run)
            except NodeDiffers as error:
                rungs.append(str(error))
            else:
                assert not done.sandbox_open
                assert done.settings.sandbox.kind == done.labels["sandbox"] == done.identity["sandbox"]["rung"]
                rungs.append(done.settings.sandbox.kind)
    return rungs


def on_a_machine(work: Callable[[], object], path: str | None = None) -> object:
    """What a function returns in a process that has tried no rung yet, and finds programs along a path."""
    here, there = multiprocessing.get_context("fork").Pipe(duplex=False)

    def child() -> None:
        if path is not None:
            os.environ["PATH"] = path
        try:
            there.send(work())
        except BaseException as error:
            there.send(repr(error))

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    there.close()
    found = here.recv()
    process.join()
    return found


needs_bwrap = pytest.mark.skipif(
    not all(rung.works for rung in ladder.probe(("bubblewrap", "local"))) or ladder.probe(("docker",))[0].works,
    reason="bubblewrap and local have to work here, and docker not, to stand for machines that differ",
)


def path_without_bwrap(folder: Path) -> str:
    """All programs but bwrap, as on a machine where it is not installed."""
    folder.mkdir()
    for place in filter(os.path.isdir, os.environ["PATH"].split(os.pathsep)):
        for name in os.listdir(place):
            if name != "bwrap" and not (folder / name).is_symlink():
                (folder / name).symlink_to(Path(place) / name)
    return str(folder)


@needs_bwrap
def test_a_machine_without_the_rung_of_the_study_does_no_run(tmp_path: Path) -> None:
    found = planned(cell(tmp_path))
    lacks = path_without_bwrap(tmp_path / "bin")
    assert on_a_machine(lambda: complete_all(found)) == ["bubblewrap", "bubblewrap"]
    for why in on_a_machine(lambda: complete_all(found), lacks):  # type: ignore[attr-defined]
        assert "keep to bubblewrap" in why


@needs_bwrap
def test_a_better_machine_keeps_to_what_the_first_one_has(tmp_path: Path) -> None:
    found = planned(cell(tmp_path))
    begin(found, ProcessResources())
    assert on_a_machine(lambda: complete_all(found), path_without_bwrap(tmp_path / "bin")) == ["local", "local"]
    assert on_a_machine(lambda: complete_all(found)) == ["local", "local"]
    here = planned(cell(tmp_path), "here")
    assert {run.settings.sandbox.kind for run in here.runs} == {"local"}, "and so does a later launch"
    later = planned(cell(tmp_path))
    assert not any(run.sandbox_open for run in later.runs)
    assert [run.identity for run in later.runs] == [run.identity for run in here.runs]


def test_a_worker_names_the_field_in_which_it_differs(tmp_path: Path) -> None:
    s = cell(tmp_path, kind="local")
    here, open_ = planned(s, "here"), planned(s)
    ((asked, mine),) = here.sandboxes.items()
    fix_sandbox(here.folder, asked, {**mine, "identity": {**mine["identity"], "environment": "other"}, "host": "n1"})
    for why in complete_all(open_):
        assert "sandbox.environment is " in why
        assert "as n1 fixed it" in why
    assert complete_all(here) == ["local", "local"], "what was listed is what this machine has"
    other = [replace(r, identity={**r.identity, "workers": 3}) for r in here.runs]
    assert all("workers is 1 here and 3 there" in why for why in complete_all(replace(here, runs=tuple(other))))


def test_a_machine_that_can_run_nothing_fixes_nothing(tmp_path: Path) -> None:
    found = planned(cell(tmp_path, kind="local", cpu_count=9_999))
    assert all("sandbox.cpu_count" in why for why in complete_all(found))
    assert not (tmp_path / "study").exists()


def test_a_completed_run_is_the_same_run_to_a_launch_here(tmp_path: Path) -> None:
    """Begun by a worker, finished by `run` on this machine, and looked at from a login node."""
    s = cell(tmp_path, kind="local")
    found = planned(s)
    with ProcessResources() as resources:
        begin(found, resources)
        run = NodeCheck(resources).complete(found.runs[0])
        assert execute_run(run, lambda: False, resources).status == "ok"
    for on in ("here", "workers"):
        assert list(planned(s, on).states.values()) == ["finished", "new"]


def test_a_study_of_before_gives_its_sandbox_to_workers(tmp_path: Path) -> None:
    """Its begun runs say what they keep to, and so do all others of the launch."""
    s = cell(tmp_path, kind="local")
    with ProcessResources() as resources:
        begin(first := plan([s], resources), resources)
        execute_run(first.runs[0], lambda: False, resources)
    shutil.rmtree(first.folder / study_sandboxes.FOLDER)
    found = planned(s, "workers", replace(s, strategy=StrategySettings("greedy", "greedy")))
    assert list(found.states.values()) == ["finished", "new", "new", "new"]
    assert {json.dumps(run.identity["sandbox"]) for run in found.runs} == {
        json.dumps(first.runs[0].identity["sandbox"])
    }
    changed = replace(s, run=replace(s.run, workers=2))
    with pytest.raises(ConfigError, match="workers is 2 here and 1 there"):
        planned(changed)


# the file


def chosen(name: str) -> StudySandbox:
    return {"kind": name, "params": {}, "name": name, "identity": {"rung": name}, "why": "", "host": name}


@pytest.mark.parametrize("links", [True, False])
def test_all_keep_to_the_first_of_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:

        def no_link(source: object, target: object) -> None:
            raise PermissionError(1, "no links on this file system")

        monkeypatch.setattr(os, "link", no_link)
    with multiprocessing.get_context("fork").Pool(8) as pool:
        found = pool.starmap(fix_sandbox, [(tmp_path, "a" * 64, chosen(f"n{i}")) for i in range(64)], chunksize=1)
    assert {json.dumps(f) for f in found} == {json.dumps(read_sandbox(tmp_path, "a" * 64))}
    assert os.listdir(tmp_path / study_sandboxes.FOLDER) == [f"{'a' * 32}.json"], "nothing is left beside it"
    assert fix_sandbox(tmp_path, "b" * 64, chosen("other"))["kind"] == "other"


def test_two_launches_that_chose_differently_are_not_mixed(tmp_path: Path) -> None:
    found = planned(cell(tmp_path, kind="local"), "here")
    (asked,) = found.sandboxes
    fix_sandbox(found.folder, asked, chosen("bubblewrap"))
    with pytest.raises(ConfigError, match="has just fixed bubblewrap"):
        fix_sandboxes(found)


def test_a_plan_is_plain_data(tmp_path: Path) -> None:
    (first, *_) = planned(cell(tmp_path, gpus=1)).runs
    assert isinstance(first, RunPlan)
    assert json.loads(json.dumps(first.identity)) == first.identity
    assert first.identity["sandbox"] == {}
