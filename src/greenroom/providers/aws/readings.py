"""What both ports ask of an account."""

from __future__ import annotations

from greenroom.model.cloud_account import FoundStack, StackEvent
from greenroom.model.cloud_views import SeenInstance, SeenResource
from greenroom.model.views import MachineReport
from greenroom.providers.aws import resources, seen, stacks
from greenroom.providers.aws.session import Account
from greenroom.providers.reports import object_of, report_of


class AwsReadings:
    """The CloudReadings port on boto3."""

    def __init__(self, account: Account) -> None:
        self._account = account

    @property
    def region(self) -> str:
        """See CloudReadings."""
        return self._account.region

    def environments(self) -> tuple[FoundStack, ...]:
        """See CloudReadings."""
        return stacks.environments(self._account)

    def stack(self, name_or_id: str) -> FoundStack | None:
        """See CloudReadings."""
        return stacks.find_stack(self._account, name_or_id)

    def events(self, stack_id: str, after: str | None) -> tuple[StackEvent, ...]:
        """See CloudReadings."""
        return stacks.events_after(self._account, stack_id, after)

    def report(self, machine: str, signalled: str) -> MachineReport | None:
        """See CloudReadings. The condition's Data maps each signal's UniqueId to what came with
        it, which is JSON in JSON (user guide, AWS::CloudFormation::WaitCondition)."""
        said = object_of(signalled).get(machine)
        return report_of(machine, object_of(said)) if isinstance(said, str) else None

    def resources(self, stack_id: str) -> tuple[SeenResource, ...]:
        """See CloudReadings."""
        return resources.stack_resources(self._account, stack_id)

    def instances(self, environment: str | None) -> tuple[SeenInstance, ...]:
        """See CloudReadings."""
        return seen.seen_instances(self._account, environment)
