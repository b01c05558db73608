"""What a study sets out to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NotRequired, TypedDict, get_args

from mlesearch.storage.claimed_measures import MEASURES, BudgetsJson
from mlesearch.storage.sequential import SequentialJson

OUTCOMES: Mapping[str, str] = {
    "any_medal": "any medal",
    "gold": "gold medal",
    "above_median": "above median",
    "valid": "valid submission",
}
"""The yes-or-no outcomes of a run, with their names for people."""

CLAIMABLE = (*OUTCOMES, *MEASURES)
"""What a claim may be about: a yes-or-no outcome, or a measure of `MEASURES`."""

Trend = Literal["rises", "falls"]
"""What the gap is claimed to do as capability grows."""

TRENDS: tuple[Trend, ...] = get_args(Trend)

ClaimPart = Literal["gap", "slope", "crossover"]
"""The parts of a claim that are tested: the gap with each model, its slope over capability, and the crossover."""

PARTS: tuple[ClaimPart, ...] = get_args(ClaimPart)


def outcome_problem(outcome: str, measures: Sequence[str] = ()) -> str:
    """What is wrong with what a claim is about, and what is allowed; empty if nothing.

    Args:
        outcome: see `Claim`.
        measures: see `Claim`.
    """
    if outcome not in CLAIMABLE:
        return f"claim.outcome: {outcome!r} is no outcome; there are: {', '.join(CLAIMABLE)}"
    return f"claim.measures: {outcome} is the claim's outcome already; leave it out" if outcome in measures else ""


def claim_problem(trend: str, order: Sequence[str], margin_points: float | None) -> str:
    """What is wrong with the optional parts of a claim: the setting, its value and what is allowed; empty if nothing.

    Args:
        trend: see `Claim`.
        order: see `Claim`.
        margin_points: see `Claim`.
    """
    if trend not in TRENDS:
        return f"claim.trend: {trend!r} is no direction; there are: {', '.join(TRENDS)}"
    if order and sorted(order) != sorted(PARTS):
        return (
            f"claim.order: [{', '.join(order)}] is no order of the claim's parts; name each once: {', '.join(PARTS)}; "
            "or leave it empty"
        )
    if margin_points is not None and not 0 < margin_points < 100:
        return f"claim.margin_points: {margin_points:g} is no margin; it is above 0 and below 100 percentage points"
    return ""


class ClaimJson(TypedDict):
    """A claim as it stands in study.json, field for field; the optional ones are written where they are in use."""

    treatment: str
    baseline: str
    outcome: str
    capability: bool
    tiers: list[str]
    primary: str
    trend: NotRequired[Trend]
    order: NotRequired[list[ClaimPart]]
    margin_points: NotRequired[float]
    measures: NotRequired[list[str]]
    budgets: NotRequired[BudgetsJson]
    sequential: NotRequired[SequentialJson]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a study sets out to show, declared before its first run.

    Attributes:
        treatment: strategy (or strategy/variant) that should be better.
        baseline: the one it is compared with.
        outcome: one of `CLAIMABLE`.
        capability: whether the gap is claimed to grow with the models' capability, or to fall (`trend`).
        tiers: tiers in order, lowest first, where capability has no numbers.
        primary: the sentence that the report tests.
        trend: what the gap is claimed to do as capability grows.
        order: in which order the parts are tested, each only where the one before it is established; empty: all share
            one level (docs/statistics.md).
        margin_points: the gap, in percentage points, below which two strategies count as equal; None: none is declared.
        measures: further outcomes, keys of `MEASURES`, which are tested as a family of their own.
        budgets: at which budgets the order of the two is claimed to turn; None: at none.
    """

    treatment: str
    baseline: str
    outcome: str = "any_medal"
    capability: bool = False
    tiers: tuple[str, ...] = ()
    primary: str = ""
    trend: Trend = "rises"
    order: tuple[ClaimPart, ...] = ()
    margin_points: float | None = None
    measures: tuple[str, ...] = ()
    budgets: BudgetsJson | None = None

    def to_json(self) -> ClaimJson:
        """As it stands in study.json."""
        out: ClaimJson = {
            "treatment": self.treatment,
            "baseline": self.baseline,
            "outcome": self.outcome,
            "capability": self.capability,
            "tiers": list(self.tiers),
            "primary": self.primary,
        }
        if self.trend != "rises":
            out["trend"] = self.trend
        if self.order:
            out["order"] = list(self.order)
        if self.margin_points is not None:
            out["margin_points"] = self.margin_points
        if self.measures:
            out["measures"] = list(self.measures)
        if self.budgets is not None:
            out["budgets"] = self.budgets
        return out
