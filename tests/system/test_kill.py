"""kill -9 of a launch at random moments: nothing finished is lost or done twice, and the tables end the same."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.command import alive, finish, start
from tests.support.journals import comparable_runs, journals, once_each, same_tables
from tests.support.waiting import until

WORDS = ["run", "-m", "strategy=random,gome", "model=sim_05", "tasks=[rentals]", "seeds=[0,1]", "sandbox=local"]
WORDS += ["budget.steps=3", "study.name=s"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The study that nothing disturbed, with two jobs and a hash seed of its own."""
    return launched(tmp_path_factory.mktemp("whole"), jobs=2, hash_seed="12345")


def launched(folder: Path, jobs: int, hash_seed: str, *more: str) -> Path:
    """A study, launched to its end."""
    command = [sys.executable, "-m", "mlesearch", *WORDS, f"launcher.n_jobs={jobs}", *more]
    env = {**os.environ, "PYTHONHASHSEED": hash_seed}
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=env, timeout=280)
    return folder / "studies/s"


def kill_and_go_on(cwd: Path, words: list[str], study: str, kills: int, longest_s: float, seed: int) -> None:
    """Kill the launching process at random moments; what was journaled stays, workers do not live on."""
    moments, hit = random.Random(seed), 0
    for _ in range(kills):
        before = journals(cwd / study)
        p = start(cwd, *words)
        time.sleep(moments.uniform(0.5, longest_s))
        hit += p.poll() is None
        p.send_signal(signal.SIGKILL)
        p.communicate()
        assert until(lambda: not alive(cwd), 10)
        after = journals(cwd / study)
        assert all(after[name][: len(lines)] == lines for name, lines in before.items())
    finish(cwd, *words)
    assert hit, "the study was over too early"


def test_a_killed_sweep_ends_as_if_nothing_had_happened(whole, tmp_path):
    kill_and_go_on(tmp_path, [*WORDS, "launcher.n_jobs=2"], "studies/s", kills=2, longest_s=4.0, seed=1)
    same_tables(whole, tmp_path / "studies/s")
    once_each(tmp_path / "studies/s")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_demo_killed_at_five_moments(tmp_path):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    demo = ["run", "demo", "tasks=[canvas,rentals]", "seeds=[0,1]", "budget.steps=6"]  # 288 of its 1,728 programs
    finish(tmp_path / "whole", *demo)
    kill_and_go_on(tmp_path / "killed", demo, "studies/demo", kills=5, longest_s=30.0, seed=2)
    same_tables(tmp_path / "whole/studies/demo", tmp_path / "killed/studies/demo")
    once_each(tmp_path / "killed/studies/demo")


def test_jobs_and_hash_seeds_change_nothing(whole, tmp_path):
    """Identical journals with 1, 2 and 4 jobs, and under three hash seeds; the last reads what the second executed."""
    found = [comparable_runs(whole)]
    store = ["sandbox.exec_store=record", f"sandbox.exec_store_path={tmp_path}/executions.db"]
    for jobs, hash_seed in ((1, "0"), (4, "1")):
        (tmp_path / hash_seed).mkdir()
        found.append(comparable_runs(launched(tmp_path / hash_seed, jobs, hash_seed, *store)))
    assert len(found[0]) == 4
    assert found[0] == found[1] == found[2]
