"""Replies of current models that should be JSON."""
# ruff: noqa: E501  (replies stand as models write them)

from __future__ import annotations

import json
from typing import Any

from mlesearch.types import Op
from tests.support.replies.case import Ask, Case

LESSON = "Adding a missing-value flag for `age` took the AUC from 0.771 to 0.784; five folds agree. Keep it."
FINE: dict[str, Any] = {"is_bug": False, "lesson": LESSON}
LEAK: dict[str, Any] = {
    "is_bug": True,
    "lesson": "The encoder saw the held-out rows, so 0.93 cannot be trusted. Fit it per fold.",
}
VERDICT: dict[str, Any] = {
    "format_valid": True,
    "severely_misaligned": False,
    "changes": "Adds `income_per_head`; the trees went from 400 to 600.",
    "observations": "AUC 0.784 against 0.771; folds 0.779 to 0.790; 41 s of 600 s.",
    "hypothesis_supported": True,
    "quality_better": False,
    "replace": True,
    "reason": "Better in all folds. Use the time left for a lower learning rate.",
}
MARKS = {"alignment": 9, "impact": 6, "novelty": 5, "feasibility": 9, "risk": 8}


def idea(text: str, component: str = "model", **other: object) -> dict[str, Any]:
    return {
        "problem": "The learning rate is high for 600 trees, and the folds differ.",
        "problem_kind": "feedback",
        "hypothesis": text,
        "component": component,
        "scores": MARKS,
        **other,
    }


SLOWER, FLAGS, BLEND = (
    idea("Lower the learning rate to 0.01 with 2,000 trees; +0.003."),
    idea("Add flags for missing values; +0.004.", "features"),
    idea("Blend with a linear model; +0.002.", "ensemble"),
)


def fenced(value: object, info: str = "json") -> str:
    return f"```{info}\n{value if isinstance(value, str) else json.dumps(value, indent=2)}\n```"


def changed(old: str, new: str, value: object = FINE) -> str:
    text = json.dumps(value)
    assert old in text
    return text.replace(old, new)


def review(name: str, text: str, want: object, finish: str = "stop") -> Case:
    return Case(name, text, want, Op.REVIEW, finish)  # type: ignore[arg-type]  # a mapping or Ask


def is_bug(said: str, want: object) -> Case:
    expected = want if isinstance(want, Ask) else FINE | {"is_bug": want}
    return review(f"is_bug: {said}", json.dumps(FINE | {"is_bug": said}), expected)


