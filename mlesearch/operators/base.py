"""What an operator is: it renders a prompt from a scene and parses the reply. No I/O, no clock, no randomness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mlesearch.models.protocol import Message
from mlesearch.types import Diagnosis, Hypothesis, Node, Op, Proposal


@dataclass(frozen=True, slots=True)
class Brief:
    """The fixed part of every prompt of a run.

    Attributes:
        task_id: e.g. "rentals".
        title: for the reader.
        description: the task's own text (markdown).
        metric: its name.
        direction: "maximize" or "minimize".
        preview: of the data: file tree and column statistics, bounded.
        contract: what a program must read, write and print, by the task's validation mode.
        eda: findings about the data that the task brings; empty where it brings none.
        modality: of the data: "tabular", "image", "text" or "audio".
    """

    task_id: str
    title: str
    description: str
    metric: str
    direction: str
    preview: str
    contract: str
    eda: str = ""
    modality: str = "tabular"


@dataclass(frozen=True, slots=True)
class Resources:
    """What the run declares; nothing else of the host is ever shown to a model.

    Attributes:
        program_time_s: declared time limit of a program; the one in force is the scene's.
    """

    program_time_s: float
    memory_bytes: int
    cpu_count: int
    gpu: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)
    weights: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """All that one prompt may show.

    Attributes:
        brief: the task.
        resources: declared.
        proposal: what is asked.
        nodes: every finished program by proposal id (looked up by the ids that the proposal and the scope name).
        context: ids shown as earlier attempts, in the order shown: the proposal's own, or the scope rule's.
        cue: complexity cue of the scope rule ("simple", "normal", "complex"; empty: none).
        budget_left: coarse, in tenths from 0 to 10.
        limit_s: time limit in force for the program of this proposal, seconds; None: the declared one.
        time_left_s: charged seconds left of the search, which are shown coarsely; None: no time budget is declared.
    """

    brief: Brief
    resources: Resources
    proposal: Proposal
    nodes: Mapping[int, Node]
    context: tuple[int, ...] = ()
    cue: str = ""
    budget_left: int = 10
    limit_s: float | None = None
    time_left_s: float | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a reply held, by operator: a plan and a program; or a diagnosis; or hypotheses; or a review's lesson.

    `unclosed` tells that the reply ends within the program's block: where it ended at its length limit, the program is
    taken for cut off.
    """

    plan: str = ""
    code: str = ""
    diagnosis: Diagnosis | None = None
    hypotheses: tuple[Hypothesis, ...] = ()
    lesson: str = ""
    is_bug: bool | None = None
    unclosed: bool = False


class Scope(Protocol):
    """The rule that fills a prompt's context and complexity cue, the same for every strategy."""

    def add(self, node: Node) -> None:
        """Learn of a finished program. Amortised cost must not grow with the number of nodes."""
        ...

    def context(self, proposal: Proposal, nodes: Mapping[int, Node]) -> tuple[int, ...]:
        """Ids of the earlier attempts to show, capped by the token budget, best and newest first."""
        ...

    def cue(self, proposal: Proposal) -> str:
        """The complexity cue of a draft or an improvement."""
        ...


class Operators(Protocol):
    """The operator set of a run: one object for all strategies."""

    def render(self, scene: Scene) -> tuple[Message, ...]:
        """The prompt of a proposal: a function of the scene, byte for byte."""
        ...

    def render_review(self, scene: Scene, subject: Node) -> tuple[Message, ...]:
        """The prompt of the engine's review of an executed program."""
        ...

    def parse(self, op: Op, text: str) -> Parsed:
        """Read a reply.

        Raises:
            ReplyUnusable: says what was missing.
        """
        ...

    def repair(self, messages: Sequence[Message], reply: str, problem: str) -> tuple[Message, ...]:
        """The conversation that asks for the same answer in a usable form."""
        ...

    def digests(self) -> Mapping[str, str]:
        """sha256 of each prompt file, for the run's identity."""
        ...
