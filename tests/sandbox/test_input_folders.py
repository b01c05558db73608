"""Data that go away while programs use them: told of, and no program's failure."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlesearch.sandbox.input_folders import InputFolders
from mlesearch.sandbox.inside import landlock
from mlesearch.sandbox.protocol import Sandbox, Spec
from mlesearch.sandbox.rungs.bubblewrap import BubblewrapSandbox
from mlesearch.sandbox.rungs.local import LocalSandbox
from mlesearch.types import ConfigError, ExecStatus, SandboxUnavailable
from tests.support.rung_jobs import job, small_spec
from tests.support.waiting import wait_for

READS = "print(open('input/train.csv').read())"
WAITS = "import os, time\nopen('began', 'w')\nwhile os.path.exists('input/train.csv'): time.sleep(0.01)\n"


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    return small_spec(tmp_path)


def local() -> LocalSandbox:
    if landlock.abi() < 1:
        pytest.skip("this kernel has no Landlock, so there is no local rung")
    return LocalSandbox(warm=False)


def bubblewrap() -> BubblewrapSandbox:
    rung = BubblewrapSandbox(warm=False)
    try:
        rung.check()
    except SandboxUnavailable as lack:
        rung.close()
        pytest.skip(f"NO BUBBLEWRAP: {lack}")
    return rung


@pytest.fixture(params=[local, bubblewrap])
def rung(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with closing(request.param()) as made:
        yield made


def remove_all(folder: Path) -> None:
    shutil.rmtree(folder)


def remove_one(folder: Path) -> None:
    (folder / "train.csv").unlink()


@pytest.mark.parametrize(
    ("remove", "said"), [(remove_all, "does not exist$"), (remove_one, r"has lost train\.csv since it was first used")]
)
def test_a_program_whose_data_went_away_has_no_verdict(
    rung: Sandbox, spec: Spec, tmp_path: Path, remove: Callable[[Path], None], said: str
) -> None:
    slot: Any = rung.prepare(spec)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(rung.run, slot, job(tmp_path, WAITS + READS))
        wait_for((slot.folder / "work" / "began").exists, 20)
        remove(spec.input_dir)
    with pytest.raises(ConfigError, match=rf"^task t@1: its public folder {re.escape(str(spec.input_dir))} {said}"):
        running.result()
    with pytest.raises(ConfigError, match=said):
        rung.prepare(spec)
    spec.input_dir.mkdir(exist_ok=True)
    (spec.input_dir / "train.csv").write_text("id\n")
    assert rung.run(rung.prepare(spec), job(tmp_path, READS)).status is ExecStatus.OK


def test_what_may_change(spec: Spec) -> None:
    """What comes, names with a dot that go, and data of another version of the task, which has another name."""
    folders = InputFolders()
    (spec.input_dir / ".nfs01").touch()
    folders.check(spec)
    (spec.input_dir / ".nfs01").unlink()
    (spec.input_dir / "more.csv").touch()
    folders.check(spec)
    remove_one(spec.input_dir)
    folders.check(replace(spec, task="t@2"))
    with pytest.raises(ConfigError, match=r"has lost train\.csv since"):
        folders.check(spec)


def test_few_names_are_told(spec: Spec) -> None:
    folders = InputFolders()
    for number in range(9):
        (spec.input_dir / f"{number}.png").touch()
    folders.check(spec)
    for path in spec.input_dir.iterdir():
        path.unlink()
    with pytest.raises(ConfigError, match=r"has lost 0\.png, 1\.png, 2\.png and 7 more since"):
        folders.check(spec)
