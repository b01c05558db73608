"""Grading reports of MLE-bench, and folders of run groups.

The k-th report of a competition, in the order of the groups, is its k-th seed, as MLE-bench's own aggregation has it.
Source: openai/mle-bench, runs/README.md, experiments/aggregate_grading_reports.py, mlebench/grade_helpers.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mlesearch.tasks.imported.results import (
    NOT_RECORDED,
    ImportedResult,
    SourceHints,
    content_of,
    is_pointer,
    json_of,
    number_of,
    text_of,
)
from mlesearch.types import ConfigError, did_you_mean

REPORTS = "competition_reports"
REPORT_GLOB = "*grading_report*.json"
EXPERIMENTS = "run_group_experiments.csv"
_FLAGS = ("gold_medal", "silver_medal", "bronze_medal", "above_median", "submission_exists", "valid_submission")
_GROUP = re.compile(r"[_-]*(?:run-)?group[_-]*\d*$")
NAMED = 4


def is_report(content: dict[str, Any]) -> bool:
    """Whether a JSON object is a grading report, or the report of one submission."""
    return REPORTS in content or {"competition_id", "gold_medal"} <= content.keys()


def is_runs_folder(folder: Path) -> bool:
    """Whether a folder holds run groups, or is one."""
    if (folder / EXPERIMENTS).is_file():
        return True
    return any(True for _ in folder.glob(REPORT_GLOB)) or any(True for _ in folder.glob(f"*/{REPORT_GLOB}"))


def report_files(folder: Path, experiment: str | None) -> tuple[list[Path], str | None]:
    """The grading reports of a folder of run groups, or of one group.

    Args:
        folder: of groups, with or without run_group_experiments.csv; or of one.
        experiment: which one is wanted.

    Returns:
        One file a group; and the experiment's id, where it is known.

    Raises:
        ConfigError: no such experiment, or several and none is named; a group has no report or several; or pointers.
    """
    groups = (
        [folder] if any(True for _ in folder.glob(REPORT_GLOB)) else sorted(p for p in folder.iterdir() if p.is_dir())
    )
    table = folder / EXPERIMENTS
    if table.is_file():
        groups, experiment = _of_experiment(folder, table, experiment)
    elif experiment is not None:
        raise ConfigError(
            f"--experiment: {folder} has no {EXPERIMENTS} that says which groups belong to {experiment!r}"
        )
    found: list[Path] = []
    for group in groups:
        reports = sorted(p for p in group.glob(REPORT_GLOB) if p.is_file())
        if len(reports) > 1:
            raise ConfigError(f"{group}: {len(reports)} grading reports; a run group has one: name the files instead")
        if not reports and table.is_file():
            raise ConfigError(f"{group}: no grading report in it, though {EXPERIMENTS} names it")
        found += reports
    pointers = [path for path in found if is_pointer(path)]
    if pointers:
        more = f" and {len(pointers) - NAMED} more" if len(pointers) > NAMED else ""
        raise ConfigError(
            f"{folder}: {len(pointers)} of {len(found)} grading reports are Git-LFS pointers "
            f"({', '.join(p.relative_to(folder).as_posix() for p in pointers[:NAMED])}{more}); fetch them with "
            "`git lfs pull` in that repository"
        )
    if not found:
        raise ConfigError(f"{folder}: no grading report in it ({REPORT_GLOB})")
    return found, experiment


def read_reports(files: Iterable[Path], hints: SourceHints) -> list[ImportedResult]:
    """The results of grading reports, the k-th of a competition as seed k.

    Args:
        files: in any order; they are taken in that of their paths.
        hints: the strategy is else the groups' common name.

    Raises:
        ConfigError: a file is no grading report, or it can't be told what strategy it is of.
    """
    ordered = sorted(files, key=str)
    strategy = hints.strategy or _common_name(ordered)
    seen: Counter[str] = Counter()
    found = []
    for path in ordered:
        for report in sorted(_reports(path), key=lambda r: str(r.get("competition_id"))):
            task = text_of(report, "competition_id", path)
            seen[task] += 1
            found.append(_result(report, task, seen[task], path, hints.model or NOT_RECORDED, strategy))
    return found


def _reports(path: Path) -> Sequence[dict[str, Any]]:
    content = json_of(path)
    reports = content.get(REPORTS, [content])
    if not isinstance(reports, list) or not all(isinstance(report, dict) for report in reports):
        raise ConfigError(f"{path}: its {REPORTS!r} are no list of reports")
    return reports


def _result(report: dict[str, Any], task: str, seed: int, path: Path, model: str, strategy: str) -> ImportedResult:
    for name in _FLAGS:
        if not isinstance(report.get(name), bool):
            raise ConfigError(f"{path}: {task}: {name!r} is {report.get(name)!r}; true or false is expected")
    medals = [name for name in ("gold", "silver", "bronze") if report[f"{name}_medal"]]
    if len(medals) > 1:
        raise ConfigError(f"{path}: {task}: it has {' and '.join(medals)}; a report has one medal")
    lower = report.get("is_lower_better")
    return ImportedResult(
        model=model,
        strategy=strategy,
        task=task,
        seed=seed,
        score=number_of(report.get("score"), f"{path}: {task}: 'score'"),
        medal=medals[0] if medals else "none",
        above_median=report["above_median"],
        submitted=report["submission_exists"],
        valid=report["valid_submission"],
        kind="test",
        lower_is_better=lower if isinstance(lower, bool) else None,
        source=path.as_posix(),
    )


def _of_experiment(folder: Path, table: Path, experiment: str | None) -> tuple[list[Path], str]:
    """The groups of one experiment, sorted by name."""
    try:
        lines = [line.strip() for line in content_of(table).decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        raise ConfigError(f"{table}: no UTF-8 text") from None
    rows = [line.split(",", 1) for line in lines if line and not line.startswith("experiment_id")]
    if any(len(row) < 2 for row in rows):
        raise ConfigError(f"{table}: experiment_id,run_group is expected in every line")
    groups: dict[str, list[str]] = {}
    for id, group in rows:
        groups.setdefault(id.strip(), []).append(group.strip())
    if experiment is None and len(groups) == 1:
        (experiment,) = groups
    if experiment not in groups:
        hint = did_you_mean(experiment, groups) if experiment else ""
        asked = f"none is called {experiment!r}{hint}" if experiment else "say which"
        raise ConfigError(f"--experiment: {table} has {len(groups)} experiments, {asked}: {', '.join(sorted(groups))}")
    absent = [name for name in groups[experiment] if not (folder / name).is_dir()]
    if absent:
        raise ConfigError(f"{folder}: no folder of {experiment}'s run group {absent[0]} ({len(absent)} absent)")
    return [folder / name for name in sorted(groups[experiment])], experiment


def _common_name(files: Sequence[Path]) -> str:
    """What the names of the groups have in common, the number of the group left out."""
    names = {_GROUP.sub("", path.absolute().parent.name) for path in files}
    if len(names) == 1 and (name := names.pop()):
        return name
    raise ConfigError(f"--strategy: it can't be told from {files[0]} what these reports are of; name it")
