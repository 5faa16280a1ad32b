"""Plain words are read as Click reads them, and whatever is not plain is left to Click."""

from __future__ import annotations

from importlib import import_module

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.cli.clicked import clicked
from greenroom.cli.declare import Command
from greenroom.cli.plain import read
from greenroom.cli.table import COMMANDS
from greenroom.errors import UsageError


def declared(name: str) -> Command | None:
    entry = COMMANDS[name]
    found = getattr(import_module(f"greenroom.cli.commands.{entry.module}"), entry.attribute)
    return found if isinstance(found, Command) else None


DECLARED = {name: found for name in COMMANDS if (found := declared(name)) is not None}

WORDS = st.one_of(
    st.sampled_from(
        [
            *("--json", "--detach", "--machines", "--shared", "--restore_db", "--unknown", "--jso"),
            *("--restore=db=extract", "--restore-db=none", "--branch", "--branch=x", "--branch="),
            *("--confirm", "--mount", "-f", "-fx", "-f=a", "--file", "--file=a", "-h", "--help"),
            *("--", "-", "", "=", "--json=1", "-x=1", "backend=2", "db", "extract", "db=extract"),
        ]
    ),
    st.text(max_size=4),
)


def by_click(command: Command, words: list[str]) -> dict[str, object]:
    with clicked(command).make_context(command.name, list(words)) as context:
        return dict(context.params)


@pytest.mark.parametrize("name", sorted(DECLARED))
@given(words=st.lists(WORDS, max_size=7))
def test_what_is_read_without_click_click_reads_alike(name: str, words: list[str]) -> None:
    command = DECLARED[name]
    try:
        plain = read(command, words)
    except UsageError as error:
        with pytest.raises(UsageError) as clicks:
            by_click(command, words)
        assert (error.code, error.message) == (clicks.value.code, clicks.value.message)
        return
    if plain is not None:
        assert plain == by_click(command, words)


PLAIN = {
    "create": "--machines backend db feed --restore_db extract --branch feature_x --detach --json",
    "plan": "--machines backend=2 --mount backend=./src -f greenroom.yaml",
    "list": "--json",
    "show": "feature-x",
    "flows": "",
    "destroy": "feature_x --confirm feature-x",
    "deploy": "feature-x backend db --json",
    "cancel": "photos/feature-x",
}


@pytest.mark.parametrize("name", PLAIN)
def test_what_people_write_is_plain(name: str) -> None:
    command = DECLARED[name]
    words = PLAIN[name].split()
    values = read(command, words)
    assert values is not None
    assert values == by_click(command, words)


@pytest.mark.parametrize(
    "words",
    ["--help", "-h", "--jso", "--json=1", "feature-x other", "--", "--json --json", "--unknown"],
)
def test_help_and_every_mistake_are_clicks(words: str) -> None:
    assert read(DECLARED["show"], words.split()) is None


def test_a_missing_argument_is_clicks_to_complain_about() -> None:
    assert read(DECLARED["destroy"], []) is None
    with pytest.raises(click.MissingParameter):
        by_click(DECLARED["destroy"], [])
