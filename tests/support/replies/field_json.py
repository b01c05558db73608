"""Field replies: judgements, in the forms that models give to JSON."""

from __future__ import annotations

import json
from typing import Any

from mlesearch.types import Op
from tests.support.replies.case import Ask, Case

D: dict[str, Any] = {
    "format_valid": True,
    "severely_misaligned": False,
    "changes": "Adds the ratio of width to length. No unintended change.",
    "observations": "Validation 0.284 against 0.291; folds between 0.279 and 0.290.",
    "hypothesis_supported": True,
    "quality_better": False,
    "replace": True,
    "reason": "Better by 0.007 in every fold. Tune the depth next.",
}
DIAG = json.dumps(D, indent=2)
KEPT = {k: v for k, v in D.items() if k != "reason"}
NOT = D | {"replace": False, "hypothesis_supported": False, "reason": "Worse by 0.02 in every fold."}
R = {"is_bug": False, "lesson": "More trees took the rmse from 0.31 to 0.29 at 45 s. Depth is the next thing to try."}
REV = json.dumps(R)
BUG = {"is_bug": True, "lesson": "KeyError: the column is called width, not widht."}
H: dict[str, Any] = {
    "problem": "Width and length enter the trees apart.",
    "problem_kind": "scenario",
    "hypothesis": "Add the ratio of width to length.",
    "component": "features",
    "scores": {"alignment": 9, "impact": 6, "novelty": 5, "feasibility": 10, "risk": 8},
}
H2 = H | {"hypothesis": "Average five seeds.", "component": "ensemble", "problem_kind": "feedback"}
HYP = json.dumps({"hypotheses": [H, H2]}, indent=2)
TEXTS = {"hypotheses": [H["hypothesis"], H2["hypothesis"]]}
ONE = {"hypotheses": [H["hypothesis"]]}
DG, RV, HY, SE = Op.DIAGNOSE, Op.REVIEW, Op.HYPOTHESIZE, Op.SELECT


def fence(text: str, info: str = "json") -> str:
    """A fenced block."""
    return f"```{info}\n{text}\n```"


def python(value: object) -> str:
    """As Python prints it."""
    return repr(value)


def scored(**scores: object) -> str:
    """A selection with some scores in another form."""
    return json.dumps({"hypotheses": [H | {"scores": H["scores"] | scores}]})


SCORES = {"scores": [[9, 6, 5, 10, 8]]}

