"""The block format: what is written is read back, whatever the bodies hold."""

from __future__ import annotations

import ast
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlesearch.models import markup
from tests.support.work import work

LINES = st.lists(
    st.one_of(
        st.text(st.characters(blacklist_categories=("Cs",)), max_size=20),
        st.sampled_from(
            [f"<{t}>" for t in markup.TAGS] + [f"</{t}>" for t in markup.TAGS] + ["```", "```python", "````"]
        ),
    ),
    max_size=8,
)


@given(st.lists(st.tuples(st.sampled_from(markup.TAGS), LINES.map("\n".join), st.text(max_size=10)), max_size=5))
def test_blocks_are_read_back(items):
    text = "\n\n".join(markup.block(tag, body, node=3, title=title, score=None) for tag, body, title in items)
    blocks = markup.blocks(text)
    assert [b.tag for b in blocks] == [tag for tag, _, _ in items]
    for b, (_, body, title) in zip(blocks, items, strict=True):
        assert b.attrs["node"] == "3"
        assert b.attrs.get("title", "") == markup.plain(title).replace('"', "'").replace("\n", " ")
        assert [line.removeprefix(" ") for line in b.body.split("\n")] == [
            line.removeprefix(" ") for line in markup.plain(body).rstrip().split("\n")
        ]


@given(LINES.map("\n".join))
def test_a_fenced_program_is_read_back(code):
    assert markup.fenced_python(markup.python_fence(code)) == [code.rstrip() + "\n"]


@given(st.text(max_size=60))
@example("a\0b\x1b[31mc\ud800\x9b1m\x7f\ufffe\x85")
def test_a_block_is_text_that_any_provider_takes(text):
    made = markup.block("output", text, title=text)
    made.encode("utf-8")
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]", made)
    assert made == markup.block("output", text, title=text)


@given(st.text(st.characters(codec="latin-1", blacklist_characters="\n\r\\'\""), max_size=20))
def test_a_literal_in_a_program_means_the_same_as_it_is_shown(text):
    shown = markup.blocks(markup.block("program", f"x = '{text}'"))[0].body
    assert ast.literal_eval(shown.removeprefix("x = ")) == text


def test_sequences_of_terminals_are_left_out_of_outputs():
    said = "\x1b[1;31mValueError\x1b[0m: x\x1b]0;title\x07 \x1b[2K\x1b[1Ay"
    assert markup.without_sequences(said) == "ValueError: x y"


@pytest.mark.parametrize(
    ("read", "unit"),
    [
        (markup.blocks, "<job>\n"),
        (markup.blocks, "</job>\n"),
        (markup.blocks, "<job>\n</task>\n"),
        (markup.blocks, '<program role="base">\n<program\n'),
        (markup.fenced_python, "```python\n"),
        (markup.fenced_python, "```python\n````python\nx\n"),
        (markup.fenced_python, "`````\n```\n"),
    ],
)
def test_degenerate_texts_cost_twice_as_much_where_they_are_twice_as_long(read, unit):
    assert work(read, unit * 2000) <= 2.2 * work(read, unit * 1000)


def test_marks_that_grow_shorter_are_no_more_work():
    def text(count: int) -> str:
        return "\n".join("`" * (3 + count - i) + "python" for i in range(count))

    assert work(markup.fenced_python, text(400)) <= 2.2 * work(markup.fenced_python, text(200))


def test_attributes_of_zero_and_false_are_kept():
    assert markup.block("job", "x", node=0, score=None, op="") == '<job node="0">\nx\n</job>'


def test_an_unknown_tag_is_refused():
    with pytest.raises(ValueError, match="unknown prompt tag 'jobs'; known: task, data"):
        markup.block("jobs", "")


def test_ordinary_code_is_left_alone():
    code = "a = b\n<3\n  <job>\nif a < b:\n    pass"
    assert markup.blocks(markup.block("program", code))[0].body == code
