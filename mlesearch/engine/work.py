"""The four kinds of blocking work that an engine hands to its workers, and what each of them is answered with.

A proposal needs calls, embeddings and executions; the choice at the end of a run may need reruns. What becomes of an
answer (what it charges, which event of the journal it is) is the engine's business, not the work's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from mlesearch.engine.scoring import Scorer
from mlesearch.models.protocol import EmbedReply, EmbedRequest, Model, Reply, Request
from mlesearch.sandbox.protocol import Spec
from mlesearch.storage.events import CallKind
from mlesearch.types import ExecResult, MlesearchError

Result = Reply | EmbedReply | ExecResult
"""What work is answered with."""

StageKey = tuple[str, int]
"""Which piece of work on a program: the type of the event that ends it, and the attempt."""

R = TypeVar("R", Reply, EmbedReply, ExecResult)


class BudgetSpent(MlesearchError):
    """The next piece of work fits no more into the budget: thrown into a trial in place of an answer."""


@dataclass(frozen=True, slots=True)
class Call:
    """One model call, answered with a `Reply`. `kind` is the event it becomes: reply or review."""

    kind: CallKind
    request: Request
    model: Model

    @property
    def stage(self) -> StageKey:
        """See `StageKey`."""
        return (self.kind, self.request.address.attempt)


@dataclass(frozen=True, slots=True)
class Embed:
    """Vectors of a proposal's hypotheses, answered with an `EmbedReply`."""

    request: EmbedRequest

    @property
    def stage(self) -> StageKey:
        """See `StageKey`."""
        return ("embedded", 0)


@dataclass(frozen=True, slots=True)
class Execute:
    """The program of a proposal in the sandbox, answered with an `ExecResult`."""

    proposal: int
    program: str

    @property
    def stage(self) -> StageKey:
        """See `StageKey`."""
        return ("executed", 0)


@dataclass(frozen=True, slots=True)
class Rerun:
    """A finished program once more, on a fresh validation split; answered with an `ExecResult`.

    Attributes:
        node: whose program it is.
        split: seed of the split.
        program: its text.
        spec: what it runs in.
        scorer: what scores it there.
    """

    node: int
    split: int
    program: str
    spec: Spec
    scorer: Scorer

    @property
    def stage(self) -> StageKey:
        """See `StageKey`; the attempt is the split."""
        return ("revalidated", self.split)


TrialWork = Call | Embed | Execute
"""What a proposal needs."""

Work = TrialWork | Rerun
"""All that a worker is ever given."""


def expect(kind: type[R], answer: object) -> R:
    """An answer, if it is of the kind that the work is answered with.

    Raises:
        TypeError: it is of another kind.
    """
    if not isinstance(answer, kind):
        raise TypeError(f"work that ends with a {kind.__name__} was answered with a {type(answer).__name__}")
    return answer


def charged_us(result: Result) -> int:
    """What a piece of work charges to its worker's timeline, microseconds."""
    return result.charged_us if isinstance(result, ExecResult) else result.usage.service_us
