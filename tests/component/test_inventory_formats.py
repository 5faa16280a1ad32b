"""The inventory in other programs' formats; that these programs read it is in tests/real."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from tests.component.app_stage import make_stack, request

from greenroom.app.inventory.ansible import groups_of, render_ansible, render_ansible_host
from greenroom.app.inventory.dotenv import render_dotenv
from greenroom.app.inventory.enc import puppet_environment, render_enc
from greenroom.app.inventory.http_sd import render_http_sd
from greenroom.app.inventory.naming import aliases, chosen, full_name, query_of
from greenroom.app.inventory.records import Seen, records_of
from greenroom.app.inventory.ssh_config import SshAccess, render_ssh_config
from greenroom.errors import InputError
from greenroom.model.inventory import Health, MachineRecord
from greenroom.model.views import EnvironmentStatus
from greenroom.providers.local.ssh_keys import ensure_keys

ACCESS = SshAccess(program="env A=1% greenroom", identity="/run/k", known_hosts="/run/h")


def records(stack: str = "photos", branch: str = "feature_x") -> tuple[MachineRecord, ...]:
    seen = Seen(
        stack=make_stack(Path("/srv"), request(branch), stack_name=stack),
        status=EnvironmentStatus.READY,
        reports=(),
        lost=(),
        problems={},
    )
    return records_of(seen, {}, datetime(2026, 11, 23, tzinfo=UTC))


BACKEND, DB = records()


# Names.


def test_a_short_name_means_a_machine_only_where_one_stack_has_it() -> None:
    others = records("shop")
    assert aliases((BACKEND,))[0] == (
        "backend1.feature-x",
        "backend1.feature-x.photos",
        "backend1.feature-x.photos.internal",
    )
    assert aliases((BACKEND, others[0]))[0][0] == "backend1.feature-x.photos"


@pytest.mark.parametrize(
    "text",
    [
        "photos/feature-x/db1",
        "db1.feature-x.photos",
        "db1.feature-x.photos.internal",
    ],
)
def test_each_of_its_names_means_the_machine(text: str) -> None:
    everybody = (*records(), *records("shop"), *records(branch="master"))
    meant = [record for record in everybody if query_of(text).matches(record)]
    if text.endswith(".internal"):
        # Both stacks of this test have one zone, which a name alone does not tell apart.
        meant = [record for record in meant if record.stack == "photos"]
    assert chosen(text, meant).key == ("photos/feature-x", "db1")


def test_a_name_that_means_none_or_two_is_refused() -> None:
    everybody = (*records(), *records("shop"))
    with pytest.raises(InputError, match=r"any of db1\.feature-x\.photos, db1\.feature-x\.shop"):
        chosen("db1.feature-x", everybody)
    with pytest.raises(InputError, match=r"there is no machine 'db9\.feature-x'"):
        chosen("db9.feature-x", everybody)


# Ansible.


def test_ansible_gets_groups_and_the_way_in() -> None:
    stopped = replace(DB, health=Health.STOPPED)
    document = json.loads(render_ansible((BACKEND, stopped), ACCESS))
    name = full_name(BACKEND)
    assert document["role_backend"] == {"hosts": [name]}
    assert document["stack_photos"] == {"hosts": [name]}
    assert document["branch_feature_x"] == {"hosts": [name]}
    assert set(document["all"]["children"]) == set(document) - {"_meta", "all"} | {"ungrouped"}
    (variables,) = document["_meta"]["hostvars"].values()
    assert variables == json.loads(render_ansible_host(BACKEND, ACCESS))
    words = shlex.split(variables["ansible_ssh_common_args"])
    command = "env A=1%% greenroom ssh-proxy photos/feature-x backend1"
    assert words[words.index(f"ProxyCommand={command}") - 1] == "-o"


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_is_a_template_or_a_groups_name_that_ansible_refuses(key: str, value: str) -> None:
    record = replace(BACKEND, branch=value, tags=((key, value),))
    assert all(group.replace("_", "a").isalnum() and group.isascii() for group in groups_of(record))

    def texts(node: object) -> list[str]:
        if isinstance(node, dict):
            if set(node) == {"__ansible_unsafe"}:
                return []
            return [text for each in node.values() for text in texts(each)]
        return [node] if isinstance(node, str) else []

    variables = json.loads(render_ansible_host(record, ACCESS))
    assert not any("{" in text for text in texts(variables))


# ssh.


def test_ssh_gets_a_block_for_each_machine_that_runs() -> None:
    text = render_ssh_config((BACKEND, replace(DB, health=Health.STARTING)), ACCESS)
    assert text.count("Host ") == 1
    assert "Host backend1.feature-x backend1.feature-x.photos " in text
    assert "  ProxyCommand env A=1%% greenroom ssh-proxy photos/feature-x backend1\n" in text


def test_keys_are_made_once_and_whole(tmp_path: Path) -> None:
    folder = tmp_path / "ssh"
    ensure_keys(folder, "greenroom")
    made = {path.name: path.read_bytes() for path in folder.iterdir()}
    ensure_keys(folder, "greenroom")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == made
    assert list(tmp_path.iterdir()) == [folder]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert made["known_hosts"].startswith(b"greenroom ssh-ed25519 ")
    assert f"AuthorizedKeysFile {folder}/id_ed25519.pub" in made["sshd_config"].decode()


# Prometheus.


def test_prometheus_gets_a_group_for_each_machine() -> None:
    place = {"environment": "photos/x", "slug": "x", "branch": 'x"\\y'}
    web = replace(BACKEND, name="web1", type="web", role="frontend", **place)
    away = replace(web, name="web2", health=Health.STOPPED)
    assert (
        json.loads(render_http_sd([web, away, web], 9100))
        == [
            {
                "targets": ["10.213.0.10:9100"],
                "labels": {
                    "machine": "web1",
                    "stack": "photos",
                    "environment": "photos/x",
                    "branch": 'x"\\y',
                    "type": "web",
                    "role": "frontend",
                },
            }
        ]
        * 2
    )
    assert json.loads(render_http_sd([], 9100)) == []


# Puppet.


@given(st.text(max_size=40), st.text(max_size=40))
def test_puppet_reads_every_text_as_it_is(branch: str, tag: str) -> None:
    record = replace(BACKEND, branch=branch, tags=(("note", tag), ("role", "backend")))
    read = YAML(typ="safe").load(render_enc(record))
    assert read["classes"] == {"role::backend": {}}
    assert read["parameters"]["branch"] == branch
    assert read["parameters"]["note"] == tag


def test_tags_choose_puppets_environment_and_classes() -> None:
    tags = (("puppetbranch", "Feature-Y"), ("puppetclasses", "base, web::server"))
    record = replace(BACKEND, tags=tags)
    read = YAML(typ="safe").load(render_enc(record))
    assert read["environment"] == puppet_environment(record) == "feature_y"
    assert read["classes"] == {"base": {}, "web::server": {}}
    assert puppet_environment(BACKEND) == "feature_x"
    assert puppet_environment(replace(BACKEND, branch="")) == "production"


# Programs.


def test_a_program_gets_hosts_and_ports_as_variables() -> None:
    assert render_dotenv(records()).splitlines() == [
        "BACKEND1_HOST=10.213.0.10",
        "BACKEND1_HTTP_PORT=80",
        "BACKEND1_PUBLIC_DNS=api.feature-x.photos.localhost",
        "DB1_HOST=10.213.0.11",
        "DB1_MYSQL_PORT=3306",
        "BACKEND_HOSTS=10.213.0.10",
        "DB_HOSTS=10.213.0.11",
    ]