CASES = [
    Case(
        "json after thoughts that hold another",
        f"<think>Maybe {json.dumps(NOT)}? No, the folds agree.</think>\n{DIAG}",
        D,
        DG,
    ),
    Case("json after thoughts, tag not opened", f"First {json.dumps(NOT)}. No.\n</think>\n\n{fence(DIAG)}", D, DG),
    Case("json in harmony without marks", f"analysisWe need JSON. {json.dumps(BUG)}? No.assistantfinal{REV}", R, RV),
    Case(
        "comments of slashes",
        '{\n  // question 1\n  "is_bug": false, // it ran\n  "lesson": "See https://x.y for rmse."\n}',
        {"is_bug": False, "lesson": "See https://x.y for rmse."},
        RV,
    ),
    Case(
        "comments of hashes",
        '{\n  # it ran\n  "is_bug": false,\n  "lesson": "The # of trees: 400." # short\n}',
        {"is_bug": False, "lesson": "The # of trees: 400."},
        RV,
    ),
    Case(
        "block comments",
        '{/* verdict */ "is_bug": true, "lesson": "KeyError in /* the */ loop."}',
        {"is_bug": True, "lesson": "KeyError in /* the */ loop."},
        RV,
    ),
    Case("trailing commas", DIAG.replace('next."\n}', 'next.",\n}'), D, DG),
    Case("a comma missing", DIAG.replace("true,\n", "true\n"), D, DG),
    Case("python's words", python(D), D, DG),
    Case("python's words in json's quotes", DIAG.replace("true", "True").replace("false", "False"), D, DG),
    Case("keys in camel case", json.dumps({"isBug": False, "lesson": R["lesson"]}), R, RV),
    Case("keys in title case", json.dumps({"Is Bug": False, "Lesson": R["lesson"]}), R, RV),
    Case("keys with hyphens", json.dumps({k.replace("_", "-"): v for k, v in D.items()}), D, DG),
    Case("keys in capitals", json.dumps({k.upper(): v for k, v in D.items()}), D, DG),
    Case(
        "booleans as words",
        json.dumps(D | {"format_valid": "yes", "severely_misaligned": "No", "replace": "true"}),
        D,
        DG,
    ),
    Case("booleans as numbers", json.dumps(D | {"format_valid": 1, "severely_misaligned": 0}), D, DG),
    Case("null as a word", json.dumps(D | {"hypothesis_supported": "null"}), D | {"hypothesis_supported": None}, DG),
    Case("null as n/a", json.dumps(D | {"hypothesis_supported": "N/A"}), D | {"hypothesis_supported": None}, DG),
    Case(
        "unknown as a word",
        json.dumps(D | {"hypothesis_supported": "inconclusive"}),
        D | {"hypothesis_supported": None},
        DG,
    ),
    Case("partly", json.dumps(D | {"replace": "partially"}), Ask(), DG),
    Case(
        "a boolean with its reason",
        json.dumps(D | {"replace": "false, because it is worse"}),
        D | {"replace": False},
        DG,
    ),
    Case("a boolean with a doubt", json.dumps(D | {"replace": "true, but only if the folds agree"}), Ask(), DG),
    Case("not true", json.dumps(D | {"replace": "not true"}), Ask(), DG),
    Case("numbers as strings", scored(alignment="9", impact="6"), SCORES, SE),
    Case("numbers out of ten", scored(alignment="9/10", impact="6 / 10", risk="8 out of 10"), SCORES, SE),
    Case("numbers with words", scored(alignment="9 (high)"), SCORES, SE),
    Case("numbers as words", scored(alignment="nine"), SCORES, SE),
    Case("numbers as objects", scored(alignment={"score": 9, "reason": "rmse"}), SCORES, SE),
    Case("numbers as ranges", scored(alignment="7-9"), Ask(), SE),
    Case("numbers above ten", scored(alignment=90), {"scores": [[10, 6, 5, 10, 8]]}, SE),
    Case(
        "numbers of a scale to one",
        json.dumps({"hypotheses": [H | {"scores": {k: v / 10 for k, v in H["scores"].items()}}]}),
        Ask(),
        SE,
    ),
    Case("out of five", scored(alignment="4/5"), Ask(), SE),
    Case(
        "scores beside the rest",
        json.dumps({"hypotheses": [{k: v for k, v in H.items() if k != "scores"} | H["scores"]]}),
        SCORES,
        SE,
    ),
    Case(
        "scores as a list of objects",
        json.dumps({"hypotheses": [H | {"scores": [{"name": k, "value": v} for k, v in H["scores"].items()]}]}),
        SCORES,
        SE,
    ),
    Case("a bare list", json.dumps([H, H2]), TEXTS, HY),
    Case("a bare object", json.dumps(H), ONE, SE),
    Case("hypotheses as an object by number", json.dumps({"hypotheses": {"1": H, "2": H2}}), TEXTS, HY),
    Case("one object in place of the list", json.dumps({"hypotheses": H}), ONE, SE),
    Case("hypothesis, not hypotheses", json.dumps({"hypothesis": H}), ONE, SE),
    Case("one object a line", f"{json.dumps(H)}\n{json.dumps(H2)}", TEXTS, HY),
    Case("one block each", f"**1**\n{fence(json.dumps(H))}\n**2**\n{fence(json.dumps(H2))}", TEXTS, HY),
    Case("cut after a whole one", HYP[: HYP.index('"problem": "Width', 60) + 30], ONE, HY, finish="length"),
    Case("cut in the first one", HYP[:120], Ask(), HY, finish="length"),
    Case("a selection of two", HYP, Ask(), SE),
    Case("two verdicts that differ", f"{fence(json.dumps(D))}\n\n{fence(json.dumps(NOT))}", Ask(), DG),
    Case(
        "a verdict corrected",
        f"{fence(json.dumps(D))}\n\nWait, the score is worse, not better. Corrected:\n\n{fence(json.dumps(NOT))}",
        NOT,
        DG,
    ),
    Case("the same verdict twice", f"{fence(DIAG)}\n\nFinal answer:\n\n{DIAG}", D, DG),
    Case("the example echoed, then the verdict", f'Form: {{"is_bug": true or false, "lesson": "..."}}\n\n{REV}', R, RV),
    Case(
        "the schema first",
        fence(
            json.dumps({"type": "object", "properties": {"is_bug": {"type": "boolean"}, "lesson": {"type": "string"}}})
        )
        + f"\n\n{REV}",
        R,
        RV,
    ),
    Case(
        "the schema alone",
        json.dumps({"type": "object", "properties": {"is_bug": {"type": "boolean"}, "lesson": {"type": "string"}}}),
        Ask(),
        RV,
    ),
    Case("values within the schema", json.dumps({"type": "object", "properties": R}), R, RV),
    Case("one level down", json.dumps({"diagnosis": D}), D, DG),
    Case("one level down, in a list", json.dumps([D]), D, DG),
    Case("a json text in json", json.dumps({"answer": json.dumps(R)}), R, RV),
    Case("a tool call", '<tool_call>\n{"name": "submit_review", "arguments": ' + REV + "}\n</tool_call>", R, RV),
    Case(
        "kimi's call",
        f"<|tool_calls_section_begin|><|tool_call_begin|>functions.review:0<|tool_call_argument_begin|>{REV}<|"
        f"tool_call_end|><|tool_calls_section_end|>",
        R,
        RV,
    ),
    Case("openai's call", json.dumps({"name": "review", "parameters": R}), R, RV),
    Case(
        "line breaks in a text",
        '{"is_bug": false, "lesson": "More trees helped.\nDepth is next."}',
        {"is_bug": False, "lesson": "More trees helped.\nDepth is next."},
        RV,
    ),
    Case(
        "quotes within a text",
        '{"is_bug": true, "lesson": "The column "widht" is misspelt."}',
        {"is_bug": True, "lesson": 'The column "widht" is misspelt.'},
        RV,
    ),
    Case(
        "backslashes",
        '{"is_bug": true, "lesson": "The pattern \\d+ fails in C:\\data."}',
        {"is_bug": True, "lesson": "The pattern \\d+ fails in C:\\data."},
        RV,
    ),
    Case(
        "a fence in a text",
        fence(json.dumps({"is_bug": True, "lesson": "Use ```python\nx = 1\n``` there."})),
        {"is_bug": True, "lesson": "Use ```python\nx = 1\n``` there."},
        RV,
    ),
    Case(
        "braces in a text",
        f"In {{words}}: {json.dumps(R | {'lesson': 'The f-string {d[0]} failed }'})}",
        R | {"lesson": "The f-string {d[0]} failed }"},
        RV,
    ),
    Case("nan", json.dumps(D | {"observations": float("nan")}), Ask(), DG),
    Case("a key missing", json.dumps({k: v for k, v in D.items() if k != "replace"}), Ask(), DG),
    Case("no lesson", json.dumps({"is_bug": False, "lesson": ""}), Ask(), RV),
    Case(
        "a list of lessons",
        json.dumps({"is_bug": False, "lesson": ["More trees helped.", "Depth is next."]}),
        {"is_bug": False, "lesson": "More trees helped.\nDepth is next."},
        RV,
    ),
    Case(
        "a key twice, the same",
        '{"is_bug": false, "is_bug": false, "lesson": "More trees helped."}',
        {"is_bug": False, "lesson": "More trees helped."},
        RV,
    ),
    Case("a key twice, differing", '{"is_bug": false, "lesson": "More trees helped.", "is_bug": true}', Ask(), RV),
    Case("brace missing at the end", REV[:-1], R, RV),
    Case("cut in the lesson", REV[:60], Ask(), RV, finish="length"),
    Case("verdict in words alone", "The program has no bug. More trees helped.", Ask(), RV),
    Case(
        "words, then json that says the opposite",
        f"There is a clear bug: the labels leak.\n\n{fence(REV)}\n\nSorry, is_bug should be true.",
        Ask(),
        RV,
    ),
    Case(
        "markdown in keys",
        '{"**is_bug**": false, "**lesson**": "More trees helped."}',
        {"is_bug": False, "lesson": "More trees helped."},
        RV,
    ),
    Case(
        "equals signs",
        'is_bug = false\nlesson = "More trees helped."',
        {"is_bug": False, "lesson": "More trees helped."},
        RV,
    ),
    Case("smart quotes", REV.replace('"', "”"), R, RV),
    Case(
        "single quotes",
        "{'is_bug': false, 'lesson': 'It's the width that counts.'}",
        {"is_bug": False, "lesson": "It's the width that counts."},
        RV,
    ),
    Case(
        "a program in place of the verdict",
        "```python\nimport pandas as pd\nprint({'is_bug': False, 'lesson': 'x'})\n```",
        {"is_bug": False, "lesson": "x"},
        RV,
    ),
    Case("data of the prompt before", f'The output shows {{"cv": 0.29}}. So:\n{REV}', R, RV),
    Case(
        "a component in other words",
        json.dumps({"hypotheses": [H | {"component": "Feature Engineering"}]}),
        {"components": ["features"]},
        SE,
    ),
    Case(
        "a component of two",
        json.dumps({"hypotheses": [H | {"component": "features/model"}]}),
        {"components": ["features"]},
        SE,
    ),
    Case("a component that is none", json.dumps({"hypotheses": [H | {"component": "hardware"}]}), Ask(), SE),
    Case("a problem kind in capitals", json.dumps({"hypotheses": [H | {"problem_kind": "SCENARIO"}]}), ONE, SE),
    Case("the chosen one by its number", json.dumps({"selected": 2}), Ask(), SE),
    Case("with ids", json.dumps({"hypotheses": [{"id": 1} | H, {"id": 2} | H2]}), TEXTS, HY),
    Case(
        "six",
        json.dumps({"hypotheses": [H | {"hypothesis": f"Idea {i}."} for i in range(6)]}),
        {"hypotheses": [f"Idea {i}." for i in range(5)]},
        HY,
    ),
    Case("the base judged beside it", json.dumps({"base": NOT, "subject": D}), D, DG),
    Case("python assignment", f"result = {python(R)}", R, RV),
    Case("json.loads of a text", f"```python\nimport json\nresult = json.loads('''{REV}''')\n```", R, RV),
    Case(
        "xml",
        "<is_bug>false</is_bug>\n<lesson>More trees helped.</lesson>",
        {"is_bug": False, "lesson": "More trees helped."},
        RV,
    ),
    Case(
        "yaml",
        "```yaml\nis_bug: false\nlesson: More trees helped.\n```",
        {"is_bug": False, "lesson": "More trees helped."},
        RV,
    ),
    Case(
        "bullets",
        "- **is_bug**: false\n- **lesson**: More trees helped.",
        {"is_bug": False, "lesson": "More trees helped."},
        RV,
    ),
    Case(
        "a table",
        "| key | value |\n|---|---|\n| is_bug | false |\n| lesson | More trees helped. |",
        {"is_bug": False, "lesson": "More trees helped."},
        RV,
    ),
    Case("a prefix of the server", f"json{REV}", R, RV),
    Case("doubled braces", "{" + REV + "}", R, RV),
    Case("ellipsis in a text", json.dumps({"is_bug": False, "lesson": "..."}), Ask(), RV),
    Case("a list of dots", HYP.replace("    },\n    {", "    },\n    ...\n    {"), TEXTS, HY),
    Case("zero width marks", "\u200b\ufeff" + REV, R, RV),
    Case("a full-width colon", REV.replace('": ', '"：'), R, RV),
    Case("html entities", REV.replace('"', "&quot;"), R, RV),
    Case("escaped underscores", REV.replace("is_bug", "is\\_bug"), R, RV),
    Case("escaped quotes throughout", REV.replace('"', '\\"'), R, RV),
]
