"""What a claim about a measure says of it: what a point is, up to which budget, and what a run without it counts as."""

from __future__ import annotations

from mlesearch.analysis.data.tables import has_result
from mlesearch.analysis.measures.beyond_medals import Measure
from mlesearch.analysis.measures.budget_axis import AXES
from mlesearch.analysis.results import Results
from mlesearch.analysis.text import amount
from mlesearch.storage.claimed_measures import MEASURE_RANGES

_WORDS = {
    "percentile": "the share of the leaderboard that a run's submission reaches",
    "normalised_improvement": "the change of a run's place on the board from its first valid program to its "
    "submission, as a share of the largest change that was possible",
}


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
    least, most = (f"{100 * end}".replace("-", "−") for end in (low, high))
    said = f" The measure ({_what(measure)}) goes from {least} to {most} points, more is better{budget}."
    done = has_result(results.tables.runs)
    idle = bool((~results.tables.runs.loc[done, "valid"].astype(bool)).any())
    return f"{said} A run without a valid program counts as 0." if idle else said


def _what(measure: Measure) -> str:
    """What the measure of a run is, in words."""
    if measure.key in _WORDS:
        return _WORDS[measure.key]
    if measure.lower_is_better:
        return "0 for a run that does not reach it"
    value = "standing in this study" if "standing" in measure.title else "percentile on the board"
    return f"the {value} of a run's best program so far by validation, averaged over the budget"
