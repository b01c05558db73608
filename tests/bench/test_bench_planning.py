"""What it costs to compose and plan a launch of 9,000 runs: ten models, four strategies, 75 tasks, three seeds.

The ratio in brackets of the first group is what to look at: the cells put together from choices that were composed
once, against Hydra's composition of each. All is processor time. The bar of the whole of `mlesearch run --check`, with
imports and the rung's trial, is 8 s, the goal 3 s. Among the other tests, without their figures, two models, two
strategies and three tasks have to do.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hydra.types import RunMode

from mlesearch.config.loading import compose
from mlesearch.config.loading.compose import Launch, expand, jobs
from mlesearch.config.parts.resources import ProcessResources
from mlesearch.config.planning.plan import plan
from mlesearch.study.estimates.estimate import estimate_plan

MODELS = [f"sim_{n:02d}" for n in range(1, 11)]
STRATEGIES = ["random", "greedy", "mcts", "gome"]
SHARED = ["budget.steps=20", "seeds=[0,1,2]"]
GROUP = "40 cells of a sweep composed and typed"


def by_hydra(load: Any, cells: Sequence[list[str]]) -> list[object]:
    return [compose.to_settings(load(cell, RunMode.RUN)) for cell in cells]


def choices(timed: bool) -> tuple[list[str], list[str]]:
    return (MODELS, STRATEGIES) if timed else (MODELS[:2], STRATEGIES[:2])


def cells(timed: bool) -> list[list[str]]:
    return [[f"model={m}", f"strategy={s}", *SHARED] for m, s in product(*choices(timed))]


@pytest.mark.benchmark(group=GROUP, timer=time.process_time)
def test_hydra_composes_each_cell(benchmark) -> None:
    made = cells(benchmark.enabled)
    with compose._hydra() as load:
        found = benchmark.pedantic(by_hydra, args=(load, made), rounds=2)
    assert len(found) == len(made)


@pytest.mark.benchmark(group=GROUP, timer=time.process_time)
def test_each_choice_is_composed_once(benchmark) -> None:
    made = cells(benchmark.enabled)
    with compose._hydra() as load:
        found = benchmark.pedantic(lambda: list(compose._composed(map(tuple, made), load)), rounds=5)
        assert [cell.settings for cell in found] == by_hydra(load, made)


@pytest.fixture
def launch(benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Launch:
    monkeypatch.chdir(tmp_path)
    models, strategies = choices(benchmark.enabled)
    tasks = ["all"] if benchmark.enabled else ["easy-01", "easy-02", "medium-01"]
    words = [f"model={','.join(models)}", f"strategy={','.join(strategies)}", *SHARED]
    words.append(f"tasks=[{','.join(f'synthetic:{name}' for name in tasks)}]")
    return jobs(expand(words, multirun=True), True)


@pytest.mark.benchmark(group="9,000 runs", timer=time.process_time)
def test_a_launch_is_planned(benchmark, launch: Launch) -> None:
    cells = [cell.settings for cell in launch.jobs]

    def planned() -> int:
        with ProcessResources() as resources:
            return len(plan(cells, resources, on="workers").runs)

    assert benchmark.pedantic(planned, rounds=3, warmup_rounds=1) == (9_000 if benchmark.enabled else 36)


@pytest.mark.benchmark(group="9,000 runs", timer=time.process_time)
def test_a_launch_is_estimated(benchmark, launch: Launch) -> None:
    with ProcessResources() as resources:
        made = plan([cell.settings for cell in launch.jobs], resources, on="workers")
        found = benchmark.pedantic(lambda: estimate_plan(made, resources), rounds=3)
    assert len(found.rows) == len(launch.jobs)
