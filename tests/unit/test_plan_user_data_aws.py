"""The boot script on AWS: it fetches the agent by the instance profile, with the real curl."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_plan_user_data import CONFIG, boot_json_in
from tests.unit.agent_aws import KEYS, REGION, running_account
from tests.unit.blueprint_values import blueprint_of, request, stack_of

from greenroom.agent.config import parse_boot
from greenroom.agent.errors import AgentError
from greenroom.plan.cloud import CloudAsk, plan_cloud
from greenroom.plan.user_data import (
    AwsBoot,
    BootConfig,
    ImageSource,
    NameRecord,
    render_boot_json,
    render_user_data,
)

AGENT = b"this would be the agent\n"
METADATA = "http://169.254.169.254"
AWS = AwsBoot(
    region=REGION,
    image=ImageSource(digest="ab" * 32, url="https://s3/own/images/x.json", sha256="cd" * 32),
    domain="feature-x.photos.greenroom",
    data_volume=True,
    records=(NameRecord(zone="Z1", name="api.example.com", public=True),),
    route53_url="https://route53.amazonaws.com",
)

WATCHED_CURL = """\
#!/bin/sh
printf '%s\\n' "$@" >> "{log}"
exec {curl} --retry-max-time 1 "$@"
"""


@pytest.fixture
def aws():
    with running_account() as running:
        running.put("own", "agent/agent.pyz", AGENT)
        yield running


class Instance:
    """A folder that stands for an instance's root."""

    def __init__(self, root: Path, account) -> None:
        self.root, self.account = root, account
        self.calls = root / "calls"
        self.programs = root / "bin"
        self.programs.mkdir()
        for tool in ("cat", "mkdir", "sha256sum", "tr", "sed", "sh"):
            (self.programs / tool).symlink_to(shutil.which(tool) or tool)
        curl = WATCHED_CURL.format(log=self.calls, curl=shutil.which("curl"))
        for name, text in (("curl", curl), ("python3", "#!/bin/sh\nexit 0\n")):
            (self.programs / name).write_text(text)
            (self.programs / name).chmod(0o755)

    def boot(self, shell: str = "/bin/sh", **changes: object) -> subprocess.CompletedProcess[str]:
        config: BootConfig = replace(
            CONFIG,
            aws=AWS,
            agent_url=f"{self.account.url}/s3/own/agent/agent.pyz",
            agent_sha256=hashlib.sha256(AGENT).hexdigest(),
            signal_url=f"{self.account.url}/signal/1",
            **changes,
        )
        script = render_user_data(config).replace(METADATA, self.account.url)
        for folder in ("/etc/greenroom", "/opt/greenroom", "/var/log/greenroom"):
            script = script.replace(folder, f"{self.root}{folder}")
        return subprocess.run(
            [shell, "-c", script],
            env={"PATH": str(self.programs)},
            timeout=60,
            check=False,
            capture_output=True,
            text=True,
        )


@pytest.fixture
def instance(tmp_path, aws):
    return Instance(tmp_path, aws)


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_the_agent_is_fetched_with_a_signature_that_s3_takes(instance, shell):
    done = instance.boot(shell)
    assert done.returncode == 0, done.stderr
    assert Path(instance.root, "opt/greenroom/agent.pyz").read_bytes() == AGENT
    assert instance.account.signals == []


def test_no_secret_is_on_a_command_line_or_in_a_file(instance):
    done = instance.boot("/bin/sh")
    assert done.returncode == 0
    calls = instance.calls.read_text()
    assert "--aws-sigv4" in calls
    for secret in (KEYS["SecretAccessKey"], KEYS["Token"], "metadata-token: a-token"):
        assert secret not in calls
        for path in instance.root.rglob("*"):
            if path.is_file() and not path.is_symlink():
                assert secret.encode() not in path.read_bytes(), path


def test_metadata_on_one_line_is_understood(instance, monkeypatch):
    monkeypatch.setattr("agent_aws.json.dumps", lambda value, **_: json.JSONEncoder().encode(value))
    assert instance.boot().returncode == 0


def test_a_machine_without_an_instance_profile_signals_it(instance):
    instance.account.role = None
    assert instance.boot().returncode != 0
    (signal,) = instance.account.signals
    assert signal["Status"] == "FAILURE"
    assert signal["Reason"] == (
        f"the boot script could not fetch the agent from {instance.account.url}"
        "/s3/own/agent/agent.pyz: curl: (22) The requested URL returned error: 404 "
        "from metadata, which gave no credentials: has it an instance profile? (exit status 1)"
    )


