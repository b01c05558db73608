"""Adaptive search: climb one hill until the gains stall, then the best programs kept so far in turn, each by itself.

AdaptiveSearch of FML-bench (arXiv:2605.17373; agents/adaptivesearch/agent.py of its released code).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlesearch.optimizers.base import Params, param, read_params
from mlesearch.optimizers.hillclimb import Change, Climb, propose, show
from mlesearch.optimizers.native import Shown
from mlesearch.types import Context, Outcome, Problem, Proposal, Rng, Verdict

RELEASED_STEPS = 100
"""Step budget of the released configuration, in the place of one that is not declared."""

SKIP = 0.03
"""With less of the step budget left than this, nothing is branched any more."""


@dataclass(frozen=True, slots=True)
class AdaptiveSettings:
    """Parameters. Shares are of the step budget.

    Attributes:
        window: share over which the gain is measured.
        epsilon: a window that holds at most this share of all gain since the first valid program has stalled.
        branches: programs that are climbed in turn at most, the best kept ones.
        steps_per_branch: share that has to be left for each branch.
        max_debug: debugs in a row of one buggy program before it is given up.
    """

    window: float = param(0.5, low=0.0, high=1.0)
    epsilon: float = param(0.025, low=0.0, high=1.0)
    branches: int = param(3, low=1, high=64)
    steps_per_branch: float = param(0.15, low=0.0, high=1.0)
    max_debug: int = param(3, low=0)


class Adaptive:
    """One climb; once it has stalled, the climbs of the best programs that it kept, round robin. It switches once."""

    def __init__(self, settings: AdaptiveSettings, problem: Problem) -> None:
        self._s = settings
        self._direction = problem.direction
        self._steps = problem.steps or RELEASED_STEPS
        self._climbs = [Climb(problem.direction, settings.max_debug)]
        self._next = 0
        self._branched = False
        self._kept: list[tuple[int, float]] = []  # of the first climb, each better than the one before
        self._best: list[float | None] = []  # best score after each finished program of the first climb
        self._asked = 0
        self._pending: dict[int, tuple[int, Change]] = {}
        self._shown = Shown(problem.direction) if problem.context is Context.NATIVE else None

    def ask(self, used: float) -> Proposal | None:
        """See `Optimizer.ask`."""
        if not self._branched and self._stalled():
            self._branch()
        climb = self._climbs[self._next]
        change = climb.next()
        if change is None:
            return None
        proposal = propose(self._asked, change, self._shown, self._next)
        self._asked += 1
        self._pending[proposal.id] = (self._next, change)
        self._next = (self._next + 1) % len(self._climbs)
        return proposal

    def tell(self, outcome: Outcome) -> Sequence[Verdict]:
        """See `Optimizer.tell`; it never has a verdict."""
        place, change = self._pending.pop(outcome.id)
        climb = self._climbs[place]
        kept = climb.learn(change, outcome)
        show(outcome, self._shown)
        if not self._branched:
            if kept and outcome.score is not None:
                self._kept.append((outcome.id, outcome.score))
            self._best.append(climb.score)
        return ()

    def _stalled(self) -> bool:
        """Whether the last window holds next to none of all gain since the first valid program."""
        window = max(1, round(self._s.window * self._steps))
        if len(self._best) <= window or self._best[-1] is None:
            return False
        before, now, first = self._best[-1 - window], self._best[-1], self._kept[0][1]
        if before is None:
            return False
        # halves, because the difference of two finite floats may not be one
        return abs(now / 2 - before / 2) <= self._s.epsilon * abs(now / 2 - first / 2)

    def _branch(self) -> None:
        """Climb from the best kept programs in turn, as many as what is left allows; the first climb goes on as one.

        Where fewer were kept, the rest climb from the first valid program, each by itself.
        """
        left = self._steps - len(self._best)
        if left <= SKIP * self._steps:
            return
        per_branch = max(1, round(self._s.steps_per_branch * self._steps))
        count = min(self._s.branches, 1 + (left - 1) // per_branch)
        others = self._kept[-2 : -1 - count : -1]
        for node, score in [*others, *[self._kept[0]] * (count - 1 - len(others))]:
            self._climbs.append(Climb(self._direction, self._s.max_debug, node, score))
        self._branched = True


def make(params: Params, problem: Problem, rng: Rng) -> Adaptive:
    """The factory; parameters: `AdaptiveSettings`. It draws nothing.

    Raises:
        ConfigError: an unknown parameter or a wrong value.
    """
    return Adaptive(read_params("adaptive", AdaptiveSettings, params), problem)
