"""Dependencies run one way, imports stay light, and the package holds all that it ships."""

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Container, Iterator
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
    "models": "types storage tasks",
    "sandbox": "types storage",
    "operators": "types models tasks",
    "budgets": "types storage models",
    "testing": "types models optimizers sandbox",
    "engine": "types storage optimizers tasks models sandbox operators budgets",
    "config": "types storage optimizers tasks analysis models sandbox operators budgets engine",
    "study": "types storage optimizers models sandbox budgets engine config analysis",
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


@cache
def imported(module: str) -> tuple[str, ...]:
    return tuple(_imported(module))


def _imported(module: str) -> Iterator[str]:
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
    assert found.pop("") == {"types", "config", "study"}, "mlesearch/__init__.py hands out the Python interface"
    assert found.pop("__main__") == {"cli"}
    for package in found.keys() - {"types"}:
        print(f"{package:11s} imports {' '.join(sorted(found[package]))}")
    print(f"{sum(map(len, found.values()))} arrows between {len(found)} packages")
    assert {p: sorted(names) for p, names in found.items()} == {
        p: sorted(names.split()) for p, names in ALLOWED.items()
    }
    assert next(iter(TopologicalSorter(found).static_order())) == "types"


def test_no_module_imports_itself_through_others():
    """But for the package itself, which hands out what others define and of which they import the version alone."""
    graph = {m: {name for name in imported(m) if name in modules()} - {"mlesearch"} for m in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


SHARED_NAMES: dict[str, str] = {}
"""Names of several public classes, and why each of them has to be so."""


def public_names() -> Iterator[tuple[str, str]]:
    """Public classes and type aliases of all modules, each with its module."""
    for module, path in modules().items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                name = node.name
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id  # an alias reads like a class
            else:
                continue
            if name[0].isupper() and not name.isupper():
                yield name, module


def test_no_public_class_name_twice():
    places: dict[str, list[str]] = {}
    for name, module in public_names():
        places.setdefault(name, []).append(module)
    assert {name: where for name, where in places.items() if len(where) > 1 and name not in SHARED_NAMES} == {}
    assert [name for name in SHARED_NAMES if len(places.get(name, ())) < 2] == []


MODELS = {
    "simulated": "",
    "recorded": "",
    "limits": "",
    "live": "limits",
}
"""What each package of `mlesearch.models` may import of the others; modules beside them, all of these."""

ANALYSIS = {
    "text": "",
    "data": "text",
    "statistics": "data",
    "measures": "text data statistics",
    "planning": "text data statistics",
    "comparisons": "text data statistics measures",
    "results": "data statistics measures planning comparisons",
    "words": "text data statistics measures planning comparisons results",
    "figures": "text data statistics measures comparisons results",
    "frames": "data statistics measures comparisons results words",
    "page": "text data statistics measures planning comparisons results words figures",
    "files": "text data statistics comparisons results words figures page",
    "terminal": "text data statistics results words page",
    "report": "data results words figures frames page files",
    "recheck": "data results figures page files report",
}
"""What each package and module of `mlesearch.analysis` imports of those before it: docs/architecture.md has it too."""


STUDY = {
    "output": "",
    "shares": "",
    "work_list": "",
    "runs": "",
    "estimates": "",
    "tables": "output shares runs",
    "archive": "shares runs",
    "monitoring": "output work_list runs",
    "clean": "tables monitoring",
    "pack": "clean",
    "slurm": "output monitoring",
    "workers": "output work_list runs monitoring",
    "launches": "output work_list runs slurm workers",
    "api": "output runs estimates tables archive monitoring launches",
}
"""Likewise of `mlesearch.study`."""

CONFIG = {
    "catalogue": "",
    "settings": "catalogue",
    "overrides": "catalogue settings",
    "loading": "catalogue settings overrides",
    "parts": "settings",
    "identity": "settings parts",
    "planning": "catalogue settings parts identity",
    "assemble": "parts planning",
    "solving": "parts planning",
}
"""Likewise of `mlesearch.config`."""

TYPES = {
    "kinds": "",
    "usage": "",
    "text": "",
    "findings": "",
    "proposals": "kinds",
    "executions": "kinds",
    "outcomes": "kinds proposals usage",
    "errors": "usage",
    "registry": "text errors",
}
"""Likewise of `mlesearch.types`, which hands all of it out."""

INSIDE = {"analysis": ANALYSIS, "config": CONFIG, "study": STUDY, "types": TYPES}
"""Packages of which each part imports those before it alone."""


def inside(package: str, names: Container[str]) -> dict[str, list[str]]:
    """Which of the named packages and modules of a package import which others of these."""
    found: dict[str, set[str]] = {}
    for module in modules():
        parts = module.split(".")
        if parts[1:2] == [package] and parts[2:3] and parts[2] in names:
            targets = {name.split(".")[2] for name in imported(module) if name.startswith(f"mlesearch.{package}.")}
            found.setdefault(parts[2], set()).update(t for t in targets - {parts[2]} if t in names)
    return {name: sorted(targets) for name, targets in found.items()}


def test_imports_between_the_packages_of_models_run_one_way():
    assert inside("models", MODELS) == {p: names.split() for p, names in MODELS.items()}


@pytest.mark.parametrize("package", INSIDE)
def test_imports_within_a_package_run_one_way(package):
    table = INSIDE[package]
    assert inside(package, table) == {p: sorted(names.split()) for p, names in table.items()}
    there = {module.split(".")[2] for module in modules() if module.startswith(f"mlesearch.{package}.")}
    assert there == table.keys()
    before: set[str] = set()
    for name, imports in table.items():
        assert before.issuperset(imports.split()), f"{name} imports what comes after it"
        before.add(name)


FOLDERS_INSIDE = [
    (package, name)
    for package, table in INSIDE.items()
    for name in table
    if modules()[f"mlesearch.{package}.{name}"].name == "__init__.py"
]


@pytest.mark.parametrize("name", [*sorted(ALLOWED.keys() - {"analysis"}), *map(".".join, FOLDERS_INSIDE)])
def test_a_package_says_what_it_is_for_and_where_to_begin(name):
    said = ast.get_docstring(ast.parse(modules()[f"mlesearch.{name}"].read_text())) or ""
    assert len(said.splitlines()) >= 4, f"the docstring of mlesearch.{name} says too little"
    assert "egin" in said, "say where to begin reading"
    assert "mport" in said, "say what it may import"


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
        ("hydra", {"mlesearch.config.loading.compose", "mlesearch.config.loading.cells"}),
        (
            "omegaconf",
            {"mlesearch.config.loading.compose", "mlesearch.config.loading.cells", "mlesearch.config.loading.plain"},
        ),
        ("joblib", set()),
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
    apart = ("analysis", "conf", "docker", "experiments", "experiments.mini")
    found |= {f"mlesearch.{name}" for name in apart}
    found |= {f"mlesearch.analysis.{p.parent.name}" for p in (ROOT / "analysis").glob("*/__init__.py")}
    assert declared == found


def test_no_file_has_two_subjects():
    long = {name: n for name, path in modules().items() if (n := len(path.read_text().splitlines())) > 400}
    assert not long


def test_importing_the_package_itself_loads_nothing_of_it():
    code = "import sys, mlesearch; print([m for m in sys.modules if m.startswith('mlesearch.') or m == 'numpy'])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


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


def calls(module: str) -> Iterator[tuple[ast.Call, str]]:
    """Every call in a module, with the last part of the name of what is called."""
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield node, node.func.id if isinstance(node.func, ast.Name) else node.func.attr


def in_text(call: ast.Call, name: str) -> bool:
    """Whether a call reads or writes text, and so needs an encoding; `os.open` and `open()` of our own do not."""
    if name in ("read_text", "write_text"):
        return True
    given = {k.arg: k.value for k in call.keywords}
    if name in ("run", "Popen", "check_output", "check_call", "call"):
        return any(
            isinstance(v, ast.Constant) and v.value is True
            for k in ("text", "universal_newlines")
            if (v := given.get(k))
        )
    if name == "TextIOWrapper":
        return True
    if name not in ("open", "fdopen", "NamedTemporaryFile", "TemporaryFile"):
        return False
    owner = call.func.value.id if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name) else ""
    if owner in ("os", "tarfile", "zipfile") or (isinstance(call.func, ast.Attribute) and not call.args and not given):
        return False
    method = isinstance(call.func, ast.Attribute) and name == "open"
    mode = given.get("mode") or (call.args[0] if method and call.args else call.args[1] if len(call.args) > 1 else None)
    if mode is None:
        return True
    text = mode.value if isinstance(mode, ast.Constant) and isinstance(mode.value, str) else ""
    return "b" not in text and (not method or (bool(text) and set(text) <= set("rwaxt+")))


