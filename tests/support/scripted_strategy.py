"""A strategy that proposes what a test wrote."""

from __future__ import annotations

from collections.abc import Sequence

from mlesearch.types import (
    Op,
    Outcome,
    Proposal,
    Verdict,
)


class Scripted:
    """A strategy that proposes what a test wrote, and remembers what it was told."""

    def __init__(self, *proposals: Proposal, verdicts: dict[int, tuple[Verdict, ...]] | None = None) -> None:
        self.proposals = list(proposals)
        self.asked = 0
        self.used: list[float] = []
        self.told: list[Outcome] = []
        self.verdicts = verdicts or {}

    def __call__(self, params: object, problem: object, rng: object) -> Scripted:
        return self

    def ask(self, used: float) -> Proposal | None:
        self.used.append(used)
        if self.asked == len(self.proposals):
            return None
        self.asked += 1
        return self.proposals[self.asked - 1]

    def tell(self, outcome: Outcome) -> Sequence[Verdict]:
        self.told.append(outcome)
        return self.verdicts.get(outcome.id, ())


def drafts(n: int) -> list[Proposal]:
    return [Proposal(i, Op.DRAFT) for i in range(n)]
