"""Dependencies run one way, imports stay light, and the package holds all that it ships."""

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.paths import ROOT

ALLOWED = {
    "types": "",
    "storage": "types",
    "optimizers": "types",
    "tasks": "types",
    "analysis": "types storage",
    "models": "types storage",
    "sandbox": "types storage",
    "operators": "types models tasks",
    "budgets": "types storage models",
    "testing": "types models optimizers sandbox",
    "engine": "types storage optimizers tasks models sandbox operators budgets",
    "config": "types storage optimizers tasks models sandbox operators budgets engine",
    "study": "types storage optimizers models sandbox budgets engine config",
    "cli": "types storage tasks models sandbox config study testing analysis",
}
"""What each package may import besides itself and the version: this table is docs/architecture.md's import order."""
FOLDERS = {"mlesearch": ROOT / "mlesearch", "mlesearch.analysis": ROOT / "analysis"}


@cache
def modules() -> dict[str, Path]:
    """Every module that is shipped, by its dotted name."""
    found = {}
    for name, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join([name, *parts]).removesuffix(".__init__")] = path
    return found


def imported(module: str) -> Iterator[str]:
    """What a module imports, anywhere in it, by dotted names; of `from package import module` the module."""
    path = modules()[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(part for part in (base, node.module) if part)
            for a in node.names:
                yield f"{base}.{a.name}" if f"{base}.{a.name}" in modules() else base


def package_of(module: str) -> str:
    return [*module.split("."), ""][1]


def arrows() -> dict[str, set[str]]:
    """Which packages each package imports."""
    found: dict[str, set[str]] = {}
    for module in modules():
        targets = {package_of(name) for name in imported(module) if name.startswith("mlesearch.")}
        found.setdefault(package_of(module), set()).update(targets - {package_of(module)})
    return found


def test_imports_run_one_way():
    found = arrows()
    assert found.pop("") == set(), "mlesearch/__init__.py imports nothing of the package"
    assert found.pop("__main__") == {"cli"}
    for package in found.keys() - {"types"}:
        print(f"{package:11s} imports {' '.join(sorted(found[package]))}")
    print(f"{sum(map(len, found.values()))} arrows between {len(found)} packages")
    assert {p: sorted(names) for p, names in found.items()} == {
        p: sorted(names.split()) for p, names in ALLOWED.items()
    }
    assert next(iter(TopologicalSorter(found).static_order())) == "types"


def test_no_module_imports_itself_through_others():
    graph = {m: {name for name in imported(m) if name in modules()} for m in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_what_runs_inside_a_sandbox_needs_the_standard_library_only():
    inside = {m for m in modules() if m.startswith("mlesearch.sandbox.inside.")}
    assert inside
    for module in inside:
        for name in imported(module):
            assert (
                name in inside or name.split(".")[0] in sys.stdlib_module_names or name == "mlesearch.sandbox.inside"
            ), f"{module} imports {name}: it is sent into sandboxes, where there is no mlesearch"


@pytest.mark.parametrize(
    ("library", "places"),
    [
        ("litellm", {"mlesearch.models"}),
        ("docker", {"mlesearch.sandbox"}),
        ("hydra", {"mlesearch.config.compose"}),
        ("omegaconf", {"mlesearch.config.compose"}),
        ("joblib", {"mlesearch.study.pool"}),
        ("matplotlib", {"mlesearch.analysis"}),
    ],
)
def test_only_one_place_knows_a_heavy_library(library, places):
    users = {m for m in modules() if library in {name.split(".")[0] for name in imported(m)}}
    assert not {m for m in users if not any(f"{m}.".startswith(f"{place}.") for place in places)}


def test_importing_mlesearch_loads_nothing_heavy():
    code = (
        "import sys, mlesearch, mlesearch.types, mlesearch.cli.main, mlesearch.engine.loop; "
        "heavy = 'litellm docker hydra omegaconf sklearn matplotlib pandas joblib rich'.split(); "
        "print([m for m in heavy if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_every_package_is_shipped():
    declared = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {
        "mlesearch"
        if p.parent == ROOT / "mlesearch"
        else "mlesearch." + ".".join(p.parent.relative_to(ROOT / "mlesearch").parts)
        for p in (ROOT / "mlesearch").rglob("__init__.py")
        if "data" not in p.relative_to(ROOT / "mlesearch").parts
    }
    found |= {f"mlesearch.{name}" for name in ("analysis", "conf", "docker", "experiments")}
    assert declared == found


def test_no_file_has_two_subjects():
    long = {name: n for name, path in modules().items() if (n := len(path.read_text().splitlines())) > 400}
    long = {name: n for name, n in long.items() if package_of(name) != "types"}
    assert not long


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["--version"]])
def test_help_needs_no_configuration(words, tmp_path):
    env = {**os.environ, "COLUMNS": "100"}
    out = subprocess.run(
        [sys.executable, "-m", "mlesearch", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=env,
        check=True,
    ).stdout
    assert "mlesearch" in out
    assert list(tmp_path.iterdir()) == []
