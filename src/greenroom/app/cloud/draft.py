"""An environment on AWS as it is asked for, before anything is made: what the account must say is
asked here, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal

from greenroom.app.clock import Clock
from greenroom.app.cloud.telling import Telling
from greenroom.blueprint.schema import Blueprint
from greenroom.cloud_ports import Attention, Blob, CloudAccount, Proposal, Template
from greenroom.errors import RefusedError, UsageError
from greenroom.model.cloud import CloudStack, recipe_key
from greenroom.model.cloud_account import REVIEW_IN_PROGRESS, FoundStack, Network
from greenroom.model.costs import Cost, PriceTable
from greenroom.model.names import EnvironmentName
from greenroom.model.requests import CreateRequest
from greenroom.plan.cloud import CloudAsk, plan_cloud
from greenroom.plan.costs import costs_of
from greenroom.plan.recipe import recipe_bytes, sha256_of


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudPorts:
    """What every use case on AWS works through. ``compile`` takes the words of the request too,
    which the stack keeps. ``agent`` is the archive that machines fetch, ``s3_endpoint`` a service
    that speaks S3 in AWS's place, ``route53_endpoint`` likewise."""

    account: CloudAccount
    compile: Callable[[CloudStack, str], Template]
    agent: Blob
    agent_sha256: str
    attention: Attention
    telling: Telling
    clock: Clock
    prices: Callable[[], PriceTable]
    s3_endpoint: str | None = None
    route53_endpoint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for. ``words`` are those of the request that chose machines and restores.
    ``said`` are the words of the command line that a hint repeats, quoted for a shell. ``confirm``
    repeats production's name; ``max_usd_per_day`` None: whatever it costs."""

    blueprint: Blueprint
    request: CreateRequest
    words: str
    role: str | None = None
    keep_failed: bool = False
    max_usd_per_day: Decimal | None = None
    confirm: str | None = None
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The environment, resolved in this account. ``found`` is the stack of its name, if any."""

    cloud: CloudStack
    template: Template
    network: Network
    cost: Cost
    found: FoundStack | None
    tags: Mapping[str, str]

    @property
    def environment(self) -> EnvironmentName:
        """Its name."""
        return self.cloud.stack.environment

    def proposal(self, role: str | None) -> Proposal:
        """What its change set is made of."""
        changing = self.found is not None and has_resources(self.found)
        return Proposal(
            cloud=self.cloud,
            template=self.template,
            network=self.network,
            tags=self.tags,
            existing=self.found.id if self.found is not None and changing else None,
            role=role,
        )


def has_resources(found: FoundStack) -> bool:
    """Whether the stack was ever made: one that was only reviewed, or whose create was rolled
    back, holds nothing."""
    return found.status not in (REVIEW_IN_PROGRESS, "ROLLBACK_COMPLETE", "DELETE_COMPLETE")


def plan_in_account(ports: CloudPorts, wish: Wish) -> CloudStack:
    """The environment, with a slug that nobody else in the account has."""
    with ThreadPoolExecutor(max_workers=2) as workers:
        # What fails in it fails again, and is told, where the answer is needed.
        workers.submit(ports.account.prepare)
        caller = workers.submit(ports.account.caller)
        there = ports.account.environments()
        owner = caller.result()
    taken = {
        stack.identity.environment.slug: stack.identity.branch
        for stack in there
        if stack.identity is not None and stack.identity.environment.stack == wish.blueprint.stack
    }
    return plan_offline(ports, wish, owner, taken)


def plan_offline(ports: CloudPorts, wish: Wish, owner: str, taken: Mapping[str, str]) -> CloudStack:
    """The environment, with nothing asked of AWS."""
    ask = CloudAsk(
        agent_sha256=ports.agent_sha256,
        owner=wish.request.owner or owner,
        now=ports.clock.now(),
        taken=taken,
        region=ports.account.region,
        s3_endpoint=ports.s3_endpoint,
        route53_endpoint=ports.route53_endpoint,
    )
    return plan_cloud(wish.blueprint, wish.request, ask)


def draft_of(ports: CloudPorts, wish: Wish) -> Draft:
    """Plan, look for what the account must have, compile, and price it."""
    cloud = plan_in_account(ports, wish)
    account = ports.account
    with ThreadPoolExecutor(max_workers=3) as workers:
        # Three questions that do not wait for each other; each takes a tenth of a second.
        found = workers.submit(account.stack, cloud.name)
        network = workers.submit(account.network, cloud.vpc, cloud.subnets)
        parameters = workers.submit(account.require_parameters, ami_parameters(cloud))
        template = ports.compile(cloud, wish.words)
        stack = found.result()
        refuse_foreign(stack, cloud)
        parameters.result()
        return Draft(
            cloud=cloud,
            template=template,
            network=lasting_network(network.result(), cloud, stack),
            cost=costs_of(cloud, ports.prices()),
            found=stack,
            tags=_tags(account, cloud, stack),
        )


def lasting_network(now: Network, cloud: CloudStack, found: FoundStack | None) -> Network:
    """Where an environment that stands keeps standing.

    Subnets that nobody named are the VPC's own, sorted by ids that mean nothing: a new one could
    come first, and the next update would launch every machine anew in it. Raises RefusedError
    E_AWS_VPC if the blueprint means another VPC now, since machines would move unwaited for.
    """
    if found is None or not has_resources(found):
        return now
    vpc = found.parameters.get("VpcId", now.vpc)
    if vpc != now.vpc:
        raise RefusedError(
            "E_AWS_VPC",
            f"{cloud.stack.environment} stands in {vpc}, and aws.vpc means {now.vpc} now: an "
            "update moves nothing to another VPC",
            hint="take the change back, or destroy the environment and create it anew",
        )
    if cloud.subnets:
        return now
    before = found.parameters.get("SubnetIds", "").split(",")
    kept = tuple(subnet for subnet in before if subnet in now.subnets)
    return replace(now, subnets=kept or now.subnets)


def ami_parameters(cloud: CloudStack) -> tuple[str, ...]:
    """The SSM parameters that the machines' AMIs come from, each once."""
    paths = (machine.ami.parameter for machine in cloud.machines)
    return tuple(dict.fromkeys(path for path in paths if path is not None))


