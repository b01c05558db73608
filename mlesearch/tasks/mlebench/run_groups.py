"""Results as MLE-bench keeps them: one run group a seed, its submissions, and one grading report.

<folder>/runs/<group>/submission.jsonl                 one line a competition; null where there is no submission
<folder>/runs/<group>/<competition>/submission.csv     and solution.py, the program that wrote it
<folder>/runs/<group>/<time>_grading_report.json       by the package, in its form
<folder>/runs/run_group_experiments.csv                which groups belong to an experiment
<folder>/splits/<experiment>.txt                       the competitions, for the package's own aggregation

Source: openai/mle-bench, runs/README.md, the section on submissions of its README, experiments/.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlesearch.tasks.mlebench.official import OfficialReport
from mlesearch.types import ConfigError, MlesearchError

RUNS, SPLITS = "runs", "splits"
EXPERIMENTS = "run_group_experiments.csv"
EXPERIMENT_COLUMNS = "experiment_id,run_group"
SUBMISSIONS = "submission.jsonl"
REPORT_NAME = "%Y-%m-%dT%H-%M-%S-GMT_grading_report.json"
"""By UTC; its resolution is a second."""

GradeSubmission = Callable[[str, Path], OfficialReport]
"""Has MLE-bench grade a file, or a name at which there is none, for a competition."""


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """One run on one competition.

    Attributes:
        competition: its id.
        submission: the file that counts; None where the run has none.
        program: that wrote it; likewise.
        expected: score and medal that the run was graded with, to be held against the new report; None: not known.
    """

    competition: str
    submission: Path | None
    program: Path | None
    expected: tuple[float | None, str] | None = None


@dataclass(frozen=True, slots=True)
class ExportedGroup:
    """A run group as it was written.

    Attributes:
        name: of its folder.
        reports: of the package, by competition.
        failed: why a competition has no report, by competition.
        differing: what is graded otherwise than in the run, one line each.
    """

    name: str
    reports: Mapping[str, OfficialReport]
    failed: Mapping[str, str]
    differing: tuple[str, ...]


class ReportNames:
    """Names for grading reports, no two of one second: their resolution is one."""

    def __init__(self, now: Callable[[], float] = time.time, sleep: Callable[[float], None] = time.sleep) -> None:
        """No report has a name yet.

        Args:
            now: seconds since 1970.
            sleep: waits for some seconds.
        """
        self._now, self._sleep = now, sleep
        self._last: int | None = None

    def next(self) -> str:
        """The name for a report of now; waits until the second of the last one is over."""
        while self._last is not None and int(self._now()) <= self._last:
            self._sleep(max(0.01, self._last + 1 - self._now()))
        self._last = int(self._now())
        return time.strftime(REPORT_NAME, time.gmtime(self._last))


def group_names(experiment: str, groups: int) -> list[str]:
    """Names of the run groups of an experiment, whose order by name is that of the seeds."""
    digits = len(str(groups))
    return [f"{experiment}_group{k:0{digits}}" for k in range(1, groups + 1)]


def write_groups(
    folder: Path,
    experiment: str,
    seeds: Sequence[Sequence[ExportedRun]],
    grade: GradeSubmission,
    names: ReportNames,
) -> Iterator[ExportedGroup]:
    """Write the run groups of one experiment, and have each submission graded by itself.

    A submission that can't be graded costs its own row: it is left out of the report, and named.

    Args:
        folder: made for the export.
        experiment: its id, a folder's name.
        seeds: the runs of each seed.
        grade: by MLE-bench.
        names: of reports, shared by all experiments of an export.

    Yields:
        Each group, once its report is written.
    """
    runs = folder / RUNS
    for name, group in zip(group_names(experiment, len(seeds)), seeds, strict=True):
        (runs / name).mkdir(parents=True)
        with (runs / EXPERIMENTS).open("a", encoding="utf-8") as file:
            file.write(f"{experiment},{name}\n")
        yield _write_group(folder, name, sorted(group, key=lambda run: run.competition), grade, names)


def begin_export(folder: Path) -> None:
    """Make the folder of an export.

    Raises:
        ConfigError: something is there already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"--to: {folder} is not empty; name a folder that is not there yet")
    (folder / RUNS).mkdir(parents=True)
    (folder / SPLITS).mkdir()
    (folder / RUNS / EXPERIMENTS).write_text(f"{EXPERIMENT_COLUMNS}\n", encoding="utf-8")


