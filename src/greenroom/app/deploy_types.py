"""The refusal of a deploy that no machine could do, here and on AWS (pure)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from greenroom.blueprint.nearest import unknown
from greenroom.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Without:
    """What is said where there is nothing to deploy. ``of_type`` goes on after a machine type's
    name, ``anywhere`` stands alone; ``remedy`` follows the advice to declare a deploy."""

    of_type: str
    anywhere: str
    remedy: str


def refuse_undeployable(
    environment: str,
    types: Collection[str],
    *,
    known: Collection[str],
    deploying: Collection[str],
    without: Without,
) -> None:
    """Refuse machine types (none: all) that the environment does not have, or that deploy nothing.

    ``known`` and ``deploying`` are the environment's types. Raises InputError E_MACHINE_TYPE or
    E_NOTHING_TO_DEPLOY.
    """
    for each in types:
        if each not in known:
            raise InputError(
                "E_MACHINE_TYPE",
                f"{environment}: {unknown('machine type', each, known)}",
                hint=f"machine types of {environment}: {', '.join(sorted(known))}",
            )
    idle = [each for each in types if each not in deploying]
    if idle or not deploying:
        what = f"machine type {idle[0]!r} {without.of_type}" if idle else without.anywhere
        raise InputError(
            "E_NOTHING_TO_DEPLOY",
            f"{environment}: {what}",
            hint=f"machine types that deploy: {', '.join(sorted(deploying))}"
            if deploying
            else f"give a machine type a 'deploy' in the blueprint, and {without.remedy}",
        )
