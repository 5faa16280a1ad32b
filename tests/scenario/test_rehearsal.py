"""The rehearsal: a template's stack is created, and each instance's user data boots, to the byte,
in a real machine that has what the template says and nothing else.

CloudFormation is the tests' own, the account is moto's, S3 and metadata are of
``tests/scenario/rehearsal``; the command line, the template, the boot script and the agent are the
ones that an AWS account would see.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from greenroom.agent_archive import build_agent
from greenroom.model.cloud import agent_key
from greenroom.model.names import EnvironmentName
from greenroom.model.proof import Verdict
from tests.real import host
from tests.real.site import Site, error_in, make_site, wait_until
from tests.scenario.rehearsal.ground import FOLDERS, REGION
from tests.scenario.rehearsal.theatre import VPC, Theatre

CREATE = "create --provider aws --machines backend db feed --restore_db"
FEATURE = EnvironmentName("photos", "feature-x")
BROKEN = EnvironmentName("photos", "broken")
MOVING = EnvironmentName("photos", "moving")
MACHINES = ("backend1", "db1", "feed1")
CODE, EXTRACTS, OWN = "photos-code", "photos-extracts", "photos-greenroom"
ARTIFACT = "backend-broken.tar.gz"
DUMP = "extract/photos.sql.gz"


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    """The account with an empty region; at the end the host must be as it was."""
    assert os.geteuid() == 0, "the rehearsal boots machines and needs root"
    _remove_state()
    before = host.take(REGION.name, FOLDERS)
    site = make_site(tmp_path_factory.mktemp("rehearsal") / "photos")
    site.edit("greenroom.yaml", "vpc: staging", f"vpc: {VPC}")
    with Theatre(site).opened() as made:
        made.stock(site)
        yield made
    _remove_state()
    assert host.take(REGION.name, FOLDERS).changes_since(before) == {}


@pytest.fixture(scope="module")
def feature(theatre: Theatre) -> Iterator[Theatre]:
    """The seed's own command has been run: branch feature_x stands."""
    theatre.instances.profile_delay_s = 1.0
    done = theatre.run(theatre.site, *CREATE.split(), "extract", "--branch", "feature_x")
    assert done.returncode == 0, done.stdout + done.stderr
    theatre.instances.profile_delay_s = 0.0
    yield theatre
    theatre.destroy(FEATURE)
    assert theatre.ground.provider.observe(FEATURE) == ()
    assert theatre.account.engine.bugs == []


@pytest.fixture
def moving(theatre: Theatre, tmp_path: Path) -> Iterator[str]:
    """A branch whose backend stands in an Auto Scaling group; the stack's name."""
    site = theatre.site.copied(tmp_path / "photos")
    machine = "  backend:\n    image: web\n"
    site.edit("greenroom.yaml", machine, f"{machine}    aws: {{auto_scaling: true}}\n")
    theatre.stock(site)
    done = theatre.run(site, *CREATE.split(), "none", "--branch", "moving")
    assert done.returncode == 0, done.stdout + done.stderr
    name = "greenroom-photos-moving"
    yield name
    # Route53 removes no zone that has records, and these are not CloudFormation's.
    theatre.destroy(MOVING)
    assert theatre.ground.provider.observe(MOVING) == ()


@pytest.fixture
def broken(theatre: Theatre, tmp_path: Path) -> Iterator[Site]:
    """A copy of the site to be broken, with everything of branch ``broken`` in S3. Whatever a
    test does to it, its stack must have failed and left nothing."""
    site = theatre.site.copied(tmp_path / "photos")
    for suffix in ("", ".sha256"):
        source = site.folder / "artifacts" / f"backend-feature_x.tar.gz{suffix}"
        shutil.copy(source, site.folder / "artifacts" / f"{ARTIFACT}{suffix}")
    theatre.stock(site)
    yield site
    theatre.wait_until_gone(but=FEATURE)
    assert theatre.ground.provider.observe(BROKEN) == ()
    stack = theatre.stack("greenroom-photos-broken")
    statuses = [event.status for event in stack.events if event.logical_id == stack.name]
    assert "ROLLBACK_COMPLETE" in statuses and "CREATE_COMPLETE" not in statuses
    assert theatre.account.engine.bugs == []


def _remove_state() -> None:
    for folder in FOLDERS:
        assert not (folder / "pool").is_mount(), f"{folder} is in use"
        shutil.rmtree(folder, ignore_errors=True)


def inside(
    theatre: Theatre, machine: str, *argv: str, environment: EnvironmentName = FEATURE
) -> str:
    """What a command inside a machine prints; it must succeed."""
    command = theatre.ground.command(environment, machine, argv)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{machine}: {argv}: {done.stdout}{done.stderr}"
    return done.stdout


