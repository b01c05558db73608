"""Cells that are put together from choices composed once are what Hydra composes, whatever is chosen and overridden."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hydra.types import RunMode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf, open_dict

from mlesearch.config.catalogue.groups import names
from mlesearch.config.loading import compose
from mlesearch.config.loading.cells import CellComposer
from mlesearch.types import ConfigError

PLUGIN = "[mlesearch.optimizers]\nbrought = plug_module:make\n[mlesearch.models]\nbrought_model = plug_module:make\n"
OWN = {
    "conf/model/plain.yaml": "name: plain\nkind: simulated\nparams: {capability: 0.3}\nsampling: {temperature: 0.5}\n",
    "conf/model/borrows.yaml": "name: b-${strategy.name}\nkind: simulated\nparams: {capability: 0.3}\n",
    "conf/model/derived.yaml": "defaults:\n  - sim_05\n  - _self_\nname: derived\n",
    "conf/strategy/two.yaml": "name: two\nkind: greedy\nparams: {num_drafts: 2}\n",
    "experiments/sets.yaml": (
        "# @package _global_\ndefaults:\n  - override /sandbox: local\n"
        "model: {sampling: {max_tokens: 77}}\nstrategy: {review: false}\nvariant: v-${budget.steps}\n"
    ),
}


@pytest.fixture(scope="module", autouse=True)
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of own files, and a package of plug-ins that is installed."""
    folder = tmp_path_factory.mktemp("own")
    for name, text in OWN.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    info = folder / "installed" / "plug-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(PLUGIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder / "installed")
        yield folder
    sys.modules.pop("plug_module", None)


def by_hydra(load: Any, overrides: Sequence[str]) -> Any:
    config = load(list(overrides), RunMode.RUN)
    with open_dict(config):
        config.pop("hydra")
    return config


def seen(make: Callable[[Sequence[str]], Any], cell: Sequence[str]) -> tuple[object, ...]:
    """All that can be seen of a configuration, its settings too; or what is wrong with it."""
    try:
        config = make(cell)
        plain = OmegaConf.to_container(config), str(config.model._metadata), str(config.strategy._metadata)
        return *plain, OmegaConf.is_struct(config.model), compose.to_settings(config)
    except Exception as error:
        return type(error).__name__, str(error)


@st.composite
def cells(draw: st.DrawFn) -> list[list[str]]:
    """Cells of one sweep, as Hydra's sweeper splits them: the same keys in the same order, other values."""
    groups = draw(st.permutations(["model", "strategy", "sandbox"]))[: draw(st.integers(1, 3))]
    words = {
        "model": names("model"),
        "strategy": names("strategy"),
        "sandbox": names("sandbox"),
    }
    values = draw(
        st.lists(
            st.sampled_from(
                [
                    ("budget.steps", ["3", "40", "null"]),
                    ("model.sampling.temperature", ["0.1", "null"]),
                    ("+model.params.capability", ["0.25"]),
                    ("model.params", ["{capability:0.9}"]),
                    ("++strategy.params.num_drafts", ["3", "4"]),
                    ("~model.params", [""]),
                    ("variant", ["a", "b-${budget.steps}", "${model.name}"]),
                    ("sandbox.require", ["[]", "[network]"]),
                    ("budget.stepz", ["1"]),
                    ("seeds", ["[0,1]", "x"]),
                ]
            ),
            max_size=3,
            unique_by=lambda pair: pair[0],
        )
    )
    common = draw(st.sampled_from([[], [], ["+experiments=sets"], ["+experiments=sim_grid"], ["model=sim_02"]]))
    made = []
    for _ in range(draw(st.integers(2, 4))):
        chosen = [f"{group}={draw(st.sampled_from(words[group]))}" for group in groups]
        set_ = [key if key.startswith("~") else f"{key}={draw(st.sampled_from(given))}" for key, given in values]
        made.append([*common, *chosen, *set_])
    return made


def same_as_hydra(made: list[list[str]]) -> None:
    with compose._hydra() as load:
        composer = CellComposer(partial(by_hydra, load))
        for cell in made:
            assert seen(composer.compose, cell) == seen(partial(by_hydra, load), cell), cell


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cells())
def test_every_cell_is_what_hydra_composes(made: list[list[str]]) -> None:
    same_as_hydra(made)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cells())
def test_so_are_many_more(made: list[list[str]]) -> None:
    same_as_hydra(made)


def test_hydra_composes_once_for_many_cells_of_plain_files() -> None:
    loads: list[Sequence[str]] = []
    with compose._hydra() as load:

        def counted(overrides: Sequence[str]) -> Any:
            loads.append(overrides)
            return by_hydra(load, overrides)

        composer = CellComposer(counted)
        plain = [name for name in names("model") if name != "derived"]
        assert {"plain", "brought_model", "gpt-5"} <= set(plain)
        for model in plain:
            for strategy in ("two", "greedy", "gome"):
                config = composer.compose([f"model={model}", f"strategy={strategy}", "budget.steps=3"])
                assert (config.model.name, config.strategy.name) == (model, strategy) or model == "borrows"
        assert len(loads) == 1
        for strategy in ("gome", "greedy", "gome"):
            composer.compose(["model=derived", f"strategy={strategy}", "budget.steps=3"])
        assert len(loads) == 3, "and once for each choice with a file that names others"


def test_cells_are_each_their_own(place: Path) -> None:
    with compose._hydra() as load:
        composer = CellComposer(partial(by_hydra, load))
        one, other = (composer.compose(["model=plain", "strategy=two", "budget.steps=3"]) for _ in range(2))
        again = composer.compose(["model=sim_01", "strategy=two", "budget.steps=3"])
        one.model.params.capability, one.strategy.params.num_drafts = 0.77, 9
        again.model.name = "changed"
        assert other.model.params.capability == 0.3
        assert other.strategy.params.num_drafts == 2
        assert composer.compose(["model=sim_01", "strategy=two", "budget.steps=3"]).model.name == "sim_01"


def test_an_unknown_name_in_a_sweep_is_named() -> None:
    with pytest.raises(ConfigError, match="no strategy is called 'gredy'"):
        compose.jobs(["model=sim_01,sim_02", "strategy=greedy,gredy"], True)
