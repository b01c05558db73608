"""What holds for every reply: a wrapped program comes back, nothing raises but a refusal, no half is taken."""

from __future__ import annotations

import html
import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlesearch.operators.code_facts import facts
from mlesearch.operators.elisions import elision
from mlesearch.operators.fences import scan
from mlesearch.operators.parse import parse
from mlesearch.operators.syntax import fault_here
from mlesearch.types import Op, ReplyUnusable
from tests.support.replies import CORPUS
from tests.support.replies.case import DRAFT, FOREST, HELPERS, MAIN, RIDGE, SHORT, Ask, joined, py
from tests.support.work import work

ACTS = re.compile(r"\.fit|\.predict|print\(|write|save|dump|open\(")
PROGRAMS = [FOREST, SHORT, RIDGE, DRAFT, joined(HELPERS, MAIN)]
PLAN = "A plan in a sentence, with no code."
INFOS = ["python", "py", "Python", "python3", "python3.12", "python:main.py", "solution.py", "tool_code", "py3", ""]
ODD = ["```python", "</think>", "# ... unchanged", "<answer>", '{"code": 1}', "...", "# the rest of the code"]
PIECES = [
    *("```python", "```", "~~~", "```markdown", "'''python", "<code>", "</code>", "<answer>", "</answer>"),
    *("import os", "x = 1", "x = (", "...", "# unchanged", "    y = 2", "def f():", "f()", "to_csv('submission.csv')"),
    *("<think>", "</think>", "<|channel|>final<|message|>", "assistantfinal", "analysis", "Option 1", "> ", "1. "),
    *("{", '"code": "x"', "}", "[", "]", '"hypotheses": [', "\u201cx", "&lt;", ">>> x", "%time x"),
]

literals = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=30)
programs = st.builds(
    lambda base, notes, text: f"{base}NOTES = {notes!r}\nprint({text!r}, file=open('log.txt', 'w'))\n{SHORT}",
    st.sampled_from(PROGRAMS),
    st.lists(literals, max_size=3),
    st.one_of(literals, st.sampled_from(ODD)),
)


def quoted(text: str) -> str:
    return "".join(f"> {line}\n" for line in text.split("\n"))


def final(text: str) -> str:
    return f"<|channel|>analysis<|message|>{py(DRAFT)}<|end|><|start|>assistant<|channel|>final<|message|>{text}"


WRAPPERS = {
    "thought": lambda t: f"<think>\nLet me see.\n{py(DRAFT)}\nNo.\n</think>\n\n{t}",
    "thought without its opening": lambda t: f"Let me see.\n{py(DRAFT)}\nNo.\n</think>\n\n{t}",
    "thought with an open fence": lambda t: f"<thinking>\n```python\n{DRAFT}\nwait\n</thinking>\n{t}",
    "final channel": final,
    "end of the turn": lambda t: f"{t}<|im_end|>",
    "answer": lambda t: f"<answer>\n{t}\n</answer>",
    "carriage returns": lambda t: t.replace("\n", "\r\n"),
    "quotation": quoted,
    "command after it": lambda t: f"{t}\n\nRun it:\n```bash\npython main.py\n```\n",
    "older one before it": lambda t: f"The base program:\n{py(DRAFT)}\nThe new one:\n{t}",
    "nothing": lambda t: t,
}


@pytest.mark.parametrize("name", list(WRAPPERS))
@given(program=programs, info=st.sampled_from(INFOS), mark=st.sampled_from(["```", "~~~", "`````"]))
def test_a_wrapped_program_comes_back(name, program, info, mark):
    text = WRAPPERS[name](f"{PLAN}\n\n{mark}{info}\n{program}{mark}")
    assert parse(Op.DRAFT, text).code == program


@given(programs)
def test_a_program_in_json_or_tags_comes_back(program):
    plain = not set("<&") & set(program)
    for text in (
        json.dumps({"plan": PLAN, "code": program}),
        json.dumps({"name": "python", "arguments": json.dumps({"code": program})}),
        f"<pre><code>{html.escape(program)}</code></pre>" if plain else py(program),
        f"<python>\n{program}</python>" if plain else py(program),
    ):
        assert parse(Op.DRAFT, text).code == program


texts = st.one_of(st.text(max_size=300), st.lists(st.sampled_from(PIECES), max_size=14).map("\n".join))


def check(op: Op, text: str) -> None:
    """A reply is refused in one line, or what is taken is whole."""
    refused = ""
    try:
        parsed = parse(op, text)
    except ReplyUnusable as e:
        refused = str(e) or "no word"
    if refused:
        assert refused != "no word"
        assert "\n" not in refused
        return
    if op.makes_program:
        assert parsed.code.strip()
        assert not fault_here(parsed.code)
        assert not elision(parsed.code)


@given(st.sampled_from(list(Op)), texts)
@example(Op.DRAFT, "```PY\n~~~```")
def test_no_text_raises_and_what_is_taken_is_whole(op, text):
    check(op, text)


@given(st.sampled_from(CORPUS), st.integers(0, 4000), st.sampled_from(["", "\n```", "</think>", "\n\nSorry."]))
def test_a_reply_of_the_corpus_cut_anywhere_is_refused_or_whole(case, at, tail):
    check(case.op, case.text[:at] + tail)


@given(st.sampled_from([c for c in CORPUS if c.op.makes_program and not isinstance(c.want, Ask)]), st.data())
def test_what_is_cut_is_never_run_in_half(case, data):
    """Cut anywhere, a reply gives its program, or another whole one that stands in it, or nothing that acts."""
    at = data.draw(st.integers(0, len(case.text)))
    try:
        code = parse(case.op, case.text[:at]).code
    except ReplyUnusable:
        return
    if code != case.want:
        found = facts(code)
        assert found is not None
        assert not found.lacks
        # a block that reads or sets constants, and no more: the run says that nothing was submitted
        assert "to_csv" in code or found.inert or not ACTS.search(code)


UNITS = ["```\n", "```python\n", "```python\nx = (\n", "~~~\n```\n", "`````\nx\n```\n", "</think>\n", "<code>\n", "{\n"]


@pytest.mark.parametrize("unit", UNITS)
def test_degenerate_replies_cost_twice_as_much_where_they_are_twice_as_long(unit):
    def read(text: str) -> None:
        with pytest.raises(ReplyUnusable):
            parse(Op.DRAFT, text)

    assert work(read, unit * 1600) <= 2.3 * work(read, unit * 800)


@pytest.mark.parametrize("unit", ["```python\nx = (\n", "```\nx = 1\n", "x```\n```python\n"])
def test_the_number_of_programs_tried_is_bounded(unit):
    tried: list[str] = []

    def judge(code: str) -> str:
        tried.append(code)
        return "no"

    scan(unit * 2000, judge)
    assert len(tried) <= 100
