"""A bare instance becomes what a local machine is: names, image, supervisor, data volume."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from agent_aws import REGION, aws_document, running_account
from agent_region import install_command, machine_paths, quiet_progress, restore_of
from hypothesis import given
from hypothesis import strategies as st

from greenroom.agent import provision as provision_module
from greenroom.agent.account import Account
from greenroom.agent.aws_config import Aws, parse_aws
from greenroom.agent.config import Restore
from greenroom.agent.data_volume import (
    is_mounted,
    mount_data_volume,
    observe_disks,
    signature,
    wait_for_disk,
    with_mount,
)
from greenroom.agent.errors import AgentError
from greenroom.agent.host_names import set_search_domain, with_search
from greenroom.agent.metadata import Metadata
from greenroom.agent.provision import provision, write_image_files
from greenroom.agent.recipe import parse_recipe
from greenroom.agent.session_manager import install_session_manager, package_url
from greenroom.agent.systemd_units import (
    LATER_BOOTS,
    LATER_BOOTS_UNIT,
    SUPERVISOR,
    SUPERVISOR_UNIT,
    boot_again_after_a_reboot,
    start_supervisor,
)
from greenroom.model.stack import Image, ImageFile, Service
from greenroom.plan.recipe import recipe_bytes, sha256_of
from greenroom.providers.local.images import write_overlay

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


@pytest.fixture
def bare(tmp_path, monkeypatch):
    with running_account() as account:
        monkeypatch.setattr(provision_module, "UPDATE_PAUSES_S", (0.0, 0.0))
        yield Bare(account, tmp_path, monkeypatch)


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in root.rglob("*")
        if path.is_file()
    }


def test_files_and_services_lie_as_the_local_builder_lays_them_out(tmp_path):
    made = image()
    write_overlay(made, tmp_path / "local")
    (tmp_path / "local/greenroom-build.sh").unlink()
    write_image_files(parse_recipe(recipe_bytes(made)), machine_paths(tmp_path / "aws"))
    assert tree(tmp_path / "aws") == tree(tmp_path / "local")


def test_a_bare_machine_becomes_its_image_once(bare):
    made = image()
    assert bare.provision(bare.aws(made))
    assert bare.calls == [
        "dpkg --configure -a",
        "apt-get -qy update",
        "apt-get -qy install curl nginx s6",
    ]
    assert (bare.root / "done").read_text() == "one\ntwo\n"
    assert bare.marker() == f"{made.digest}\n"
    assert bare.progress.notices[-1].startswith("made its image of 3 packages in ")
    asked = len(bare.account.requests)
    assert not bare.provision(bare.aws(made))
    assert len(bare.account.requests) == asked
    assert len(bare.calls) == 3


def test_a_machine_with_a_data_volume_gets_its_filesystems_tools(bare):
    bare.provision(bare.aws(image(), data_volume=True))
    assert bare.calls[-1] == "apt-get -qy install curl nginx s6 xfsprogs"


def test_services_of_the_distribution_start_neither_now_nor_at_a_reboot(bare):
    bare.provision(bare.aws(image()))
    assert "services may start" not in bare.calls
    assert not (bare.root / "usr/sbin/policy-rc.d").exists()
    wants = bare.root / "etc/systemd/system/multi-user.target.wants"
    assert [path.name for path in wants.iterdir()] == ["ssh.service"]
    assert not (wants.parent / "www.service").is_symlink()
    assert [path.name for path in (bare.root / "etc/rc2.d").iterdir()] == ["K01old"]


def test_a_policy_of_the_machines_own_is_put_back(bare):
    policy = bare.root / "usr/sbin/policy-rc.d"
    install_command(policy.parent, policy.name, "#!/bin/sh\nexit 0\n")
    bare.provision(bare.aws(image()))
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"


def test_a_boot_that_was_cut_off_after_the_packages_still_disables_their_services(bare):
    # The first try was killed when apt had done its work.
    aws = bare.aws(image())
    broken = bare.aws(image(commands=("exit 9",), digest="ef" * 32))
    (bare.root / "etc/rc2.d").mkdir(parents=True)
    provision_module._enabled_before(bare.paths)
    subprocess.run(["apt-get", "install", "nginx"], check=True)
    with pytest.raises(AgentError):
        bare.provision(broken)
    assert bare.provision(aws)
    wants = bare.root / "etc/systemd/system/multi-user.target.wants"
    assert [path.name for path in wants.iterdir()] == ["ssh.service"]
    assert not (bare.root / "etc/greenroom/image.enabled-before").exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"packages": ("curl", "nonsuch")},
            "image: apt-get -qy install curl nonsuch failed (100): "
            "E: Unable to locate package nonsuch",
        ),
        (
            {"commands": ("true", "echo almost; echo broken >&2; false", "touch $ROOT/never")},
            "image: one of its commands exited with 1: broken / almost",
        ),
        ({"commands": ("exit 3",)}, "image: one of its commands exited with 3: it said nothing"),
    ],
)
def test_what_fails_is_told_with_its_last_words_and_leaves_no_marker(bare, change, reason):
    with pytest.raises(AgentError) as error:
        bare.provision(bare.aws(image(**change)))
    assert str(error.value) == reason
    assert bare.marker() == ""
    assert not (bare.root / "never").exists()
    assert not (bare.root / "usr/sbin/policy-rc.d").exists()


def test_a_mirror_that_fails_is_asked_again_and_then_told(bare):
    (bare.root / "no-mirror").touch()
    with pytest.raises(AgentError) as error:
        bare.provision(bare.aws(image()))
    assert str(error.value) == (
        "image: apt-get -qy update failed (100): E: Could not get lock /var/lib/apt/lists/lock"
    )
    assert bare.calls.count("apt-get -qy update") == 3


def test_another_recipe_than_the_planned_one_is_refused(bare):
    aws = bare.aws(image())
    bare.account.objects[f"own/images/{aws.image.sha256}.json"] = recipe_bytes(image(commands=()))
    with pytest.raises(AgentError, match=r"sha256 is \w+, expected "):
        bare.provision(aws)
    other = image(digest="ef" * 32)
    source = {**bare.aws(other).image.fields(), "digest": "ab" * 32}
    with pytest.raises(AgentError, match=f"makes the image {'ef' * 32}, expected {'ab' * 32}"):
        bare.provision(bare.aws(image(), image=source))
    assert bare.calls == []


def test_a_recipe_that_is_not_there_is_told(bare):
    aws = bare.aws(image())
    bare.account.objects.clear()
    with pytest.raises(AgentError, match=r"images/.*json in bucket 'own' is not there, or this"):
        bare.provision(aws)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "the image's recipe is not JSON"),
        (b'{"version": 2}', "recipe: version is 2, this agent knows 1"),
        (
            b'{"version": 1, "digest": "d", "packages": [], "commands": [], "services": [],'
            b' "files": [{"path": "/a/../b", "content": "", "mode": 420}]}',
            "recipe: files: path is '/a/../b', expected an absolute path",
        ),
        (
            b'{"version": 1, "digest": "d", "packages": [], "commands": [], "files": [],'
            b' "services": [{"name": "../x", "command": ""}]}',
            "recipe: services: name is '../x', expected a file's name",
        ),
    ],
)
def test_a_recipe_that_is_wrong_is_refused(content, reason):
    with pytest.raises(AgentError, match=reason.replace("[", r"\[")):
        parse_recipe(content)


def test_without_systemd_nothing_of_it_is_touched(bare):
    boot_again_after_a_reboot(bare.paths)
    start_supervisor(bare.paths)
    assert bare.calls == []


def test_under_systemd_s6_runs_now_and_the_agent_at_later_boots(bare):
    (bare.root / "run/systemd/system").mkdir(parents=True)
    for _ in range(2):
        boot_again_after_a_reboot(bare.paths)
        start_supervisor(bare.paths)
    assert bare.calls == [
        "systemctl daemon-reload",
        f"systemctl enable {LATER_BOOTS}",
        "systemctl daemon-reload",
        f"systemctl enable {SUPERVISOR}",
        f"systemctl start {SUPERVISOR}",
        f"systemctl enable {LATER_BOOTS}",
        f"systemctl enable {SUPERVISOR}",
        f"systemctl start {SUPERVISOR}",
    ]
    units = bare.root / "etc/systemd/system"
    assert (units / LATER_BOOTS).read_text() == LATER_BOOTS_UNIT
    assert (units / SUPERVISOR).read_text() == SUPERVISOR_UNIT


SSM_KEY = f"amazon-ssm-{REGION}/latest/debian_amd64/amazon-ssm-agent.deb"


def install_ssm(bare: Bare) -> None:
    (bare.root / "opt/greenroom").mkdir(parents=True, exist_ok=True)
    install_session_manager(bare.aws(image()), bare.paths, bare.progress)


def test_session_managers_agent_is_installed_from_aws_if_it_is_missing(bare, monkeypatch):
    (bare.root / "run/systemd/system").mkdir(parents=True)
    monkeypatch.setattr("greenroom.agent.session_manager.os.uname", lambda: Host("x86_64"))
    bare.account.public[SSM_KEY] = b"a package"
    install_ssm(bare)
    package = f"{bare.root}/opt/greenroom/amazon-ssm-agent.deb"
    assert bare.calls == [f"dpkg --install {package}"]
    assert not Path(package).exists()
    assert bare.progress.notices == []
    install_command(bare.root / "usr/bin", "amazon-ssm-agent", "")
    install_ssm(bare)
    assert len(bare.calls) == 1


def test_a_machine_without_session_manager_is_told_and_not_failed(bare, monkeypatch):
    install_ssm(bare)
    assert bare.progress.notices == []  # systemd does not run: nothing could run it
    (bare.root / "run/systemd/system").mkdir(parents=True)
    monkeypatch.setattr("greenroom.agent.session_manager.os.uname", lambda: Host("x86_64"))
    install_ssm(bare)
    assert bare.progress.notices == [
        f"no shell by Session Manager on this machine: GET {bare.account.url}/s3/{SSM_KEY} "
        "answered 403"
    ]
    assert bare.calls == []


@pytest.mark.parametrize(
    ("machine", "architecture"), [("x86_64", "amd64"), ("aarch64", "arm64"), ("riscv64", "riscv64")]
)
def test_the_package_lies_in_the_regions_own_bucket(machine, architecture):
    source = {"digest": "ab" * 32, "sha256": "cd" * 32}
    source["url"] = "https://s3.eu-west-1.amazonaws.com/photos-greenroom/images/x.json"
    aws = parse_aws(
        {
            "region": "eu-west-1",
            "image": source,
            "domain": "d",
            "data_volume": False,
            "records": [],
            "route53_url": "u",
        }
    )
    assert package_url(aws, machine) == (
        "https://s3.eu-west-1.amazonaws.com/amazon-ssm-eu-west-1/latest/"
        f"debian_{architecture}/amazon-ssm-agent.deb"
    )


def test_a_resolver_of_systemd_gets_the_domain_once(bare):
    resolved = bare.root / "run/systemd/resolve"
    resolved.mkdir(parents=True)
    (resolved / "resolv.conf").touch()
    set_search_domain(DOMAIN, bare.paths)
    set_search_domain(DOMAIN, bare.paths)
    drop_in = bare.root / "etc/systemd/resolved.conf.d/greenroom.conf"
    assert drop_in.read_text() == f"[Resolve]\nDomains={DOMAIN}\n"
    assert bare.calls == ["systemctl restart systemd-resolved"]


def test_without_it_the_domain_stands_in_resolv_conf_and_with_the_dhcp_client(bare):
    dhcp = bare.root / "etc/dhcp/dhclient.conf"
    dhcp.parent.mkdir()
    dhcp.write_text("timeout 300;")
    resolv = bare.root / "etc/resolv.conf"
    resolv.write_text("search eu-west-1.compute.internal\nnameserver 172.31.0.2\n")
    for _ in range(2):
        set_search_domain(DOMAIN, bare.paths)
    assert resolv.read_text() == (
        f"nameserver 172.31.0.2\nsearch {DOMAIN} eu-west-1.compute.internal\n"
    )
    assert dhcp.read_text() == f'timeout 300;\nprepend domain-search "{DOMAIN}";\n'


NAME = st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True)


@given(st.lists(st.tuples(st.sampled_from(["search", "domain", "nameserver"]), NAME)), NAME)
def test_the_domain_is_searched_and_nothing_else_is_lost(lines, domain):
    text = "".join(f"{word} {value}\n" for word, value in lines)
    changed = with_search(text, domain)
    assert with_search(changed, domain) == changed
    words = [line.split() for line in changed.splitlines()]
    searched = [row[1:] for row in words if row[0] in ("search", "domain")]
    assert domain in searched[-1]
    servers = [row[1:] for row in words if row[0] == "nameserver"]
    assert servers == [[value] for word, value in lines if word == "nameserver"]


def restore(mode: str = "cold") -> Restore:
    return restore_of("http://h/s3/extracts", mode)


def add_disk(bare: Bare, name: str, number: str, **files: str) -> None:
    """A disk in sysfs; a file's name has dots for slashes."""
    folder = bare.root / "sys/block" / name
    for path, text in {"dev": number, "size": "41943040", "ro": "0", **files}.items():
        place = folder / path.replace(".", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{text}\n")
    (folder / "device").mkdir(exist_ok=True)
    (folder / "holders").mkdir(exist_ok=True)


@pytest.fixture
def disks(bare):
    """A root disk with partitions, a disk of the instance, an optical drive, a loop device."""
    add_disk(bare, "nvme0n1", "259:0", **{"nvme0n1p1.partition": "1"})
    add_disk(bare, "nvme2n1", "259:5", **{"device.model": "Amazon EC2 NVMe Instance Storage"})
    add_disk(bare, "sr0", "11:0", ro="1")
    loop = bare.root / "sys/block/loop0"
    loop.mkdir()
    (loop / "size").write_text("100\n")
    (bare.root / "proc/self").mkdir(parents=True)
    (bare.root / "proc/self/mountinfo").write_text("23 1 259:1 / / rw - ext4 /dev/root rw\n")
    # blkid looks at a file that stands for the disk's beginning.
    install_command(
        bare.root / "fakes",
        "blkid",
        '#!/bin/sh\n[ -s "$ROOT/disk" ] || exit 2\ncat "$ROOT/disk"\n',
    )
    install_command(
        bare.root / "fakes",
        "mkfs.xfs",
        '#!/bin/sh\necho "mkfs.xfs $*" >> "$ROOT/calls"\n'
        "printf 'DEVNAME=x\\nUUID=1-2\\nTYPE=xfs\\n' > \"$ROOT/disk\"\n",
    )
    install_command(bare.root / "fakes", "mount", '#!/bin/sh\necho "mount $*" >> "$ROOT/calls"\n')
    return bare


FSTAB = "UUID=1-2 /data xfs nodev,nosuid,nofail,x-systemd.device-timeout=60 0 0\n"


def test_a_blank_volume_gets_a_filesystem_and_is_mounted(disks):
    add_disk(disks, "nvme1n1", "259:4", **{"device.model": "Amazon Elastic Block Store"})
    (disks.root / "etc/fstab").write_text("PARTUUID=9 / ext4 defaults 0 1\n")
    mount_data_volume(restore(), disks.paths, disks.progress)
    directory = f"{disks.root}/data"
    assert disks.calls == [
        "mkfs.xfs -q /dev/nvme1n1",
        f"mount -t xfs -o nodev,nosuid /dev/nvme1n1 {directory}",
    ]
    assert (disks.root / "etc/fstab").read_text() == f"PARTUUID=9 / ext4 defaults 0 1\n{FSTAB}"


@pytest.mark.parametrize("mode", ["clone", "cold", "empty"])
def test_a_volume_that_holds_something_is_mounted_as_it_is(disks, mode):
    add_disk(disks, "xvdf", "202:80")
    (disks.root / "disk").write_text("DEVNAME=/dev/xvdf\nUUID=1-2\nTYPE=ext4\n")
    mount_data_volume(restore(mode), disks.paths, disks.progress)
    assert disks.calls == [f"mount -t ext4 -o nodev,nosuid /dev/xvdf {disks.root}/data"]


def test_a_blank_volume_is_no_snapshot(disks):
    add_disk(disks, "nvme1n1", "259:4")
    with pytest.raises(AgentError) as error:
        mount_data_volume(restore("clone"), disks.paths, disks.progress)
    assert str(error.value) == (
        "the data volume /dev/nvme1n1 is blank: it did not start from a snapshot"
    )
    assert disks.calls == []


def test_what_is_no_filesystem_is_left_alone(disks):
    add_disk(disks, "nvme1n1", "259:4")
    (disks.root / "disk").write_text("DEVNAME=x\nTYPE=LVM2_member\n")
    with pytest.raises(AgentError, match=r"no filesystem that can be mounted: TYPE=LVM2_member"):
        mount_data_volume(restore(), disks.paths, disks.progress)
    assert disks.calls == []


def test_a_directory_that_is_mounted_is_not_touched(disks):
    (disks.root / "proc/self/mountinfo").write_text("30 23 0:50 /v /data rw - xfs /dev/x rw\n")
    mount_data_volume(restore(), disks.paths, disks.progress, patience_s=0.0)
    assert disks.calls == []


def test_a_volume_that_does_not_come_is_told_with_what_there_is(disks):
    with pytest.raises(AgentError) as error:
        wait_for_disk(disks.paths, 0.0)
    assert str(error.value) == (
        "no data volume was attached within 0 s; there is nvme0n1 (has partitions), "
        "nvme2n1 (is storage of the instance itself), sr0 (empty or read-only)"
    )


def test_two_free_disks_are_not_guessed_at(disks):
    add_disk(disks, "nvme1n1", "259:4")
    add_disk(disks, "nvme3n1", "259:6")
    with pytest.raises(AgentError) as error:
        wait_for_disk(disks.paths, 0.0)
    assert str(error.value) == "which is the data volume? Nobody uses nvme1n1 nor nvme3n1"


@pytest.mark.parametrize(
    ("place", "text", "use"),
    [
        ("proc/self/mountinfo", "30 23 259:4 / /mnt rw - xfs /dev/nvme1n1 rw\n", "is mounted"),
        ("proc/swaps", "Filename Type\n/dev/nvme1n1 partition 1 0 -2\n", "is swap"),
        ("sys/block/nvme1n1/holders/dm-0", "", "belongs to another device"),
        ("sys/block/nvme1n1/size", "0\n", "empty or read-only"),
    ],
)
def test_a_disk_in_use_is_not_the_volume(disks, place, text, use):
    add_disk(disks, "nvme1n1", "259:4")
    (disks.root / place).write_text(text)
    assert {disk.name: disk.use for disk in observe_disks(disks.paths)}["nvme1n1"] == use


def test_a_disk_that_cannot_be_read_is_not_called_blank(disks):
    install_command(disks.root / "fakes", "blkid", "#!/bin/sh\necho broken >&2\nexit 8\n")
    with pytest.raises(AgentError, match="cannot tell what is on /dev/x: blkid 8: broken"):
        signature("/dev/x")


LINES = st.lists(
    st.sampled_from(["# a /data note", "UUID=9 /data xfs x 0 0", "UUID=8 / ext4 y 0 1"])
)


@given(LINES)
def test_fstab_has_one_line_for_the_directory_and_keeps_the_others(lines):
    changed = with_mount(lines, "1-2", "/data", "xfs")
    assert changed[-1] + "\n" == FSTAB
    assert changed[:-1] == [line for line in lines if not line.startswith("UUID=9")]


def test_a_mount_is_known_by_its_place():
    assert is_mounted("/data", "30 23 0:50 /v /data rw - xfs /dev/x rw\n")
    assert not is_mounted("/data", "30 23 0:50 /data /database rw - xfs /dev/x rw\n")


def test_the_real_blkid_tells_a_blank_disk_from_a_filesystem(tmp_path):
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(400 * 1024**2)
    assert signature(str(disk)) == {}
    subprocess.run(["mkfs.xfs", "-q", str(disk)], check=True)
    found = signature(str(disk))
    assert (found["TYPE"], len(found["UUID"])) == ("xfs", 36)
    assert "DEVNAME" not in found


def test_the_units_are_ones_that_systemd_would_take(tmp_path):
    for name, text in ((SUPERVISOR, SUPERVISOR_UNIT), (LATER_BOOTS, LATER_BOOTS_UNIT)):
        # The programs need not be on this host.
        installed = text.replace("/usr/bin/s6-svscan", "/bin/true")
        (tmp_path / name).write_text(installed.replace("/usr/bin/python3", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
