"""A bare instance becomes what a local machine is: names, image, supervisor, data volume."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.agent_aws import REGION
from tests.unit.agent_instance import DOMAIN, Bare, Host, bare_machine, image, tree
from tests.unit.agent_region import install_command, machine_paths

from greenroom.agent import provision as provision_module
from greenroom.agent.aws_config import parse_aws
from greenroom.agent.errors import AgentError
from greenroom.agent.host_names import set_search_domain, with_search
from greenroom.agent.provision import write_image_files
from greenroom.agent.recipe import parse_recipe
from greenroom.agent.session_manager import install_session_manager, package_url
from greenroom.agent.systemd_units import (
    LATER_BOOTS,
    LATER_BOOTS_UNIT,
    SUPERVISOR,
    SUPERVISOR_UNIT,
    boot_again_after_a_reboot,
    start_supervisor,
)
from greenroom.plan.recipe import recipe_bytes
from greenroom.providers.local.images import write_overlay


@pytest.fixture
def bare(tmp_path, monkeypatch):
    with bare_machine(tmp_path, monkeypatch) as bare:
        yield bare


def test_files_and_services_lie_as_the_local_builder_lays_them_out(tmp_path):
    made = image()
    write_overlay(made, tmp_path / "local")
    (tmp_path / "local/greenroom-build.sh").unlink()
    write_image_files(parse_recipe(recipe_bytes(made)), machine_paths(tmp_path / "aws"))
    assert tree(tmp_path / "aws") == tree(tmp_path / "local")


def test_a_bare_machine_becomes_its_image_once(bare):
    made = image()
    assert bare.provision(bare.aws(made))
    assert bare.calls == [
        "dpkg --configure -a",
        "apt-get -qy update",
        "apt-get -qy install curl nginx s6",
    ]
    assert (bare.root / "done").read_text() == "one\ntwo\n"
    assert bare.marker() == f"{made.digest}\n"
    assert bare.progress.notices[-1].startswith("made its image of 3 packages in ")
    asked = len(bare.account.requests)
    assert not bare.provision(bare.aws(made))
    assert len(bare.account.requests) == asked
    assert len(bare.calls) == 3


def test_a_machine_with_a_data_volume_gets_its_filesystems_tools(bare):
    bare.provision(bare.aws(image(), data_volume=True))
    assert bare.calls[-1] == "apt-get -qy install curl nginx s6 xfsprogs"


def test_services_of_the_distribution_start_neither_now_nor_at_a_reboot(bare):
    bare.provision(bare.aws(image()))
    assert "services may start" not in bare.calls
    assert not (bare.root / "usr/sbin/policy-rc.d").exists()
    wants = bare.root / "etc/systemd/system/multi-user.target.wants"
    assert [path.name for path in wants.iterdir()] == ["ssh.service"]
    assert not (wants.parent / "www.service").is_symlink()
    assert [path.name for path in (bare.root / "etc/rc2.d").iterdir()] == ["K01old"]


def test_a_policy_of_the_machines_own_is_put_back(bare):
    policy = bare.root / "usr/sbin/policy-rc.d"
    install_command(policy.parent, policy.name, "#!/bin/sh\nexit 0\n")
    bare.provision(bare.aws(image()))
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"


def test_a_boot_that_was_cut_off_after_the_packages_still_disables_their_services(bare):
    # The first try was killed when apt had done its work.
    aws = bare.aws(image())
    broken = bare.aws(image(commands=("exit 9",), digest="ef" * 32))
    (bare.root / "etc/rc2.d").mkdir(parents=True)
    provision_module._enabled_before(bare.paths)
    subprocess.run(["apt-get", "install", "nginx"], check=True)
    with pytest.raises(AgentError):
        bare.provision(broken)
    assert bare.provision(aws)
    wants = bare.root / "etc/systemd/system/multi-user.target.wants"
    assert [path.name for path in wants.iterdir()] == ["ssh.service"]
    assert not (bare.root / "etc/greenroom/image.enabled-before").exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"packages": ("curl", "nonsuch")},
            "image: apt-get -qy install curl nonsuch failed (100): "
            "E: Unable to locate package nonsuch",
        ),
        (
            {"commands": ("true", "echo almost; echo broken >&2; false", "touch $ROOT/never")},
            "image: one of its commands exited with 1: broken / almost",
        ),
        ({"commands": ("exit 3",)}, "image: one of its commands exited with 3: it said nothing"),
    ],
)
def test_what_fails_is_told_with_its_last_words_and_leaves_no_marker(bare, change, reason):
    with pytest.raises(AgentError) as error:
        bare.provision(bare.aws(image(**change)))
    assert str(error.value) == reason
    assert bare.marker() == ""
    assert not (bare.root / "never").exists()
    assert not (bare.root / "usr/sbin/policy-rc.d").exists()


def test_a_mirror_that_fails_is_asked_again_and_then_told(bare):
    (bare.root / "no-mirror").touch()
    with pytest.raises(AgentError) as error:
        bare.provision(bare.aws(image()))
    assert str(error.value) == (
        "image: apt-get -qy update failed (100): E: Could not get lock /var/lib/apt/lists/lock"
    )
    assert bare.calls.count("apt-get -qy update") == 3


def test_another_recipe_than_the_planned_one_is_refused(bare):
    aws = bare.aws(image())
    bare.account.objects[f"own/images/{aws.image.sha256}.json"] = recipe_bytes(image(commands=()))
    with pytest.raises(AgentError, match=r"sha256 is \w+, expected "):
        bare.provision(aws)
    other = image(digest="ef" * 32)
    source = {**bare.aws(other).image.fields(), "digest": "ab" * 32}
    with pytest.raises(AgentError, match=f"makes the image {'ef' * 32}, expected {'ab' * 32}"):
        bare.provision(bare.aws(image(), image=source))
    assert bare.calls == []


def test_a_recipe_that_is_not_there_is_told(bare):
    aws = bare.aws(image())
    bare.account.objects.clear()
    with pytest.raises(AgentError, match=r"images/.*json in bucket 'own' is not there, or this"):
        bare.provision(aws)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "the image's recipe is not JSON"),
        (b'{"version": 2}', "recipe: version is 2, this agent knows 1"),
        (
            b'{"version": 1, "digest": "d", "packages": [], "commands": [], "services": [],'
            b' "files": [{"path": "/a/../b", "content": "", "mode": 420}]}',
            "recipe: files: path is '/a/../b', expected an absolute path",
        ),
        (
            b'{"version": 1, "digest": "d", "packages": [], "commands": [], "files": [],'
            b' "services": [{"name": "../x", "command": ""}]}',
            "recipe: services: name is '../x', expected a file's name",
        ),
    ],
)
def test_a_recipe_that_is_wrong_is_refused(content, reason):
    with pytest.raises(AgentError, match=reason.replace("[", r"\[")):
        parse_recipe(content)


def test_without_systemd_nothing_of_it_is_touched(bare):
    boot_again_after_a_reboot(bare.paths)
    start_supervisor(bare.paths)
    assert bare.calls == []


def test_under_systemd_s6_runs_now_and_the_agent_at_later_boots(bare):
    (bare.root / "run/systemd/system").mkdir(parents=True)
    for _ in range(2):
        boot_again_after_a_reboot(bare.paths)
        start_supervisor(bare.paths)
    assert bare.calls == [
        "systemctl daemon-reload",
        f"systemctl enable {LATER_BOOTS}",
        "systemctl daemon-reload",
        f"systemctl enable {SUPERVISOR}",
        f"systemctl start {SUPERVISOR}",
        f"systemctl enable {LATER_BOOTS}",
        f"systemctl enable {SUPERVISOR}",
        f"systemctl start {SUPERVISOR}",
    ]
    units = bare.root / "etc/systemd/system"
    assert (units / LATER_BOOTS).read_text() == LATER_BOOTS_UNIT
    assert (units / SUPERVISOR).read_text() == SUPERVISOR_UNIT


SSM_KEY = f"amazon-ssm-{REGION}/latest/debian_amd64/amazon-ssm-agent.deb"


def install_ssm(bare: Bare) -> None:
    (bare.root / "opt/greenroom").mkdir(parents=True, exist_ok=True)
    install_session_manager(bare.aws(image()), bare.paths, bare.progress)


def test_session_managers_agent_is_installed_from_aws_if_it_is_missing(bare, monkeypatch):
    (bare.root / "run/systemd/system").mkdir(parents=True)
    monkeypatch.setattr("greenroom.agent.session_manager.os.uname", lambda: Host("x86_64"))
    bare.account.public[SSM_KEY] = b"a package"
    install_ssm(bare)
    package = f"{bare.root}/opt/greenroom/amazon-ssm-agent.deb"
    assert bare.calls == [f"dpkg --install {package}"]
    assert not Path(package).exists()
    assert bare.progress.notices == []
    install_command(bare.root / "usr/bin", "amazon-ssm-agent", "")
    install_ssm(bare)
    assert len(bare.calls) == 1


def test_a_machine_without_session_manager_is_told_and_not_failed(bare, monkeypatch):
    install_ssm(bare)
    assert bare.progress.notices == []  # systemd does not run: nothing could run it
    (bare.root / "run/systemd/system").mkdir(parents=True)
    monkeypatch.setattr("greenroom.agent.session_manager.os.uname", lambda: Host("x86_64"))
    install_ssm(bare)
    assert bare.progress.notices == [
        f"no shell by Session Manager on this machine: GET {bare.account.url}/s3/{SSM_KEY} "
        "answered 403"
    ]
    assert bare.calls == []


@pytest.mark.parametrize(
    ("machine", "architecture"), [("x86_64", "amd64"), ("aarch64", "arm64"), ("riscv64", "riscv64")]
)
def test_the_package_lies_in_the_regions_own_bucket(machine, architecture):
    source = {"digest": "ab" * 32, "sha256": "cd" * 32}
    source["url"] = "https://s3.eu-west-1.amazonaws.com/photos-greenroom/images/x.json"
    aws = parse_aws(
        {
            "region": "eu-west-1",
            "image": source,
            "domain": "d",
            "data_volume": False,
            "records": [],
            "route53_url": "u",
        }
    )
    assert package_url(aws, machine) == (
        "https://s3.eu-west-1.amazonaws.com/amazon-ssm-eu-west-1/latest/"
        f"debian_{architecture}/amazon-ssm-agent.deb"
    )


def test_a_resolver_of_systemd_gets_the_domain_once(bare):
    resolved = bare.root / "run/systemd/resolve"
    resolved.mkdir(parents=True)
    (resolved / "resolv.conf").touch()
    set_search_domain(DOMAIN, bare.paths)
    set_search_domain(DOMAIN, bare.paths)
    drop_in = bare.root / "etc/systemd/resolved.conf.d/greenroom.conf"
    assert drop_in.read_text() == f"[Resolve]\nDomains={DOMAIN}\n"
    assert bare.calls == ["systemctl restart systemd-resolved"]


def test_without_it_the_domain_stands_in_resolv_conf_and_with_the_dhcp_client(bare):
    dhcp = bare.root / "etc/dhcp/dhclient.conf"
    dhcp.parent.mkdir()
    dhcp.write_text("timeout 300;")
    resolv = bare.root / "etc/resolv.conf"
    resolv.write_text("search eu-west-1.compute.internal\nnameserver 172.31.0.2\n")
    for _ in range(2):
        set_search_domain(DOMAIN, bare.paths)
    assert resolv.read_text() == (
        f"nameserver 172.31.0.2\nsearch {DOMAIN} eu-west-1.compute.internal\n"
    )
    assert dhcp.read_text() == f'timeout 300;\nprepend domain-search "{DOMAIN}";\n'


NAME = st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True)


@given(st.lists(st.tuples(st.sampled_from(["search", "domain", "nameserver"]), NAME)), NAME)
def test_the_domain_is_searched_and_nothing_else_is_lost(lines, domain):
    text = "".join(f"{word} {value}\n" for word, value in lines)
    changed = with_search(text, domain)
    assert with_search(changed, domain) == changed
    words = [line.split() for line in changed.splitlines()]
    searched = [row[1:] for row in words if row[0] in ("search", "domain")]
    assert domain in searched[-1]
    servers = [row[1:] for row in words if row[0] == "nameserver"]
    assert servers == [[value] for word, value in lines if word == "nameserver"]


def test_the_units_are_ones_that_systemd_would_take(tmp_path):
    for name, text in ((SUPERVISOR, SUPERVISOR_UNIT), (LATER_BOOTS, LATER_BOOTS_UNIT)):
        # The programs need not be on this host.
        installed = text.replace("/usr/bin/s6-svscan", "/bin/true")
        (tmp_path / name).write_text(installed.replace("/usr/bin/python3", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