@pytest.mark.parametrize("folder", ["mlesearch", "mlesearch.analysis"])
def test_whatever_reads_or_writes_text_names_its_encoding(folder):
    """The locale's is ASCII in many a container and batch system."""
    bare = [
        f"{module} line {call.lineno}: {name}"
        for module in modules()
        if module.startswith(folder) and not module.startswith("mlesearch.testing.sandbox_contract")
        for call, name in calls(module)
        if in_text(call, name) and "encoding" not in {k.arg for k in call.keywords}
    ]
    assert bare == []


PRINTS = {
    "mlesearch.study.output": "is where all else goes through",
    "mlesearch.storage.column_reference": "writes a page of the documentation, of our own words",
    "mlesearch.config.settings.reference": "writes a page of the documentation, of our own words",
    "mlesearch.testing.optimizer_contract.hash_seeds": "prints digests, for the process that started it",
    "mlesearch.tasks.graders": "sends what a grader prints to standard error",
    "mlesearch.testing.serve": "prints the address of its own server",
    "mlesearch.sandbox.inside.program": "runs inside the sandbox: its streams are those of the program",
    "mlesearch.cli.confirm": "asks whether there is a terminal",
}
"""Modules that use a standard stream themselves, and why each of them may."""


def test_all_that_is_printed_goes_through_one_module():
    """Text of programs and models comes up to terminals; only `study/output.py` knows what one would obey."""
    found = set()
    for module, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Name) and node.id == "print"
            stream = isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr", "__stdout__", "__stderr__")
            if named or (stream and isinstance(node.value, ast.Name) and node.value.id == "sys"):
                found.add(module)
    assert found == PRINTS.keys()
