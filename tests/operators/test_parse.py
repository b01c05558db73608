"""Replies: read leniently, refused with words that a repair turn can use."""

from __future__ import annotations

import json
import sys
import warnings

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from mlesearch.operators.elisions import elision
from mlesearch.operators.parse import parse
from mlesearch.types import Component, Diagnosis, Op, ProblemKind, ReplyUnusable

CODE = 'import pandas as pd\n\npd.read_csv("input/sample_submission.csv").to_csv("submission.csv")\n'
PROGRAM_OPS = [op for op in Op if op.makes_program]
SCORES = {"alignment": 9, "impact": 8, "novelty": 4, "feasibility": 10, "risk": 7}
HYPOTHESIS = {
    "problem": "No features.",
    "problem_kind": "scenario",
    "hypothesis": "Add ratios.",
    "component": "features",
    "scores": SCORES,
}
DIAGNOSIS = {
    "format_valid": True,
    "severely_misaligned": False,
    "changes": "More trees.",
    "observations": "0.3 against 0.31, or {so}",
    "hypothesis_supported": None,
    "quality_better": False,
    "replace": True,
    "reason": "Better.",
}
REVIEW = {"is_bug": False, "lesson": "Ratios help."}
JUDGEMENTS = [
    (Op.DIAGNOSE, DIAGNOSIS),
    (Op.HYPOTHESIZE, {"hypotheses": [HYPOTHESIS, {**HYPOTHESIS, "component": "model"}]}),
    (Op.SELECT, {"hypotheses": [HYPOTHESIS]}),
    (Op.REVIEW, REVIEW),
]


def fenced(code: str, plan: str = "The plan.", mark: str = "```python") -> str:
    return f"{plan}\n\n{mark}\n{code}```\n"


def problem(op: Op, text: str) -> str:
    with pytest.raises(ReplyUnusable) as e:
        parse(op, text)
    assert "\n" not in str(e.value)
    return str(e.value)


# programs


@pytest.mark.parametrize(
    "text",
    [
        fenced(CODE),
        fenced(CODE, mark="```py"),
        fenced(CODE, mark="```Python title=main.py"),
        fenced(CODE, mark="```"),
        fenced(CODE).replace("```", "~~~"),
        fenced(CODE).replace("```", "````"),
        fenced(CODE).replace("\n", "\r\n"),
        f"The plan.\n\n```python\n{CODE}",  # the text ends before the fence is closed
        f"\ufeff  The plan.\n  ```python\n{''.join('  ' + x + chr(10) for x in CODE.splitlines())}  ```",
        f"<think>First ```python\nx = 1\n``` or so.</think>\n{fenced(CODE)}",
        fenced(CODE) + "\nRun it so:\n```bash\npython very_long_command --with many --arguments to --be longer\n```",
        f"```\npip install\n```\n{fenced(CODE)}".replace("```\npip install\n```", "```text\nsome words\n```"),
        f"The plan.\n\n{CODE}",  # no fence at all, prose first
    ],
)
@pytest.mark.parametrize("op", PROGRAM_OPS)
def test_a_program_is_found(op, text):
    parsed = parse(op, text)
    assert parsed.code == CODE
    assert "The plan." in parsed.plan
    assert "```" not in parsed.plan


def test_a_reply_that_is_only_code():
    parsed = parse(Op.DRAFT, CODE)
    assert (parsed.plan, parsed.code, parsed.unclosed) == ("", CODE, True)
    assert not parse(Op.DRAFT, fenced(CODE)).unclosed


def test_of_several_blocks_the_last_complete_one_counts():
    other = "import os\n"
    assert parse(Op.DRAFT, fenced(other) + fenced(CODE, "") + fenced(other, "")).code == CODE
    longer = CODE.replace("\n\n", "\n\nprint(1)\n")
    assert parse(Op.DRAFT, fenced(longer) + fenced(CODE, "Wait, corrected version:")).code == CODE
    assert parse(Op.DRAFT, fenced("x = (\n" * 50) + fenced(CODE, "")).code == CODE
    with pytest.raises(ReplyUnusable, match="set names"):
        parse(Op.DRAFT, fenced("a = 1\n") + fenced("b = 2\n", ""))


def test_prose_around_several_blocks_is_the_plan():
    text = f"One.\n\n```python\n{CODE}```\n\nTwo.\n\n```bash\nls\n```\nThree."
    assert parse(Op.DRAFT, text).plan == "One.\n\nTwo.\n\nThree."


