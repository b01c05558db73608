"""A study's tables and its report."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from mlesearch.cli.terminal import shown

if TYPE_CHECKING:
    from mlesearch.analysis.data.policies import Policy


def write_report(
    folder: Path,
    out: Path | None,
    run_ids: Collection[str] | None = None,
    missing: Policy | None = None,
    *,
    figures: bool = False,
    tex: bool = False,
) -> str:
    """Write a study's tables and its report; of an unfinished study, how far it is.

    Args:
        folder: of the study.
        out: where the report goes; None: into the study's folder.
        run_ids: of an interim report, the runs that it is about; None: all of the study.
        missing: policy for missing runs; None: see `mlesearch.analysis.results.analyse`.
        figures: write each figure as SVG and PDF, too.
        tex: write claims, methods and a checklist as LaTeX, too.

    Returns:
        The medal table, and where the report is.
    """
    from mlesearch.analysis.data.tables import only, read
    from mlesearch.analysis.report import report_place, write_results
    from mlesearch.analysis.results import analyse
    from mlesearch.analysis.terminal import medal_table
    from mlesearch.study.tables.collect import collect_for_report

    page = report_place(folder, out)
    tables = read(collected := collect_for_report(folder, page))
    results = analyse(tables if run_ids is None else only(tables, run_ids), missing)
    path = write_results(results, collected, page, figures_too=figures, tex_too=tex)
    return f"{medal_table(results)}\nreport: {shown(path)}"


def import_for_report() -> None:
    """Import what a report needs, in a process that waits for runs: some two seconds of a processor for each launch.

    What can't be imported is left to the report, which says so.
    """
    with contextlib.suppress(Exception):
        import pyarrow.dataset  # noqa: F401

        from mlesearch.analysis import report, results, terminal  # noqa: F401
        from mlesearch.analysis.figures.svg import import_drawing
        from mlesearch.study.tables import collect  # noqa: F401

        import_drawing()


def report_of_now(folder: Path) -> Path | None:
    """A study's report, where it is of the study as it stands: nothing of it would change if it were made again."""
    from mlesearch.analysis.report import report_place
    from mlesearch.study.tables.collected import RECORD, look, read_record

    page, record = report_place(folder, None), folder / RECORD
    known = read_record(folder)
    if known is None or not page.exists() or not known.made_from(look(folder)):
        return None
    return page if page.stat().st_mtime_ns >= record.stat().st_mtime_ns else None
