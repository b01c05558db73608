"""The sections of the report in the order of its page."""

from __future__ import annotations

from functools import partial

from mlesearch.analysis.data.outcomes import RATES
from mlesearch.analysis.figures import accounts_figure, dynamics, findings
from mlesearch.analysis.page import (
    assumptions_view,
    contrasts_view,
    leaders_view,
    looks_view,
    lost_cases_view,
    measured_view,
    process_view,
    programs,
    progress_view,
    robust_view,
    spend_view,
    views,
)
from mlesearch.analysis.page.section import Section
from mlesearch.analysis.page.table_sections import (
    ablations_section,
    assumptions_section,
    given,
    imported_section,
    scores_section,
)
from mlesearch.analysis.results import Results
from mlesearch.analysis.text import plural
from mlesearch.analysis.words.looks_words import BIASED
from mlesearch.analysis.words.lost_runs import made


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
    """Medals, rates, imported rates, gaps, capability, assumptions."""
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
            figure=partial(findings.gap_bars, results),
            caption=(
                f"Gap in the {rate} over {main.baseline.label}, paired by task. Lines: 95 % interval of the test, "
                f"{tasks}. Colour is the sign; hatched: the adjusted test does not reject.{_not_drawn(results)}"
            ),
            tables=given(
                views.gaps(results, [main], "gaps-main"),
                lost_cases_view.view(
                    results.lost_cases,
                    f"{main.treatment.label} − {main.baseline.label}",
                    declared=main.confirmatory,
                ),
            ),
            folded=given(
                views.gaps(results, results.others, "gaps-others") if results.others else None,
                contrasts_view.baseline_view(results),
            ),
        )
        slopes = views.slopes(results)
        if findings.has_capability(results) or slopes:
            trend = Section(
                "capability",
                "Gap against capability",
                figure=partial(findings.gap_by_capability, results),
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
            figure=partial(findings.bars, results),
            caption=(
                f"{rate.capitalize()} by model and strategy, weakest model first where an order is known. "
                f"Lines: E2 95 % interval ({_interval_of(results)}, n = {tasks})."
                + (" Where runs have no result, lines go from one bound of the rate to the other." if gone else "")
            ),
            tables=given(views.claimed_means(results)),
            folded=given(assumptions_view.rates(results), *robust_view.views(results)),
        ),
        imported_section(results),
        gap_section,
        trend,
        assumptions_section(results),
    )


def _interval_of(results: Results) -> str:
    return "Wilson at the effective number of trials" if results.claimed is None else "t over tasks"


def _not_drawn(results: Results) -> str:
    """That not all comparisons are drawn, where that is so."""
    drawn, there = len(findings.drawn_gaps(results)), 1 + len(results.others)
    if drawn == there:
        return ""
    return f" Drawn are {drawn} of {there} comparisons, in the order of the strategies; all are in the tables."


def _explanations(results: Results, curves: list[dynamics.Line]) -> tuple[Section | None, ...]:
    """Dynamics, other outcomes, mechanism, ablations, cost, failures."""
    return (
        figures_of_dynamics(results, curves),
        measured_view.section(results),
        Section(
            "mechanism",
            "Mechanism",
            text="Is better reasoning the cause? Two rates that do not look at medals.",
            figure=partial(accounts_figure.mechanism, results),
            caption="Mean over tasks of the mean over runs. Lines: ± 1 SEM over tasks; n is in the table.",
            folded=(views.mechanism(results), *process_view.shown(results)),
        ),
        ablations_section(results),
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
            figure=partial(accounts_figure.spending, results),
            caption="Mean per run, by the operator that the model was called for.",
            tables=(views.cost(results), *filter(None, [spend_view.by_strategy(results)])),
            folded=given(views.operators(results), spend_view.by_model(results), contrasts_view.front_view(results)),
        ),
        Section(
            "failures",
            "Failures",
            figure=partial(accounts_figure.failures, results),
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
    band = " Bands: ± 1 SEM over tasks." if dynamics.has_bands(curves) else ""
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
