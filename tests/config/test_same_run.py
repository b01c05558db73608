"""A parameter at its default makes no other run, and what stands on disk stays as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlesearch.config.catalogue.strategies import strategies
from mlesearch.config.identity.same_run import full_params
from mlesearch.config.loading.compose import expand, jobs
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import StudyPlan, plan
from mlesearch.storage.layout import identity_digest
from mlesearch.study.launches.launch import begin
from mlesearch.study.runs.execute import execute_run
from mlesearch.types import ConfigError

COMMON = ("model=sim_05", "sandbox=local", "budget.steps=1", "launcher.n_jobs=1")


def planned(*words: str) -> StudyPlan:
    with ProcessResources() as resources:
        return plan([cell.settings for cell in jobs(expand([*COMMON, *words]), False).jobs], resources)


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run of greedy that names none of its parameters; returns its folder."""
    monkeypatch.chdir(tmp_path)
    with ProcessResources() as resources:
        found = plan([jobs(expand([*COMMON, "strategy=greedy"]), False).jobs[0].settings], resources)
        begin(found, resources)
        (run,) = found.runs
        assert execute_run(run, lambda: False, resources).status == "ok"
    return run.folder


def test_a_value_equal_to_the_default_is_the_same_run(begun: Path) -> None:
    before = (begun / "run.json").read_bytes()
    found = planned("strategy=greedy", "strategy.params.num_drafts=5")
    assert list(found.states.values()) == ["finished"]
    assert (begun / "run.json").read_bytes() == before
    assert found.runs[0].identity["strategy"]["params"] == {}, "the run keeps the identity that it was begun with"


def test_another_value_is_another_run_and_is_named(begun: Path) -> None:
    with pytest.raises(ConfigError, match=r"another identity: strategy\.params\.num_drafts"):
        planned("strategy=greedy", "strategy.params.num_drafts=4")


def test_an_identity_that_was_written_before_stays_as_it_is(begun: Path) -> None:
    """A study begun with the default written out, as the experiments on diagnosis and momentum are, goes on."""
    run = json.loads((begun / "run.json").read_text())
    run["identity"]["strategy"]["params"] = {"num_drafts": 5}
    run["digest"] = identity_digest(run["identity"])
    (begun / "run.json").write_text(json.dumps(run))
    found = planned("strategy=greedy")
    assert list(found.states.values()) == ["finished"]
    assert found.runs[0].identity == run["identity"]


def test_two_spellings_in_one_launch_are_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["strategy=gome", "strategy.params.momentum=true,on", *COMMON]
    with ProcessResources() as resources:
        found = plan([cell.settings for cell in jobs(expand(words), True).jobs], resources)
    assert len(found.runs) == 1


def test_every_shipped_strategy_says_its_defaults() -> None:
    """Each parameter of each strategy, written out at its default, comes to what is not given."""
    checked = 0
    for listed in strategies():
        given = dict(listed.given or {})
        usual = full_params(listed.kind, given)
        for parameter in listed.parameters:
            if parameter.name in given:
                continue
            value = usual[parameter.name]
            assert full_params(listed.kind, {**given, parameter.name: value}) == usual
            checked += 1
    assert checked > 50
