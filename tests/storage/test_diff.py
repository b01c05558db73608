"""Where two JSON values differ, in the very words that users and their scripts know."""

import pytest

from mlesearch.storage.diff import differences, first_difference

LONG = "x" * 100


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "c": 4}, "a.b is 3 here and 1 there"),
        ({"a": 1}, {}, "a is absent here and 1 there"),
        ({}, {"a": None}, "a is null here and absent there"),
        ({"a": LONG}, {"a": ""}, f'a is "" here and "{LONG[:76]}... there'),
        ({"a": [1, 2]}, {"a": [1, 2]}, ""),
    ],
)
def test_the_first_difference(old, new, words):
    assert first_difference(old, new) == words


@pytest.mark.parametrize(
    ("stored", "asked", "words"),
    [
        ({"a": 1, "b": 2}, {"b": 3}, ['a (stored 1, asked for "(absent)")', "b (stored 2, asked for 3)"]),
        ({"a": {"x": 1}}, {"a": {"x": 1, "y": (2,)}}, ['a.y (stored "(absent)", asked for [2])']),
        ({"a": LONG}, {"a": LONG + "y"}, [f'a (stored "{LONG[:56]}..., asked for "{LONG[:56]}...)']),
        ({"a": [1]}, {"a": (1,)}, []),
    ],
)
def test_all_differences(stored, asked, words):
    assert differences(stored, asked) == words
