"""Settings by keyword are those of the command line, and so are the words in which a wrong one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import mlesearch as ml
from mlesearch.config.loading.compose import expand, jobs
from mlesearch.config.loading.plain import cells

ALIKE = {
    "nothing": ([], {}),
    "names": (
        ["model=sim_02", "strategy=greedy", "sandbox=local"],
        {"model": "sim_02", "strategy": "greedy", "sandbox": "local"},
    ),
    "what differs from a file": (
        ["model=gpt-5", "model.name=hot", "model.sampling.temperature=1", "strategy.params.num_traces=2"],
        {
            "model": {"file": "gpt-5", "name": "hot", "sampling": {"temperature": 1}},
            "strategy": {"params": {"num_traces": 2}},
        },
    ),
    "roles": (
        ["model.roles.feedback=gpt-5", "model.roles.ideas={name: sim_02, params: {capability: 0.3}}"],
        {"model": {"roles": {"feedback": "gpt-5", "ideas": {"name": "sim_02", "params": {"capability": 0.3}}}}},
    ),
    "groups": (
        ["budget.steps=null", "budget.time_s=60", "run.workers=2", "launcher.n_jobs=1", "sandbox.memory_gib=2"],
        {
            "budget": {"steps": None, "time_s": 60},
            "run": {"workers": 2},
            "launcher": {"n_jobs": 1},
            "sandbox": {"memory_gib": 2},
        },
    ),
    "plain values": (
        ["study.name=x", "tasks=[canvas,rentals]", "seeds=[0,1,2]", "variant=v", "cassette_path=c.db"],
        {
            "study": "x",
            "tasks": ("canvas", Path("rentals")),
            "seeds": range(3),
            "variant": "v",
            "cassette_path": Path("c.db"),
        },
    ),
    "a claim": (
        ["claim.treatment=gome", "claim.baseline=greedy", "claim.tiers=[low,high]", "study.dir=/data/x"],
        {
            "claim": {"treatment": "gome", "baseline": "greedy", "tiers": ("low", "high")},
            "study": {"dir": Path("/data/x")},
        },
    ),
}

WRONG = {
    "a strategy": (["strategy=gredy"], {"strategy": "gredy"}),
    "a model": (["model=sim_99"], {"model": "sim_99"}),
    "a sandbox": (["sandbox=loacl"], {"sandbox": "loacl"}),
    "no model": (["model=null"], {"model": None}),
    "a key": (["budget.step=3"], {"budget": {"step": 3}}),
    "a group": (["budgt.steps=3"], {"budgt.steps": 3}),
    "a parameter": (["strategy.params.num_trace=3"], {"strategy": {"params": {"num_trace": 3}}}),
    "a type": (["budget.steps=many"], {"budget": {"steps": "many"}}),
    "a range": (["budget.steps=0"], {"budget": {"steps": 0}}),
    "a task": (["tasks=[rentlas]"], {"tasks": ["rentlas"]}),
    "a role": (["model.roles.fedback=sim_05"], {"model": {"roles": {"fedback": "sim_05"}}}),
    "half a claim": (["claim.treatment=gome"], {"claim": {"treatment": "gome"}}),
}


@pytest.mark.parametrize("case", ALIKE)
def test_settings_are_those_of_the_command_line(case):
    words, given = ALIKE[case]
    assert ml.settings(**given) == jobs(expand(words), False).jobs[0].settings


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_the_same_words(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words, given = WRONG[case]
    with pytest.raises(ml.ConfigError) as by_words:
        ml.plan(jobs(expand(words), False).jobs[0].settings)
    with pytest.raises(ml.ConfigError) as by_keywords:
        ml.plan(**given)
    assert str(by_keywords.value) == str(by_words.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tasks": "rentals"}, "tasks: a list is expected; this is 'rentals'"),
        ({"budget": 7}, "budget: a mapping of what differs, or settings, is expected; this is 7"),
        ({"strategy": []}, "strategy: the list is empty; at least one is needed"),
        ({"model": {"kind": "simulated"}}, "model.name: "),
        ({"model": ["sim_01", "sim_02"]}, "settings: these are 2 cells; give one model"),
    ],
)
def test_what_only_python_can_get_wrong(given, words):
    with pytest.raises(ml.ConfigError) as error:
        ml.settings(**given)
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value)


def test_settings_stand_for_mappings():
    whole = ml.settings(model={"name": "gpt-5", "roles": {"feedback": "sim_05"}}, budget={"steps": None, "tokens": 9})
    parts = {name: getattr(whole, name) for name in ("study", "claim", "model", "strategy", "budget", "run", "sandbox")}
    assert ml.settings(**parts) == whole
    with pytest.raises(ml.ConfigError, match=r"^budget: give cells, or what they are made of"):
        ml.plan(whole, budget=whole.budget)


def test_lists_are_swept_over_as_with_m():
    words = ["model=sim_02,sim_09", "strategy=random,gome", "variant=a,b"]
    given = {"model": ["sim_02", "sim_09"], "strategy": ["random", "gome"], "variant": ("a", "b")}
    assert cells(given) == [cell.settings for cell in jobs(expand(words), True).jobs]
