"""The studies with the simulated engineer: their grids, that they can be planned, and how cells are composed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pytest

from mlesearch.config.loading import compose
from mlesearch.config.loading.compose import Launch, expand, jobs, to_settings
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import StudyPlan, plan
from mlesearch.sandbox.inside import landlock
from mlesearch.tasks.synthetic.names import expanded

needs_local = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")
TWO_MODELS = "model=sim_01,sim_09"
RUNS = {"sim_grid": 30_000, "sim_map": 27_000, "sim_ablations": 15_000}


@cache
def launch(*words: str) -> Launch:
    return jobs(expand(words, multirun=True), True)


def planned(*words: str) -> StudyPlan:
    with ProcessResources() as resources:
        return plan([cell.settings for cell in launch(*words).jobs], resources)


@pytest.mark.parametrize("name", RUNS)
def test_the_grid_is_as_large_as_its_file_says_and_every_cell_has_a_name_of_its_own(name: str) -> None:
    cells = [cell.settings for cell in launch(name).jobs]
    assert len({(s.model.name, s.strategy.name, s.variant) for s in cells}) == len(cells)
    assert sum(len(expanded(s.tasks)) * len(s.seeds) for s in cells) == RUNS[name]
    by_arm = Counter((s.strategy.name, s.variant) for s in cells)
    assert len(set(by_arm.values())) == 1, "the same models with every arm, so that the grid has no hole"
    claim = cells[0].claim
    arms = {f"{s.strategy.name}/{s.variant}" for s in cells}
    for arm in (claim.treatment, claim.baseline):
        assert arm in arms or f"{arm}/base" in arms


@needs_local
@pytest.mark.parametrize("name", RUNS)
def test_it_can_be_planned(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = planned(name, "tasks=[synthetic:easy-01]", "seeds=[0]", TWO_MODELS)
    assert set(made.states.values()) == {"new"}
    assert made.header["simulated"] is True
    assert list(tmp_path.iterdir()) == []


def test_settings_of_the_map_are_what_its_variants_say() -> None:
    for cell in launch("sim_map", TWO_MODELS).jobs:
        s = cell.settings
        params, budget = s.model.params, s.budget
        limits = f"steps_{budget.steps}_s_{budget.time_s}_usd_{budget.cost_usd}"
        assert s.variant == f"{limits}_bugs_{params['bug_rate']}_f_{params['evidence_share']}"
        assert params["capability"] == s.model.capability


def test_budgets_of_the_map_are_in_one_unit_each() -> None:
    budgets = {
        (s.steps, s.time_s, s.cost_usd, s.tokens)
        for s in (cell.settings.budget for cell in launch("sim_map", TWO_MODELS).jobs)
    }
    assert budgets == {(24, None, None, None), (None, 900, None, None), (None, None, 0.25, None)}


SWEEPS: tuple[Sequence[str], ...] = (
    ("context",),
    ("trial_runs", "model=sim_02"),
    ("model=sim_01,sim_02", "+model.params.bug_rate=0.1,0.2", "budget.steps=3,4", "sandbox.params={a: 1},{b: 2}"),
    ("model=sim_01", "strategy=gome,greedy", "tasks=[canvas],[rentals]", "hydra.job.chdir=false"),
    ("model=sim_01,sim_02", "study.name=x", "budget.tokens=1000,2000", "budget.steps=null"),
)


ABLATIONS = pytest.param(("sim_ablations", "budget.steps=5"), marks=pytest.mark.slow)


@pytest.mark.parametrize("words", [*SWEEPS, ABLATIONS], ids=lambda words: words[0])
def test_cells_that_share_their_files_are_composed_as_hydra_composes_each(words: Sequence[str]) -> None:
    from hydra.types import RunMode

    made = launch(*words)
    assert len(made.jobs) > 1
    with compose._hydra() as load:
        for cell in made.jobs:
            assert asdict(cell.settings) == asdict(to_settings(load(cell.overrides, RunMode.RUN)))


def test_what_programs_may_reach_is_found_out_once_for_a_launch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlesearch.config.parts import sandboxes

    looked: list[int] = []
    monkeypatch.setattr(sandboxes.ladder, "check_folders", lambda name, params, *specs: looked.append(len(specs)))
    monkeypatch.chdir(tmp_path)
    made = planned(
        "model=sim_01,sim_02", "strategy=greedy,gome", "tasks=[canvas,rentals]", "seeds=[0,1]", "sandbox=local"
    )
    assert len(made.runs) == 16
    assert looked == [2]
