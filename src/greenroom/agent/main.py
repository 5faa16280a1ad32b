"""The agent's commands: boot, check, facts, manifest, deploy, and what Puppet's module calls."""

from __future__ import annotations

import sys

from .errors import AgentError
from .paths import paths_from_environment

USAGE = """\
usage: agent.pyz boot                     become what /etc/greenroom/boot.json says, and signal
       agent.pyz check                    ask the checks of this running machine again, now
       agent.pyz facts [NAME | --json]    what metadata says of this machine now
       agent.pyz manifest DATABASE [--source NAME] [--dump FILE --key KEY]
                                          describe the running server's database, see docs/data.md
       agent.pyz deploy                   bring the current artifact to this running machine
       agent.pyz deploy-codebase BUCKET FILENAME DIRECTORY [--is-current]
                                          what Puppet's deploy_codebase does, or whether it is done
       agent.pyz restart SERVICE          have a service read its code anew, if it runs"""


def main(argv: list[str]) -> int:
    """Run one command; the exit code: 0 done, 1 failed, 2 not understood."""
    command, rest = (argv[0], argv[1:]) if argv else ("", [])
    try:
        if command == "boot" and not rest:
            from .boot import boot

            return boot(paths_from_environment())
        if command == "deploy" and not rest:
            from .boot import redeploy

            return redeploy(paths_from_environment())
        if command == "check" and not rest:
            from .boot import recheck

            recheck(paths_from_environment())
            return 0
        if command == "deploy-codebase" and len(rest) >= 3 and rest[3:] in ([], ["--is-current"]):
            from .codebase import deploy_codebase, is_current

            work = is_current if rest[3:] else deploy_codebase
            return work(rest[0], rest[1], rest[2], paths_from_environment())
        if command == "restart" and len(rest) == 1:
            from .codebase import restart

            return restart(rest[0], paths_from_environment())
        if command == "facts" and len(rest) <= 1:
            return _facts(rest[0] if rest else "")
        if command == "manifest":
            return _manifest(rest)
    except AgentError as error:
        print(f"greenroom: {error}", file=sys.stderr)
        return 1
    print(USAGE, file=sys.stderr)
    return 2


def _facts(name: str) -> int:
    from .facts import gather_facts, live_fact
    from .metadata import Metadata

    metadata = Metadata(paths_from_environment().metadata_url)
    if name and name != "--json":
        print(live_fact(metadata, name))
        return 0
    facts = gather_facts(metadata)
    if name:
        import json

        print(json.dumps(facts.fields(), indent=2, ensure_ascii=False))
        return 0
    for known in (facts.tags, facts.metadata):
        for key, value in known.items():
            print(f"{key}={' '.join(value.split())}")
    return 0


def _manifest(words: list[str]) -> int:
    options = dict.fromkeys(("--source", "--dump", "--key"), "")
    names = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word in options and left:
            options[word] = left.pop(0)
        elif word.startswith("-"):
            break
        else:
            names.append(word)
    if len(names) != 1 or left or bool(options["--dump"]) != bool(options["--key"]):
        print(USAGE, file=sys.stderr)
        return 2
    from .make_manifest import manifest_text

    print(manifest_text(names[0], options["--source"], options["--dump"], options["--key"]))
    return 0
