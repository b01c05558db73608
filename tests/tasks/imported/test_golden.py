"""The 145 reports that MLE-bench's own package gave of submissions to stand-ins: read, and held against the table."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest

from mlesearch.tasks.imported.read import read_results
from mlesearch.tasks.imported.recheck import rechecked
from mlesearch.tasks.imported.results import SourceHints
from tests.support.mlebench_real import GOLDEN


def test_every_medal_of_the_real_package_is_that_of_its_score(tmp_path: Path) -> None:
    if not GOLDEN.is_file():
        pytest.skip(f"{GOLDEN} is not here")
    with zipfile.ZipFile(GOLDEN) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("reports.csv").decode())))
    reports = [
        {
            "competition_id": row["competition"],
            "score": float(row["score"]) if row["score"] else None,
            **{f"{name}_medal": row[name] == "True" for name in ("gold", "silver", "bronze")},
            "above_median": row["above_median"] == "True",
            "submission_exists": row["exists"] == "True",
            "valid_submission": row["valid"] == "True",
        }
        for row in rows
        if not row["crash"]
    ]
    assert len(rows) == 145
    folder = tmp_path / "golden_group1"
    folder.mkdir()
    (folder / "grading_report.json").write_text(json.dumps({"competition_reports": reports}))
    found, mismatches = rechecked(read_results([tmp_path], SourceHints()))
    assert mismatches == []
    assert len(found) == len(reports) > 100
    medals = {name: sum(r.medal == name for r in found) for name in ("gold", "silver", "bronze")}
    assert medals == {name: sum(row[name] == "True" for row in rows) for name in medals}
    assert sum(medals.values()) > 20
    wrong = {**reports[0], "gold_medal": True, "valid_submission": True, "score": 1e9}
    (folder / "grading_report.json").write_text(json.dumps({"competition_reports": [wrong]}))
    assert len(rechecked(read_results([tmp_path], SourceHints()))[1]) == 1
