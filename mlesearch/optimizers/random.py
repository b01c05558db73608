"""The null model: draft now and then, else change a program chosen at random.

With `p_draft = 1` it is best-of-N, independent drafts; with `shown` each of these sees a sample of earlier programs
(sequential conditioned sampling: Gideoni et al. 2026, arXiv:2602.16805).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlesearch.optimizers.base import Params, made_program, param, read_params
from mlesearch.optimizers.native import MOST_SHOWN
from mlesearch.types import Op, Outcome, Problem, Proposal, Rng, Verdict


@dataclass(frozen=True, slots=True)
class RandomSettings:
    """Parameters.

    Attributes:
        p_draft: probability of a draft.
        shown: earlier programs that a draft is shown, drawn anew for each; 0: what the context rule shows.
    """

    p_draft: float = param(0.2, low=0.0, high=1.0)
    shown: int = param(0, low=0, high=MOST_SHOWN)


class Random:
    """Draft with probability `p_draft`; else improve (or, if buggy, debug) a uniformly chosen finished node.

    It does not look at scores, nor at what is in flight: every proposal is an independent draw.
    """

    def __init__(self, settings: RandomSettings, rng: Rng) -> None:
        self._p_draft = settings.p_draft
        self._shown = settings.shown
        self._rng = rng
        self._asked = 0
        self._nodes: list[tuple[int, bool]] = []  # (id, valid) in the order told

    def ask(self, used: float) -> Proposal:
        """See `Optimizer.ask`."""
        id = self._asked
        self._asked += 1
        if not self._nodes or (self._p_draft == 1.0 and not self._shown):
            return Proposal(id, Op.DRAFT, context=() if self._shown else None)
        draws = self._rng(id)
        if draws.random() < self._p_draft:
            return Proposal(id, Op.DRAFT, context=self._sample(draws))
        node, valid = self._nodes[int(draws.integers(len(self._nodes)))]
        return Proposal(id, Op.IMPROVE if valid else Op.DEBUG, base=node, parents=(node,))

    def _sample(self, draws: np.random.Generator) -> tuple[int, ...] | None:
        """The programs that a draft is shown, drawn uniformly without replacement, in the order of creation."""
        if not self._shown:
            return None
        places = draws.choice(len(self._nodes), min(self._shown, len(self._nodes)), replace=False, shuffle=False)
        return tuple(sorted(self._nodes[int(i)][0] for i in places))

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
