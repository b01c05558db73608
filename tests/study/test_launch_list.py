"""The list of a launch: what is read from it is what was planned, and it is small."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlesearch.budgets.meter import Budget
from mlesearch.config.loading.plain import cells
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import RunPlan, plan
from mlesearch.config.settings import Settings
from mlesearch.sandbox.protocol import Limits
from mlesearch.storage.layout import RunKey, identity_digest
from mlesearch.study.runs.execute import run_file
from mlesearch.study.work_list.files import LISTS, list_numbers, list_path, read_list, write_list
from mlesearch.types import ConfigError

WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def launches(draw: st.DrawFn) -> tuple[RunPlan, ...]:
    """Runs in the order in which a plan has them, and some that no plan has."""
    runs: list[RunPlan] = []
    for _ in range(draw(st.integers(1, 3))):
        s = Settings(variant=draw(WORDS), clock=draw(st.sampled_from(["real", "virtual"])))
        s.model.name, s.strategy.name = draw(WORDS), draw(WORDS)
        s.model.params = draw(st.dictionaries(WORDS, PLAIN, max_size=3))
        budget = Budget(steps=draw(st.none() | st.integers(1, 9)), time_s=draw(st.none() | st.floats(1, 9)))
        for _ in range(draw(st.integers(1, 3))):
            task = draw(WORDS)
            limits = Limits(time_s=draw(st.floats(1, 100)), cpu_count=draw(st.integers(1, 8)))
            identity = draw(st.dictionaries(WORDS.filter(lambda w: w != "seed"), PLAIN, max_size=4))
            labels: Any = draw(st.dictionaries(WORDS, PLAIN, max_size=3))
            recorded = draw(st.none() | st.just(Path("/recorded/run")))
            for seed in draw(st.lists(st.integers(0, 99), min_size=1, max_size=4)):
                key = RunKey(s.model.name, s.strategy.name, s.variant, task, seed)
                own: Any = {**identity, "seed": seed}
                runs.append(RunPlan(key, Path("/nowhere/study"), s, task, budget, limits, own, labels, recorded))
    return tuple(runs)


@settings(max_examples=60, deadline=None)
@given(launches())
def test_what_is_read_is_what_was_written(tmp_path_factory: pytest.TempPathFactory, runs: tuple[RunPlan, ...]) -> None:
    study = tmp_path_factory.mktemp("study")
    runs = tuple(replace(r, study_dir=study) for r in runs)
    found = read_list(study, write_list(study, runs))
    assert found.runs == runs
    assert [json.dumps(r.identity) for r in found.runs] == [json.dumps(r.identity) for r in runs]  # in their order too
    assert [json.dumps(run_file(r)) for r in found.runs] == [json.dumps(run_file(r)) for r in runs]
    assert found.made_in == Path.cwd()


def planned(folder: Path, **given: Any) -> tuple[RunPlan, ...]:
    whole: Any = {
        "study": {"dir": str(folder)},
        "sandbox": "local",
        "model": ["sim_02", "sim_05"],
        "strategy": ["random", "gome"],
        "tasks": ["rentals", "canvas"],
        "seeds": [0, 3],
        "budget": {"steps": 2},
        **given,
    }
    with ProcessResources() as resources:
        return plan(cells(whole), resources).runs


def test_a_plan_comes_back_and_the_same_plan_writes_no_second_list(tmp_path: Path) -> None:
    runs = planned(tmp_path)
    assert write_list(tmp_path, runs) == 1
    assert read_list(tmp_path, 1).runs == runs
    assert {identity_digest(r.identity) for r in read_list(tmp_path, 1).runs} == {
        identity_digest(r.identity) for r in runs
    }
    assert write_list(tmp_path, runs) == 1
    assert write_list(tmp_path, runs[:3]) == 2
    assert list_numbers(tmp_path) == [1, 2]
    assert not [p for p in (tmp_path / LISTS).iterdir() if p.name.startswith(".")]


def test_runs_of_one_cell_share_their_settings(tmp_path: Path) -> None:
    write_list(tmp_path, planned(tmp_path))
    runs = read_list(tmp_path, 1).runs
    assert len({id(r.settings) for r in runs}) == 4
    assert len({id(r.identity["sandbox"]) for r in runs}) == 1, "what says the same is one object"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "can't be read as a list"),
        ('{"launch":99,"mlesearch":"9.9","study":"","made_in":"/","search_path":null}\n', "of format 99"),
        ('{"launch":1,"mlesearch":"1","study":"/","made_in":"/","search_path":null}\n', "was made for /"),
    ],
)
def test_a_list_that_can_not_be_used_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / LISTS).mkdir()
    list_path(tmp_path, 1).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        read_list(tmp_path, 1)
    with pytest.raises(ConfigError, match="no such list"):
        read_list(tmp_path, 2)


def test_nine_thousand_runs_take_less_than_ten_megabytes(tmp_path: Path) -> None:
    """40 cells, 75 tasks, 3 seeds: the plan of a few, multiplied by other names."""
    few = planned(tmp_path, seeds=[0], tasks=["rentals"])
    runs = []
    for cell in range(40):
        like = few[cell % len(few)]
        s = replace(like.settings, variant=f"cell{cell}")
        for task in range(75):
            identity: Any = {**like.identity, "task": {**like.identity["task"], "id": f"task-{task}"}}
            for seed in range(3):
                key = RunKey(s.model.name, s.strategy.name, s.variant, f"task-{task}", seed)
                runs.append(replace(like, key=key, settings=s, identity={**identity, "seed": seed}))
    size = list_path(tmp_path, write_list(tmp_path, runs)).stat().st_size
    assert len(runs) == 9_000
    assert size < 10_000_000


def test_a_list_is_read_without_hydra(tmp_path: Path) -> None:
    write_list(tmp_path, planned(tmp_path))
    code = (
        "import sys; from pathlib import Path; from mlesearch.study.work_list.files import read_list; "
        "print(len(read_list(Path(sys.argv[1]), 1).runs)); "
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('hydra', 'omegaconf', 'joblib')))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["16", "[]"]  # neither to compose nor to be pickled
