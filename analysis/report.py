"""The report: one self-contained HTML file, and every table and figure in files of their own beside it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mlesearch.analysis import (
    assumptions_view,
    checks,
    contrasts_view,
    dynamics,
    figure_files,
    figures,
    frames,
    imported,
    leaders_view,
    looks_view,
    lost_cases_view,
    measured_view,
    paper,
    process_view,
    programs,
    progress_view,
    robust_view,
    scores,
    spend_view,
    stale,
    table_files,
    views,
    wording,
)
from mlesearch.analysis.claim import RATES
from mlesearch.analysis.facts import facts
from mlesearch.analysis.looks_words import BIASED
from mlesearch.analysis.lost_runs import made
from mlesearch.analysis.policies import Policy
from mlesearch.analysis.provenance import made_of
from mlesearch.analysis.results import Results, analyse
from mlesearch.analysis.section import Section
from mlesearch.analysis.sections import (
    ablations_section,
    assumptions_section,
    given,
    imported_section,
    scores_section,
)
from mlesearch.analysis.svg import Drawn
from mlesearch.analysis.tables import only, read
from mlesearch.analysis.text import plural
from mlesearch.storage.file_systems import is_fault
from mlesearch.storage.files import make_folder, write_atomically
from mlesearch.types import ConfigError

TEMPLATES = Path(__file__).parent / "templates"
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
    drawn: list[Drawn] = []

    def ink(section: Section) -> str:
        if section.figure is None:
            return ""
        drawn.append(section.figure())
        return drawn[-1].svg

    page = render(results, curves, study_dir, ink)
    beside = target.parent / TABLES_FOLDER
    files = {beside / f"{name}.csv": text for name, text in csv_files(results, curves).items()}
    files |= {beside / name: text for name, text in printed_tables(results, curves).items()}
    try:
        make_folder(beside)
        folders = beside, target.parent / figure_files.FOLDER
        stale.remove(folders, set(files), unfinished=results.progress is not None)
        for path, text in files.items():
            write_atomically(path, text, durable=False)
        write_atomically(target, page, durable=False)
        if figures_too:
            figure_files.write_figures(drawn, target.parent / figure_files.FOLDER)
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


def printed_tables(results: Results, curves: list[dynamics.Line]) -> dict[str, str]:
    """The tables of the page in Markdown and in LaTeX, by file name."""
    shown = [view for part in sections(results, curves) for view in (*part.tables, *part.folded)]
    simulated = results.tables.simulated
    found = {f"{view.name}.md": table_files.markdown(view, simulated=simulated) for view in shown}
    return found | {f"{view.name}.tex": table_files.booktabs(view, simulated=simulated) for view in shown}


def render(results: Results, curves: list[dynamics.Line], study_dir: Path, ink: Ink = draw) -> str:
    """The page as text.

    Args:
        results: of the study.
        curves: of its runs.
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
    parts = sections(results, curves)
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
        figures={name: Markup(element) for name, element in drawn.items()},  # ours, texts escaped by matplotlib
        facts=facts(results),
        made_of=Markup(stated.to_json()),  # digests, and words of ours
        css=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        js=Markup((TEMPLATES / "report.js").read_text(encoding="utf-8")),
        tables_folder=TABLES_FOLDER,
    )


def sections(results: Results, curves: list[dynamics.Line]) -> tuple[Section, ...]:
    """The sections in the order of the page; those with nothing to show are left out."""
    if results.progress is not None:
        lost = views.runs(results, made(results))
        first = Section(
            "progress",
            "Progress",
            text="Counts of what was made so far. Nothing here is estimated or tested.",
            tables=(progress_view.view(results.progress),),
            folded=(lost,) if lost else (),
        )
        found: tuple[Section | None, ...] = (first, *_spending(results))
    else:
        found = (*_findings(results), *_explanations(results, curves))
    return tuple(part for part in found if part is not None)


