"""Session Manager's agent, by which people get a shell and logs: Debian's AMIs come without it
(Systems Manager User Guide, "Manually installing SSM Agent on Debian Server instances")."""

from __future__ import annotations

import os

from .command import run
from .errors import AgentError
from .fetch import FetchError, download
from .recipe import FOLDER
from .systemd_units import systemd_runs
from .value import TYPE_CHECKING

if TYPE_CHECKING:
    from .aws_config import Aws
    from .paths import Paths
    from .progress import Progress

INSTALLED = ("/usr/bin/amazon-ssm-agent", "/snap/bin/amazon-ssm-agent")
PACKAGE_BYTES = 256 * 1024 * 1024
INSTALL_S = 300.0
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def install_session_manager(aws: Aws, paths: Paths, progress: Progress) -> None:
    """Have it run, if systemd is there to run it. The machine does its work without it, so a
    failure is told and ends nothing."""
    if not systemd_runs(paths) or any(os.path.exists(paths.at(path)) for path in INSTALLED):
        return
    progress.doing("image: installing Session Manager's agent")
    package = paths.at("/opt/greenroom/amazon-ssm-agent.deb")
    try:
        _fetch(package_url(aws, os.uname().machine), package)
        done = run(["dpkg", "--install", package], timeout_s=INSTALL_S)
        if done.code != 0:
            raise AgentError(f"dpkg failed ({done.code}): {done.said[-300:]}")
    except AgentError as error:
        progress.notice(f"no shell by Session Manager on this machine: {error}")
    finally:
        if os.path.exists(package):
            os.unlink(package)


def package_url(aws: Aws, machine: str) -> str:
    """Where AWS keeps it for this region, in the S3 that our own bucket is in (pure)."""
    bucket_url = aws.image.url.rpartition(FOLDER)[0]
    s3_url = bucket_url.rpartition("/")[0]
    architecture = ARCHITECTURES.get(machine, machine)
    folder = f"amazon-ssm-{aws.region}/latest/debian_{architecture}"
    return f"{s3_url}/{folder}/amazon-ssm-agent.deb"


def _fetch(url: str, path: str) -> None:
    """Without a signature: the bucket is public, and our role does not name it."""
    with open(path, "wb") as file:
        got = download(url, file, limit_bytes=PACKAGE_BYTES)
    if got.status != 200:
        raise FetchError(f"GET {url} answered {got.status}")
