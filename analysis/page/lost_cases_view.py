"""The table of the claim's verdicts under four treatments of the runs without a result."""

from __future__ import annotations

import numpy as np

from mlesearch.analysis.comparisons.lost_cases import LostCase
from mlesearch.analysis.page.views import TableCell, View, name
from mlesearch.analysis.text import interval, p_text, plural, points


def view(cases: tuple[LostCase, ...], pair: str, *, declared: bool = True) -> View | None:
    """The verdicts under the four treatments as one small table; None without cases.

    Args:
        cases: see `lost_cases`.
        pair: treatment and baseline, in words.
        declared: whether the pair is that of a declared claim.
    """
    if not cases:
        return None
    rows = tuple(_row(case) for case in cases)
    note = (
        f"{pair} under four treatments of the runs without a result: each counts as one without success (failed), or "
        "not at all (left out, with the tasks that all still have), or all come out against the treatment (worst "
        "case), or all for it (best case). Numbers of models are those with which the adjusted test rejects; trend and "
        "crossover as in the claim. The verdicts above count only where they hold in the worst case too."
    )
    if not declared:
        note += (
            " Here p is adjusted by Holm over the models of this pair alone, in all four; the table of gaps adjusts by "
            "Benjamini–Hochberg over all exploratory gaps, so a model may reject in one of the two tables and not in "
            "the other."
        )
    heads = ("runs without a result", "ahead", "behind", "gap", "tasks", "trend over capability", "crossover")
    return View("lost-cases", note, heads, rows)


def _row(case: LostCase) -> tuple[TableCell, ...]:
    c = case.found
    if c is None:
        none = TableCell("–", key="-inf", mark="weak")
        return (name(case.name), none, none, TableCell("no task left", kind="text", mark="weak"), none, none, none)
    compared = [g for g in c.gaps if not g.refused]
    of = plural(len(compared), "model")
    low, high = (f([g.gap for g in compared], default=np.nan) for f in (min, max))
    gap = points(low) if len(compared) < 2 else f"{points(low)} to {points(high)}"
    s = c.slope
    trend = TableCell("not tested", kind="text", mark="weak")
    if s is not None:
        said = {1: "rises", -1: "falls", 0: "not established"}[case.trend]
        trend = TableCell(
            said,
            f"{points(s.slope)}, {p_text(max(s.p_both, s.p_adjusted))}",
            kind="text",
            mark="" if case.trend else "weak",
        )
    crossed = "established" if case.crossover else "none"
    crossed = "no verdict" if c.crossover is None or c.crossover.refused else crossed
    sub = f"[{interval(compared[0].low, compared[0].high)}]" if len(compared) == 1 else ""
    return (
        name(case.name),
        TableCell(f"{case.gaps.count(1)} of {of}", key=str(case.gaps.count(1))),
        TableCell(f"{case.gaps.count(-1)} of {of}", key=str(case.gaps.count(-1))),
        TableCell(gap, sub, repr(float(low))),
        TableCell(str(c.by_task.shape[-1])),
        trend,
        TableCell(crossed, kind="text"),
    )
