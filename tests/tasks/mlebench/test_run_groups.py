"""Results as MLE-bench keeps them: groups, lines, names, and what a failure costs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mlesearch.tasks.imported.read import read_results
from mlesearch.tasks.imported.results import SourceHints
from mlesearch.tasks.mlebench.official import OfficialReport
from mlesearch.tasks.mlebench.run_groups import (
    ExportedGroup,
    ExportedRun,
    ReportNames,
    begin_export,
    group_names,
    write_groups,
    write_split,
)
from mlesearch.types import ConfigError, GraderUnavailable

BARE = OfficialReport(
    *("a", 0.15, 0.1, 0.2, 0.3, 0.5, True, False, True, False, True, True, True, True, "2026-01-01T00:00:00", "/host/x")
)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.5
        self.slept: list[float] = []

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def grade(competition: str, submission: Path) -> OfficialReport:
    if competition == "broken":
        raise GraderUnavailable("the grader died twice")
    if not submission.is_file():
        off = {"any_medal": False, "silver_medal": False, "above_median": False, "valid_submission": False}
        return replace(BARE, competition_id=competition, score=None, submission_exists=False, **off)
    return replace(BARE, competition_id=competition, score=float(submission.read_text()))


def run(
    folder: Path, competition: str, score: str | None, expected: tuple[float | None, str] | None = None
) -> ExportedRun:
    if score is None:
        return ExportedRun(competition, None, None)
    path = folder / f"{competition}.csv"
    path.write_text(score)
    (folder / f"{competition}.py").write_text("pass")
    return ExportedRun(competition, path, folder / f"{competition}.py", expected)


def export(to: Path, seeds: Sequence[Sequence[ExportedRun]]) -> tuple[list[ExportedGroup], Clock]:
    clock = Clock()
    begin_export(to)
    return list(write_groups(to, "mine", seeds, grade, ReportNames(clock.time, clock.sleep))), clock


def test_one_group_a_seed_in_the_form_of_mle_bench(tmp_path: Path) -> None:
    to = tmp_path / "out"
    groups, clock = export(to, [[run(tmp_path, "b", "0.15"), run(tmp_path, "a", None)], [run(tmp_path, "a", "0.2")]])
    assert [g.name for g in groups] == ["mine_group1", "mine_group2"]
    lines = [json.loads(line) for line in (to / "runs/mine_group1/submission.jsonl").read_text().splitlines()]
    assert lines == [
        {"competition_id": "a", "submission_path": None, "code_path": None, "logs_path": None},
        {
            "competition_id": "b",
            "submission_path": "runs/mine_group1/b/submission.csv",
            "code_path": "runs/mine_group1/b/solution.py",
            "logs_path": None,
        },
    ]
    assert (to / lines[1]["submission_path"]).read_text() == "0.15"
    (path,) = (to / "runs/mine_group1").glob("*_grading_report.json")
    report = json.loads(path.read_text())
    totals = {key: value for key, value in report.items() if key != "competition_reports"}
    assert totals == {
        "total_runs": 2,
        "total_runs_with_submissions": 1,
        "total_valid_submissions": 1,
        "total_medals": 1,
        "total_gold_medals": 0,
        "total_silver_medals": 1,
        "total_bronze_medals": 0,
        "total_above_median": 1,
    }
    first, second = report["competition_reports"]
    assert (first["competition_id"], first["submission_exists"], first["submission_path"]) == ("a", False, "None")
    assert second["submission_path"] == "runs/mine_group1/b/submission.csv"
    assert (to / "runs/run_group_experiments.csv").read_text() == (
        "experiment_id,run_group\nmine,mine_group1\nmine,mine_group2\n"
    )
    assert clock.slept, "no two reports have the name of one second"
    assert len({p.name for p in (to / "runs").glob("*/*_grading_report.json")}) == 2
    taken = read_results([to / "runs"], SourceHints())
    assert [(r.strategy, r.task, r.seed, r.medal) for r in taken] == [
        *(("mine", "a", 1, "none"), ("mine", "b", 1, "silver"), ("mine", "a", 2, "silver")),
    ]


def test_a_grader_that_fails_costs_its_row_alone(tmp_path: Path) -> None:
    ((group,), _) = export(tmp_path / "out", [[run(tmp_path, "broken", "0.1"), run(tmp_path, "b", "0.1")]])
    assert group.failed == {"broken": "the grader died twice"}
    assert list(group.reports) == ["b"]
    lines = (tmp_path / "out/runs/mine_group1/submission.jsonl").read_text()
    assert "broken/submission.csv" in lines, "its submission is exported all the same"


def test_what_is_graded_otherwise_than_in_the_run_is_said(tmp_path: Path) -> None:
    same = run(tmp_path, "a", "0.15", (0.15, "silver"))
    other = run(tmp_path, "b", "0.15", (0.1, "gold"))
    not_finite = run(tmp_path, "c", "nan", (None, "silver"))
    ((group,), _) = export(tmp_path / "out", [[same, other, not_finite]])
    assert group.differing == ("mine_group1, b: graded now 0.15, medal silver; in the run it was 0.1, medal gold",)


def test_names_sort_as_the_seeds_do() -> None:
    names = group_names("x", 12)
    assert names == sorted(names)
    assert (names[0], names[-1]) == ("x_group01", "x_group12")


def test_a_split_is_a_file_of_ids_and_nothing_is_overwritten(tmp_path: Path) -> None:
    begin_export(tmp_path / "out")
    assert write_split(tmp_path / "out", "mine", ["a", "b"]).read_text() == "a\nb\n"
    with pytest.raises(ConfigError, match=r"--to: .* is not empty; name a folder that is not there yet"):
        begin_export(tmp_path / "out")
