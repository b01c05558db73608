"""Competitions as tasks through MLE-bench's own package: twelve stand-ins load and pass their preflight."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlesearch.tasks.mlebench.competition import load
from mlesearch.tasks.mlebench.pool import GraderPool
from mlesearch.tasks.mlebench.preflight import check
from mlesearch.tasks.mlebench.terms import MlebenchTerms
from mlesearch.types import Level
from tests.support.mlebench_real import golden, real_python

pytestmark = pytest.mark.mlebench


def test_twelve_stand_ins_load_and_pass_their_preflight(tmp_path: Path) -> None:
    golden(tmp_path)
    data = tmp_path / "data"
    ids = sorted(path.name for path in data.iterdir())
    assert len(ids) == 12
    terms = MlebenchTerms(data_dir=str(data), verify="off")
    with GraderPool(real_python(), data) as graders:
        for id in ids:
            task = load(id, terms, graders)
            assert (task.public_dir / task.contract.split("`input/")[2].partition("`")[0]).is_file(), id
            findings = check(id, terms, graders)
            assert not [f for f in findings if f.level is Level.ERROR], (id, findings)
