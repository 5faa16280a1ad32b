"""Following CloudFormation to the end of what it does, by the id of the stack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from greenroom.app.cloud.connection import is_gone, outlast
from greenroom.app.cloud.draft import CloudPorts
from greenroom.app.cloud.tale import CANCELLED, Tale
from greenroom.errors import CancelledError, GreenroomError, OperationError
from greenroom.model.cloud_account import ChangeSet, ProposedChanges, StackEvent
from greenroom.model.names import EnvironmentName

POLL_FIRST_S = 0.5
POLL_S = 1.0
"""Seconds between two looks: the shortest and the longest pause. The last one, with the last look,
is what a person waits longer than the stack."""
_QUIET_SHARE = 0.05

_CHANGES_POLL_S = 1.5

T = TypeVar("T")

_COMPLETE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_NESTED = "AWS::CloudFormation::Stack"


@dataclass(slots=True, kw_only=True)
class _Watched:
    """A stack that is looked at; ``after`` is the id of the last event that was told."""

    id: str
    after: str | None


def await_changes(ports: CloudPorts, proposed: ProposedChanges) -> ChangeSet:
    """The change set, when CloudFormation has made it; taken back if it is not wanted any more,
    or cannot be read."""
    pause_s = 0.2
    try:
        while True:
            changes = patiently(ports, lambda: ports.account.changes(proposed))
            if changes is not None:
                return changes
            ports.attention.check()
            ports.attention.wait(pause_s)
            pause_s = min(_CHANGES_POLL_S, pause_s * 1.3)
    except GreenroomError:
        withdraw(ports, proposed)
        raise


def withdraw(ports: CloudPorts, proposed: ProposedChanges) -> None:
    """Take the change set back, as far as that is possible: why it goes matters more."""
    ports.attention.obey(
        f"the change set waits in {proposed.stack_id}", "nobody executes it, and it costs nothing"
    )
    try:
        ports.account.withdraw(proposed)
    except GreenroomError as error:
        ports.telling.notice(f"the change set stays: {error.message}")


def follow(
    ports: CloudPorts,
    environment: EnvironmentName,
    stack_id: str,
    after: str | None,
    tale: Tale,
    *,
    ending: str = "",
) -> str:
    """Tell every event of the stack after the one with the id ``after``, and return the status
    that it ends in; ``ending`` is how that status begins, if another may come before it.

    Raises CancelledError when somebody asks for it; and if AWS cannot be asked any more, an error
    that says that CloudFormation goes on.
    """
    heard_s = ports.clock.monotonic_s()
    watched = {stack_id: _Watched(id=stack_id, after=after)}
    try:
        while True:
            for event in _news(ports, watched):
                heard_s = ports.clock.monotonic_s()
                tale.take(event)
                if _is_end(event, stack_id, ending):
                    if event.status in _COMPLETE:
                        tale.finish()
                    else:
                        tale.close()
                    return event.status
                _watch_nested(watched, event)
            ports.attention.check()
            ports.attention.wait(pause_after(ports.clock.monotonic_s() - heard_s))
    except CancelledError:
        tale.close(CANCELLED)
        raise
    except GreenroomError as error:
        raise left_to_cloudformation(error, environment, stack_id) from error


def pause_after(quiet_s: float) -> float:
    """Seconds until the next look, where nothing has happened for ``quiet_s``.

    A stack's events come in swarms, and its end follows the last machine's signal at once: hence
    often after news, and less often while machines restore for minutes.
    """
    return min(POLL_S, max(POLL_FIRST_S, quiet_s * _QUIET_SHARE))


def left_to_cloudformation(
    error: GreenroomError, environment: EnvironmentName, stack_id: str
) -> GreenroomError:
    """What begins with AWS not answering us does not end there: how to pick it up again."""
    code = "E_AWS_CONNECTION_LOST" if is_gone(error) else error.code
    hint = f"greenroom show --provider aws {environment} tells where it stands"
    return OperationError(
        code,
        f"{error.message}; CloudFormation goes on with {environment} without us ({stack_id})",
        hint=f"{error.hint}; then {hint}" if error.hint else hint,
    )


def _news(ports: CloudPorts, watched: dict[str, _Watched]) -> list[StackEvent]:
    """New events of all stacks that are looked at, in the order of their time."""
    news: list[StackEvent] = []
    for each in list(watched.values()):
        events = patiently(ports, partial(ports.account.events, each.id, each.after))
        if events:
            each.after = events[-1].id
        news += events
    return sorted(news, key=lambda event: event.at) if len(watched) > 1 else news


def patiently(ports: CloudPorts, ask: Callable[[], T]) -> T:
    """What AWS answers, also after a while without a connection; see ``outlast``."""

    def pause(seconds: float) -> None:
        ports.attention.check()
        ports.attention.wait(seconds)

    return outlast(ask, clock_s=ports.clock.monotonic_s, pause=pause, notice=ports.telling.notice)


def _watch_nested(watched: dict[str, _Watched], event: StackEvent) -> None:
    """A nested stack has events of its own, for as long as it moves."""
    if event.type != _NESTED or event.of_stack or not event.physical_id:
        return
    if event.status.endswith("_IN_PROGRESS"):
        watched.setdefault(event.physical_id, _Watched(id=event.physical_id, after=None))
    else:
        watched.pop(event.physical_id, None)


def _is_end(event: StackEvent, stack_id: str, ending: str) -> bool:
    of_it = event.of_stack and event.stack_id == stack_id
    return of_it and event.status.startswith(ending) and not event.status.endswith("_IN_PROGRESS")