def blobs_of(draft: Draft, agent: Blob) -> tuple[Blob, ...]:
    """What must lie in greenroom's bucket before a machine boots: as many as there are kinds of
    images, however many machines there are."""
    recipes = (recipe_bytes(image) for image in draft.cloud.stack.images)
    return (
        agent,
        *(
            Blob(key=recipe_key(sha256_of(r)), content=r, content_type="application/json")
            for r in recipes
        ),
        *draft.template.blobs,
    )


def refuse_foreign(found: FoundStack | None, cloud: CloudStack) -> None:
    """A stack of that name which greenroom did not make is not touched, whatever it is."""
    if found is None:
        return
    environment = cloud.stack.environment
    if found.identity is None:
        raise RefusedError(
            "E_AWS_NOT_OURS",
            f"there is a CloudFormation stack {found.name} in {cloud.region} that greenroom did "
            f"not make: it has no tag greenroom:environment ({found.id})",
            hint=_way_past(found, cloud),
        )
    if found.identity.environment != environment:
        raise RefusedError(
            "E_AWS_NOT_OURS",
            f"the CloudFormation stack {found.name} in {cloud.region} is that of "
            f"{found.identity.environment}, not of {environment} ({found.id})",
            hint="take another branch name",
        )


def _way_past(found: FoundStack, cloud: CloudStack) -> str:
    if found.status == REVIEW_IN_PROGRESS:
        return (
            "it holds nothing and waits for somebody's change set; if nobody wants it: "
            f"aws cloudformation delete-stack --region {cloud.region} --stack-name {found.name}"
        )
    return f"remove it, or take another branch name than {cloud.stack.branch}"


def parse_usd(text: str) -> Decimal:
    """An amount of money as somebody wrote it; raises UsageError."""
    try:
        amount = Decimal(text.removeprefix("$"))
    except ArithmeticError:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise UsageError(
            "E_USAGE",
            f"--max-cost-usd-per-day {text!r} is not an amount of dollars",
            hint="for example --max-cost-usd-per-day 12.50",
        )
    return amount


def _tags(account: CloudAccount, cloud: CloudStack, found: FoundStack | None) -> Mapping[str, str]:
    """An update keeps whose the environment is and until when: changed tags would be a change of
    every resource."""
    tags = dict(account.stack_tags(cloud))
    if found is not None and has_resources(found):
        tags |= {key: found.tags[key] for key in _LASTING if key in found.tags}
    return tags


_LASTING = ("greenroom:owner", "greenroom:expires")
