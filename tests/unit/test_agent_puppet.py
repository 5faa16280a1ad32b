"""Provisioning by shell lines and by Puppet; a script of the test's acts Puppet."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from tests.unit.agent_region import (
    UP,
    UP_AGAIN,
    add_service,
    boot_document,
    install_command,
    install_s6,
    machine_paths,
    quiet_progress,
    running_region,
    service_calls,
    tar_gz,
    write_boot,
)

from greenroom.agent.codebase import deploy_codebase, is_current, restart
from greenroom.agent.config import parse_boot
from greenroom.agent.configure import configure, configure_again
from greenroom.agent.errors import AgentError
from greenroom.agent.facts import Facts
from greenroom.agent.puppet import DEPLOY_CODEBASE, first_errors

OWN, DEFAULT = "backend-feature_x.tar.gz", "backend-master.tar.gz"
WWW = "/var/www/backend"
FACTS = Facts(
    tags={"role": "backend", "branch": "feature_x", "puppetbranch": "master", "os": "a tag"},
    metadata={},
)

PUPPET = """#!/bin/sh
# Acts `puppet apply`: keeps its words, says what the test wants, and brings the code.
printf '%s\\n' "$@" > {root}/argv
cat {root}/said
[ ! -e {root}/brings ] || GREENROOM_AGENT_ROOT={root} {python} -m greenroom.agent \\
    deploy-codebase code $(cat {root}/brings) {www} || exit 4
