"""Every experiment that ships composes, its grid is as large as its file says, and no two are one."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from mlesearch.config.catalogue.groups import describe, names, text_of
from mlesearch.config.loading.compose import Launch, expand, jobs
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import plan
from mlesearch.tasks.mlebench.names import asked, competition_of
from mlesearch.tasks.synthetic.names import expanded
from mlesearch.types import ConfigError

EXPERIMENTS = names("experiments")
SAID = ("smoke", "crossover", "budget_scaling", "paper_protocol")
"""Those whose files say question, declared claim, cells, cost and command."""
FEWER = {"sim_map": ("model=sim_01,sim_09",)}
"""Of a grid whose composition takes seconds: two of its ten models (the whole: test_simulated_experiments.py)."""


@cache
def launch(*words: str) -> Launch:
    return jobs(expand(words), False)


def tasks_of(names_: list[str]) -> list[str]:
    return [task for name in names_ for task in (asked(name) if name.startswith("mlebench:") else expanded([name]))]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_it_composes_and_claims_something_of_its_own_arms(name: str) -> None:
    cells = [cell.settings for cell in launch(name, *FEWER.get(name, ())).jobs]
    assert len(cells) > 1
    assert len({(s.model.name, s.strategy.name, s.variant) for s in cells}) == len(cells)
    assert {s.study.name for s in cells} == {name}
    assert describe("experiments", name)
    arms = {s.strategy.name for s in cells} | {f"{s.strategy.name}/{s.variant}" for s in cells}
    assert {cells[0].claim.treatment, cells[0].claim.baseline} <= arms
    assert cells[0].claim.primary


def test_no_two_are_one() -> None:
    grids = {}
    for name in EXPERIMENTS:
        cells = [cell.settings for cell in launch(name, *FEWER.get(name, ())).jobs]
        arms = frozenset((s.model.name, s.strategy.name, str(s.strategy.params), s.variant) for s in cells)
        grids[name] = arms, tuple(cells[0].tasks), str(cells[0].budget), cells[0].clock
    assert len(set(grids.values())) == len(grids)


@pytest.mark.parametrize("name", SAID)
def test_the_grid_is_as_large_as_its_file_says(name: str) -> None:
    text = text_of("experiments", name)
    for word in ("Question", "Declared", "Cells", "Cost", "Command"):
        assert f"# {word}: " in text
    assert f"mlesearch run {name}" in text
    said = re.search(r"([\d,]+) runs", text[text.index("# Cells:") :])
    assert said is not None
    cells = [cell.settings for cell in launch(name).jobs]
    assert sum(len(tasks_of(s.tasks)) * len(s.seeds) for s in cells) == int(said[1].replace(",", ""))


def test_the_crossover_can_be_rehearsed_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cells = [cell.settings for cell in launch("crossover", "model=glob(sim_*)").jobs]
    assert len(cells) == 40
    assert {s.model.kind for s in cells} == {"simulated"}
    with ProcessResources() as resources:
        made = plan(cells, resources, on="workers")
    assert len(made.runs) == 1_200
    assert made.header["simulated"] is True


def test_a_sweep_of_no_jobs_is_refused() -> None:
    with pytest.raises(ConfigError, match="0 jobs"):
        launch("crossover", "model=glob(no_such_*)")


def test_the_protocol_is_that_of_the_papers() -> None:
    for s in (cell.settings for cell in launch("paper_protocol").jobs):
        assert (s.budget.time_s, s.budget.steps) == (12 * 3600, None)
        b = s.sandbox
        assert (b.gpus, b.cpu_count, round(b.memory_gib * 2**30 / 1e9)) == (1, 12, 220)
        assert {"net_off", "answers_absent"} <= set(b.require)
        assert all(competition_of(f"mlebench:{task.removeprefix('mlebench:')}") for task in tasks_of(s.tasks))
