"""The local provider's decisions as data: bundles, images, names, the host's fitness."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.unit.blueprint_values import stack_of

from greenroom.errors import HostError, UsageError
from greenroom.model.stack import Image, ImageFile, Service
from greenroom.providers.local import doctor
from greenroom.providers.local.bundle import oci_config
from greenroom.providers.local.images import bootstrap_argv, remove_image, write_overlay
from greenroom.providers.local.layout import Layout, link_name
from greenroom.providers.local.names import render_hosts
from greenroom.providers.local.network import host_link_addresses
from greenroom.providers.local.proxy import render_config
from greenroom.region import Region

LAYOUT = Layout(Region(label="unit", cidr="10.99.0.0/16", proxy_port=18000))


def image() -> Image:
    return Image(
        name="web",
        digest="ab" * 32,
        suite="bookworm",
        packages=("nginx-light", "s6"),
        files=(ImageFile(path="/etc/nginx/site.conf", content="listen 80;"),),
        commands=("echo $(id)",),
        services=(Service(name="nginx", command="exec nginx"),),
    )


def test_a_machine_has_no_right_over_its_network_or_the_kernel() -> None:
    stack = stack_of("db", branch="feature_x")
    machine = stack.machine("db1")
    config = oci_config(LAYOUT.machine(stack.environment, "db1"), machine)
    for kind in ("bounding", "effective", "permitted"):
        granted = set(config["process"]["capabilities"][kind])
        assert granted.isdisjoint({"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_MKNOD"})
    refused = {name for rule in config["linux"]["seccomp"]["syscalls"] for name in rule["names"]}
    assert {"mount", "unshare", "setns", "bpf", "keyctl", "clone3"} <= refused
    kinds = {namespace["type"] for namespace in config["linux"]["namespaces"]}
    assert kinds == {"pid", "ipc", "uts", "mount", "user", "network"}
    assert config["linux"]["resources"]["memory"]["limit"] == machine.memory_mib * 1024 * 1024
    assert config["linux"]["resources"]["pids"]["limit"] == machine.pids


def test_id_ranges_of_machines_do_not_overlap() -> None:
    stack = stack_of("backend=3", "db", "feed", branch="feature_x")
    bases = sorted(machine.uid_base for machine in (*stack.machines, *stack.drills))
    assert all(later - earlier >= 65536 for earlier, later in itertools.pairwise(bases))


def test_an_image_holds_its_files_and_services_that_wait_for_the_agent(tmp_path: Path) -> None:
    write_overlay(image(), tmp_path)
    services = tmp_path / "etc/greenroom/service"
    assert (tmp_path / "etc/nginx/site.conf").read_text() == "listen 80;"
    assert (services / "nginx/run").read_text() == "#!/bin/sh\nexec 2>&1\nexec nginx\n"
    assert os.access(services / "nginx/run", os.X_OK)
    assert (services / "nginx/down").exists()
    assert [path.name for path in services.iterdir()] == ["nginx"]


def test_a_recipes_commands_reach_no_shell_of_the_host(tmp_path: Path) -> None:
    write_overlay(image(), tmp_path)
    argv = bootstrap_argv(image(), tmp_path, tmp_path / "image.tar")
    assert not any("$(id)" in word for word in argv)
    assert "echo $(id)" in (tmp_path / "greenroom-build.sh").read_text()


@pytest.mark.parametrize("digest", ["", ".", "..", "../images", "abc", "AB" * 32, "/" * 64])
def test_what_is_no_digest_removes_nothing(digest: str) -> None:
    assert remove_image(LAYOUT, digest) is False


def test_names_are_one_line_a_machine() -> None:
    stack = stack_of("backend=2", "db", "feed", branch="feature_x")
    lines = render_hosts(stack).splitlines()
    assert len(lines) == 4
    assert lines[0] == (
        "10.213.0.10 backend1.feature-x.photos.internal backend.feature-x.photos.internal"
        " api.feature-x.photos.internal"
    )
    assert lines[1] == (
        "10.213.0.11 backend2.feature-x.photos.internal backend.feature-x.photos.internal"
    )


def test_the_proxy_listens_on_loopback_only() -> None:
    binds = [line.strip() for line in render_config(LAYOUT).splitlines() if "bind" in line]
    assert binds == ["bind 127.0.0.1:18000"]


def test_names_of_links_and_addresses_follow_from_the_region() -> None:
    assert link_name("10.99.7.10") == "m7-10"
    assert host_link_addresses(LAYOUT) == ("10.99.255.1", "10.99.255.2")
    assert len(LAYOUT.host_link) <= 15
    assert len(Layout(Region(label="a2345678")).host_link) <= 15


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "GREENROOM_REGION",
            "../x",
            "GREENROOM_REGION is '../x': expected at most 8 of a-z and 0-9, letter first",
        ),
        (
            "GREENROOM_CIDR",
            "10.0.0.0/8",
            "GREENROOM_CIDR is '10.0.0.0/8': expected a private /16 such as 10.213.0.0/16",
        ),
        ("GREENROOM_PORT", "http", "GREENROOM_PORT is 'http': expected 1 to 65535"),
        ("GREENROOM_PORT", "0", "GREENROOM_PORT is '0': expected 1 to 65535"),
    ],
)
def test_a_bad_region_is_refused_by_name_and_value(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError) as raised:
        Region.from_environment()
    assert raised.value.message == message


def test_a_missing_program_is_found_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    present = doctor.shutil.which

    def which(name: str, path: str | None = None) -> str | None:
        return None if name in ("nft", "crun") else present(name, path=path)

    monkeypatch.setattr(doctor.shutil, "which", which)
    lacks = {f.name: f for f in doctor.diagnose(LAYOUT.region) if f.name in ("nft", "crun")}
    assert lacks["nft"].message == "the program nft is missing"
    assert lacks["nft"].mend == "apt-get install -y --no-install-recommends nftables"
    assert not lacks["crun"].ok
    with pytest.raises(HostError) as raised:
        doctor.require_ready(LAYOUT.region)
    assert "the program crun is missing" in raised.value.message
    assert "apt-get install -y --no-install-recommends crun" in raised.value.hint


def test_room_is_asked_for_where_a_pool_is_to_be_made_and_not_where_one_stands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Region, "state_dir", tmp_path)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=3 * 1024**3))
    lack = f"3 GiB free in {tmp_path}: 8 are needed for images and data"
    found = {finding.name: finding for finding in doctor.diagnose(LAYOUT.region)}
    assert found["space"].message == lack
    monkeypatch.setattr(doctor, "diagnose", lambda _: (found["space"],))
    with pytest.raises(HostError) as raised:
        doctor.require_ready(LAYOUT.region)
    assert raised.value.message == f"this host cannot run machines: {lack}"
    LAYOUT.pool.mkdir()
    doctor.require_ready(LAYOUT.region)
