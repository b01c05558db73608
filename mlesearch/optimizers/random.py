"""The null model: draft now and then, else change a program chosen at random.

With `p_draft = 1` it is best-of-N, independent drafts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlesearch.optimizers.base import Params, made_program, param, read_params
from mlesearch.types import Op, Outcome, Problem, Proposal, Rng, Verdict


@dataclass(frozen=True, slots=True)
class RandomSettings:
    """Parameters.

    Attributes:
        p_draft: probability of a draft.
    """

    p_draft: float = param(0.2, low=0.0, high=1.0)


class Random:
    """Draft with probability `p_draft`; else improve (or, if buggy, debug) a uniformly chosen finished node.

    It does not look at scores, nor at what is in flight: every proposal is an independent draw.
    """

    def __init__(self, settings: RandomSettings, rng: Rng) -> None:
        self._p_draft = settings.p_draft
        self._rng = rng
        self._asked = 0
        self._nodes: list[tuple[int, bool]] = []  # (id, valid) in the order told

    def ask(self, used: float) -> Proposal:
        """See `Optimizer.ask`."""
        id = self._asked
        self._asked += 1
        if not self._nodes or self._p_draft == 1.0:
            return Proposal(id, Op.DRAFT)
        draws = self._rng(id)
        if draws.random() < self._p_draft:
            return Proposal(id, Op.DRAFT)
        node, valid = self._nodes[int(draws.integers(len(self._nodes)))]
        return Proposal(id, Op.IMPROVE if valid else Op.DEBUG, base=node, parents=(node,))

    def tell(self, outcome: Outcome) -> Sequence[Verdict]:
        """See `Optimizer.tell`; it never has a verdict."""
        if made_program(outcome):
            self._nodes.append((outcome.id, outcome.valid))
        return ()


def make(params: Params, problem: Problem, rng: Rng) -> Random:
    """The factory; parameters: `RandomSettings`.

    Raises:
        ConfigError: an unknown parameter or a wrong value.
    """
    return Random(read_params("random", RandomSettings, params), rng)
