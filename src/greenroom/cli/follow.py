"""Running an operation to its end: start it, show its events, pass Ctrl-C on, report the result."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from greenroom.cli.client import Client, error_from
from greenroom.cli.connect import connect
from greenroom.cli.interrupts import Interrupts
from greenroom.cli.live import ProgressView
from greenroom.cli.terminal import say_json
from greenroom.errors import CancelledError, GreenroomError, OperationError

if TYPE_CHECKING:
    from greenroom.cli.shapes import EventReply, OperationBody, OperationReply

RECONNECTS_MAX = 5
"""How often in a row a stream may break without bringing anything new."""

CANCELLING = "cancelling; press Ctrl-C again to leave it to the daemon"


class Followed:
    """How an operation ended. ``error`` is None when it succeeded."""

    def __init__(self, operation: OperationReply, result: EventReply) -> None:
        self.operation = operation
        self.result = result

    @property
    def error(self) -> GreenroomError | None:
        """The error that the result event describes, of the family of its exit code."""
        exit_code = self.result["exit_code"] or 0
        if self.result["status"] == "succeeded" and exit_code == 0:
            return None
        return error_from(
            self.result["code"] or "E_OPERATION",
            self.result["message"] or f"the operation is {self.result['status']}",
            hint=self.result["hint"] or "",
            exit_code=exit_code or 1,
        )


def run_operation(client: Client, body: OperationBody, *, as_json: bool) -> Followed:
    """Start the operation and follow it to its result.

    Ctrl-C and SIGTERM ask the daemon to cancel, and the following goes on until it has; a second
    one leaves. Raises GreenroomError when the operation cannot be started or followed.
    """
    return follow_operation(client, lambda: client.start_operation(body), as_json=as_json)


def follow_operation(
    client: Client, begin: Callable[[], OperationReply], *, as_json: bool
) -> Followed:
    """As ``run_operation``, for an operation that ``begin`` names: started, or being cancelled."""
    with Interrupts() as interrupts:
        operation = begin()
        view = None if as_json else ProgressView(sys.stderr)
        try:
            result = _follow(client, operation, interrupts, view)
        finally:
            if view is not None:
                view.close()
    return Followed(operation, result)


def _follow(
    client: Client, operation: OperationReply, interrupts: Interrupts, view: ProgressView | None
) -> EventReply:
    cancelled = False
    tick_s = None if view is None else view.tick_s
    for event in _events(client, operation["id"], tick_s, interrupts.wake_fd):
        if interrupts.count > 1:
            raise _left_alone(operation)
        if interrupts.count == 1 and not cancelled:
            cancelled = True
            interrupts.drain()
            _cancel(client, operation, view)
        if event is None:
            if view is not None:
                view.tick()
            continue
        if view is None:
            say_json(event)
        else:
            view.show(event)
        if event["kind"] == "result":
            return event
    raise _broken(operation)


def _events(
    client: Client, operation_id: str, tick_s: float | None, wake_fd: int
) -> Iterator[EventReply | None]:
    """All events of the operation, also across a restart of the daemon, which resumes it."""
    after = 0
    breaks = 0
    while breaks < RECONNECTS_MAX:
        breaks += 1
        try:
            for event in client.events(operation_id, after=after, tick_s=tick_s, wake_fd=wake_fd):
                if event is not None:
                    after = event["seq"]
                    breaks = 0
                yield event
        except OperationError as error:
            if error.code != "E_DAEMON_GONE":
                raise
        client = connect()


def _cancel(client: Client, operation: OperationReply, view: ProgressView | None) -> None:
    if view is not None:
        view.say(CANCELLING)
    try:
        client.cancel_operation(operation["id"])
    except GreenroomError as error:
        # An operation that is past the point of no return goes on; its result is still ours.
        if view is not None:
            view.say(error.message)


class LeftAloneError(CancelledError):
    """Interrupted twice: the client goes, the operation goes on. Exits as an interrupt does."""

    exit_code = 130


def _left_alone(operation: OperationReply) -> LeftAloneError:
    return LeftAloneError(
        "E_LEFT_TO_DAEMON",
        f"the daemon goes on cancelling {operation['kind']} of {operation['environment']}",
        hint=f"greenroom show {operation['environment']}",
    )


def _broken(operation: OperationReply) -> GreenroomError:
    return OperationError(
        "E_EVENTS_BROKEN",
        f"the events of operation {operation['id']} ended without a result, "
        f"{RECONNECTS_MAX} times in a row",
        hint=f"greenroom show {operation['environment']} tells where it stands",
    )
