"""The suites as authors of plug-ins meet them: in a pytest session of their own, failures show the values compared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

OPTIMIZER = """
from mlesearch.testing.optimizer_contract import OptimizerContract
from mlesearch.types import Op, Proposal

class Wrong:
    def ask(self, used):
        return Proposal(7, Op.DRAFT)

class TestWrong(OptimizerContract):
    def make(self, problem, rng):
        return Wrong()
"""
SANDBOX = """
import pytest
from mlesearch.testing.sandbox_contract import SandboxContract

class Wrong:
    name = "wrong"
    def check(self): ...
    def identity(self):
        return {"rung": "another"}

class TestWrong(SandboxContract):
    @pytest.fixture
    def sandbox(self):
        return Wrong()
"""
MODEL = """
from mlesearch.models.scripted import ScriptedModel
from mlesearch.testing.model_contract import ModelContract

class TestWrong(ModelContract):
    def make(self):
        return ScriptedModel(["a reply"], name="")
"""


@pytest.mark.parametrize(
    ("suite", "only", "says"),
    [
        (OPTIMIZER, "rules_hold", "where 7 = Proposal(id=7"),
        (SANDBOX, "check_passes", "AssertionError: assert 'another' == 'wrong'"),
        (MODEL, "declares_what_it_is", "where '' = ScriptedModel("),
    ],
    ids=["optimizer", "sandbox", "model"],
)
def test_a_failure_shows_the_values_compared(suite: str, only: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(suite)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", only, "test_mine.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert "1 failed" in done.stdout, done.stdout + done.stderr
    assert says in done.stdout


def test_importing_the_package_needs_no_pytest() -> None:
    modules = "mlesearch.testing.scripted_sandbox, mlesearch.testing.contract_run"
    code = f"import sys; sys.modules['pytest'] = None; import {modules}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
