"""The twins of the shipped tasks, whose programs report their own score."""

from pathlib import Path

import pandas as pd
import pytest

from mlesearch.experiments import make_mini_tasks
from mlesearch.tasks import folder
from mlesearch.tasks.check import check
from mlesearch.tasks.protocol import Validation


@pytest.mark.parametrize("name", list(make_mini_tasks.MAKERS))
def test_a_twin_passes_the_preflight_with_the_same_test_rows_and_board(name: str, tmp_path: Path) -> None:
    twin = folder.load(make_mini_tasks.write(name, tmp_path, reported=True))
    task = folder.load(name)
    assert check(twin.public_dir.parent) == []
    assert (twin.id, twin.suite, twin.validation) == (f"{name}_reported", "mini_reported", Validation.REPORTED)
    for path in ("public/test.csv", "private/test.csv", "leaderboard.csv"):
        assert (tmp_path / twin.id / path).read_bytes() == (folder.MINI / name / path).read_bytes()
    assert not (twin.public_dir / "validation.csv").exists()
    rows = [len(pd.read_csv(task.public_dir / f"{split}.csv")) for split in ("train", "validation")]
    assert len(pd.read_csv(twin.public_dir / "train.csv")) == sum(rows)


def test_twins_of_tasks_that_are_split_by_time_or_group_name_their_own_split(tmp_path: Path) -> None:
    named = {
        name: folder.load(make_mini_tasks.write(name, tmp_path, reported=True)).reported_split
        for name in ("demand", "strides", "wear")
    }
    assert named["demand"].startswith("rows of day 91 and later are held out")
    assert "`person`" in named["strides"]
    assert not named["wear"]