def write_split(folder: Path, experiment: str, competitions: Sequence[str]) -> Path:
    """The competitions of an experiment as a split of the package: one id a line."""
    path = folder / SPLITS / f"{experiment}.txt"
    path.write_text("".join(f"{id}\n" for id in competitions), encoding="utf-8")
    return path


def grading_report(reports: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Reports of single submissions as one grading report, field for field as MLE-bench writes it."""

    def total(*fields: str) -> int:
        return sum(bool(report[field]) for report in reports for field in fields)

    return {
        "total_runs": len(reports),
        "total_runs_with_submissions": total("submission_exists"),
        "total_valid_submissions": total("valid_submission"),
        "total_medals": total("gold_medal", "silver_medal", "bronze_medal"),
        "total_gold_medals": total("gold_medal"),
        "total_silver_medals": total("silver_medal"),
        "total_bronze_medals": total("bronze_medal"),
        "total_above_median": total("above_median"),
        "competition_reports": list(reports),
    }


def medal_of(report: OfficialReport) -> str:
    """The medal of a report: gold, silver, bronze or none."""
    won = {"gold": report.gold_medal, "silver": report.silver_medal, "bronze": report.bronze_medal}
    return next((name for name, has in won.items() if has), "none")


def _write_group(
    folder: Path, name: str, runs: Sequence[ExportedRun], grade: GradeSubmission, names: ReportNames
) -> ExportedGroup:
    place = folder / RUNS / name
    reports: dict[str, OfficialReport] = {}
    failed: dict[str, str] = {}
    differing: list[str] = []
    rows, lines = [], []
    for run in runs:
        files = {key: _copied(path, place / run.competition / target) for key, path, target in _files(run)}
        shown = {key: None if path is None else path.relative_to(folder).as_posix() for key, path in files.items()}
        submission = files["submission_path"]
        lines.append({"competition_id": run.competition, **shown, "logs_path": None})
        try:
            report = grade(run.competition, submission or place / run.competition / "submission.csv")
        except MlesearchError as error:
            failed[run.competition] = str(error)
            continue
        reports[run.competition] = report
        rows.append({**report.official(), "submission_path": str(shown["submission_path"])})
        found = (report.score, medal_of(report))
        if run.expected is not None and not _same(found, run.expected):
            differing.append(
                f"{name}, {run.competition}: graded now {_words(found)}; in the run it was {_words(run.expected)}"
            )
    (place / SUBMISSIONS).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    text = json.dumps(grading_report(rows), indent=2)
    (place / names.next()).write_text(text, encoding="utf-8")
    return ExportedGroup(name, reports, failed, tuple(differing))


def _files(run: ExportedRun) -> tuple[tuple[str, Path | None, str], ...]:
    return ("submission_path", run.submission, "submission.csv"), ("code_path", run.program, "solution.py")


def _copied(source: Path | None, target: Path) -> Path | None:
    if source is None:
        return None
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
    return target


def _same(found: tuple[float | None, str], expected: tuple[float | None, str]) -> bool:
    """Equal; a score that is not finite stands in no table, and so equals none."""
    score = found[0]
    finite = score if score is not None and abs(score) < float("inf") else None
    return (finite, found[1]) == expected


def _words(graded: tuple[float | None, str]) -> str:
    return f"{'no score' if graded[0] is None else f'{graded[0]:g}'}, medal {graded[1]}"
