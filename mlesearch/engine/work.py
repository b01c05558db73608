"""The kinds of blocking work that an engine hands to its workers, and what each of them is answered with.

A proposal needs calls, embeddings, sample runs and executions; the choice at the end of a run may need reruns, and its
submission a run on the full data. What becomes of an answer (what it charges, which event of the journal it is) is the
engine's business, not the work's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from mlesearch.engine.scoring import Scorer
from mlesearch.models.protocol import EmbedReply, EmbedRequest, Model, Reply, Request
from mlesearch.sandbox.protocol import Spec
from mlesearch.storage.events import CallKind
from mlesearch.types import ExecResult, ExecStatus, MlesearchError, Status


@dataclass(frozen=True, slots=True)
class SampleResult:
    """What a sample run did.

    Attributes:
        result: of the execution; what its submission is worth counts for nothing.
        problem: why it is not passed: what ended it, or what is wrong with the form of its submission; empty where it
            is passed.
    """

    result: ExecResult
    problem: str = ""

    @property
    def status(self) -> Status:
        """OK where it is passed; else how it failed, and with it the proposal."""
        if self.result.status is not ExecStatus.OK:
            return Status(self.result.status.value)
        return Status.INVALID_SUBMISSION if self.problem else Status.OK


Result = Reply | EmbedReply | ExecResult | SampleResult
"""What work is answered with."""

StageKey = tuple[str, int]
"""Which piece of work on a program: the type of the event that ends it, and the attempt."""

R = TypeVar("R", Reply, EmbedReply, ExecResult, SampleResult)


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
class SampleRun:
    """The program of a proposal on a sample of the data, before it runs in full; answered with a `SampleResult`.

    Attributes:
        proposal: whose program it is.
        program: its text.
        limit_s: what it may take.
    """

    proposal: int
    program: str
    limit_s: float

    @property
    def stage(self) -> StageKey:
        """See `StageKey`."""
        return ("sample_run", 0)


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


@dataclass(frozen=True, slots=True)
class FullRun:
    """A chosen program once more, on the full data of a task whose search sees a part; answered with an `ExecResult`.

    Attributes:
        node: whose program it is.
        program: its text.
    """

    node: int
    program: str

    @property
    def stage(self) -> StageKey:
        """See `StageKey`."""
        return ("full_run", 0)


TrialWork = Call | Embed | Execute | SampleRun
"""What a proposal needs."""

Work = TrialWork | Rerun | FullRun
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
    if isinstance(result, SampleResult):
        return result.result.charged_us
    return result.charged_us if isinstance(result, ExecResult) else result.usage.service_us
