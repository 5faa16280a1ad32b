"""What an environment on AWS takes from the account, looked for before anything is made: as the
door of this host looks for artifacts and manifests.

What one may not look at is told and left to the machines, which have rights of their own. The
number of questions grows with machine types and images, not with machines.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from greenroom.app.cloud.draft import CloudPorts, Draft
from greenroom.cloud_ports import CloudAccount, Template
from greenroom.errors import InputError, RefusedError
from greenroom.model.cloud import CloudMachine, CloudStack
from greenroom.model.cloud_account import Change, ChangeKind
from greenroom.model.stack import Deploy, Machine, Puppet, RestoreMode

ROOT_DEVICE = "/dev/xvda"
"""The root device that templates give its size and encryption."""

_CONDITION = "AWS::CloudFormation::WaitCondition"
_TOGETHER = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One thing to look for: ``subject`` in words; ``ask`` raises what is wrong with it, and
    returns what is worth telling, or None."""

    subject: str
    ask: Callable[[], str | None]


def look_for_inputs(
    ports: CloudPorts, draft: Draft, booting: Collection[str] | None = None
) -> None:
    """Refuse what is missing of all that machines need as they boot; ``booting`` are those that
    will, None: all of them. Raises InputError."""
    if booting is None:
        names: Collection[str] = {machine.name for machine in draft.cloud.machines}
    else:
        names = booting
    looks = list(_looks(ports.account, draft, names))
    unseen: list[str] = []
    hint = ""
    with ThreadPoolExecutor(max_workers=_TOGETHER) as workers:
        asked = [(look.subject, workers.submit(look.ask)) for look in looks]
        for subject, answer in asked:
            try:
                notice = answer.result()
            except RefusedError as error:
                if error.code != "E_AWS_DENIED":
                    raise
                unseen.append(subject)
                hint = hint or error.hint
            else:
                if notice is not None:
                    ports.telling.notice(notice)
    if unseen:
        ports.telling.notice(f"could not look for {', '.join(unseen)}: {hint}")


def booting_anew(template: Template, changes: Sequence[Change]) -> frozenset[str]:
    """The machines that an update boots: each comes with a wait condition of its own, whose name
    is a hash of all that it boots from."""
    conditions = (c for c in changes if c.type == _CONDITION and c.kind is ChangeKind.ADD)
    machines = (template.machine_of(condition.logical_id) for condition in conditions)
    return frozenset(machine for machine in machines if machine is not None)


def _looks(account: CloudAccount, draft: Draft, names: Collection[str]) -> Iterator[_Look]:
    """What is wrong with a bucket is told before what is not in it."""
    if not names:
        return
    cloud = draft.cloud
    machines = [machine for machine in cloud.machines if machine.name in names]
    of_stack = [machine for machine in cloud.stack.machines if machine.name in names]
    yield from _bucket_looks(account, cloud)
    vpc = draft.network.vpc
    yield _Look(subject=f"the DNS of {vpc}", ask=partial(account.require_dns, vpc))
    yield from _image_looks(account, machines)
    yield from _snapshot_looks(account, machines)
    yield from _artifact_looks(account, cloud, of_stack)
    yield from _manifest_looks(account, cloud, of_stack)


def _bucket_looks(account: CloudAccount, cloud: CloudStack) -> Iterator[_Look]:
    settings = {cloud.bucket: "aws.bucket"}
    for name, bucket in cloud.buckets:
        settings.setdefault(bucket, f"aws.buckets.{name}")
    for bucket, setting in settings.items():
        yield _Look(
            subject=f"s3://{bucket}",
            ask=partial(account.require_bucket, bucket, setting),
        )


def _image_looks(account: CloudAccount, machines: list[CloudMachine]) -> Iterator[_Look]:
    for ami in dict.fromkeys(m.ami.id for m in machines if m.ami.id is not None):
        yield _Look(subject=ami, ask=partial(_look_at_ami, account, ami))


def _look_at_ami(account: CloudAccount, ami: str) -> str | None:
    device = account.root_device(ami)
    if device == ROOT_DEVICE:
        return None
    return (
        f"the root device of {ami} is {device or 'not told'}, not {ROOT_DEVICE}: it keeps its own "
        "size and encryption, and instances get a second disk; name an AMI whose root device is "
        f"{ROOT_DEVICE} in images.NAME.ami"
    )