def test_a_program_that_holds_fence_marks():
    code = 'TEXT = """\n```python\nx = 1\n```\n"""\nprint(TEXT)\n'
    assert parse(Op.DRAFT, fenced(code)).code == code


def test_whitespace_inside_strings_is_kept():
    code = 'TEXT = """\n   \n\tx\n"""\n'
    assert parse(Op.DRAFT, fenced(code)).code == code


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["empty"]),
        (" \n ", ["empty"]),
        ("<think>never mind", ["empty"]),
        ("I am sorry, I cannot do that.", ["no program", "```python"]),
        ("Sorry", ["no program"]),
        (fenced(""), ["empty", "no statement"]),
        (fenced("# nothing\n"), ["empty", "no statement"]),
        (fenced("x = 1\ny = (2\nz = 3\n"), ["does not compile", "line 2", "y = (2"]),
        (fenced("x = 1\nreturn x\n"), ["does not compile", "line 2", "'return' outside function"]),
        ("The plan.\n```python\nimport os\nprint(os.getcwd(", ["does not compile", "line 2", "cut off"]),
        (fenced("x = '\0'\n"), ["does not compile", "null"]),
        ("The plan.\n```json\n{}\n```", ["```python"]),
        (fenced("x = " + "(" * 5000 + ")" * 5000 + "\n"), ["does not compile"]),
    ],
)
@pytest.mark.parametrize("op", PROGRAM_OPS)
def test_no_program_says_what_is_wrong(op, text, words):
    told = problem(op, text)
    assert all(w in told for w in words), told


def test_odd_escapes_warn_nobody():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parse(Op.DRAFT, fenced('x = "\\d" is 1\n')).code == 'x = "\\d" is 1\n'


def test_lone_surrogates_do_not_get_into_what_is_stored():
    parsed = parse(Op.DRAFT, fenced("x = '\ud800'\n", "Plan \udfff."))
    (parsed.plan + parsed.code).encode("utf-8")


no_fence = st.text(st.characters(blacklist_categories=("Cs",)), max_size=200).filter(
    lambda t: "```" not in t and "~~~" not in t and not t.lstrip().startswith("<think>")
)
plain_line = st.one_of(
    st.text(st.characters(blacklist_categories=("Cs",)), max_size=40).map(lambda t: f"x = {t!r}"),
    st.text(st.characters(codec="ascii", blacklist_characters="\n\r\0\f"), max_size=40).map(lambda t: f"# {t}"),
    st.sampled_from(["import os", "for i in range(3):\n    print(i)", "", '"""a\n\n   b"""']),
)
programs = (
    st.lists(plain_line, max_size=8)
    .map(lambda ls: "\n".join([*ls, "print(1)"]) + "\n")
    .filter(lambda c: "```" not in c and "~~~" not in c)
)


def normal(plan: str) -> str:
    """What is not part of a plan's sense: line ends, blank lines in a row, space around it."""
    plan = plan.replace("\r\n", "\n").replace("\r", "\n").strip("\ufeff \t\n").strip()
    while "\n\n\n" in plan:
        plan = plan.replace("\n\n\n", "\n\n")
    return plan


@given(no_fence, programs, st.sampled_from(PROGRAM_OPS))
@example("", "print(1)\n", Op.DRAFT)
def test_plan_and_program_come_back(plan, code, op):
    assume(not elision(code))  # a comment such as `# IMPLEMENT` is asked about, rightly
    parsed = parse(op, f"{plan}\n\n```python\n{code}```")
    assert normal(parsed.plan) == normal(plan)
    assert parsed.code == code.strip("\n").rstrip() + "\n"


whole = [(op, fenced(CODE)) for op in PROGRAM_OPS] + [
    (op, mark.format(json.dumps(value, indent=1)))
    for op, value in JUDGEMENTS
    for mark in ("{}", "So:\n```json\n{}\n```")
]


def refusal(op: Op, text: str) -> str | None:
    """None when the reply is read, and then it holds what the operator is for."""
    try:
        parsed = parse(op, text)
    except ReplyUnusable as e:
        return str(e)
    held = {Op.DIAGNOSE: parsed.diagnosis, Op.REVIEW: parsed.lesson}.get(op, parsed.hypotheses)
    assert parsed.code if op.makes_program else held
    return None


@given(st.sampled_from(whole), st.integers(0, 2000), st.text(max_size=10))
def test_a_reply_cut_anywhere_is_read_or_refused(reply, at, tail):
    op, text = reply
    assert refusal(op, text[:at] + tail) != ""


@given(st.sampled_from(list(Op)), st.one_of(st.text(max_size=200), st.text('{}[]",:`\n \\ab1-', max_size=200)))
def test_any_text_is_read_or_refused(op, text):
    assert refusal(op, text) != ""


