"""``greenroom deploy --provider aws``: the agents of running machines fetch the current artifacts,
one machine after the other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from greenroom.app.cloud.choose import identity_of
from greenroom.app.cloud.draft import CloudPorts
from greenroom.app.cloud.evidence import machine_reports, machines_of
from greenroom.app.cloud.failure import told_further
from greenroom.app.cloud.inside import Inside, run_command
from greenroom.app.deploy_types import Without, refuse_undeployable
from greenroom.cloud_inventory import CloudInventory
from greenroom.errors import CancelledError, GreenroomError, RefusedError
from greenroom.model.cloud_account import FoundStack
from greenroom.model.views import MachineReport

AGENT_DEPLOY = ("python3", "-I", "-S", "/opt/greenroom/agent.pyz", "deploy")
"""What the machine's own agent is told; it prints one line of JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What the machines run now that were told to deploy, in their order."""

    environment: str
    reports: tuple[MachineReport, ...]


def deploy(
    ports: CloudPorts, inventory: CloudInventory, stack: FoundStack, types: Collection[str]
) -> Deployed:
    """Deploy to every machine of these types (of all that deploy, if empty).

    The first machine that fails ends it: an agent whose new code fails its checks has put the
    former release back. Raises GreenroomError, which says where the new release is in place.
    """
    name = str(identity_of(stack).environment)
    _refuse_moving(stack, name)
    done: list[MachineReport] = []
    inside = Inside(
        inventory=inventory, pause=lambda s: _pause(ports, s), clock_s=ports.clock.monotonic_s
    )
    for machine in _chosen(inventory, stack, name, types):
        try:
            ports.attention.check()
            done.append(_deploy_one(ports, inside, stack, machine))
        except CancelledError as error:
            raise CancelledError(
                "E_CANCELLED",
                f"deploy of {name} was cancelled{_in_place(done)}",
                hint=f"the agent of {machine} ends by itself what it has begun; "
                f"greenroom deploy --provider aws {name} does all again",
            ) from error
        except GreenroomError as error:
            raise told_further(error, _in_place(done)) from error
    return Deployed(environment=name, reports=tuple(done))


def types_of(machines: Sequence[str]) -> dict[str, str]:
    """The type of each machine (pure): machines are called by their type and a number from 1 on,
    and a type may end in a digit, too, so that ``web21`` is ``web`` only if there is ``web20``."""
    return {machine: _type_of(machine, frozenset(machines)) for machine in machines}


def _type_of(machine: str, known: frozenset[str]) -> str:
    for end in range(1, len(machine)):
        prefix, number = machine[:end], machine[end:]
        if not number.isdecimal() or number.startswith("0"):
            continue
        if all(f"{prefix}{n}" in known for n in range(1, int(number))):
            return prefix
    return machine


def _chosen(
    inventory: CloudInventory, stack: FoundStack, name: str, types: Collection[str]
) -> list[str]:
    """The machines that are meant: who told of an artifact when it booted deploys; raises
    InputError."""
    instances = inventory.instances(name)
    type_of = types_of(machines_of(stack, instances))
    reports = machine_reports(inventory, stack, instances)
    with_code = [report.machine for report in reports if report.artifact is not None]
    refuse_undeployable(
        name,
        types,
        known=set(type_of.values()),
        deploying={type_of[machine] for machine in with_code},
        without=Without(
            of_type="told of no artifact when it booted",
            anywhere="no machine told of an artifact when it booted",
            remedy=f"update it: greenroom update --provider aws {name}",
        ),
    )
    return [machine for machine in with_code if not types or type_of[machine] in types]


def _deploy_one(
    ports: CloudPorts, inside: Inside, stack: FoundStack, machine: str
) -> MachineReport:
    began_s = ports.clock.monotonic_s()
    ports.telling.started("deploy", machine)
    try:
        ran = run_command(inside, stack, machine, AGENT_DEPLOY)
        report = inside.inventory.deploy_report(machine, ran)
    except GreenroomError as error:
        ports.telling.failed("deploy", error.message, machine)
        raise
    seconds = ports.clock.monotonic_s() - began_s
    ports.telling.done("deploy", seconds, _release(report), machine)
    for notice in report.notices:
        ports.telling.notice(notice, machine)
    return report


def _pause(ports: CloudPorts, seconds: float) -> None:
    """Wait, unless somebody presses Ctrl-C. The agent is not stopped then: it ends with the new
    release or with the former one, and a stopped one with neither."""
    ports.attention.wait(seconds)
    ports.attention.check()


def _refuse_moving(stack: FoundStack, name: str) -> None:
    if stack.moving:
        raise RefusedError(
            "E_AWS_BUSY",
            f"AWS is at work on {name} ({stack.status})",
            hint=f"wait until it is over: greenroom show --provider aws {name}",
        )


def _in_place(done: Sequence[MachineReport]) -> str:
    if not done:
        return "; no machine has a new release"
    told = ", ".join(f"{report.machine}: {_release(report)}" for report in done)
    return f"; in place: {told}"


def _release(report: MachineReport) -> str:
    artifact = report.artifact
    return f"{artifact.key} {artifact.sha256[:12]}" if artifact else "nothing"
