"""Dependencies run one way, imports stay light, and the package holds all that it ships."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEAVES = {"types", "markup"}
SHARED = {"database", "processes"}
BASE = {
    "entry",
    "store",
    "optimizers",
    "codec",
    "journal",
    "clock",
    "lanes",
    "budget",
    "selection",
    "models",
    "sandbox",
    "tasks",
}
ALLOWED = {
    "types": set(),
    "markup": set(),
    "optimizers": LEAVES,
    "codec": LEAVES,
    "journal": LEAVES | {"codec"},
    "clock": LEAVES,
    "lanes": LEAVES,
    "selection": LEAVES,
    "database": LEAVES,
    "processes": set(),
    "models": LEAVES | SHARED | {"journal", "codec", "entry", "store", "scrub"},
    "budget": LEAVES | {"models"},
    "entry": LEAVES | {"codec"},
    "store": LEAVES | {"database", "entry"},
    "sandbox": LEAVES | {"codec", "entry", "processes", "store"},
    "tasks": LEAVES,
    "operators": LEAVES | {"models", "tasks"},
    "scoring": LEAVES | {"tasks"},
    "flight": LEAVES | BASE | {"operators", "scoring"},
    "recording": LEAVES | BASE,
    "record": LEAVES | BASE | {"recording"},
    "replay": LEAVES | BASE,
    "splits": LEAVES | BASE | {"scoring"},
    "parts": LEAVES | BASE | {"flight", "record", "recording", "splits"},
    "revalidation": LEAVES | BASE | {"scoring", "record", "parts", "splits"},
    "engine": LEAVES | BASE | {"operators", "scoring", "flight", "record", "parts", "replay", "revalidation"},
    "study": LEAVES | {"codec", "journal"},
    "purse": LEAVES | SHARED,
    "paid": LEAVES | {"budget", "models", "purse"},
    "spending": LEAVES | {"journal", "models", "purse", "settings", "study"},
    "scrub": LEAVES,
    "archive": LEAVES | {"codec", "entry", "scrub", "store", "study"},
    "audit": LEAVES | {"archive", "codec", "entry", "journal", "rerun", "store", "study"},
    "summary": LEAVES | BASE | {"study"},
    "collect": LEAVES | BASE | {"study", "summary"},
    "settings": set(),
    "compose": LEAVES | {"optimizers", "settings", "conf", "experiments"},
    "build": LEAVES
    | BASE
    | {"operators", "scoring", "flight", "record", "recording", "parts", "splits", "study", "settings"}
    | {"paid", "spending"},
    "catalogue": LEAVES | {"models", "settings"},
    "config": LEAVES | BASE | {"compose", "build", "flight", "operators", "study", "settings", "spending"},
    "launch": LEAVES
    | BASE
    | {"config", "build", "engine", "parts", "processes", "purse", "settings", "study", "summary"},
    "estimate": LEAVES | {"config", "models", "settings", "spending", "study"},
    "costs": LEAVES | {"build", "config", "estimate", "models", "settings"},
    "rerun": LEAVES | {"codec", "config", "settings", "study"},
    "progress": LEAVES | {"config", "study"},
    "show": LEAVES | BASE | {"record", "summary", "study", "replay", "build"},
    "doctor": LEAVES | {"sandbox"},
    "terminal": LEAVES,
    "lists": LEAVES | {"catalogue", "compose", "models", "tasks", "terminal"},
    "machine": LEAVES | {"sandbox", "terminal", "testing"},
    "cli": LEAVES | {"commands"},
    "analysis": LEAVES,
}
ALLOWED["commands"] = set(ALLOWED) | {"conf", "experiments"}
ALLOWED["testing"] = set(ALLOWED)


def _rooms() -> dict[str, list[Path]]:
    rooms: dict[str, list[Path]] = {"analysis": sorted((ROOT / "analysis").glob("*.py"))}
    for path in sorted((ROOT / "mlesearch").rglob("*.py")):
        name = path.relative_to(ROOT / "mlesearch").parts[0].removesuffix(".py")
        if name != "__init__":
            rooms.setdefault(name, []).append(path)
    return rooms


def _imports(path: Path) -> set[str]:
    """Rooms of mlesearch that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{a.name}" for a in node.names] if node.module == "mlesearch" else [node.module]
        else:
            continue
        found |= {n.split(".")[1] for n in names if n.startswith("mlesearch.")}
    return found - {"__version__"}


@pytest.mark.parametrize("room", sorted(_rooms()))
def test_imports_run_one_way(room):
    assert room in ALLOWED, f"the room {room} is in no table: add it to this test and to docs/architecture.md"
    for path in _rooms()[room]:
        wrong = _imports(path) - ALLOWED[room] - {room}
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}; {room} may import {sorted(ALLOWED[room])}"


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("litellm", {"models"}),
        ("docker", {"sandbox"}),
        ("hydra", {"compose", "commands"}),
        ("omegaconf", {"compose"}),
        ("joblib", {"launch"}),
        ("matplotlib", {"analysis"}),
    ],
)
def test_only_one_room_knows_a_heavy_library(library, rooms):
    users = {
        room
        for room, paths in _rooms().items()
        for path in paths
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and any(a.name.split(".")[0] == library for a in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == library)
    }
    assert users <= rooms


def test_importing_mlesearch_loads_nothing_heavy():
    code = (
        "import sys, mlesearch, mlesearch.types, mlesearch.cli, mlesearch.engine; "
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


def test_no_file_is_two_rooms():
    long = [
        (path.relative_to(ROOT), n)
        for room, paths in _rooms().items()
        for path in paths
        if room != "testing" and (n := len(path.read_text().splitlines())) > 400 and path.name != "types.py"
    ]
    assert not long


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["--version"]])
def test_help_needs_no_configuration(words, tmp_path):
    env = {**os.environ, "COLUMNS": "100"}
    out = subprocess.run(
        [sys.executable, "-m", "mlesearch.cli", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=env,
        check=True,
    ).stdout
    assert "mlesearch" in out
    assert list(tmp_path.iterdir()) == []
