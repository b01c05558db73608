"""A launch leaves nothing open in its process, and nobody at work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlesearch.sandbox.inside import landlock

LAUNCH = """
import os, sys
from pathlib import Path
from mlesearch.cli.main import main

def open_files():
    return sorted(os.readlink(path) for path in Path("/proc/self/fd").iterdir() if os.path.lexists(path))

def children():
    pids = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    return [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids]

words = ["run", "-m", "strategy=random,greedy", "sandbox=local", "budget.steps=1", "budget.study_usd=1",
         "cassette=record", "sandbox.exec_store=record", f"launcher.n_jobs={sys.argv[1]}"]
assert main([*words, "study.dir=first"]) == 0
before = open_files()  # of what is imported, and of joblib's tracker of resources, which is for life
assert main([*words, "study.dir=second"]) == 0
after = open_files()
assert len(after) == len(before), (before, after)
assert all("resource_tracker" in command for command in children()), children()
left = [path for path in Path(os.environ["MLESEARCH_SCRATCH"]).rglob("server*")]
assert not left, left
print("nothing is left")
"""


@pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")
@pytest.mark.parametrize("n_jobs", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_launch_leaves_nothing_open_and_nobody_at_work(n_jobs: int, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    env = {**os.environ, "MLESEARCH_SCRATCH": str(tmp_path / "scratch")}
    done = subprocess.run(
        [sys.executable, "-c", LAUNCH, str(n_jobs)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("nothing is left\n")
