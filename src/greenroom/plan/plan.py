"""A blueprint and a request to a Stack: the decision that everything else renders or applies."""

from __future__ import annotations

from dataclasses import replace

from greenroom.blueprint.schema import Blueprint
from greenroom.model.names import SHARED_SLUG, EnvironmentName
from greenroom.model.requests import CreateRequest
from greenroom.model.stack import Bucket, Stack
from greenroom.plan.allocation import Allocation
from greenroom.plan.groups import security_groups
from greenroom.plan.images import image_of
from greenroom.plan.lifetimes import lifetime_of
from greenroom.plan.machines import Site, drills_of, machines_of
from greenroom.plan.place import LocalPlace, Place
from greenroom.plan.selection import Selection, select
from greenroom.plan.slugs import slug_of

__all__ = ["Allocation", "plan"]


def plan(blueprint: Blueprint, request: CreateRequest, allocation: Allocation) -> Stack:
    """The environment that ``request`` asks for, fully resolved, in the region of this host.

    Pure: the same three values give the same Stack. Raises InputError for a request that does not
    fit the blueprint; ``request.blueprint`` is not read, ``blueprint`` is what stands there.
    """
    environment = environment_of(blueprint, request, allocation)
    selection = select(blueprint, request)
    stack, site = resolve(
        blueprint, request, allocation, environment=environment, selection=selection, place=_HERE
    )
    return replace(stack, drills=drills_of(site, stack.machines))


_HERE = LocalPlace()


def environment_of(
    blueprint: Blueprint, request: CreateRequest, allocation: Allocation
) -> EnvironmentName:
    """The name of the environment that is asked for; raises InputError E_BRANCH."""
    slug = SHARED_SLUG if request.shared else slug_of(_branch(blueprint, request), allocation.taken)
    return EnvironmentName(blueprint.stack, slug)


def resolve(
    blueprint: Blueprint,
    request: CreateRequest,
    allocation: Allocation,
    *,
    environment: EnvironmentName,
    selection: Selection,
    place: Place,
) -> tuple[Stack, Site]:
    """The Stack without drills, and what all its machines have in common."""
    shared = bool(request.shared)
    branch = _branch(blueprint, request)
    groups = security_groups(blueprint, selection.counts, branch, shared=shared)
    site = Site(
        blueprint=blueprint,
        selection=selection,
        allocation=allocation,
        environment=environment,
        branch=branch,
        domain=domain_of(blueprint, environment),
        groups={group.name: group for group in groups},
        place=place,
    )
    machines = machines_of(site)
    booted = {machine.image for machine in machines}
    folder = blueprint.path.parent
    production = branch == blueprint.default_branch and not shared
    stack = Stack(
        environment=environment,
        branch=branch,
        default_branch=blueprint.default_branch,
        production=production,
        domain=site.domain,
        subnet=allocation.subnet,
        groups=groups,
        images=tuple(image_of(blueprint, name) for name in blueprint.images if name in booted),
        machines=machines,
        drills=(),
        buckets=tuple(
            Bucket(name=name, path=folder / spec.path) for name, spec in blueprint.buckets.items()
        ),
        blueprint_path=blueprint.path,
        shared=shared,
        lifetime=lifetime_of(blueprint, request, lasting=production or shared),
    )
    return stack, site


def domain_of(blueprint: Blueprint, environment: EnvironmentName) -> str:
    """What ends every name in the environment."""
    return f"{environment.slug}.{blueprint.zone}"


def _branch(blueprint: Blueprint, request: CreateRequest) -> str:
    return blueprint.default_branch if request.branch is None else request.branch
