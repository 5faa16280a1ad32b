"""The first failure of a stack as an error: whose it is, why, and what to do."""

from __future__ import annotations

import re

from greenroom.errors import GreenroomError, InputError, OperationError, RefusedError
from greenroom.model.cloud import CloudStack
from greenroom.model.cloud_account import StackEvent
from greenroom.model.names import EnvironmentName

_SIGNAL = re.compile(r"received failed message: ['\"](?P<reason>.*)['\"] for uniqueId", re.DOTALL)
_TIMED_OUT = "timed out. Received 0 conditions"
_FORBIDDEN = re.compile(
    r"not authorized to perform: (?P<action>[\w:*-]+)(?: on resource: (?P<resource>\S+))?"
)
_LIMIT = re.compile(
    r"LimitExceeded|QuotaExceeded|limit of \d+|maximum number of|more vCPU capacity",
    re.IGNORECASE,
)
_CAPACITY = re.compile(r"InsufficientInstanceCapacity|not have sufficient .* capacity")
_PARAMETER = re.compile(r"(?:resolve:ssm:|[Pp]arameter[^/]*)(?P<path>/[\w./-]+)")
_SNAPSHOT = re.compile(r"InvalidSnapshot|[Ss]napshot\W+snap-\w+\W+(?:does not exist|not found)")
_SNAPSHOT_ID = re.compile(r"snap-\w+")


def error_of(
    failure: StackEvent | None,
    cloud: CloudStack,
    machine: str | None,
    status: str,
    *,
    verb: str = "create",
    kept: bool = False,
) -> GreenroomError:
    """What to say of a stack that ended in ``status``; ``machine`` is the failed resource's.
    ``verb`` is what is to be tried again, ``kept`` whether what failed is there for a look."""
    if failure is None:
        return OperationError(
            "E_AWS_STACK", f"CloudFormation ended in {status} without a reason, {_where(cloud)}"
        )
    reason = " ".join(failure.reason.split())
    signal = _SIGNAL.search(reason)
    if signal is not None and machine is not None:
        return OperationError(
            "E_MACHINE_FAILED",
            f"{machine}: {signal['reason']}",
            hint=f"mend it and {verb} again"
            + ("" if kept else "; with --keep-failed the machine stays for a look"),
        )
    if _TIMED_OUT in reason and machine is not None:
        return OperationError(
            "E_MACHINE_SILENT",
            f"{machine} did not signal within {cloud.machine(machine).timeout_s} s",
            hint="does it reach S3 over HTTPS from its subnet? "
            + ("" if kept else "with --keep-failed it stays for a look; ")
            + "machines.TYPE.aws.timeout_s gives it more time",
        )
    return _of_resource(failure, reason, cloud, verb)


def _of_resource(failure: StackEvent, reason: str, cloud: CloudStack, verb: str) -> GreenroomError:
    subject = f"{failure.logical_id} ({failure.type})"
    forbidden = _FORBIDDEN.search(reason)
    if forbidden is not None:
        where = f" on {forbidden['resource']}" if forbidden["resource"] else ""
        return RefusedError(
            "E_AWS_DENIED",
            f"AWS denies {forbidden['action']}{where}, which {subject} needs",
            hint="allow it to whoever creates, or to the service role (--role); docs/aws.md has "
            "the policy",
        )
    if _LIMIT.search(reason):
        return OperationError(
            "E_AWS_LIMIT",
            f"a limit of the account forbids {subject}: {reason}",
            hint="remove what is not needed, or ask for more in the Service Quotas console",
        )
    if _CAPACITY.search(reason):
        return OperationError(
            "E_AWS_CAPACITY",
            f"AWS has no room for {subject}: {reason}",
            hint="try again later, or with another instance type or subnet",
        )
    missing = _PARAMETER.search(reason)
    if missing is not None:
        return InputError(
            "E_AWS_AMI_PARAMETER",
            f"{subject}: there is no usable SSM parameter {missing['path']} in {cloud.region}",
            hint="name an AMI's id or another parameter in the image's 'ami' (docs/blueprint.md)",
        )
    if _SNAPSHOT.search(reason):
        found = _SNAPSHOT_ID.search(reason)
        return InputError(
            "E_AWS_SNAPSHOT",
            f"{subject}: there is no snapshot {found[0] if found else 'of that id'} in "
            f"{cloud.region} that this account may use",
            hint="name another in the blueprint's aws.snapshots, or take that line out: the "
            "machine restores from the artefact then",
        )
    return OperationError(
        "E_AWS_RESOURCE",
        f"{subject}: {reason}",
        hint=f"mend what AWS names, in the blueprint or in the account, and {verb} again",
    )


def _where(cloud: CloudStack) -> str:
    return f"stack {cloud.name} in {cloud.region}"


def destroy_command(name: EnvironmentName | str, *, production: bool) -> str:
    """The words that remove an environment, as somebody can type them (pure)."""
    confirm = f" --confirm {name}" if production else ""
    return f"greenroom destroy --provider aws {name}{confirm}"


def told_further(error: GreenroomError, addition: str, hint: str = "") -> GreenroomError:
    """The same error, with what became of the environment and what to do about that."""
    hints = [each for each in (error.hint, hint) if each]
    return _family(error)(error.code, error.message + addition, hint="\n".join(hints))


def _family(error: GreenroomError) -> type[GreenroomError]:
    """Its class, as far as it is one of everybody's: others take other words."""
    known = GreenroomError.__module__
    return next(each for each in type(error).__mro__ if each.__module__ == known)
