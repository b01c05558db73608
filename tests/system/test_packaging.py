"""The wheel, installed where there is no checkout, called from another folder."""

import os
import shutil
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import ROOT

SHIPPED = ("mlesearch", "conf", "docker", "experiments", "analysis", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, so that no old build folder has a say."""
    source = tmp_path_factory.mktemp("source")
    for name in SHIPPED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A clean environment: the wheel, and the libraries of this one (but not this one's mlesearch)."""
    venv = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    python = venv / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True)
    (packages,) = venv.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return venv


def call(venv: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    command = [str(venv / "bin" / "mlesearch"), *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=env, timeout=240)


def test_the_wheel_holds_every_file_that_is_shipped(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, inside in (("conf", "conf"), ("experiments", "experiments")):
        for path in (ROOT / folder).rglob("*.yaml"):
            assert f"mlesearch/{inside}/{path.relative_to(ROOT / folder)}" in names
    for path in (ROOT / "docker").iterdir():
        assert f"mlesearch/docker/{path.name}" in names
    for pattern in (
        "operators/prompts/*.jinja",
        "models/simulated/tables/*.csv",
        "tasks/data/**/*.csv",
        "tasks/mlebench/agent/*",
    ):
        found = list((ROOT / "mlesearch").glob(pattern))
        assert found
        for path in found:
            assert str(path.relative_to(ROOT)) in names
    for path in (ROOT / "analysis" / "page" / "templates").iterdir():
        assert f"mlesearch/analysis/page/templates/{path.name}" in names
    assert "mlesearch/py.typed" in names
    assert not [n for n in names if n.startswith(("tests/", "conf/", "analysis/", "experiments/"))]


def test_the_wheel_is_small(wheel):
    assert wheel.stat().st_size < 12_000_000


def test_it_is_the_wheel_that_runs(installed, tmp_path):
    out = subprocess.run(
        [str(installed / "bin" / "python"), "-c", "import mlesearch.conf as m; print(m.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(installed) in out.stdout


def test_commands_from_anywhere(installed, tmp_path):
    assert "COMMAND" in call(installed, tmp_path, "--help").stdout
    assert "rentals" in call(installed, tmp_path, "tasks", "list").stdout
    wrong = call(installed, tmp_path, "run", "+experiments=nope")
    assert wrong.returncode == 2
    assert "no experiment is called 'nope'" in wrong.stderr
    by_name = call(installed, tmp_path, "run", "demo", "--check")
    assert by_name.returncode == 0, by_name.stderr
    assert "144 runs" in by_name.stdout
    assert list(tmp_path.iterdir()) == []


def test_one_run_and_one_experiment(installed, tmp_path):
    one = call(installed, tmp_path, "run", "strategy=greedy", "budget.steps=1", "sandbox=local")
    assert one.returncode == 0, one.stderr
    small = ["model=sim_09", "strategy=random,gome", "tasks=[rentals]", "seeds=[0]", "budget.steps=1"]
    done = call(installed, tmp_path, "run", "demo", *small)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "studies/demo/report.html").exists()
    assert "failed" not in done.stderr
