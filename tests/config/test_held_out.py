"""`mlebench.validation=twice` in a configuration: what makes another run, and what is said or refused before one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlesearch.config.loading.plain import cells
from mlesearch.config.parts.mlebench import check_competitions
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import plan
from mlesearch.config.settings import Settings
from mlesearch.storage.diff import first_difference
from mlesearch.tasks.mlebench.recipes import RECIPES
from mlesearch.types import ConfigError
from tests.support.competitions import PIZZA, SPOOKY, TAXI, StandIn, stand_in


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    return stand_in(tmp_path_factory.mktemp("standin"), [SPOOKY, TAXI], splits=True)


@pytest.fixture
def without_taxi(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if its data could not be prepared once more."""
    monkeypatch.delitem(RECIPES, TAXI)  # type: ignore[arg-type]  # a dictionary, declared as what is only read


@pytest.fixture
def resources() -> Iterator[ProcessResources]:
    with ProcessResources() as found:
        yield found


def settings(made: StandIn, *ids: str, budget: dict[str, object] | None = None, **mlebench: object) -> Settings:
    given = {"data_dir": str(made.data), "python": str(made.python), "validation": "twice"} | mlebench
    tasks = [f"mlebench:{id}" for id in ids]
    words: dict[str, Any] = {"tasks": tasks, "model": "local", "sandbox": "local", "mlebench": given}
    (found,) = cells({**words, "budget": budget or {"steps": 2}})
    return found


def test_it_is_in_the_identity_and_the_default_leaves_none_there(made: StandIn, resources: ProcessResources) -> None:
    (twice,), (reported,) = (
        plan([settings(made, SPOOKY, validation=word)], resources, keys=False).runs for word in ("twice", "reported")
    )
    assert twice.identity["mlebench"]["validation"] == "twice"
    assert twice.identity["mlebench"]["runners_up"] == 3
    assert not {"validation", "runners_up"} & set(reported.identity["mlebench"])
    assert first_difference(reported.identity, twice.identity, "")
    assert (twice.labels["validation"], reported.labels["validation"]) == ("harness", "reported")
    assert twice.identity["task"]["version"] != reported.identity["task"]["version"]


def test_where_it_is_impossible_scores_are_reported_and_that_is_said(
    made: StandIn, resources: ProcessResources, without_taxi: None
) -> None:
    s = settings(made, SPOOKY, TAXI)
    runs = {r.key.task: r for r in plan([s], resources, keys=False).runs}
    assert {name: r.labels["validation"] for name, r in runs.items()} == {SPOOKY: "harness", TAXI: "reported"}
    assert "validation" not in runs[TAXI].identity["mlebench"]
    said = [line for line in check_competitions([s], resources) if "twice" in line]
    assert said == [
        f"mlebench:{TAXI}: mlebench.validation=twice is impossible, so its programs report their own validation score; "
        "mlebench.fallback=refuse refuses such a mixture"
    ]


def test_a_study_can_refuse_the_mixture(made: StandIn, resources: ProcessResources, without_taxi: None) -> None:
    with pytest.raises(ConfigError, match=rf"mlebench:{TAXI}: mlebench.validation=twice is impossible: .*leave it out"):
        plan([settings(made, SPOOKY, TAXI, fallback="refuse")], resources, keys=False)
    assert plan([settings(made, SPOOKY, fallback="refuse")], resources, keys=False).runs


def test_a_time_budget_needs_a_reserve(made: StandIn, resources: ProcessResources) -> None:
    with pytest.raises(ConfigError, match=r"budget.reserve_s: 0; with mlebench.validation=twice"):
        plan([settings(made, SPOOKY, budget={"time_s": 100})], resources, keys=False)
    assert plan([settings(made, SPOOKY, budget={"time_s": 100, "reserve_s": 10})], resources, keys=False).runs
    assert plan([settings(made, SPOOKY, budget={"time_s": 100}, validation="reported")], resources, keys=False).runs


def test_revalidate_needs_it(made: StandIn, resources: ProcessResources) -> None:
    s = settings(made, SPOOKY)
    s.run.selection = "revalidate"
    assert plan([s], resources, keys=False).runs
    s.mlebench.validation = "reported"
    with pytest.raises(ConfigError, match=r"revalidate needs tasks with .*, or mlebench.validation=twice"):
        plan([s], resources, keys=False)


def test_no_program_of_a_search_may_read_the_full_data(made: StandIn, resources: ProcessResources) -> None:
    from mlesearch.config.parts.build import make_limits
    from mlesearch.config.parts.sandboxes import program_spec

    s = settings(made, SPOOKY)
    task = resources.task(f"mlebench:{SPOOKY}", s)
    spec = program_spec(s, task, make_limits(s, task))
    real = made.data / SPOOKY / "prepared"
    assert set(spec.hidden) == {task.private_dir, real / "private", real / "public"}
    assert spec.input_dir == task.public_dir
    assert not spec.input_dir.is_relative_to(real)
    assert real in {path for _, path in spec.concealed}


def test_what_is_not_prepared_is_said_as_before(made: StandIn, resources: ProcessResources, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"mlebench:{PIZZA}: it is not prepared"):
        plan([settings(made, PIZZA)], resources, keys=False)
