"""How the tests are built: no test is imported, launches are in `system/` and benchmarks, folders mirror packages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support import command
from tests.support.paths import ROOT

TESTS = ROOT / "tests"
FILES = sorted(TESTS.rglob("*.py"))
MOST_LINES = 400
STARTS = {"MLESEARCH", "cli", "fork_of_code", "run_live", "start", "finish"}
"""Of `support.command`: what starts the command line."""


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """What a file imports from the tests, in programs that it holds as text too: the module, and the name from it."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").partition(".")[0] == "tests"):
            yield from (("." * node.level + (node.module or ""), alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.partition(".")[0] == "tests")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from ((module, "") for module in re.findall(r"^\s*from (tests\b[\w.]*) import ", node.value, re.M))


def test_tests_import_helpers_and_never_a_test() -> None:
    found = [(path.name, module, name) for path in FILES for module, name in imported(path)]
    assert [f for f in found if not f[1].startswith("tests.support") and f[1:] != ("tests", "support")] == []
    assert len(found) > 100


def test_benchmarks_are_in_bench() -> None:
    arguments = {
        path: [n.arg for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.arg)] for path in FILES
    }
    named = {path for path, found in arguments.items() if "benchmark" in found}
    assert named
    assert {path.relative_to(TESTS).parts[0] for path in named} == {"bench"}


def test_only_what_is_in_system_starts_the_command_line() -> None:
    assert set(vars(command)) >= STARTS
    users = {path for path in FILES for module, name in imported(path) if module == command.__name__ and name in STARTS}
    assert users
    assert {path.relative_to(TESTS).parts[0] for path in users} == {"system"}


def test_folders_are_those_of_the_packages() -> None:
    folders = {path.name for path in TESTS.iterdir() if path.is_dir() and path.name != "__pycache__"}
    packages = {path.parent.name for path in ROOT.glob("mlesearch/*/__init__.py")} | {"analysis"}
    assert folders - {"system", "bench", "support", "data"} <= packages
    assert packages <= folders


def test_no_file_is_over_400_lines() -> None:
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in FILES}
    assert {name: lines for name, lines in long.items() if lines > MOST_LINES} == {}, "split it by subject"
