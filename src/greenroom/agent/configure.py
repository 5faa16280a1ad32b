"""Configuring a machine at its first boot: shell lines, or Puppet, which also brings its code.

A machine that boots again from its own disk is configured already, and is left as it is.
"""

from __future__ import annotations

import os
import time

from .codebase import Brought, brought, released
from .command import run
from .errors import AgentError
from .facts import write_file
from .value import TYPE_CHECKING

if TYPE_CHECKING:
    from .account import Account
    from .config import Boot
    from .deploy import Deployed
    from .facts import Facts
    from .paths import Paths
    from .progress import Progress

CONFIGURED = "/var/lib/greenroom/configured"


def configure(
    config: Boot, facts: Facts, paths: Paths, progress: Progress, account: Account | None
) -> Deployed | None:
    """Run the shell lines or apply the manifests, once; what Puppet has deployed, if anything.
    Raises AgentError."""
    if os.path.exists(paths.at(CONFIGURED)):
        progress.notice("the machine is provisioned already: it is left as it is")
        return None
    deployed = None
    if config.puppet is not None:
        deployed = configure_again(config, facts, paths, progress, account)
    elif config.provision is not None:
        for line in config.provision.commands:
            _run_line(line, config.deadline_s, progress)
    write_file(paths.at(CONFIGURED), "")
    return deployed


def configure_again(
    config: Boot, facts: Facts, paths: Paths, progress: Progress, account: Account | None
) -> Deployed | None:
    """Fetch the manifests and apply them; what they have deployed to the directory that the
    blueprint's `deploy` names. Raises AgentError."""
    from .puppet import apply_manifests

    directory = None if config.deploy is None else config.deploy.directory
    before = None if directory is None else released(directory, paths)
    apply_manifests(config, facts, paths, progress, account)
    if config.deploy is None or directory is None:
        return None
    if config.deploy.mounted:
        progress.notice(f"the code is mounted at {directory}/current: skipping deploy_codebase")
        return None
    return _of_blueprint(directory, before, brought(directory, paths), progress)


def _of_blueprint(
    directory: str, before: str | None, found: Brought | None, progress: Progress
) -> Deployed:
    from .deploy import Deployed

    if found is None:
        raise AgentError(
            f"puppet: nothing was deployed to {directory}, which the blueprint's deploy names: "
            f"declare deploy_codebase {{ '{directory}': … }} in the manifest"
        )
    for notice in found.notices:
        progress.notice(notice)
    return Deployed(
        key=found.key,
        sha256=found.sha256,
        fallback=found.fallback,
        previous=None if found.release == before else before,
    )


def _run_line(line: str, timeout_s: float, progress: Progress) -> None:
    progress.doing(f"provision: {line[:120]}")
    began = time.monotonic()
    done = run(["/bin/sh", "-eu", "-c", line], timeout_s=timeout_s)
    for said in (done.out + done.err).splitlines():
        progress.log(said)
    if done.code != 0:
        raise AgentError(
            f"provision: {line!r} failed with exit code {done.code} after "
            f"{time.monotonic() - began:.1f} s: {done.said}"
        )
