"""Sections of the report that say what verdicts depend on and what variants do."""

from __future__ import annotations

from mlesearch.analysis import assumptions_view, contrasts_view
from mlesearch.analysis.results import Results
from mlesearch.analysis.section import Section
from mlesearch.analysis.views import View


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
    return Section(
        "assumptions",
        "What the verdicts depend on",
        text="Verdicts with tasks clustered by category, with one task or model left out, and where gaps are skewed.",
        tables=(hanging,) if hanging else (),
        folded=(gaps,) if gaps else (),
    )
