"""Whole runs graded by MLE-bench's own package, killed and resumed: by reported scores, and on held-out sets."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from mlesearch.storage.documents import finished_row, read_grades, read_official, read_run
from mlesearch.storage.layout import run_folders
from mlesearch.tasks.mlebench.pool import GraderPool
from mlesearch.testing.openai_stub import OpenAIStub
from tests.support.command import cli, start
from tests.support.competitions import FOUR
from tests.support.journals import events, once_each
from tests.support.mlebench_real import golden, real_python
from tests.support.sample_programs import programs
from tests.support.waiting import until
from tests.support.whole_competitions import complete

pytestmark = pytest.mark.mlebench


@pytest.mark.parametrize("validation", ["reported", "twice"])
def test_four_stand_ins_killed_and_resumed(tmp_path: Path, validation: str) -> None:
    golden(tmp_path)
    data, study = tmp_path / "data", tmp_path / "studies/s"
    complete(data)
    with OpenAIStub(programs()) as stub:
        command = [
            *("run", "model=local", "strategy=greedy", "strategy.review=false", "run.audit=off", "sandbox=local"),
            *(f"model.params.api_base={stub.base_url}", "launcher.n_jobs=1", "budget.steps=3", "study.name=s"),
            *(f"mlebench.data_dir={data}", f"mlebench.python={real_python()}", "mlebench.verify=off"),
            *(f"tasks=[{','.join(f'mlebench:{name}' for name in FOUR)}]", f"mlebench.validation={validation}"),
        ]
        killed = start(tmp_path, *command)
        moment = "submissions/*-full" if validation == "twice" else "official.jsonl"
        assert until(lambda: any(study.glob(f"*/*/*/*/*/{moment}")) and stub.calls >= 4, 240)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert sum(finished_row(folder) is not None for folder in run_folders(study)) < len(FOUR)
        done = cli(tmp_path, *command)
    assert done.returncode == 0, done.stderr
    assert "making" not in done.stderr, "the split is made once"
    once_each(study)
    folders = list(run_folders(study))
    assert len(folders) == len(FOUR)
    with GraderPool(real_python(), data) as fresh:
        for folder in folders:
            row, task = finished_row(folder), read_run(folder)["key"]["task"]
            assert row is not None
            report = fresh.grade(task, folder / "best/submission.csv")
            assert row["valid"], task
            assert row["score"] == report.score, task
            medals = (report.gold_medal, report.silver_medal, report.bronze_medal, report.above_median)
            assert (row["gold"], row["silver"], row["bronze"], row["above_median"]) == medals, task
            assert row["validation"] == ("harness" if validation == "twice" else "reported")
            full = [e["id"] for e in events(folder, "full_run")]
            assert full == ([row["selected"]] if validation == "twice" else [])
            if full:
                assert set(read_grades(folder)) == set(full)
                assert len(read_official(folder)) == 1
