"""FML-bench's adaptive search: hill climbing until its gains dry up, then branches from the best kept programs in turn.

FML-bench (arXiv:2605.17373) and its released agent `agents/adaptivesearch` (github.com/qrzou/FML-bench d336651), of
which this is the search without its code embeddings. Both phases are made of the hill climbing of autoresearch.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from mlesearch.optimizers.base import Params, made_program, param, read_params
from mlesearch.optimizers.describe import Description
from mlesearch.optimizers.hillclimb import Climb, a_proposal
from mlesearch.optimizers.native import Shown
from mlesearch.types import Context, Outcome, Problem, Proposal, Rng, Verdict


@dataclass(frozen=True, slots=True)
class AdaptiveSettings:
    """Parameters.

    Attributes:
        window: steps over which the gain of the kept score is measured.
        epsilon: the search branches when the gain per step over the window, as a share of all that was gained since
            the first valid program, is at most this.
        branches: most branches.
        steps_per_branch: one branch for each of so many steps that are left, the last one begun counted whole.
        min_remaining: with no more steps left than this, the search does not branch.
        max_debug: debugs in a row of one buggy change, or draft, before it is given up.
    """

    window: int = param(50, low=1)
    epsilon: float = param(5e-4, low=0.0)
    branches: int = param(3, low=1)
    steps_per_branch: int = param(15, low=1)
    min_remaining: int = param(3, low=0)
    max_debug: int = param(2, low=0)


class Adaptive:
    """One `Climb`, which becomes the first of several when its gain is small; these take turns, one proposal each.

    The gain is looked at after each finished step, from `window` steps after the first valid program on, until it is
    small for the first time, and never again.
    """

    def __init__(self, settings: AdaptiveSettings, problem: Problem) -> None:
        self._s = settings
        self._problem = problem
        self._climbs = [Climb(problem.direction, settings.max_debug)]
        self._turn = 0  # the climb that is asked first
        self._asked = 0
        self._told = 0
        self._pending: dict[int, Proposal] = {}
        self._met = False
        self._first = 0.0  # score of the first kept program, once there is one
        self._kept: deque[tuple[float, int]] = deque(maxlen=settings.branches)  # of the first phase, the best last
        self._curve: deque[float] = deque(maxlen=settings.window + 1)  # the kept score after each step that has one
        self._log = self._new_log()

    def ask(self, used: float) -> Proposal | None:
        """See `Optimizer.ask`; None while every climb waits for its first program."""
        count = len(self._climbs)
        for trace in ((self._turn + i) % count for i in range(count)):
            decided = self._climbs[trace].next(self._asked)
            if decided is not None:
                proposal = a_proposal(self._asked, decided, self._log, trace)
                self._pending[proposal.id] = proposal
                self._asked += 1
                self._turn = (trace + 1) % count
                return proposal
        return None

    def tell(self, outcome: Outcome) -> Sequence[Verdict]:
        """See `Optimizer.tell`; it never has a verdict: the best program by its score is the result."""
        proposal = self._pending.pop(outcome.id)
        climb = self._climbs[proposal.trace]
        kept = climb.settle(proposal, outcome)
        self._told += 1
        if self._log is not None and made_program(outcome):
            self._log.add(outcome.id, outcome.score)
        if not self._met and climb.kept is not None:
            if kept:
                self._kept.append(climb.kept)
            if not self._curve:
                self._first = climb.kept[0]
            self._curve.append(climb.kept[0])
            if self._stagnant():
                self._met = True
                self._branch()
        return ()

    def _stagnant(self) -> bool:
        """Whether the slope of the improvement curve over the window is at most epsilon."""
        if len(self._curve) <= self._s.window:
            return False
        then, now = self._curve[0], self._curve[-1]
        gained, total = abs(now / 2 - then / 2), abs(now / 2 - self._first / 2)  # halves: a difference may overflow
        return gained <= self._s.epsilon * self._s.window * total

    def _branch(self) -> None:
        """Start the branches: the climb goes on as the first, the others fork from the next best or begin anew."""
        count = self._s.branches
        if self._problem.steps is not None:
            left = self._problem.steps - self._told
            if left <= self._s.min_remaining:
                return
            count = min(count, math.ceil(left / self._s.steps_per_branch))
        forks = list(self._kept)[-2::-1]  # the best is the first climb's own
        for i in range(count - 1):
            kept = forks[i] if i < len(forks) else None
            self._climbs.append(Climb(self._problem.direction, self._s.max_debug, kept))
        self._log = self._new_log()

    def _new_log(self) -> Shown | None:
        """Natively, the programs that prompts show: those of the phase."""
        return Shown(self._problem.direction) if self._problem.context is Context.NATIVE else None


DESCRIPTIONS = (
    Description(
        idea="climb until the gains dry up, then climb from the best kept programs in turn",
        source="FML-bench: arXiv:2605.17373, and its released agents/adaptivesearch",
        settings=AdaptiveSettings,
        family="hill climbing",
    ),
)


def make(params: Params, problem: Problem, rng: Rng) -> Adaptive:
    """The factory; parameters: `AdaptiveSettings`.

    Raises:
        ConfigError: an unknown parameter or a wrong value.
    """
    return Adaptive(read_params("adaptive", AdaptiveSettings, params), problem)
