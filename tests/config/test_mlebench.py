"""Competitions in a configuration: suites expanded, what is missing refused or left out, and what makes another run."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlesearch.config.loading.compose import expand, jobs
from mlesearch.config.loading.plain import cells
from mlesearch.config.parts.mlebench import with_competitions
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import plan
from mlesearch.config.settings import Settings, from_recorded, recordable
from mlesearch.storage.diff import first_difference
from mlesearch.tasks.mlebench.names import suite
from mlesearch.types import ConfigError
from tests.support.competitions import FOUR, PIZZA, SPOOKY, TAXI, StandIn, interpreter, stand_in


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    return stand_in(tmp_path_factory.mktemp("standin"))


def settings(made: StandIn, *tasks: str, **mlebench: object) -> Settings:
    given = {"data_dir": str(made.data), "python": str(made.python)} | mlebench
    (found,) = cells({"tasks": tasks, "model": "local", "sandbox": "local", "mlebench": given, "budget": {"steps": 2}})
    return found


def identity(s: Settings) -> dict[str, Any]:
    with ProcessResources() as resources:
        (run,) = plan([s], resources, keys=False).runs
    return dict(run.identity)


def test_a_suite_is_asked_for_as_it_is_written(made: StandIn) -> None:
    words = expand(["tasks=[mlebench:lite]", *made.settings("mlebench.missing=skip")])
    (cell,) = jobs(words, False).jobs
    assert cell.settings.tasks == ["mlebench:lite"]
    found = with_competitions(cell.settings)
    assert found.tasks == [f"mlebench:{id}" for id in suite("lite") if id in FOUR]


def test_a_suite_that_is_not_whole_is_refused_with_what_is_missing(made: StandIn) -> None:
    with pytest.raises(ConfigError) as error:
        with_competitions(settings(made, "mlebench:lite"))
    text = str(error.value)
    assert "18 of 22 competitions are not prepared" in text
    assert "152.0 GB to download" in text
    assert "aptos2019-blindness-detection" in text
    assert "and 10 more" in text
    assert "`mlesearch mlebench prepare lite`" in text
    assert "mlebench.missing=skip" in text
    with pytest.raises(ConfigError, match="15 of 15") as error:
        with_competitions(settings(made, "mlebench:high", missing="skip"))
    assert "missing=skip" not in str(error.value), "nothing would be left"


def test_tasks_of_other_kinds_are_left_as_they_are(made: StandIn) -> None:
    s = settings(made, "rentals", "canvas")
    assert with_competitions(s) is s
    assert with_competitions(settings(made, "rentals", f"mlebench:{TAXI}")).tasks == ["rentals", f"mlebench:{TAXI}"]


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("missing", "skipp", "did you mean 'skip'"),
        ("verify", "on", "none of checksums, off"),
        ("unpack", "always", "none of auto, off"),
        ("feedback", "score", "none of message, valid"),
        ("validation", "harness", "none of reported"),
        ("grade_timeout_s", 0.0, "above 0"),
        ("grade_memory_gib", float("inf"), "above 0"),
    ],
)
def test_wrong_settings_are_refused_by_their_name(made: StandIn, key: str, value: object, why: str) -> None:
    with pytest.raises(ConfigError, match=rf"mlebench\.{key}: .*{why}"):
        with_competitions(settings(made, f"mlebench:{TAXI}", **{key: value}))


def test_a_run_is_recorded_with_these_settings_only_where_they_are_in_use(made: StandIn) -> None:
    s = settings(made, "rentals")
    assert "mlebench" not in recordable(s)
    assert from_recorded(recordable(s)).mlebench == Settings().mlebench
    used = settings(made, f"mlebench:{TAXI}")
    assert from_recorded(recordable(used)).mlebench == used.mlebench


def test_only_competitions_say_in_their_identity_who_grades_them(made: StandIn) -> None:
    assert "mlebench" not in identity(settings(made, "rentals", feedback="valid"))
    found = identity(settings(made, f"mlebench:{TAXI}"))["mlebench"]
    assert found["versions"] == {"numpy": "2.3.5", "pandas": "2.3.3", "scikit-learn": "1.9.1"}
    assert found["feedback"] == "message"
    assert found["unpack"] == "auto"
    assert found["commit"]


def test_the_same_bytes_in_another_place_are_the_same_run(made: StandIn, tmp_path: Path) -> None:
    mine = identity(settings(made, f"mlebench:{PIZZA}"))
    shutil.copytree(made.data / PIZZA / "prepared", tmp_path / PIZZA / "prepared")
    moved = settings(made, f"mlebench:{PIZZA}", data_dir=str(tmp_path), grade_timeout_s=5.0, grade_memory_gib=1.0)
    assert identity(moved) == mine
    assert identity(replace(moved, mlebench=replace(moved.mlebench, verify="off", missing="skip"))) == mine


@pytest.mark.parametrize(("key", "value"), [("feedback", "valid"), ("unpack", "off")])
def test_what_changes_what_an_agent_sees_is_another_run(made: StandIn, key: str, value: str) -> None:
    mine, other = (identity(settings(made, f"mlebench:{PIZZA}", **given)) for given in ({}, {key: value}))
    assert mine["mlebench"] | {key: value} == other["mlebench"]


def test_another_pandas_of_the_grader_is_another_run(made: StandIn, tmp_path: Path) -> None:
    versions = {"pandas": "2.2.3", "numpy": "2.3.5", "scikit-learn": "1.9.1"}
    python = interpreter(tmp_path / "venv", made.package.parent, versions)
    mine, other = (
        identity(settings(made, f"mlebench:{SPOOKY}")),
        identity(settings(made, f"mlebench:{SPOOKY}", python=str(python))),
    )
    assert "mlebench.versions.pandas" in first_difference(mine, other, "")
    assert {k: v for k, v in mine.items() if k != "mlebench"} == {k: v for k, v in other.items() if k != "mlebench"}
