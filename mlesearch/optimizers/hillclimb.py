"""Hill climbing: one draft, then change the program that is kept, and keep the change if it is better.

The loop of Karpathy's autoresearch (github.com/karpathy/autoresearch, program.md).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from mlesearch.optimizers.base import Params, made_program, param, read_params
from mlesearch.optimizers.native import Shown
from mlesearch.types import Context, Direction, Op, Outcome, Problem, Proposal, Rng, Verdict


@dataclass(frozen=True, slots=True)
class HillClimbSettings:
    """Parameters.

    Attributes:
        max_debug: debugs in a row of one buggy program before it is given up.
    """

    max_debug: int = param(3, low=0)


@dataclass(frozen=True, slots=True)
class Change:
    """A program that was asked for: how, of which, and how many debugs in a row it is."""

    op: Op
    base: int | None = None
    debugs: int = 0


@dataclass(slots=True, eq=False)
class Climb:
    """One line of work: the program that is kept, and what is done about it next.

    Attributes:
        direction: of the score.
        max_debug: see `HillClimbSettings`.
        kept: the program that is changed next; None before the first valid one.
        score: of `kept`.
        due: debugs that come before anything else.
        in_flight: changes that were asked and not told.
    """

    direction: Direction
    max_debug: int
    kept: int | None = None
    score: float | None = None
    due: deque[Change] = field(default_factory=deque)
    in_flight: int = 0

    def next(self) -> Change | None:
        """The next change; None where a first program is in flight, which there is one of at a time."""
        if self.due:
            change = self.due.popleft()
        elif self.kept is not None:
            change = Change(Op.IMPROVE, self.kept)
        elif self.in_flight:
            return None
        else:
            change = Change(Op.DRAFT)
        self.in_flight += 1
        return change

    def learn(self, change: Change, outcome: Outcome) -> bool:
        """Keep a strictly better program, debug a buggy one; returns whether it is kept.

        A debug whose reply held no program leaves the program that it was to repair, with one debug spent.
        """
        self.in_flight -= 1
        if outcome.valid and outcome.score is not None:
            if self.score is not None and not self.direction.better(outcome.score, self.score):
                return False
            self.kept, self.score = outcome.id, outcome.score
            return True
        buggy = outcome.id if made_program(outcome) else change.base if change.op is Op.DEBUG else None
        if buggy is not None and change.debugs < self.max_debug:
            self.due.append(Change(Op.DEBUG, buggy, change.debugs + 1))
        return False


class HillClimb:
    """A single climb. Several improvements of the kept program may be in flight; each is judged when it is told."""

    def __init__(self, settings: HillClimbSettings, problem: Problem) -> None:
        self._climb = Climb(problem.direction, settings.max_debug)
        self._asked = 0
        self._pending: dict[int, Change] = {}
        self._shown = Shown(problem.direction) if problem.context is Context.NATIVE else None

    def ask(self, used: float) -> Proposal | None:
        """See `Optimizer.ask`."""
        change = self._climb.next()
        if change is None:
            return None
        proposal = propose(self._asked, change, self._shown)
        self._asked += 1
        self._pending[proposal.id] = change
        return proposal

    def tell(self, outcome: Outcome) -> Sequence[Verdict]:
        """See `Optimizer.tell`; it never has a verdict."""
        self._climb.learn(self._pending.pop(outcome.id), outcome)
        show(outcome, self._shown)
        return ()


def propose(id: int, change: Change, shown: Shown | None, trace: int = 0) -> Proposal:
    """The proposal of a change; natively it shows all programs so far, kept or not, and to a debug none."""
    context = None if shown is None else () if change.op is Op.DEBUG else shown.ids
    parents = () if change.base is None else (change.base,)
    return Proposal(id, change.op, base=change.base, parents=parents, context=context, trace=trace)


def show(outcome: Outcome, shown: Shown | None) -> None:
    """Let a finished program be shown by a native context."""
    if shown is not None and made_program(outcome):
        shown.add(outcome.id, outcome.score if outcome.valid else None)


def make(params: Params, problem: Problem, rng: Rng) -> HillClimb:
    """The factory; parameters: `HillClimbSettings`. It draws nothing.

    Raises:
        ConfigError: an unknown parameter or a wrong value.
    """
    return HillClimb(read_params("hillclimb", HillClimbSettings, params), problem)