def _snapshot_looks(account: CloudAccount, machines: list[CloudMachine]) -> Iterator[_Look]:
    volumes = (m.volume for m in machines if m.volume is not None)
    for snapshot in dict.fromkeys(v.snapshot for v in volumes if v.snapshot is not None):
        yield _Look(subject=snapshot, ask=partial(account.require_snapshot, snapshot))


def _artifact_looks(
    account: CloudAccount, cloud: CloudStack, machines: list[Machine]
) -> Iterator[_Look]:
    buckets = dict(cloud.buckets)
    for machine_type, puppet in {m.type: _puppet(m) for m in machines}.items():
        if puppet is not None:
            bucket = buckets[puppet.bucket]
            yield _Look(
                subject=f"the manifests of {machine_type} in s3://{bucket}",
                ask=partial(_look_at_manifests, account, machine_type, puppet, bucket),
            )
    for machine_type, deploy in {m.type: m.deploy for m in machines}.items():
        if deploy is not None:
            bucket = buckets[deploy.bucket]
            yield _Look(
                subject=f"the artifact of {machine_type} in s3://{bucket}",
                ask=partial(
                    _look_at_artifact, account, machine_type, deploy, bucket, cloud.stack.branch
                ),
            )


def _puppet(machine: Machine) -> Puppet | None:
    return None if machine.provision is None else machine.provision.puppet


def _look_at_manifests(
    account: CloudAccount, machine_type: str, puppet: Puppet, bucket: str
) -> None:
    for key in (puppet.key, f"{puppet.key}.sha256"):
        if not account.has_object(bucket, key):
            raise InputError(
                "E_ARTIFACT_MISSING",
                f"{machine_type}: {key}, which Puppet is to apply, is not in s3://{bucket}",
                hint="put the archive of the manifests there, with its .sha256 beside it",
            )


def _look_at_artifact(
    account: CloudAccount, machine_type: str, deploy: Deploy, bucket: str, branch: str
) -> str | None:
    """As machines do: the first key that is there counts, with the checksum beside it."""
    found = next((key for key in deploy.keys if account.has_object(bucket, key)), None)
    # A blueprint whose branches share an artifact takes no --branch, and the default needs none.
    of_branch = f" --branch {shlex.quote(branch)}" if len(deploy.keys) > 1 else ""
    push = f"greenroom artifact push {machine_type} PATH{of_branch} --provider aws"
    if found is None:
        raise InputError(
            "E_ARTIFACT_MISSING",
            f"{machine_type}: none of {', '.join(deploy.keys)} is in s3://{bucket}",
            hint=f"push the folder that holds the code: {push}",
        )
    if not account.has_object(bucket, f"{found}.sha256"):
        raise InputError(
            "E_ARTIFACT_CHECKSUM",
            f"{machine_type}: {found} in s3://{bucket} has no checksum beside it ({found}.sha256)",
            hint=f"push it again, which writes both: {push}",
        )
    if found == deploy.keys[0]:
        return None
    return f"{machine_type}: no artifact for branch {branch} in s3://{bucket}: using {found}"


def _manifest_looks(
    account: CloudAccount, cloud: CloudStack, machines: list[Machine]
) -> Iterator[_Look]:
    """Only who restores from files needs one: a snapshot's rows are counted, not compared."""
    buckets = dict(cloud.buckets)
    wanted: dict[tuple[str, str], str] = {}
    for machine in machines:
        volume = machine.volume
        if volume is None or volume.mode is not RestoreMode.COLD:
            continue
        if volume.bucket is not None and volume.manifest_key is not None:
            wanted.setdefault((buckets[volume.bucket], volume.manifest_key), machine.type)
    for (bucket, key), machine_type in wanted.items():
        yield _Look(
            subject=f"s3://{bucket}/{key}",
            ask=partial(_look_at_manifest, account, bucket, key, machine_type),
        )


def _look_at_manifest(account: CloudAccount, bucket: str, key: str, machine_type: str) -> None:
    if not account.has_object(bucket, key):
        folder = key.rpartition("/")[0]
        raise InputError(
            "E_EXTRACT_MISSING",
            f"{machine_type}: the restore's manifest {key} is not in s3://{bucket}",
            hint=f"put the extract there with its files: aws s3 sync FOLDER "
            f"s3://{bucket}/{folder}; or boot without data: --restore {machine_type}=none",
        )
