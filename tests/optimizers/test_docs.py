"""`docs/adding_a_strategy.md`, followed to the letter in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

from mlesearch.optimizers.base import STRATEGIES, factory
from tests.support import documented
from tests.support.documented import DOCS


def test_the_documented_plugin_joins_by_its_name_and_keeps_the_contract(tmp_path):
    files = documented.files("adding_a_strategy.md")
    assert set(files) == {"pyproject.toml", "epsilon.py", "test_epsilon.py"}
    assert len(files["epsilon.py"].splitlines()) <= 45
    elsewhere = documented.write({"test_epsilon.py": files.pop("test_epsilon.py")}, tmp_path / "elsewhere")
    installed = documented.install(documented.write(files, tmp_path / "source"), tmp_path / "installed")
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
    assert "3 passed" in run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_epsilon.py")


def test_every_built_in_is_documented_with_its_defaults():
    text = (DOCS / "strategies.md").read_text()
    for kind in STRATEGIES.builtin:
        assert f"`kind: {kind}`" in text
        assert callable(factory(kind))
    from dataclasses import fields

    from mlesearch.optimizers.gome.settings import GomeSettings
    from mlesearch.optimizers.greedy import GreedySettings
    from mlesearch.optimizers.mcts.aira import AiraSettings
    from mlesearch.optimizers.mcts.ml_master import MLMasterSettings
    from mlesearch.optimizers.random import RandomSettings

    for settings in (RandomSettings, GreedySettings, AiraSettings, MLMasterSettings, GomeSettings):
        for f in fields(settings):
            if f.name in ("preset", "reward"):
                assert f.name in text
                continue
            if isinstance(f.default, bool):
                written = "on" if f.default else "off"
            else:
                written = {1e-3: "1e-3", 1e-4: "1e-4"}.get(f.default, str(f.default).removesuffix(".0"))
            assert f"{f.name}: {written}" in text, f"{settings.__name__}.{f.name}: {written} is not in strategies.md"
