"""The report: one self-contained HTML file, and every table beside it as CSV."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mlesearch.analysis import (
    checks_view,
    dynamics,
    figures,
    frames,
    imported,
    lint,
    official,
    programs,
    robust_view,
    scores,
    spend_view,
    unranked,
    views,
    wording,
)
from mlesearch.analysis.claim import RATES
from mlesearch.analysis.figures import Drawn
from mlesearch.analysis.results import Results, analyse
from mlesearch.analysis.tables import Policy, only, read
from mlesearch.analysis.text import plural
from mlesearch.storage.file_systems import is_fault
from mlesearch.storage.files import make_folder, write_atomically
from mlesearch.types import ConfigError

TEMPLATES = Path(__file__).parent / "templates"
TABLES_FOLDER = "report_tables"


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the page.

    Attributes:
        id: anchor.
        title: heading.
        text: a paragraph before the figure.
        figure: an `<svg>`, or empty.
        caption: of the figure.
        tables: shown below it.
        folded: tables that open on demand.
    """

    id: str
    title: str
    text: str = ""
    figure: Markup | None = None
    caption: str = ""
    tables: tuple[views.View, ...] = ()
    folded: tuple[views.View, ...] = ()


def write_report(
    study_dir: Path | str,
    out_path: Path | str | None = None,
    missing: Policy = "fail",
    run_ids: Collection[str] | None = None,
) -> Path:
    """Writes the report of a collected study.

    The same tables give the same bytes. Beside the page lies a folder `report_tables` with every table as CSV.

    Args:
        study_dir: folder with runs.parquet, nodes.parquet, calls.parquet and study.json.
        out_path: the HTML file, or a folder to write report.html into; default: report.html in the study's folder.
        missing: policy for missing runs.
        run_ids: of an interim report, the runs that it is about; None: all of the study.

    Returns:
        The HTML file.

    Raises:
        ConfigError: the tables are absent or refused, or the place cannot be written to.
    """
    folder = Path(study_dir)
    tables = read(folder)
    results = analyse(tables if run_ids is None else only(tables, run_ids), missing)
    return write_results(results, report_place(folder, out_path))


def report_place(study_dir: Path, out_path: Path | str | None = None) -> Path:
    """The HTML file of a study's report.

    Args:
        study_dir: folder of the study.
        out_path: that file, or a folder for it; None: the study's folder.
    """
    target = study_dir / "report.html" if out_path is None else Path(out_path)
    return target if target.suffix.lower() in {".html", ".htm"} else target / "report.html"


def write_results(results: Results, target: Path) -> Path:
    """Writes the report of a study whose numbers are there, and its tables beside it.

    Args:
        results: of the study.
        target: the HTML file.

    Returns:
        The same.

    Raises:
        ConfigError: the place cannot be written to.
    """
    curves = dynamics.all_curves(results)
    page = render(results, curves)
    csv = frames.frames(results) | programs.frames(results) | scores.frames(results) | checks_view.frames(results)
    csv |= robust_view.frames(results)
    csv["dynamics"] = dynamics.frame(curves)
    if results.tables.imported:
        csv["imported"] = imported.import_frame(results.tables.imported)
    try:
        beside = target.parent / TABLES_FOLDER
        make_folder(beside)
        for name, frame in csv.items():
            stamped = frame.assign(simulated=True)[["simulated", *frame]] if results.tables.simulated else frame
            text = stamped.to_csv(index=False, lineterminator="\n")
            write_atomically(beside / f"{name}.csv", text, durable=False)
        write_atomically(target, page, durable=False)
    except OSError as error:
        if is_fault(error):
            raise
        raise ConfigError(f"the report cannot be written to {target} ({error}); name another place") from None
    return target


