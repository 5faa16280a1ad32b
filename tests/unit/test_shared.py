"""The shared environment of a stack: what it is planned as, and whom it lets near."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from tests.unit.blueprint_values import PHOTOS, allocation, blueprint_of, edited, faults_of, request

from greenroom.blueprint.schema import Blueprint
from greenroom.errors import InputError
from greenroom.model.flows import declared_ports, declares, promises
from greenroom.model.requests import CreateRequest
from greenroom.model.stack import IngressRule, Protocol, Stack
from greenroom.plan.plan import plan
from greenroom.providers.local.firewall import FirewallState, Member, render_add, render_remove

TCP, UDP = Protocol.TCP, Protocol.UDP
BARE = "metrics: {image: redis, shared: true}"
STATSD = "ingress: [{port: 8125, protocol: udp, from: base}]"
BLUEPRINT = edited((BARE, f"metrics: {{image: redis, shared: true, {STATSD}}}"))


def shared(
    *words: str, blueprint: Blueprint = BLUEPRINT, index: int = 9, **options: object
) -> Stack:
    wanted = CreateRequest(blueprint=blueprint.path, shared=words or ("metrics",), **options)
    return plan(blueprint, wanted, allocation(index))


def branch(name: str = "feature_x", *, blueprint: Blueprint = BLUEPRINT, index: int = 0) -> Stack:
    return plan(blueprint, request(branch=name), allocation(index))


def refusal(*words: str, blueprint: Blueprint = BLUEPRINT, **options: object) -> InputError:
    with pytest.raises(InputError) as raised:
        shared(*words, blueprint=blueprint, **options)
    assert raised.value.hint
    return raised.value


# The plan


def test_it_has_the_shared_machines_and_belongs_to_no_branch() -> None:
    stack = shared()
    (metrics,) = stack.machines
    assert str(stack.environment) == "photos/shared"
    assert (stack.shared, stack.production) == (True, False)
    assert metrics.dns_names == (
        "metrics1.shared.photos.internal",
        "metrics.shared.photos.internal",
    )
    # As in the seed: what serves everybody is of the default branch.
    assert dict(metrics.tags)["branch"] == "master"


def test_no_branch_can_take_its_name() -> None:
    named = branch("shared")
    assert named.environment.slug.startswith("shared-")
    assert not named.shared
    assert named.shared_domain == shared().domain


def test_each_environment_knows_where_the_shared_names_end_without_any_shared_machine() -> None:
    assert branch().shared_domain == "shared.photos.internal"


def test_it_may_have_several_machines_of_several_types() -> None:
    blueprint = edited(
        (BARE, f"{BARE}\n  inventory: {{image: web, shared: true, needs: [metrics]}}")
    )
    stack = shared("inventory", "metrics=2", blueprint=blueprint)
    assert [m.name for m in stack.machines] == ["metrics1", "metrics2", "inventory1"]
    assert stack.machine("inventory1").needs == ("metrics1", "metrics2")
    error = refusal("inventory", blueprint=blueprint)
    assert (error.code, error.message) == (
        "E_NEEDS",
        "inventory needs metrics: add metrics to --shared",
    )


@pytest.mark.parametrize(
    ("words", "options", "code", "message"),
    [
        (
            ["backend"],
            {},
            "E_MACHINE_TYPE",
            "the machine type 'backend' is not shared: each environment has its own",
        ),
        (
            ["metric"],
            {},
            "E_MACHINE_TYPE",
            "unknown shared machine type 'metric'; did you mean 'metrics'?",
        ),
        (
            ["metrics", "metrics=2"],
            {},
            "E_MACHINE_TWICE",
            "the machine type 'metrics' is named twice in --shared",
        ),
        (
            ["metrics=51"],
            {},
            "E_MACHINE_COUNT",
            "'metrics=51' asks for '51' machines; expected a number from 1 to 50",
        ),
        (
            ["metrics"],
            {"branch": "feature_x"},
            "E_SHARED",
            "--shared and --branch exclude each other: "
            "the shared environment belongs to no branch and has shared machines only",
        ),
        (
            ["metrics"],
            {"machines": ("db",)},
            "E_SHARED",
            "--shared and --machines exclude each other: "
            "the shared environment belongs to no branch and has shared machines only",
        ),
        (
            ["metrics"],
            {"restore": (("db", "extract"),)},
            "E_RESTORE_DATA",
            "--restore db=extract: db is not among the machines of this environment",
        ),
    ],
)
def test_a_request_that_does_not_fit_is_refused(
    words: list[str], options: dict[str, object], code: str, message: str
) -> None:
    error = refusal(*words, **options)
    assert (error.code, error.message) == (code, message)


def test_a_blueprint_without_a_shared_type_says_so() -> None:
    error = refusal("metrics", blueprint=edited((BARE, "metrics: {image: redis}")))
    assert error.message == "the machine type 'metrics' is not shared: each environment has its own"
    error = refusal("statsd", blueprint=edited((BARE, "metrics: {image: redis}")))
    assert error.message == "--shared statsd: the blueprint of photos has no shared machine type"


def test_a_shared_machine_can_only_need_shared_ones() -> None:
    (fault,) = faults_of(PHOTOS.replace("shared: true}", "shared: true, needs: [db]}"))
    assert (fault.path, fault.message) == (
        "machines.metrics.needs[0]",
        "'db' is not shared; a shared machine can only need shared ones",
    )


# The flows


def test_a_group_means_its_members_everywhere_only_from_and_to_shared_machines() -> None:
    def rules(stack: Stack) -> list[tuple[str, IngressRule]]:
        return [(g.name, r) for g in stack.groups for r in g.ingress if r.everywhere]

    assert [(name, rule.source) for name, rule in rules(shared())] == [
        ("metrics", "base of every environment")
    ]
    assert [(name, rule.source) for name, rule in rules(branch())] == [
        ("backend", "metrics of every environment")
    ]


def test_the_base_of_every_environment_reaches_the_shared_machine_and_nothing_else_does() -> None:
    stack, one, two = shared(), branch(), branch("master", index=1)
    metrics = stack.machine("metrics1")
    for environment in (one, two):
        for machine in environment.machines:
            reaches = declares(stack, machine, metrics, UDP, 8125, origin=environment)
            assert reaches == ("base" in machine.groups)
            assert not declares(stack, machine, metrics, TCP, 8125, origin=environment)
            assert not declares(stack, machine, metrics, UDP, 8126, origin=environment)
    assert not declares(stack, IPv4Address("10.213.255.1"), metrics, UDP, 8125)
    assert declared_ports(stack, metrics) == {(UDP, 8125)}
    assert promises(stack, metrics, UDP, 8125)


def test_the_shared_machine_reaches_only_what_names_it() -> None:
    stack, environment = shared(), branch()
    (metrics,) = stack.machines
    reached = [
        (target.name, protocol, port)
        for target in environment.machines
        for protocol, port in sorted(declared_ports(environment, target))
        if declares(environment, metrics, target, protocol, port, origin=stack)
    ]
    # `from: anywhere` on the backend's port 80 does not mean it.
    assert reached == [("backend1", UDP, 8125)]


def test_environments_of_branches_stay_closed_to_each_other() -> None:
    one, two = branch(), branch("master", index=1)
    for source in one.machines:
        for target in two.machines:
            for protocol, port in declared_ports(two, target):
                assert not declares(two, source, target, protocol, port, origin=one)


def test_another_stacks_base_is_another_group() -> None:
    other = blueprint_of(PHOTOS.replace("stack: photos", "stack: shop"))
    stranger = branch(blueprint=other, index=3)
    (metrics,) = shared().machines
    for machine in stranger.machines:
        assert not declares(shared(), machine, metrics, UDP, 8125, origin=stranger)


# The rules


def script(stack: Stack) -> list[str]:
    return render_add(stack, stack.machines, stack.groups).splitlines()


def test_its_rules_look_into_the_sets_of_the_whole_stack() -> None:
    lines = script(shared())
    (rule,) = [line for line in lines if "8125" in line]
    assert rule == (
        "add rule inet greenroom group.photos.shared.metrics"
        " ip saddr @every.photos.base udp dport 8125 accept"
    )
    # The set is there before anybody is in it: the shared environment may be the first.
    made = lines.index("add set inet greenroom every.photos.base { type ipv4_addr; }")
    assert made < lines.index(rule)


def test_an_environment_joins_the_stacks_sets_and_flushes_nobody_out_of_them() -> None:
    lines = script(branch())
    assert (
        "add element inet greenroom every.photos.base"
        ' { 10.213.0.10 comment "photos.feature-x", 10.213.0.11 comment "photos.feature-x" }'
    ) in lines
    assert not [line for line in lines if line.startswith("flush set") and "every." in line]


def state(*members: Member, uses: tuple[tuple[str, str], ...] = ()) -> FirewallState:
    return FirewallState(
        chains=("group.photos.feature-x.base", "group.photos.shared.metrics"),
        sets=("every.photos.base", "every.shop.base", "group.photos.feature-x.base"),
        members=members,
        uses=uses,
    )


ONE = Member(set="every.photos.base", address="10.213.0.10", key="photos.feature-x")
TWO = Member(set="every.photos.base", address="10.213.1.10", key="photos.master")
USE = ("group.photos.shared.metrics", "every.photos.base")


@pytest.mark.parametrize(
    ("observed", "goes"),
    [
        (state(ONE), True),
        (state(ONE, TWO), False),
        (state(ONE, uses=(USE,)), False),
    ],
)
def test_leaving_takes_the_own_addresses_and_the_set_only_when_nobody_needs_it(
    observed: FirewallState, goes: bool
) -> None:
    lines = render_remove(observed.of(branch().environment)).splitlines()
    assert "delete element inet greenroom every.photos.base { 10.213.0.10 }" in lines
    assert not any("10.213.1.10" in line for line in lines)
    assert ("delete set inet greenroom every.photos.base" in lines) is goes
    assert not any("shop" in line for line in lines)


def test_a_destroyed_shared_environment_leaves_the_members_where_they_are() -> None:
    lines = render_remove(state(ONE, uses=(USE,)).of(shared().environment)).splitlines()
    assert lines == [
        "flush chain inet greenroom group.photos.shared.metrics",
        "delete chain inet greenroom group.photos.shared.metrics",
    ]
    lines = render_remove(state(uses=(USE,)).of(shared().environment)).splitlines()
    assert lines[-1] == "delete set inet greenroom every.photos.base"
