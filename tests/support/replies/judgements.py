"""Judgements: JSON as models write it."""

from __future__ import annotations

import json
from typing import Any

from mlesearch.types import Op
from tests.support.replies.case import Ask, Case

REVIEW: dict[str, Any] = {"is_bug": False, "lesson": "Ratios help by 0.01."}
BUG: dict[str, Any] = {"is_bug": True, "lesson": "The folds leak."}
DIAGNOSIS: dict[str, Any] = {
    "format_valid": True,
    "severely_misaligned": False,
    "changes": "Adds {ratios}.",
    "observations": "0.184 against 0.191.",
    "hypothesis_supported": None,
    "quality_better": False,
    "replace": True,
    "reason": "Better in every fold.",
}
SCORES = {"alignment": 9, "impact": 8, "novelty": 4, "feasibility": 10, "risk": 7}


def hypothesis(text: str, **other: object) -> dict[str, Any]:
    return {
        "problem": "A code enters as a number.",
        "problem_kind": "scenario",
        "hypothesis": text,
        "component": "features",
        "scores": SCORES,
    } | other


ONE, TWO, THREE = (
    hypothesis("Encode site."),
    hypothesis("Add ratios."),
    hypothesis("Stack models.", component="ensemble"),
)
LIST = {"hypotheses": [ONE, TWO, THREE]}
DUMPED = json.dumps(LIST, indent=2)
TEXTS = ["Encode site.", "Add ratios.", "Stack models."]
DIAGNOSED = json.dumps(DIAGNOSIS, indent=2)


def of(component: object) -> str:
    return json.dumps({"hypotheses": [hypothesis("Encode site.", component=component)]})