REVIEWS = [
    review("a plain review", json.dumps(FINE), FINE),
    review(
        "a review after thoughts that draft another",
        f"<think>\n{fenced(LEAK)}\nNo: it is fitted per fold.\n</think>\n{fenced(FINE)}",
        FINE,
    ),
    review(
        "a review in the final channel",
        f"<|channel|>analysis<|message|>Maybe {json.dumps(LEAK)}? No.<|end|><|start|>assistant<|channel|>final<|message|>"
        f"{json.dumps(FINE)}<|return|>",
        FINE,
    ),
    review("a review within thoughts that never end", f"<think>\nPerhaps {json.dumps(LEAK)}\nHmm, but", Ask()),
    review("a comma too many", changed('."}', '.",}'), FINE),
    review(
        "a remark in the object",
        '{\n  // it ran\n  "is_bug": false, // was true before the fix\n  "lesson": ' + json.dumps(LESSON) + "\n}",
        FINE,
    ),
    review("a dictionary of python", fenced(repr(FINE), "python"), FINE),
    review("not a number", changed("false", "NaN"), Ask()),
    review("neither", changed("false", "null"), Ask()),
    review("both", changed("false", "true/false"), Ask()),
    review("the schema", '{"is_bug": "true or false", "lesson": "two or three sentences"}', Ask()),
    review(
        "the example of the prompt alone",
        '{"is_bug": false, "lesson": "Keeping the column `hardness` with a missing-value flag took the accuracy from 0.712 to '
        '0.731; the flag alone brings most of it. Depth beyond 6 overfits: 0.98 on training rows, 0.72 in the folds."}',
        Ask(),
    ),
    review(
        "the example of the prompt, then the review",
        "Example of the form:\n\n"
        + fenced(
            {
                "is_bug": False,
                "lesson": "Keeping the column `hardness` with a missing-value flag took the accuracy from 0.712 to 0.731.",
            }
        )
        + f"\n\nMy review:\n\n{fenced(LEAK)}",
        LEAK,
    ),
    review(
        "a fence in the lesson",
        fenced(FINE | {"lesson": "Use\n```python\nX.fillna(0)\n```\nin folds."}),
        FINE | {"lesson": "Use\n```python\nX.fillna(0)\n```\nin folds."},
    ),
    review(
        "an object in the lesson",
        json.dumps(FINE | {"lesson": 'Params {"depth": 6, "is_bug": true} won.'}),
        FINE | {"lesson": 'Params {"depth": 6, "is_bug": true} won.'},
    ),
    review(
        "quotes that are not escaped",
        '{"is_bug": false, "lesson": "The column "age" helps: 0.78 against 0.77."}',
        FINE | {"lesson": 'The column "age" helps: 0.78 against 0.77.'},
    ),
    review(
        "line ends in the text",
        '{"is_bug": false, "lesson": "It ran.\nThe score rose to 0.78."}',
        FINE | {"lesson": "It ran.\nThe score rose to 0.78."},
    ),
    review("a response around it", json.dumps({"response": FINE}), FINE),
    review("a text of json in a response", json.dumps({"response": json.dumps(FINE)}), FINE),
    review("json as a text", json.dumps(json.dumps(FINE)), FINE),
    review("escaped json without quotes", json.dumps(json.dumps(FINE))[1:-1], FINE),
    review("a list of one", json.dumps([FINE]), FINE),
    review("a call of a function", json.dumps({"name": "review", "arguments": FINE}), FINE),
    review(
        "a call with arguments as a text",
        f"<tool_call>{json.dumps({'name': 'r', 'arguments': json.dumps(FINE)})}</tool_call>",
        FINE,
    ),
    review(
        "a second thought",
        f"{fenced(LEAK)}\n\nActually, on reflection the encoder is inside the pipeline:\n\n{fenced(FINE)}",
        FINE,
    ),
    review("two that contradict each other", f"{json.dumps(LEAK)}\n{json.dumps(FINE)}", Ask()),
    review("base and subject", json.dumps({"base": LEAK, "subject": FINE}), FINE),
    review("subject and base", json.dumps({"subject": FINE, "base": LEAK}), FINE),
    review("the key twice", '{"is_bug": true, "lesson": "It leaks.", "is_bug": false}', Ask()),
    review("a key in camels", changed("is_bug", "isBug"), FINE),
    review("a key in words", changed("is_bug", "Is bug"), FINE),
    review("curly quotes as marks", json.dumps(LEAK).replace('"', "\u201c"), LEAK),
    review(
        "chinese punctuation",
        "{“is_bug”：true，“lesson”：“编码器用到了验证行。”}",
        {"is_bug": True, "lesson": "编码器用到了验证行。"},
    ),
    review("bullets", f"- **is_bug**: false\n- **lesson**: {LESSON}", FINE),
    review("yaml", f"```yaml\nis_bug: false\nlesson: {LESSON!r}\n```", FINE),
    review(
        "a lesson in two parts",
        json.dumps(FINE | {"lesson": ["It ran.", "Keep it."]}),
        FINE | {"lesson": "It ran.\nKeep it."},
    ),
    review("a review that is cut", json.dumps(FINE)[:60], Ask(), "length"),
    review("a review that is cut after its flag", '{"is_bug": true, "lesson"', Ask(), "length"),
    review(
        "a whole review, then one that is cut",
        f"{json.dumps(FINE)}\n\nWait, it does leak:\n\n" + json.dumps(LEAK)[:30],
        Ask(),
        "length",
    ),
    review("a review without its lesson", '{"is_bug": false}', Ask()),
    review("a review whose lesson is empty", '{"is_bug": false, "lesson": ""}', Ask()),
    review("prose", "The program is fine. Keep the flag.", Ask()),
    review("an excuse", "I cannot review this code.", Ask()),
    review("one for true", changed("false", "1"), FINE | {"is_bug": True}),
    review("zero as a text", changed("false", '"0"'), FINE),
    review("json in tags", f"<answer>{json.dumps(FINE)}</answer>", FINE),
    review("a box of latex", f"$\\boxed{{{json.dumps(FINE)}}}$", FINE),
    review("a json5 object", "{is_bug: false, lesson: '" + LESSON + "'}", FINE),
    review(
        "python's triple quotes",
        '{"is_bug": false, "lesson": """It ran.\nKeep "age"."""}',
        FINE | {"lesson": 'It ran.\nKeep "age".'},
    ),
    review(
        "text after the object", f"{json.dumps(FINE)}\n\nNote that {{age}} could be binned, e.g. [0, 18, 65].", FINE
    ),
    review(
        "an object of settings after it", f"{fenced(FINE)}\n\nNext settings to try:\n\n{fenced({'lr': 0.01})}", FINE
    ),
    is_bug("no", False),
    is_bug("Yes, but minor", True),
    is_bug("No - it ran fine", False),
    is_bug("not a bug", False),
    is_bug("no bug found", False),
    is_bug("none", False),
    is_bug("unknown", Ask()),
    is_bug("not sure", Ask()),
    is_bug("not certain, possibly true", Ask()),
    is_bug("yes and no", Ask()),
    is_bug("no output was written, so yes", Ask()),
    is_bug("False.", False),
    is_bug("not false", Ask()),
    is_bug("true (the encoder leaks)", True),
]


