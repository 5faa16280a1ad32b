"""Tags of a stack: within what all of AWS takes, and read back."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given
from tests.cloud_stacks import blueprint, machine, stack_of

from greenroom.providers.aws.tags import stack_tags, tag_value, text_of_tag

BRANCHES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255)


@given(BRANCHES)
def test_a_value_has_what_aws_allows_and_reads_back_unless_it_was_cut(branch: str) -> None:
    value = tag_value(branch)
    assert 1 <= len(value) <= 256
    assert all(c in " _.:/=+-@" or unicodedata.category(c)[0] in "LN" for c in value), value
    assert value == value.strip(" ")
    assert text_of_tag(value) == (None if re.search("==[0-9a-f]{16}$", value) else branch)


@pytest.mark.parametrize(
    ("branch", "value"),
    [
        ("feature_x", "feature_x"),
        ("feature/a b@c:d+e-f.g", "feature/a b@c:d+e-f.g"),
        ("ülme/分支", "ülme/分支"),
        ("fix#12", "fix=2312"),
        ("a=b", "a=3Db"),
        (" a ", "=20a=20"),
        ("it's", "it=27s"),
        ("🌱", "=F0=9F=8C=B1"),
    ],
)
def test_other_characters_are_escaped(branch: str, value: str) -> None:
    assert tag_value(branch) == value
    assert text_of_tag(value) == branch


def test_what_was_cut_still_differs() -> None:
    first, second = (tag_value("#" * 254 + end) for end in "ab")
    assert len(first) == len(second) == 256
    assert first != second
    assert text_of_tag(first) is None


@pytest.mark.parametrize("value", ["=", "=G0", "a=2", "=61", "=FF", "a=3db", "==0123456789abcdef"])
def test_what_greenroom_did_not_write_is_not_read(value: str) -> None:
    assert text_of_tag(value) is None


def test_the_tags_of_a_stack() -> None:
    cloud = stack_of(blueprint({"web": machine()}), branch="fix#12")
    assert dict(stack_tags(cloud)) == {
        "greenroom:stack": "photos",
        "greenroom:environment": f"photos/{cloud.stack.environment.slug}",
        "greenroom:branch": "fix=2312",
        "greenroom:owner": "ada",
        "greenroom:expires": "2026-11-24T00:00:00+00:00",
        "greenroom:production": "false",
    }
    nobody = replace(cloud, owner="", expires_at=None)
    assert dict(stack_tags(nobody))["greenroom:owner"] == "-", "AWS takes no empty value"
    assert dict(stack_tags(nobody))["greenroom:expires"] == "never"
