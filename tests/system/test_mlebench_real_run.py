"""A whole run on four stand-ins, graded by MLE-bench's own package: its grades are those of its own command."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlesearch.storage.documents import finished_row, read_run
from mlesearch.storage.layout import run_folders
from mlesearch.tasks.mlebench.pool import GraderPool
from mlesearch.testing.openai_stub import OpenAIStub
from tests.support.command import cli
from tests.support.competitions import FOUR
from tests.support.mlebench_real import golden, real_python
from tests.support.sample_programs import programs

pytestmark = pytest.mark.mlebench


def test_four_stand_ins(tmp_path: Path) -> None:
    golden(tmp_path)
    data = tmp_path / "data"
    with OpenAIStub(programs()) as stub:
        done = cli(
            tmp_path,
            *("run", "model=local", "strategy=greedy", "strategy.review=false", "run.audit=off", "sandbox=local"),
            *(f"model.params.api_base={stub.base_url}", "launcher.n_jobs=1", "budget.steps=3", "study.name=s"),
            *(f"mlebench.data_dir={data}", f"mlebench.python={real_python()}", "mlebench.verify=off"),
            f"tasks=[{','.join(f'mlebench:{name}' for name in FOUR)}]",
        )
    assert done.returncode == 0, done.stderr
    folders = list(run_folders(tmp_path / "studies/s"))
    assert len(folders) == len(FOUR)
    with GraderPool(real_python(), data) as fresh:
        for folder in folders:
            row, task = finished_row(folder), read_run(folder)["key"]["task"]
            assert row is not None
            report = fresh.grade(task, folder / "best/submission.csv")
            assert (row["valid"], row["score"]) == (report.valid_submission, report.score), task
            medals = (report.gold_medal, report.silver_medal, report.bronze_medal, report.above_median)
            assert (row["gold"], row["silver"], row["bronze"], row["above_median"]) == medals, task
