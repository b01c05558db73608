"""Runs on a virtual clock: what one takes on the fast path, with all its files, against the same run through text.

Runs of four strategies on three synthetic tasks, 12 steps each. The ratio of the two medians of a strategy is the
figure; `put` is what the store of a cell adds for a chunk of 25 runs.
"""

import itertools

import pytest

from mlesearch.config.parts.resources import ProcessResources
from mlesearch.storage import cell_store
from mlesearch.study.runs.simulated import CHUNK, simulate
from tests.support import virtual_runs

TASKS = ["synthetic:easy-02", "synthetic:medium-02", "synthetic:hard-02"]
STRATEGIES = ["random", "greedy", "mcts", "gome"]


def plans(folder, resources, strategy, seeds=8):
    return [
        virtual_runs.planned(
            folder, resources, {"tasks": [t], "seeds": [s], "strategy": strategy, "budget": {"steps": 12}}
        )
        for s, t in itertools.product(range(seeds), TASKS)
    ]


@pytest.mark.parametrize("path", ["fast", "text"])
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.benchmark(group="a run of 12 steps on a virtual clock")
def test_a_run(benchmark, tmp_path, strategy, path):
    with ProcessResources() as resources:
        runs = itertools.cycle(plans(tmp_path, resources, strategy, 8 if benchmark.enabled else 1))
        one = simulate if path == "fast" else lambda run, resources: virtual_runs.files(run, resources, text=True)
        benchmark.pedantic(lambda: one(next(runs), resources), rounds=16, warmup_rounds=8)


@pytest.mark.benchmark(group="a chunk of runs into the store of a cell")
def test_put(benchmark, tmp_path):
    with ProcessResources() as resources:
        run = simulate(plans(tmp_path / "study", resources, "greedy")[0], resources)
    numbers = itertools.count()

    def put() -> None:
        first = next(numbers) * CHUNK
        names = [f"t/seed-{first + i}" for i in range(CHUNK)]
        cell_store.put(tmp_path, [cell_store.StoredRun(n, "ok", "d", run.rows, run.files) for n in names])

    benchmark.pedantic(put, rounds=20)
    assert len(cell_store.finished_of(tmp_path)) == next(numbers) * CHUNK
