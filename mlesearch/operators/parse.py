"""Reading replies: a plan and a program, or a judgement as JSON. Lenient about form, strict about content."""

from __future__ import annotations

from typing import cast

from mlesearch.operators import loose_json
from mlesearch.operators.base import Parsed
from mlesearch.operators.fences import program
from mlesearch.operators.loose_json import Object, choice, flag, maybe_flag, number, require, words
from mlesearch.types import (
    Component,
    Diagnosis,
    Hypothesis,
    HypothesisScores,
    Op,
    ProblemKind,
    ReplyUnusable,
    printable,
)

MAX_HYPOTHESES = 5
"""Of more hypotheses in one reply only the first ones are kept."""

SCORE_RANGE = (1.0, 10.0)

_DIAGNOSIS = (
    "format_valid",
    "severely_misaligned",
    "changes",
    "observations",
    "hypothesis_supported",
    "quality_better",
    "replace",
    "reason",
)
_HYPOTHESIS = ("problem", "problem_kind", "hypothesis", "component", "scores")
_SCORES = ("alignment", "impact", "novelty", "feasibility", "risk")
_REVIEW = ("is_bug", "lesson")
_THINK, _THOUGHT = "<think>", "</think>"


def parse(op: Op, text: str) -> Parsed:
    """Read the reply to an operator.

    Raises:
        ReplyUnusable: what was missing or wrong, in words for the repair turn.
    """
    text = _answer(text)
    if not text:
        raise ReplyUnusable("it is empty.")
    if op.makes_program:
        plan, code = program(text)
        return Parsed(plan=plan, code=code)
    if op is Op.DIAGNOSE:
        return Parsed(diagnosis=_diagnosis(text))
    if op is Op.REVIEW:
        return _review(text)
    return Parsed(hypotheses=_hypotheses(text, exactly_one=op is Op.SELECT))


def _answer(text: str) -> str:
    """The reply without what a reasoning model wrote to itself first, with plain line ends."""
    text = printable(text).replace("\r\n", "\n").replace("\r", "\n")
    if text.lstrip().startswith(_THINK):
        text = text.partition(_THOUGHT)[2]
    return text.strip("\ufeff \t\n")


def _object(text: str, keys: tuple[str, ...], where: str) -> Object:
    """The object that has any of the keys, complete.

    Raises:
        ReplyUnusable: there is none, or keys are missing.
    """
    found = cast(Object, loose_json.find(text, lambda v: isinstance(v, dict) and any(k in v for k in keys)))
    require(found, keys, where)
    return found


def _diagnosis(text: str) -> Diagnosis:
    where = "the diagnosis"
    item = _object(text, _DIAGNOSIS, where)
    return Diagnosis(
        format_valid=flag(item, "format_valid", where),
        severely_misaligned=flag(item, "severely_misaligned", where),
        changes=words(item, "changes", where, empty=True),
        observations=words(item, "observations", where, empty=True),
        hypothesis_supported=maybe_flag(item, "hypothesis_supported", where),
        quality_better=flag(item, "quality_better", where),
        replace=flag(item, "replace", where),
        reason=words(item, "reason", where, empty=True),
    )


def _review(text: str) -> Parsed:
    where = "the review"
    item = _object(text, _REVIEW, where)
    return Parsed(is_bug=flag(item, "is_bug", where), lesson=words(item, "lesson", where))


def _hypotheses(text: str, *, exactly_one: bool) -> tuple[Hypothesis, ...]:
    items = _hypothesis_items(text)
    if not items:
        raise ReplyUnusable('"hypotheses" is an empty list; give at least one.')
    if exactly_one and len(items) != 1:
        raise ReplyUnusable(f'"hypotheses" must hold exactly one hypothesis, the chosen one, not {len(items)}.')
    return tuple(_hypothesis(item, f"hypothesis {n}") for n, item in enumerate(items[:MAX_HYPOTHESES], 1))


def _hypothesis_items(text: str) -> list[object]:
    """The list under "hypotheses"; where that key is nowhere, a bare list or a bare hypothesis is one as well.

    Raises:
        ReplyUnusable: there is none, or it is no list.
    """
    bare = '"hypotheses"' not in text and "'hypotheses'" not in text

    def wanted(value: object) -> bool:
        if isinstance(value, dict):
            return "hypotheses" in value or (bare and "hypothesis" in value)
        return bare and isinstance(value, list) and any(isinstance(v, dict) and "hypothesis" in v for v in value)

    found = loose_json.find(text, wanted)
    if isinstance(found, dict):
        found = found.get("hypotheses", [found])
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list):
        raise ReplyUnusable('"hypotheses" must be a list of objects.')
    return found


def _hypothesis(item: object, where: str) -> Hypothesis:
    if not isinstance(item, dict):
        raise ReplyUnusable(f"{where} must be an object with {', '.join(_HYPOTHESIS)}.")
    require(item, _HYPOTHESIS, where)
    scores = item["scores"]
    if not isinstance(scores, dict):
        raise ReplyUnusable(f'"scores" of {where} must be an object with {", ".join(_SCORES)}.')
    of_scores = f'"scores" of {where}'
    require(scores, _SCORES, of_scores)
    alignment, impact, novelty, feasibility, risk = (number(scores, k, of_scores, *SCORE_RANGE) for k in _SCORES)
    return Hypothesis(
        text=words(item, "hypothesis", where),
        problem=words(item, "problem", where, empty=True),
        problem_kind=ProblemKind(choice(item, "problem_kind", where, [k.value for k in ProblemKind])),
        component=Component(choice(item, "component", where, [c.value for c in Component])),
        scores=HypothesisScores(alignment, impact, novelty, feasibility, risk),
    )
