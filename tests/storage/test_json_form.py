"""The one form of JSON on disk."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlesearch.storage.codec import dumps

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_it_is_that_of_the_standard_library_without_spaces(value):
    assert dumps(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"x": -float("inf")}])
def test_what_json_does_not_know_is_refused(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps(value)


def test_an_object_is_refused_by_its_type():
    with pytest.raises(TypeError, match="complex is not JSON serializable"):
        dumps({"x": 1j})
