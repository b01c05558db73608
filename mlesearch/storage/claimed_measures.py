"""What a claim may declare beside medals: measures of a run, and budgets at which the order turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

BUDGET_AXES = ("steps", "time_s", "tokens", "usd")
"""Budgets along which runs are compared: steps, charged time in seconds, tokens, US dollars."""

WHOLE_AXES = ("steps", "tokens")
"""Of these, those that are counted: a part of one is no budget."""

BOARD_TARGETS = ("median", "bronze", "silver", "gold")
"""What a program can reach on a leaderboard."""

MEASURES = (
    "percentile",
    "normalised_improvement",
    *(f"auc_{axis}" for axis in BUDGET_AXES),
    *(f"to_{target}_{axis}" for axis in BUDGET_AXES for target in BOARD_TARGETS),
)
"""Outcomes of a run beyond yes and no (docs/statistics.md)."""

_AXIS_WORDS = {"steps": "steps", "time_s": "charged time", "tokens": "tokens", "usd": "US dollars"}

MEASURE_NAMES: Mapping[str, str] = {
    "percentile": "percentile on the board",
    "normalised_improvement": "normalised improvement",
    **{f"auc_{axis}": f"area under the best-so-far curve over {_AXIS_WORDS[axis]}" for axis in BUDGET_AXES},
    **{
        f"to_{target}_{axis}": f"share of the common budget of {_AXIS_WORDS[axis]} left when a run reaches "
        + ("a place above the median" if target == "median" else target)
        for axis in BUDGET_AXES
        for target in BOARD_TARGETS
    },
}
"""The measures as the outcome of a claim, for people: each so that more is better, and none beyond 1.

A spend until a target is taken as what it leaves of the common budget: 0 for a run that does not reach it.
"""

MEASURE_RANGES: Mapping[str, tuple[int, int]] = {
    name: (-1, 1) if name == "normalised_improvement" else (0, 1) for name in MEASURES
}
"""The least and the most that a run can have of each, so: what runs without a result could have had."""


class BudgetsJson(TypedDict):
    """Budgets of a claim as they stand in study.json: the axis, and two rising amounts or more on each side."""

    axis: str
    low: list[float]
    high: list[float]


def measures_problem(measures: Sequence[str]) -> str:
    """What is wrong with the declared measures, and what is allowed; empty if nothing."""
    unknown = [name for name in measures if name not in MEASURES]
    if unknown:
        return f"claim.measures: {unknown[0]!r} is no measure; there are: {', '.join(MEASURES)}"
    return "" if len(set(measures)) == len(measures) else "claim.measures: name each measure once"


def budgets_problem(axis: str | None, low: Sequence[float], high: Sequence[float]) -> str:
    """What is wrong with the declared budgets, and what is allowed; empty if nothing, or if there are none."""
    if axis is None:
        return "claim.budget_axis: name the axis of claim.low_budgets and claim.high_budgets" if low or high else ""
    if axis not in BUDGET_AXES:
        return f"claim.budget_axis: {axis!r} is no budget; there are: {', '.join(BUDGET_AXES)}"
    amounts = [*low, *high]
    rising = amounts == sorted(set(amounts)) and all(0 < amount < float("inf") for amount in amounts)
    if min(len(low), len(high)) < 2 or not rising:
        return "claim.low_budgets, claim.high_budgets: two amounts or more each, above 0, rising from first to last"
    if axis in WHOLE_AXES and (part := next((amount for amount in amounts if amount != int(amount)), None)):
        return f"claim.low_budgets, claim.high_budgets: {part:g} {axis}, and {axis} are whole; give whole numbers"
    return ""
