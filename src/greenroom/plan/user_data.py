"""The boot script of a machine: the same bytes locally and on AWS, but for its parameters.

It writes boot.json, sees to it that the agent is there and genuine, and becomes it. An image (an
AMI) or whoever prepares the machine may have put the agent there; then nothing is fetched. Until
the agent runs, whatever ends the script is told to the machine's wait condition, so that a create
never waits for a dead machine.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import assert_never

from greenroom.model.stack import (
    Check,
    CommandCheck,
    Deploy,
    HttpCheck,
    Provision,
    RestoreMode,
    TcpCheck,
    Volume,
)

USER_DATA_BYTES_MAX = 16384
"""EC2's limit before base64 (EC2 guide, "Run commands when you launch an instance")."""

_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
"""S3 wants the hash of a request's body in its headers; a GET has none."""

_NO_DATA = '{"phases":[],"notices":[],"restore":null,"artifact":null}'
"""What the agent would report of itself, had it started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """The recipe that a bare machine makes its image by, unless the image's digest is its own
    already. ``sha256`` (hex) is the recipe's."""

    digest: str
    url: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRecord:
    """A DNS record that the machine writes itself: its ``public`` or its private address."""

    zone: str
    name: str
    public: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsBoot:
    """What a boot script says on AWS only. ``domain`` completes short names. ``data_volume``: the
    machine has an EBS volume for its data, to be mounted where it restores to. ``route53_url``
    takes the records; its path is appended."""

    region: str
    image: ImageSource
    domain: str
    data_volume: bool
    records: tuple[NameRecord, ...]
    route53_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BootConfig:
    """Everything that a boot script says.

    ``bucket_urls`` maps the buckets' names to their URLs. ``agent_sha256`` is in hex. A drill
    restores, verifies, signals and stops. ``aws`` is None in a local region, and ``health_url``
    on AWS.
    """

    machine: str
    environment: str
    branch: str
    signal_url: str
    bucket_urls: Mapping[str, str]
    agent_url: str
    agent_sha256: str
    deadline_s: float
    services: tuple[str, ...]
    drill: bool
    volume: Volume | None
    deploy: Deploy | None
    mounted: bool
    checks: tuple[Check, ...]
    aws: AwsBoot | None = None
    health_url: str | None = None
    provision: Provision | None = None


def render_user_data(config: BootConfig) -> str:
    """The boot script, a POSIX shell script in ASCII; the same config gives the same bytes."""
    return _SCRIPT.format(
        machine=config.machine,
        environment=config.environment,
        signal_url=shlex.quote(config.signal_url),
        agent_url=shlex.quote(config.agent_url),
        agent_sha256=shlex.quote(config.agent_sha256),
        aws_region=shlex.quote(config.aws.region if config.aws else ""),
        empty_sha256=_EMPTY_SHA256,
        data=shlex.quote(json.dumps(_NO_DATA)),
        boot_json=shlex.quote(render_boot_json(config)),
        main=_MAIN,
    )


def render_boot_json(config: BootConfig) -> str:
    """boot.json as one line of ASCII."""
    document: dict[str, object] = {
        "version": 1,
        "machine": config.machine,
        "environment": config.environment,
        "branch": config.branch,
        "signal_url": config.signal_url,
        "deadline_s": config.deadline_s,
        "services": config.services,
        "drill": config.drill,
        "restore": _restore(config),
        "deploy": _deploy(config),
        "checks": [_check(check) for check in config.checks],
        "aws": None if config.aws is None else asdict(config.aws),
        "health_url": config.health_url,
    }
    if config.provision is not None:
        document["provision"] = _provision(config, config.provision)
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"))


def _restore(config: BootConfig) -> dict[str, str | None] | None:
    volume = config.volume
    if volume is None:
        return None
    empty = volume.mode is RestoreMode.EMPTY
    return {
        "engine": volume.engine,
        "directory": volume.directory,
        "service": volume.service,
        "database": volume.database,
        "user": volume.user,
        "mode": volume.mode.value,
        "source": volume.source,
        "bucket_url": None if empty else config.bucket_urls[volume.bucket or ""],
        "manifest_key": volume.manifest_key,
    }


def _deploy(config: BootConfig) -> dict[str, object] | None:
    if config.deploy is None:
        return None
    return {
        "bucket_url": config.bucket_urls[config.deploy.bucket],
        "keys": config.deploy.keys,
        "directory": config.deploy.directory,
        "restart": config.deploy.restart,
        "keep": {folder.path: folder.owner for folder in config.deploy.keep},
        "mounted": config.mounted,
    }


def _provision(config: BootConfig, provision: Provision) -> dict[str, object]:
    puppet = provision.puppet
    return {
        "commands": provision.commands,
        "puppet": None
        if puppet is None
        else {
            "bucket_url": config.bucket_urls[puppet.bucket],
            "key": puppet.key,
            "version": puppet.version,
            "manifest": puppet.manifest,
            "buckets": dict(config.bucket_urls),
        },
    }


