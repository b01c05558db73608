"""What programs may read of the machine: whose packages are out of reach, and what is refused where it is not."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.sandbox import environment, ladder, scratch
from mlesearch.sandbox.environment import Interpreter
from mlesearch.sandbox.inside import landlock
from mlesearch.sandbox.protocol import Job, Limits, Spec
from mlesearch.types import ConfigError, ExecStatus

ANSWERS = "mlesearch/tasks/data/mini/rentals/private/test.csv"


@pytest.fixture
def other(tmp_path: Path, monkeypatch) -> Interpreter:
    """An interpreter in a base with two versions and a second mlesearch, and a folder of libraries like /usr/lib."""
    base, env, libraries = tmp_path / "base", tmp_path / "env", tmp_path / "libraries"
    for folder in (
        base / "lib/python3.11/json",
        base / "lib/python3.11/site-packages/numpy",
        base / "lib/python3.9/site-packages",
        base / "lib/tcl8.6",
        env / "lib/python3.11/site-packages/numpy",
        libraries / "python3/dist-packages",
        libraries / "sdk/platform/python/lib/python3.12/site-packages",
        libraries / "x86_64-linux-gnu",
    ):
        folder.mkdir(parents=True)
    for site in (base / "lib/python3.11/site-packages", base / "lib/python3.9/site-packages", libraries / "mirror"):
        (site / ANSWERS).parent.mkdir(parents=True)
        (site / ANSWERS).write_text("id,rent\n")
    (env / "bin").mkdir()
    (base / "bin").mkdir()
    (base / "bin/python3.11").touch()
    (env / "bin/python").symlink_to(base / "bin/python3.11")
    monkeypatch.setattr(environment, "_SYSTEM", (str(libraries),))
    site = str(env / "lib/python3.11/site-packages")
    return Interpreter(str(env / "bin/python"), str(env), str(base), (site,), str(base / "lib/python3.11"))


def readable(path: Path, python: Interpreter) -> bool:
    granted = [
        one
        for root, _ in environment.allowed(python)
        for one in landlock.beside(root, tuple(environment.excluded(python)))
    ]
    return any(whole and environment.within(str(path), root) for root, whole in granted)


def test_every_other_installation_is_out_of_reach(other: Interpreter) -> None:
    base, env = Path(other.base_prefix), Path(other.prefix)
    libraries = base.parent / "libraries"
    for site in ("lib/python3.11/site-packages", "lib/python3.9/site-packages"):
        assert not readable(base / site / ANSWERS, other)
    assert not readable(libraries / "mirror" / ANSWERS, other)
    assert not readable(libraries / "python3/dist-packages", other)
    assert not readable(libraries / "sdk/platform/python/lib/python3.12/site-packages", other)
    for path in (base / "lib/python3.11/json", base / "lib/tcl8.6", env / "lib/python3.11/site-packages/numpy"):
        assert readable(path, other), path
    assert readable(libraries / "x86_64-linux-gnu", other)


def test_the_base_itself_reads_its_own_packages(other: Interpreter) -> None:
    base = other.base_prefix
    own = Interpreter(f"{base}/bin/python3.11", base, base, (f"{other.stdlib}/site-packages",), other.stdlib)
    assert readable(Path(own.site[0], "numpy"), own)
    assert not readable(Path(own.site[0], ANSWERS), own)
    assert not readable(Path(base, "lib/python3.9/site-packages"), own)


def test_keys_below_a_granted_folder_are_out_of_reach(other: Interpreter, monkeypatch) -> None:
    home = Path(other.base_prefix, "lib")
    monkeypatch.setenv("HOME", str(home))
    for name in (".ssh/id", ".config/kaggle/kaggle.json", ".netrc"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("secret")
        assert not readable(home / name, other), name


def test_data_of_anybody_is_not_granted() -> None:
    roots = [path for path, _ in environment.allowed(environment.interpreter())]
    for path in ("/usr/share/doc", "/usr/src/app/studies", "/usr/local/share/study", "/opt/study", "/usr/share/dict"):
        assert not any(environment.within(path, root) for root in roots if root not in (sys.prefix, sys.base_prefix)), (
            path
        )
    assert any(environment.within(os.path.realpath("/usr/bin"), root) for root in roots)


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    for name in ("public", "private"):
        (tmp_path / name).mkdir()
    return Spec("t@1", tmp_path / "public", (tmp_path / "private",), limits=Limits(time_s=20))


@pytest.mark.parametrize("rung", ["local", "bubblewrap", "docker"])
def test_what_is_within_reach_is_refused_before_anything_runs(
    rung: str, spec: Spec, tmp_path: Path, monkeypatch
) -> None:
    params = {"image": "host"} if rung == "docker" else {}
    ladder.check_folders(rung, params, replace(spec, concealed=(("study.dir", tmp_path / "study"),)))
    within_reach = Path(environment.interpreter().stdlib) / "studies" / "s"
    link = tmp_path / "link"
    link.symlink_to(within_reach)
    for path in (within_reach, link, spec.input_dir / "studies"):
        with pytest.raises(ConfigError, match=r"study\.dir: .* which programs may read; put it elsewhere"):
            ladder.check_folders(rung, params, replace(spec, concealed=(("study.dir", path),)))
    with pytest.raises(ConfigError, match=r"its answers' folder .* lies in"):
        ladder.check_folders(rung, params, replace(spec, hidden=(within_reach,)))
    monkeypatch.setattr(scratch, "root", lambda: within_reach)
    with pytest.raises(ConfigError, match="scratch folder"):
        ladder.check_folders(rung, params, spec)


def test_an_image_of_its_own_shares_no_folder(spec: Spec) -> None:
    within_reach = Path(environment.interpreter().stdlib) / "studies"
    ladder.check_folders("docker", {"image": "some:tag"}, replace(spec, concealed=(("study.dir", within_reach),)))


@pytest.mark.parametrize("rung", ["local", "bubblewrap", "docker"])
def test_programs_can_not_read_a_second_installation(rung: str, spec: Spec, tmp_path: Path, monkeypatch) -> None:
    params: dict[str, object] = {"image": "host"} if rung == "docker" else {}
    (tried,) = ladder.probe([rung], params)
    if not tried.works:
        pytest.skip(f"NO {rung.upper()}: {tried.why}")
    libraries = tmp_path / "libraries"
    for site in ("python3.9/site-packages", "python3/dist-packages", "app/lib/python3.12/site-packages"):
        (libraries / site / ANSWERS).parent.mkdir(parents=True)
        (libraries / site / ANSWERS).write_text("id,rent\n")
    (libraries / "libx.so").write_text("a library")
    monkeypatch.setattr(environment, "_SYSTEM", (*environment._SYSTEM, str(libraries)))
    program = (
        f"import glob\nprint(open({str(libraries / 'libx.so')!r}).read())\n"
        f"for path in glob.glob({str(libraries)!r} + '/**/*.csv', recursive=True):\n"
        "    try:\n        print('READ', open(path).read())\n    except OSError:\n        pass"
    )
    with closing(ladder.make(rung, {**params, "warm": "off"})) as sandbox:
        result = sandbox.run(sandbox.prepare(spec), Job("a", program, 20.0, tmp_path / "out"))
    assert (result.status, result.stdout.text) == (ExecStatus.OK, "a library\n"), result
