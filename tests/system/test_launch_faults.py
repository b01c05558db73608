"""Whatever ends a run or its process: all others finish, each failure is named once, a relaunch does the rest."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from mlesearch.config.planning.checks import BACKENDS
from mlesearch.sandbox.inside import landlock
from mlesearch.storage.run_log import read_log
from mlesearch.storage.worker_files import read_attempts
from tests.support import faulty
from tests.support.command import cli

pytestmark = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")
LAUNCHERS = {"basic": None, "joblib": "hydra_plugins.hydra_joblib_launcher", "submitit_local": "submitit"}
LAUNCHERS |= {"dask": "distributed", "ray": "ray"}


def launcher(name: str) -> list[str]:
    """The words that choose one of Hydra's launchers, or what starts workers, where it is installed."""
    if LAUNCHERS[name] is None:
        return ["launcher.n_jobs=2"]
    pytest.importorskip(LAUNCHERS[name])
    chosen = f"launcher.backend={name}" if name in BACKENDS else f"hydra/launcher={name}"
    return [chosen, "launcher.n_jobs=2"]


def results(study: Path) -> dict[str, bytes]:
    """The journal of each run that has a result."""
    found = {p.parent for p in study.rglob("result.json") if b'"failed"' not in p.read_bytes()[:40]}
    return {folder.relative_to(study).as_posix(): (folder / "journal.jsonl").read_bytes() for folder in found}


def failures(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if line.startswith("failed: ")]


def launch_and_relaunch(cwd: Path, words: list[str], healthy: set[str], faults: dict[str, str]) -> None:
    """Launch with faults, look at what came of it, and launch again without them.

    Args:
        cwd: an empty folder.
        words: of the launch.
        healthy: ids of the runs that finish the first time.
        faults: what is said of a failure, by a part of the ids of its runs.
    """
    env = faulty.install(cwd / "installed")
    faulty.write_files(cwd)
    study = cwd / "studies/main"
    done = cli(cwd, "run", *words, env=env, timeout_s=1500)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    finished = results(study)
    assert healthy <= finished.keys()
    lines = failures(done)
    for part, said in faults.items():
        of_it = [line for line in lines if part in line.split(": ")[1] and said in line]
        assert len(of_it) == 1, (part, said, lines)
        found = re.search(r"\(on (\S+), log: (\S+)\)$", of_it[0])
        assert found, of_it[0]
        assert any(said.split(" (")[0] in entry for entry in read_log((cwd / found[2]).parent)), found[2]
    assert len(lines) == len(faults), lines
    (cwd / "faults_off").touch()
    faulty_task = cwd / "tasks" / faulty.OWN_TASK
    if not faulty_task.exists():
        (cwd / "conf").rename(cwd / "conf-before")
        faulty.write_files(cwd)
    before = len(read_attempts(study))
    again = cli(cwd, "run", *words, env=env, timeout_s=1500)
    assert again.returncode == 0, again.stderr
    assert failures(again) == []
    assert finished.items() <= results(study).items()  # byte for byte: nobody touched them
    did = {a.run_id for a in read_attempts(study)[before:]}
    assert did == results(study).keys() - finished.keys()


FEW = ["-m", "model=sim_05", "tasks=[rentals]", "seeds=[0]", "budget.steps=2", "sandbox=local", "launcher.retries=0"]
SAID = {"quits": "SystemExit: 3", "kills": "was killed by SIGKILL", "raises": "RuntimeError: the plug-in is broken"}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "name", ["basic", *(pytest.param(n, marks=pytest.mark.slow) for n in ("joblib", "submitit_local", "dask", "ray"))]
)
def test_faults_of_every_kind(name: str, tmp_path: Path) -> None:
    words = [*FEW, "strategy=random,quits,kills,raises", *launcher(name)]
    faults = {f"/{strategy}/": said for strategy, said in SAID.items()}
    launch_and_relaunch(tmp_path, words, {"sim_05/random/base/rentals/seed-0"}, faults)


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


def test_a_task_folder_that_goes_away(tmp_path: Path) -> None:
    words = [*FEW, "strategy=random,removes", "launcher.n_jobs=1"]
    words[2] = f"tasks=[rentals,tasks/{faulty.OWN_TASK}]"
    healthy = {f"sim_05/{run}/seed-0" for run in ("random/base/rentals", "random/base/canvas", "removes/base/rentals")}
    launch_and_relaunch(tmp_path, words, healthy, {"removes/base/canvas": "does not exist"})


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_sweep_with_faults(name: str, tmp_path: Path) -> None:
    """Ten models, one of them without a key, by four strategies, three of them faulty; three tasks, two seeds."""
    models = [f"sim_{n:02}" for n in range(1, 10)]
    strategies = ["random", "quits", "kills", "raises"]
    words = ["-m", f"model={','.join(models)},keyless", f"strategy={','.join(strategies)}", *FEW[2:]]
    words[3] = f"tasks=[rentals,digits,tasks/{faulty.OWN_TASK}]"
    words[4] = "seeds=[0,1]"
    healthy = {f"{m}/random/base/{t}/seed-{s}" for m in models for t in ("rentals", "digits", "canvas") for s in (0, 1)}
    faults = {f"/{strategy}/": said for strategy, said in SAID.items()} | {"keyless/": "the key is wrong or missing"}
    launch_and_relaunch(tmp_path, [*words, *launcher(name)], healthy, faults)
