"""A disk that fills up at any moment of a study: one line says so; with space, the same command ends as undisturbed."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from mlesearch.cli.main import main
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
        *(
            "study.name=s",
            f"study.dir={study}",
            "cassette=record",
            "launcher.n_jobs=1",
            "launcher.retries=0",
            "sandbox=local",
        ),
        *("sandbox.exec_store=record", f"sandbox.exec_store_path={executions / 'executions.db'}"),
    ]


def fill_at(leave_bytes: int, whole: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> bool:
    """Run a study on a disk with so much space, give it more, run it again; whether it was ever out of space."""
    with small_disk(place, 8 * MIB) as disk:
        study = disk / "s"
        ballast = fill(disk, leave_bytes)
        capsys.readouterr()
        code = main(words(study, whole))
        err = capsys.readouterr().err
        assert "Traceback" not in err
        if code:
            assert code == 1
            for line in err.strip().splitlines():
                assert "the disk is full" in line, err
                assert f"tmpfs at {disk}" in line, err
                assert "free some space there and run the same command again" in line, err
            assert not list(study.rglob("error.txt"))
        before = journals(study)
        ballast.unlink()
        assert main(words(study, whole)) == 0, capsys.readouterr().err
        after = journals(study)
        assert all(after[name][: len(lines)] == lines for name, lines in before.items())
        same_tables(whole / "s", study)
        once_each(study)
        assert not [p for p in study.rglob(".*") if not p.name.startswith(".hydra")], "something half-written is left"
    return bool(code)


def moments(whole: Path, place: Path, count: int, seed: int) -> list[int]:
    """Sizes of free space, at random between none and a bit less than a study needs."""
    with small_disk(place, 8 * MIB) as disk:
        empty = used_bytes(disk)
        shutil.copytree(whole / "s", disk / "s")
        needed = used_bytes(disk) - empty
    chosen = random.Random(seed)
    return [chosen.randrange(0, needed // PAGE) * PAGE for _ in range(count)]


def test_a_study_goes_on_after_a_full_disk(whole, tmp_path, capsys):
    sizes = moments(whole, tmp_path / "sized", 3, seed=1)
    full = [fill_at(size, whole, tmp_path / str(n), capsys) for n, size in enumerate(sizes)]
    assert any(full)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_study_goes_on_after_a_disk_was_full_at_a_hundred_moments(whole, tmp_path, capsys):
    sizes = moments(whole, tmp_path / "sized", 100, seed=2)
    full: list[bool] = []
    for n, size in enumerate(sizes):
        full.append(fill_at(size, whole, tmp_path / str(n), capsys))
        with capsys.disabled():
            print(f"full at {sum(full)} of {len(full)} moments; all ended with the tables of an undisturbed study")
    assert sum(full) >= 90
