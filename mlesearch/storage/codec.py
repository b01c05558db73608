"""JSON of the nouns: what a journal line holds of a proposal, an outcome, an execution.

Fields at their defaults are left out, so that a line is short and a field added later reads as its default in an
old journal. Embeddings never stand in a line: they lie in a blob that the *embedded* event names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from mlesearch.storage.nouns import (
    CapturedJson,
    DiagnosisJson,
    GuidanceJson,
    HypothesisJson,
    OutcomeJson,
    OutputJson,
    ProposalJson,
    ResultJson,
    UsageJson,
    VerdictJson,
)
from mlesearch.types import (
    Artefact,
    Captured,
    Component,
    Diagnosis,
    Embedding,
    ExecResult,
    ExecStatus,
    Guidance,
    GuidanceKind,
    Hypothesis,
    HypothesisScores,
    Op,
    Outcome,
    ProblemKind,
    Proposal,
    Status,
    Usage,
    Verdict,
    VerdictKind,
)

Json = dict[str, Any]
"""A JSON object of which nothing is known: what plug-ins and stores hold. What a run writes has a type of its own."""


def _encoder() -> Callable[[object], str]:
    """`json.JSONEncoder.encode` makes a new encoder in C at each call; here one serves them all, where there is one."""
    plain = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return plain.encode
    text = json.encoder.encode_basestring
    encode = make(None, plain.default, text, None, plain.key_separator, plain.item_separator, False, False, False)
    return lambda value: "".join(encode(value, 0))


dumps = _encoder()
"""The one form of JSON on disk: no spaces, keys in the order in which they were put in, no NaN."""

_USAGE = (
    "calls",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nusd",
    "service_us",
    "wait_us",
    "lost_nusd",
)


def usage_to_json(u: Usage) -> UsageJson:
    """A usage without its zeros; an unknown cost is null."""
    return cast("UsageJson", {k: v for k in _USAGE if (v := getattr(u, k)) != 0})


def usage_from_json(d: UsageJson) -> Usage:
    """Inverse of `usage_to_json`."""
    return Usage(**d)


def guidance_to_json(g: Guidance) -> GuidanceJson:
    """One piece of guidance."""
    d: GuidanceJson = {"kind": g.kind.value, "text": g.text}
    if g.node is not None:
        d["node"] = g.node
    if g.score is not None:
        d["score"] = g.score
    if g.component is not None:
        d["component"] = g.component.value
    if g.verdict is not None:
        d["verdict"] = g.verdict.value
    if g.problem:
        d["problem"] = g.problem
    if g.problem_kind is not None:
        d["problem_kind"] = g.problem_kind.value
    if g.ratings is not None:
        d["ratings"] = ratings_to_json(g.ratings)
    if g.gain is not None:
        d["gain"] = g.gain
    if g.changes:
        d["changes"] = g.changes
    if g.finding:
        d["finding"] = g.finding
    return d


def guidance_from_json(d: GuidanceJson) -> Guidance:
    """Inverse of `guidance_to_json`."""
    return Guidance(
        GuidanceKind(d["kind"]),
        d["text"],
        d.get("node"),
        d.get("score"),
        Component(d["component"]) if "component" in d else None,
        VerdictKind(d["verdict"]) if "verdict" in d else None,
        d.get("problem", ""),
        ProblemKind(d["problem_kind"]) if "problem_kind" in d else None,
        HypothesisScores(*d["ratings"]) if "ratings" in d else None,
        d.get("gain"),
        d.get("changes", ""),
        d.get("finding", ""),
    )


def proposal_to_json(p: Proposal) -> ProposalJson:
    """A proposal; its id and operator always stand first."""
    d: ProposalJson = {"id": p.id, "op": p.op.value}
    if p.base is not None:
        d["base"] = p.base
    if p.subject is not None:
        d["subject"] = p.subject
    if p.parents:
        d["parents"] = p.parents
    if p.context is not None:
        d["context"] = p.context
    if p.guidance:
        d["guidance"] = [guidance_to_json(g) for g in p.guidance]
    if p.trace:
        d["trace"] = p.trace
    return d


def proposal_from_json(d: ProposalJson) -> Proposal:
    """Inverse of `proposal_to_json`."""
    return Proposal(
        d["id"],
        Op(d["op"]),
        d.get("base"),
        d.get("subject"),
        tuple(d.get("parents", ())),
        tuple(d["context"]) if "context" in d else None,
        tuple(guidance_from_json(g) for g in d.get("guidance", ())),
        d.get("trace", 0),
    )


def diagnosis_to_json(x: Diagnosis) -> DiagnosisJson:
    """A diagnosis, field for field."""
    return cast("DiagnosisJson", {name: getattr(x, name) for name in Diagnosis.__dataclass_fields__})


def ratings_to_json(s: HypothesisScores) -> list[float]:
    """The five scores of a hypothesis: alignment, impact, novelty, feasibility, risk."""
    return [s.alignment, s.impact, s.novelty, s.feasibility, s.risk]


def hypothesis_to_json(h: Hypothesis) -> HypothesisJson:
    """A hypothesis without its embedding."""
    return {
        "text": h.text,
        "problem": h.problem,
        "problem_kind": h.problem_kind.value,
        "component": h.component.value,
        "scores": ratings_to_json(h.scores),
    }


def hypothesis_from_json(d: HypothesisJson, embedding: Embedding | None = None) -> Hypothesis:
    """Inverse of `hypothesis_to_json`, with its embedding back in place."""
    return Hypothesis(
        d["text"],
        d["problem"],
        ProblemKind(d["problem_kind"]),
        Component(d["component"]),
        HypothesisScores(*d["scores"]),
        embedding,
    )


def outcome_to_json(o: Outcome) -> OutcomeJson:
    """An outcome without its id (the event has it) and without embeddings."""
    d = cast("OutcomeJson", {"op": o.op.value, "status": o.status.value})  # its usage stands last
    if o.score is not None:
        d["score"] = o.score
    if o.plan:
        d["plan"] = o.plan
    if o.lesson:
        d["lesson"] = o.lesson
    if o.diagnosis is not None:
        d["diagnosis"] = diagnosis_to_json(o.diagnosis)
    if o.hypotheses:
        d["hypotheses"] = [hypothesis_to_json(h) for h in o.hypotheses]
    d["usage"] = usage_to_json(o.usage)
    return d


def outcome_from_json(id: int, d: OutcomeJson, embeddings: Sequence[Embedding] = ()) -> Outcome:
    """Inverse of `outcome_to_json`; `embeddings` are those of its hypotheses, in order, or none."""
    found = d.get("hypotheses", ())
    vectors: Sequence[Embedding | None] = embeddings or [None] * len(found)
    return Outcome(
        id,
        Op(d["op"]),
        Status(d["status"]),
        d.get("score"),
        d.get("plan", ""),
        d.get("lesson", ""),
        Diagnosis(**d["diagnosis"]) if "diagnosis" in d else None,
        tuple(hypothesis_from_json(h, v) for h, v in zip(found, vectors, strict=True)),
        usage_from_json(d["usage"]),
    )


def verdict_to_json(v: Verdict) -> VerdictJson:
    """A verdict."""
    return {"node": v.node, "kind": v.kind.value, "reason": v.reason}


def verdict_from_json(d: VerdictJson) -> Verdict:
    """Inverse of `verdict_to_json`."""
    return Verdict(d["node"], VerdictKind(d["kind"]), d["reason"])


def _captured_to_json(c: Captured) -> CapturedJson:
    return {"head": c.head, "tail": c.tail, "bytes_seen": c.bytes_seen}


def result_to_json(r: ExecResult) -> ResultJson:
    """An execution without its output (see `output_to_json`) and without paths of the host."""
    d: ResultJson = {
        "status": r.status.value,
        "wall_us": r.wall_us,
        "cpu_us": r.cpu_us,
        "peak_bytes": r.peak_memory_bytes,
    }
    if r.exit_code is not None:
        d["exit"] = r.exit_code
    if r.signal is not None:
        d["signal"] = r.signal
    if r.reason:
        d["reason"] = r.reason
    if r.gpu_us or r.gpu_wait_us:
        d["gpu_us"], d["gpu_wait_us"] = r.gpu_us, r.gpu_wait_us
    if r.gpu_wait_charged:
        d["gpu_wait_charged"] = True
    if r.artefacts:
        d["artefacts"] = [(a.name, a.size_bytes, a.problem) for a in r.artefacts.values()]
    return d


def output_to_json(r: ExecResult) -> OutputJson | None:
    """Both streams of an execution; None when it printed nothing."""
    if not r.stdout.bytes_seen and not r.stderr.bytes_seen:
        return None
    return {"stdout": _captured_to_json(r.stdout), "stderr": _captured_to_json(r.stderr)}


def result_from_json(
    d: ResultJson, output: OutputJson | None, outbox: Path, promises: tuple[str, ...] = ()
) -> ExecResult:
    """Inverse of `result_to_json` and `output_to_json`; artefacts are looked for in `outbox`."""
    artefacts = {}
    for name, size, problem in d.get("artefacts", ()):
        path = outbox / name
        artefacts[name] = Artefact(name, None if problem else path, size, problem)
    return ExecResult(
        ExecStatus(d["status"]),
        d.get("exit"),
        d.get("signal"),
        d["wall_us"],
        d["cpu_us"],
        d["peak_bytes"],
        Captured(**output["stdout"]) if output else Captured(),
        Captured(**output["stderr"]) if output else Captured(),
        d.get("reason", ""),
        artefacts,
        promises,
        d.get("gpu_us", 0),
        d.get("gpu_wait_us", 0),
        d.get("gpu_wait_charged", False),
    )
