"""Destroy an environment on AWS, and say what the account still holds of it, and what it cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from greenroom.app.cloud.choose import choose, identity_of
from greenroom.app.cloud.connection import is_gone, outlast
from greenroom.app.cloud.evidence import machine_finder, machines_of
from greenroom.app.cloud.failure import destroy_command
from greenroom.app.cloud.follow import pause_after
from greenroom.app.cloud.look import HOSTED_ZONE
from greenroom.app.cloud.removal_tale import RemovalTale
from greenroom.app.cloud.telling import Telling
from greenroom.cloud_inventory import CloudInventory
from greenroom.errors import GreenroomError, InputError, OperationError, RefusedError
from greenroom.model.cloud import STACK_NAME_PREFIX
from greenroom.model.cloud_account import FoundStack, StackEvent
from greenroom.model.cloud_views import (
    CloudReceipt,
    Reason,
    Remainder,
    SeenInstance,
    SeenResource,
)
from greenroom.model.costs import Amount, Cost, Span
from greenroom.plan.running import cost_of_seen

T = TypeVar("T")

SETTLE_S = 30.0
"""How long AWS may take to show what it has removed as removed."""
_SETTLE_PAUSE_S = 2.0

WRITTEN_NAMES = {"PrivateNames": "PrivateNamesZone", "PublicName": "PublicNamesZone"}
"""How the template's outputs end that list the names which a machine writes itself, and the output
that says in which hosted zone."""

DELETED = "DELETE_COMPLETE"
DELETE_FAILED = "DELETE_FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class DestroyAsk:
    """``greenroom destroy ENV --provider aws``. ``here`` is the stack of the blueprint at hand;
    ``confirm`` repeats the name of what is protected; ``retain`` are logical ids."""

    environment: str
    here: str | None
    confirm: str | None = None
    retain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Destroyer:
    """What a destroy needs. ``pause`` sleeps; ``now`` is the calendar's time; ``begins`` is called
    before the first thing goes, and may raise to leave everything as it is."""

    inventory: CloudInventory
    telling: Telling
    begins: Callable[[], None] = lambda: None
    pause: Callable[[float], None] = time.sleep
    clock_s: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """What there was before the delete: for the bill, and for what is told of it."""

    cost: Cost | None
    instances: tuple[SeenInstance, ...]
    resources: tuple[SeenResource, ...]


@dataclass(slots=True)
class _Course:
    """What CloudFormation has done so far."""

    failures: dict[str, StackEvent] = field(default_factory=dict)
    ended: dict[str, datetime] = field(default_factory=dict)


def wanted_stack(inventory: CloudInventory, ask: DestroyAsk) -> FoundStack:
    """The stack that is to go; a deleted one if it is asked for by its id.

    Raises RefusedError E_AWS_NOT_OURS for a stack without our tags, InputError E_NO_ENVIRONMENT.
    """
    text = ask.environment
    if text.startswith("arn:"):
        found = inventory.stack(text)
        if found is not None:
            identity_of(found)
            return found
    stacks = inventory.environments()
    try:
        return choose(stacks, text, region=inventory.region, here=ask.here)
    except InputError as error:
        if error.code == "E_NO_ENVIRONMENT":
            for name in (text, STACK_NAME_PREFIX + text.replace("/", "-")):
                _refuse_foreign(inventory, name)
        raise


def refuse_unconfirmed(stack: FoundStack, ask: DestroyAsk) -> None:
    """What is protected goes only if its name was typed; raises RefusedError E_PRODUCTION."""
    name = identity_of(stack).environment
    needed = identity_of(stack).production or stack.protected
    if not needed or ask.confirm in (str(name), name.slug):
        return
    what = "production" if identity_of(stack).production else "protected against deletion"
    raise RefusedError(
        "E_PRODUCTION",
        f"{name} is {what}: destroy needs its name typed once more",
        hint=f"greenroom destroy --provider aws {name} --confirm {name}",
    )


def destroy(
    destroyer: Destroyer, stack: FoundStack, ask: DestroyAsk
) -> tuple[CloudReceipt, GreenroomError | None]:
    """Remove the environment; the receipt, and what stands against saying that it is gone.

    Picks up what is being deleted already. Raises GreenroomError if it cannot begin or be
    followed; CloudFormation goes on then.
    """
    refuse_unconfirmed(stack, ask)
    _refuse_updating(stack)
    inventory = destroyer.inventory
    name = str(identity_of(stack).environment)
    began_s = destroyer.clock_s()
    before = _patiently(destroyer, lambda: _look_before(destroyer, stack))
    course = _Course()
    if stack.status != DELETED:
        after = _patiently(destroyer, lambda: _newest(inventory, stack))
        tale = _tale(destroyer, stack, before)
        _begin(destroyer, stack, ask)
        _follow(destroyer, stack, after, course, tale)
    ended = _patiently(destroyer, lambda: inventory.stack(stack.id))
    resources = _patiently(destroyer, lambda: inventory.resources(stack.id))
    failed = ended is not None and ended.status == DELETE_FAILED
    remains, unseen = _settled(destroyer, name, resources, wait=not failed)
    receipt = CloudReceipt(
        environment=name,
        stack_id=stack.id,
        removed=tuple(each for each in resources if each.status == DELETED),
        remains=remains,
        unseen=unseen,
        seconds=destroyer.clock_s() - began_s,
        cost_usd=_bill(before, stack, course, destroyer.now()),
    )
    if failed:
        return receipt, _delete_failed(stack, resources, course, ended)
    return receipt, _left_over(receipt)


def _refuse_foreign(inventory: CloudInventory, name: str) -> None:
    if name.replace("-", "").isalnum():
        found = inventory.stack(name)
        if found is not None:
            identity_of(found)


def _refuse_updating(stack: FoundStack) -> None:
    if stack.moving and stack.status.startswith("UPDATE"):
        name = identity_of(stack).environment
        raise RefusedError(
            "E_AWS_BUSY",
            f"{name} is being updated ({stack.status}): AWS deletes it only when that is over",
            hint=f"wait until it is: greenroom show --provider aws {name}",
        )


def _newest(inventory: CloudInventory, stack: FoundStack) -> str | None:
    """The event before the delete; None to hear a delete that runs already from its beginning."""
    events = inventory.events(stack.id, None)
    if stack.status == "DELETE_IN_PROGRESS":
        starts = [
            position
            for position, event in enumerate(events)
            if event.of_stack and event.status == "DELETE_IN_PROGRESS"
        ]
        position = starts[-1] - 1 if starts else -1
        return events[position].id if position >= 0 else None
    return events[-1].id if events else None


def _begin(destroyer: Destroyer, stack: FoundStack, ask: DestroyAsk) -> None:
    name = identity_of(stack).environment
    destroyer.telling.started("destroy")
    if stack.status == "DELETE_IN_PROGRESS":
        destroyer.telling.notice(f"AWS deletes {name} already: following it")
        return
    destroyer.begins()
    if stack.protected:
        _patiently(destroyer, lambda: destroyer.inventory.release(stack.id))
    for zone, names in _written_names(stack).items():
        _patiently(destroyer, partial(destroyer.inventory.forget_names, zone, names))
    # Whether a request had an effect is not known when the connection breaks; asking for the
    # delete of what is being deleted changes nothing.
    _patiently(destroyer, lambda: destroyer.inventory.delete(stack.id, ask.retain))


def _written_names(stack: FoundStack) -> dict[str, tuple[str, ...]]:
    """By hosted zone, the names that machines have written themselves into zones which are not
    the stack's: they are no resources of it, and its end does not remove them."""
    names: dict[str, tuple[str, ...]] = {}
    for key, value in sorted(stack.outputs.items()):
        for kind, zone_key in WRITTEN_NAMES.items():
            zone = stack.outputs.get(zone_key)
            if key.endswith(kind) and zone:
                names[zone] = (*names.get(zone, ()), *filter(None, value.split(",")))
    return names


