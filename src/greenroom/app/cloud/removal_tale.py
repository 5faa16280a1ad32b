"""A stack's delete, retold by parts as its create is: instances, network, roles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from greenroom.app.cloud.tale import Part, part_of
from greenroom.app.cloud.telling import Telling
from greenroom.model.cloud_account import StackEvent
from greenroom.model.cloud_views import SeenResource

_ENDED = ("DELETE_COMPLETE", "DELETE_SKIPPED")
_UNSEEN = ("AWS::CloudFormation::WaitCondition", "AWS::EC2::VolumeAttachment")
"""What is gone at once or goes with a machine: nobody waits for it."""


@dataclass(slots=True)
class _Going:
    """A part that is being deleted; ``latest`` is when something of it was last gone."""

    since: datetime
    latest: datetime
    failed: bool = False


@dataclass(slots=True)
class RemovalTale:
    """Tells each part once: that it goes, then that it is gone or what stands in its way."""

    telling: Telling
    machine_of: Callable[[str], str | None]
    _left: dict[Part, set[str]] = field(default_factory=dict)
    _going: dict[Part, _Going] = field(default_factory=dict)

    def expect(self, resources: Iterable[SeenResource], *, begun: bool) -> None:
        """What there is to delete. ``begun``: what is gone already is told again, since a delete
        that runs is heard from its beginning."""
        for each in resources:
            part = self._part(each.logical_id, each.type)
            if part is not None and (begun or each.status not in _ENDED):
                self._left.setdefault(part, set()).add(each.logical_id)

    def take(self, event: StackEvent) -> None:
        """One more event of a resource."""
        part = self._part(event.logical_id, event.type)
        if event.status == "DELETE_FAILED":
            self._fail(part, event)
        elif part is not None and event.status == "DELETE_IN_PROGRESS":
            self._begin(part, event.at)
        elif part is not None and event.status in _ENDED:
            self._end(part, event)

    def finish(self, *, gone: bool) -> None:
        """The stack's own end: what was never told whole is done, or is left."""
        for part, going in self._going.items():
            if gone:
                self._done(part, going)
            elif not going.failed:
                self.telling.failed(part.phase, "not all of it is deleted", part.machine)
        self._going.clear()

    def _part(self, logical_id: str, type_: str) -> Part | None:
        return None if type_ in _UNSEEN else part_of(logical_id, type_, self.machine_of(logical_id))

    def _begin(self, part: Part, at: datetime) -> None:
        if part not in self._going:
            self._going[part] = _Going(at, at)
            self.telling.started(part.phase, part.machine)

    def _end(self, part: Part, event: StackEvent) -> None:
        self._begin(part, event.at)
        going, left = self._going[part], self._left.setdefault(part, set())
        going.latest = event.at
        left.discard(event.logical_id)
        if not left:
            del self._going[part]
            self._done(part, going)

    def _done(self, part: Part, going: _Going) -> None:
        seconds = (going.latest - going.since).total_seconds()
        self.telling.done(part.phase, seconds, "deleted", part.machine)

    def _fail(self, part: Part | None, event: StackEvent) -> None:
        if event.reason.lower().startswith("resource deletion cancelled"):
            return
        if part is not None and part in self._going:
            self._going[part].failed = True
        what = f"{event.logical_id} ({event.type}): {event.reason}"
        phase, machine = (part.phase, part.machine) if part else ("resources", None)
        self.telling.failed(phase, what, machine)
