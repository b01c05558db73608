"""Through MLE-bench's own package: every report that was recorded, and what is known to break."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mlesearch.tasks.leaderboard import mlebench_thresholds
from mlesearch.tasks.mlebench import facts
from mlesearch.tasks.mlebench.official import TABLE_BOARD, OfficialReport
from mlesearch.tasks.mlebench.pool import GraderPool
from mlesearch.tasks.mlebench.selftest import CASES, wrong_grades
from mlesearch.types import Direction
from tests.support.command import alive
from tests.support.mlebench_real import golden, real_python

pytestmark = pytest.mark.mlebench
REPORTS = 145


def recorded(report: OfficialReport) -> tuple[str, ...]:
    """What is recorded of a report; of one that ends the package's batch, that."""
    if report.ends_batch:
        return ("",) * 7 + (report.ends_batch,)
    flags = (report.valid_submission, report.submission_exists, report.gold_medal, report.silver_medal)
    flags += (report.bronze_medal, report.above_median)
    return ("" if report.score is None else repr(report.score), *map(str, flags), "")


def test_every_recorded_report(tmp_path):
    rows = golden(tmp_path)
    assert len(rows) == REPORTS
    columns = ("score", "valid", "exists", "gold", "silver", "bronze", "above_median", "crash")
    wrong, with_reason = [], 0
    with GraderPool(real_python(), tmp_path / "data") as pool:
        assert pool.hello().pins_met
        for row in rows:
            path = tmp_path / "submissions" / row["competition"] / row["variant"]
            report = pool.grade(row["competition"], path)
            with_reason += bool(report.reason)
            assert bool(report.reason) == (not report.valid_submission)
            expected = tuple(repr(float(row[c])) if c == "score" and row[c] else row[c] for c in columns)
            if recorded(report) != expected:
                wrong.append((row["competition"], row["variant"], expected, recorded(report), report.reason))
    assert wrong == []
    assert with_reason > 50


def test_competitions_and_table_agree(tmp_path):
    with GraderPool(real_python(), tmp_path) as pool:
        known = pool.hello().competitions
        assert set(known) == set(facts.table())
        for name in known:
            found, table = pool.describe(name), facts.facts(name)
            prepared = tmp_path / name / "prepared"
            assert found.answers == prepared / table.answers
            assert found.sample_submission == prepared / table.sample
            assert (found.gold_submission or found.answers) == prepared / table.gold
            assert found.direction in (None, table.direction)
            assert not found.prepared


def test_the_three_submissions_that_other_releases_get_wrong():
    assert list(wrong_grades(real_python())) == []
    assert len(CASES) == 3


def test_boards_of_the_table_give_the_packages_own_rules_the_tables_thresholds(tmp_path):
    """A board is made of our thresholds where the package's is a pointer: its rules must find them again, in all 82."""
    with GraderPool(real_python(), tmp_path / "data") as pool:
        for name, table in facts.table().items():
            answers = tmp_path / "data" / name / "prepared" / table.answers
            answers.parent.mkdir(parents=True)
            answers.write_text("id\n")
            report = pool.grade(name, tmp_path / "absent.csv", aligned=False)
            assert report.is_lower_better == (table.direction is Direction.MINIMIZE), name
            if report.board == TABLE_BOARD:  # to the last bit
                told = (report.gold_threshold, report.silver_threshold, report.bronze_threshold)
                limits, _ = mlebench_thresholds(name)
                assert (*told, report.median_threshold) == (limits.gold, limits.silver, limits.bronze, limits.median), (
                    name
                )


def test_nothing_of_it_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with GraderPool(real_python(), tmp_path) as pool:
        pool.hello()
        assert alive(tmp_path)
    assert alive(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_the_interpreter_does_not_have_us():
    words = [str(real_python()), "-I", "-c", "import mlesearch"]
    done = subprocess.run(words, capture_output=True, check=False, cwd=Path("/"), env={"PATH": os.environ["PATH"]})
    assert b"No module named 'mlesearch'" in done.stderr
