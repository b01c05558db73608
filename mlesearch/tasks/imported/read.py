"""Files of others' results by what is in them: each kind goes to its reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mlesearch.tasks.imported.reports import is_report, is_runs_folder, read_reports, report_files
from mlesearch.tasks.imported.results import ImportedResult, SourceHints, json_of
from mlesearch.tasks.imported.summaries import (
    AIDE_JOURNAL,
    SUMMARY,
    is_aide_journal,
    is_fml_summary,
    read_summaries,
)
from mlesearch.tasks.imported.table import read_table
from mlesearch.types import ConfigError

FORMATS = (
    "a grading report or a folder of run groups of MLE-bench, a CSV with task, seed and score or medal, summary.json "
    "of FML-bench, or journal.json of AIDE"
)


def read_results(paths: Sequence[Path], hints: SourceHints) -> list[ImportedResult]:
    """All results of files and folders; grading reports are taken together, and so are summaries.

    Args:
        paths: files and folders.
        hints: what they do not say themselves.

    Raises:
        ConfigError: one is of no known format, a Git-LFS pointer, damaged, or not there.
    """
    reports: list[Path] = []
    summaries: list[Path] = []
    found: list[ImportedResult] = []
    for path in paths:
        if path.is_dir():
            if is_runs_folder(path):
                files, experiment = report_files(path, hints.experiment)
                if experiment is not None and hints.strategy is None:
                    hints = replace(hints, strategy=experiment)
                reports += files
            else:
                summaries += _in_folder(path)
        elif path.suffix.lower() == ".csv":
            found += read_table(path, hints)
        else:
            content = json_of(path)
            if is_report(content):
                reports.append(path)
            elif is_fml_summary(content) or is_aide_journal(content):
                summaries.append(path)
            else:
                raise ConfigError(f"{path}: no results that are known; expected {FORMATS}")
    if reports:
        found += read_reports(dict.fromkeys(reports), hints)
    if summaries:
        found += read_summaries(dict.fromkeys(summaries), hints)
    return found


def _in_folder(folder: Path) -> list[Path]:
    found = sorted([*folder.rglob(SUMMARY), *folder.rglob(AIDE_JOURNAL)])
    if not found:
        raise ConfigError(f"{folder}: no results in it; expected {FORMATS}")
    return found
