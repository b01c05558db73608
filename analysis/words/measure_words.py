"""What a claim about a measure says of it: what a point is, up to which budget, and what a run without it counts as."""

from __future__ import annotations

from mlesearch.analysis.data.tables import has_result
from mlesearch.analysis.measures.budget_axis import AXES
from mlesearch.analysis.results import Results
from mlesearch.analysis.text import amount
from mlesearch.storage.claimed_measures import MEASURE_RANGES

_WORDS = {"percentile": "the share of the leaderboard that a run's submission reaches"}


def scale(results: Results) -> str:
    """What a point is, as a sentence that follows another; empty where the claim is about a yes or no."""
    if results.claimed is None:
        return ""
    key = results.outcome
    measure = next(one for one in results.measured.measures if one.key == key)
    low, high = MEASURE_RANGES[key]
    budget = ""
    if measure.axis:
        limit = f"{amount(measure.limit)} ({AXES[measure.axis].name})"
        budget = f"; the common budget, that all runs were followed to, is {limit}"
    what = f" ({_WORDS[key]})" if key in _WORDS else ""
    said = f" The measure{what} goes from {100 * low} to {100 * high} points, more is better{budget}."
    done = has_result(results.tables.runs)
    idle = bool((~results.tables.runs.loc[done, "valid"].astype(bool)).any())
    return f"{said} A run without a valid program counts as 0." if idle else said
