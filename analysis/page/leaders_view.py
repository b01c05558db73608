"""Words and tables of which strategy leads where: the section's text and caption, its table, and the same as CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import pandas as pd

from mlesearch.analysis.comparisons.leaders import GRADIENT, TREE, LeaderCell, LeaderMap
from mlesearch.analysis.data.outcomes import RATES
from mlesearch.analysis.figures.leaders_figure import draw, leads
from mlesearch.analysis.page.section import Section
from mlesearch.analysis.page.views import TableCell, View, name, number, p_number, sign_mark
from mlesearch.analysis.results import Results
from mlesearch.analysis.statistics.best_of import SPLITS
from mlesearch.analysis.text import interval, listing, percent, plural, points

TITLE = "Which strategy leads where"


def section(results: Results) -> Section | None:
    """The section of the page; None where there is no map."""
    found = results.leaders
    if found is None:
        return None
    return Section(
        "leaders",
        TITLE,
        text=text(results, found),
        figure=partial(draw, found, results.models, simulated=results.tables.simulated),
        caption=caption(results, found),
        folded=(view(results, found),),
    )


def frames(results: Results) -> dict[str, pd.DataFrame]:
    """The map as a table for CSV, by name; empty where there is no map."""
    return {} if results.leaders is None else {"leaders": frame(results, results.leaders)}


def text(results: Results, found: LeaderMap) -> str:
    """What the map shows, in sentences that can stand alone."""
    start = "Exploratory, in simulation" if results.tables.simulated else "Exploratory"
    said = f"{start}: leading by {RATES[results.outcome]}, {leads(found.cells)}."
    gradients, trees = found.of_family(GRADIENT), found.of_family(TREE)
    compared = [cell for cell in found.cells if cell.against_trees is not None]
    if compared:
        ahead = sum(cell.gradient_ahead for cell in compared)
        whose = listing(gradients) if len(gradients) == 1 else f"a gradient strategy ({', '.join(gradients)})"
        said += (
            f" In {ahead} of {len(compared)} it is established that {whose} is ahead of the best tree search of "
            f"{listing(trees)} within the same budget."
        )
    said += _spend(results)
    if results.tables.simulated:
        said += " It shows what follows from the simulated engineer's assumptions, and nothing about language models."
    return said


def _spend(results: Results) -> str:
    """Whether the budgets were spent, in a sentence; empty where the tables do not know."""
    found = [spend for spend in results.spends if not spend.model]
    if not found:
        return ""
    least, most = min(found, key=lambda s: s.mean), max(found, key=lambda s: s.mean)
    within, runs = sum(spend.within for spend in found), sum(spend.runs for spend in found)
    return (
        f" Of their budgets strategies spent {100 * least.mean:.0f} to {100 * most.mean:.0f} % on average "
        f"(least: {least.arm}); {within:,} of {plural(runs, 'run')} are within a step of it (table in Cost)."
    )


def caption(results: Results, found: LeaderMap) -> str:
    """Of the figure: what colours, hatching and outline mean, with estimators and n."""
    tasks = plural(len(results.board.counts.tasks), "task")
    said = (
        f"Each cell: the strategy with the highest {RATES[results.outcome]} over {tasks}, and its lead over the next "
        "best in percentage points. Filled: the paired test over tasks rejects against every other strategy (the "
        f"largest p counts), after Benjamini–Hochberg over the {plural(len(found.cells), 'cell')}. Hatched: not."
    )
    if any(cell.against_trees is not None for cell in found.cells):
        said += (
            " Outlined: a gradient strategy is ahead of every tree search by the same test and adjustment. Kinds of "
            "search are those that strategies declare."
        )
    return said


def view(results: Results, found: LeaderMap) -> View:
    """One row a cell."""
    heads = [
        *(("model", "capability") if _has_capability(results) else ("model",)),
        *(axis.words for axis in found.axes),
        "leader",
        "rate, %",
        "lead",
        "95 % interval",
        "p",
        "adjusted p",
        "best tree search",
        "gradient − best tree",
        "95 % interval",
        "p",
        "adjusted p",
        "tasks",
        "runs",
    ]
    rows = tuple(_row(results, found, cell) for cell in found.cells)
    note = (
        f"Exploratory: {RATES[results.outcome]}, differences in percentage points, paired by task. Lead: of the leader "
        "over the next best (below it), 95 % interval of their test; p is the largest of the two-sided paired tests "
        "against all others (exact sign-flip where at most 20 tasks differ, else t over tasks), adjusted by "
        "Benjamini–Hochberg over all cells. Gradient − best tree: the best of each kind is chosen on one half of the "
        f"tasks and read off the other half, and the other way round, mean over {SPLITS} divisions; 95 % t interval "
        "with the jackknife error over tasks; its p is the largest of the paired tests against each tree search, and "
        "adjusted likewise. n is in the last columns. Nothing is established in a cell with runs without a result."
    )
    return View("leaders", note, tuple(heads), rows)


def _has_capability(results: Results) -> bool:
    return results.models.capability is not None and not results.models.ordinal


def _row(results: Results, found: LeaderMap, cell: LeaderCell) -> tuple[TableCell, ...]:
    return (
        name(results.models.names[cell.model]),
        *((number(_capability(results, cell), 2),) if _has_capability(results) else ()),
        *(TableCell(axis.levels[i], key=str(i), kind="text") for axis, i in zip(found.axes, cell.setting, strict=True)),
        *_lead_cells(cell),
        *_tree_cells(cell),
        number(float(cell.tasks), 0),
        TableCell(str(cell.runs), f"{cell.lost} without a result" if cell.lost else "", str(cell.runs)),
    )


def _lead_cells(cell: LeaderCell) -> tuple[TableCell, ...]:
    if cell.lead is None:
        why = f"not compared: {', '.join(cell.refused)}" if cell.refused else ""
        return (TableCell("–", why, kind="text", mark="weak"), *_dashes(5))
    who = listing(cell.leaders) if len(cell.leaders) == 1 else f"tie of {listing(cell.leaders)}"
    g = cell.lead
    return (
        TableCell(who, f"over {cell.next_best}" if len(cell.leaders) == 1 else "", kind="text"),
        number(max(cell.rates.values()), 1, 100),
        TableCell(points(g.gap), key=repr(g.gap), mark=sign_mark(g.gap) if cell.established else "weak"),
        TableCell(interval(g.low, g.high), kind="text", key=_key(g.low)),
        TableCell(p_number(g.p), key=repr(g.p)),
        TableCell(p_number(g.p_adjusted), key=repr(g.p_adjusted), mark="" if cell.established else "weak"),
    )


def _tree_cells(cell: LeaderCell) -> tuple[TableCell, ...]:
    best = TableCell("–", kind="text", mark="weak")
    if cell.best_tree:
        best = TableCell(listing(cell.best_tree), percent(cell.rates[cell.best_tree[0]]) + " %", kind="text")
    g = cell.against_trees
    if g is None:
        return (best, *_dashes(4))
    return (
        best,
        TableCell(points(g.gap), key=_key(g.gap), mark=sign_mark(g.gap) if cell.gradient_ahead else "weak"),
        TableCell(interval(g.low, g.high), kind="text", key=_key(g.low)),
        TableCell(p_number(g.p), key=repr(g.p)),
        TableCell(p_number(g.p_adjusted), key=repr(g.p_adjusted), mark="" if cell.gradient_ahead else "weak"),
    )


def _dashes(count: int) -> tuple[TableCell, ...]:
    return (TableCell("–", key="-inf", mark="weak"),) * count


def _key(value: float) -> str:
    return "-inf" if math.isnan(value) else repr(value)


def _capability(results: Results, cell: LeaderCell) -> float:
    known = results.models.capability
    return math.nan if known is None else float(known[cell.model])


def frame(results: Results, found: LeaderMap) -> pd.DataFrame:
    """The same as a table, unrounded; axes are columns under their own names."""
    return pd.DataFrame([_record(results, found, cell) for cell in found.cells])


def _record(results: Results, found: LeaderMap, cell: LeaderCell) -> dict[str, object]:
    lead, against = cell.lead, cell.against_trees
    nan = math.nan
    return {
        "model": results.models.names[cell.model],
        "capability": _capability(results, cell) if _has_capability(results) else nan,
        **{axis.name: axis.levels[i] for axis, i in zip(found.axes, cell.setting, strict=True)},
        "leader": _joined(cell.leaders),
        "rate": max(cell.rates.values()) if cell.leaders else nan,
        "next_best": cell.next_best,
        "lead": lead.gap if lead else nan,
        "lead_low": lead.low if lead else nan,
        "lead_high": lead.high if lead else nan,
        "lead_p": lead.p if lead else nan,
        "lead_p_adjusted": lead.p_adjusted if lead else nan,
        "lead_established": cell.established,
        "best_tree": _joined(cell.best_tree),
        "best_tree_rate": cell.rates[cell.best_tree[0]] if cell.best_tree else nan,
        "best_gradient": _joined(cell.best_gradient),
        "best_gradient_rate": cell.rates[cell.best_gradient[0]] if cell.best_gradient else nan,
        "gradient_minus_tree": against.gap if against else nan,
        "gradient_minus_tree_low": against.low if against else nan,
        "gradient_minus_tree_high": against.high if against else nan,
        "gradient_ahead_p": against.p if against else nan,
        "gradient_ahead_p_adjusted": against.p_adjusted if against else nan,
        "gradient_ahead_established": cell.gradient_ahead,
        "tasks": cell.tasks,
        "runs": cell.runs,
        "lost": cell.lost,
    }


def _joined(names: Sequence[str]) -> str:
    return ", ".join(names)
