"""Reading replies: a plan and a program, or a judgement as JSON. Lenient about form, strict about content."""

from __future__ import annotations

import re
from typing import cast

from mlesearch.operators import loose_json
from mlesearch.operators.answer import answer
from mlesearch.operators.base import Parsed
from mlesearch.operators.echoes import refuse_echo
from mlesearch.operators.json_fields import choice, flag, maybe_flag, number, require, words
from mlesearch.operators.loose_json import Object
from mlesearch.operators.plain_fields import plain_fields
from mlesearch.operators.programs import program
from mlesearch.operators.remarks import taken_back
from mlesearch.operators.syntax import SyntaxJudge, fault_here
from mlesearch.types import (
    Component,
    Diagnosis,
    Hypothesis,
    HypothesisScores,
    Op,
    ProblemKind,
    ReplyUnusable,
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
_LIST_KEY = re.compile(r"""["']hypotheses["']""", re.IGNORECASE)
_ADJACENT = re.compile(r"""\}\s*,?\s*\{(?=\s*["'](?:problem|hypothesis)["'])""")
_CORRECTED = re.compile(r"\b(?:correction|should (?:be|read|have been)|must be|change)\b", re.IGNORECASE)
_REVISED = re.compile(r"\b(?:refined?|revised?|correct(?:ed|ion)|final|actually|instead|better)\b", re.IGNORECASE)
_SUPERSEDED = re.compile(
    r"\b(?:refined?|revised?|correct(?:ed|ion)|final\w*|actually|instead|better|wait|no|rather|answer|sorry|oops|hmm|so|now|updated?|fix(?:ed)?|"
    r"draft|first|example|form\w*|initial\w*|base|thoughts?|result|verdict|json|here|subject|second)\b",
    re.IGNORECASE,
)
_EITHER = re.compile(r"^\W*or\b|\b(?:alternative\w*|alternatively|option \w+)\b", re.IGNORECASE | re.MULTILINE)
_OPEN_LIST = re.compile(r"""\{\s*["']hypotheses["']\s*:\s*\[\s*\{""", re.IGNORECASE)
_FENCE_LINE = re.compile(r"^[ \t]*(?:```\w*|\d+[.)])[ \t]*$", re.MULTILINE)
_COMPONENTS = {
    **dict.fromkeys(
        (
            "preprocessing",
            "pre processing",
            "data preprocessing",
            "data cleaning",
            "cleaning",
            "augmentation",
            "data augmentation",
            "sampling",
            "resampling",
            "imputation",
            "dataset",
        ),
        Component.DATA.value,
    ),
    **dict.fromkeys(
        (
            "feature engineering",
            "feature selection",
            "feature extraction",
            "feature encoding",
            "encoding",
            "embeddings",
            "representation",
        ),
        Component.FEATURES.value,
    ),
    **dict.fromkeys(
        (
            "modeling",
            "modelling",
            "model architecture",
            "architecture",
            "algorithm",
            "estimator",
            "classifier",
            "regressor",
            "loss",
            "loss function",
            "objective",
            "hyperparameters",
            "hyperparameter",
            "hyperparameter tuning",
            "parameters",
            "tuning",
            "regularization",
        ),
        Component.MODEL.value,
    ),
    **dict.fromkeys(
        ("ensembling", "stacking", "blending", "bagging", "averaging", "model ensemble", "ensemble model"),
        Component.ENSEMBLE.value,
    ),
    **dict.fromkeys(
        (
            "validation",
            "cross validation",
            "cv",
            "training",
            "training procedure",
            "training loop",
            "postprocessing",
            "post processing",
            "run time",
            "runtime",
            "pipeline",
            "evaluation",
            "calibration",
            "inference",
            "work flow",
        ),
        Component.WORKFLOW.value,
    ),
}
"""Words that models use for a component, read as the prompt's own list has it (model: family, loss, parameters)."""


def parse(op: Op, text: str, judge: SyntaxJudge = fault_here) -> Parsed:
    """Read the reply to an operator.

    Args:
        op: the operator.
        text: the reply.
        judge: whether a program compiles; by default as this process' Python says.

    Raises:
        ReplyUnusable: what was missing or wrong, in words for the repair turn.
    """
    text = answer(text, judge)
    if op.makes_program:
        found = program(text, judge)
        return Parsed(plan=found.plan, code=found.code, unclosed=found.unclosed)
    if op is Op.DIAGNOSE:
        diagnosis = _diagnosis(text)
        refuse_echo(op, diagnosis.reason)
        return Parsed(diagnosis=diagnosis)
    if op is Op.REVIEW:
        review = _review(text)
        refuse_echo(op, review.lesson)
        return review
    hypotheses = _hypotheses(text, exactly_one=op is Op.SELECT)
    refuse_echo(op, hypotheses[0].text)
    return Parsed(hypotheses=hypotheses)


def _object(text: str, keys: tuple[str, ...], where: str) -> Object:
    """The object that has any of the keys, complete.

    Raises:
        ReplyUnusable: there is none, or keys are missing.
    """
    named = plain_fields(text, keys)
    if named is not None:
        return named
    found = cast(
        Object,
        loose_json.find(
            text,
            lambda v: isinstance(v, dict) and any(k in v for k in keys),
            lambda v: isinstance(v, dict) and all(k in v for k in keys),
        ),
    )
    if _contradicted(text, keys):
        raise ReplyUnusable(f"{where} is given more than once, with other values, and nothing says which one counts.")
    require(found, keys, where)
    after = text.rpartition("}")[2]
    if _CORRECTED.search(after) and any(k in after for k in keys if "_" in k):
        raise ReplyUnusable(f"{where} is corrected in words after it; give it once, as it should be.")
    if said := taken_back(after):
        raise ReplyUnusable(f"it takes {where} back after it: `{said[:120]}`; give it once, as it should be.")
    last = text.rpartition("}")[2] if "}" in text else ""
    if "{" in last and re.search(rf"""\{{\s*["'](?:{"|".join(keys)})["']""", last, re.IGNORECASE):
        raise ReplyUnusable(f"{where} is given once more after the first, and cut off; give it once, whole.")
    return found


def _contradicted(text: str, keys: tuple[str, ...]) -> bool:
    """Whether whole objects stand there one after the other, without a word, that judge differently."""
    if text.count("}") < 2:
        return False
    said = _between(_FENCE_LINE.sub("", text))
    if _SUPERSEDED.search(said) and not _EITHER.search(said):
        return False
    whole = [v for v in loose_json.values(text) if isinstance(v, dict) and all(k in v for k in keys)]
    judged = [{k: v[k] for k in keys if not isinstance(v[k], str)} for v in whole]
    return any(each != judged[-1] for each in judged)


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
    items = _hypothesis_items(text, exactly_one)
    if not items:
        raise ReplyUnusable('"hypotheses" is an empty list; give at least one.')
    if exactly_one and len(items) != 1:
        raise ReplyUnusable(f'"hypotheses" must hold exactly one hypothesis, the chosen one, not {len(items)}.')
    return tuple(_hypothesis(item, f"hypothesis {n}") for n, item in enumerate(items[:MAX_HYPOTHESES], 1))


def _hypothesis_items(text: str, exactly_one: bool) -> list[object]:
    """The list under "hypotheses", a bare list, a bare hypothesis, or what is whole of a list that was cut off.

    Raises:
        ReplyUnusable: there is none, or it is no list.
    """
    listed = _LIST_KEY.search(text) is not None
    if not listed and not exactly_one:
        text = _FENCE_LINE.sub("", text)
    if not listed and _ADJACENT.search(text):
        first, last = text.index("{"), text.rindex("}")
        text = f"[{_ADJACENT.sub('},{', text[first : last + 1])}]"
    if not listed and not exactly_one and not _REVISED.search(_between(text)):
        each = [i for v in loose_json.values(text) for i in (v if isinstance(v, list) else [v])]
        if len(each) > 1 and all(_is_whole_answer(i) for i in each):
            return each
    seen = len(_OPEN_LIST.findall(text))
    if seen > 1 and seen > sum(_has_list(v) for v in loose_json.values(text)) > 0:
        raise ReplyUnusable('"hypotheses" is given more than once, and one list is not complete; give one whole list.')
    try:
        found = loose_json.find(text, _has_list if listed else _is_answer, _is_whole_answer)
    except ReplyUnusable:
        kept = [] if exactly_one else _of_a_cut_list(text)
        if not kept:
            raise
        return kept
    if isinstance(found, dict):
        found = found.get("hypotheses", [found])
    if isinstance(found, dict):
        named = list(found.values())
        found = named if named and all(isinstance(v, dict) and _is_hypothesis(v) for v in named) else [found]
    if not isinstance(found, list):
        raise ReplyUnusable('"hypotheses" must be a list of objects.')
    return found


def _between(text: str) -> str:
    """What stands on lines without any mark of JSON."""
    return "\n".join(line for line in text.split("\n") if not set(line) & set('{}"[]'))


def _has_list(value: object) -> bool:
    return isinstance(value, dict) and "hypotheses" in value


def _is_answer(value: object) -> bool:
    if isinstance(value, dict):
        return _is_hypothesis(value)
    return isinstance(value, list) and any(isinstance(v, dict) and _is_hypothesis(v) for v in value)


def _is_whole_answer(value: object) -> bool:
    if isinstance(value, dict) and "hypotheses" in value:
        value = value["hypotheses"]
    items = value if isinstance(value, list) else [value]
    return bool(items) and all(isinstance(v, dict) and all(k in v for k in _HYPOTHESIS) for v in items)


def _is_hypothesis(value: Object) -> bool:
    return "hypothesis" in value and not isinstance(value["hypothesis"], dict | list)


def _of_a_cut_list(text: str) -> list[object]:
    """Whole hypotheses in a list that is cut off: an answer whose object is never closed."""
    keys = list(_LIST_KEY.finditer(text))
    if not keys:
        return []
    items = [v for v in loose_json.values(text[keys[-1].end() :]) if isinstance(v, dict)]
    return list(items) if items and all(all(k in v for k in _HYPOTHESIS) for v in items) else []


def _hypothesis(item: object, where: str) -> Hypothesis:
    if not isinstance(item, dict):
        raise ReplyUnusable(f"{where} must be an object with {', '.join(_HYPOTHESIS)}.")
    if "scores" not in item and all(k in item for k in _SCORES):
        item = {**item, "scores": {k: item[k] for k in _SCORES}}
    require(item, _HYPOTHESIS, where)
    scores = item["scores"]
    if not isinstance(scores, dict):
        raise ReplyUnusable(f'"scores" of {where} must be an object with {", ".join(_SCORES)}.')
    of_scores = f'"scores" of {where}'
    require(scores, _SCORES, of_scores)
    plain = [v for k in _SCORES if isinstance(v := scores[k], int | float) and not isinstance(v, bool)]
    if len(plain) == len(_SCORES) and (
        (all(0 < v <= 1 for v in plain) and min(plain) < 1) or all(v > SCORE_RANGE[1] for v in plain)
    ):
        raise ReplyUnusable(f"{of_scores} must be numbers from 1 to 10; these are of another scale.")
    alignment, impact, novelty, feasibility, risk = (number(scores, k, of_scores, *SCORE_RANGE) for k in _SCORES)
    kinds, components = [k.value for k in ProblemKind], [c.value for c in Component]
    return Hypothesis(
        text=words(item, "hypothesis", where),
        problem=words(item, "problem", where, empty=True),
        problem_kind=ProblemKind(choice(item, "problem_kind", where, kinds)),
        component=Component(choice(item, "component", where, components, _COMPONENTS)),
        scores=HypothesisScores(alignment, impact, novelty, feasibility, risk),
    )
