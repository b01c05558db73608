"""A study's tables and its report."""

from __future__ import annotations

from pathlib import Path

from mlesearch.cli.terminal import shown


def write_report(folder: Path, out: Path | None) -> str:
    """Write a study's tables and its report.

    Args:
        folder: of the study.
        out: where the report goes; None: into the study's folder.

    Returns:
        The medal table, and where the report is.
    """
    from mlesearch.analysis.report import write_report as write
    from mlesearch.analysis.tables import read
    from mlesearch.analysis.terminal import medal_table
    from mlesearch.study.collect import collect

    collect(folder)
    path = write(folder, out)
    return f"{medal_table(read(folder))}\nreport: {shown(path)}"
