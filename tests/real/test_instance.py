"""An instance of AWS as far as a host without AWS has one: a bare Debian under a real systemd,
which the real user data makes its image of by real apt, and which reboots.

systemd is the first process of namespaces of its own, on the host's network: apt needs a mirror.
What is not here: EC2's metadata (a server on loopback stands for it) and cloud-init (the test runs
the user data, once).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from greenroom.agent.facts import NAMES
from greenroom.agent.systemd_units import LATER_BOOTS
from greenroom.agent_archive import build_agent
from greenroom.model.stack import CommandCheck, Image, ImageFile, Service
from greenroom.plan.recipe import recipe_bytes, sha256_of
from greenroom.plan.user_data import AwsBoot, BootConfig, ImageSource, render_user_data

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit"))
from agent_aws import REGION, Account, running_account

BARE = ("ca-certificates", "curl", "dbus", "python3", "systemd", "systemd-sysv")
"""What Debian's cloud images have, as far as it matters here."""
SOURCES = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d/debian.sources"))
START_S = 180.0
USER_DATA = "/var/lib/cloud/instance/user-data.txt"
SOCKET = "/run/greenroom-test.sock"
DOMAIN = "feature-x.photos.greenroom"

IMAGE = Image(
    name="redis",
    digest=hashlib.sha256(b"the test's redis").hexdigest(),
    suite="bookworm",
    packages=("ca-certificates", "curl", "python3", "redis-server", "s6"),
    files=(
        ImageFile(
            path="/etc/redis/greenroom.conf", content=f"port 0\nunixsocket {SOCKET}\ndir /tmp\n"
        ),
    ),
    commands=("echo made > /etc/made-by-a-command",),
    services=(Service(name="redis", command="exec redis-server /etc/redis/greenroom.conf"),),
)

JOIN = 'echo $$ > "$0/cgroup.procs"; exec unshare "$@"'

# Only its own namespaces are changed; /proc/sys is the host's, so it is not written to.
BOOT = """\
set -eu
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
mount -t proc proc "$ROOT/proc"
mount --bind "$ROOT/proc/sys" "$ROOT/proc/sys"
mount -o remount,bind,ro "$ROOT/proc/sys"
mount -t sysfs -o ro sysfs "$ROOT/sys"
mount -t cgroup2 cgroup2 "$ROOT/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$ROOT/run"
mount -t tmpfs tmpfs "$ROOT/tmp"
mount -t tmpfs -o mode=755 tmpfs "$ROOT/dev"
for device in null zero full random urandom tty; do
    touch "$ROOT/dev/$device"
    mount --bind "/dev/$device" "$ROOT/dev/$device"
done
ln -s /proc/self/fd "$ROOT/dev/fd"
mkdir "$ROOT/dev/shm" "$ROOT/run/cloud-init"
cp "$INSTANCE_DATA" "$ROOT/run/cloud-init/instance-data.json"
cd "$ROOT"
mkdir -p old
pivot_root . old
umount -l /old
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system
"""


