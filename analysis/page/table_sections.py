"""Sections of the report that have tables alone."""

from __future__ import annotations

from mlesearch.analysis.data import unranked
from mlesearch.analysis.page import assumptions_view, contrasts_view, imported, scores
from mlesearch.analysis.page.section import Section
from mlesearch.analysis.page.views import View
from mlesearch.analysis.results import Results


def given(*shown: View | None) -> tuple[View, ...]:
    """The tables that there are."""
    return tuple(view for view in shown if view is not None)


def ablations_section(results: Results) -> Section | None:
    """Variants of a strategy against its full one, where several ran."""
    shown = given(contrasts_view.ablation_view(results), contrasts_view.trace_view(results))
    return Section("ablations", "Ablations", tables=shown) if shown else None


def assumptions_section(results: Results) -> Section | None:
    """What the claim's verdicts depend on."""
    hanging, gaps = assumptions_view.left_out(results), assumptions_view.gaps(results)
    if hanging is None and gaps is None:
        return None
    some = assumptions_view.some_hang(results)
    return Section(
        "assumptions",
        "What the verdicts depend on",
        text="Verdicts with tasks clustered by category, with one task or model left out, and where gaps are skewed.",
        tables=(hanging,) if hanging and some else (),
        folded=given(None if some else hanging, gaps),
    )


def imported_section(results: Results) -> Section | None:
    """Results of others, where some were imported."""
    files = results.tables.imported
    rates, values = imported.imported_view(results), imported.score_view(files)
    if rates is None:
        return None
    tables = (rates, values) if values is not None else (rates,)
    return Section("imported", "Imported results", text=imported.remarks(files), tables=tables)


def scores_section(results: Results) -> Section | None:
    """Test scores on tasks without a leaderboard, where there are such tasks."""
    said = unranked.sentence(results.tables.runs)
    return Section("scores", "Scores", text=said, tables=(scores.view(results),)) if said else None