def diagnosis(name: str, text: str, want: object, finish: str = "stop") -> Case:
    return Case(name, text, want, Op.DIAGNOSE, finish)  # type: ignore[arg-type]  # a mapping or Ask


def supported(said: object, want: object) -> Case:
    expected = want if isinstance(want, Ask) else VERDICT | {"hypothesis_supported": want}
    return diagnosis(f"supported: {said}", json.dumps(VERDICT | {"hypothesis_supported": said}), expected)


DIAGNOSES = [
    diagnosis("a plain diagnosis", f"Let me go through the questions.\n\n{fenced(VERDICT)}", VERDICT),
    diagnosis("a diagnosis under its name", fenced({"diagnosis": VERDICT}), VERDICT),
    diagnosis(
        "flags as texts", fenced(VERDICT | {"format_valid": "true", "replace": "Yes", "quality_better": "no"}), VERDICT
    ),
    diagnosis("a diagnosis that is cut in its reason", json.dumps(VERDICT)[:-25], Ask(), "length"),
    diagnosis("a diagnosis that is cut before its verdict", json.dumps(VERDICT)[:150], Ask(), "length"),
    diagnosis("two programs judged", json.dumps({"base": VERDICT | {"replace": False}, "subject": VERDICT}), VERDICT),
    diagnosis(
        "changes as a list",
        json.dumps(VERDICT | {"changes": ["Adds a ratio.", "More trees."]}),
        VERDICT | {"changes": "Adds a ratio.\nMore trees."},
    ),
    diagnosis(
        "no leak, yet misaligned",
        json.dumps(VERDICT | {"severely_misaligned": "no leak, but the split ignores groups: yes"}),
        Ask(),
    ),
    diagnosis(
        "replace: only if", json.dumps(VERDICT | {"replace": "yes, only if the leak is fixed; otherwise no"}), Ask()
    ),
    diagnosis("replace missing", json.dumps({k: v for k, v in VERDICT.items() if k != "replace"}), Ask()),
    diagnosis(
        "answers in prose, then json",
        "1. Yes.\n2. No {leak}.\n3. Ratio added.\n\nSummary:\n" + json.dumps(VERDICT, indent=4),
        VERDICT,
    ),
    diagnosis(
        "observations as an object",
        json.dumps(VERDICT | {"observations": {"score": 0.784, "base": 0.771}}),
        VERDICT | {"observations": '{"score": 0.784, "base": 0.771}'},
    ),
    diagnosis(
        "python's words",
        fenced(repr(VERDICT | {"hypothesis_supported": None}), ""),
        VERDICT | {"hypothesis_supported": None},
    ),
    supported("partially", Ask()),
    supported("inconclusive", None),
    supported("N/A", None),
    supported("not supported", False),
    supported("supported", True),
    supported("not applicable", None),
    supported("not stated", None),
    supported("unclear", None),
    supported("", None),
]


def ideas(name: str, text: str, *want: dict[str, Any], finish: str = "stop") -> Case:
    expected: Any = {"hypotheses": [w["hypothesis"] for w in want]} if want else Ask()
    return Case(name, text, expected, Op.HYPOTHESIZE, finish)


def part(said: str, want: str | None) -> Case:
    expected: Any = {"components": [want]} if want else Ask()
    return Case(f"component: {said}", json.dumps({"hypotheses": [idea("Try.", said)]}), expected, Op.HYPOTHESIZE)


def scores(name: str, given: object, want: bool) -> Case:
    expected: Any = {"scores": [[9, 6, 5, 9, 8]]} if want else Ask()
    return Case(name, json.dumps({"hypotheses": [idea("Try.", scores=given)]}), expected, Op.HYPOTHESIZE)


LIST = {"hypotheses": [SLOWER, FLAGS, BLEND]}
WHOLE = json.dumps(LIST)