@dataclass
class Instance:
    """A machine whose disk is the folder ``root``; ``account`` stands for AWS."""

    root: Path
    account: Account
    cgroup: Path
    keeper: subprocess.Popen[bytes] | None = None
    init: int = 0

    def start(self) -> None:
        """Boot systemd and wait until it has started what it knows."""
        data = self.root.parent / "instance-data.json"
        known = {**dict.fromkeys(NAMES, "x"), "local-ipv4": "127.0.0.1"}
        data.write_text(json.dumps({"ds": {"meta_data": {**known, "tags": {"instance": {}}}}}))
        self.cgroup.mkdir(exist_ok=True)
        own = ["--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--cgroup"]
        self.keeper = subprocess.Popen(
            ["sh", "-c", JOIN, str(self.cgroup), *own, "sh", "-c", BOOT],
            env={**os.environ, "ROOT": str(self.root), "INSTANCE_DATA": str(data)},
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + START_S
        while not self._is_up():
            assert time.monotonic() < deadline, "systemd did not start"
            time.sleep(0.2)

    def _is_up(self) -> bool:
        assert self.keeper is not None and self.keeper.poll() is None
        children = Path(f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children").read_text()
        if not children.split():
            return False
        self.init = int(children.split()[0])
        if Path(f"/proc/{self.init}/comm").read_text() != "systemd\n":
            return False
        state = self.inside("systemctl", "is-system-running").stdout.strip()
        # Degraded: there is no terminal here that the console's login could have.
        return state in ("running", "degraded")

    def stop(self) -> None:
        """Pull the plug."""
        if self.keeper is not None:
            os.kill(self.init, signal.SIGKILL)
            self.keeper.wait(timeout=20)
            self.keeper = None

    @property
    def nsenter(self) -> list[str]:
        return ["nsenter", "-t", str(self.init), "-m", "-p", "-u", "-i", "-C"]

    def inside(self, *argv: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.nsenter, *argv],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **variables},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def config(self, image: Image) -> BootConfig:
        content = recipe_bytes(image)
        sha256 = sha256_of(content)
        self.account.objects[f"own/images/{sha256}.json"] = content
        return BootConfig(
            machine="feed1",
            environment="photos/feature-x",
            branch="feature_x",
            signal_url=f"{self.account.url}/signal/1",
            bucket_urls={},
            agent_url=f"{self.account.url}/s3/own/agent/agent.pyz",
            agent_sha256=build_agent().sha256,
            deadline_s=500.0,
            services=tuple(service.name for service in image.services),
            drill=False,
            volume=None,
            deploy=None,
            mounted=False,
            checks=(CommandCheck(argv=("redis-cli", "-s", SOCKET, "ping"), deadline_s=20.0),),
            aws=AwsBoot(
                region=REGION,
                image=ImageSource(
                    digest=image.digest,
                    url=f"{self.account.url}/s3/own/images/{sha256}.json",
                    sha256=sha256,
                ),
                domain=DOMAIN,
                data_volume=False,
                records=(),
                route53_url=self.account.url,
            ),
        )

    def first_boot(self, image: Image) -> subprocess.CompletedProcess[str]:
        """What cloud-init does once: run the user data."""
        self.write_user_data(image)
        return self.inside("sh", USER_DATA, GREENROOM_AGENT_METADATA=self.account.url)

    def write_user_data(self, image: Image) -> None:
        """The script, and the agent, which it would fetch from an address that is not here."""
        for path, content in (
            (USER_DATA, render_user_data(self.config(image)).encode()),
            ("/opt/greenroom/agent.pyz", build_agent().content),
        ):
            place = self.root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)

    def unit(self, name: str, field: str) -> str:
        said = self.inside("systemctl", "show", "--value", f"--property={field}", name)
        return said.stdout.strip()

    def ping(self) -> str:
        return self.inside("redis-cli", "-s", SOCKET, "ping").stdout.strip()


