"""A submission of a million rows: time against the least that can be done with it, and memory."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import root_mean_squared_error

from mlesearch.tasks import folder
from mlesearch.tasks.grading import grade_test
from mlesearch.tasks.protocol import Task
from tests.support.paths import ROOT
from tests.support.task_maker import make_task

pytestmark = pytest.mark.slow
ROWS = 1_000_000


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    root = make_task(tmp_path_factory.mktemp("million") / "task", validation="reported", metric_rules="mlebench")
    rng = np.random.default_rng(0)
    truth = pd.DataFrame({"id": np.arange(ROWS), "y": rng.normal(size=ROWS)})
    truth.to_csv(root / "private" / "test.csv", index=False)
    truth.assign(y=0.0).to_csv(root / "public" / "sample_submission.csv", index=False)
    order = rng.permutation(ROWS)
    truth.assign(y=truth["y"] + rng.normal(size=ROWS)).iloc[order].to_csv(root / "submission.csv", index=False)
    return folder.load(root)


def _plainly(task: Task, path: Path) -> float:
    """Read, joined and scored by pandas and scikit-learn, with no check of anything."""
    both = pd.read_csv(task.private_dir / "test.csv").merge(pd.read_csv(path), on="id")
    return float(root_mean_squared_error(both["y_x"], both["y_y"]))


def _fastest_s(what: Callable[[], object]) -> float:
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        what()
        taken.append(time.perf_counter() - began)
    return min(taken)


def test_a_million_rows_are_graded_nearly_as_fast_as_they_can_be_read(task: Task) -> None:
    path = task.public_dir.parent / "submission.csv"
    plain_s = _fastest_s(lambda: _plainly(task, path))
    began = time.perf_counter()
    first = grade_test(task, path)  # reads the answers too
    first_s = time.perf_counter() - began
    again_s = _fastest_s(lambda: grade_test(task, path))
    print(f"1,000,000 rows: plain {plain_s:.2f} s, first {first_s:.2f} s, again {again_s:.2f} s")
    assert first.score == pytest.approx(_plainly(task, path), abs=5e-6)
    assert again_s < 2 * plain_s
    assert first_s < 4 * plain_s


MEASURED = """
import sys
from pathlib import Path
from mlesearch.tasks import folder
from mlesearch.tasks.grading import grade_test
assert grade_test(folder.load(sys.argv[1]), Path(sys.argv[2])).valid
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024 // 10**6)
"""


def test_a_million_rows_take_less_than_500_mb(task: Task) -> None:
    root = task.public_dir.parent
    words = [sys.executable, "-c", MEASURED, str(root), str(root / "submission.csv")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    print(f"1,000,000 rows: {done.stdout.strip()} MB in all, python and pandas included")
    assert int(done.stdout) < 500