HYPOTHESES = [
    ideas("three ideas", fenced(LIST), SLOWER, FLAGS, BLEND),
    ideas("a bare list", fenced([SLOWER, FLAGS]), SLOWER, FLAGS),
    ideas("an object for each idea", f"1.\n{fenced(SLOWER)}\n\n2.\n{fenced(FLAGS)}", SLOWER, FLAGS),
    ideas("lines of json", f"{json.dumps(SLOWER)}\n{json.dumps(FLAGS)}\n", SLOWER, FLAGS),
    ideas("one idea without a list", json.dumps(FLAGS), FLAGS),
    ideas("cut in the third", WHOLE[: WHOLE.index("Blend") + 8], SLOWER, FLAGS, finish="length"),
    ideas("cut in the first", WHOLE[: WHOLE.index("Lower") + 8], finish="length"),
    ideas("ideas by number", json.dumps({"hypotheses": {"1": SLOWER, "2": FLAGS}}), SLOWER, FLAGS),
    ideas("ideas in a solution", json.dumps({"result": {"analysis": "x", "hypotheses": [SLOWER]}}), SLOWER),
    ideas(
        "problems first, apart", json.dumps({"problems": ["High rate."], "hypotheses": [SLOWER, FLAGS]}), SLOWER, FLAGS
    ),
    ideas(
        "a first list, then a better one",
        f"{fenced({'hypotheses': [SLOWER]})}\n\nRefined:\n\n{fenced({'hypotheses': [FLAGS, BLEND]})}",
        FLAGS,
        BLEND,
    ),
    ideas("no ideas", '{"hypotheses": []}'),
    ideas("ideas as texts", json.dumps({"hypotheses": ["Lower the rate.", "Add flags."]})),
    ideas("an idea whose text is empty", json.dumps({"hypotheses": [idea(" ")]})),
    ideas(
        "comments and commas",
        '{"hypotheses": [\n  # first\n  ' + json.dumps(SLOWER) + ",\n  /* second */ " + json.dumps(FLAGS) + ",\n]}",
        SLOWER,
        FLAGS,
    ),
    scores("scores as texts", {k: str(v) for k, v in MARKS.items()}, True),
    scores("scores of ten", {k: f"{v}/10" for k, v in MARKS.items()}, True),
    scores("scores as a list", list(MARKS.values()), False),
    scores("scores from 0 to 1", {k: v / 10 for k, v in MARKS.items()}, False),
    scores("scores of a hundred", {k: v * 10 for k, v in MARKS.items()}, False),
    scores("scores of five", {k: f"{v}/5" for k, v in MARKS.items()}, False),
    scores("a score missing", {k: v for k, v in MARKS.items() if k != "risk"}, False),
    scores("a score not a number", MARKS | {"risk": float("nan")}, False),
    scores("scores with reasons", {k: {"score": v, "reason": "so"} for k, v in MARKS.items()}, True),
    scores("scores with words", {k: f"{v} (fairly sure)" for k, v in MARKS.items()}, True),
    scores("scores as ranges", MARKS | {"impact": "6-8"}, False),
    scores("a score of true", MARKS | {"impact": True}, False),
    scores("scores with capitals", {k.title(): v for k, v in MARKS.items()}, True),
    part("feature engineering", "features"),
    part("Model", "model"),
    part("hyperparameter tuning", "model"),
    part("post-processing", "workflow"),
    part("stacking ensemble", "ensemble"),
    part("validation", "workflow"),
    part("data augmentation", "data"),
    part("features, model", "features"),
    part("everything", None),
    part("not the model but the features", None),
    Case("select one", fenced({"hypotheses": [FLAGS]}), {"hypotheses": [FLAGS["hypothesis"]]}, Op.SELECT),
    Case("select one, without a list", fenced(FLAGS), {"hypotheses": [FLAGS["hypothesis"]]}, Op.SELECT),
    Case("select two", fenced({"hypotheses": [FLAGS, SLOWER]}), Ask(), Op.SELECT),
    Case("select under a name", fenced({"selected": FLAGS}), {"hypotheses": [FLAGS["hypothesis"]]}, Op.SELECT),
    Case(
        "candidates listed, then one selected",
        f"Candidates:\n{fenced({'hypotheses': [SLOWER, FLAGS]})}\n\nBest:\n{fenced({'hypotheses': [FLAGS]})}",
        {"hypotheses": [FLAGS["hypothesis"]]},
        Op.SELECT,
    ),
    Case("select by number", '{"selected": 2, "why": "measured"}', Ask(), Op.SELECT),
    Case(
        "select cut after the first of two",
        json.dumps({"hypotheses": [FLAGS, SLOWER]})[:-120],
        Ask(),
        Op.SELECT,
        "length",
    ),
]

CASES = REVIEWS + DIAGNOSES + HYPOTHESES
