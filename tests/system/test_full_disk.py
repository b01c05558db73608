"""A disk that fills up at any moment of a study: workers pause with one line, and with room they go on."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from mlesearch.cli.main import main
from tests.support.command import finish, start
from tests.support.disks import MIB, fill, small_disk, used_bytes
from tests.support.journals import journals, once_each, same_tables

PAGE = 4096


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that nothing disturbed; its programs' executions are kept beside it, so that others need not run them."""
    folder = tmp_path_factory.mktemp("whole")
    assert main(words(folder / "s", folder)) == 0
    return folder


def words(study: Path, executions: Path) -> list[str]:
    return [
        *("run", "model=sim_05", "strategy=greedy", "tasks=[rentals]", "seeds=[0,1]", "budget.steps=3"),
        *("study.name=s", f"study.dir={study}", "cassette=record", "launcher.n_jobs=2", "sandbox=local"),
        *("launcher.min_free_gib=0", "sandbox.exec_store=record"),
        f"sandbox.exec_store_path={executions / 'executions.db'}",
    ]


def fill_at(leave_bytes: int, whole: Path, place: Path) -> str:
    """Run a study on a disk with so much space, give it more; "paused" or "refused" where it was full."""
    with small_disk(place, 8 * MIB) as disk:
        study, became = disk / "s", ""
        ballast = fill(disk, leave_bytes)
        launch = start(place.parent, *words(study, whole))
        assert launch.stderr is not None
        err = launch.stderr.readline()
        before = journals(study)
        if "paused: the disk is full" in err:
            became = "paused"
            assert f"tmpfs at {disk}" in err
            assert "work goes on by itself once there is room" in err
        elif "the disk is full" in err:
            became = "refused"  # before any run was begun
            assert launch.wait(timeout=200) == 1
            assert not before
        else:
            launch.wait(timeout=200)
        ballast.unlink()
        rest = launch.stderr.read()
        assert "Traceback" not in err + rest
        assert became == "refused" or launch.wait(timeout=200) == 0, err + rest
        assert became != "paused" or rest.count("paused: ") == 0, "it is said once"
        if became == "refused":
            finish(place.parent, *words(study, whole))
        after = journals(study)
        assert all(after[name][: len(lines)] == lines for name, lines in before.items())
        assert not list(study.rglob("error.txt"))
        same_tables(whole / "s", study)
        once_each(study)
        assert not [p for p in study.rglob(".*") if not p.name.startswith(".hydra")], "something half-written is left"
    return became


def moments(whole: Path, place: Path, count: int, seed: int) -> list[int]:
    """Sizes of free space, at random between none and a bit less than a study needs."""
    with small_disk(place, 8 * MIB) as disk:
        empty = used_bytes(disk)
        shutil.copytree(whole / "s", disk / "s")
        needed = used_bytes(disk) - empty
    chosen = random.Random(seed)
    return [chosen.randrange(0, needed // PAGE) * PAGE for _ in range(count)]


def test_a_study_goes_on_after_a_full_disk(whole: Path, tmp_path: Path) -> None:
    sizes = moments(whole, tmp_path / "sized", 2, seed=1)
    assert "paused" in [fill_at(size, whole, tmp_path / str(n)) for n, size in enumerate(sizes)]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_study_goes_on_after_a_disk_was_full_at_forty_moments(whole: Path, tmp_path: Path) -> None:
    sizes = moments(whole, tmp_path / "sized", 40, seed=2)
    became = Counter(fill_at(size, whole, tmp_path / str(n)) for n, size in enumerate(sizes))
    assert became["paused"] >= 20, became


def test_below_what_is_asked_for_nothing_begins(whole: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64 * MIB) as disk:
        study = disk / "s"
        ballast = fill(disk, 20 * MIB)
        launch = start(tmp_path, *words(study, whole), "launcher.min_free_gib=0.03")
        assert launch.stderr is not None
        said = launch.stderr.readline()
        assert "MiB are free and launcher.min_free_gib asks for 30; work goes on by itself" in said
        assert not journals(study)
        ballast.unlink()
        assert "going on: tmpfs" in launch.stderr.read()
        assert launch.wait(timeout=200) == 0
        same_tables(whole / "s", study)
