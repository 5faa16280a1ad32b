"""Applying Puppet's manifests of a branch, with the machine's tags as facts.

`puppet apply` needs no server: the manifests come from a bucket as an archive, by the machine's
tag `puppetbranch`, checked and unpacked as code is. Sources: the manual pages puppet-apply(8) of
Puppet 7, and Facter 4's "External facts".
"""

from __future__ import annotations

import os

from .command import run
from .config import Deploy
from .errors import AgentError
from .facts import AGENT_FILE, write_file
from .quick_json import dumps
from .value import TYPE_CHECKING

if TYPE_CHECKING:
    from .account import Account
    from .config import Boot, Puppet
    from .facts import Facts
    from .paths import Paths
    from .progress import Progress

DIRECTORY = "/var/lib/greenroom/puppet"
MODULES = "/var/lib/greenroom/modules"
FACTS = "/etc/facter/facts.d/greenroom.json"
LOG = "/var/log/greenroom/puppet/current"

TOP_FACTS = ("role", "branch", "puppetbranch")
"""The tags that are facts by their bare names too. All are below `tags`: a tag such as `os` by its
bare name would replace what Facter knows, and with it what Puppet can do."""

UNCHANGED, CHANGED = 0, 2
"""What --detailed-exitcodes means by success; 1 is a manifest that cannot be compiled, 4 and 6 are
resources that failed."""

FIRST_ERRORS = 3

DEPLOY_CODEBASE = f"""\
# Brings a branch's code into `$directory`: unpacked beside the former one, checked against its
# checksum, then switched to by one rename. Written by greenroom's agent.
#
#   deploy_codebase {{ '/var/www/backend':
#     bucket   => 'code',
#     filename => "backend-${{facts['branch']}}.tar.gz",
#     restart  => ['php-fpm'],
#   }}
define deploy_codebase (
  String[1] $bucket,
  String[1] $filename,
  Pattern[/\\A\\/[^\\n]*[^\\/\\n]\\z/] $directory = $title,
  Array[String[1]] $restart = [],
) {{
  $agent = ['/usr/bin/python3', '-I', '{AGENT_FILE}']

  if $directory in $facts['greenroom']['mounted'] {{
    notice("the code is mounted at ${{directory}}/current: skipping deploy_codebase")
  }} else {{
    $brings = $agent + ['deploy-codebase', $bucket, $filename, $directory]

    exec {{ "deploy_codebase ${{directory}}":
      command => $brings,
      unless  => [$brings + ['--is-current']],
      timeout => 0,
    }}

    $restart.each |String $service| {{
      exec {{ "restart ${{service}} after deploy_codebase ${{directory}}":
        command     => $agent + ['restart', $service],
        refreshonly => true,
        subscribe   => Exec["deploy_codebase ${{directory}}"],
      }}
    }}
  }}
}}
"""


def apply_manifests(
    config: Boot, facts: Facts, paths: Paths, progress: Progress, account: Account | None
) -> None:
    """Fetch the manifests and apply them; raises AgentError with Puppet's first words about it."""
    from .deploy import deploy

    assert config.puppet is not None
    deploy(_manifests(config.puppet), config.puppet.version, paths, progress, account)
    write_file(paths.at(FACTS), dumps(_facts(config, facts)) + "\n")
    module = f"{MODULES}/deploy_codebase/manifests/init.pp"
    write_file(paths.at(module), DEPLOY_CODEBASE)
    manifest = f"{paths.at(DIRECTORY)}/current/{config.puppet.manifest}"
    if not os.path.isfile(manifest):
        raise AgentError(f"puppet: {config.puppet.manifest} is not in {config.puppet.key}")
    progress.doing(f"provision: applying {config.puppet.manifest} of {config.puppet.version}")
    done = run(_argv(paths, manifest), timeout_s=config.deadline_s)
    _keep_log(paths, done.out + done.err)
    for line in done.out.splitlines():
        progress.log(f"puppet: {line}")
    if done.code not in (UNCHANGED, CHANGED):
        raise AgentError(f"puppet: {first_errors(done.out + done.err, done.code)}")


def _argv(paths: Paths, manifest: str) -> list[str]:
    modules = f"{paths.at(DIRECTORY)}/current/modules:{paths.at(MODULES)}"
    return [
        *("puppet", "apply", "--detailed-exitcodes", "--color=false"),
        *(f"--modulepath={modules}", "--logdest=console", manifest),
    ]


def _manifests(puppet: Puppet) -> Deploy:
    return Deploy(
        bucket_url=puppet.bucket_url,
        keys=(puppet.key,),
        directory=DIRECTORY,
        restart=(),
        keep={},
        mounted=False,
    )


def _facts(config: Boot, facts: Facts) -> dict[str, object]:
    mounted = config.deploy is not None and config.deploy.mounted
    return {
        "greenroom": {
            "machine": config.machine,
            "environment": config.environment,
            "mounted": [config.deploy.directory] if config.deploy and mounted else [],
        },
        "tags": facts.tags,
        **{name: facts.tags[name] for name in TOP_FACTS if name in facts.tags},
    }


def first_errors(text: str, code: int) -> str:
    """Puppet's first errors, on one line; what it said last, if it named none (pure)."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    # Facter complains of what a container does not have, and goes on.
    errors = [error for error in errors if not error.startswith("Facter: ")]
    said = "; ".join(errors[:FIRST_ERRORS]) or " ".join(lines[-FIRST_ERRORS:])
    return said or f"exit code {code}"


def _keep_log(paths: Paths, text: str) -> None:
    """Beside the services' logs, where `greenroom logs` finds it."""
    os.makedirs(os.path.dirname(paths.at(LOG)), exist_ok=True)
    with open(paths.at(LOG), "a", encoding="utf-8") as file:
        file.write(text)
