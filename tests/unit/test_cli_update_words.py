"""The words of an update, as the hint of a refusal repeats them."""

from __future__ import annotations

import shlex
from pathlib import Path

from greenroom.cli.cloud.asked import AwsAsked, said_of
from greenroom.cli.request import Wanted
from greenroom.cli.words import rewrite_words

EXAMPLE = Path(__file__).parents[2] / "examples" / "photos" / "greenroom.yaml"


def test_what_is_pasted_asks_for_what_was_shown() -> None:
    wanted = Wanted(
        machines=("backend=2", "db"),
        branch="master",
        restore=("db=none",),
        mount=(),
        shared=(),
        file=str(EXAMPLE),
    )
    asked = AwsAsked(region="eu-west-1", profile="my own", keep_failed=True)
    words = shlex.split(" ".join(said_of(wanted, asked)))
    assert rewrite_words(words, ("--file", "--region", "--profile", "--restore")) == [
        "--machines=backend=2",
        "--machines=db",
        "--restore",
        "db=none",
        "--file",
        str(EXAMPLE),
        "--region",
        "eu-west-1",
        "--profile",
        "my own",
        "--keep-failed",
    ]


def test_nothing_said_is_nothing_repeated(monkeypatch) -> None:
    monkeypatch.chdir(EXAMPLE.parent)
    wanted = Wanted(machines=(), branch=None, restore=(), mount=(), shared=(), file=None)
    assert said_of(wanted, AwsAsked()) == ()
