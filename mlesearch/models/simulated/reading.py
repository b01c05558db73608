"""What the engineer gets out of a prompt: only what stands in the messages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from mlesearch.models import markup
from mlesearch.models.protocol import Message
from mlesearch.models.simulated.spaces import Edit, Pipeline, Recognised, Space, recognise
from mlesearch.types import Op, VerdictKind

_IDEAS = frozenset({"hypothesis", "candidate", "memory", "history"})
_HYPOTHESIS = re.compile(r"^Hypothesis: (.*?)(?=\n(?:Changes|Finding): |\Z)", re.MULTILINE | re.DOTALL)
_FINDING = re.compile(r"^Finding: (.*)\Z", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class ShownProgram:
    """A program that the prompt shows: how it ended, and what it is (None where the engineer can't read it)."""

    status: str
    score: str
    known: Recognised | None


@dataclass(frozen=True, slots=True)
class Hint:
    """One piece of guidance.

    Attributes:
        text: what it says; of an idea the hypothesis alone.
        verdict: of an experiment; empty where none is told, as are the next three.
        score: of an experiment.
        gain: of an experiment, signed.
        node: the program that it is about.
        body: all that it says.
    """

    text: str
    verdict: str = ""
    score: str = ""
    gain: str = ""
    node: str = ""
    body: str = ""

    @property
    def finding(self) -> str:
        """What an experiment taught; empty where that is not told."""
        found = _FINDING.search(self.body)
        return "" if found is None else found[1]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt, read.

    Attributes:
        op: the job; None where the messages hold none.
        task: id of the task.
        base: the program to start from or to compare with.
        subject: the program to judge.
        others: further programs, to be merged.
        attempts: texts of the earlier attempts.
        outputs: what programs printed, by role.
        guidance: by kind.
        cue: "simple", "normal", "complex" or empty.
    """

    op: Op | None = None
    task: str = ""
    base: ShownProgram | None = None
    subject: ShownProgram | None = None
    others: tuple[ShownProgram, ...] = ()
    attempts: tuple[str, ...] = ()
    outputs: dict[str, str] = field(default_factory=dict)
    guidance: dict[str, tuple[Hint, ...]] = field(default_factory=dict)
    cue: str = ""

    def hints(self, kind: str) -> tuple[Hint, ...]:
        """The guidance of one kind, in order."""
        return self.guidance.get(kind, ())


def _program(block: markup.Block) -> ShownProgram:
    codes = markup.fenced_python(block.body)
    known = recognise(codes[0].rstrip()) if codes else None
    return ShownProgram(block.attrs.get("status", ""), block.attrs.get("score", ""), known)


def _hypothesis(kind: str, body: str) -> str:
    """The hypothesis of an idea whose problem, changes and finding are shown beside it."""
    found = _HYPOTHESIS.search(body) if kind in _IDEAS else None
    return body if found is None else found[1]


def read(messages: Sequence[Message]) -> Prompt:
    """Read the newest user message that holds a job (a repair turn after it holds none)."""
    for message in reversed(messages):
        if message.role == "user" and "<job" in message.content:
            return _read(message.content)
    return Prompt()


def _read(text: str) -> Prompt:
    op: Op | None = None
    task = cue = ""
    programs: dict[str, list[ShownProgram]] = {}
    attempts: list[str] = []
    outputs: dict[str, str] = {}
    guidance: dict[str, tuple[Hint, ...]] = {}
    for block in markup.blocks(text):
        match block.tag:
            case "job":
                name = block.attrs.get("op", "")
                op = Op(name) if name in {o.value for o in Op} else None
            case "task":
                task = block.attrs.get("id", "")
            case "program":
                programs.setdefault(block.attrs.get("role", ""), []).append(_program(block))
            case "output":
                outputs[block.attrs.get("role", "")] = block.body
            case "attempt":
                attempts.append(block.body)
            case "guidance":
                kind = block.attrs.get("kind", "")
                told = {name: block.attrs.get(name, "") for name in ("verdict", "score", "gain", "node")}
                hint = Hint(_hypothesis(kind, block.body), **told, body=block.body)
                guidance[kind] = (*guidance.get(kind, ()), hint)
            case "cue":
                cue = block.attrs.get("level", "")
    return Prompt(
        op,
        task,
        next(iter(programs.get("base", ())), None),
        next(iter(programs.get("subject", ())), None),
        tuple(programs.get("other", ())),
        tuple(attempts),
        outputs,
        guidance,
        cue,
    )


def tried(prompt: Prompt, where: Space) -> set[Pipeline]:
    """Pipelines that the prompt shows to have been tried: programs, attempts, approaches of others."""
    shown = [s for s in (prompt.base, prompt.subject, *prompt.others) if s is not None]
    seen = {s.known.pipeline for s in shown if s.known and s.known.task == where.task}
    texts = [*prompt.attempts, *(hint.text for hint in prompt.hints("avoid"))]
    return seen.union(*(where.mentioned(text) for text in texts))


def refused(prompt: Prompt, where: Space) -> set[Edit]:
    """Steps that the prompt speaks against: approaches to avoid, and experiments that were scored and rejected."""
    rejected = [h for h in prompt.hints("history") if h.verdict == VerdictKind.REJECTED.value and h.score]
    return {e for hint in (*prompt.hints("avoid"), *rejected) for e in where.instructions(hint.text)}
