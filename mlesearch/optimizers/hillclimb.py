"""Hill climbing as in autoresearch: one draft, then one change after another of the kept program, kept if it is better.

A. Karpathy 2026, `autoresearch` (github.com/karpathy/autoresearch, `program.md`, "The experiment loop").
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from mlesearch.optimizers.base import Params, made_program, param, read_params
from mlesearch.optimizers.describe import Description
from mlesearch.optimizers.native import Shown
from mlesearch.types import Context, Direction, Op, Outcome, Problem, Proposal, Rng, Verdict


@dataclass(frozen=True, slots=True)
class HillclimbSettings:
    """Parameters.

    Attributes:
        max_debug: debugs in a row of one buggy change, or draft, before it is given up.
    """

    max_debug: int = param(3, low=0)


class Climb:
    """One kept program, the changes of it in flight, and those that are buggy and may be debugged.

    What is decided next: debug a buggy candidate, the one waiting longest first; without a kept program, draft, one
    candidate at a time; else change the kept program. A valid candidate replaces the kept program if it is strictly
    better than the one kept when it is told; else it is discarded.
    """

    def __init__(self, direction: Direction, max_debug: int, kept: tuple[float, int] | None = None) -> None:
        """`kept` is the score and the id of the program to start from."""
        self.kept = kept
        self._direction = direction
        self._max_debug = max_debug
        self._buggy: deque[tuple[int, int]] = deque()  # (program, debugs spent on it)
        self._spent: dict[int, int] = {}  # of each proposal in flight: debugs spent on its candidate, itself included

    def next(self, id: int) -> tuple[Op, int | None] | None:
        """The operator and the base of proposal `id`; None, without any effect, if all it can do is to wait."""
        if self._buggy:
            node, spent = self._buggy.popleft()
            self._spent[id] = spent + 1
            return Op.DEBUG, node
        if self.kept is None and self._spent:
            return None
        self._spent[id] = 0
        return (Op.DRAFT, None) if self.kept is None else (Op.IMPROVE, self.kept[1])

    def settle(self, proposal: Proposal, outcome: Outcome) -> bool:
        """Learn what became of a proposal of this climb; whether its program is kept."""
        spent = self._spent.pop(proposal.id)
        if outcome.valid and outcome.score is not None:
            better = self.kept is None or self._direction.better(outcome.score, self.kept[0])
            if better:
                self.kept = (outcome.score, outcome.id)
            return better
        buggy = outcome.id if made_program(outcome) else proposal.base if proposal.op is Op.DEBUG else None
        if buggy is not None and spent < self._max_debug:
            self._buggy.append((buggy, spent))
        return False


class Hillclimb:
    """One `Climb`, to the end of the budget."""

    def __init__(self, settings: HillclimbSettings, problem: Problem) -> None:
        self._climb = Climb(problem.direction, settings.max_debug)
        self._log = Shown(problem.direction) if problem.context is Context.NATIVE else None
        self._asked = 0
        self._pending: dict[int, Proposal] = {}

    def ask(self, used: float) -> Proposal | None:
        """See `Optimizer.ask`; None while the only candidate for a first program is in flight."""
        decided = self._climb.next(self._asked)
        if decided is None:
            return None
        proposal = a_proposal(self._asked, decided, self._log)
        self._pending[proposal.id] = proposal
        self._asked += 1
        return proposal

    def tell(self, outcome: Outcome) -> Sequence[Verdict]:
        """See `Optimizer.tell`; it never has a verdict: the kept program is the best by its score."""
        self._climb.settle(self._pending.pop(outcome.id), outcome)
        if self._log is not None and made_program(outcome):
            self._log.add(outcome.id, outcome.score)
        return ()


def a_proposal(id: int, decided: tuple[Op, int | None], log: Shown | None, trace: int = 0) -> Proposal:
    """A climb's decision as a proposal; natively it shows the log of experiments, but to a debug nothing.

    Args:
        id: of the proposal.
        decided: by `Climb.next`.
        log: natively, the programs to show; None for the shared rule.
        trace: of the proposal.
    """
    op, base = decided
    context = None if log is None else () if op is Op.DEBUG else log.ids
    return Proposal(id, op, base=base, parents=() if base is None else (base,), context=context, trace=trace)


DESCRIPTIONS = (
    Description(
        idea="one draft, then change the kept program, and keep the change where the score is better",
        source="Karpathy 2026, autoresearch (github.com/karpathy/autoresearch)",
        settings=HillclimbSettings,
        family="hill climbing",
    ),
)


def make(params: Params, problem: Problem, rng: Rng) -> Hillclimb:
    """The factory; parameters: `HillclimbSettings`.

    Raises:
        ConfigError: an unknown parameter or a wrong value.
    """
    return Hillclimb(read_params("hillclimb", HillclimbSettings, params), problem)
