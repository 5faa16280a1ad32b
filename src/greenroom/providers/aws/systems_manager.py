"""Commands and shells in machines through Systems Manager: no port 22, no key."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from greenroom.errors import HostError, OperationError
from greenroom.model.cloud_views import Ran
from greenroom.providers.aws.errors import AnswerError
from greenroom.providers.aws.session import Account

OUTPUT_MAX = 24_000
"""Characters of each stream that AWS hands over (API reference, GetCommandInvocation)."""
DELIVERY_S = 60
"""How long AWS tries to reach the machine's agent."""

PLUGIN = "session-manager-plugin"
PLUGIN_PAGE = (
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "session-manager-working-with-install-plugin.html"
)
RESPONSE_VARIABLE = "AWS_SSM_START_SESSION_RESPONSE"
_RESPONSE_VARIABLE_SINCE = (1, 2, 497, 0)
"""Plugins after this version read the session's token from a variable, where no other user of
this host sees it; older ones take it as an argument."""

_UNFINISHED = frozenset(("Pending", "InProgress", "Delayed", "Cancelling"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCommand:
    """The program that opens a shell, and what it adds to the environment. Both are secret for as
    long as the session lives."""

    argv: tuple[str, ...]
    variables: Mapping[str, str]


def require_online(account: Account, machine: str, instance: str) -> None:
    """Refuse a machine that Systems Manager cannot reach: raises OperationError E_AWS_SSM."""
    reply = account.call(
        "ssm",
        "DescribeInstanceInformation",
        about=machine,
        Filters=[{"Key": "InstanceIds", "Values": [instance]}],
    )
    known = reply.get("InstanceInformationList", [])
    if not known:
        raise OperationError(
            "E_AWS_SSM",
            f"{machine} ({instance}) is not managed by Systems Manager: its agent has not "
            "announced itself",
            hint="right after a boot it takes a minute; else the image lacks amazon-ssm-agent, or "
            "its subnet has no way to the ssm endpoints",
        )
    status = known[0].get("PingStatus", "")
    if status != "Online":
        raise OperationError(
            "E_AWS_SSM",
            f"the Systems Manager agent of {machine} ({instance}) is {status or 'not there'}, "
            f"last heard of at {known[0].get('LastPingDateTime', 'no known time')}",
            hint="the machine may be stopped or cut off from the network; show tells its state",
        )


def send_script(account: Account, machine: str, instance: str, script: str, limit_s: int) -> str:
    """Have ``script`` run by /bin/sh as root; the command's id."""
    reply = account.call(
        "ssm",
        "SendCommand",
        about=machine,
        DocumentName="AWS-RunShellScript",
        InstanceIds=[instance],
        TimeoutSeconds=DELIVERY_S,
        Comment="greenroom",
        Parameters={"commands": [script], "executionTimeout": [str(limit_s)]},
    )
    return str(reply["Command"]["CommandId"])


def read_result(account: Account, machine: str, instance: str, command: str) -> Ran | None:
    """What the command did; None while it runs, or while AWS has not heard of it yet.

    Raises OperationError E_AWS_COMMAND for one that never ran to its end.
    """
    try:
        reply = account.call(
            "ssm",
            "GetCommandInvocation",
            about=machine,
            CommandId=command,
            InstanceId=instance,
        )
    except AnswerError as error:
        if error.aws_code == "InvocationDoesNotExist":
            return None
        raise
    status = reply["Status"]
    if status in _UNFINISHED:
        return None
    code = int(reply.get("ResponseCode", -1))
    if code < 0 or status in ("TimedOut", "Cancelled"):
        raise OperationError(
            "E_AWS_COMMAND",
            f"the command did not run to its end in {machine} ({instance}): "
            f"{reply.get('StatusDetails') or status}",
            hint="a machine that is busy or cut off looks like this; try again",
        )
    stdout = str(reply.get("StandardOutputContent", ""))
    stderr = str(reply.get("StandardErrorContent", ""))
    return Ran(
        exit_code=code,
        stdout=stdout,
        stderr=stderr,
        cut=len(stdout) >= OUTPUT_MAX or len(stderr) >= OUTPUT_MAX,
    )


def cancel_command(account: Account, machine: str, command: str) -> None:
    """Ask AWS to stop the command."""
    account.call("ssm", "CancelCommand", about=machine, CommandId=command)


def require_plugin() -> str:
    """The path of AWS's session plugin; raises HostError E_AWS_PLUGIN."""
    found = shutil.which(PLUGIN)
    if found is None:
        raise HostError(
            "E_AWS_PLUGIN",
            f"{PLUGIN}, which opens shells on AWS, is not on PATH",
            hint=f"install AWS's own package: {PLUGIN_PAGE}\ngreenroom exec needs no plugin",
        )
    return found


def open_session(
    account: Account, machine: str, instance: str, plugin: str, profile: str | None
) -> SessionCommand:
    """Begin a session, and say how the plugin takes it over."""
    parameters = {"Target": instance}
    reply = account.call("ssm", "StartSession", about=machine, **parameters)
    response = json.dumps({key: reply[key] for key in ("SessionId", "TokenValue", "StreamUrl")})
    endpoint = account.client("ssm").meta.endpoint_url
    return session_command(
        plugin,
        response,
        region=account.region,
        profile=profile or "",
        parameters=parameters,
        endpoint=endpoint,
        hidden=_reads_variable(plugin),
    )


def session_command(
    plugin: str,
    response: str,
    *,
    region: str,
    profile: str,
    parameters: Mapping[str, str],
    endpoint: str,
    hidden: bool,
) -> SessionCommand:
    """The plugin's command line, as the AWS CLI starts it (pure). ``hidden``: the response, which
    holds the session's token, goes in a variable."""
    return SessionCommand(
        argv=(
            plugin,
            RESPONSE_VARIABLE if hidden else response,
            region,
            "StartSession",
            profile,
            json.dumps(dict(parameters)),
            endpoint,
        ),
        variables={RESPONSE_VARIABLE: response} if hidden else {},
    )


def _reads_variable(plugin: str) -> bool:
    done = subprocess.run(
        [plugin, "--version"], capture_output=True, text=True, check=False, timeout=10
    )
    return version_of(done.stdout) > _RESPONSE_VARIABLE_SINCE


def version_of(text: str) -> tuple[int, ...]:
    """``1.2.707.0`` as numbers; nothing for what is no version (pure)."""
    parts: Sequence[str] = text.strip().split(".")
    return tuple(int(part) for part in parts) if all(p.isdecimal() for p in parts) else ()
