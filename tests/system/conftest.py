"""What launches of several files are compared with, and the cluster that some are left to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import slow_study, slurm
from tests.support.command import cli, finish
from tests.support.launched import WORDS
from tests.support.slow_study import SlowStudy
from tests.support.slurm import SlurmCluster


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study of `launched.WORDS` that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    finish(folder, "run", *WORDS, "launcher.n_jobs=2")
    return folder / "studies/main"


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> SlowStudy:
    """A study that takes its time, and was carried out as a whole once."""
    made = slow_study.make(tmp_path_factory.mktemp("slow"))
    done = cli(made.folder, "run", *made.words, env=made.env, fresh=True)
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """A Slurm of this file's own."""
    if absent := slurm.missing():
        pytest.skip(
            f"Slurm is not installed here ({', '.join(absent)}): apt-get install slurmctld slurmd slurm-client munge"
        )
    with slurm.running(tmp_path_factory.mktemp("slurm")) as made:
        yield made
