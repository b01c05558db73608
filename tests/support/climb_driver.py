"""A strategy that climbs, asked and told step by step."""

from __future__ import annotations

from mlesearch.optimizers.base import Optimizer
from mlesearch.types import Op, Outcome, Proposal, Status


class ClimbDriver:
    """Asks and tells, every proposal kept by its id."""

    def __init__(self, search: Optimizer) -> None:
        self.search = search
        self.asked: dict[int, Proposal] = {}

    def ask(self) -> tuple[Op, int | None] | None:
        """Operator and base of the next proposal; None where there is none."""
        p = self.search.ask(0)
        if p is None:
            return None
        self.asked[p.id] = p
        assert p.parents == (() if p.base is None else (p.base,))
        return p.op, p.base

    def tell(self, id: int, score: float | None = None, status: Status = Status.ERROR) -> None:
        """Answer a proposal; with a score it worked."""
        status = status if score is None else Status.OK
        assert not self.search.tell(Outcome(id, self.asked[id].op, status, score))
