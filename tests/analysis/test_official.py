"""Odd official grades in a report: scores that are none, medals that hang on an order, and whose boards they are by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.analysis.data.tables import Tables, read
from mlesearch.analysis.report import write_report
from mlesearch.analysis.words.official import board_fact, sentences
from tests.support.synthetic_study import synthetic, write


@pytest.fixture
def tables() -> Tables:
    """A study in which one run's score is NaN, one's medal hangs on the order, and one's does not."""
    made = synthetic(name="official")
    runs = made.runs.assign(official_board="table", odd_score=None, aligned_score=None, aligned_medal=None)
    off = ["gold", "silver", "bronze"]
    runs.loc[[0, 1, 2], off] = False
    runs.loc[0, "odd_score"] = "nan"
    runs.loc[0, "official_board"] = "real"
    runs.loc[[1, 2], "aligned_score"] = 0.5
    runs.loc[1, "aligned_medal"] = "gold"
    runs.loc[2, "aligned_medal"] = "none"
    return replace(made, runs=runs)


@pytest.mark.usefixtures("undrawn")
def test_they_are_said_in_the_report(tables: Tables, tmp_path: Path) -> None:
    ids = list(tables.runs["run_id"])
    page = write_report(write(tables, tmp_path)).read_text()
    assert f"1 run with a score of nan, which MLE-bench counts as valid: {ids[0]}." in page
    assert "The submissions of 2 runs score otherwise with rows and columns in the" in page
    assert "Medals that hang on the order: 1." in page
    assert "Boards of MLE-bench" in page
    (fact,) = board_fact(read(tmp_path).runs)
    assert fact[1] == f"MLE-bench's own in 1 run; table of mlesearch in {len(ids) - 1} runs"


def test_where_nothing_is_odd_nothing_is_said() -> None:
    runs = synthetic(name="plain").runs
    assert list(sentences(runs)) == []
    assert board_fact(runs) == ()
    empty = runs.assign(official_board=None, odd_score=None, aligned_score=float("nan"), aligned_medal=None)
    assert list(sentences(empty)) == []
    assert board_fact(empty) == ()
