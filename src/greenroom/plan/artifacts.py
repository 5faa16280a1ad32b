"""Where a branch's artifact of a machine type lies: decided by the blueprint alone."""

from __future__ import annotations

from dataclasses import dataclass

from greenroom.blueprint.fields import shown
from greenroom.blueprint.nearest import unknown
from greenroom.blueprint.schema import Blueprint, DeploySpec
from greenroom.errors import InputError
from greenroom.plan.selection import types_by_alias
from greenroom.plan.slugs import check_branch

_PLACEHOLDER = "{branch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactTarget:
    """An object to be: ``bucket`` is the blueprint's name, ``branch`` the raw one."""

    machine_type: str
    branch: str
    bucket: str
    key: str


def artifact_target(blueprint: Blueprint, name: str, branch: str | None) -> ArtifactTarget:
    """Where the artifact of the machine type ``name`` (or alias) belongs; ``branch`` None is the
    default one.

    Raises InputError for a type that is unknown or deploys nothing, and for a branch that cannot
    name an object of the bucket, or that nothing would deploy.
    """
    machine_type = types_by_alias(blueprint).get(name, name)
    deploy = _deploy_of(blueprint, machine_type)
    if branch is not None:
        _refuse_useless(blueprint, machine_type, deploy, branch)
    meant = check_branch(blueprint.default_branch if branch is None else branch)
    return ArtifactTarget(
        machine_type=machine_type,
        branch=meant,
        bucket=deploy.bucket,
        key=artifact_key(deploy.artifact, meant),
    )


def artifact_key(artifact: str, branch: str) -> str:
    """The object's key; raises InputError E_BRANCH if the branch would lead it elsewhere."""
    key = artifact.replace(_PLACEHOLDER, branch)
    # Git refuses such branches too; here they would name another folder than the bucket's.
    if any(part in ("", ".", "..") for part in key.split("/")):
        raise InputError(
            "E_BRANCH",
            f"the artifact's key {shown(key)} would leave its place in the bucket",
            hint="give the branch a name without '..' and empty parts",
        )
    return key


def _deploy_of(blueprint: Blueprint, machine_type: str) -> DeploySpec:
    with_code = [name for name, spec in blueprint.machines.items() if spec.deploy]
    listed = ", ".join(with_code)
    if machine_type not in blueprint.machines:
        known = (*blueprint.machines, *types_by_alias(blueprint))
        raise InputError(
            "E_MACHINE_TYPE",
            unknown("machine type", machine_type, known),
            hint=f"machine types of {blueprint.stack} that deploy: {listed or 'none'}",
        )
    deploy = blueprint.machines[machine_type].deploy
    if deploy is None:
        raise InputError(
            "E_NOTHING_TO_DEPLOY",
            f"the machine type {machine_type!r} has nothing to deploy",
            hint=f"machine types that deploy: {listed}"
            if with_code
            else "give a machine type a 'deploy' in the blueprint",
        )
    return deploy


def _refuse_useless(
    blueprint: Blueprint, machine_type: str, deploy: DeploySpec, branch: str
) -> None:
    if _PLACEHOLDER not in deploy.artifact:
        raise InputError(
            "E_BRANCH",
            f"--branch {shown(branch)}: every branch deploys the same artifact "
            f"{deploy.artifact!r} of {machine_type!r}",
            hint="leave --branch out to push it for all of them, or write {branch} into "
            f"machines.{machine_type}.deploy.artifact",
        )
    if blueprint.machines[machine_type].shared and branch != blueprint.default_branch:
        raise InputError(
            "E_BRANCH",
            f"--branch {shown(branch)}: the machine type {machine_type!r} is shared and deploys "
            f"the default branch's artifact",
            hint="leave --branch out",
        )
