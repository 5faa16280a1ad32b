"""One operation on AWS in front of a person: its events shown, Ctrl-C passed on, its end told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter

from greenroom.app.cloud.draft import CloudPorts
from greenroom.cli.cloud.attention import Watch
from greenroom.cli.interrupts import Interrupts
from greenroom.cli.live import ProgressView
from greenroom.cli.terminal import say_json
from greenroom.cloud import cloud_ports
from greenroom.errors import GreenroomError
from greenroom.model.events import Event
from greenroom.providers.aws.session import Access

if TYPE_CHECKING:
    from greenroom.cli.shapes import EventReply

_T = TypeVar("_T")


def perform(
    access: Access, work: Callable[[CloudPorts], _T], *, as_json: bool, quiet: bool = False
) -> _T:
    """Run ``work`` and show its events as they come: as they are locally, on stderr for a person
    or as NDJSON on stdout. ``quiet`` shows them to nobody who reads JSON.

    Raises whatever ``work`` raises, after the last event has told it.
    """
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())
        view = None if as_json else ProgressView(sys.stderr)
        if view is not None:
            stack.callback(view.close)
        watch = _watch(interrupts, view)
        ports = cloud_ports(access, watch, _sink(view, quiet=quiet))
        try:
            result = work(ports)
        except GreenroomError as error:
            ports.telling.result(error.message, error)
            raise
        ports.telling.result("done")
        return result


def _watch(interrupts: Interrupts, view: ProgressView | None) -> Watch:
    if view is None:
        return Watch(interrupts, lambda: None, None, lambda _: None)
    return Watch(interrupts, view.tick, view.tick_s, view.say)


def _sink(view: ProgressView | None, *, quiet: bool) -> Callable[[Event], None]:
    adapter = TypeAdapter(Event)

    def show(event: Event) -> None:
        if view is not None:
            view.show(_shown(event))
        elif not quiet:
            say_json(adapter.dump_python(event, mode="json"))

    return show


def _shown(event: Event) -> EventReply:
    shown: EventReply = {**asdict(event), "at": event.at.isoformat()}  # type: ignore[typeddict-item]
    return shown
