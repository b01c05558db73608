"""A user's own files are found by name in the working folder and in folders of MLESEARCH_PATH; clashes name both."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import mlesearch as ml
from mlesearch.cli import catalogue
from mlesearch.config.catalogue.groups import contents, names, origin, text_of
from mlesearch.config.catalogue.strategies import strategy
from mlesearch.config.loading.compose import expand, jobs, models
from mlesearch.tasks import folder
from mlesearch.tasks.own import PATH_VARIABLE
from mlesearch.types import ConfigError

FILES = {
    "conf/model/my_model.yaml": "# Mine.\nname: my_model\nkind: simulated\nparams: {capability: 0.3}\n",
    "conf/strategy/my_preset.yaml": "# Two drafts.\nname: my_preset\nkind: greedy\nparams: {num_drafts: 2}\n",
    "conf/sandbox/my_box.yaml": "# Small.\nkind: local\nmemory_gib: 2\n",
    "experiments/my_study.yaml": "# @package _global_\n# My study.\nstudy: {name: mine}\nbudget: {steps: 2}\n",
}
CHOSEN = ["my_study", "model=my_model", "strategy=my_preset", "sandbox=my_box"]


@pytest.fixture(params=["the working folder", "a folder of the variable"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of own files, which are found in it."""
    own, here = tmp_path / "own", tmp_path / "here"
    here.mkdir()
    for name, text in FILES.items():
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text(text)
    shutil.copytree(folder.MINI / "rentals", own / "tasks" / "my_task")
    if request.param == "the working folder":
        monkeypatch.chdir(own)
        monkeypatch.delenv(PATH_VARIABLE, raising=False)
    else:
        monkeypatch.chdir(here)
        monkeypatch.setenv(PATH_VARIABLE, os.pathsep.join((str(here), str(own))))
    return own


def test_all_kinds_are_found_by_their_names(place: Path) -> None:
    s = jobs(expand(CHOSEN), False).jobs[0].settings
    assert (s.study.name, s.model.params, s.strategy.params) == ("mine", {"capability": 0.3}, {"num_drafts": 2})
    assert (s.sandbox.kind, s.sandbox.memory_gib) == ("local", 2.0)
    assert folder.locate("my_task") == place / "tasks" / "my_task"
    given: dict[str, Any] = {
        "model": "my_model",
        "strategy": "my_preset",
        "sandbox": "my_box",
        "study": "mine",
        "budget": {"steps": 2},
    }
    assert ml.settings(**given) == s


def test_they_are_listed_with_where_they_are(place: Path) -> None:
    assert f"({place / 'experiments/my_study.yaml'})" in "\n".join(catalogue.name_lines("experiments"))
    assert f"({place / 'conf/strategy/my_preset.yaml'})" in "\n".join(catalogue.strategy_lines())
    (row,) = (row for row in catalogue.model_rows(models()) if row["name"] == "my_model")
    assert str(row["id"]).endswith(f"({place / 'conf/model/my_model.yaml'})")
    (task,) = (row for row in catalogue.task_rows() if row["id"] == "my_task")
    assert task["suite"] == str(place / "tasks" / "my_task")
    _, preset = strategy("my_preset")
    assert preset is not None
    assert preset.params == {"num_drafts": "2"}


@pytest.mark.parametrize(
    ("group", "name", "words"), [("model", "sim_05", ["model=sim_05"]), ("strategy", "gome", ["strategy=gome"])]
)
def test_a_clash_names_both_files(place: Path, group: str, name: str, words: list[str]) -> None:
    own = place / "conf" / group / f"{name}.yaml"
    own.write_text("# Another.\nname: x\nkind: greedy\n")
    with pytest.raises(ConfigError) as error:
        expand(words)
    assert str(own) in str(error.value)
    assert f"{group}/{name}.yaml and " in str(error.value)
    own.write_text(text_of(group, name))  # a copy is no clash
    assert contents(group, name) == text_of(group, name)


def test_two_tasks_of_one_name_are_named(place: Path) -> None:
    shutil.copytree(folder.MINI / "rentals", place / "tasks" / "rentals")
    with pytest.raises(ConfigError) as error:
        folder.locate("rentals")
    assert str(folder.MINI / "rentals") in str(error.value)
    assert str(place / "tasks" / "rentals") in str(error.value)


@pytest.mark.parametrize("text", ["kind: [", "just words", "\xff"])
def test_a_file_that_can_not_be_read_is_named_where_it_is_chosen_and_only_there(place: Path, text: str) -> None:
    own = place / "conf/model/broken.yaml"
    own.write_bytes(text.encode("latin-1"))
    assert "broken" in names("model")
    assert jobs(expand(["model=sim_05"]), False).jobs
    with pytest.raises(ConfigError, match=r"YAML|keys and values") as error:
        expand(["model=broken"])
    assert str(own) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_none_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(PATH_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=rf"{PATH_VARIABLE}: .*nowhere is no folder"):
        names("model")


def test_what_is_shipped_has_no_origin() -> None:
    assert origin("model", "sim_05") == ""
