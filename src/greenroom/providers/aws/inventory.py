"""What stands in an account, as the use cases ask for it: the port, and who does what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

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
from greenroom.providers.aws import (
    deploy_answer,
    deployed,
    drift,
    leftovers,
    machine_logs,
    records,
    removal,
    security_groups,
    seen,
    systems_manager,
)
from greenroom.providers.aws.readings import AwsReadings
from greenroom.providers.aws.session import Account


class AwsInventory(AwsReadings):
    """The CloudInventory port on boto3."""

    def __init__(
        self, account: Account, prices: Callable[[], PriceTable], profile: str | None
    ) -> None:
        super().__init__(account)
        self._prices = prices
        self._profile = profile

    def volumes(self, environment: str | None) -> tuple[SeenVolume, ...]:
        """See CloudInventory."""
        return seen.seen_volumes(self._account, environment)

    def prices(self) -> PriceTable:
        """See CloudInventory."""
        return self._prices()

    def release(self, stack_id: str) -> None:
        """See CloudInventory."""
        removal.release_stack(self._account, stack_id)

    def forget_names(self, zone: str, names: Sequence[str]) -> None:
        """See CloudInventory."""
        records.forget_names(self._account, zone, names)

    def delete(self, stack_id: str, retain: Sequence[str]) -> None:
        """See CloudInventory."""
        removal.delete_stack(self._account, stack_id, retain)

    def remainders(self, environment: str) -> tuple[tuple[Remainder, ...], tuple[str, ...]]:
        """See CloudInventory."""
        return leftovers.look_for(self._account, environment)

    def begin_drift(self, stack_id: str) -> str:
        """See CloudInventory."""
        return drift.begin_detection(self._account, stack_id)

    def drift_ended(self, detection: str) -> tuple[bool, str]:
        """See CloudInventory."""
        return drift.detection_ended(self._account, detection)

    def drifts(self, stack_id: str) -> Compared:
        """See CloudInventory."""
        return drift.read_drifts(self._account, stack_id)

    def template(self, stack_id: str) -> Mapping[str, Any]:
        """See CloudInventory."""
        return deployed.deployed_template(self._account, stack_id)

    def rules(self, groups: Sequence[str]) -> tuple[SeenRule, ...]:
        """See CloudInventory."""
        return security_groups.rules_of_groups(self._account, groups)

    def require_online(self, machine: str, instance: str) -> None:
        """See CloudInventory."""
        systems_manager.require_online(self._account, machine, instance)

    def send(self, machine: str, instance: str, script: str, limit_s: int) -> str:
        """See CloudInventory."""
        return systems_manager.send_script(self._account, machine, instance, script, limit_s)

    def result(self, machine: str, instance: str, command: str) -> Ran | None:
        """See CloudInventory."""
        return systems_manager.read_result(self._account, machine, instance, command)

    def cancel(self, machine: str, command: str) -> None:
        """See CloudInventory."""
        systems_manager.cancel_command(self._account, machine, command)

    def deploy_report(self, machine: str, ran: Ran) -> MachineReport:
        """See CloudInventory."""
        return deploy_answer.deploy_report(machine, ran)

    def log_script(self, places: Mapping[str, tuple[int, int]] | None, service: str | None) -> str:
        """See CloudInventory."""
        return machine_logs.log_script(places, service)

    def parse_look(self, text: str) -> MachineLines:
        """See CloudInventory."""
        return machine_logs.parse_look(text)

    def shell(self, machine: str, instance: str) -> systems_manager.SessionCommand:
        """The program that opens a shell in the machine.

        Raises HostError E_AWS_PLUGIN, and what ``require_online`` raises.
        """
        plugin = systems_manager.require_plugin()
        self.require_online(machine, instance)
        return systems_manager.open_session(self._account, machine, instance, plugin, self._profile)
