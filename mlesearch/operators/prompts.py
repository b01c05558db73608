"""From a scene to messages: the blocks of a prompt in their order, and the operator set that renders and parses.

The instruction texts come from the prompt files (`library`). They depend on the operator, on the run's brief and
resources (the time limit in force among them), and on how the base ended, never on guidance or on the strategy, so that
two strategies that ask the same of the same program send the same prompt. What repeats is rendered once: head and
instructions in a process, the blocks of each node in a run.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import TypeVar

from mlesearch.models.markup import block, plain
from mlesearch.models.protocol import Message
from mlesearch.operators import library, parse
from mlesearch.operators.attempts import (
    OUTPUT_CHARS,
    OUTPUT_CHARS_SHORT,
    Attempts,
    diff_block,
    score_text,
)
from mlesearch.operators.base import Brief, Parsed, Resources, Scene
from mlesearch.operators.durations import duration, run_time
from mlesearch.operators.scene import resource_values, resources_text, time_left_text
from mlesearch.operators.scope import AideScope, AiraScope, Capped
from mlesearch.operators.syntax import SyntaxJudge, fault_here
from mlesearch.types import Direction, Guidance, GuidanceKind, Node, Op, Status

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_HEADS = 128
"""How many fixed parts of prompts are kept in a process, for all its runs: one each task and declared resources."""

_LIMITS = 256
"""How many openings, and how many instructions, of one head are kept: each time limit in force has its own."""

_GUIDANCE = 1024
"""How many blocks of guidance are kept: what a strategy remembers stands in one prompt after the other."""

_CUES = frozenset({"simple", "normal", "complex"})

_TIMED = frozenset({GuidanceKind.MEMORY, GuidanceKind.HISTORY, GuidanceKind.DIAGNOSIS, GuidanceKind.CANDIDATE})
"""Guidance that tells of a program that has run: it shows the run time of the node that it names."""


class Head:
    """What is the same in prompts of one run, by operator, time limit in force and budget left."""

    def __init__(self, brief: Brief, resources: Resources) -> None:
        """Render what is the same in all of them; the rest is rendered when it is asked for first."""
        self.resources = resources
        self._values = {"metric": brief.metric, "direction": brief.direction, "modality": brief.modality}
        b = brief
        data = "\n\n".join(text for text in (b.preview, b.eda and f"Findings about the data:\n{b.eda}") if text)
        self._before = (
            block("task", b.description, id=b.task_id, title=b.title, metric=b.metric, direction=b.direction),
            block("data", data) if data else "",
        )
        self._contract = block("contract", b.contract)
        self._opening: dict[tuple[int, float, str], str] = {}
        self._instructions: dict[tuple[Op, bool, str, float, str], tuple[Message, str]] = {}

    def opening(self, budget_left: int, limit_s: float, left: str) -> str:
        """The blocks task, data, resources and contract.

        Args:
            budget_left: of the whole search, in tenths.
            limit_s: time limit in force.
            left: time left of the whole search, in words.
        """
        key = (budget_left, limit_s, left)
        found = self._opening.get(key)
        if found is None:
            resources = block("resources", resources_text(self.resources, budget_left, limit_s, left))
            found = "\n\n".join(p for p in (*self._before, resources, self._contract) if p)
            _keep(self._opening, key, found)
        return found

    def instructions(self, op: Op, has_base: bool, status: str, limit_s: float, cut_at: str) -> tuple[Message, str]:
        """The system message, and the blocks job and reply_format.

        Args:
            op: the operator.
            has_base: whether there is a program to start from or to compare with.
            status: of the program to repair; empty for other operators.
            limit_s: time limit in force.
            cut_at: the limit at which the program to repair was killed, in words; empty where it was not.
        """
        key = (op, has_base, status, limit_s, cut_at)
        found = self._instructions.get(key)
        if found is None:
            values = {
                **self._values,
                **resource_values(self.resources, limit_s),
                "has_base": has_base,
                "status": status,
                "cut_at": cut_at,
            }
            system, job, reply = (
                library.render_part(op.value, part, values) for part in ("system", "job", "reply_format")
            )
            closing = f"{block('job', job, op=op.value)}\n\n{block('reply_format', reply)}"
            found = (Message("system", system), closing)
            _keep(self._instructions, key, found)
        return found


@dataclass(frozen=True, slots=True)
class _Declared:
    """Resources as a value that can be looked up."""

    program_time_s: float
    memory_bytes: int
    cpu_count: int
    gpu: str
    packages: tuple[tuple[str, str], ...]
    weights: str

    @staticmethod
    def of(r: Resources) -> _Declared:
        return _Declared(r.program_time_s, r.memory_bytes, r.cpu_count, r.gpu, tuple(r.packages.items()), r.weights)


@lru_cache(maxsize=_HEADS)
def _shared_head(brief: Brief, declared: _Declared) -> Head:
    d = declared
    return Head(brief, Resources(d.program_time_s, d.memory_bytes, d.cpu_count, d.gpu, dict(d.packages), d.weights))


def _keep(store: dict[K, V], key: K, value: V) -> None:
    if len(store) >= _LIMITS:
        store.clear()
    store[key] = value


class PromptOperators:
    """The operators of a run, the same object for all its proposals."""

    def __init__(self, scope: Capped, attempts: Attempts) -> None:
        """Args: scope: caps what a prompt shows; attempts: the store shared with it."""
        self._scope = scope
        self._attempts = attempts
        self._head: tuple[Brief, Resources, Head] | None = None
        self._cues: dict[str, str] = {}
        self._judge: SyntaxJudge = fault_here

    def render(self, scene: Scene) -> tuple[Message, ...]:
        """The prompt of a proposal: a system message and one user message, a function of the scene byte for byte.

        Raises:
            ValueError: the operator is REVIEW, which has a method of its own.
        """
        p = scene.proposal
        if p.op is Op.REVIEW:
            raise ValueError("a review is rendered by render_review")
        base = None if p.base is None else scene.nodes[p.base]
        subject = None if p.subject is None else scene.nodes[p.subject]
        shown = [scene.nodes[i] for i in self._scope.cap(p.op, scene.context, scene.nodes)]
        parts: list[str] = []
        if p.op is not Op.MERGE:
            text = self._attempts.text
            parts += [text(node) for node in shown]
        if p.op is Op.DIAGNOSE:
            parts += self._diagnosed(base, subject, shown)
        elif base is not None:
            parts.append(self._attempts.program(base, "base"))
            limit = OUTPUT_CHARS if p.op is Op.DEBUG else OUTPUT_CHARS_SHORT
            parts.append(self._attempts.output(base, "base", limit))
        if p.op is Op.MERGE:
            parts += [self._attempts.program(node, "other") for node in shown if node is not base]
        parts += [_guidance_block(g, scene.nodes) for g in _guidance(scene, subject)]
        if scene.cue and p.op in {Op.DRAFT, Op.IMPROVE}:
            parts.append(self._cue(scene.cue))
        return self._messages(scene, p.op, base, parts)

    def render_review(self, scene: Scene, subject: Node) -> tuple[Message, ...]:
        """The prompt of the engine's review of an executed program.

        It shows the attempt blocks of the program that was edited and of the subject, so that the lesson can compare
        scores and plans, and the subject's program and output. Guidance is left out: a review is blind to the strategy.
        """
        base = None if subject.base is None else scene.nodes.get(subject.base)
        parts = [self._attempts.text(base)] if base is not None else []
        parts += [
            self._attempts.text(subject),
            self._attempts.program(subject, "subject"),
            self._attempts.output(subject, "subject", OUTPUT_CHARS),
        ]
        return self._messages(scene, Op.REVIEW, base, parts)

    def parse(self, op: Op, text: str) -> Parsed:
        """Read a reply.

        Raises:
            ReplyUnusable: says what was missing.
        """
        return parse.parse(op, text, self._judge)

    def judge_with(self, judge: SyntaxJudge) -> None:
        """From now on this decides whether a program compiles, in place of this process' Python."""
        self._judge = judge

    def repair(self, messages: Sequence[Message], reply: str, problem: str) -> tuple[Message, ...]:
        """The conversation that asks for the same answer in a usable form."""
        said = plain(reply) if reply.strip() else "(an empty reply)"
        request = plain(library.render("repair", {"problem": problem.strip()}))
        return (*messages, Message("assistant", said), Message("user", request))

    def digests(self) -> Mapping[str, str]:
        """sha256 of each prompt file, and of the layout's version, for the run's identity."""
        return library.digests()

    def _diagnosed(self, base: Node | None, subject: Node | None, shown: Sequence[Node]) -> Iterable[str]:
        if subject is None:
            raise ValueError("a DIAGNOSE proposal names its subject")
        if subject not in shown:
            yield self._attempts.text(subject)
        yield self._attempts.program(subject, "subject")
        yield self._attempts.output(subject, "subject", OUTPUT_CHARS)
        if base is not None:
            yield diff_block(base, subject)
            yield self._attempts.program(base, "base")
            yield self._attempts.output(base, "base", OUTPUT_CHARS)

    def _cue(self, level: str) -> str:
        found = self._cues.get(level)
        if found is None:
            if level not in _CUES:
                raise ValueError(f"unknown cue {level!r}; known: simple, normal, complex")
            found = self._cues[level] = block("cue", library.render("cue", {"level": level}), level=level)
        return found

    def _head_of(self, brief: Brief, resources: Resources) -> Head:
        known = self._head
        if known is None or known[0] is not brief or known[1] is not resources:
            known = self._head = (brief, resources, _shared_head(brief, _Declared.of(resources)))
        return known[2]

    def _messages(self, scene: Scene, op: Op, base: Node | None, parts: list[str]) -> tuple[Message, ...]:
        head = self._head_of(scene.brief, scene.resources)
        limit_s = scene.resources.program_time_s if scene.limit_s is None else scene.limit_s
        status = base.status if base is not None and op is Op.DEBUG else ""
        cut_at_s = base.time_limit_s if base is not None and status is Status.TIMEOUT else None
        cut_at = "" if cut_at_s is None else duration(cut_at_s)
        system, closing = head.instructions(op, base is not None, str(status), limit_s, cut_at)
        opening = head.opening(scene.budget_left, limit_s, time_left_text(scene.time_left_s))
        blocks = (opening, *parts, closing)
        return (system, Message("user", "\n\n".join(blocks), blocks))