exit "$(cat {root}/code)"
"""


class Machine:
    """A machine below a folder, with a Puppet that does what it is told."""

    def __init__(self, root: Path, region, monkeypatch) -> None:
        self.root, self.region = root, region
        self.paths = machine_paths(root, region)
        self.notices: list[str] = []
        install_s6(self.paths, root / "bin", monkeypatch)
        script = PUPPET.format(root=root, python=sys.executable, www=WWW)
        install_command(root / "bin", "puppet", script)
        self.puppet(code=2)
        files = {"manifests/site.pp": "node default {}\n", "manifests/db.pp": "# none\n"}
        region.put("manifests", "puppet-master.tar.gz", tar_gz(files))

    def puppet(self, *, said: str = "", code: int = 2, brings: str = "") -> None:
        (self.root / "said").write_text(said)
        (self.root / "code").write_text(str(code))
        (self.root / "brings").unlink(missing_ok=True)
        if brings:
            (self.root / "brings").write_text(brings)

    def boot(self, **changes: object):
        document = boot_document(self.region, provision=self.provision(), **changes)
        write_boot(self.paths, document)
        return parse_boot(document)

    def provision(self, **changes: object) -> dict[str, object]:
        names = ("code", "manifests")
        puppet = {
            "bucket_url": self.region.bucket_url("manifests"),
            "key": "puppet-master.tar.gz",
            "version": "master",
            "manifest": "manifests/site.pp",
            "buckets": {name: self.region.bucket_url(name) for name in names},
            **changes,
        }
        return {"commands": [], "puppet": puppet}

    def deploy(self, **changes: object) -> dict[str, object]:
        return {
            "bucket_url": self.region.bucket_url("code"),
            "keys": [OWN, DEFAULT],
            "directory": WWW,
            "restart": [],
            "keep": {},
            "mounted": False,
            **changes,
        }

    def configure(self, config, *, again: bool = False):
        work = configure_again if again else configure
        progress = quiet_progress(self.paths)
        try:
            return work(config, FACTS, self.paths, progress, None)
        finally:
            self.notices = progress.notices


@pytest.fixture
def machine(tmp_path, monkeypatch):
    with running_region() as region:
        yield Machine(tmp_path, region, monkeypatch)


def test_the_manifests_of_the_tag_are_applied_with_the_tags_as_facts(machine):
    machine.configure(machine.boot())

    argv = (machine.root / "argv").read_text().split("\n")
    current = f"{machine.root}/var/lib/greenroom/puppet/current"
    modules = f"{current}/modules:{machine.root}/var/lib/greenroom/modules"
    assert argv[:-1] == [
        "apply",
        "--detailed-exitcodes",
        "--color=false",
        f"--modulepath={modules}",
        "--logdest=console",
        f"{current}/manifests/site.pp",
    ]
    facts = json.loads((machine.root / "etc/facter/facts.d/greenroom.json").read_text())
    assert facts == {
        "greenroom": {"machine": "backend1", "environment": "photos/feature-x", "mounted": []},
        "tags": FACTS.tags,
        "role": "backend",
        "branch": "feature_x",
        "puppetbranch": "master",
    }
    module = machine.root / "var/lib/greenroom/modules/deploy_codebase/manifests/init.pp"
    assert module.read_text() == DEPLOY_CODEBASE


def test_what_the_manifest_brings_is_reported_as_the_machines_code(machine):
    digest = machine.region.put("code", OWN, tar_gz({"index.html": "own"}))
    machine.puppet(brings=OWN)

    deployed = machine.configure(machine.boot(deploy=machine.deploy()))

    assert deployed.document() == {"key": OWN, "sha256": digest, "fallback": False}
    assert deployed.previous is None
    assert (machine.root / f"var/www/backend/releases/{digest[:12]}/index.html").is_file()


def test_the_default_branchs_code_stands_in_as_it_does_without_puppet(machine):
    digest = machine.region.put("code", DEFAULT, tar_gz({"index.html": "default"}))
    machine.puppet(brings=OWN)

    deployed = machine.configure(machine.boot(deploy=machine.deploy()))

    assert deployed.document() == {"key": DEFAULT, "sha256": digest, "fallback": True}
    assert machine.notices == [f"no artifact for branch feature_x: using {DEFAULT}"]


def test_applying_again_tells_which_release_was_there_before(machine):
    first = machine.region.put("code", OWN, tar_gz({"index.html": "one"}))
    machine.puppet(brings=OWN)
    config = machine.boot(deploy=machine.deploy())
    machine.configure(config)
    second = machine.region.put("code", OWN, tar_gz({"index.html": "two"}))

    deployed = machine.configure(config, again=True)

    assert (deployed.sha256, deployed.previous) == (second, f"releases/{first[:12]}")
    machine.puppet()
    assert machine.configure(config, again=True).previous is None


def test_a_manifest_that_brings_no_code_where_the_blueprint_says_so_fails(machine):
    with pytest.raises(AgentError) as caught:
        machine.configure(machine.boot(deploy=machine.deploy()))
    assert str(caught.value) == (
        f"puppet: nothing was deployed to {WWW}, which the blueprint's deploy names: "
        f"declare deploy_codebase {{ '{WWW}': … }} in the manifest"
    )


def test_mounted_code_is_left_alone_with_a_notice(machine):
    config = machine.boot(deploy=machine.deploy(mounted=True))

    assert machine.configure(config) is None

    facts = json.loads((machine.root / "etc/facter/facts.d/greenroom.json").read_text())
    assert facts["greenroom"]["mounted"] == [WWW]
    assert machine.notices == [f"the code is mounted at {WWW}/current: skipping deploy_codebase"]


@pytest.mark.parametrize(
    ("said", "code", "reason"),
    [
        (
            "Notice: Compiled catalog\nError: /Stage[main]/File[/x]: no such directory\n",
            4,
            "/Stage[main]/File[/x]: no such directory",
        ),
        ("Error: Could not find class ::rôle\n", 1, "Could not find class ::rôle"),
        ("Error: Facter: no /sys/block\nError: a\n", 1, "a"),
        ("Error: a\nError: b\nError: c\nError: d\n", 6, "a; b; c"),
        ("puppet: ruby: not found\n", 127, "puppet: ruby: not found"),
        ("", 1, "exit code 1"),
    ],
)
def test_what_fails_is_told_in_puppets_words(machine, said, code, reason):
    machine.puppet(said=said, code=code)
    with pytest.raises(AgentError) as caught:
        machine.configure(machine.boot())
    assert str(caught.value) == f"puppet: {reason}"
    assert first_errors(said, code) == reason
    assert (machine.root / "var/log/greenroom/puppet/current").read_text() == said


def test_a_machine_that_failed_is_not_taken_for_configured(machine):
    machine.puppet(said="Error: no\n", code=4)
    with pytest.raises(AgentError):
        machine.configure(machine.boot())
    machine.puppet(code=0)
    machine.configure(machine.boot())
    (machine.root / "argv").unlink()

    machine.configure(machine.boot())

    assert not (machine.root / "argv").exists()
    assert machine.notices == ["the machine is provisioned already: it is left as it is"]


def test_a_manifest_that_is_not_in_the_archive_is_named(machine):
    write_boot(machine.paths, {})
    document = boot_document(
        machine.region, provision=machine.provision(manifest="manifests/sight.pp")
    )
    with pytest.raises(AgentError, match=r"puppet: manifests/sight\.pp is not in puppet-master"):
        machine.configure(parse_boot(document))


def test_a_version_without_manifests_is_named(machine):
    document = boot_document(machine.region, provision=machine.provision(key="puppet-try.tar.gz"))
    with pytest.raises(AgentError) as caught:
        machine.configure(parse_boot(document))
    assert str(caught.value) == "no artifact: puppet-try.tar.gz is not in bucket 'manifests'"


def test_deploy_codebase_is_current_until_the_bucket_holds_other_code(machine):
    machine.boot(deploy=machine.deploy())
    machine.region.put("code", OWN, tar_gz({"index.html": "one"}))
    assert is_current("code", OWN, WWW, machine.paths) == 1
    assert deploy_codebase("code", OWN, WWW, machine.paths) == 0
    assert is_current("code", OWN, WWW, machine.paths) == 0

    machine.region.put("code", OWN, tar_gz({"index.html": "two"}))
    assert is_current("code", OWN, WWW, machine.paths) == 1
    assert deploy_codebase("code", OWN, WWW, machine.paths) == 0
    shutil.rmtree(machine.root / "var/www")
    assert is_current("code", OWN, WWW, machine.paths) == 1


def test_deploy_codebase_of_another_directory_takes_exactly_what_it_names(machine):
    machine.boot(deploy=machine.deploy())
    machine.region.put("code", DEFAULT, tar_gz({"index.html": "default"}))
    with pytest.raises(AgentError, match=r"no artifact: tools-1\.tar\.gz is not in bucket 'code'"):
        deploy_codebase("code", "tools-1.tar.gz", "/opt/tools", machine.paths)
    with pytest.raises(AgentError) as caught:
        deploy_codebase("cold", OWN, WWW, machine.paths)
    assert str(caught.value) == (
        "deploy_codebase: this machine knows no bucket 'cold': it has code, manifests"
    )


def test_restart_gives_a_running_service_a_new_process_and_starts_none(machine):
    add_service(machine.paths, "nginx", UP_AGAIN, before=UP)
    add_service(machine.paths, "php-fpm", UP)
    machine.boot(services=["nginx", "php-fpm"])

    assert restart("nginx", machine.paths) == 0
    assert restart("php-fpm", machine.paths) == 0

    assert service_calls(machine.paths) == ["-ru nginx"]
    with pytest.raises(AgentError) as caught:
        restart("apache2", machine.paths)
    assert str(caught.value) == ("there is no service 'apache2' on backend1: it has nginx, php-fpm")


def test_shell_lines_run_once_in_order_and_the_first_failure_is_told(machine, tmp_path):
    trace = tmp_path / "trace"
    lines = [f"echo one >> {trace}", f"echo two >> {trace}; echo oh no >&2; exit 3", "echo three"]
    document = boot_document(machine.region, provision={"commands": lines, "puppet": None})
    with pytest.raises(AgentError, match=r"failed with exit code 3 after .* s: oh no$"):
        machine.configure(parse_boot(document))
    assert trace.read_text() == "one\ntwo\n"

    document["provision"]["commands"] = [f"echo four >> {trace}"]
    for _ in range(2):
        machine.configure(parse_boot(document))
    assert trace.read_text() == "one\ntwo\nfour\n"