@pytest.mark.parametrize("op", list(Op))
@pytest.mark.parametrize("unit", ["{", "[", '{"a":', "```\n", "(", "[{", ",]"])
def test_hostile_repetition_ends_soon(op, unit):
    problem(op, unit * 20_000)


# judgements


def shapes(value: object) -> list[str]:
    """The same object as models write it."""
    text = json.dumps(value, indent=2)
    loose = text.replace("\n}", ",\n}").replace("\n    }", ",\n    }")
    return [
        text,
        json.dumps(value),
        f"```json\n{text}\n```",
        f"```\n{text}\n```",
        f"```json\n{text}",
        f"Here [1] it is {{as asked}}:\n\n{text}\n\nI hope {{that}} helps.",
        loose,
        f"Sure.\n```json\n{loose}\n```\nDone.",
        text.replace("true", "True").replace("false", "False").replace("null", "None"),
        repr(value),
        text.replace("{\n", "{ // as asked\n", 1),
        text.replace("true", '"true"').replace("false", '"False"').replace("null", '"null"'),
        f"<think>Maybe {{}}?</think>{text}",
    ]


@pytest.mark.parametrize(("op", "value"), JUDGEMENTS)
def test_a_judgement_is_found_in_any_shape(op, value):
    expected = parse(op, json.dumps(value))
    for text in shapes(value):
        assert parse(op, text) == expected, text


def test_a_diagnosis():
    assert parse(Op.DIAGNOSE, json.dumps(DIAGNOSIS)).diagnosis == Diagnosis(
        True, False, "More trees.", "0.3 against 0.31, or {so}", None, False, True, "Better."
    )


def test_hypotheses():
    first, second = parse(Op.HYPOTHESIZE, json.dumps(JUDGEMENTS[1][1])).hypotheses
    assert first.text == "Add ratios."
    assert first.problem_kind is ProblemKind.SCENARIO
    assert (first.component, second.component) == (Component.FEATURES, Component.MODEL)
    assert first.scores.weighted == pytest.approx(0.2 * 9 + 0.4 * 8 + 0.2 * 4 + 0.1 * 10 + 0.1 * 7)
    assert first.embedding is None


def test_a_review():
    parsed = parse(Op.REVIEW, json.dumps(REVIEW))
    assert (parsed.is_bug, parsed.lesson) == (False, "Ratios help.")


def test_scores_are_clipped_and_read_from_texts():
    scores = {"alignment": 0, "impact": 11, "novelty": "8/10", "feasibility": " 7 ", "risk": 10**400}
    found = parse(Op.SELECT, json.dumps({"hypotheses": [{**HYPOTHESIS, "scores": scores}]})).hypotheses[0].scores
    assert (found.alignment, found.impact, found.novelty, found.feasibility, found.risk) == (1, 10, 8, 7, 10)


def test_a_bare_list_and_a_bare_hypothesis():
    assert len(parse(Op.HYPOTHESIZE, json.dumps([HYPOTHESIS, HYPOTHESIS])).hypotheses) == 2
    assert len(parse(Op.HYPOTHESIZE, json.dumps([HYPOTHESIS, HYPOTHESIS])[:-1] + ",]").hypotheses) == 2
    assert len(parse(Op.SELECT, json.dumps(HYPOTHESIS)).hypotheses) == 1


def test_of_many_hypotheses_the_first_five_are_kept():
    many = [{**HYPOTHESIS, "hypothesis": f"h{i}"} for i in range(7)]
    assert [h.text for h in parse(Op.HYPOTHESIZE, json.dumps({"hypotheses": many})).hypotheses] == [
        "h0",
        "h1",
        "h2",
        "h3",
        "h4",
    ]


def test_case_and_plural_of_a_choice_do_not_matter():
    odd = {**HYPOTHESIS, "component": " Feature", "problem_kind": "FEEDBACK"}
    h = parse(Op.SELECT, json.dumps(odd)).hypotheses[0]
    assert (h.component, h.problem_kind) == (Component.FEATURES, ProblemKind.FEEDBACK)


def test_a_corrected_object_counts():
    text = f"{json.dumps({**REVIEW, 'is_bug': True})}\nNo, rather:\n{json.dumps(REVIEW)}"
    assert parse(Op.REVIEW, text).is_bug is False


def test_texts_that_came_as_lists_numbers_or_null():
    odd = {**DIAGNOSIS, "changes": ["a", "b"], "observations": 0.3, "reason": None}
    d = parse(Op.DIAGNOSE, json.dumps(odd)).diagnosis
    assert d is not None
    assert (d.changes, d.observations, d.reason) == ("a\nb", "0.3", "")