def render(results: Results, curves: list[dynamics.Line]) -> str:
    """The page as text."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.get_template("report.html.jinja")
    return template.render(
        name=str(results.tables.study.get("name") or "study"),
        version=str(results.tables.study.get("mlesearch_version") or "unknown"),
        simulated=results.tables.simulated,
        declared=bool(results.claim and results.claim.declared),
        title=wording.title(results),
        verdicts=wording.verdicts(results),
        declaration=wording.declaration(results),
        estimand=wording.estimand(results),
        policy=results.policy.words,
        missing=results.policy.missing,
        warnings=lint.warnings(results),
        sections=sections(results, curves),
        facts=facts(results),
        css=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        js=Markup((TEMPLATES / "report.js").read_text(encoding="utf-8")),
        tables_folder=TABLES_FOLDER,
    )


def _ink(drawn: Drawn) -> Markup:
    return Markup(drawn.svg)  # our own SVG, its text escaped by matplotlib


def sections(results: Results, curves: list[dynamics.Line]) -> tuple[Section, ...]:
    """The sections in the order of the page; those with nothing to show are left out."""
    return tuple(part for part in (*_findings(results), *_explanations(results, curves)) if part is not None)


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
            figure=_ink(figures.gap_bars(results)),
            caption=(
                f"Gap in the {rate} over {main.baseline.label}, paired by task. Lines: 95 % interval of the test, "
                f"{tasks}. Colour is the sign, hatching is the adjusted test: a hatched bar is not distinguishable "
                "from zero."
            ),
            tables=(views.gaps(results, [main], "gaps-main"),),
            folded=(views.gaps(results, results.others, "gaps-others"),) if results.others else (),
        )
        slopes = views.slopes(results)
        drawn = figures.gap_by_capability(results)
        if drawn.svg or slopes:
            trend = Section(
                "capability",
                "Gap against capability",
                figure=_ink(drawn),
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
                folded=tuple(filter(None, [checks_view.crossings(results)])),
            )
    return (
        Section("medals", "Medals", tables=(views.medals(results),), folded=(lost,) if lost else ()),
        _scores(results),
        Section(
            "rates",
            "Rates by model",
            figure=_ink(figures.bars(results)),
            caption=(
                f"{rate.capitalize()} by model and strategy, weakest model first where an order is known. "
                f"Lines: E2 95 % interval (Wilson at the effective number of trials, n = {tasks})."
                + (" Where runs have no result, lines go from one bound of the rate to the other." if gone else "")
            ),
            folded=(*filter(None, [checks_view.rates(results)]), *robust_view.views(results)),
        ),
        gap_section,
        trend,
        _checks(results),
        _imported(results),
    )


def _checks(results: Results) -> Section | None:
    """What the claim's verdicts depend on."""
    hanging, gaps = checks_view.left_out(results), checks_view.gaps(results)
    if hanging is None and gaps is None:
        return None
    return Section(
        "checks",
        "What the verdicts depend on",
        text="Verdicts with tasks clustered by category, with one task or model left out, and where gaps are skewed.",
        tables=(hanging,) if hanging else (),
        folded=(gaps,) if gaps else (),
    )


def _imported(results: Results) -> Section | None:
    """Results of others, where some were imported."""
    files = results.tables.imported
    rates, values = imported.imported_view(results), imported.score_view(files)
    if rates is None:
        return None
    tables = (rates, values) if values is not None else (rates,)
    return Section("imported", "Imported results", text=imported.remarks(files), tables=tables)


def _scores(results: Results) -> Section | None:
    """Test scores on tasks without a leaderboard, where there are such tasks."""
    said = unranked.sentence(results.tables.runs)
    return Section("scores", "Scores", text=said, tables=(scores.view(results),)) if said else None


def _explanations(results: Results, curves: list[dynamics.Line]) -> tuple[Section | None, ...]:
    """Dynamics, mechanism, cost, failures."""
    failed = views.failures(results)
    tried, judged = programs.trial_runs_view(results), programs.judged_bugs_view(results)
    moving = figures_of_dynamics(results, curves)
    return (
        moving,
        Section(
            "mechanism",
            "Mechanism",
            text="Is better reasoning the cause? Two rates that do not look at medals.",
            figure=_ink(figures.mechanism(results)),
            caption="Mean over tasks of the mean over runs. Lines: ± 1 SEM over tasks; n is in the table.",
            folded=(views.mechanism(results),),
        ),
        Section(
            "cost",
            "Cost",
            figure=_ink(figures.spending(results)),
            caption="Mean per run, by the operator that the model was called for.",
            tables=(views.cost(results), *filter(None, [spend_view.by_strategy(results)])),
            folded=(views.operators(results), *filter(None, [spend_view.by_model(results)])),
        ),
        Section(
            "failures",
            "Failures",
            figure=_ink(figures.failures(results)),
            caption="Share of program proposals that did not yield a valid score, by kind.",
            tables=(failed, tried) if tried else (failed,),
            folded=(judged,) if judged else (),
        )
        if failed
        else None,
    )


