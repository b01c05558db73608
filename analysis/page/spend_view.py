"""The tables of equal spend, for the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlesearch.analysis.measures.spend import Spend
from mlesearch.analysis.page.views import TableCell, View, name, number
from mlesearch.analysis.results import Results
from mlesearch.analysis.text import plural

NAMES: Mapping[str, str] = {"steps": "steps", "time_s": "charged time", "cost_usd": "USD", "tokens": "tokens"}
"""Budgets, for people."""

HEADS = ("strategy", "budget", "mean, %", "smallest, %", "largest, %", "largest step, %", "within a step", "others")
NOTE = (
    "Share of each declared budget that runs with a result spent: mean over {whom}, smallest and largest; beside it "
    "the cost of a run's largest step, mean over runs. A run is within a step where it spent one of its budgets up to "
    "the cost of its largest step, and no more than that beyond any. The others are named with what ended them."
)


def by_strategy(results: Results) -> View | None:
    """What each strategy spent of its budgets, all models together; None where the budgets are not known."""
    return _view("spend", [s for s in results.spends if not s.model], by_model=False)


def by_model(results: Results) -> View | None:
    """The same by model; None also where there is only one."""
    found = [s for s in results.spends if s.model]
    return _view("spend-by-model", found, by_model=True) if len(results.models.names) > 1 else None


def _view(table: str, found: Iterable[Spend], *, by_model: bool) -> View | None:
    rows = tuple((*((name(s.model),) if by_model else ()), *_cells(s)) for s in found)
    if not rows:
        return None
    whom = "the runs with each model" if by_model else "the runs with all models"
    return View(table, NOTE.format(whom=whom), (("model", *HEADS) if by_model else HEADS), rows)


def _cells(s: Spend) -> tuple[TableCell, ...]:
    others = [f"{plural(s.short, 'run')} spent less ({s.why_short})"] if s.short else []
    others += [f"{plural(s.over, 'run')} spent more"] if s.over else []
    others += [f"{plural(s.lost, 'run')} without a result, not counted"] if s.lost else []
    return (
        name(s.arm),
        TableCell(NAMES[s.budget], kind="text"),
        number(s.mean, 1, 100),
        number(s.least, 1, 100),
        number(s.most, 1, 100),
        number(s.step, 1, 100),
        TableCell(f"{s.within} of {s.runs}", key=repr(s.within / s.runs), mark="" if s.within == s.runs else "weak"),
        TableCell("; ".join(others) or "–", kind="text"),
    )
