"""The seed's spelling of a create, as a table and as laws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.cli.clicked import clicked
from greenroom.cli.commands.create import create
from greenroom.cli.words import named_values, rewrite_words
from greenroom.errors import UsageError

VALUED = frozenset({"--branch", "--restore", "--mount", "--file", "-f"})

CASES = [
    (
        "--machines backend db feed --restore_db extract --branch feature_x",
        "--machines=backend --machines=db --machines=feed --restore=db=extract --branch feature_x",
    ),
    ("--shared metrics inventory=2 --detach", "--shared=metrics --shared=inventory=2 --detach"),
    ("--shared metrics --machines db", "--shared=metrics --machines=db"),
    ("--machines a --machines b", "--machines=a --machines=b"),
    ("--machines=a --json", "--machines=a --json"),
    ("--machines backend=2 db -f x.yaml", "--machines=backend=2 --machines=db -f x.yaml"),
    ("--restore-db extract", "--restore=db=extract"),
    ("--restore_db=extract:cold", "--restore=db=extract:cold"),
    ("--restore-db=none", "--restore=db=none"),
    ("--restore db=extract", "--restore db=extract"),
    ("--restore=db=extract", "--restore=db=extract"),
    ("--restore_user_db x", "--restore=user_db=x"),
    ("--branch --help", "--branch --help"),
    ("--branch --machines --machines db", "--branch --machines --machines=db"),
    ("--branch=--help", "--branch=--help"),
    ("--mount backend=./src --detach", "--mount backend=./src --detach"),
    ("--restore_", "--restore_"),
    ("--help", "--help"),
    ("-- --machines a", "-- --machines a"),
    ("--branch", "--branch"),
    ("", ""),
]


@pytest.mark.parametrize(("words", "expected"), CASES)
def test_the_seeds_spelling_becomes_clicks(words: str, expected: str) -> None:
    assert rewrite_words(words.split(), VALUED) == expected.split()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--machines", "--machines has no machine type after it"),
        ("--shared --json", "--shared has no machine type after it"),
        ("--machines --branch x", "--machines has no machine type after it"),
        ("--restore_db", "--restore_db has no restore source after it"),
    ],
)
def test_an_option_without_its_words_is_a_usage_error(words: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        rewrite_words(words.split(), VALUED)
    assert caught.value.message == message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["db"], "--restore 'db': expected NAME=VALUE"),
        (["=x"], "--restore '=x': expected NAME=VALUE"),
        (["db="], "--restore 'db=': expected NAME=VALUE"),
        (["db=a", "db=b"], "--restore gives 'db' two values: 'a' and 'b'"),
    ],
)
def test_a_restore_is_a_name_and_a_source_once(values: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        named_values("--restore", values)
    assert caught.value.message == message


plain = st.from_regex(r"[a-z0-9][a-z0-9=_-]{0,8}", fullmatch=True)
anything = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | (
    st.sampled_from(["--help", "--machines", "-f", "--", "--restore_db", "--json"])
)
names = st.from_regex(r"[a-z][a-z0-9_-]{0,6}", fullmatch=True)
requests = st.fixed_dictionaries(
    {
        "machines": st.lists(plain, max_size=4),
        "branch": st.none() | anything,
        "restore": st.lists(st.tuples(names, anything), max_size=3),
    }
)


@settings(deadline=None)
@given(requests, st.sampled_from("_-"), st.booleans(), st.randoms())
def test_whatever_the_order_and_the_spelling_the_same_is_asked_for(
    request: dict[str, Any], separator: str, attached: bool, random: Any
) -> None:
    groups = [["--machines", *request["machines"]]] if request["machines"] else []
    if request["branch"] is not None:
        groups.append(["--branch", request["branch"]])
    for name, source in request["restore"]:
        option = f"--restore{separator}{name}"
        groups.append([f"{option}={source}"] if attached else [option, source])
    restores = {f"{name}={source}" for name, source in request["restore"]}
    random.shuffle(groups)

    context = clicked(create).make_context("create", [word for group in groups for word in group])

    assert list(context.params["machines"]) == request["machines"]
    assert context.params["branch"] == request["branch"]
    assert set(context.params["restore"]) == restores


@settings(deadline=None)
@given(st.lists(plain | st.sampled_from([*VALUED, "--machines", "--restore_db", "--json"])))
def test_a_second_rewriting_changes_nothing(words: list[str]) -> None:
    try:
        once = rewrite_words(words, VALUED)
    except UsageError:
        return
    assert rewrite_words(once, VALUED) == once
