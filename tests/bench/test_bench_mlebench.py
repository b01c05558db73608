"""What a persistent worker saves: a grade by one that is at work, against a fresh process for each grade.

By MLE-bench's own package (`-m mlebench`): a grade by a worker must be at least 20 times faster than a fresh process.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mlesearch.tasks.mlebench.pool import GraderPool
from tests.support.mlebench_real import golden, real_python

pytestmark = pytest.mark.mlebench
COMPETITION = "aerial-cactus-identification"
RATIO = 20


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    golden(tmp_path)
    return tmp_path / "submissions" / COMPETITION / "shuffled.csv"


def fresh(tmp_path: Path, submission: Path) -> None:
    with GraderPool(real_python(), tmp_path / "data") as pool:
        assert pool.grade(COMPETITION, submission, aligned=False).valid_submission


@pytest.mark.benchmark(group="one official grade")
def test_by_a_worker_at_work(benchmark, tmp_path: Path, submission: Path) -> None:
    with GraderPool(real_python(), tmp_path / "data") as pool:
        benchmark.pedantic(lambda: pool.grade(COMPETITION, submission, aligned=False), rounds=100, warmup_rounds=5)


@pytest.mark.benchmark(group="one official grade")
def test_by_a_fresh_process(benchmark, tmp_path: Path, submission: Path) -> None:
    benchmark.pedantic(lambda: fresh(tmp_path, submission), rounds=5, warmup_rounds=1)


def test_a_worker_is_so_much_faster(tmp_path: Path, submission: Path) -> None:
    with GraderPool(real_python(), tmp_path / "data") as pool:
        pool.grade(COMPETITION, submission)
        warm = median_s(lambda: pool.grade(COMPETITION, submission, aligned=False), 50)
    cold = median_s(lambda: fresh(tmp_path, submission), 5)
    print(f"a worker {1 / warm:.0f} grades a second, fresh processes {1 / cold:.2f}: {cold / warm:.0f} times")
    assert cold / warm >= RATIO


def median_s(work: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)
