"""What workers add to runs that wait for a model: 32 runs of 20 calls of 100 ms each, at 1 and at 8 at a time.

Every program is replayed from a store, so that a run is its calls and what the harness adds. `of linear` is the time
that the calls alone would take, shared evenly, over the time that was taken: from the first run's start to the last
one's end, and of the whole launch, planning and report included. On two processors eight runs at a time share them
with the model's stand-in; on a machine that others use, the figures are lower bounds.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlesearch.storage.worker_files import read_attempts
from mlesearch.testing.openai_stub import OpenAIStub

CALL_S, CALLS, RUNS = 0.1, 20, 32
REPLY = "A plan.\n\n```python\nprint('nothing')\n```\n"


def words(stub: OpenAIStub, study: Path, executions: Path, mode: str, runs: int, calls: int, jobs: int) -> list[str]:
    return [
        *("run", "model=local", f"model.params.api_base={stub.base_url}", "strategy=best_of_n", "sandbox=local"),
        *("strategy.review=false", "tasks=[rentals]", f"seeds=[{','.join(map(str, range(runs)))}]"),
        *(f"budget.steps={calls}", f"study.dir={study}", f"launcher.n_jobs={jobs}", "run.preflight=off"),
        *(f"sandbox.exec_store={mode}", f"sandbox.exec_store_path={executions}"),
    ]


def launch(cwd: Path, command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "mlesearch", *command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 8])
@pytest.mark.benchmark(group="32 runs of 20 calls of 100 ms")
def test_workers_that_wait_for_a_model(benchmark, tmp_path: Path, jobs: int) -> None:
    timed = benchmark.enabled  # else, among the slow tests, it is only tried whether it works
    runs, calls = (RUNS if jobs > 1 else RUNS // 8, CALLS) if timed else (jobs, 2)
    executions, study = tmp_path / "executions.db", tmp_path / "study"
    with OpenAIStub(REPLY) as stub:
        launch(tmp_path, words(stub, tmp_path / "recorded", executions, "record", runs, calls, 2))
        stub.latency_s = CALL_S
        command = words(stub, study, executions, "replay", runs, calls, jobs)
        benchmark.pedantic(launch, args=(tmp_path, command), rounds=1, iterations=1)
    first = min(path.stat().st_mtime for path in study.rglob("run.json"))
    last = max(a.ended_s for a in read_attempts(study))
    linear_s = runs * calls * CALL_S / jobs
    benchmark.extra_info["of_linear_first_start_to_last_end"] = round(linear_s / (last - first), 3)
    if timed:
        benchmark.extra_info["of_linear_whole_launch"] = round(linear_s / benchmark.stats.stats.median, 3)
