"""Whom machines are told of, as the blueprint says it."""

from __future__ import annotations

import pytest
from tests.unit.blueprint_values import allocation, edited, request

from greenroom.blueprint.schema import Blueprint
from greenroom.errors import InputError
from greenroom.model.stack import Subscription
from greenroom.plan.plan import plan


def subscribed(text: str) -> Blueprint:
    return edited(("    image: mariadb\n", f"    image: mariadb\n    subscribe: {text}\n"))


def test_the_machines_of_a_type_have_its_subscription_and_its_drill_has_none() -> None:
    blueprint = subscribed("{roles: [backend], hook: /opt/peer}")
    stack = plan(blueprint, request("backend", "db", "feed"), allocation())
    wanted = Subscription(roles=("backend",), hook="/opt/peer")
    assert stack.machine("db1").subscription == wanted
    assert stack.machine("backend1").subscription is None
    assert [drill.subscription for drill in stack.drills] == [None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{roles: [backnd], hook: /opt/peer}", "unknown role 'backnd'; did you mean 'backend'?"),
        ("{roles: [], hook: /opt/peer}", "roles"),
        ("{roles: [backend], hook: peer}", "hook"),
        ("{roles: [backend]}", "hook"),
    ],
)
def test_a_subscription_that_means_nothing_is_a_fault(text: str, message: str) -> None:
    with pytest.raises(InputError) as raised:
        subscribed(text)
    assert any(message in str(fault) for fault in raised.value.faults)
