from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.blueprint_values import PHOTOS, allocation, blueprint_of, edited, request, stack_of

from greenroom.blueprint.parse import parse_blueprint
from greenroom.errors import InputError
from greenroom.model.stack import (
    CommandCheck,
    HttpCheck,
    Machine,
    RestoreMode,
    Stack,
    TcpCheck,
)
from greenroom.plan import addresses
from greenroom.plan.images import BASE_PACKAGES, all_images, image_of
from greenroom.plan.plan import Allocation, plan
from greenroom.plan.render import MASK, plan_to_dict


def group_of(stack: Stack, name: str) -> list[str]:
    group = next(group for group in stack.groups if group.name == name)
    return [f"{rule.protocol}/{rule.ports} from {rule.source}" for rule in group.ingress]


def test_the_same_values_give_the_same_stack() -> None:
    assert stack_of("backend=2", "db", "feed") == stack_of("feed", "db", "backend=2")


def test_without_machines_every_type_that_is_not_shared_is_meant() -> None:
    assert [machine.name for machine in stack_of().machines] == ["backend1", "db1", "feed1"]


def test_a_type_has_as_many_machines_as_asked_else_as_the_blueprint_says() -> None:
    blueprint = edited(("instance_type: t3.micro", "count: 3"))
    names = [m.name for m in plan(blueprint, request("feed"), allocation()).machines]
    assert names == ["feed1", "feed2", "feed3"]
    names = [m.name for m in plan(blueprint, request("feed=1"), allocation()).machines]
    assert names == ["feed1"]


def test_the_environment_is_named_by_the_slug_and_keeps_the_raw_branch() -> None:
    stack = stack_of()
    assert (str(stack.environment), stack.branch) == ("photos/feature-x", "feature_x")
    assert stack.domain == "feature-x.photos.internal"
    assert not stack.production


@pytest.mark.parametrize("branch", [None, "master"])
def test_the_default_branchs_environment_is_production(branch: str | None) -> None:
    stack = stack_of(branch=branch)
    assert stack.production
    assert str(stack.environment) == "photos/master"
    assert stack.machine("backend1").deploy is not None
    assert stack.machine("backend1").deploy.keys == ("backend-master.tar.gz",)


def test_a_slug_that_another_branch_holds_is_not_given_again() -> None:
    taken = Allocation(
        index=1, secret="s", taken={"feature-x": "feature-x"}, agent_sha256="ab" * 32
    )
    stack = plan(blueprint_of(), request(), taken)
    assert str(stack.environment) == "photos/feature-x-5484b4"


def test_a_machine_has_its_own_name_its_types_and_the_first_the_endpoints() -> None:
    first, second = (stack_of("backend=2", "db", "feed").machine(f"backend{n}") for n in (1, 2))
    domain = "feature-x.photos.internal"
    assert first.private_dns == f"backend1.{domain}"
    assert first.dns_names == (f"backend1.{domain}", f"backend.{domain}", f"api.{domain}")
    assert second.dns_names == (f"backend2.{domain}", f"backend.{domain}")
    assert first.endpoint is not None
    assert first.endpoint.internal_host == f"api.{domain}"
    assert first.endpoint.local_host == "api.feature-x.photos.localhost"
    assert second.endpoint is None


def test_a_machine_needs_all_machines_of_the_types_it_needs() -> None:
    assert stack_of("backend", "db", "feed=2").machine("backend1").needs == (
        "db1",
        "feed1",
        "feed2",
    )


def test_a_shared_type_is_needed_without_being_in_the_environment() -> None:
    blueprint = edited(("needs: [db, feed]", "needs: [metrics]"))
    assert plan(blueprint, request("backend"), allocation()).machine("backend1").needs == ()


def test_memory_is_the_instance_types_unless_the_blueprint_says_otherwise() -> None:
    assert stack_of().machine("feed1").memory_mib == 1024
    blueprint = edited(("instance_type: t3.micro", "memory_mib: 64\n    pids: 20"))
    feed = plan(blueprint, request("feed"), allocation()).machine("feed1")
    assert (feed.memory_mib, feed.pids) == (64, 20)