def _follow(
    destroyer: Destroyer, stack: FoundStack, after: str | None, course: _Course, tale: RemovalTale
) -> None:
    """Tell every event until CloudFormation is done."""
    began_s = heard_s = destroyer.clock_s()
    while True:
        events = _patiently(destroyer, partial(destroyer.inventory.events, stack.id, after))
        for event in events:
            after, heard_s = event.id, destroyer.clock_s()
            if event.of_stack and event.status in (DELETED, DELETE_FAILED):
                seconds = destroyer.clock_s() - began_s
                tale.finish(gone=event.status == DELETED)
                if event.status == DELETED:
                    destroyer.telling.done("destroy", seconds)
                else:
                    destroyer.telling.failed("destroy", event.reason)
                return
            _tell(tale, event, course)
        destroyer.pause(pause_after(destroyer.clock_s() - heard_s))


def _tell(tale: RemovalTale, event: StackEvent, course: _Course) -> None:
    if event.of_stack:
        return
    tale.take(event)
    if event.status == DELETED:
        course.failures.pop(event.logical_id, None)
        course.ended[event.logical_id] = event.at
    elif event.status == DELETE_FAILED:
        if not event.reason.lower().startswith("resource deletion cancelled"):
            course.failures[event.logical_id] = event
    elif event.status == "DELETE_SKIPPED":
        what = f"{event.logical_id} ({event.type}) {event.physical_id}"
        tale.telling.notice(f"{what} is kept")


def _tale(destroyer: Destroyer, stack: FoundStack, before: _Before) -> RemovalTale:
    tale = RemovalTale(destroyer.telling, machine_finder(machines_of(stack, before.instances)))
    tale.expect(before.resources, begun=stack.status == "DELETE_IN_PROGRESS")
    return tale


