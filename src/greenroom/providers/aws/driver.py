"""An AWS account as the use cases know it: the port, and who does what."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from greenroom.cloud_ports import Blob, Proposal, Template
from greenroom.model.cloud import CloudStack
from greenroom.model.cloud_account import (
    ChangeSet,
    CloudRule,
    Network,
    ProposedChanges,
)
from greenroom.model.names import EnvironmentName
from greenroom.providers.aws import (
    bucket,
    change_sets,
    given,
    network,
    records,
    security_groups,
    stacks,
)
from greenroom.providers.aws.errors import AnswerError
from greenroom.providers.aws.readings import AwsReadings
from greenroom.providers.aws.tags import stack_tags

_SERVICES = ("sts", stacks.SERVICE, "ec2", "ssm", "s3")
"""What a create and an update ask, in the order in which they do."""


class AwsDriver(AwsReadings):
    """The CloudAccount port on boto3."""

    def prepare(self) -> None:
        """See CloudAccount: boto3's clients, whose models are large files to read."""
        for service in _SERVICES:
            self._account.client(service)

    def caller(self) -> str:
        """See CloudAccount. Nobody needs a right for this question (STS, GetCallerIdentity)."""
        reply = self._account.call("sts", "GetCallerIdentity")
        return str(reply["Arn"]).partition("/")[2] or str(reply["Arn"]).rpartition(":")[2]

    def last_event(self, stack_id: str) -> str | None:
        """See CloudAccount."""
        return stacks.last_event(self._account, stack_id)

    def network(self, vpc: str | None, subnets: Sequence[str]) -> Network:
        """See CloudAccount."""
        return network.resolve_network(self._account, vpc, subnets)

    def require_parameters(self, paths: Sequence[str]) -> None:
        """See CloudAccount."""
        network.require_parameters(self._account, paths)

    def require_dns(self, vpc: str) -> None:
        """See CloudAccount."""
        given.require_dns(self._account, vpc)

    def require_bucket(self, bucket_name: str, setting: str) -> None:
        """See CloudAccount."""
        given.require_bucket(self._account, bucket_name, setting)

    def has_object(self, bucket_name: str, key: str) -> bool:
        """See CloudAccount."""
        return given.has_object(self._account, bucket_name, key)

    def root_device(self, ami: str) -> str:
        """See CloudAccount."""
        return given.root_device(self._account, ami)

    def require_snapshot(self, snapshot: str) -> None:
        """See CloudAccount."""
        given.require_snapshot(self._account, snapshot)

    def upload(self, bucket_name: str, blobs: Sequence[Blob]) -> int:
        """See CloudAccount."""
        return bucket.put_missing(self._account, bucket_name, blobs)

    def stack_tags(self, cloud: CloudStack) -> Mapping[str, str]:
        """See CloudAccount."""
        return dict(stack_tags(cloud))

    def propose(self, proposal: Proposal) -> ProposedChanges:
        """See CloudAccount."""
        template, cloud = proposal.template, proposal.cloud
        url = None
        if change_sets.is_too_big(template.body):
            blob = template_blob(template.body)
            bucket.put_missing(self._account, cloud.bucket, [blob])
            url = f"{cloud.s3_url}/{cloud.bucket}/{blob.key}"
        return change_sets.propose(self._account, proposal, url)

    def changes(self, proposed: ProposedChanges) -> ChangeSet | None:
        """See CloudAccount."""
        return change_sets.read_changes(self._account, proposed)

    def withdraw(self, proposed: ProposedChanges) -> None:
        """See CloudAccount."""
        change_sets.withdraw(self._account, proposed)

    def execute(self, proposed: ProposedChanges, *, keep_failed: bool) -> None:
        """See CloudAccount."""
        change_sets.execute(self._account, proposed, keep_failed=keep_failed)

    def cancel_update(self, stack_id: str) -> bool:
        """See CloudAccount."""
        about = f"stack {change_sets.stack_name_of(stack_id)}"
        try:
            self._account.call(stacks.SERVICE, "CancelUpdateStack", about=about, StackName=stack_id)
        except AnswerError as error:
            if "cannot be called" not in error.aws_message:
                raise
            return False
        return True

    def protect(self, stack_id: str) -> None:
        """See CloudAccount."""
        self._account.call(
            stacks.SERVICE,
            "UpdateTerminationProtection",
            about=f"stack {change_sets.stack_name_of(stack_id)}",
            StackName=stack_id,
            EnableTerminationProtection=True,
        )

    def delete(self, stack_id: str) -> None:
        """See CloudAccount."""
        records.empty_zones(self._account, stack_id)
        about = f"stack {change_sets.stack_name_of(stack_id)}"
        self._account.call(stacks.SERVICE, "DeleteStack", about=about, StackName=stack_id)

    def rules(self, environment: EnvironmentName) -> tuple[CloudRule, ...]:
        """See CloudAccount."""
        return security_groups.environment_rules(self._account, environment)


def compiled(cloud: CloudStack, request: str) -> Template:
    """The template of ``cloud``, and what the use cases must know of it."""
    # troposphere takes 0.1 s: a destroy and a list never pay it, a create while AWS answers.
    from greenroom.providers.aws.template import compile_template
    from greenroom.providers.aws.template.groups import Grounds, declared_egress
    from greenroom.providers.aws.template.names import logical_ids

    template = compile_template(cloud, request=request)
    ids = logical_ids(cloud)
    return Template(
        body=template.body,
        blobs=tuple(
            Blob(key=nested.key, content=nested.body.encode(), content_type="application/json")
            for nested in template.nested
        ),
        resources=template.resources,
        machine_of=ids.machine_of,
        reports={machine: f"{base}Report" for machine, base in ids.machines.items()},
        egress=declared_egress(Grounds(cloud=cloud, ids=ids)),
    )


def template_blob(body: str) -> Blob:
    """A template that CloudFormation fetches from the bucket."""
    content = body.encode()
    digest = hashlib.sha256(content).hexdigest()
    return Blob(key=f"templates/{digest}.json", content=content, content_type="application/json")
