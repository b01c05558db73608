"""What a strategy knows and learns: the problem, outcomes, its verdicts; and nodes, as everything else reads them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from mlesearch.types.kinds import Context, Direction, Op, Status, VerdictKind
from mlesearch.types.proposals import Diagnosis, Hypothesis
from mlesearch.types.usage import Usage

if TYPE_CHECKING:
    import numpy as np

Rng: TypeAlias = "Callable[[int], np.random.Generator]"
"""A strategy's only randomness: the generator of one proposal id, the same at every call with that id."""


@dataclass(frozen=True, slots=True)
class Problem:
    """All that a strategy knows of the task.

    Attributes:
        direction: of the validation score.
        steps: the declared step budget; None where none is declared.
        context: SHARED: one rule for all strategies fills the context of their prompts. NATIVE: a strategy names in
            `Proposal.context` what its published system shows; one that has no such rule leaves it at None as ever.
        trial_runs: whether a program runs on a sample first, so that most bugs cost little.
    """

    direction: Direction
    steps: int | None = None
    context: Context = Context.SHARED
    trial_runs: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a proposal: all that a strategy may learn from. A test score is never part of it.

    Attributes:
        id: the proposal's.
        op: the proposal's.
        status: OK, or how it failed.
        score: validation score in the task's own units; a finite float exactly when a program is valid.
        plan: the plan that the reply stated, for a program.
        lesson: what the review (or, without one, the error's last frame) says was learned.
        diagnosis: DIAGNOSE's, when it was usable.
        hypotheses: HYPOTHESIZE's candidates, or the one that SELECT chose, embeddings attached.
        usage: of all its calls.
    """

    id: int
    op: Op
    status: Status
    score: float | None = None
    plan: str = ""
    lesson: str = ""
    diagnosis: Diagnosis | None = None
    hypotheses: tuple[Hypothesis, ...] = ()
    usage: Usage = field(default_factory=Usage)

    @property
    def valid(self) -> bool:
        """A program that ran, whose submission passed and whose validation score is finite."""
        return self.status is Status.OK and self.score is not None and math.isfinite(self.score)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A strategy's decision about a node, journaled so that selection can honour it."""

    node: int
    kind: VerdictKind
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A finished program proposal, as prompts, scope and selection read it.

    Attributes:
        output: head and tail of what the program printed, bounded, without paths of the host.
        hypothesis: the text of the hypothesis that it implements; empty where none was given.
        run_time_s: wall-clock seconds for which its program ran; None where that is not known.
        time_limit_s: the limit that it ran under, seconds; None where that is not known.
    """

    id: int
    op: Op
    base: int | None
    parents: tuple[int, ...]
    trace: int
    plan: str
    code: str
    status: Status
    score: float | None
    lesson: str
    output: str
    hypothesis: str = ""
    run_time_s: float | None = None
    time_limit_s: float | None = None

    @property
    def valid(self) -> bool:
        """Whether its validation score counts as one."""
        return self.status is Status.OK and self.score is not None and math.isfinite(self.score)
