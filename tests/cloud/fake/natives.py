"""The resources that are CloudFormation's own: wait handles and conditions, nested stacks."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.cloud.fake.engine import STACK_TYPE, CancelledError, Engine
from tests.cloud.fake.kinds import Ask, Kind, Made, ResourceFailedError, names
from tests.cloud.fake.records import Stack

if TYPE_CHECKING:
    from tests.cloud.fake.handles import Handle

HANDLE_TYPE = "AWS::CloudFormation::WaitConditionHandle"
CONDITION_TYPE = "AWS::CloudFormation::WaitCondition"
TIMEOUT_S_MAX = 43_200


def make_handle(engine: Engine, ask: Ask) -> Made:
    """A handle: its physical id and Ref are the URL."""
    handle = engine.handles.make(ask.region, ask.stack_id, ask.logical_id, ask.nonce)
    return Made(physical_id=handle.url, attributes={"Id": handle.url})


def make_condition(ask: Ask) -> Made:
    """A condition that has not been waited for yet."""
    base = f"{ask.stack_id}/{uuid.UUID(ask.nonce)}/{ask.logical_id}"
    return Made(physical_id=base, attributes={"Id": base})


def await_condition(
    engine: Engine, properties: Mapping[str, Any], begun_s: float, cancel: threading.Event
) -> Mapping[str, Any]:
    """Wait for the signals, the time running since ``begun_s``.

    Raises ResourceFailedError for a failure or when the time is over, CancelledError if the
    operation gave up.
    """
    handle = engine.handles.find(properties["Handle"])
    if handle is None:
        raise ResourceFailedError(f"WaitCondition handle {properties['Handle']} is not valid")
    count = int(properties.get("Count", 1))
    timeout_s = float(properties["Timeout"])
    if not 0 < timeout_s <= TIMEOUT_S_MAX:
        raise ResourceFailedError(f"Invalid timeout {properties['Timeout']}")

    def over() -> bool:
        return cancel.is_set() or engine.closing.is_set() or _told(handle, count)

    told = engine.clock.wait_till(begun_s + timeout_s, over)
    failure = next((signal for signal in handle.signals if not signal.success), None)
    if failure is not None:
        raise ResourceFailedError(
            f"WaitCondition received failed message: '{failure.reason}' "
            f"for uniqueId: {failure.unique_id}"
        )
    if not told:
        raise ResourceFailedError(
            f"WaitCondition timed out. Received {len(handle.signals)} conditions "
            f"when expecting {count}"
        )
    if not _told(handle, count):
        raise CancelledError
    return {"Data": handle.data}


def _told(handle: Handle, count: int) -> bool:
    return len(handle.signals) >= count or any(not signal.success for signal in handle.signals)


def await_stack(engine: Engine, child: Stack, wanted: str, cancel: threading.Event) -> None:
    """Wait for a nested stack; raises ResourceFailedError unless it ended in ``wanted``."""
    while child.thread is not None and child.thread.is_alive():
        if engine.closing.is_set():
            raise CancelledError
        if cancel.is_set() and child.abandon is not None:
            child.abandon()
        child.thread.join(timeout=0.05)
    if cancel.is_set() and child.status == "CREATE_IN_PROGRESS":
        # It gave up with its parent, whose rollback takes it away.
        raise CancelledError
    if child.status != wanted:
        verb = {"CREATE": "created", "UPDATE": "updated", "DELETE": "deleted"}[wanted[:6]]
        raise ResourceFailedError(
            f"Embedded stack {child.stack_id} was not successfully {verb}: {child.reason or ''}"
        )


def outputs_of(child: Stack) -> dict[str, str]:
    """What Fn::GetAtt knows of a nested stack."""
    return {f"Outputs.{one['OutputKey']}": one["OutputValue"] for one in child.outputs}


def _engine_makes_it(ask: Ask) -> Made:
    raise AssertionError(f"{ask.logical_id} is made by the engine itself")


KINDS = {
    HANDLE_TYPE: Kind(create=_engine_makes_it, attributes=names("Id")),
    # "Updates are not supported": a new condition needs a new logical id.
    CONDITION_TYPE: Kind(create=_engine_makes_it, attributes=names("Data Id")),
    STACK_TYPE: Kind(create=_engine_makes_it, attributes=names("*"), taggable=True),
}