def _patiently(destroyer: Destroyer, ask: Callable[[], T]) -> T:
    """What AWS answers, also after a while without a connection; see ``outlast``."""
    try:
        return outlast(
            ask,
            clock_s=destroyer.clock_s,
            pause=destroyer.pause,
            notice=destroyer.telling.notice,
        )
    except GreenroomError as error:
        if not is_gone(error):
            raise
        raise OperationError(
            "E_AWS_CONNECTION_LOST",
            f"{error.message}; what AWS was asked to delete, it goes on deleting",
            hint="greenroom destroy again picks it up",
        ) from error


def _look_before(destroyer: Destroyer, stack: FoundStack) -> _Before:
    """For the bill; a right to look that is missing must not keep anything from going."""
    inventory = destroyer.inventory
    name = str(identity_of(stack).environment)
    with ThreadPoolExecutor(max_workers=2) as workers:
        # Three questions that do not wait for each other.
        answers = (
            workers.submit(inventory.instances, name),
            workers.submit(inventory.volumes, name),
        )
        resources = inventory.resources(stack.id)
    try:
        instances, volumes = answers[0].result(), answers[1].result()
    except RefusedError:
        return _Before(cost=None, instances=(), resources=resources)
    if stack.status.startswith("DELETE"):
        # What is gone already has cost something, too.
        return _Before(cost=None, instances=instances, resources=resources)
    zone = any(each.type == HOSTED_ZONE for each in resources)
    cost = cost_of_seen(inventory.region, instances, volumes, inventory.prices(), own_zone=zone)
    return _Before(cost=cost, instances=instances, resources=resources)


def _bill(before: _Before, stack: FoundStack, course: _Course, now: datetime) -> Amount | None:
    """What it has cost by the second: each instance from its launch to its end."""
    if before.cost is None:
        return None
    spans = {
        each.machine: Span(start=each.launched_at, end=course.ended.get(each.logical_id, now))
        for each in before.instances
        if each.machine and each.billed
    }
    return before.cost.actual(Span(start=stack.created_at, end=now), spans)


def _settled(
    destroyer: Destroyer, name: str, resources: Sequence[SeenResource], *, wait: bool
) -> tuple[tuple[Remainder, ...], tuple[str, ...]]:
    """What is left when AWS has had time to show what is gone: its listings lag behind."""
    kept = {each.physical_id for each in resources if each.status == "DELETE_SKIPPED"}
    began_s = destroyer.clock_s()
    while True:
        remains, unseen = _patiently(destroyer, lambda: destroyer.inventory.remainders(name))
        judged = tuple(_judged(each, kept) for each in remains)
        waiting = any(each.why is not Reason.KEPT for each in judged)
        if not wait or not waiting or destroyer.clock_s() - began_s > SETTLE_S:
            return judged, unseen
        destroyer.pause(_SETTLE_PAUSE_S)


def _judged(remainder: Remainder, kept: set[str]) -> Remainder:
    if remainder.id not in kept:
        return remainder
    return Remainder(kind=remainder.kind, id=remainder.id, why=Reason.KEPT, note=remainder.note)


def _delete_failed(
    began: FoundStack,
    resources: Sequence[SeenResource],
    course: _Course,
    stack: FoundStack | None,
) -> OperationError:
    """Which resource AWS could not delete, why, and the two ways on."""
    failed = [each for each in resources if each.status == DELETE_FAILED]
    told = [each for each in failed if each.logical_id in course.failures] or failed
    lines = [
        f"{each.logical_id} ({each.type}) {each.physical_id}: "
        f"{_reason(each, course) or 'AWS gives no reason'}"
        for each in told
    ]
    if not lines and stack is not None:
        lines = [stack.reason or "AWS gives no reason"]
    retain = " ".join(f"--retain {each.logical_id}" for each in told)
    identity = identity_of(began)
    again = destroy_command(identity.environment, production=identity.production)
    hint = f"mend that, then: {again}"
    if retain:
        hint += f"\nto leave it in the account, where it may go on costing money: {again} {retain}"
    return OperationError(
        "E_AWS_DELETE_FAILED",
        "\n".join([f"AWS could not delete all of {identity.environment}", *lines]),
        hint=hint,
    )


def _reason(resource: SeenResource, course: _Course) -> str:
    event = course.failures.get(resource.logical_id)
    return resource.reason or (event.reason if event else "")


def _left_over(receipt: CloudReceipt) -> OperationError | None:
    left = receipt.because(Reason.LEFT_OVER)
    if not left:
        return None
    things = ", ".join(f"{each.kind} {each.id}" for each in left)
    return OperationError(
        "E_LEFT_OVER",
        f"the account still holds {len(left)} of {receipt.environment}: {things}",
        hint="AWS's listings lag behind: look again in a minute; what stays, remove by its id",
    )