def test_checks_are_resolved() -> None:
    blueprint = edited(
        ("check: [{http: /health}]", "check: [{http: /, port: 81, contains: ok}, {command: [ls]}]")
    )
    backend = plan(blueprint, request(), allocation()).machine("backend1")
    assert backend.checks == (
        HttpCheck(path="/", port=81, status=200, contains="ok", deadline_s=30.0),
        CommandCheck(argv=("ls",), deadline_s=30.0),
    )
    assert stack_of().machine("feed1").checks == (TcpCheck(port=6379, deadline_s=5.0),)
    health = stack_of().machine("backend1").checks[0]
    assert health == HttpCheck(path="/health", port=80, status=200, contains="", deadline_s=30.0)


# Groups and tags


def test_the_groups_are_those_of_the_machines_and_what_they_join() -> None:
    assert [group.name for group in stack_of().groups] == ["backend", "db", "feed", "base"]
    assert [group.name for group in stack_of("feed").groups] == ["feed"]


def test_a_rule_whose_source_is_not_in_the_environment_is_left_out() -> None:
    # A shared machine type is never in the environment, and yet may stand beside it.
    assert group_of(stack_of(), "backend") == [
        "tcp/80 from anywhere",
        "udp/8125 from metrics of every environment",
    ]
    assert group_of(stack_of(), "db") == ["tcp/3306 from backend"]
    assert group_of(stack_of("feed"), "feed") == []
    assert group_of(stack_of("feed", "db"), "feed") == ["tcp/6379 from base"]


def test_a_network_or_a_joined_group_stays_in_the_rules() -> None:
    blueprint = edited(
        ("    instance_type: t3.micro", "    groups: [admin]"),
        ("port: 22, from", 'port: "22-23", from'),
    )
    stack = plan(blueprint, request(), allocation())
    assert group_of(stack, "admin") == ["tcp/22-23 from 10.9.0.0/16"]
    assert group_of(stack, "db") == ["tcp/3306 from backend", "tcp/3306 from admin"]


def test_a_machine_inherits_the_tags_of_its_groups_and_its_own_win() -> None:
    backend = stack_of().machine("backend1")
    assert backend.groups == ("backend", "base")
    assert dict(backend.tags) == {
        "background_tasks": "false",
        "branch": "feature_x",
        "monitoring": "false",
        "role": "backend",
    }
    blueprint = edited(('{background_tasks: "false"}', "{monitoring: own, role: worker}"))
    backend = plan(blueprint, request(), allocation()).machine("backend1")
    assert dict(backend.tags)["monitoring"] == "own"
    assert backend.role == "worker"


@pytest.mark.parametrize(("tags", "role"), [("{}", "db"), ("{role: database}", "database")])
def test_the_role_is_the_tag_of_the_types_group(tags: str, role: str) -> None:
    blueprint = edited(("image: mariadb", f"image: mariadb\n    tags: {tags}"))
    stack = plan(blueprint, request(), allocation())
    assert stack.machine("db1").role == role
    group = next(group for group in stack.groups if group.name == "db")
    assert dict(group.tags) == {"branch": "feature_x", "role": role}


def test_two_groups_that_disagree_on_a_tag_are_refused_unless_the_machine_decides() -> None:
    conflict = ("    needs: [db, feed]", "    tags: {monitoring: 'true'}\n    needs: [db, feed]")
    with pytest.raises(InputError) as raised:
        plan(edited(conflict), request(), allocation())
    assert raised.value.code == "E_TAG_CONFLICT"
    assert raised.value.message == (
        "the groups 'backend' and 'base' of machine type 'backend' disagree on the tag "
        "'monitoring': 'true' and 'false'"
    )
    assert raised.value.hint == "decide with 'monitoring' in the machine_tags of backend"
    decided = edited(conflict, ('{background_tasks: "false"}', "{monitoring: mine}"))
    backend = plan(decided, request(), allocation()).machine("backend1")
    assert dict(backend.tags)["monitoring"] == "mine"


# Addresses and identities