CASES = [
    Case("fenced", f"```json\n{json.dumps(REVIEW)}\n```", REVIEW, Op.REVIEW),
    Case("one level down", json.dumps({"review": REVIEW}), REVIEW, Op.REVIEW),
    Case("two levels down", json.dumps({"result": {"diagnosis": DIAGNOSIS}}), DIAGNOSIS, Op.DIAGNOSE),
    Case("in a list of one", json.dumps([DIAGNOSIS]), DIAGNOSIS, Op.DIAGNOSE),
    Case("a draft in the thought", f"Maybe {json.dumps(BUG)}? No.</think>\n{json.dumps(REVIEW)}", REVIEW, Op.REVIEW),
    Case(
        "Harmony",
        f"<|channel|>analysis<|message|>{json.dumps(BUG)}<|end|><|start|>assistant<|channel|>final "
        f"<|constrain|>json<|message|>{json.dumps(REVIEW)}<|return|>",
        REVIEW,
        Op.REVIEW,
    ),
    Case("corrected", f"{json.dumps(BUG)}\nWait, no:\n{json.dumps(REVIEW)}", REVIEW, Op.REVIEW),
    Case(
        "a fenced draft, corrected without a fence",
        f"```json\n{json.dumps(BUG)}\n```\nNo:\n{json.dumps(REVIEW)}",
        REVIEW,
        Op.REVIEW,
    ),
    Case("an example after it", f'{json.dumps(REVIEW)}\nwhere is_bug is as in {{"is_bug": false}}.', REVIEW, Op.REVIEW),
    Case("half a correction", f'{json.dumps(REVIEW)}\nCorrection: {{"is_bug": true}}', Ask(("differs",)), Op.REVIEW),
    Case("a call of a tool", json.dumps({"name": "review", "arguments": REVIEW}), REVIEW, Op.REVIEW),
    Case(
        "a call of a tool, as text", json.dumps({"name": "review", "arguments": json.dumps(REVIEW)}), REVIEW, Op.REVIEW
    ),
    Case(
        "trailing commas and comments",
        '{"is_bug": false, // no\n "lesson": "Ratios help by 0.01.",}',
        REVIEW,
        Op.REVIEW,
    ),
    Case("Python's words and quotes", repr(REVIEW), REVIEW, Op.REVIEW),
    Case(
        "Python's, with an apostrophe",
        f"So: { ({**REVIEW, 'lesson': chr(73) + 't' + chr(39) + 's fine'})!r} done",
        {**REVIEW, "lesson": "It's fine"},
        Op.REVIEW,
    ),
    Case("unquoted keys", '{is_bug: false, lesson: "Ratios help by 0.01."}', REVIEW, Op.REVIEW),
    Case("smart quotes", json.dumps(REVIEW).replace('"', "”"), REVIEW, Op.REVIEW),
    Case("entities", json.dumps(REVIEW).replace('"', "&quot;"), REVIEW, Op.REVIEW),
    Case("other spellings of keys", '{"Is Bug": "no", "Lesson": "Ratios help by 0.01."}', REVIEW, Op.REVIEW),
    Case("camel case", '{"isBug": false, "lesson": "Ratios help by 0.01."}', REVIEW, Op.REVIEW),
    Case("the last brace is missing", json.dumps(REVIEW)[:-1], REVIEW, Op.REVIEW),
    Case("cut in a text", json.dumps(REVIEW)[:-8], Ask(("cannot be read",)), Op.REVIEW, "length"),
    Case("a key is missing", '{"lesson": "x"}', Ask(('"is_bug"',)), Op.REVIEW),
    Case(
        "prose with braces",
        f"With {{x}} and [1], as {{asked}}:\n{DIAGNOSED}\nI hope {{that}} helps.",
        DIAGNOSIS,
        Op.DIAGNOSE,
    ),
    Case("a cut diagnosis", DIAGNOSED[: DIAGNOSED.index('"replace"')], Ask(), Op.DIAGNOSE, "length"),
    Case(
        "a word that is no yes or no", json.dumps({**DIAGNOSIS, "replace": "perhaps"}), Ask(('"replace"',)), Op.DIAGNOSE
    ),
    Case("yes and no", json.dumps({**DIAGNOSIS, "replace": "Yes", "quality_better": "no"}), DIAGNOSIS, Op.DIAGNOSE),
    Case("hypotheses", f"Here they are.\n\n```json\n{DUMPED}\n```", {"hypotheses": TEXTS}, Op.HYPOTHESIZE),
    Case("hypotheses in a bare list", json.dumps([ONE, TWO]), {"hypotheses": TEXTS[:2]}, Op.HYPOTHESIZE),
    Case("hypotheses one level down", json.dumps({"output": LIST}), {"hypotheses": TEXTS}, Op.HYPOTHESIZE),
    Case("cut in the third", DUMPED[: DUMPED.index("Stack") + 3], {"hypotheses": TEXTS[:2]}, Op.HYPOTHESIZE, "length"),
    Case(
        "cut after the second",
        DUMPED[: DUMPED.rindex("{", 0, DUMPED.rindex('"problem"'))],
        {"hypotheses": TEXTS[:2]},
        Op.HYPOTHESIZE,
        "length",
    ),
    Case("cut in the first", DUMPED[: DUMPED.index("scenario")], Ask(), Op.HYPOTHESIZE, "length"),
    Case("the chosen one", json.dumps({"hypotheses": [TWO]}), {"hypotheses": ["Add ratios."]}, Op.SELECT),
    Case(
        "the chosen one under its own name",
        json.dumps({"selected_hypothesis": TWO}),
        {"hypotheses": ["Add ratios."]},
        Op.SELECT,
    ),
    Case("several chosen", json.dumps(LIST), Ask(("exactly one",)), Op.SELECT),
    Case("a list that is cut, to choose one", DUMPED[: DUMPED.index("Add") + 3], Ask(), Op.SELECT, "length"),
    Case("feature engineering", of("feature engineering"), {"components": ["features"]}, Op.SELECT),
    Case(
        "Feature Engineering / Encoding", of("Feature Engineering / Encoding"), {"components": ["features"]}, Op.SELECT
    ),
    Case("modeling", of("Modeling"), {"components": ["model"]}, Op.SELECT),
    Case("preprocessing", of("data_preprocessing"), {"components": ["data"]}, Op.SELECT),
    Case("stacking", of("stacking"), {"components": ["ensemble"]}, Op.SELECT),
    Case("cross-validation", of("cross-validation"), {"components": ["workflow"]}, Op.SELECT),
    Case("loss", of("loss function"), {"components": ["model"]}, Op.SELECT),
    Case("no component", of("price"), Ask(('"price"',)), Op.SELECT),
    Case(
        "scores beside the rest",
        json.dumps({"hypotheses": [{k: v for k, v in (ONE | SCORES).items() if k != "scores"}]}),
        {"hypotheses": ["Encode site."]},
        Op.SELECT,
    ),
    Case(
        "scores in words",
        json.dumps({"hypotheses": [hypothesis("Encode site.", scores={**SCORES, "risk": "high"})]}),
        Ask(('"risk"',)),
        Op.SELECT,
    ),
    Case(
        "scores out of ten",
        json.dumps({"hypotheses": [hypothesis("Encode site.", scores={k: f"{v}/10" for k, v in SCORES.items()})]}),
        {"hypotheses": ["Encode site."]},
        Op.SELECT,
    ),
    Case("no JSON", "It went well: the ratios help.", Ask(("no JSON",)), Op.REVIEW),
    Case("a program in place of a review", "```python\nprint({})\n```", Ask(), Op.REVIEW),
]
