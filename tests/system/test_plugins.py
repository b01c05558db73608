"""`docs/plugins.md`, followed to the letter: one package that brings one of each, installed, tested and run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mlesearch.config.parts.plugins import REGISTRIES
from mlesearch.sandbox.inside import contain, landlock
from tests.support import documented
from tests.support.command import cli
from tests.support.paths import DOCS

PAGE = "plugins.md"
PACKAGE = "mlesearch-lab 0.1.0"
NO_SHM = (
    []
    if contain.can_have_private_shm()
    else ["--deselect", "test_lab.py::TestLogged::test_worker_processes_can_be_used"]
)
LONG = (
    *("any_hash_seed", "many_processes", "nothing_is_left", "memory", "killed_orchestrator", "nobody_of_rank"),
    *("answers", "daemon", "without_end", "threads_share", "children_end", "starts_while", "much_output"),
)
"""Of their names."""
needs_local = pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock, so there is no local rung")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder for PYTHONPATH into which pip has installed the documented package."""
    source = documented.write({"lab/__init__.py": "", **documented.files(PAGE)}, tmp_path_factory.mktemp("source"))
    return documented.install(source, tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def env(installed, tmp_path_factory):
    return {"PYTHONPATH": str(installed), "LAB_TASKS": str(tmp_path_factory.mktemp("tasks"))}


def commands() -> list[list[str]]:
    (block,) = documented.blocks(PAGE, "sh")
    lines = [shlex.split(line) for line in block.splitlines()]
    assert lines[:2] == [["pip", "install", "."], ["pytest", "test_lab.py"]]
    return [words[1:] for words in lines[2:]]


def folder_of(study: Path, strategy: str) -> Path:
    return study / "fixed" / strategy / "base" / "harvest" / "seed-0"


def test_the_page_names_every_group():
    groups = re.findall(r"^\| `(mlesearch\.\w+)`", (DOCS / PAGE).read_text(), re.MULTILINE)
    assert groups == [registry.group for registry in REGISTRIES]


@needs_local
@pytest.mark.parametrize("which", ["most", pytest.param("all", marks=pytest.mark.slow)])
def test_its_tests_pass(which, installed, env, tmp_path):
    """Most of them leave out those of its sandbox that take long, whose own kind every rung of mlesearch passes."""
    documented.write({"test_lab.py": documented.files(PAGE)["test_lab.py"]}, tmp_path)
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_lab.py", *NO_SHM]
    pytest_ += ["-k", f"not ({' or '.join(LONG)})"] if which == "most" else []
    done = subprocess.run(
        pytest_, cwd=tmp_path, env={**os.environ, **env}, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_local
def test_every_command_of_the_page_works_and_the_runs_name_the_package(env, tmp_path):
    said = {}
    for words in commands():
        done = cli(tmp_path, *words, env=env)
        assert done.returncode == 0 or words == ["doctor"], (words, done.stdout, done.stderr)
        said[words[0], *words[1:2]] = done.stdout
    for registry, name in zip(REGISTRIES, ("newest", "fixed", "logged", "last_three", "smape", "lab"), strict=True):
        assert re.search(rf"^ok +{name} +{registry.noun}, plug-in of {PACKAGE}$", said["doctor",], re.MULTILINE)
    for command, name in ((("strategies",), "newest"), (("models",), "fixed"), (("tasks", "list"), "lab:harvest")):
        assert re.search(rf"^{name} .*plug-in of {PACKAGE}$", said[command], re.MULTILINE), said[command]

    study = tmp_path / "studies" / "lab"
    runs = pd.read_parquet(study / "runs.parquet")
    assert sorted(runs["strategy"]) == ["greedy", "greedy", "newest", "newest"]
    assert (runs["status"] == "ok").all()
    assert (runs["steps"] == 3).all()
    assert len((tmp_path / "programs.log").read_text().splitlines()) == 12
    run = json.loads((folder_of(study, "newest") / "run.json").read_text())
    assert run["labels"]["task_package"] == PACKAGE
    identity = run["identity"]
    assert identity["strategy"] == {"kind": "newest", "params": {}, "package": PACKAGE}
    assert [identity[part]["package"] for part in ("model", "operators", "sandbox")] == [PACKAGE] * 3
    assert identity["task"]["metric_package"] == PACKAGE
    built_in = json.loads((folder_of(study, "greedy") / "run.json").read_text())["identity"]
    assert built_in["strategy"].keys() == {"kind", "params"}


@needs_local
def test_what_its_sandbox_did_is_replayed_where_it_is_not_installed(env, tmp_path):
    words = ["model=sim_05", "strategy=greedy", "budget.steps=2", "cassette=record", "sandbox.exec_store=record"]
    log = ["sandbox=logged", "sandbox.params.log=programs.log"]
    assert cli(tmp_path, "run", "study.name=lab", *words, *log, env=env).returncode == 0
    done = cli(tmp_path, "replay", "studies/lab")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 of 1 run came out the same, event by event")
    again = cli(tmp_path, "run", *words, *log)
    assert again.returncode == 2
    assert "no sandbox is called 'logged'" in again.stderr
    assert len((tmp_path / "programs.log").read_text().splitlines()) == 2
