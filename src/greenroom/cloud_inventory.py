"""What the use cases ask about environments that stand on AWS. ``providers.aws`` implements it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from greenroom.cloud_readings import CloudReadings
from greenroom.model.cloud_views import (
    Compared,
    MachineLines,
    Ran,
    Remainder,
    SeenRule,
    SeenVolume,
)
from greenroom.model.costs import PriceTable
from greenroom.model.views import MachineReport


class CloudInventory(CloudReadings, Protocol):
    """An account to look at, to reach into, and to remove from."""

    def volumes(self, environment: str | None) -> tuple[SeenVolume, ...]:
        """Volumes of one environment, or of all, by tag."""

    def prices(self) -> PriceTable:
        """What there is of prices."""

    def release(self, stack_id: str) -> None:
        """Switch the stack's protection against deletion off."""

    def forget_names(self, zone: str, names: Sequence[str]) -> None:
        """Remove what machines wrote for these names in the hosted zone (id)."""

    def delete(self, stack_id: str, retain: Sequence[str]) -> None:
        """Begin to delete the stack, but for the resources ``retain`` (logical ids).

        Raises InputError E_AWS_RETAIN for what CloudFormation does not let stay.
        """

    def remainders(self, environment: str) -> tuple[tuple[Remainder, ...], tuple[str, ...]]:
        """What bears the environment's tags, and the kinds that nobody may look for."""

    def begin_drift(self, stack_id: str) -> str:
        """Have CloudFormation compare the stack with the account; the comparison's id."""

    def drift_ended(self, detection: str) -> tuple[bool, str]:
        """Whether it is over, and why it could not compare everything, if so."""

    def drifts(self, stack_id: str) -> Compared:
        """What the last comparison found."""

    def template(self, stack_id: str) -> Mapping[str, Any]:
        """The template that the stack was last made of."""

    def rules(self, groups: Sequence[str]) -> tuple[SeenRule, ...]:
        """The rules of these groups (ids), in and out."""

    def require_online(self, machine: str, instance: str) -> None:
        """Refuse (E_AWS_SSM) a machine that Systems Manager does not reach."""

    def send(self, machine: str, instance: str, script: str, limit_s: int) -> str:
        """Have a shell script run in the machine as root; the command's id."""

    def result(self, machine: str, instance: str, command: str) -> Ran | None:
        """What the command did; None while it runs. Raises OperationError E_AWS_COMMAND."""

    def cancel(self, machine: str, command: str) -> None:
        """Stop the command."""

    def deploy_report(self, machine: str, ran: Ran) -> MachineReport:
        """What the machine's agent answered when it was told to deploy. Raises OperationError
        E_MACHINE_FAILED with its reason."""

    def log_script(self, places: Mapping[str, tuple[int, int]] | None, service: str | None) -> str:
        """The script that reads a machine's logs on from ``places``; None: their ends."""

    def parse_look(self, text: str) -> MachineLines:
        """What that script printed; raises ValueError."""