def without(value: dict, key: str) -> dict:
    return {k: v for k, v in value.items() if k != key}


@pytest.mark.parametrize("key", list(DIAGNOSIS))
def test_a_missing_key_of_a_diagnosis_is_named(key):
    told = problem(Op.DIAGNOSE, json.dumps(without(DIAGNOSIS, key)))
    assert told.startswith(f'the diagnosis lacks "{key}"; it must have exactly "format_valid"')


@pytest.mark.parametrize(
    ("op", "value", "words"),
    [
        (Op.REVIEW, {"lesson": "x"}, ['the review lacks "is_bug"']),
        (Op.REVIEW, {"is_bug": "perhaps", "lesson": "x"}, ['"is_bug"', "true or false", '"perhaps"']),
        (Op.REVIEW, {"is_bug": True, "lesson": " "}, ['"lesson"', "must be a text"]),
        (Op.REVIEW, {"bug": True}, ["not the object that was asked for"]),
        (Op.DIAGNOSE, {**DIAGNOSIS, "hypothesis_supported": "partly"}, ["true, false or null", '"partly"']),
        (Op.DIAGNOSE, {**DIAGNOSIS, "changes": {"a": 1}}, ['"changes"', "must be a text"]),
        (Op.HYPOTHESIZE, {"hypotheses": []}, ["empty list"]),
        (Op.HYPOTHESIZE, {"hypotheses": "none"}, ["must be a list"]),
        (Op.HYPOTHESIZE, {"hypotheses": [1]}, ["hypothesis 1 must be an object"]),
        (
            Op.HYPOTHESIZE,
            {"hypotheses": [HYPOTHESIS, without(HYPOTHESIS, "component")]},
            ['hypothesis 2 lacks "component"'],
        ),
        (Op.SELECT, {"hypotheses": [HYPOTHESIS] * 3}, ["exactly one", "not 3"]),
        (
            Op.SELECT,
            {"hypotheses": [{**HYPOTHESIS, "component": "price"}]},
            ['"component" of hypothesis 1', '"data", "features", "model", "ensemble", "workflow"', '"price"'],
        ),
        (Op.SELECT, {"hypotheses": [{**HYPOTHESIS, "problem_kind": "x"}]}, ['"scenario", "feedback"']),
        (Op.SELECT, {"hypotheses": [{**HYPOTHESIS, "scores": 8}]}, ['"scores"', "alignment, impact"]),
        (Op.SELECT, {"hypotheses": [{**HYPOTHESIS, "scores": without(SCORES, "risk")}]}, ['lacks "risk"']),
        (Op.SELECT, {"hypotheses": [{**HYPOTHESIS, "scores": {**SCORES, "risk": "high"}}]}, ["from 1 to 10", '"high"']),
        (Op.SELECT, {"hypotheses": [{**HYPOTHESIS, "scores": {**SCORES, "risk": float("nan")}}]}, ["from 1 to 10"]),
    ],
)
def test_what_is_wrong_is_named(op, value, words):
    told = problem(op, json.dumps(value))
    assert all(w in told for w in words), told


@pytest.mark.parametrize("op", [op for op, _ in JUDGEMENTS])
def test_no_json_is_told_apart_from_broken_json(op):
    assert "no JSON" in problem(op, "It went well.")
    assert "cannot be read" in problem(op, '{"is_bug": tru')


def test_of_a_cut_list_of_hypotheses_the_whole_ones_are_kept():
    text = json.dumps({"hypotheses": [HYPOTHESIS, {**HYPOTHESIS, "hypothesis": "second"}, HYPOTHESIS]})
    for cut in (text.rindex("{"), text.rindex("{", 0, text.rindex("{")) + 1, text.rindex(', {"problem"')):
        assert [h.text for h in parse(Op.HYPOTHESIZE, text[:cut]).hypotheses] == ["Add ratios.", "second"]
    first = text.index('"scores"')
    problem(Op.HYPOTHESIZE, text[:first])


def test_lone_surrogates_in_json():
    lesson = parse(Op.REVIEW, '{"is_bug": false, "lesson": "x \\ud800 y"}').lesson
    lesson.encode("utf-8")


def test_deep_nesting_is_refused():
    deep = "[" * (sys.getrecursionlimit() * 2) + "]" * (sys.getrecursionlimit() * 2)
    problem(Op.REVIEW, f'{{"is_bug": {deep}, "lesson": "x"}}')