def _check(check: Check) -> dict[str, object]:
    match check:
        case HttpCheck():
            return {
                "kind": "http",
                "path": check.path,
                "port": check.port,
                "status": check.status,
                "contains": check.contains,
                "deadline_s": check.deadline_s,
            }
        case TcpCheck():
            return {"kind": "tcp", "port": check.port, "deadline_s": check.deadline_s}
        case CommandCheck():
            return {"kind": "command", "argv": check.argv, "deadline_s": check.deadline_s}
        case _:
            assert_never(check)


# Every word that comes from outside is quoted. The reason of a failure may hold a program's own
# words: quotes, backslashes and control characters are taken out of it.
#
# Each process costs the boot of every machine 1 to 2 ms of a core, so what the shell can do by
# itself (make no folder that is there, write a file) it does.
_SCRIPT = """\
#!/bin/sh
# Boots {machine} of {environment}: becomes the agent, or tells why it could not.
set -eu
umask 022

signal_url={signal_url}
agent_url={agent_url}
agent_sha256={agent_sha256}
aws_region={aws_region}
boot_json={boot_json}
agent=/opt/greenroom/agent.pyz
doing='prepare its directories'
detail=''

tell_failure() {{
    status=$?
    trap - EXIT
    case $detail in
    # Each of curl's tries says the same.
    *curl:*) detail="curl:${{detail##*curl:}}" ;;
    esac
    reason=$(printf 'the boot script could not %.600s (exit status %s)' \\
        "$doing${{detail:+: $detail}}" "$status" |
        LC_ALL=C tr -d '"\\\\' | LC_ALL=C tr -c '[:print:]' ' ')
    printf '{{"Status":"FAILURE","UniqueId":"%s","Reason":"%s","Data":%s}}' \\
        '{machine}' "$reason" {data} |
        curl -fsS --retry 10 --retry-delay 1 --retry-all-errors --max-time 10 \\
            -X PUT -H 'Content-Type:' --data-binary @- "$signal_url" || true
    exit "$status"
}}
trap tell_failure EXIT

agent_is_genuine() {{
    found=$(sha256sum "$agent" 2> /dev/null) && [ "${{found%% *}}" = "$agent_sha256" ]
}}

fetch() {{
    curl -fsS --retry 10 --retry-delay 1 --retry-all-errors --max-time 30 "$@"
}}

# Secrets go to curl by its standard input: command lines are seen by everybody.
metadata() {{
    printf 'header = "X-aws-ec2-metadata-token: %s"\\n' "$token" |
        fetch -K - "http://169.254.169.254/latest/meta-data/iam/security-credentials/$1"
}}

credential() {{
    printf '%s' "$credentials" | tr -d '\\n' |
        sed -n 's/.*"'"$1"'" *: *"\\([^"]*\\)".*/\\1/p'
}}

fetch_signed() {{
    token=$(fetch -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' \\
        http://169.254.169.254/latest/api/token) &&
        role=$(metadata '') && credentials=$(metadata "$role") || {{
        echo 'from metadata, which gave no credentials: has it an instance profile?'
        return 1
    }}
    printf 'user = "%s:%s"\\nheader = "X-Amz-Security-Token: %s"\\n' \\
        "$(credential AccessKeyId)" "$(credential SecretAccessKey)" "$(credential Token)" |
        fetch -K - --aws-sigv4 "aws:amz:$aws_region:s3" \\
            -H 'X-Amz-Content-Sha256: {empty_sha256}' "$@"
}}

for folder in /etc/greenroom /opt/greenroom /var/log/greenroom; do
    [ -d "$folder" ] || mkdir -p "$folder"
done
doing='write /etc/greenroom/boot.json'
# The file holds the signal's URL, which only root may know.
umask 077
printf '%s\\n' "$boot_json" > /etc/greenroom/boot.json
umask 022

if ! agent_is_genuine; then
    doing="fetch the agent from $agent_url"
    echo "$doing" > /var/log/greenroom/phase
    # Also an answer that breaks off half way is asked for again.
    how=fetch${{aws_region:+_signed}}
    detail=$("$how" -o "$agent" "$agent_url" 2>&1)
    doing='verify the agent'
    detail="expected sha256 $agent_sha256, got $(sha256sum < "$agent")"
    agent_is_genuine
fi

doing='start the agent'
echo "$doing" > /var/log/greenroom/phase
detail='python3 is not installed'
command -v python3 > /dev/null
detail=''
exec python3 -I -S -c '{main}' "$agent" boot
"""

# `python3 "$agent" boot` would do the same by way of runpy, whose imports cost 4 ms.
_MAIN = """\
import sys
sys.path.insert(0, sys.argv[1])
from greenroom_agent.main import main
sys.exit(main(sys.argv[2:]))"""