def test_addresses_and_user_ids_follow_the_blueprints_order() -> None:
    stack = plan(blueprint_of(), request("feed", "db", "backend=2"), allocation(index=3))
    assert stack.subnet == IPv4Network("10.213.3.0/24")
    assert [(m.name, str(m.address)) for m in stack.machines] == [
        ("backend1", "10.213.3.10"),
        ("backend2", "10.213.3.11"),
        ("db1", "10.213.3.12"),
        ("feed1", "10.213.3.13"),
    ]
    assert [m.uid_base for m in stack.machines] == [
        0x30000000 + (3 * 64 + n) * 65536 for n in range(4)
    ]
    assert [(d.name, str(d.address)) for d in stack.drills] == [("db-drill", "10.213.3.70")]
    assert stack.drills[0].uid_base == 0x30000000 + (3 * 64 + 50) * 65536


@given(st.sets(st.tuples(st.integers(0, 254), st.integers(0, 59)), min_size=2, max_size=8))
def test_no_two_machines_of_a_host_share_an_address_or_a_user_id(
    places: set[tuple[int, int]],
) -> None:
    region = IPv4Network("10.213.0.0/16")
    ids, ips = set(), set[IPv4Address]()
    for index, slot in places:
        subnet = addresses.subnet_of(region, index)
        if slot < 50:
            ids.add(addresses.machine_uid_base(index, slot))
            ips.add(addresses.machine_address(subnet, slot))
        else:
            ids.add(addresses.drill_uid_base(index, slot - 50))
            ips.add(addresses.drill_address(subnet, slot - 50))
        assert max(ips) in region
    assert len(ids) == len(ips) == len(places)
    assert all(uid % 65536 == 0 and uid + 65536 < 2**31 for uid in ids)


def test_an_identity_depends_on_secret_environment_and_machine() -> None:
    one = stack_of().machine("db1")
    other_branch = stack_of(branch="other").machine("db1")
    other_secret = plan(
        blueprint_of(),
        request(),
        Allocation(index=0, secret="other", taken={}, agent_sha256="ab" * 32),
    ).machine("db1")
    everyone = [one, other_branch, other_secret, *stack_of().drills, stack_of().machine("feed1")]
    assert len({m.instance_id for m in everyone}) == len(everyone)
    assert len({m.signal_token for m in everyone}) == len(everyone)
    assert one.instance_id.startswith("i-")
    assert len(one.instance_id) == 19
    assert len(one.signal_token) == 64


# Data, drills, buckets


def volume_modes(machines: tuple[Machine, ...]) -> list[tuple[str, RestoreMode, str | None]]:
    return [(m.name, m.volume.mode, m.volume.source) for m in machines if m.volume]


@pytest.mark.parametrize(
    ("restore", "volume", "drill"),
    [
        (None, (RestoreMode.CLONE, "extract"), (RestoreMode.COLD, "extract")),
        ("extract", (RestoreMode.CLONE, "extract"), (RestoreMode.COLD, "extract")),
        ("backup", (RestoreMode.CLONE, "backup"), (RestoreMode.COLD, "backup")),
        ("backup:cold", (RestoreMode.COLD, "backup"), None),
        ("none", (RestoreMode.EMPTY, None), (RestoreMode.EMPTY, None)),
    ],
)
def test_a_clone_or_an_empty_volume_has_one_drill_and_a_cold_one_none(
    restore: str | None,
    volume: tuple[RestoreMode, str | None],
    drill: tuple[RestoreMode, str | None] | None,
) -> None:
    stack = stack_of("db=2", restore={"db": restore} if restore else {})
    assert volume_modes(stack.machines) == [("db1", *volume), ("db2", *volume)]
    assert volume_modes(stack.drills) == ([("db-drill", *drill)] if drill else [])


def test_a_drill_can_be_reached_by_nobody_and_reads_only_what_it_restores() -> None:
    (drill,) = stack_of().drills
    db = stack_of().machine("db1")
    assert (drill.groups, drill.checks, drill.dns_names, drill.needs) == ((), (), (), ())
    assert (drill.deploy, drill.endpoint, drill.mount) == (None, None, None)
    assert drill.tags == db.tags
    assert (drill.image, drill.memory_mib) == (db.image, db.memory_mib)
    assert drill.readable_buckets == ("extracts",)
    assert '"drill":true' in drill.user_data
    assert '"mode":"cold"' in drill.user_data
    assert drill.signal_token in drill.user_data
    (empty,) = stack_of(restore={"db": "none"}).drills
    assert empty.readable_buckets == ()


