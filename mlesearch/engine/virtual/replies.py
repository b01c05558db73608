"""Replies of simulated engineers read at once: what the operators' reader makes of them, without looking for more.

A reply of an engineer has one of two forms: a plan of one paragraph and one fenced program of its space, or one JSON
object with the fields that were asked for. A text of exactly such a form is taken apart here; any other (cut at its
limit, for instance) goes the usual way. Tests hold both ways to the same result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mlesearch.models.protocol import Message
from mlesearch.models.simulated.spaces import recognise
from mlesearch.operators.base import Operators, Parsed, Scene
from mlesearch.operators.echoes import refuse_echo
from mlesearch.operators.prompts import PromptOperators
from mlesearch.types import (
    Component,
    Diagnosis,
    Hypothesis,
    HypothesisScores,
    Node,
    Op,
    ProblemKind,
)

_FENCE, _END = "\n\n```python\n", "\n```"
_PLAIN = re.compile(r"[A-Za-z0-9 .,:;=_'()+-]+")
_MOST_HYPOTHESES = 5
_FLAGS = ("format_valid", "severely_misaligned", "quality_better", "replace")
_WORDS = ("changes", "observations", "reason")
_HYPOTHESIS = ["problem", "problem_kind", "hypothesis", "component", "scores"]
_SCORES = ["alignment", "impact", "novelty", "feasibility", "risk"]


class EngineersOperators:
    """An operator set whose replies are written by simulated engineers."""

    def __init__(self, inner: Operators) -> None:
        """Args: inner: the operator set."""
        self._inner = inner

    def render(self, scene: Scene) -> tuple[Message, ...]:
        """See `Operators`."""
        return self._inner.render(scene)

    def render_review(self, scene: Scene, subject: Node) -> tuple[Message, ...]:
        """See `Operators`."""
        return self._inner.render_review(scene, subject)

    def repair(self, messages: Sequence[Message], reply: str, problem: str) -> tuple[Message, ...]:
        """See `Operators`."""
        return self._inner.repair(messages, reply, problem)

    def digests(self) -> Mapping[str, str]:
        """See `Operators`."""
        return self._inner.digests()

    def parse(self, op: Op, text: str) -> Parsed:
        """Read a reply.

        Raises:
            ReplyUnusable: as the operator set does.
        """
        return at_once(op, text) or self._inner.parse(op, text)


def read_at_once(operators: Operators) -> Operators:
    """An operator set for replies of engineers: a built-in one reads them at once, one of a plug-in as it likes."""
    return EngineersOperators(operators) if isinstance(operators, PromptOperators) else operators


def at_once(op: Op, text: str) -> Parsed | None:
    """What a reply of a known form holds; None where it has none.

    Raises:
        ReplyUnusable: it repeats the example of its prompt.
    """
    if op.makes_program:
        return _program(text)
    try:
        item = json.loads(text)
    except ValueError:
        return None
    if not isinstance(item, dict):
        return None
    if op is Op.DIAGNOSE:
        return _diagnosis(item, text)
    if op is Op.REVIEW:
        return _review(item, text)
    return _hypotheses(op, item, text)


def _program(text: str) -> Parsed | None:
    plan, fence, rest = text.partition(_FENCE)
    if not fence or not rest.endswith(_END) or not _PLAIN.fullmatch(plan):
        return None
    code = rest[: 1 - len(_END)]
    return None if "```" in code or recognise(code) is None else Parsed(plan=plan.strip(), code=code)


def _is_text(value: object, *, lines: bool = False) -> bool:
    """Whether it is a plain text, of several lines where these are allowed."""
    if not isinstance(value, str) or not value.isascii():
        return False
    return (value.replace("\n", " ") if lines else value).isprintable() and value.strip() not in ("", "...")


def _diagnosis(item: dict[str, Any], text: str) -> Parsed | None:
    supported = item.get("hypothesis_supported", "")
    if (
        len(item) != 8
        or text.count("{") != 1
        or text.count("}") != 1
        or not (supported is None or supported in (True, False))
    ):
        return None
    if not all(isinstance(item.get(k), bool) for k in _FLAGS) or not all(_is_text(item.get(k)) for k in _WORDS):
        return None
    refuse_echo(Op.DIAGNOSE, item["reason"].strip())
    return Parsed(diagnosis=Diagnosis(**{k: v.strip() if k in _WORDS else v for k, v in item.items()}))


def _review(item: dict[str, Any], text: str) -> Parsed | None:
    if list(item) != ["is_bug", "lesson"] or text.count("{") != 1 or text.count("}") != 1:
        return None
    if not isinstance(item["is_bug"], bool) or not _is_text(item["lesson"]):
        return None
    lesson = item["lesson"].strip()
    refuse_echo(Op.REVIEW, lesson)
    return Parsed(is_bug=item["is_bug"], lesson=lesson)


def _hypotheses(op: Op, item: dict[str, Any], text: str) -> Parsed | None:
    listed = item.get("hypotheses")
    if (
        len(item) != 1
        or not isinstance(listed, list)
        or not 1 <= len(listed) <= (1 if op is Op.SELECT else _MOST_HYPOTHESES)
    ):
        return None
    if text.count("{") != 1 + 2 * len(listed) or text.count("}") != text.count("{"):
        return None
    found = [_hypothesis(each) for each in listed]
    known = tuple(h for h in found if h is not None)
    if len(known) < len(found):
        return None
    refuse_echo(op, known[0].text)
    return Parsed(hypotheses=known)


def _hypothesis(item: object) -> Hypothesis | None:
    if not isinstance(item, dict) or list(item) != _HYPOTHESIS or not isinstance(item["scores"], dict):
        return None
    scores = item["scores"]
    if list(scores) != _SCORES or not all(isinstance(v, float) and 1.0 <= v <= 10.0 for v in scores.values()):
        return None
    if not (_is_text(item["problem"]) and _is_text(item["hypothesis"], lines=True)):
        return None
    try:
        kind, component = ProblemKind(item["problem_kind"]), Component(item["component"])
    except ValueError:
        return None
    return Hypothesis(item["hypothesis"].strip(), item["problem"].strip(), kind, component, HypothesisScores(**scores))
