"""Texts come through Hydra's grammar as they were written."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.config.overrides.text import as_any, as_text, as_texts, quoted, split, unclosed

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20).map(str.strip).filter(bool)
"""One line, as a shell hands it over."""


def parsed(value: str) -> object:
    (override,) = OverridesParser.create().parse_overrides([f"k={value}"])
    return override.value()


@given(TEXT)
def test_a_quoted_text_is_read_as_it_was(text: str) -> None:
    found = parsed(quoted(text))
    assert getattr(found, "text", found) == text


@given(TEXT.filter(lambda text: not set("\\,'\"${") & set(text) and "(" not in text))
def test_what_is_written_is_what_is_read(text: str) -> None:
    """But for escapes, quotes, calls and interpolations, which are the grammar's own."""
    found = parsed(as_text(text))
    assert str(getattr(found, "text", found)) == text
    free = parsed(as_any(text)) if text[0] not in "[{(" else text
    assert free is None or isinstance(free, bool | int | float) or str(getattr(free, "text", free)) == text


@given(st.lists(TEXT.filter(lambda text: not set("\\,'\"${([{}])") & set(text)), min_size=1, max_size=4))
def test_a_list_of_texts_is_read_as_it_was(texts: list[str]) -> None:
    found = parsed(as_texts(f"[{','.join(texts)}]"))
    assert isinstance(found, list)
    assert [str(getattr(item, "text", item)) for item in found] == texts


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("a,b", ["a", "b"]),
        ("'a,b',c", ["'a,b'", "c"]),
        ("[a,b],[c]", ["[a,b]", "[c]"]),
        ("range(1,3)", ["range(1,3)"]),
        ("a\\,b", ["a\\,b"]),
        ("it's,b", ["it's", "b"]),
        ("{a: [1,2]},x", ["{a: [1,2]}", "x"]),
    ],
)
def test_where_a_sweep_is_cut(value: str, parts: list[str]) -> None:
    assert split(value) == parts


@pytest.mark.parametrize(("value", "mark"), [("[a", "["), ("'a", "'"), ("it's", ""), ("{a: [b}", "["), ("a]", "")])
def test_what_is_not_closed(value: str, mark: str) -> None:
    assert unclosed(value) == mark