def test_an_agent_that_the_role_may_not_read_is_signalled(instance):
    instance.account.objects.clear()
    assert instance.boot().returncode == 22
    (signal,) = instance.account.signals
    assert signal["Reason"].endswith(
        "agent.pyz: curl: (22) The requested URL returned error: 403 (exit status 22)"
    )


def test_only_its_parameters_tell_a_script_on_aws_from_a_local_one():
    local, cloud = (render_user_data(replace(CONFIG, aws=aws)) for aws in (None, AWS))
    lines = zip(local.splitlines(), cloud.splitlines(), strict=True)
    differ = [one.partition("=")[0] for one, other in lines if one != other]
    assert differ == ["aws_region", "boot_json"]
    assert len(cloud) < 6000


def test_the_agent_reads_what_the_plan_wrote():
    aws = parse_boot(json.loads(render_boot_json(replace(CONFIG, aws=AWS)))).aws
    assert aws is not None
    assert aws.image.fields() == {"digest": "ab" * 32, "url": AWS.image.url, "sha256": "cd" * 32}
    assert [record.fields() for record in aws.records] == [
        {"zone": "Z1", "name": "api.example.com", "public": True}
    ]
    assert (aws.region, aws.domain, aws.data_volume) == (REGION, AWS.domain, True)
    assert aws.route53_url == AWS.route53_url


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"region": 1}, "boot.json: aws: region is 1, expected a string"),
        ({"region": ...}, "boot.json: aws: region is missing"),
        ({"color": "red"}, "boot.json: aws: unknown key 'color'"),
        ({"image": None}, "boot.json: aws: image is not an object"),
        (
            {"image": {"digest": "x", "url": "u", "sha256": "ab" * 32}},
            "boot.json: aws: image: digest is 'x', expected 64 hex digits",
        ),
        ({"data_volume": "yes"}, "boot.json: aws: data_volume is 'yes', expected true or false"),
        ({"records": [{}]}, "boot.json: aws: records[0]: zone is missing"),
        ({"records": {}}, "boot.json: aws: records is {}, expected a list"),
    ],
)
def test_an_aws_that_is_wrong_is_refused_with_its_key(change, message):
    document = json.loads(render_boot_json(replace(CONFIG, aws=AWS)))
    document["aws"].update(change)
    document["aws"] = {k: v for k, v in document["aws"].items() if v is not ...}
    with pytest.raises(AgentError) as error:
        parse_boot(document)
    assert str(error.value) == message


@given(st.text("abc'\"\\ $`<>", max_size=30))
def test_whatever_the_domain_is_called_the_script_holds_it_whole(domain):
    config = replace(CONFIG, aws=replace(AWS, domain=domain))
    text = boot_json_in(render_user_data(config))
    assert json.loads(text)["aws"]["domain"] == domain


@pytest.mark.parametrize(("timeout_s", "deadline_s"), [(1800, 1680.0), (300, 225.0), (60, 45.0)])
def test_on_aws_the_agents_time_ends_before_the_wait_conditions(timeout_s, deadline_s):
    text = (
        "stack: s\nzone: s.greenroom\nimages: {web: {}}\n"
        "machines: {web: {image: web, instance_type: t3.nano, deadline_s: 33.0, "
        f"aws: {{timeout_s: {timeout_s}}}}}}}\naws: {{region: {REGION}, bucket: own-bucket}}\n"
    )
    ask = CloudAsk(agent_sha256="ab" * 32, owner="ann", now=datetime.now(UTC), taken={})
    cloud = plan_cloud(blueprint_of(text), request("web"), ask)
    (machine,) = cloud.stack.machines
    boot = parse_boot(json.loads(boot_json_in(machine.user_data)))
    assert boot.deadline_s == deadline_s
    assert boot.aws is not None
    assert boot.aws.route53_url == "https://route53.amazonaws.com"


def test_locally_the_agents_time_is_the_machines_deadline():
    for machine in stack_of().machines:
        boot = parse_boot(json.loads(boot_json_in(machine.user_data)))
        assert (boot.deadline_s, boot.aws) == (machine.deadline_s, None)
