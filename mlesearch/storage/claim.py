"""What a study sets out to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from mlesearch.storage.sequential import SequentialJson

OUTCOMES: Mapping[str, str] = {
    "any_medal": "any medal",
    "gold": "gold medal",
    "above_median": "above median",
    "valid": "valid submission",
}
"""The yes-or-no outcomes of a run, with their names for people."""


class ClaimJson(TypedDict):
    """A claim as it stands in study.json, field for field."""

    treatment: str
    baseline: str
    outcome: str
    capability: bool
    tiers: list[str]
    primary: str
    sequential: NotRequired[SequentialJson]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a study sets out to show, declared before its first run.

    Attributes:
        treatment: strategy (or strategy/variant) that should be better.
        baseline: the one it is compared with.
        outcome: key of `OUTCOMES`.
        capability: whether the gap is claimed to change with the models' capability.
        tiers: tiers in order, lowest first, where capability has no numbers.
        primary: the sentence that the report tests.
    """

    treatment: str
    baseline: str
    outcome: str = "any_medal"
    capability: bool = False
    tiers: tuple[str, ...] = ()
    primary: str = ""

    def to_json(self) -> ClaimJson:
        """As it stands in study.json."""
        return {
            "treatment": self.treatment,
            "baseline": self.baseline,
            "outcome": self.outcome,
            "capability": self.capability,
            "tiers": list(self.tiers),
            "primary": self.primary,
        }
