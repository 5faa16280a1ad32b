"""An instance's volume of data: found, made usable, and mounted where the data belongs."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.agent_instance import Bare, bare_machine
from tests.unit.agent_region import install_command, restore_of

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


@pytest.fixture
def bare(tmp_path, monkeypatch):
    with bare_machine(tmp_path, monkeypatch) as bare:
        yield bare


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
