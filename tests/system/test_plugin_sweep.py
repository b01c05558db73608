"""`docs/adding_a_strategy.md` followed to the letter: the package installs, keeps the contract, joins a sweep."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib

import pandas as pd
import pytest

from tests.support import documented
from tests.support.command import cli


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder for PYTHONPATH into which pip has installed the documented package."""
    source = documented.write(documented.files("adding_a_strategy.md"), tmp_path_factory.mktemp("source"))
    return documented.install(source, tmp_path_factory.mktemp("installed"))


def test_it_runs_in_a_sweep_beside_a_built_in(installed, tmp_path):
    env = {"PYTHONPATH": str(installed)}
    listed = cli(tmp_path, "strategies", env=env).stdout
    assert re.search(r"^epsilon +plug-in of mlesearch-epsilon 0\.1\.0$", listed, re.MULTILINE)

    sweep = ["-m", "model=sim_05", "strategy=greedy,epsilon", "tasks=[rentals]", "budget.steps=3", "sandbox=local"]
    done = cli(tmp_path, "run", *sweep, "claim.treatment=epsilon", "claim.baseline=greedy", env=env)
    assert done.returncode == 0, done.stderr
    runs = pd.read_parquet(next((tmp_path / "studies").rglob("runs.parquet")))
    assert sorted(runs["strategy"]) == ["epsilon", "greedy"]
    assert (runs["steps"] == 3).all()
    folder = tmp_path / "studies" / "main" / "sim_05" / "epsilon" / "base" / "rentals" / "seed-0"
    identity = json.loads((folder / "run.json").read_text())["identity"]
    assert identity["strategy"] == {"kind": "epsilon", "params": {}, "package": "mlesearch-epsilon 0.1.0"}

    verified = cli(tmp_path, "verify", str(folder), env=env)
    assert verified.returncode == 0, verified.stderr
    typo = cli(tmp_path, "run", "strategy=epsilom", "tasks=[rentals]", env=env)
    assert typo.returncode == 2
    assert "did you mean 'epsilon'" in typo.stderr
    wrong = cli(tmp_path, "run", "strategy=epsilon", "strategy.params.epsilon=2", env=env)
    assert wrong.returncode == 2
    assert "epsilon takes a number from 0 to 1" in wrong.stderr


def test_without_it_its_name_is_unknown(tmp_path):
    done = cli(tmp_path, "run", "strategy=epsilon")
    assert done.returncode == 2
    assert "no strategy is called 'epsilon'" in done.stderr


def test_the_documented_plugin_joins_by_its_name_and_keeps_the_contract(installed, tmp_path):
    files = documented.files("adding_a_strategy.md")
    assert set(files) == {"pyproject.toml", "epsilon.py", "test_epsilon.py"}
    assert len(files["epsilon.py"].splitlines()) <= 45
    elsewhere = documented.write({"test_epsilon.py": files["test_epsilon.py"]}, tmp_path / "elsewhere")
    assert (installed / "epsilon.py").read_text() == files["epsilon.py"]
    requires = tomllib.loads(files["pyproject.toml"])["project"]["dependencies"]
    assert requires == ["mlesearch"]

    check = (
        "from mlesearch.optimizers.base import STRATEGIES, factory\n"
        "from mlesearch.types import Direction, Problem\n"
        "assert STRATEGIES.names()[-1] == 'epsilon', STRATEGIES.names()\n"
        "print(factory('epsilon')({'epsilon': 0.1}, Problem(Direction.MAXIMIZE), None).ask(0.0))\n"
        "try: factory('epsilon')({'epsilon': 2}, Problem(Direction.MAXIMIZE), None)\n"
        "except Exception as e: print(e)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(installed)}

    def run(*args):
        done = subprocess.run(
            [sys.executable, *args], cwd=elsewhere, env=env, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    out = run("-c", check)
    assert "op=<Op.DRAFT: 'draft'>" in out
    assert "strategy.params.epsilon: epsilon takes a number from 0 to 1 here, not 2" in out
    assert "plug-in of mlesearch-epsilon 0.1.0" in run("-m", "mlesearch", "strategies")
    assert " passed" in run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_epsilon.py")