def outputs_of(theatre: Theatre) -> dict[str, str]:
    """The outputs of the stack of feature_x."""
    stack = theatre.stack("greenroom-photos-feature-x")
    return {one["OutputKey"]: one["OutputValue"] for one in stack.outputs}


def report_of(theatre: Theatre, machine: str) -> Any:
    """What a machine signalled, from the stack's outputs."""
    return json.loads(json.loads(outputs_of(theatre)[f"{machine}Report"])[machine])


def user_data_of(theatre: Theatre, machine: str) -> bytes:
    """The user data of a machine's launch template."""
    resources = theatre.stack("greenroom-photos-feature-x").resources
    data = resources[f"{machine}Template"].properties["LaunchTemplateData"]
    return base64.b64decode(data["UserData"])


def test_every_machine_boots_the_templates_user_data_to_the_byte(feature: Theatre) -> None:
    assert feature.stack("greenroom-photos-feature-x").status == "CREATE_COMPLETE"
    for machine in MACHINES:
        wanted = hashlib.sha256(user_data_of(feature, machine)).hexdigest()
        found = inside(feature, machine, "sha256sum", "/var/lib/cloud/instance/user-data.txt")
        assert found.split()[0] == wanted, machine
        script = (
            "token=$(curl -sX PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "
            "http://169.254.169.254/latest/api/token); curl -s -H "
            '"X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/user-data | sha256sum'
        )
        assert inside(feature, machine, "sh", "-c", script).split()[0] == wanted, machine
        without = "curl -so /dev/null -w '%{http_code}' http://169.254.169.254/latest/user-data"
        assert inside(feature, machine, "sh", "-c", without) == "401", machine


def test_the_restored_rows_are_those_of_the_manifest(feature: Theatre) -> None:
    manifest = json.loads((feature.site.folder / "data/extract/manifest.json").read_text())
    wanted = {name: (t["rows"], t["checksum"]) for name, t in manifest["tables"].items()}
    assert sum(rows for rows, _ in wanted.values()) > 1000
    restore = report_of(feature, "db1")["restore"]
    assert (restore["mode"], restore["source"]) == ("cold", "extract")
    assert {name: (rows, sum_) for name, rows, sum_ in restore["tables"]} == wanted
    for name, (rows, _) in wanted.items():
        sql = f"SELECT COUNT(*) FROM photos.{name}"
        assert int(inside(feature, "db1", "mariadb", "-N", "-e", sql)) == rows, name


def test_the_branch_is_deployed_and_serves(feature: Theatre) -> None:
    artifact = report_of(feature, "backend1")["artifact"]
    content = (feature.site.folder / "artifacts/backend-feature_x.tar.gz").read_bytes()
    assert artifact == {
        "key": "backend-feature_x.tar.gz",
        "sha256": hashlib.sha256(content).hexdigest(),
        "fallback": False,
    }
    # From outside of the account's network, where the template lets everybody in.
    address = outputs_of(feature)["backend1PrivateIp"]
    with socket.create_connection((address, 80), timeout=5) as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\nHost: api\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_what_a_machine_knows_of_itself_is_what_the_template_says(feature: Theatre) -> None:
    resources = feature.stack("greenroom-photos-feature-x").resources
    for machine in MACHINES:
        facts = json.loads(inside(feature, machine, "cat", "/etc/greenroom/facts.json"))
        instance = resources[machine]
        said = {tag["Key"]: tag["Value"] for tag in instance.properties["Tags"]}
        inherited = {key: value for key, value in instance.tags.items() if key not in said}
        assert facts["tags"] == {**said, **inherited}
        assert facts["metadata"]["instance-id"] == instance.physical_id
        assert facts["metadata"]["local-ipv4"] == outputs_of(feature)[f"{machine}PrivateIp"]
    role = json.loads(inside(feature, "backend1", "cat", "/etc/greenroom/facts.json"))["role"]
    assert role == "backend"


def test_nobody_read_more_than_the_role_allows(feature: Theatre) -> None:
    read = {
        (access.caller, access.path)
        for access in feature.storage.accesses()
        if access.caller != "operator" and access.status == 200
    }
    assert read, "nobody read anything"
    by_bucket = {
        machine: {path.split("/")[1] for caller, path in read if machine in caller}
        for machine in ("backend", "db", "feed")
    }
    assert by_bucket == {"backend": {OWN, CODE}, "db": {OWN, EXTRACTS}, "feed": {OWN}}


