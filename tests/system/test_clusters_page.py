"""`docs/clusters.md`: every command on it that can run here is run; what is for other systems can be read by them."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mlesearch.cli.main import parse
from tests.support import documented
from tests.support.slurm import SlurmCluster, stand_in_for_accounting
from tests.support.waiting import wait_for

PAGE = "clusters.md"
BIN = Path(sys.executable).parent


def commands(section: str) -> list[str]:
    """The commands of a section that are to be run, in their order."""
    text = (documented.DOCS / PAGE).read_text(encoding="utf-8")
    part = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[0]
    return "".join(re.findall(r"^```sh\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)).splitlines()


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **more}


def run(command: str, folder: Path, env: dict[str, str]) -> str:
    """What a command of the page printed; it must succeed."""
    done = subprocess.run(command, shell=True, cwd=folder, env=env, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def results(folder: Path) -> int:
    return len(list(folder.glob("studies/*/*/*/*/*/seed-*/result.json")))


# what can be read without running it


def test_every_command_of_ours_is_one() -> None:
    text = (documented.DOCS / PAGE).read_text(encoding="utf-8")
    shown = [line for block in re.findall(r"^```(?:sh)?\n(.*?)^```$", text, re.M | re.S) for line in block.splitlines()]
    ours = [words for line in shown if (words := shlex.split(line))[:1] == ["mlesearch"]]
    assert len(ours) >= 7
    for words in ours:
        assert parse(words[1:]).command in ("run", "work", "submit", "doctor")


def test_workers_of_other_systems_are_started_by_our_command() -> None:
    (job,) = [yaml.safe_load(block) for block in documented.blocks(PAGE, "yaml") if "kind: Job" in block]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (sky,) = [yaml.safe_load(block) for block in documented.blocks(PAGE, "yaml") if "kind: Job" not in block]
    (batch,) = [json.loads(block) for block in documented.blocks(PAGE, "json")]
    for words in (container["command"], batch["containerOverrides"]["command"], shlex.split(sky["run"])):
        args = parse(words[1:])
        assert (words[0], args.command, args.study) == ("mlesearch", "work", "/studies/crossover")
    policy = job["spec"]["podFailurePolicy"]["rules"]
    actions = {
        code: rule["action"] for rule in policy if "onExitCodes" in rule for code in rule["onExitCodes"]["values"]
    }
    assert actions == {1: "FailJob", 2: "Count", 75: "Ignore"}, "one bad node must not end the workers of all others"
    ends = {rule["onExitCode"]: rule["action"] for rule in batch["retryStrategy"]["evaluateOnExit"]}
    assert ends == {"1": "EXIT", "2": "RETRY", "*": "RETRY"}


# what is run


@pytest.mark.slow
def test_the_command_for_a_file_system(tmp_path: Path) -> None:
    (command,) = commands("What a file system must promise")
    assert "O_EXCL" in run(command, tmp_path, environment())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_commands_for_slurm(cluster: SlurmCluster, tmp_path: Path) -> None:
    env = environment(SLURM_CONF=cluster.env["SLURM_CONF"])
    check, *submits = commands("Slurm")
    assert "nothing was run or written (--check)" in run(check, tmp_path, env)
    assert list(tmp_path.iterdir()) == []
    said = [run(command, tmp_path, env) for command in submits]
    assert [re.findall(r"queued (\d) workers", text) for text in said] == [["2"], ["1"]]
    wait_for(lambda: cluster.jobs() == {}, 600)
    assert results(tmp_path) == 4
    for command in re.findall(r"^(?:look|report): +(.*)$", said[-1], re.MULTILINE):
        run(command, tmp_path, env)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["dask", "ray"])
def test_the_commands_for_dask_and_ray(name: str, tmp_path: Path) -> None:
    module = {"dask": "distributed", "ray": "ray"}[name]
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{name} is not installed here: pip install 'mlesearch[{name}]'")
    (command,) = [line for line in commands("dask and ray") if f"launcher.backend={name}" in line]
    run(command, tmp_path, environment())
    assert results(tmp_path) == 2


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_cluster_of_dask_jobqueue(cluster: SlurmCluster, tmp_path: Path) -> None:
    """On Slurm, as the page says, with a small study in place of the large one."""
    pytest.importorskip("dask_jobqueue", reason="pip install dask-jobqueue")
    (program,) = documented.blocks(PAGE, "python")
    small = '"-m", "model=sim_02", "strategy=random", "tasks=[rentals]", "budget.steps=2", "sandbox=local"'
    changes = {
        "PBSCluster": "SLURMCluster",
        'memory="8GB"': 'memory="2GB"',
        "scale(8)": "scale(2)",
        "n_jobs=8": "n_jobs=2",
        '"crossover"': small,
    }
    for old, new in changes.items():
        assert old in program
        program = program.replace(old, new)
    (tmp_path / "launch.py").write_text(program)
    run(f"{shlex.quote(sys.executable)} launch.py", tmp_path, environment(SLURM_CONF=cluster.env["SLURM_CONF"]))
    assert results(tmp_path) == 1
    cluster.clear()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_command_for_submitit(cluster: SlurmCluster, tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="pip install 'mlesearch[slurm]'")
    stand_in_for_accounting(cluster)
    env = environment(SLURM_CONF=cluster.env["SLURM_CONF"], PATH=f"{BIN}:{cluster.env['PATH']}")
    for command in commands("Hydra's launchers"):
        run(command, tmp_path, env)
    assert results(tmp_path) == 2
    cluster.clear()
