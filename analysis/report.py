"""The report: one self-contained HTML file, and every table and figure in files of their own beside it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mlesearch.analysis import frames
from mlesearch.analysis.data.policies import Policy
from mlesearch.analysis.data.tables import only, read
from mlesearch.analysis.figures import dynamics
from mlesearch.analysis.files import figure_files, paper, stale, table_files
from mlesearch.analysis.files.provenance import made_of
from mlesearch.analysis.page import (
    assumptions_view,
    contrasts_view,
    imported,
    leaders_view,
    measured_view,
    process_view,
    programs,
    robust_view,
    scores,
)
from mlesearch.analysis.page.section import Section
from mlesearch.analysis.page.sections import sections
from mlesearch.analysis.page.titles import title_of
from mlesearch.analysis.results import Results, analyse
from mlesearch.analysis.words import checks, wording
from mlesearch.analysis.words.facts import facts
from mlesearch.storage.file_systems import is_fault
from mlesearch.storage.files import make_folder, write_atomically
from mlesearch.types import ConfigError

TEMPLATES = Path(__file__).parent / "page" / "templates"
TABLES_FOLDER = "report_tables"


Ink = Callable[[Section], str]
"""Gives a section's figure as an `<svg>` element; empty where there is nothing to draw."""


def draw(section: Section) -> str:
    """The figure of a section, drawn now."""
    return "" if section.figure is None else section.figure().svg


def write_report(
    study_dir: Path | str,
    out_path: Path | str | None = None,
    missing: Policy | None = None,
    run_ids: Collection[str] | None = None,
) -> Path:
    """Writes the report of a collected study.

    The same tables give the same bytes. Beside the page lies a folder `report_tables` with every table as CSV.

    Args:
        study_dir: folder with runs.parquet, nodes.parquet, calls.parquet and study.json.
        out_path: the HTML file, or a folder to write report.html into; default: report.html in the study's folder.
        missing: policy for missing runs; None: see `analyse`.
        run_ids: of an interim report, the runs that it is about; None: all of the study.

    Returns:
        The HTML file.

    Raises:
        ConfigError: the tables are absent or refused, or the place cannot be written to.
    """
    folder = Path(study_dir)
    tables = read(folder)
    results = analyse(tables if run_ids is None else only(tables, run_ids), missing)
    return write_results(results, folder, report_place(folder, out_path))


def report_place(study_dir: Path, out_path: Path | str | None = None) -> Path:
    """The HTML file of a study's report.

    Args:
        study_dir: folder of the study.
        out_path: that file, or a folder for it; None: the study's folder.
    """
    target = study_dir / "report.html" if out_path is None else Path(out_path)
    return target if target.suffix.lower() in {".html", ".htm"} else target / "report.html"


def write_results(
    results: Results, study_dir: Path, target: Path, *, figures_too: bool = False, tex_too: bool = False
) -> Path:
    """Writes the report of a study whose numbers are there, and its tables beside it.

    The folder `report_tables` holds every number as CSV, unrounded, and the tables of the page in Markdown and LaTeX.

    Args:
        results: of the study.
        study_dir: its folder, from whose tables they were computed.
        target: the HTML file.
        figures_too: write each figure as SVG and PDF, too, into the folder `report_figures`.
        tex_too: write what a paper needs of it as LaTeX, too, beside the page.

    Returns:
        The same.

    Raises:
        ConfigError: the place cannot be written to.
    """
    curves = dynamics.all_curves(results)
    parts = sections(results, curves)
    page = render(results, parts, study_dir)
    beside = target.parent / TABLES_FOLDER
    files = {beside / f"{name}.csv": text for name, text in csv_files(results, curves).items()}
    files |= {beside / name: text for name, text in printed_tables(parts, simulated=results.tables.simulated).items()}
    try:
        make_folder(beside)
        folders = beside, target.parent / figure_files.FOLDER
        stale.remove(folders, set(files), unfinished=results.progress is not None)
        for path, text in files.items():
            write_atomically(path, text, durable=False)
        write_atomically(target, page, durable=False)
        if figures_too:
            figure_files.write_figures(parts, target.parent / figure_files.FOLDER)
        if tex_too:
            write_atomically(target.parent / paper.NAME, paper.paper(results, study_dir), durable=False)
    except OSError as error:
        if is_fault(error):
            raise
        raise ConfigError(f"the report cannot be written to {target} ({error}); name another place") from None
    return target


def csv_files(results: Results, curves: list[dynamics.Line]) -> dict[str, str]:
    """Every table as CSV, unrounded, by name."""
    return {name: table.to_csv(index=False, lineterminator="\n") for name, table in all_frames(results, curves).items()}


def all_frames(results: Results, curves: list[dynamics.Line] | None = None) -> dict[str, pd.DataFrame]:
    """Every table of the report, unrounded, by name.

    Args:
        results: of the study.
        curves: those of the dynamics, where they are there already.
    """
    curves = dynamics.all_curves(results) if curves is None else curves
    found = frames.frames(results) | programs.frames(results)
    found |= leaders_view.frames(results) | measured_view.frames(results) | process_view.frames(results)
    if results.progress is None:
        found |= assumptions_view.frames(results) | robust_view.frames(results) | contrasts_view.frames(results)
        found |= scores.frames(results) | {"dynamics": dynamics.frame(curves)}
    if results.tables.imported:
        found["imported"] = imported.import_frame(results.tables.imported)
    if results.tables.simulated:
        found = {name: frame.assign(simulated=True)[["simulated", *frame]] for name, frame in found.items()}
    return found


def printed_tables(parts: Sequence[Section], *, simulated: bool) -> dict[str, str]:
    """The tables of the page in Markdown and in LaTeX, by file name."""
    shown = [view for part in parts for view in (*part.tables, *part.folded)]
    found = {f"{view.name}.md": table_files.markdown(view, simulated=simulated) for view in shown}
    return found | {f"{view.name}.tex": table_files.booktabs(view, simulated=simulated) for view in shown}


def render(results: Results, parts: Sequence[Section], study_dir: Path, ink: Ink = draw) -> str:
    """The page as text.

    Args:
        results: of the study.
        parts: its sections.
        study_dir: its folder, from whose tables they were computed.
        ink: gives the figures.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.get_template("report.html.jinja")
    drawn = {part.id: element for part in parts if (element := ink(part))}
    policy = "" if results.progress is not None else results.policy.policy
    stated = made_of(study_dir, policy, drawn, interim=results.tables.planned > 0)
    return template.render(
        name=str(results.tables.study.get("name") or "study"),
        version=str(results.tables.study.get("mlesearch_version") or "unknown"),
        simulated=results.tables.simulated,
        declared=bool(results.claim and results.claim.declared),
        unfinished=bool(results.unfinished),
        title=wording.title(results),
        verdicts=wording.verdicts(results),
        declaration=wording.declaration(results),
        estimand=wording.estimand(results),
        policy=wording.missing_runs(results),
        missing=results.policy.missing,
        warnings=checks.warnings(results),
        sections=parts,
        title_of=title_of,
        figures={name: Markup(element) for name, element in drawn.items()},  # ours, texts escaped by matplotlib
        facts=facts(results),
        made_of=Markup(stated.to_json()),  # digests, and words of ours
        css=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        js=Markup((TEMPLATES / "report.js").read_text(encoding="utf-8")),
        tables_folder=TABLES_FOLDER,
    )
