"""A bare machine for the tests of the agent on AWS: its files, and programs that take notes."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.unit.agent_aws import REGION, aws_document, running_account
from tests.unit.agent_region import install_command, machine_paths, quiet_progress

from greenroom.agent import provision as provision_module
from greenroom.agent.account import Account
from greenroom.agent.aws_config import Aws, parse_aws
from greenroom.agent.metadata import Metadata
from greenroom.agent.provision import provision
from greenroom.model.stack import Image, ImageFile, Service
from greenroom.plan.recipe import recipe_bytes, sha256_of

DOMAIN = "feature-x.photos.greenroom"


def image(**changes: object) -> Image:
    recipe = {
        "name": "web",
        "digest": hashlib.sha256(b"web").hexdigest(),
        "suite": "bookworm",
        "packages": ("curl", "nginx", "s6"),
        "files": (
            ImageFile(path="/etc/nginx/site.conf", content="listen 80;\nü\n"),
            ImageFile(path="/usr/local/bin/hello", content="#!/bin/sh\n", mode=0o755),
        ),
        "commands": ("echo one >> $ROOT/done", "echo two >> $ROOT/done"),
        "services": (
            Service(name="nginx", command="exec nginx -g 'daemon off;'"),
            Service(name="php", command="exec php-fpm"),
        ),
        **changes,
    }
    return Image(**recipe)


# Debian's tools as far as the agent uses them: what is installed is written down, and nginx brings
# a unit that is enabled.
APT_GET = """#!/bin/sh
echo "apt-get $*" >> "$ROOT/calls"
[ -x "$ROOT/usr/sbin/policy-rc.d" ] && "$ROOT/usr/sbin/policy-rc.d"
[ $? -eq 101 ] || echo "services may start" >> "$ROOT/calls"
case "$*" in
*" update")
    [ ! -e "$ROOT/no-mirror" ] && exit 0
    echo 'E: Could not get lock /var/lib/apt/lists/lock' >&2
    exit 100 ;;
*nonsuch*)
    echo 'Reading package lists...'
    echo 'E: Unable to locate package nonsuch' >&2
    exit 100 ;;
*)
    mkdir -p "$ROOT/etc/systemd/system/multi-user.target.wants" "$ROOT/etc/rc2.d"
    ln -sf /lib/systemd/system/nginx.service "$ROOT/etc/systemd/system/multi-user.target.wants/"
    ln -sf /lib/systemd/system/nginx.service "$ROOT/etc/systemd/system/www.service"
    ln -sf ../init.d/old "$ROOT/etc/rc2.d/S01old" ;;
esac
exit 0
"""


@dataclass(frozen=True)
class Host:
    """What uname says."""

    machine: str


class Bare:
    """A machine below a folder, on an account, with Debian's tools written down."""

    def __init__(self, account, root: Path, monkeypatch) -> None:
        self.account, self.root = account, root
        self.paths = machine_paths(root, account)
        self.progress = quiet_progress(self.paths)
        programs = root / "fakes"
        install_command(programs, "apt-get", APT_GET)
        install_command(programs, "dpkg", '#!/bin/sh\necho "dpkg $*" >> "$ROOT/calls"\n')
        install_command(programs, "systemctl", '#!/bin/sh\necho "systemctl $*" >> "$ROOT/calls"\n')
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        monkeypatch.setenv("ROOT", str(root))
        wants = root / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True)
        (wants / "ssh.service").symlink_to("/lib/systemd/system/ssh.service")

    def aws(self, made: Image, **changes: object) -> Aws:
        content = recipe_bytes(made)
        sha256 = sha256_of(content)
        self.account.objects[f"own/images/{sha256}.json"] = content
        url = f"{self.account.bucket_url('own')}/images/{sha256}.json"
        source = {"digest": made.digest, "url": url, "sha256": sha256}
        return parse_aws(aws_document(self.account, **{"image": source, **changes}))

    def provision(self, aws: Aws) -> bool:
        account = Account(REGION, Metadata(self.account.url))
        return provision(aws, account, self.paths, self.progress)

    @property
    def calls(self) -> list[str]:
        path = self.root / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [
            " ".join(word for word in line.split() if not word.startswith("--option"))
            for line in lines
        ]

    def marker(self) -> str:
        path = self.root / "etc/greenroom/image"
        return path.read_text() if path.exists() else ""


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in root.rglob("*")
        if path.is_file()
    }


@contextmanager
def bare_machine(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bare]:
    """One with ``root`` as its root, in an account of its own; nobody waits for mirrors."""
    with running_account() as account:
        monkeypatch.setattr(provision_module, "UPDATE_PAUSES_S", (0.0, 0.0))
        yield Bare(account, root, monkeypatch)
