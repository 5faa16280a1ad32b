"""Other names of machine types, wherever a request names one."""
# ruff: noqa: E501 - a case is one line, so that the tables can be read as such.

from __future__ import annotations

import pytest
from tests.unit.blueprint_values import allocation, blueprint_of, edited, request

from greenroom.blueprint.schema import Blueprint
from greenroom.errors import InputError
from greenroom.model.stack import Stack
from greenroom.plan.plan import plan


@pytest.fixture
def blueprint() -> Blueprint:
    return edited(
        ("    image: redis\n", "    image: redis\n    aliases: [cache, store]\n"),
        ("    image: mariadb\n", "    image: mariadb\n    aliases: [database]\n"),
        ("    image: web\n", "    image: web\n    aliases: [api-server]\n"),
        ("shared: true}", "shared: true, aliases: [statsd]}"),
    )


def stack_of(blueprint: Blueprint, *machines: str, **options: object) -> Stack:
    return plan(blueprint, request(*machines, **options), allocation())


def refusal(blueprint: Blueprint, *machines: str, **options: object) -> InputError:
    with pytest.raises(InputError) as raised:
        stack_of(blueprint, *machines, **options)
    return raised.value


def test_an_alias_gives_the_same_environment_as_the_name(blueprint: Blueprint) -> None:
    named = stack_of(blueprint, "backend", "db", "feed=2", restore={"db": "backup"})
    aliased = stack_of(
        blueprint, "api-server", "database", "cache=2", restore={"database": "backup"}
    )
    assert aliased == named
    assert [m.name for m in aliased.machines] == ["backend1", "db1", "feed1", "feed2"]


def test_an_alias_can_be_mounted_over_and_asked_for_as_shared(blueprint: Blueprint) -> None:
    stack = stack_of(blueprint, mounts=(("api-server", "/src"),))
    assert str(stack.machine("backend1").mount) == "/src"


@pytest.mark.parametrize(
    ("machines", "code", "message"),
    [
        (
            ["feed", "cache"],
            "E_MACHINE_TWICE",
            "the machine type 'feed' is named twice in --machines, as 'feed' and 'cache'",
        ),
        (
            ["cache", "store=2"],
            "E_MACHINE_TWICE",
            "the machine type 'feed' is named twice in --machines, as 'cache' and 'store'",
        ),
        (
            ["cache", "cache"],
            "E_MACHINE_TWICE",
            "the machine type 'feed' is named twice in --machines",
        ),
        (["cach"], "E_MACHINE_TYPE", "unknown machine type 'cach'; did you mean 'cache'?"),
        (
            ["statsd"],
            "E_MACHINE_TYPE",
            "the machine type 'metrics' is shared: it serves all environments and is in none",
        ),
    ],
)
def test_words_with_aliases_that_do_not_fit_are_refused(
    blueprint: Blueprint, machines: list[str], code: str, message: str
) -> None:
    error = refusal(blueprint, *machines)
    assert (error.code, error.message) == (code, message)


def test_the_hint_lists_aliases_beside_the_names(blueprint: Blueprint) -> None:
    assert refusal(blueprint, "zzz").hint == (
        "machine types of photos: backend (or api-server), db (or database), "
        "feed (or cache, store); shared, for --shared: metrics"
    )


@pytest.mark.parametrize(
    ("restore", "message"),
    [
        ({"databse": "extract"}, "--restore databse=extract: unknown data 'databse'; did you mean 'database'?"),
        ({"db": "extract", "database": "none"}, "--restore names db twice: 'extract' and 'none'"),
        ({"cache": "extract"}, "--restore cache=extract: machine type feed has no 'data' to restore"),
    ],
)  # fmt: skip
def test_a_restore_by_alias_that_does_not_fit_is_refused(
    blueprint: Blueprint, restore: dict[str, str], message: str
) -> None:
    error = refusal(blueprint, "db", restore=restore)
    assert (error.code, error.message) == ("E_RESTORE_DATA", message)


def test_a_mount_by_both_names_is_named_twice(blueprint: Blueprint) -> None:
    error = refusal(blueprint, mounts=(("backend", "/a"), ("api-server", "/b")))
    assert error.message == "--mount names backend twice: /a and /b"


def test_without_aliases_the_messages_are_as_before() -> None:
    error = refusal(blueprint_of(), "zzz")
    assert error.hint == "machine types of photos: backend, db, feed; shared, for --shared: metrics"