def cgroup2() -> Path:
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return Path(next(words[1] for words in mounts if words[2] == "cgroup2"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare Debian with systemd, as a folder to copy."""
    root = tmp_path_factory.mktemp("bare") / "root"
    sources = [str(path) for path in SOURCES if path.exists()]
    argv = ["mmdebstrap", "--variant=minbase", f"--include={','.join(BARE)}", "--format=directory"]
    argv += ["--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*"]
    subprocess.run([*argv, "bookworm", str(root), *sources], check=True, timeout=900)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    return root


@pytest.fixture
def instance(bare: Path, tmp_path: Path) -> Iterator[Instance]:
    root = tmp_path / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", str(bare), str(root)], check=True)
    cgroup = cgroup2() / f"greenroom-test-{os.getpid()}"
    with running_account() as account:
        found = Instance(root, account, cgroup)
        try:
            found.start()
            yield found
        finally:
            found.stop()
            folders = [cgroup, *(path for path in cgroup.rglob("*") if path.is_dir())]
            for folder in reversed(folders):
                folder.rmdir()
    shutil.rmtree(root)
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


def test_a_bare_debian_becomes_its_image_and_comes_back_after_a_reboot(instance: Instance) -> None:
    done = instance.first_boot(IMAGE)
    assert done.returncode == 0, done.stdout + done.stderr
    (said,) = instance.account.signals
    assert (said["Status"], said["UniqueId"]) == ("SUCCESS", "feed1"), said
    data = json.loads(said["Data"])
    made, no_shell = data["notices"]
    print(made)
    assert made.startswith("made its image of 5 packages in ")
    # There is no such bucket here, which must not end a machine's boot.
    assert no_shell.startswith("no shell by Session Manager on this machine: GET http://127.0.0.1")
    phases = [name for name, _ in data["phases"]]
    assert phases == ["image", "facts", "services", "checks"]
    assert (instance.root / "etc/made-by-a-command").read_text() == "made\n"
    assert (instance.root / "etc/greenroom/image").read_text() == f"{IMAGE.digest}\n"
    assert instance.inside("hostname").stdout == "feed1\n"
    assert f"search {DOMAIN}" in (instance.root / "etc/resolv.conf").read_text()

    # s6 supervises it, under systemd; Debian's own service of it did not start.
    assert instance.ping() == "PONG"
    assert instance.unit("greenroom-services.service", "ActiveState") == "active"
    assert instance.unit("redis-server.service", "ActiveState") == "inactive"
    state = instance.inside("s6-svstat", "-o", "up,pid", "/etc/greenroom/service/redis")
    up, pid = state.stdout.split()
    assert up == "true"
    assert instance.inside("sh", "-c", f"kill -9 {pid}").returncode == 0
    deadline = time.monotonic() + 20
    while instance.ping() != "PONG":
        assert time.monotonic() < deadline, "s6 did not start it again"
        time.sleep(0.2)
    assert not (instance.root / "usr/sbin/policy-rc.d").exists()

    # A reboot: cloud-init does not run user data again, so systemd's unit is the agent's start.
    instance.account.signals.clear()
    instance.stop()
    instance.start()
    assert instance.unit("greenroom-boot.service", "Result") == "success"
    assert instance.ping() == "PONG"
    assert instance.unit("redis-server.service", "ActiveState") == "inactive"
    assert [said["Status"] for said in instance.account.signals] == ["SUCCESS"]
    log = (instance.root / "var/log/greenroom/user-data/current").read_text()
    assert "SUCCESS: feed1 is ready: image, facts, services, checks" in log


def test_the_end_of_the_supervisor_ends_its_services(instance: Instance) -> None:
    assert instance.first_boot(IMAGE).returncode == 0
    assert instance.inside("systemctl", "stop", "greenroom-services.service").returncode == 0
    assert instance.ping() != "PONG"
    running = instance.inside("sh", "-c", "cat /proc/[0-9]*/comm").stdout.split()
    assert "redis-server" not in running
    assert "s6-supervise" not in running


def test_a_package_that_does_not_exist_is_the_machines_failure(instance: Instance) -> None:
    done = instance.first_boot(replace(IMAGE, packages=(*IMAGE.packages, "nonsuch-package")))
    assert done.returncode == 1
    (said,) = instance.account.signals
    assert said["Status"] == "FAILURE"
    assert said["Reason"].startswith("image: apt-get -qy install ca-certificates curl ")
    assert said["Reason"].endswith("E: Unable to locate package nonsuch-package")
    assert not (instance.root / "etc/greenroom/image").exists()
    assert not (instance.root / "usr/sbin/policy-rc.d").exists()


def test_an_instance_that_reboots_while_it_makes_its_image_goes_on(instance: Instance) -> None:
    once = "test -e /etc/second-time || { touch /etc/second-time; sleep 600; }"
    instance.write_user_data(replace(IMAGE, commands=(once, *IMAGE.commands)))
    # Its later boots find metadata where the test has it.
    drop_in = instance.root / f"etc/systemd/system/{LATER_BOOTS}.d/metadata.conf"
    drop_in.parent.mkdir()
    metadata = f"GREENROOM_AGENT_METADATA={instance.account.url}"
    drop_in.write_text(f"[Service]\nEnvironment={metadata}\n")
    first = subprocess.Popen(
        [*instance.nsenter, "env", metadata, "sh", USER_DATA], stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while not (instance.root / "etc/second-time").exists():
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)
    instance.stop()
    first.wait(timeout=20)
    assert instance.account.signals == []
    instance.start()
    assert [said["Status"] for said in instance.account.signals] == ["SUCCESS"]
    assert instance.ping() == "PONG"
    assert instance.unit("redis-server.service", "UnitFileState") == "disabled"
