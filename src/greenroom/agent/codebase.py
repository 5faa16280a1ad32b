"""What Puppet's `deploy_codebase` calls: the agent's own deploy, told by a manifest."""

from __future__ import annotations

import os

from .bucket import Bucket, DeniedError
from .config import Deploy, account_of, parse_boot, read_boot
from .errors import AgentError
from .facts import read_file, write_file
from .quick_json import dumps, loads
from .value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from .config import Boot
    from .paths import Paths

RECORDS = "/var/lib/greenroom/codebase"


class Brought(Value):
    """What `deploy_codebase` has put into a directory last; ``release`` is what `current` leads
    to."""

    key: str
    sha256: str
    fallback: bool
    release: str
    notices: list[str]


def deploy_codebase(bucket: str, filename: str, directory: str, paths: Paths) -> int:
    """Fetch, verify, unpack and switch, as the agent does by itself; the exit code."""
    from .deploy import deploy
    from .progress import Progress

    config = parse_boot(read_boot(paths.boot))
    progress = Progress(paths.phase, quiet=True)
    target = _target(config, bucket, filename, directory)
    deployed = deploy(target, config.branch, paths, progress, account_of(config, paths))
    if deployed is not None:
        record = {
            "key": deployed.key,
            "sha256": deployed.sha256,
            "fallback": deployed.fallback,
            "release": released(directory, paths) or "",
            "notices": progress.notices,
        }
        write_file(_record(directory, paths), dumps(record) + "\n")
    return 0


def is_current(bucket: str, filename: str, directory: str, paths: Paths) -> int:
    """0 if what would be fetched is what `current` leads to, else 1."""
    config = parse_boot(read_boot(paths.boot))
    target = _target(config, bucket, filename, directory)
    found = brought(directory, paths)
    if target.mounted:
        return 0
    if found is None or found.release != released(directory, paths):
        return 1
    store = Bucket(url=target.bucket_url, account=account_of(config, paths))
    for key in target.keys:
        wanted = _checksum(store, key)
        if wanted is not None:
            return 0 if (key, wanted) == (found.key, found.sha256) else 1
    return 1


def restart(service: str, paths: Paths) -> int:
    """Have a running service start anew; one that is not up yet will read the new code anyway."""
    from .services import supervisor

    config = parse_boot(read_boot(paths.boot))
    if service not in config.services:
        known = ", ".join(sorted(config.services)) or "none"
        raise AgentError(f"there is no service {service!r} on {config.machine}: it has {known}")
    supervised = supervisor(paths)
    state = supervised.state(service)
    if state is not None and state.up:
        supervised.restart(service)
    return 0


def brought(directory: str, paths: Paths) -> Brought | None:
    """What was brought to the directory last; None if nothing was."""
    text = read_file(_record(directory, paths))
    if not text:
        return None
    value = loads(text)
    assert isinstance(value, dict), "the agent has written it itself"
    return Brought(**value)


def released(directory: str, paths: Paths) -> str | None:
    """What `current` leads to in the directory."""
    current = f"{paths.at(directory)}/current"
    return os.readlink(current) if os.path.islink(current) else None


def _target(config: Boot, bucket: str, filename: str, directory: str) -> Deploy:
    """As the manifest says it. Where that is what the blueprint declares, so is the rest: the
    default branch's artifact in the place of one that is missing, and the folders to keep."""
    urls = {} if config.puppet is None else config.puppet.buckets
    if bucket not in urls:
        known = ", ".join(sorted(urls)) or "none"
        raise AgentError(
            f"deploy_codebase: this machine knows no bucket {bucket!r}: it has {known}"
        )
    declared = config.deploy
    if declared is None or declared.directory != directory:
        return _bare(urls[bucket], (filename,), directory)
    same = declared.bucket_url == urls[bucket] and filename == declared.keys[0]
    return Deploy(
        bucket_url=urls[bucket],
        keys=declared.keys if same else (filename,),
        directory=directory,
        restart=(),
        keep=declared.keep,
        mounted=declared.mounted,
    )


def _bare(url: str, keys: tuple[str, ...], directory: str) -> Deploy:
    return Deploy(
        bucket_url=url, keys=keys, directory=directory, restart=(), keep={}, mounted=False
    )


def _checksum(bucket: Bucket, key: str) -> str | None:
    try:
        content = bucket.read(f"{key}.sha256")
    except DeniedError:
        return None
    words = (content or b"").split()
    return words[0].decode("ascii", "replace").lower() if words else None


def _record(directory: str, paths: Paths) -> str:
    return paths.at(f"{RECORDS}/{directory.strip('/').replace('/', '_')}.json")
