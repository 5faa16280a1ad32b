"""What has to be there before a Stack is made: room, code, mounts and extracts."""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.errors import InputError
from greenroom.model.stack import Bucket, Machine, RestoreMode, Stack
from greenroom.providers.local import images, space, volumes
from greenroom.providers.local.layout import Layout
from greenroom.providers.local.mounts import require_mount
from greenroom.providers.local.services import object_path

_MACHINE_BYTES = 32 * 1024**2
"""What a machine writes at its boot, logs included: measured 13 MB with a database's clone."""


def require_inputs(layout: Layout, stack: Stack) -> None:
    """Refuse what cannot be made; raises InputError and HostError as ``Provider.check_inputs``."""
    # Before anything is looked for in it: a pool that failed is told as that.
    space.require_room(layout, 0)
    space.require_room(layout, _needed_bytes(layout, stack))
    for machine in stack.machines:
        require_artifacts(stack, machine)
        require_mount(machine)
        volume = machine.volume
        if volume is not None and volume.mode is not RestoreMode.EMPTY:
            volumes.manifest_path(stack, volume)


def require_artifacts(stack: Stack, machine: Machine) -> None:
    """The machine's code, and the manifests that Puppet applies on it; raises InputError
    E_ARTIFACT_MISSING, E_ARTIFACT_CHECKSUM."""
    puppet = machine.provision.puppet if machine.provision else None
    if puppet is not None:
        _require_artifact(stack, machine, puppet.bucket, (puppet.key,))
    if machine.deploy is not None and machine.mount is None:
        _require_artifact(stack, machine, machine.deploy.bucket, machine.deploy.keys)


def bucket_of(stack: Stack, name: str) -> Bucket:
    """The Stack's bucket of that name."""
    return next(bucket for bucket in stack.buckets if bucket.name == name)


def _needed_bytes(layout: Layout, stack: Stack) -> int:
    """About what a create adds to the pool; a clone shares its blocks with its golden one."""
    unpacked = sum(images.bytes_to_unpack(layout, image) for image in stack.images)
    return unpacked + _MACHINE_BYTES * len(stack.machines)


def _require_artifact(
    stack: Stack, machine: Machine, bucket_name: str, keys: Sequence[str]
) -> None:
    bucket = bucket_of(stack, bucket_name)
    found = next((key for key in keys if object_path(bucket.path, key) is not None), None)
    if found is not None and object_path(bucket.path, f"{found}.sha256") is None:
        raise InputError(
            "E_ARTIFACT_CHECKSUM",
            f"{machine.type}: {found} in bucket {bucket.name} has no checksum beside it",
            hint=f"in {bucket.path}: sha256sum {found} > {found}.sha256",
        )
    if found is None:
        raise InputError(
            "E_ARTIFACT_MISSING",
            f"{machine.type}: none of {', '.join(keys)} is in bucket {bucket.name} ({bucket.path})",
            hint="build the artifact and put it there, with its .sha256 beside it",
        )
