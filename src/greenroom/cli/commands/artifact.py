"""``greenroom artifact``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from greenroom.cli.options import file_option, json_option
from greenroom.cli.request import blueprint_path
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import clean, count, size

if TYPE_CHECKING:
    from greenroom.app.artifacts import Pushed
    from greenroom.blueprint.schema import Blueprint
    from greenroom.plan.artifacts import ArtifactTarget
    from greenroom.ports import ArtifactStore

DIGEST_COLUMNS = 12


@click.group("artifact")
def artifact() -> None:
    """Push the code that machines deploy."""


@artifact.command("push")
@click.argument("machine_type", metavar="TYPE")
@click.argument("path", metavar="PATH")
@click.option("--branch", help="The branch [default: the blueprint's default branch].")
@click.option(
    "--provider",
    type=click.Choice(["local", "aws"]),
    envvar="GREENROOM_PROVIDER",
    default="local",
    help="Where the bucket is: a folder beside the blueprint, or S3 [default: local].",
)
@click.option("--region", help="The AWS region [default: AWS_REGION, then the blueprint's].")
@click.option("--profile", help="The AWS profile [default: AWS_PROFILE, then boto3's chain].")
@file_option
@json_option
def push(
    machine_type: str,
    path: str,
    branch: str | None,
    provider: str,
    region: str | None,
    profile: str | None,
    file: str | None,
    as_json: bool,
) -> None:
    """Push a folder, or a ready .tar.gz, as the code that TYPE deploys for a branch.

    It goes to the bucket that the blueprint names, with its checksum beside it; machines deploy it
    from then on. The same files give the same archive.

    \b
      greenroom artifact push backend ./dist --branch feature_x
    """
    from greenroom.app.artifacts import push_artifact
    from greenroom.blueprint.parse import load_blueprint
    from greenroom.plan.artifacts import artifact_target

    blueprint = load_blueprint(blueprint_path(file))
    target = artifact_target(blueprint, machine_type, branch)
    source = Path(path).expanduser()
    if provider == "aws":
        store = _s3(blueprint, target, region, profile)
    else:
        store = _folder(blueprint, target)
    pushed = push_artifact(source, target.key, store)
    if as_json:
        say_json(_document(target, pushed))
        return
    say(
        f"pushed {clean(pushed.key)} to {clean(pushed.place)}: {count(pushed.files, 'file')}, "
        f"{size(pushed.bytes)}, sha256 {pushed.sha256[:DIGEST_COLUMNS]}"
    )
    paint = Paint(sys.stdout)
    say(
        f"{paint('dim', '→')} greenroom create boots machines that deploy it; where they run "
        "already, greenroom deploy does"
    )


def _folder(blueprint: Blueprint, target: ArtifactTarget) -> ArtifactStore:
    from greenroom.providers.local.artifacts import LocalArtifacts

    return LocalArtifacts(blueprint.path.parent / blueprint.buckets[target.bucket].path)


def _s3(
    blueprint: Blueprint, target: ArtifactTarget, region: str | None, profile: str | None
) -> ArtifactStore:
    from greenroom.plan.cloud import aws_section, s3_name
    from greenroom.providers.aws.artifacts import S3Artifacts
    from greenroom.providers.aws.session import Access, Account

    spec = aws_section(blueprint)
    bucket = s3_name(spec, target.bucket, target.machine_type)
    meant = region or os.environ.get("AWS_REGION") or spec.region
    return S3Artifacts(Account(Access(region=meant, profile=profile)), bucket)


def _document(target: ArtifactTarget, pushed: Pushed) -> dict[str, object]:
    return {
        "machine_type": target.machine_type,
        "branch": target.branch,
        "bucket": target.bucket,
        "key": pushed.key,
        "place": pushed.place,
        "sha256": pushed.sha256,
        "bytes": pushed.bytes,
        "files": pushed.files,
    }
