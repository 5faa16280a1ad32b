"""A blueprint and a request to a Stack: the decision that everything else renders or applies."""

from __future__ import annotations

from greenroom.blueprint.schema import Blueprint
from greenroom.model.names import SHARED_SLUG, EnvironmentName
from greenroom.model.requests import CreateRequest
from greenroom.model.stack import Bucket, Stack
from greenroom.plan.allocation import Allocation
from greenroom.plan.groups import security_groups
from greenroom.plan.images import image_of
from greenroom.plan.machines import Site, drills_of, machines_of
from greenroom.plan.selection import select
from greenroom.plan.slugs import slug_of

__all__ = ["Allocation", "plan"]


def plan(blueprint: Blueprint, request: CreateRequest, allocation: Allocation) -> Stack:
    """The environment that ``request`` asks for, fully resolved.

    Pure: the same three values give the same Stack. Raises InputError for a request that does not
    fit the blueprint; ``request.blueprint`` is not read, ``blueprint`` is what stands there.
    """
    shared = bool(request.shared)
    branch = blueprint.default_branch if request.branch is None else request.branch
    slug = SHARED_SLUG if shared else slug_of(branch, allocation.taken)
    environment = EnvironmentName(blueprint.stack, slug)
    selection = select(blueprint, request)
    groups = security_groups(blueprint, selection.counts, branch, shared=shared)
    site = Site(
        blueprint=blueprint,
        selection=selection,
        allocation=allocation,
        environment=environment,
        branch=branch,
        domain=f"{environment.slug}.{blueprint.zone}",
        groups={group.name: group for group in groups},
    )
    machines = machines_of(site)
    booted = {machine.image for machine in machines}
    folder = blueprint.path.parent
    return Stack(
        environment=environment,
        branch=branch,
        default_branch=blueprint.default_branch,
        production=branch == blueprint.default_branch and not shared,
        domain=site.domain,
        subnet=allocation.subnet,
        groups=groups,
        images=tuple(image_of(blueprint, name) for name in blueprint.images if name in booted),
        machines=machines,
        drills=drills_of(site, machines),
        buckets=tuple(
            Bucket(name=name, path=folder / spec.path) for name, spec in blueprint.buckets.items()
        ),
        blueprint_path=blueprint.path,
        shared=shared,
    )
