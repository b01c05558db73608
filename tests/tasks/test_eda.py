"""Findings about tables: what they say, that they are bounded and repeatable, and that they never see an answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from mlesearch.cli.main import main
from mlesearch.tasks import eda, folder
from mlesearch.types import ConfigError
from tests.support.task_maker import make_task, write_csv


@pytest.fixture
def drifted(tmp_path: Path) -> Path:
    """A task whose test rows differ: `x` by two standard deviations, `c` in a value, `m` in what is missing."""
    root = make_task(tmp_path / "drifted", metric="accuracy", direction="maximize", board=[0.9, 0.8, 0.7, 0.6])
    rng = np.random.default_rng(0)
    rows = [
        f"{i},{rng.normal():.4f},{'ab'[i % 2]},{rng.normal():.3f},{' '.join(['word'] * (7 + i % 5))},{i % 4 == 0:d}"
        for i in range(200)
    ]
    write_csv(root / "public" / "train.csv", "id,x,c,m,text,y", rows)
    rows = [f"{i},{2 + rng.normal():.4f},{'cab'[min(2, i % 4)]},,{' '.join(['word'] * 8)}" for i in range(200, 400)]
    write_csv(root / "public" / "test.csv", "id,x,c,m,text", rows)
    return root


def test_target_drift_texts_and_rows(drifted: Path) -> None:
    lines = eda.describe(folder.load(drifted)).splitlines()
    assert lines[0] == "Target y, share of each value: 0 75.0%, 1 25.0%."
    drift = lines[lines.index("Drift from train to test, largest first:") + 1 :]
    assert drift[0].startswith("- x: its mean in test is +2.")
    assert "- m: 0.0% missing in train, 100.0% in test" in drift
    assert "- c: 25.0% of its values would have to change for equal shares" in drift
    assert "- c: 25.0% of the rows in test have a value that train does not have" in drift
    assert any(line.startswith("Text text, words a row: median 9, 95 % at most 11, longest 11") for line in lines)
    assert lines[-3].startswith("- id=0, x=")


def test_a_numeric_target_is_described_by_quantiles() -> None:
    text = eda.describe(folder.load("rentals"))
    assert text.startswith("Target rent, quantiles at 0%, 1%, 5%, 25%, 50%, 75%, 95%, 99%, 100%: 116.8, ")
    assert "no column differs noticeably" in text
    assert len(text) <= folder.EDA_CHARS


@pytest.mark.parametrize("name", folder.names())
def test_no_answer_is_read_and_equal_files_give_equal_texts(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    shutil.copytree(folder.locate(name), root)
    task = folder.load(root)
    shutil.rmtree(task.private_dir)
    text = eda.describe(task)
    assert text == eda.describe(folder.load(name))
    assert 0 < len(text) <= folder.EDA_CHARS
    assert str(tmp_path) not in text


def test_a_long_text_loses_whole_lines_at_its_end(drifted: Path) -> None:
    task = folder.load(drifted)
    whole = eda.describe(task).splitlines()
    cut = eda.describe(task, 300).splitlines()
    assert len("\n".join(cut)) <= 300
    assert cut == whole[: len(cut)]
    assert 1 < len(cut) < len(whole)


def test_a_task_without_a_table_says_what_to_do(tmp_path: Path) -> None:
    root = make_task(tmp_path)
    (root / "public" / "train.csv").unlink()
    with pytest.raises(ConfigError, match=r"train.csv: not there; .* write eda.md by hand"):
        eda.describe(folder.load(root))


def test_the_command_prints_what_a_task_folder_then_holds(drifted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "eda", str(drifted)]) == 0
    text = capsys.readouterr().out
    before = folder.load(drifted).version
    (drifted / "eda.md").write_text(text)
    task = folder.load(drifted)
    assert task.eda == text.strip()
    assert task.version != before
    assert eda.describe(task) == task.eda
