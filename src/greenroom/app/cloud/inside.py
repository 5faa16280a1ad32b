"""Commands and logs of machines on AWS: asked for, waited for, read."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from greenroom.app.cloud.choose import identity_of, instance_of
from greenroom.cloud_inventory import CloudInventory
from greenroom.errors import InputError, OperationError
from greenroom.model.cloud_account import FoundStack
from greenroom.model.cloud_views import Power, Ran, SeenInstance

COMMAND_LIMIT_S = 3600
"""How long a command may run in the machine."""
LOOK_LIMIT_S = 60
FOLLOW_PAUSE_S = 2.0
_POLL_FIRST_S = 0.3
_POLL_S = 2.0
_GRACE_S = 120
"""How much longer than the command itself we wait for AWS to say how it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What reaching into machines needs. ``pause`` sleeps."""

    inventory: CloudInventory
    pause: Callable[[float], None] = time.sleep
    clock_s: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudLine:
    """A line that a service of a machine wrote; ``service`` empty: a word of ours about it."""

    machine: str
    service: str
    line: str


def machine_instance(inside: Inside, stack: FoundStack, machine: str) -> SeenInstance:
    """The running instance of a machine; raises what ``instance_of`` raises."""
    name = str(identity_of(stack).environment)
    return instance_of(inside.inventory.instances(name), name, machine)


def run_command(inside: Inside, stack: FoundStack, machine: str, argv: Sequence[str]) -> Ran:
    """Run ``argv`` in the machine, as root, and wait for its end.

    Raises OperationError E_AWS_SSM or E_AWS_COMMAND; a command that nobody waits for any more
    (Ctrl-C) is cancelled.
    """
    instance = machine_instance(inside, stack, machine)
    inside.inventory.require_online(machine, instance.id)
    return _run(inside, machine, instance.id, shlex.join(argv), COMMAND_LIMIT_S)


def read_logs(
    inside: Inside,
    stack: FoundStack,
    *,
    machine: str | None,
    service: str | None,
    follow: bool,
) -> Iterator[CloudLine]:
    """The ends of the machines' logs, then, with ``follow``, what is written from now on.

    Raises GreenroomError for a machine that is not reached.
    """
    instances = _reached(inside, stack, machine)
    places: dict[str, dict[str, tuple[int, int]] | None] = dict.fromkeys(instances)
    while True:
        for name, instance in instances.items():
            yield from _look(inside, name, instance.id, places, service)
        if not follow:
            return
        inside.pause(FOLLOW_PAUSE_S)


def _reached(inside: Inside, stack: FoundStack, machine: str | None) -> dict[str, SeenInstance]:
    name = str(identity_of(stack).environment)
    instances = inside.inventory.instances(name)
    names = sorted(
        {each.machine for each in instances if each.machine and each.power is Power.RUNNING}
    )
    if machine is None and not names:
        raise InputError(
            "E_NO_MACHINE",
            f"no machine of {name} runs",
            hint=f"greenroom show --provider aws {name} tells why",
        )
    chosen = names if machine is None else [machine]
    found = {each: instance_of(instances, name, each) for each in chosen}
    for each, instance in found.items():
        inside.inventory.require_online(each, instance.id)
    return found


def _look(
    inside: Inside,
    machine: str,
    instance: str,
    places: dict[str, dict[str, tuple[int, int]] | None],
    service: str | None,
) -> Iterator[CloudLine]:
    """All that is there now, in as many commands as it takes; the first look takes the ends."""
    while True:
        script = inside.inventory.log_script(places[machine], service)
        ran = _run(inside, machine, instance, script, LOOK_LIMIT_S)
        try:
            look = inside.inventory.parse_look(ran.stdout)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            said = (ran.stderr or ran.stdout).strip()[-300:]
            raise OperationError(
                "E_AWS_LOGS",
                f"the logs of {machine} cannot be read: exit code {ran.exit_code}: {said}",
                hint="greenroom shell shows what there is in /var/log/greenroom",
            ) from error
        places[machine] = {**(places[machine] or {}), **look.places}
        yield from (CloudLine(machine=machine, service=s, line=line) for s, line in look.lines)
        if look.notice:
            yield CloudLine(machine=machine, service="", line=look.notice)
        if not look.more or not look.lines:
            return


def _run(inside: Inside, machine: str, instance: str, script: str, limit_s: int) -> Ran:
    command = inside.inventory.send(machine, instance, script, limit_s)
    began_s = inside.clock_s()
    pause_s = _POLL_FIRST_S
    try:
        while inside.clock_s() - began_s < limit_s + _GRACE_S:
            ran = inside.inventory.result(machine, instance, command)
            if ran is not None:
                return ran
            inside.pause(pause_s)
            pause_s = min(_POLL_S, pause_s * 1.4)
    except KeyboardInterrupt:
        inside.inventory.cancel(machine, command)
        raise
    raise OperationError(
        "E_AWS_COMMAND",
        f"AWS does not say how the command {command} ended in {machine} ({instance})",
        hint="the machine may be cut off; greenroom show --provider aws tells its state",
    )
