"""The nouns of `mlesearch.types` as JSON: what `mlesearch.storage.codec` writes and reads, key by key.

A key that may be absent is at its default then, so that a line is short and a field added later reads as its default
in an old journal. Lists are written from tuples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NotRequired, TypedDict, final

MEASURED = "measured"
Measured = Annotated[int, MEASURED]
"""A measured duration in microseconds, or a measured peak of memory in bytes: it may differ between two equal runs."""


@final
class UsageJson(TypedDict, total=False):
    """What calls cost, without its zeros; a cost of null is unknown."""

    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_nusd: int | None
    service_us: Measured
    wait_us: Measured
    lost_nusd: int


@final
class GuidanceJson(TypedDict):
    """One piece of guidance; `ratings` are in the order of the scores of a hypothesis."""

    kind: str
    text: str
    node: NotRequired[int]
    score: NotRequired[float]
    component: NotRequired[str]
    verdict: NotRequired[str]
    problem: NotRequired[str]
    problem_kind: NotRequired[str]
    ratings: NotRequired[list[float]]
    gain: NotRequired[float]
    changes: NotRequired[str]
    finding: NotRequired[str]


@final
class ProposalJson(TypedDict):
    """A proposal; its id and operator always stand first."""

    id: int
    op: str
    base: NotRequired[int]
    subject: NotRequired[int]
    parents: NotRequired[Sequence[int]]
    context: NotRequired[Sequence[int]]
    guidance: NotRequired[list[GuidanceJson]]
    trace: NotRequired[int]


@final
class DiagnosisJson(TypedDict):
    """A diagnosis, field for field."""

    format_valid: bool
    severely_misaligned: bool
    changes: str
    observations: str
    hypothesis_supported: bool | None
    quality_better: bool
    replace: bool
    reason: str


@final
class HypothesisJson(TypedDict):
    """A hypothesis without its embedding; its scores in the order alignment, impact, novelty, feasibility, risk."""

    text: str
    problem: str
    problem_kind: str
    component: str
    scores: list[float]


@final
class OutcomeJson(TypedDict):
    """An outcome without its id, which its event has, and without embeddings."""

    op: str
    status: str
    score: NotRequired[float]
    plan: NotRequired[str]
    lesson: NotRequired[str]
    diagnosis: NotRequired[DiagnosisJson]
    hypotheses: NotRequired[list[HypothesisJson]]
    usage: UsageJson


@final
class VerdictJson(TypedDict):
    """A strategy's decision about a node."""

    node: int
    kind: str
    reason: str


@final
class CapturedJson(TypedDict):
    """One output stream: head and tail, and the bytes there were in all."""

    head: str
    tail: str
    bytes_seen: int


@final
class OutputJson(TypedDict):
    """Both output streams of an execution."""

    stdout: CapturedJson
    stderr: CapturedJson


@final
class ResultJson(TypedDict):
    """An execution without its output and without paths of the host; an artefact is its name, bytes and problem."""

    status: str
    wall_us: Measured
    cpu_us: Measured
    peak_bytes: Measured
    exit: NotRequired[int]
    signal: NotRequired[int]
    reason: NotRequired[str]
    gpu_us: NotRequired[Measured]
    gpu_wait_us: NotRequired[Measured]
    gpu_wait_charged: NotRequired[bool]
    artefacts: NotRequired[list[tuple[str, int, str]]]
