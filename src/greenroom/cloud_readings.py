"""What every use case on AWS may ask of an account, whether it changes it or only looks.
``providers.aws`` implements it."""

from __future__ import annotations

from typing import Protocol

from greenroom.model.cloud_account import FoundStack, StackEvent
from greenroom.model.cloud_views import SeenInstance, SeenResource
from greenroom.model.views import MachineReport


class CloudReadings(Protocol):
    """What stands in an account in one region. Everything raises GreenroomError.

    A stack is asked for by its id once that is known: its name alone may mean another by then.
    """

    @property
    def region(self) -> str:
        """The region's name."""

    def environments(self) -> tuple[FoundStack, ...]:
        """Every stack of ours that is not deleted: one listing, however many there are."""

    def stack(self, name_or_id: str) -> FoundStack | None:
        """A stack; None if there is none. By its id it is found after its deletion, too."""

    def events(self, stack_id: str, after: str | None) -> tuple[StackEvent, ...]:
        """What happened since the event with the id ``after``, the oldest first."""

    def report(self, machine: str, signalled: str) -> MachineReport | None:
        """What a machine said when it signalled, from the output of its wait condition."""

    def resources(self, stack_id: str) -> tuple[SeenResource, ...]:
        """What the stack consists of, nested stacks included; a deleted one by its id."""

    def instances(self, environment: str | None) -> tuple[SeenInstance, ...]:
        """Instances of one environment, or of all, by tag; terminated ones too, for a while."""
