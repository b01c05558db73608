"""A run of a strategy without model and sandbox: what becomes of a proposal is a function."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlesearch.optimizers.base import Optimizer
from mlesearch.testing.optimizer_contract.rules import Rules
from mlesearch.types import Op, Outcome, Proposal, Verdict

OutcomeFn = Callable[[Proposal], Outcome]
"""What becomes of a proposal; a function of the proposal alone."""

Pick = Callable[[int, int], int]
"""Which pending proposal is told next: (number told so far, number pending) -> place among the pending ids."""

JUDGEMENTS_PER_STEP = 6
"""How many judgements a run may ask for each of its steps."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A proposal, and the `used` that it was asked with. The last of a run may be one that is never told."""

    used: float
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Tell:
    """An outcome, and what the strategy decided on it."""

    outcome: Outcome
    verdicts: tuple[Verdict, ...]


AskTell = Ask | Tell


def simulate(
    optimizer: Optimizer,
    outcome: OutcomeFn,
    *,
    workers: int = 1,
    steps: int = 50,
    pick: Pick = lambda told, pending: 0,
    history: Sequence[AskTell] = (),
    rules: Rules | None = None,
) -> list[AskTell]:
    """Run a strategy as the engine does, with outcomes from a function.

    Args:
        optimizer: new; it is changed.
        outcome: of each proposal.
        workers: proposals in flight at once.
        steps: program proposals that are told; the run ends when one more is asked and nothing is pending.
        pick: the order of completion; the oldest first unless told otherwise.
        history: events of an earlier run that are fed again first; a proposal or verdict that differs is an error.
        rules: what to check at every event.

    Returns:
        All events, those of `history` included.

    Raises:
        AssertionError: the strategy ran dry, or did something else than in `history`.
    """
    events: list[AskTell] = []
    pending: dict[int, Proposal] = {}
    programs = judgements = told = 0
    closing = False

    def tell(result: Outcome) -> None:
        nonlocal told
        verdicts = tuple(optimizer.tell(result))
        if rules is not None:
            rules.told(result, verdicts)
        told += 1
        events.append(Tell(result, verdicts))
        del pending[result.id]

    def took(used: float, proposal: Proposal) -> None:
        nonlocal programs, judgements, closing
        if rules is not None:
            rules.asked(proposal)
        events.append(Ask(used, proposal))
        if proposal.op.makes_program:
            closing = programs == steps
            programs += 1
        else:
            judgements += 1
            closing = judgements > JUDGEMENTS_PER_STEP * steps or (programs >= steps and proposal.op is not Op.DIAGNOSE)
        if not closing:
            pending[proposal.id] = proposal

    for event in history:
        if isinstance(event, Ask):
            again = optimizer.ask(event.used)
            assert again == event.proposal, f"resumed, it asks {again} where it had asked {event.proposal}"
            took(event.used, event.proposal)
        else:
            tell(event.outcome)
            assert events[-1] == event, f"resumed, it decides {events[-1]} where it had decided {event}"

    while True:
        while not closing and len(pending) < workers:
            used = math.floor(1000 * min(1.0, programs / steps)) / 1000
            proposal = optimizer.ask(used)
            if proposal is None:
                assert optimizer.ask(used) is None, "asked again after None, before any tell, it made a proposal"
                assert pending, f"dry: nothing is pending, {programs} of {steps} steps are used, and ask returned None"
                break
            took(used, proposal)
        if not pending:
            return events
        ids = sorted(pending)
        tell(outcome(pending[ids[pick(told, len(ids))]]))
