"""A launch that limits what a study may cost, while workers of an earlier one are at work that count nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.cli.main import main
from mlesearch.storage.worker_files import new_worker_id, this_worker, write_worker

WORDS = ("model=sim_02", "strategy=random", "tasks=[rentals]", "budget.steps=1", "sandbox=local")


def launch(folder: Path, *words: str) -> int:
    return main(["run", *WORDS, f"study.dir={folder}", *words])


@pytest.mark.parametrize("limit", ["budget.study_usd=5", "budget.cell_usd=5"])
def test_it_is_refused_until_they_have_ended(tmp_path: Path, limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    study = tmp_path / "study"
    assert launch(study, "seeds=[0]") == 0
    worker = this_worker(new_worker_id(), 1)
    write_worker(study, worker)
    files = sorted(study.rglob("*"))
    assert launch(study, "seeds=[0,1]", limit) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"1 worker at work on {study} began without a limit, so nobody counts what it spends; stop it" in said
    assert sorted(study.rglob("*")) == files
    assert not (study / "budget.json").exists()
    write_worker(study, replace(worker, activity="ended"))
    assert launch(study, "seeds=[0,1]", limit) == 0


def test_workers_that_count_are_no_reason(tmp_path: Path) -> None:
    study = tmp_path / "study"
    assert launch(study, "seeds=[0]", "budget.study_usd=5") == 0
    write_worker(study, this_worker(new_worker_id(), 1))
    assert launch(study, "seeds=[0,1]", "budget.study_usd=6") == 0
