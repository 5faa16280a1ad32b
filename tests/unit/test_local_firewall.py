"""The security groups as nft rules, and as a declaration that needs no firewall."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.blueprint_values import stack_of

from greenroom.model.flows import declared_ports, declares, judge, promises
from greenroom.model.proof import Reach, Verdict
from greenroom.model.stack import Protocol, Stack
from greenroom.providers.local.firewall import FirewallState, render_add, render_remove
from greenroom.providers.local.region_table import render_region

TCP, UDP = Protocol.TCP, Protocol.UDP


@pytest.fixture
def stack() -> Stack:
    return stack_of("backend", "db", "feed", branch="feature_x")


def rules(stack: Stack) -> list[str]:
    script = render_add(stack, stack.machines, stack.groups)
    return [line for line in script.splitlines() if line.startswith("add rule")]


def test_a_group_rule_admits_the_members_of_the_other_group_only(stack: Stack) -> None:
    (rule,) = [line for line in rules(stack) if "3306" in line]
    assert rule == (
        "add rule inet greenroom group.photos.feature-x.db"
        " ip saddr @group.photos.feature-x.backend tcp dport 3306 accept"
    )


def test_anywhere_is_the_outside_and_the_own_environment_but_no_other(stack: Stack) -> None:
    http = [line for line in rules(stack) if "dport 80" in line]
    assert [line.split("backend ", 1)[1] for line in http] == [
        "ip saddr 0.0.0.0/0 ip saddr != @inside tcp dport 80 accept",
        f"ip saddr 0.0.0.0/0 ip saddr {stack.subnet} tcp dport 80 accept",
    ]


def test_every_machine_is_bound_to_its_own_link_and_chain(stack: Stack) -> None:
    script = render_add(stack, stack.machines, stack.groups)
    for machine in stack.machines:
        third, fourth = str(machine.address).split(".")[2:]
        binding = (
            f'add element inet greenroom bindings {{ "m{third}-{fourth}" . {machine.address} }}'
        )
        assert binding in script
        jump = f"{{ {machine.address} : jump machine.photos.feature-x.{machine.name} }}"
        assert jump in script


def test_adding_twice_gives_the_same_rules_because_chains_are_flushed_first(stack: Stack) -> None:
    lines = render_add(stack, stack.machines, stack.groups).splitlines()
    labels = [line.split()[-1] for line in lines if line.startswith("add chain")]
    assert len(labels) == len(stack.machines) + len(stack.groups)
    for label in labels:
        flush = lines.index(f"flush chain inet greenroom {label}")
        rule = f"add rule inet greenroom {label} "
        added = [number for number, line in enumerate(lines) if line.startswith(rule)]
        assert all(flush < number for number in added)


def test_removing_takes_only_what_bears_the_environments_name(stack: Stack) -> None:
    state = FirewallState(
        chains=(
            "forward",
            "group.photos.feature-x.db",
            "machine.photos.feature-x.db1",
            "group.photos.feature-xy.db",
            "machine.photos.master.db1",
        ),
        sets=("inside", "bindings", "group.photos.feature-x.db", "group.photos.feature-xy.db"),
        machines=(
            ("10.213.0.11", "machine.photos.feature-x.db1"),
            ("10.213.1.11", "machine.photos.master.db1"),
        ),
        bindings=("10.213.0.11", "10.213.1.11"),
    )
    script = render_remove(state.of(stack.environment))
    assert "10.213.1.11" not in script
    assert "feature-xy" not in script
    assert "master" not in script
    # What jumps goes before what it jumps to.
    deletions = [line for line in script.splitlines() if line.startswith("delete chain")]
    assert [line.split()[-1] for line in deletions] == [
        "machine.photos.feature-x.db1",
        "group.photos.feature-x.db",
    ]


def test_nothing_observed_is_nothing_to_remove(stack: Stack) -> None:
    assert render_remove(FirewallState().of(stack.environment)) == ""


def test_the_regions_own_range_leaves_out_the_link_to_the_host() -> None:
    script = render_region("10.213.0.0/16")
    assert "10.213.0.0-10.213.254.255" in script
    assert "policy drop" in script


def test_the_declaration_equals_the_rules(stack: Stack) -> None:
    backend, db, feed = stack.machines
    outside = IPv4Address("10.213.255.1")
    assert declares(stack, backend, db, TCP, 3306)
    assert not declares(stack, feed, db, TCP, 3306)
    assert not declares(stack, outside, db, TCP, 3306)
    assert declares(stack, outside, backend, TCP, 80)
    assert declares(stack, feed, backend, TCP, 80)
    assert not declares(stack, backend, db, UDP, 3306)
    assert declared_ports(stack, db) == {(TCP, 3306)}


@given(st.booleans(), st.booleans(), st.sampled_from(Reach))
def test_a_probe_proves_only_what_its_answer_shows(
    declared: bool, promised: bool, reach: Reach
) -> None:
    verdict = judge(reach, declared=declared, promised=promised)
    if reach is Reach.SILENT:
        assert verdict is Verdict.NOT_VERIFIED
    elif reach is Reach.FILTERED:
        assert verdict is (Verdict.FAILED if declared else Verdict.PROVED)
    elif reach is Reach.REFUSED and promised and declared:
        assert verdict is Verdict.FAILED
    else:
        assert verdict is (Verdict.PROVED if declared else Verdict.FAILED)


def test_a_single_port_promises_a_listener_and_a_range_does_not(stack: Stack) -> None:
    db = stack.machine("db1")
    assert promises(stack, db, TCP, 3306)
    assert not promises(stack, db, UDP, 3306)
    assert not promises(stack, db, TCP, 3307)
