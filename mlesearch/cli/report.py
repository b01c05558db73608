"""A study's tables and its report."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mlesearch.cli.terminal import shown


def write_report(folder: Path, out: Path | None, run_ids: Collection[str] | None = None) -> str:
    """Write a study's tables and its report.

    Args:
        folder: of the study.
        out: where the report goes; None: into the study's folder.
        run_ids: of an interim report, the runs that it is about; None: all of the study.

    Returns:
        The medal table, and where the report is.
    """
    from mlesearch.analysis.report import write_report as write
    from mlesearch.analysis.tables import only, read
    from mlesearch.analysis.terminal import medal_table
    from mlesearch.study.collect import collect

    collect(folder)
    path = write(folder, out, run_ids=run_ids)
    tables = read(folder)
    return f"{medal_table(tables if run_ids is None else only(tables, run_ids))}\nreport: {shown(path)}"