def test_without_a_profile_a_machine_reads_what_its_deploy_and_restore_need() -> None:
    stack = stack_of()
    readable = {machine.name: machine.readable_buckets for machine in stack.machines}
    assert readable == {"backend1": ("code",), "db1": ("extracts",), "feed1": ()}
    assert stack_of(restore={"db": "none"}).machine("db1").readable_buckets == ()


def test_an_instance_profile_with_a_list_decides_what_a_machine_reads() -> None:
    listed = "instance_profiles:\n  all: {read: [code, extracts]}\n  bare: {}\n"
    text = PHOTOS.replace("    image: redis\n", "    image: redis\n    instance_profile: all\n")
    text = text.replace("    image: web\n", "    image: web\n    instance_profile: bare\n")
    stack = plan(blueprint_of(text + listed), request(), allocation())
    assert stack.machine("feed1").readable_buckets == ("code", "extracts")
    assert stack.machine("backend1").readable_buckets == ("code",)
    assert stack.machine("backend1").instance_profile == "bare"


def test_a_mount_stands_in_for_the_deployed_code() -> None:
    backend = stack_of(mounts=(("backend", "/home/me/src"),)).machine("backend1")
    assert backend.mount == Path("/home/me/src")
    assert '"mounted":true' in backend.user_data
    assert backend.deploy is not None
    assert backend.deploy.keys == ("backend-feature_x.tar.gz", "backend-master.tar.gz")


def test_buckets_are_folders_beside_the_blueprint() -> None:
    assert [(b.name, str(b.path)) for b in stack_of().buckets] == [
        ("code", "/srv/photos/artifacts"),
        ("extracts", "/srv/photos/data"),
    ]


# Images


def test_the_stack_holds_the_images_that_its_machines_boot() -> None:
    assert [image.name for image in stack_of("feed", "db").images] == ["mariadb", "redis"]
    assert [image.name for image in all_images(blueprint_of())] == ["web", "mariadb", "redis"]


def test_every_recipe_has_what_booting_needs_once_and_in_order() -> None:
    web = image_of(blueprint_of(), "web")
    assert web.packages == ("ca-certificates", "curl", "nginx-light", "python3", "s6")
    assert set(BASE_PACKAGES) <= set(web.packages)
    assert [service.name for service in web.services] == ["php-fpm", "nginx"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("packages: [redis-server]", "packages: [redis-server, vim]"),
        ("packages: [redis-server]", "packages: [redis-server], suite: trixie"),
        ("packages: [redis-server]", "packages: [redis-server], commands: ['true']"),
        ("exec redis-server", "exec redis-server --x"),
        ("{redis: {command", "{cache: {command"),
    ],
)
def test_a_digest_changes_with_everything_that_decides_the_images_content(
    old: str, new: str
) -> None:
    assert image_of(edited((old, new)), "redis").digest != image_of(blueprint_of(), "redis").digest


def test_a_digest_follows_a_files_text_and_not_the_images_name(tmp_path: Path) -> None:
    text = PHOTOS.replace("packages: [redis-server]", "files: {/etc/x: conf}")
    digests = []
    for content, name in (("a", "redis:"), ("b", "redis:"), ("b", "cache:")):
        (tmp_path / "conf").write_text(content)
        renamed = text.replace("  redis: {files", f"  {name} {{files")
        renamed = renamed.replace("image: redis", f"image: {name[:-1]}")
        blueprint = parse_blueprint(renamed, tmp_path / "greenroom.yaml")
        digests.append(image_of(blueprint, name[:-1]).digest)
    assert digests[0] != digests[1] == digests[2]


# Rendering


def test_a_rendered_plan_is_json_and_holds_no_secret() -> None:
    stack = stack_of()
    rendered = plan_to_dict(stack)
    text = json.dumps(rendered)
    for machine in (*stack.machines, *stack.drills):
        assert machine.signal_token not in text
    assert rendered["machines"][0]["signal_token"] == MASK
    assert f"/signal/{MASK}" in rendered["machines"][0]["user_data"]
    assert rendered["subnet"] == "10.213.0.0/24"
    assert rendered["drills"][0]["name"] == "db-drill"


def test_an_allocation_does_not_show_its_secret() -> None:
    assert "s3cret" not in repr(allocation())