def _guidance(scene: Scene, subject: Node | None) -> Sequence[Guidance]:
    """The proposal's guidance; a diagnosis of a program that tested a hypothesis shows it in any case."""
    given = scene.proposal.guidance
    if subject is None or not subject.hypothesis or scene.proposal.op is not Op.DIAGNOSE:
        return given
    if any(g.kind is GuidanceKind.HYPOTHESIS for g in given):
        return given
    return (Guidance(GuidanceKind.HYPOTHESIS, subject.hypothesis, node=subject.id), *given)


def _guidance_block(g: Guidance, nodes: Mapping[int, Node]) -> str:
    node = nodes.get(g.node) if g.node is not None and g.kind in _TIMED else None
    return _block_of(g, run_time(node) if node is not None else None)


@lru_cache(maxsize=_GUIDANCE)
def _block_of(g: Guidance, took: str | None) -> str:
    ratings = {} if g.ratings is None else {f.name: f"{getattr(g.ratings, f.name):g}" for f in fields(g.ratings)}
    return block(
        "guidance",
        _guidance_text(g),
        kind=g.kind.value,
        node=g.node,
        score=score_text(g.score),
        gain=None if g.gain is None else f"{g.gain:+.6g}",
        component=g.component.value if g.component is not None else None,
        problem_kind=g.problem_kind.value if g.problem_kind is not None else None,
        **ratings,
        verdict=g.verdict.value if g.verdict is not None else None,
        run_time=took,
    )


def _guidance_text(g: Guidance) -> str:
    """The text alone, or, where more is known of an idea, each part on lines of its own under its name."""
    if not (g.problem or g.changes or g.finding):
        return g.text
    named = (("Problem", g.problem), ("Hypothesis", g.text), ("Changes", g.changes), ("Finding", g.finding))
    return "\n".join(f"{name}: {text.strip()}" for name, text in named if text.strip())


def aide(direction: Direction, context_tokens: int) -> tuple[PromptOperators, AideScope]:
    """The operator set `aide`: one run's operators with the scope rule of AIDE."""
    attempts = Attempts()
    scope = AideScope(direction, context_tokens, attempts)
    return PromptOperators(scope, attempts), scope


def aira(direction: Direction, context_tokens: int) -> tuple[PromptOperators, AiraScope]:
    """The operator set `aira`: one run's operators with the scope rule of AIRA-dojo."""
    attempts = Attempts()
    scope = AiraScope(direction, context_tokens, attempts)
    return PromptOperators(scope, attempts), scope
