"""What is handed to Hydra: composed once where nothing is asked of it, again where somebody else launches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_store import ConfigStore

from mlesearch.config.loading.compose import expand, jobs, sweep
from mlesearch.config.settings import Settings
from mlesearch.types import ConfigError

SWEEP = ["strategy=random,greedy", "model=sim_05", "budget.steps=3", "study.dir=s"]


@pytest.fixture
def composed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """The overrides of every composition; in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    found: list[list[str]] = []
    load = ConfigLoaderImpl.load_configuration

    def counted(self: ConfigLoaderImpl, config_name: str, overrides: list[str], *more: object, **how: object) -> object:
        found.append(list(overrides))
        return load(self, config_name, overrides, *more, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", counted)
    return found


def swept(words: Sequence[str], multirun: bool) -> list[list[str]]:
    """The strategies of the cells that each task was given."""
    given: list[list[str]] = []

    def task(cells: Sequence[Settings]) -> None:
        assert all(cell.budget.steps == 3 for cell in cells)
        given.append([cell.strategy.name for cell in cells])

    sweep(jobs(expand(words), multirun), task)
    return given


def test_the_common_case_composes_once(composed: list[list[str]]) -> None:
    assert swept(SWEEP, True) == [["random", "greedy"]]
    assert len(composed) == 2  # the whole, and what all cells share
    (folder,) = Path("s/hydra").iterdir()
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*")) == [
        *("0", "0/mlesearch.log", "1", "1/mlesearch.log", "multirun.yaml"),
    ]
    said = yaml.safe_load((folder / "multirun.yaml").read_text())["hydra"]
    assert said["mode"] == "MULTIRUN"
    assert said["overrides"] == {"hydra": ["hydra.mode=MULTIRUN"], "task": SWEEP}


def test_so_does_a_single_cell(composed: list[list[str]]) -> None:
    assert swept(["strategy=random", *SWEEP[1:]], False) == [["random"]]
    assert len(composed) == 1
    (folder,) = Path("s/hydra").iterdir()
    assert [p.name for p in folder.iterdir()] == ["mlesearch.log"]


def test_what_the_user_replaced_of_an_experiment_is_said_as_hydra_says_it(composed: list[list[str]]) -> None:
    words = ["demo", "strategy=random", "model=sim_02,sim_05", "budget.steps=3", "study.dir=s"]
    assert swept(words, False) == [["random", "random"]]
    assert len(composed) == 2
    (folder,) = Path("s/hydra").iterdir()
    said = yaml.safe_load((folder / "multirun.yaml").read_text())["hydra"]
    assert said["sweeper"]["params"] == {}
    assert sorted(said["overrides"]["hydra"]) == ["~hydra.sweeper.params.model", "~hydra.sweeper.params.strategy"]


def test_a_choice_may_be_left_to_the_sweep(composed: list[list[str]]) -> None:
    Path("experiments").mkdir()
    text = "# @package _global_\ndefaults:\n  - override /strategy: ???\nhydra:\n  mode: MULTIRUN\n"
    Path("experiments/open.yaml").write_text(text)
    assert swept(["open", *SWEEP], False) == [["random", "greedy"]]
    Path("experiments/open.yaml").write_text(text.partition("hydra:")[0])
    with pytest.raises(ConfigError, match="strategy"):
        jobs(expand(["open", *SWEEP[1:]]), False)
    assert swept(["open", "strategy=greedy", *SWEEP[1:]], False) == [["greedy"]]


def test_where_something_is_asked_of_hydra_it_is_hydra_that_does_it(composed: list[list[str]]) -> None:
    words = [*SWEEP, "hydra.output_subdir=.hydra", "hydra.sweep.subdir=${strategy.name}"]
    assert swept(words, True) == [["random", "greedy"]]
    assert len(composed) > 2
    (folder,) = Path("s/hydra").iterdir()
    assert (folder / "greedy" / ".hydra" / "config.yaml").exists()


def test_another_launcher_is_given_each_cell_by_itself(composed: list[list[str]]) -> None:
    node = {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}
    ConfigStore.instance().store(group="hydra/launcher", name="other", node=node)
    numbers: list[int] = []
    sweep(jobs(expand([*SWEEP, "hydra/launcher=other"]), True), lambda cells: pytest.fail("not here"), numbers.append)
    assert numbers == [0, 1]
    assert not jobs(expand([*SWEEP, "hydra/launcher=other"]), True).here
