"""The agent's own JSON: the same as the standard library's, for all that JSON can say."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.agent.quick_json import dumps, loads

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # JSON can write half a surrogate pair, UTF-8 cannot.
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(VALUES)
def test_what_is_written_is_what_the_standard_library_writes(value):
    assert dumps(value) == json.dumps(value, ensure_ascii=False)
    compact = (",", ":")
    assert dumps(value, separators=compact) == json.dumps(
        value, ensure_ascii=False, separators=compact
    )


@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_what_is_read_is_what_the_standard_library_reads(value, ensure_ascii, indent):
    text = json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)
    assert loads(f" \n{text}\t\r") == value


@pytest.mark.parametrize(
    "text", ["", " ", "{", "[1,]", '{"a"}', "1 2", '"\n"', "NaN", "-Infinity", "tru", "{} x"]
)
def test_what_is_not_json_is_refused(text):
    with pytest.raises(ValueError, match=r"\S"):
        loads(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_json_cannot_say_is_not_written(value):
    with pytest.raises(ValueError, match="is not JSON"):
        dumps([value])
    with pytest.raises(TypeError, match="set is not JSON"):
        dumps({"a": {1}})