def _findings(results: Results) -> tuple[Section | None, ...]:
    """Medals, rates, gaps, capability."""
    board = results.board
    rate = RATES[results.outcome]
    tasks = plural(len(board.counts.tasks), "task")
    main = results.main
    lost = views.runs(results)
    gone = bool(board.counts.lost.any())
    gap_section = trend = None
    if main is not None:
        gap_section = Section(
            "gaps",
            "Gaps",
            figure=partial(figures.gap_bars, results),
            caption=(
                f"Gap in the {rate} over {main.baseline.label}, paired by task. Lines: 95 % interval of the test, "
                f"{tasks}. Colour is the sign; hatched: the adjusted test does not reject.{_not_drawn(results)}"
            ),
            tables=given(
                views.gaps(results, [main], "gaps-main"),
                lost_cases_view.view(results.lost_cases, f"{main.treatment.label} − {main.baseline.label}"),
            ),
            folded=given(
                views.gaps(results, results.others, "gaps-others") if results.others else None,
                contrasts_view.baseline_view(results),
            ),
        )
        slopes = views.slopes(results)
        if figures.has_capability(results) or slopes:
            trend = Section(
                "capability",
                "Gap against capability",
                figure=partial(figures.gap_by_capability, results),
                caption=(
                    f"Each dot is a model, its line the 95 % interval of its test, {tasks}; filled where the adjusted "
                    "test rejects. No line is fitted: a fitted line manufactures crossovers. "
                    + (
                        "Bands are the two groups of the crossover verdict, with their gaps and 90 % intervals."
                        if main.crossover is not None and not main.crossover.refused
                        else ""
                    )
                ),
                tables=(slopes,) if slopes else (),
                folded=given(assumptions_view.crossings(results)),
            )
    looked = looks_view.views_of(results.looks)
    return (
        leaders_view.section(results),
        Section("looks", "Looks", BIASED, tables=looked) if looked else None,
        Section("medals", "Medals", tables=(views.medals(results),), folded=(lost,) if lost else ()),
        scores_section(results),
        Section(
            "rates",
            "Rates by model",
            figure=partial(figures.bars, results),
            caption=(
                f"{rate.capitalize()} by model and strategy, weakest model first where an order is known. "
                f"Lines: E2 95 % interval (Wilson at the effective number of trials, n = {tasks})."
                + (" Where runs have no result, lines go from one bound of the rate to the other." if gone else "")
            ),
            folded=given(assumptions_view.rates(results), *robust_view.views(results)),
        ),
        gap_section,
        trend,
        assumptions_section(results),
        ablations_section(results),
        imported_section(results),
    )


def _not_drawn(results: Results) -> str:
    """That not all comparisons are drawn, where that is so."""
    drawn, there = len(figures.drawn_gaps(results)), 1 + len(results.others)
    if drawn == there:
        return ""
    return f" Drawn are {drawn} of {there} comparisons, in the order of the strategies; all are in the tables."


def _explanations(results: Results, curves: list[dynamics.Line]) -> tuple[Section | None, ...]:
    """Dynamics, mechanism, cost, failures."""
    return (
        figures_of_dynamics(results, curves),
        measured_view.section(results),
        Section(
            "mechanism",
            "Mechanism",
            text="Is better reasoning the cause? Two rates that do not look at medals.",
            figure=partial(figures.mechanism, results),
            caption="Mean over tasks of the mean over runs. Lines: ± 1 SEM over tasks; n is in the table.",
            folded=(views.mechanism(results), *process_view.shown(results)),
        ),
        *_spending(results),
    )


def _spending(results: Results) -> tuple[Section | None, ...]:
    """Cost, failures."""
    failed = views.failures(results)
    tried, judged = programs.trial_runs_view(results), programs.judged_bugs_view(results)
    return (
        Section(
            "cost",
            "Cost",
            figure=partial(figures.spending, results),
            caption="Mean per run, by the operator that the model was called for.",
            tables=(views.cost(results), *filter(None, [spend_view.by_strategy(results)])),
            folded=given(views.operators(results), spend_view.by_model(results), contrasts_view.front_view(results)),
        ),
        Section(
            "failures",
            "Failures",
            figure=partial(figures.failures, results),
            caption="Share of program proposals that did not yield a valid score, by kind.",
            tables=(failed, tried) if tried else (failed,),
            folded=(judged,) if judged else (),
        )
        if failed
        else None,
    )


def figures_of_dynamics(results: Results, curves: list[dynamics.Line]) -> Section | None:
    """The section on dynamics, where any program was valid."""
    if not curves:
        return None
    band = " Bands: ± 1 SEM over tasks." if curves[0].curve.tasks >= dynamics.BAND_TASKS else ""
    return Section(
        "dynamics",
        "Dynamics",
        figure=partial(dynamics.draw, results, curves),
        caption=(
            "The best program so far by validation, seen through its test result, which no strategy ever sees. "
            "Standing is the rank of its test score among all valid programs on the task in this study (100 the best); "
            "a run without a valid program stands at 0, a run that ended keeps its last value; runs without a result "
            f"are left out. Mean over tasks of the mean over seeds.{band}"
        ),
    )
