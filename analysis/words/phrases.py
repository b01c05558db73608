"""What the quotable sentences share: how they begin, the status of a comparison, and models that are not compared."""

from __future__ import annotations

from mlesearch.analysis.comparisons.comparison import Comparison
from mlesearch.analysis.results import Results
from mlesearch.analysis.text import listing, plural


def seeds_text(results: Results) -> str:
    """How many seeds there are per task: one number, or a span."""
    counts = results.board.counts.counts
    low, high = int(counts[counts > 0].min()), int(counts.max())
    return plural(high, "seed") if low == high else f"{low} to {high} seeds"


def opening(results: Results, status: str) -> str:
    """How a quotable sentence begins: its status, whether it is simulated, its target population and n."""
    simulated = ", in simulation" if results.tables.simulated else ""
    tasks = plural(len(results.board.counts.tasks), "task")
    return f"{status.capitalize()}{simulated}, on tasks like these (E2, n = {tasks}, {seeds_text(results)} each): "


def status_of(results: Results, c: Comparison, trend: bool = False) -> str:
    """Whether a comparison, or its trend over capability, was declared before the first run."""
    declared = c.confirmatory and (not trend or bool(results.claim and results.claim.capability))
    return "confirmatory" if declared else "exploratory"


def reasons_by_model(results: Results, c: Comparison) -> str:
    """Why models are not compared, each with its reason."""
    found = [f"{m} ({g.refused})" for m, g in zip(results.models.names, c.gaps, strict=True) if g.refused]
    return listing(found)


PARTS_IN_WORDS = {"gap": "the gap with every model", "slope": "the trend over capability", "crossover": "the crossover"}
