"""The null model: draft now and then, else change a program chosen at random.

With `p_draft = 1` it is best-of-N, independent drafts. With `context_sample` too it is sequential conditioned sampling
(Gideoni, Risi and Gal 2026, "Simple Baselines are Competitive with Code Evolution", arXiv:2602.16805).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlesearch.optimizers.base import Params, made_program, param, read_params
from mlesearch.optimizers.describe import Description
from mlesearch.optimizers.native import MOST_SHOWN
from mlesearch.types import Op, Outcome, Problem, Proposal, Rng, Verdict


@dataclass(frozen=True, slots=True)
class RandomSettings:
    """Parameters.

    Attributes:
        p_draft: probability of a draft.
        context_sample: valid programs that a draft is shown, drawn uniformly from all earlier ones; 0: none where
            `p_draft` is 1, else what the shared rule shows.
    """

    p_draft: float = param(0.2, low=0.0, high=1.0)
    context_sample: int = param(0, low=0, high=MOST_SHOWN)


class Random:
    """Draft with probability `p_draft`; else improve (or, if buggy, debug) a uniformly chosen finished node.

    It does not look at scores, nor at what is in flight: every proposal is an independent draw.
    """

    def __init__(self, settings: RandomSettings, rng: Rng) -> None:
        self._p_draft = settings.p_draft
        self._context_sample = settings.context_sample
        self._rng = rng
        self._asked = 0
        self._nodes: list[tuple[int, bool]] = []  # (id, valid) in the order told
        self._valid: list[int] = []  # ids of the valid ones, in the order told

    def ask(self, used: float) -> Proposal:
        """See `Optimizer.ask`."""
        id = self._asked
        self._asked += 1
        drafts_only = self._p_draft == 1.0
        if not self._nodes or (drafts_only and not self._context_sample):
            return Proposal(id, Op.DRAFT, context=() if drafts_only or self._context_sample else None)
        draws = self._rng(id)
        if drafts_only or draws.random() < self._p_draft:
            return Proposal(id, Op.DRAFT, context=self._sample(draws) if self._context_sample else None)
        node, valid = self._nodes[int(draws.integers(len(self._nodes)))]
        return Proposal(id, Op.IMPROVE if valid else Op.DEBUG, base=node, parents=(node,))

    def tell(self, outcome: Outcome) -> Sequence[Verdict]:
        """See `Optimizer.tell`; it never has a verdict."""
        if made_program(outcome):
            self._nodes.append((outcome.id, outcome.valid))
            if outcome.valid:
                self._valid.append(outcome.id)
        return ()

    def _sample(self, draws: np.random.Generator) -> tuple[int, ...]:
        """Valid programs, uniformly without replacement: Floyd's algorithm, one draw for each, none for the rest."""
        count = len(self._valid)
        places: set[int] = set()
        for last in range(max(0, count - self._context_sample), count):
            place = int(draws.integers(last + 1))
            places.add(last if place in places else place)
        return tuple(sorted(self._valid[place] for place in places))


DESCRIPTIONS = (
    Description(
        idea="draft now and then, else change a program chosen at random; or drafts only",
        source="none for random; sequential: Gideoni, Risi and Gal 2026, arXiv:2602.16805",
        settings=RandomSettings,
        family="random",
    ),
)


def make(params: Params, problem: Problem, rng: Rng) -> Random:
    """The factory; parameters: `RandomSettings`.

    Raises:
        ConfigError: an unknown parameter or a wrong value.
    """
    return Random(read_params("random", RandomSettings, params), rng)
