"""``greenroom artifact``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from greenroom.cli.clicked import decorated
from greenroom.cli.options import file_option, json_option
from greenroom.cli.provider import PROFILE, PROVIDER, REGION, on_aws, refuse_aws_options
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
@decorated(PROVIDER)
@decorated(REGION)
@decorated(PROFILE)
@file_option
@json_option
def push(
    machine_type: str,
    path: str,
    branch: str | None,
    provider: str | None,
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
    there = on_aws(provider)
    if there:
        store = _s3(blueprint, target, region, profile)
    else:
        refuse_aws_options({"region": region, "profile": profile})
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
    where = " --provider aws" if there else ""
    say(
        f"{paint('dim', '→')} greenroom create{where} boots machines that deploy it; where they "
        f"run already, greenroom deploy{where} ENV does"
    )


def _folder(blueprint: Blueprint, target: ArtifactTarget) -> ArtifactStore:
    from greenroom.providers.local.artifacts import LocalArtifacts

    return LocalArtifacts(blueprint.path.parent / blueprint.buckets[target.bucket].path)


def _s3(
    blueprint: Blueprint, target: ArtifactTarget, region: str | None, profile: str | None
) -> ArtifactStore:
    from greenroom.cloud import access_of
    from greenroom.plan.cloud import aws_section, s3_name
    from greenroom.providers.aws.artifacts import S3Artifacts
    from greenroom.providers.aws.session import Account

    spec = aws_section(blueprint)
    bucket = s3_name(spec, target.bucket, target.machine_type)
    return S3Artifacts(Account(access_of(region, profile, spec.region)), bucket)


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
