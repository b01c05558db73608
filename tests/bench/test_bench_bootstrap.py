"""10,000 samples of the tasks of all 40 cells of a study, beside the published package `rliable`; run by `make bench`.

Ten models, four strategies, 75 tasks, ten seeds. The bars: 40 ms, and 300 times less than the package, whose figure is
the ratio in brackets. The package is in an environment of its own, which `make peers` installs; without it the
comparison says that it is skipped.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mlesearch.analysis.statistics.resampling import DRAWS, resampled_limits
from tests.support.paths import ROOT, SUPPORT
from tests.support.synthetic_study import grid_probabilities

PEERS = ROOT / ".venv-rliable" / "bin" / "python"
SEEDS, TASKS = 10, 75
GROUP = "10,000 samples of the tasks of 40 cells"


@pytest.fixture(scope="module")
def scores() -> npt.NDArray[np.float64]:
    """Shape (cells, seeds, tasks): whether each run won a medal."""
    rng = np.random.default_rng(0)
    p = np.concatenate([grid_probabilities(rng, lambda c: 0.6 * c, tasks=TASKS) for _ in range(2)])
    return (rng.random((40, SEEDS, TASKS)) < p.reshape(40, 1, TASKS)).astype(np.float64)


@pytest.mark.benchmark(group=GROUP)
def test_limits_of_all_cells(benchmark: Any, scores: npt.NDArray[np.float64]) -> None:
    low, high = benchmark.pedantic(resampled_limits, (scores.mean(axis=1),), rounds=9, warmup_rounds=1)
    assert (low < high).all()


@pytest.fixture
def peer(scores: npt.NDArray[np.float64], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with the package, ready."""
    if not PEERS.exists():
        pytest.skip("NO PEERS: the published package is not installed: run make peers")
    np.save(tmp_path / "scores.npy", scores)
    driver = [str(PEERS), "-I", str(SUPPORT / "peers_rliable.py")]
    process = subprocess.Popen(driver, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        process.stdin.write(json.dumps({"scores": str(tmp_path / "scores.npy"), "draws": DRAWS}) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()
        process.wait()


@pytest.mark.peers
@pytest.mark.slow
@pytest.mark.benchmark(group=GROUP)
def test_the_published_package(benchmark: Any, peer: subprocess.Popen[str], scores: npt.NDArray[np.float64]) -> None:
    """It draws runs within the tasks, too, so its intervals are somewhat wider."""
    said: list[str] = []

    def all_cells() -> None:
        assert peer.stdin is not None
        assert peer.stdout is not None
        peer.stdin.write("go\n")
        peer.stdin.flush()
        said.append(peer.stdout.readline())

    benchmark.pedantic(all_cells, rounds=1)
    theirs = np.array(json.loads(said[0]))
    low, high = resampled_limits(scores.mean(axis=1))
    assert np.abs(theirs.mean(axis=1) - (low + high) / 2).max() < 0.02
    ratio = (theirs[:, 1] - theirs[:, 0]) / (high - low)
    assert 1.0 < np.median(ratio) < 1.5