@pytest.mark.parametrize(
    ("machine", "path", "status"),
    [
        ("backend1", f"{CODE}/backend-feature_x.tar.gz.sha256", 200),
        ("backend1", f"{EXTRACTS}/extract/manifest.json", 403),
        ("backend1", f"{CODE}/{ARTIFACT}", 403),
        ("db1", f"{EXTRACTS}/extract/manifest.json", 200),
        ("db1", f"{EXTRACTS}/backup/manifest.json", 403),
        ("db1", f"{CODE}/backend-feature_x.tar.gz", 403),
        ("feed1", f"{EXTRACTS}/extract/manifest.json", 403),
        ("feed1", f"{CODE}/backend-feature_x.tar.gz", 403),
    ],
)
def test_a_machine_may_read_just_what_its_role_allows(
    feature: Theatre, machine: str, path: str, status: int
) -> None:
    """By its own agent's code and credentials, so that only the role can be what forbids it."""
    program = (
        "import sys; sys.path.insert(0, '/opt/greenroom/agent.pyz')\n"
        "from greenroom_agent.account import Account\n"
        "from greenroom_agent.fetch import request\n"
        "from greenroom_agent.metadata import Metadata\n"
        "account = Account('eu-west-1', Metadata('http://169.254.169.254'))\n"
        f"url = 'http://169.254.169.252/{path}'\n"
        "print(request('GET', url, headers=account.headers('s3', 'GET', url)).status)"
    )
    assert int(inside(feature, machine, "python3", "-I", "-c", program)) == status


def test_machines_find_each_other_by_the_templates_names(feature: Theatre) -> None:
    outputs = outputs_of(feature)
    for name, machine in (("db", "db1"), ("feed1.feature-x.photos.internal", "feed1")):
        found = inside(feature, "backend1", "getent", "ahostsv4", name).split()[0]
        assert found == outputs[f"{machine}PrivateIp"], name


def test_the_templates_groups_are_what_the_network_enforces(feature: Theatre) -> None:
    flows = feature.ground.flows(feature.standing("greenroom-photos-feature-x"))
    assert [flow for flow in flows if flow.verdict is not Verdict.PROVED] == []
    between = [flow for flow in flows if flow.target in MACHINES]
    assert {(f.source, f.target, f.port) for f in between if f.declared} >= {
        ("backend1", "db1", 3306),
        ("backend1", "feed1", 6379),
        ("outside", "backend1", 80),
    }
    assert {f.port for f in between if f.declared and f.target != "backend1"} == {3306, 6379}
    closed = {(f.source, f.target, f.port) for f in between if not f.declared}
    assert {("feed1", "db1", 3306), ("outside", "db1", 3306), ("db1", "feed1", 6379)} <= closed


def test_a_branch_without_an_artifact_gets_the_default_branchs(feature: Theatre) -> None:
    """S3 denies an object that is not there to whoever may not list the bucket."""
    for key in ("backend-feature_x.tar.gz", "backend-feature_x.tar.gz.sha256"):
        feature.storage.remove(CODE, key)
    answer = inside(feature, "backend1", "python3", "-I", "/opt/greenroom/agent.pyz", "deploy")
    document = json.loads(answer.splitlines()[-1])
    assert document["status"] == "SUCCESS", document
    assert (document["artifact"]["key"], document["artifact"]["fallback"]) == (
        "backend-master.tar.gz",
        True,
    )


def create_broken(theatre: Theatre, site: Site, restore: str = "none") -> str:
    """Create branch ``broken``, which must fail; the error that a person reads."""
    done = theatre.run(site, *CREATE.split(), restore, "--branch", "broken")
    assert done.returncode != 0, done.stdout
    return failure_in(done.stderr)


def failure_in(stderr: str) -> str:
    """The error that create ended with, which must say that nothing is left."""
    error = error_in(stderr)
    assert "nothing of it is left" in error, error
    return error


