from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.errors import InputError
from greenroom.model.names import LABEL, SLUG_MAX
from greenroom.plan.slugs import slug_of

HASHED = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?-[0-9a-f]{6}")

# Few letters, so that different branches often want the same slug.
near_branches = st.text(alphabet="aAbB_-/. é🚀0", min_size=1, max_size=6).filter(str.strip)
any_branches = st.text(min_size=1, max_size=60).filter(
    lambda t: t.strip() and not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", t)
)
branches = near_branches | any_branches | st.text("ab-", min_size=38, max_size=45)


@given(st.lists(branches, unique=True, max_size=30))
def test_no_two_branches_share_a_slug_and_each_is_a_short_label(names: list[str]) -> None:
    taken: dict[str, str] = {}
    for branch in names:
        slug = slug_of(branch, taken)
        assert slug not in taken
        assert LABEL.fullmatch(slug)
        assert len(slug) <= SLUG_MAX
        assert slug[2:4] != "--"
        taken[slug] = branch
    for branch in names:
        assert taken[slug_of(branch, taken)] == branch


@given(branches)
def test_a_slug_does_not_depend_on_slugs_that_it_does_not_want(branch: str) -> None:
    assert slug_of(branch, {}) == slug_of(branch, {"something-else-entirely-zz": "other"})


@given(branches)
def test_a_branch_that_is_called_like_anothers_hashed_slug_gets_its_own(branch: str) -> None:
    first = slug_of(branch, {})
    taken = {first: branch}
    if first != branch:
        assert slug_of(first, taken) != first


@pytest.mark.parametrize(
    ("branch", "slug"),
    [
        ("master", "master"),
        ("feature_x", "feature-x"),
        ("feature-x", "feature-x"),
        ("2", "2"),
        ("x" * 40, "x" * 40),
    ],
)
def test_a_name_that_is_a_label_but_for_underscores_is_its_own_slug(branch: str, slug: str) -> None:
    assert slug_of(branch, {}) == slug


@pytest.mark.parametrize(
    ("branch", "readable"),
    [
        ("Feature/X", "feature-x"),
        ("feature/x", "feature-x"),
        ("FEATURE_X", "feature-x"),
        ("--help", "help"),
        ("🚀", "branch"),
        ("___", "branch"),
        ("größe", "groe"),
        ("a b", "a-b"),
        ("xn--foo", "xn-foo"),
        ("x" * 41, "x" * 33),
        ("x" * 200, "x" * 33),
        ("a" * 32 + "-b" * 20, "a" * 32),
        ("-", "branch"),
        ("x'; rm -rf /", "x-rm-rf"),
    ],
)
def test_any_other_name_keeps_its_readable_part_and_gets_a_hash(branch: str, readable: str) -> None:
    slug = slug_of(branch, {})
    assert HASHED.fullmatch(slug)
    assert slug[:-7] == readable


def test_the_second_of_two_branches_with_one_label_gets_a_hash() -> None:
    assert slug_of("feature-x", {"feature-x": "feature_x"}) == "feature-x-c791eb"
    assert slug_of("feature_x", {"feature-x": "feature_x"}) == "feature-x"


def test_a_branch_keeps_the_slug_that_it_holds() -> None:
    assert slug_of("feature-x", {"feature-x-c791eb": "feature-x"}) == "feature-x-c791eb"


@pytest.mark.parametrize(
    ("branch", "message"),
    [
        ("", "the branch's name is empty"),
        ("  ", "the branch's name is empty"),
        ("a\nb", r"the branch 'a\nb' holds control characters"),
        ("a\x00", r"the branch 'a\x00' holds control characters"),
        ("a\x1b[31m", r"the branch 'a\x1b[31m' holds control characters"),
        ("a\u2028b", r"the branch 'a\u2028b' holds control characters"),
        ("a\udcff", r"the branch 'a\udcff' holds control characters"),
        ("x" * 256, f"the branch 'x{'x' * 57}… has 256 characters; at most 255 fit"),
    ],
)
def test_a_branch_that_can_name_nothing_is_refused(branch: str, message: str) -> None:
    with pytest.raises(InputError) as raised:
        slug_of(branch, {})
    assert (raised.value.code, raised.value.message) == ("E_BRANCH", message)