def figures_of_dynamics(results: Results, curves: list[dynamics.Line]) -> Section | None:
    """The section on dynamics, where any program was valid."""
    drawn = dynamics.draw(results, curves)
    if not drawn.svg:
        return None
    band = " Bands: ± 1 SEM over tasks." if curves[0].curve.tasks >= dynamics.BAND_TASKS else ""
    return Section(
        "dynamics",
        "Dynamics",
        figure=_ink(drawn),
        caption=(
            "The best program so far by validation, seen through its test result, which no strategy ever sees. "
            "Standing is the rank of its test score among all valid programs on the task in this study (100 the best); "
            "a run without a valid program stands at 0, a run that ended keeps its last value; runs without a result "
            f"are left out. Mean over tasks of the mean over seeds.{band}"
        ),
    )


def facts(results: Results) -> tuple[tuple[str, str], ...]:
    """The study's facts, for the end of the page."""
    runs, models = results.tables.runs, results.models
    status = runs["status"].value_counts()
    counted = ", ".join(f"{int(status.get(s, 0))} {s}" for s in ("ok", "failed", "timeout", "missing"))
    described = []
    for i, model in enumerate(models.names):
        notes = [models.tier[i]] if models.tier[i] else []
        if models.capability is not None and not models.ordinal:
            notes.append(f"capability {models.capability[i]:g}")
        described.append(f"{model} ({', '.join(notes)})" if notes else model)

    def distinct(column: str) -> str:
        return "; ".join(sorted({str(v) for v in runs[column].dropna() if str(v)})) or "not recorded"

    grid = results.tables.study.get("grid")
    rows = [
        ("Models", "; ".join(described)),
        ("Source of capability", models.source or "not declared"),
        ("Strategies", "; ".join(arm.label for arm in results.arms)),
        ("Tasks", "; ".join(sorted(set(runs["task"])))),
        ("Seeds", "; ".join(str(seed) for seed in sorted(set(runs["seed"].astype(int))))),
        ("Runs", f"{len(runs)} ({counted})"),
        ("Missing runs", results.policy.words),
        ("Steps per run", _span(runs["steps"])),
        ("Validation", distinct("validation")),
        *official.board_fact(runs),
        ("Hardware", distinct("hardware")),
        ("Sandbox", distinct("rung") if "rung" in runs.columns else "not recorded"),
        ("Sandbox promises", distinct("promises").replace(",", ", ")),
        ("Programs' environment", distinct("environment") if "environment" in runs.columns else "not recorded"),
        ("Programs' own time", _own_time(runs)),
        ("mlesearch", str(results.tables.study.get("mlesearch_version") or "unknown")),
    ]
    if isinstance(grid, Mapping) and grid:
        rows.append(("Declared grid", json.dumps(grid, sort_keys=True, ensure_ascii=False)))
    return tuple(rows)


def _own_time(runs: pd.DataFrame) -> str:
    """How much of the runs' wall-clock time their programs were running."""
    if not {"program_s", "program_cpu_s"} <= set(runs.columns) or runs["program_s"].dropna().empty:
        return "not recorded"
    known = runs.dropna(subset=["program_s", "program_cpu_s", "real_s"])
    ran, computed, real = (float(known[c].sum()) for c in ("program_s", "program_cpu_s", "real_s"))
    return f"{ran:,.0f} s run time ({computed:,.0f} s of processors) of {real:,.0f} s wall-clock time of all runs"


def _span(values: pd.Series[int]) -> str:
    """Smallest to largest known value."""
    known = values.dropna()
    if known.empty:
        return "not recorded"
    low, high = int(known.min()), int(known.max())
    return str(low) if low == high else f"{low} to {high}"
