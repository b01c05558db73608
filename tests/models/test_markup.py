"""The block format: what is written is read back, whatever the bodies hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.models import markup

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
        assert b.attrs.get("title", "") == title.replace('"', "'").replace("\n", " ")
        assert [line.removeprefix(" ") for line in b.body.split("\n")] == [
            line.removeprefix(" ") for line in body.rstrip().split("\n")
        ]


@given(LINES.map("\n".join))
def test_a_fenced_program_is_read_back(code):
    assert markup.fenced_python(markup.python_fence(code)) == [code.rstrip() + "\n"]


def test_attributes_of_zero_and_false_are_kept():
    assert markup.block("job", "x", node=0, score=None, op="") == '<job node="0">\nx\n</job>'


def test_an_unknown_tag_is_refused():
    with pytest.raises(ValueError, match="unknown prompt tag 'jobs'; known: task, data"):
        markup.block("jobs", "")


def test_ordinary_code_is_left_alone():
    code = "a = b\n<3\n  <job>\nif a < b:\n    pass"
    assert markup.blocks(markup.block("program", code))[0].body == code