def damage(theatre: Theatre, bucket: str, key: str) -> tuple[str, str]:
    """Turn one bit of an object; its sha256 before and after."""
    content = bytearray(theatre.storage.content(bucket, key))
    before = hashlib.sha256(content).hexdigest()
    content[len(content) // 2] ^= 1
    theatre.storage.put(bucket, key, bytes(content))
    return before, hashlib.sha256(content).hexdigest()


def test_a_corrupt_artifact_fails_the_stack(theatre: Theatre, broken: Site) -> None:
    was, is_ = damage(theatre, CODE, ARTIFACT)
    error = create_broken(theatre, broken)
    assert f"backend1: {ARTIFACT}: sha256 is {is_}, {ARTIFACT}.sha256 says {was}" in error


def test_a_corrupt_extract_fails_the_stack(theatre: Theatre, broken: Site) -> None:
    was, is_ = damage(theatre, EXTRACTS, DUMP)
    error = create_broken(theatre, broken, "extract")
    assert f"db1: {DUMP}: sha256 is {is_}, the manifest says {was}" in error


def test_an_artifact_of_neither_branch_that_the_operator_may_not_look_for_fails_the_stack(
    theatre: Theatre, broken: Site
) -> None:
    """Who may look is refused at the door, as the next test says."""
    for key in theatre.storage.keys(CODE):
        theatre.storage.remove(CODE, key)
    theatre.storage.closed.add(CODE)
    try:
        error = create_broken(theatre, broken)
    finally:
        theatre.storage.closed.clear()
    assert "backend1: no artifact: " in error
    assert ARTIFACT in error


def test_an_artifact_of_neither_branch_makes_no_stack(theatre: Theatre) -> None:
    theatre.stock(theatre.site)
    for key in theatre.storage.keys(CODE):
        theatre.storage.remove(CODE, key)
    done = theatre.run(theatre.site, *CREATE.split(), "none", "--branch", "unpushed")
    theatre.stock(theatre.site)
    assert (
        "backend: none of backend-unpushed.tar.gz, backend-master.tar.gz is in s3://photos-code"
        in (error_in(done.stderr))
    )
    names = {stack.name for stack in theatre.account.engine.stacks.values()}
    assert "greenroom-photos-unpushed" not in names


def test_a_failing_check_fails_the_stack(theatre: Theatre, broken: Site) -> None:
    check = "{http: /health, port: 80, status: 200, deadline_s: 60}"
    wrong = "{http: /health, port: 80, status: 200, contains: nonsense, deadline_s: 2}"
    broken.edit("greenroom.yaml", check, wrong)
    error = create_broken(theatre, broken)
    assert "backend1: " in error and "/health" in error and "nonsense" in error


def test_another_agent_in_the_bucket_is_not_run(theatre: Theatre, broken: Site) -> None:
    agent = build_agent()
    damaged = bytearray(agent.content)
    damaged[-1] ^= 1
    theatre.storage.put(OWN, agent_key(agent.sha256), bytes(damaged))
    try:
        error = create_broken(theatre, broken)
    finally:
        theatre.storage.put(OWN, agent_key(agent.sha256), agent.content)
    found = hashlib.sha256(damaged).hexdigest()
    assert f"expected sha256 {agent.sha256}, got {found}" in error
    assert "the boot script could not verify the agent" in error


def test_a_machine_that_never_signals_fails_the_stack(theatre: Theatre, broken: Site) -> None:
    theatre.instances.stillborn.add("backend1")
    process = theatre.start(broken, *CREATE.split(), "none", "--branch", "broken")
    try:
        wait_until(lambda: _all_wait_for(theatre, "backend1"), timeout_s=180)
        theatre.account.clock.advance(1801)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        theatre.instances.stillborn.clear()
    assert process.returncode != 0
    assert "backend1 did not signal within 1800 s" in failure_in(err)


def _all_wait_for(theatre: Theatre, machine: str) -> bool:
    """Whether the stack of branch broken waits for this machine and for nothing else, and the
    time of that runs."""
    try:
        resources = theatre.stack("greenroom-photos-broken").resources
    except ValueError:
        return False
    waiting = [r for r in list(resources.values()) if r.status == "CREATE_IN_PROGRESS"]
    return [(one.logical_id.startswith(f"{machine}Ready"), one.reason) for one in waiting] == [
        (True, "Resource creation Initiated")
    ]


def test_a_machine_that_aws_may_replace_writes_its_own_names_and_no_others(
    theatre: Theatre, moving: str
) -> None:
    (backend,) = (m for m in theatre.standing(moving).machines if m.name == "backend1")
    for name in ("backend1", "backend", "api"):
        full = f"{name}.moving.photos.internal"
        found = inside(theatre, "feed1", "getent", "ahostsv4", full, environment=MOVING)
        assert found.split()[0] == str(backend.address), name
    for name, status in (("api", 200), ("db", 403)):
        program = WRITE_NAME.format(zone=theatre.zone_of(moving), name=name)
        argv = ("python3", "-I", "-c", program)
        assert int(inside(theatre, "backend1", *argv, environment=MOVING)) == status, name


WRITE_NAME = """
import sys; sys.path.insert(0, '/opt/greenroom/agent.pyz')
from greenroom_agent.account import Account
from greenroom_agent.fetch import request
from greenroom_agent.metadata import Metadata
from greenroom_agent.name_records import change_batch
account = Account('eu-west-1', Metadata('http://169.254.169.254'))
url = 'http://169.254.169.252/2013-04-01/hostedzone/{zone}/rrset/'
body = change_batch([('{name}.moving.photos.internal', '192.0.2.1')], 'another')
headers = account.headers('route53', 'POST', url, body, region='us-east-1')
headers['Content-Type'] = 'text/xml'
print(request('POST', url, headers=headers, body=body).status)
"""
