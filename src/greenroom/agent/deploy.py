"""Bringing code: the branch's artifact or the default's, checked, unpacked beside, then switched.

`<directory>/current` is a link into `releases/`; it changes by one rename, or not at all.
"""

from __future__ import annotations

import os

from .bucket import Bucket, DeniedError, Fetched
from .errors import AgentError
from .kept import link_kept
from .unpack import unpack
from .value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from .account import Account
    from .config import Deploy
    from .paths import Paths
    from .progress import Progress

RELEASES_KEPT = 3
INCOMING = ".incoming-"


class Deployed(Value):
    """``previous`` is where `current` led before, or None."""

    key: str
    sha256: str
    fallback: bool
    previous: str | None

    def document(self) -> dict[str, object]:
        """As the signal carries it."""
        return {"key": self.key, "sha256": self.sha256, "fallback": self.fallback}


def deploy(
    config: Deploy, branch: str, paths: Paths, progress: Progress, account: Account | None = None
) -> Deployed | None:
    """Switch `current` to the artifact; None in developer mode. Raises AgentError.

    A failure leaves `current` as it was, and nothing half done beside it.
    """
    directory = paths.at(config.directory)
    if config.mounted:
        progress.notice(f"the code is mounted at {config.directory}/current: skipping deploy")
        return None
    os.makedirs(f"{directory}/releases", exist_ok=True)
    _sweep(directory)
    bucket = Bucket(url=config.bucket_url, account=account)
    incoming = f"{directory}/{INCOMING}{os.urandom(4).hex()}"
    os.mkdir(incoming, 0o700)
    try:
        key, fetched = _fetch(bucket, config.keys, branch, f"{incoming}/artifact", progress)
        release = f"releases/{fetched.sha256[:12]}"
        if not os.path.isdir(f"{directory}/{release}"):
            progress.doing(f"deploy: unpacking {key}")
            unpack(f"{incoming}/artifact", f"{incoming}/release", key)
            link_kept(config.keep, directory, f"{incoming}/release", key)
            os.rename(f"{incoming}/release", f"{directory}/{release}")
        previous = switch(directory, release)
    finally:
        _sweep(directory)
    prune(directory)
    fallback = key != config.keys[0]
    return Deployed(key=key, sha256=fetched.sha256, fallback=fallback, previous=previous)


def kept_release(config: Deploy, paths: Paths) -> str | None:
    """The release that this machine ran when it ended, if it boots again; else None.

    It is what was deployed last. The bucket may hold another artifact by now, which nobody asked
    to have deployed.
    """
    current = f"{paths.at(config.directory)}/current"
    if config.mounted or not os.path.islink(current) or not os.path.isdir(current):
        return None
    return os.path.basename(os.readlink(current))


def _fetch(
    bucket: Bucket, keys: tuple[str, ...], branch: str, path: str, progress: Progress
) -> tuple[str, Fetched]:
    """The first artifact that exists, with the checksum that stands beside it.

    S3 may deny what is not there, so a denied artifact gives way to the next as a missing one
    does, and both are told as what they are.
    """
    denied: DeniedError | None = None
    for key in keys:
        progress.doing(f"deploy: fetching {key}")
        try:
            fetched = bucket.fetch(key, path)
        except DeniedError as error:
            denied, fetched = denied or error, None
        if fetched is not None:
            _verify(bucket, key, fetched.sha256)
            if key != keys[0]:
                seen = "" if denied is None else " that this machine may read (S3 answered 403)"
                progress.notice(f"no artifact for branch {branch}{seen}: using {key}")
            return key, fetched
    if denied is not None:
        raise AgentError(f"no artifact: {denied}")
    raise AgentError(no_artifact(keys, bucket.name))


def no_artifact(keys: tuple[str, ...], bucket: str) -> str:
    """The reason when there is nothing to deploy (pure)."""
    if len(keys) == 1:
        return f"no artifact: {keys[0]} is not in bucket {bucket!r}"
    listed = " nor ".join([", ".join(keys[:-1]), keys[-1]])
    return f"no artifact: neither {listed} is in bucket {bucket!r}"


def _verify(bucket: Bucket, key: str, sha256: str) -> None:
    content = bucket.read(f"{key}.sha256")
    if content is None:
        raise AgentError(
            f"{key} has no checksum: {key}.sha256 is not in bucket {bucket.name!r} "
            f"(make it with sha256sum)"
        )
    words = content.decode("utf-8", "replace").split()
    wanted = words[0].lower() if words else ""
    if len(wanted) != 64 or not all(c in "0123456789abcdef" for c in wanted):
        raise AgentError(f"{key}.sha256 does not begin with a sha256 of 64 hex digits")
    if wanted != sha256:
        raise AgentError(f"{key}: sha256 is {sha256}, {key}.sha256 says {wanted}")


def switch(directory: str, release: str) -> str | None:
    """Let `current` lead to ``release`` from one moment to the next; where it led before."""
    current, fresh = f"{directory}/current", f"{directory}/current.new"
    previous = os.readlink(current) if os.path.islink(current) else None
    if previous is None and os.path.lexists(current):
        raise AgentError(f"{current} is in the way: it is a directory, not a link to a release")
    if os.path.lexists(fresh):
        os.unlink(fresh)
    os.symlink(release, fresh)
    os.replace(fresh, current)
    os.utime(f"{directory}/{release}")  # the order of use, for pruning
    return previous


def _sweep(directory: str) -> None:
    """Remove what a deploy left that failed or was killed."""
    for name in os.listdir(directory):
        if name.startswith(INCOMING):
            _remove(f"{directory}/{name}")


def prune(directory: str) -> None:
    """Keep the releases that were used last; `current` is the last of all."""
    releases = [f"{directory}/releases/{name}" for name in os.listdir(f"{directory}/releases")]
    # The one in use is kept even if the clock was set back since the others were.
    used = f"{directory}/{os.readlink(f'{directory}/current')}"
    releases.sort(key=lambda path: (path != used, -os.stat(path).st_mtime_ns))
    for path in releases[RELEASES_KEPT:]:
        _remove(path)


def _remove(path: str) -> None:
    from shutil import rmtree

    rmtree(path)
