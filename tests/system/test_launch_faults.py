"""Whatever ends a run or its process: all others finish, each failure is named once; going on does the rest."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from mlesearch.config.planning.checks import BACKENDS
from mlesearch.sandbox.inside import landlock
from mlesearch.storage.run_log import read_log
from tests.support import faulty
from tests.support.command import cli
from tests.support.fault_launches import (
    FEW,
    SAID,
    FaultyEnd,
    FaultyStudy,
    launch_and_go_on,
    of_every_kind,
    results,
    sweep,
    task_that_goes_away,
)

pytestmark = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")
LAUNCHERS = {"basic": None, "joblib": "hydra_plugins.hydra_joblib_launcher", "submitit_local": "submitit"}
LAUNCHERS |= {"dask": "distributed", "ray": "ray"}
ALL = ["basic", *(pytest.param(name, marks=pytest.mark.slow) for name in LAUNCHERS if name != "basic")]


def launcher(name: str) -> list[str]:
    """The words that choose one of Hydra's launchers, or what starts workers, where it is installed."""
    if LAUNCHERS[name] is None:
        return []
    pytest.importorskip(LAUNCHERS[name])
    return [f"launcher.backend={name}" if name in BACKENDS else f"hydra/launcher={name}"]


def carry_out(cwd: Path, faults: FaultyStudy, name: str, *go_on: str) -> None:
    """Launch with faults by one of the launchers, then go on without them.

    Args:
        cwd: an empty folder.
        faults: what is launched.
        name: of the launcher.
        go_on: the command that goes on; without it, the one that launched.
    """
    env = faulty.install(cwd / "installed")
    words = ["run", *faults.words, *launcher(name)]

    def give(*command: str) -> FaultyEnd:
        done = cli(cwd, *command, env=env, timeout_s=3000)
        assert "Traceback" not in done.stderr
        failures = [line for line in done.stderr.splitlines() if line.startswith(("failed: ", "missing: "))]
        return FaultyEnd(done.returncode, failures, done.stderr)

    launch_and_go_on(cwd, faults, partial(give, *words), partial(give, *(go_on or words)))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ALL)
def test_faults_of_every_kind(name: str, tmp_path: Path) -> None:
    carry_out(tmp_path, of_every_kind(), name)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ALL)
def test_a_task_folder_that_goes_away(name: str, tmp_path: Path) -> None:
    carry_out(tmp_path, task_that_goes_away(), name)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_sweep_with_faults(name: str, tmp_path: Path) -> None:
    carry_out(tmp_path, sweep(), name, "resume", "studies/main")


def test_runs_that_end_their_process_before_they_begin_end_no_others(tmp_path: Path) -> None:
    """A plug-in that goes wrong where a worker checks that it can carry the run out; healthy runs come last."""
    env = faulty.install(tmp_path / "installed")
    words = [*FEW[1:], "strategy=kills,quits,raises,random", "study.name=s"]
    assert cli(tmp_path, "submit", "--list", "-m", *words, env=env).returncode == 0
    (tmp_path / "faults_at_once").touch()
    done = cli(tmp_path, "work", "studies/s", "--jobs", "1", env=env)
    assert done.returncode == 1, done.stderr
    assert "3 runs failed, and none is left to do" in done.stderr
    assert results(tmp_path / "studies/s").keys() == {"sim_05/random/base/rentals/seed-0"}
    for strategy, said in SAID.items():
        run = f"sim_05/{strategy}/base/rentals/seed-0"
        assert re.search(rf"^{run}: failed: .*{re.escape(said)}", done.stdout, re.MULTILINE), done.stdout
        assert any(said in entry for entry in read_log(tmp_path / "studies/s" / run)) or strategy == "kills"
        assert not (tmp_path / "studies/s" / run / "result.json").exists(), "others may be at work on it"
    error = (tmp_path / "studies/s/sim_05/raises/base/rentals/seed-0/error.txt").read_text()
    assert "Traceback" in error
    assert "in complete" in error
