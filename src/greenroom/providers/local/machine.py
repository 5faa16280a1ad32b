"""A machine: a crun container on an overlay that only it can see.

The thread that starts crun has a mount namespace of its own; the root filesystem, the log
folder, the volume and a developer's code are mounted there and nowhere else. When the machine
dies they are gone, whatever killed it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenroom.errors import HostError, OperationError
from greenroom.model.stack import Machine, Stack
from greenroom.providers.local import images, kernel
from greenroom.providers.local.beneath import open_folder
from greenroom.providers.local.bundle import (
    ID_RANGE,
    SCAN_DIR,
    USER_DATA,
    USER_DATA_LOG_DIR,
    oci_config,
)
from greenroom.providers.local.cgroups import cgroup_pids, remove_cgroups, thaw, thaw_above
from greenroom.providers.local.command import run_bounded, tail
from greenroom.providers.local.console import end_of_console
from greenroom.providers.local.crun import crun_program
from greenroom.providers.local.killing import KILL_MEND
from greenroom.providers.local.layout import DNS_ADDRESS, Layout, MachineLayout
from greenroom.providers.local.metadata import instance_data
from greenroom.providers.local.pool import remove_tree
from greenroom.providers.local.residents import Resident

AGENT = "/opt/greenroom/agent.pyz"
_KEPT = "kept"
"""Below a deploy's directory, as the agent knows it too."""
_HYBRID = Path("/sys/fs/cgroup/unified")
_INSTANCE_DATA = "/run/cloud-init/instance-data.json"
_LOG_DIR = "var/log/greenroom"
_DIE_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class _IdMap:
    """One line of uid_map and of gid_map (user_namespaces(7))."""

    uids: str
    gids: str


class UserNamespaces:
    """File descriptors of user namespaces, one per map of ids, for idmapped mounts.

    Making one costs two processes, so they are kept; a descriptor pins some kilobytes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._descriptors: dict[_IdMap, int] = {}

    def whole_range(self, uid_base: int) -> int:
        """A descriptor of a namespace that maps 0… to ``uid_base``…: a machine's own files."""
        line = f"0 {uid_base} {ID_RANGE}"
        return self._descriptor(_IdMap(line, line))

    def owner_only(self, uid: int, gid: int, uid_base: int) -> int:
        """A descriptor of a namespace that maps just one owner, to the machine's root."""
        return self._descriptor(_IdMap(f"{uid} {uid_base} 1", f"{gid} {uid_base} 1"))

    def _descriptor(self, id_map: _IdMap) -> int:
        with self._lock:
            if id_map not in self._descriptors:
                self._descriptors[id_map] = _make_user_namespace(id_map)
            return self._descriptors[id_map]

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            for descriptor in self._descriptors.values():
                os.close(descriptor)
            self._descriptors.clear()


def lay_out_again(place: MachineLayout, stack: Stack, machine: Machine) -> None:
    """Make ready for another boot what a machine left that runs no more: it keeps its disk.

    As after a reboot of a server, /run and /tmp are empty; so are s6's own notes on its services,
    so that each is down again until the agent starts it. Raises OperationError (E_DISK_LOST).
    """
    require_disk(place, machine)
    remove_container(place)
    # A link that the machine put there is removed itself, not what it leads to.
    for folder in (place.upper / "run", place.upper / "tmp", place.work, place.bundle):
        remove_tree(folder)
    _forget_supervision(place)
    place.work.mkdir()
    os.chown(place.work, machine.uid_base, machine.uid_base)
    for folder in (place.bundle, place.lower, place.root):
        folder.mkdir(parents=True, exist_ok=True)
    (place.bundle / "config.json").write_text(json.dumps(oci_config(place, machine)))


def require_disk(place: MachineLayout, machine: Machine) -> None:
    """Raises OperationError (E_DISK_LOST) unless all is there that a machine keeps."""
    kept = [place.upper, place.log, *([] if machine.volume is None else [place.volume])]
    if machine.deploy is not None and machine.deploy.keep:
        kept.append(place.kept)
    for folder in kept:
        if not folder.is_dir():
            raise OperationError("E_DISK_LOST", f"{machine.name}: {folder} is not there any more")


def _forget_supervision(place: MachineLayout) -> None:
    """Remove what the machine changed below its scan folder. The path is the machine's own to
    change as well, so no step of it may be a link."""
    *steps, last = SCAN_DIR.strip("/").split("/")
    descriptor = open_folder(place.upper, *steps)
    if descriptor is not None:
        try:
            remove_tree(Path(f"/proc/{os.getpid()}/fd/{descriptor}") / last)
        finally:
            os.close(descriptor)


def lay_out(place: MachineLayout, stack: Stack, machine: Machine, agent: bytes) -> None:
    """Make the folders of a machine that does not run, its OCI bundle and its few files.

    Among them is what cloud-init would bring and an AMI would hold: the user data, the very bytes
    that metadata serves, the rest of metadata as one document, and the agent, which the user data
    verifies and would else fetch.

    What an earlier life of it left is thrown away, but for its volume and the kept folders of its
    code: a machine boots from its image, and its root may have put links where we write now.
    """
    remove_container(place)
    for folder in (place.upper, place.work, place.log, place.bundle):
        if folder.exists():
            remove_tree(folder)
    log = place.log / Path(USER_DATA_LOG_DIR).relative_to(f"/{_LOG_DIR}")
    for folder in (place.upper, place.work, place.log, log):
        _make_folder(folder, machine)
    if machine.deploy is not None and machine.deploy.keep:
        # It belongs to the host's root on the disk: as in a volume, ids are the machine's own.
        place.kept.mkdir(exist_ok=True)
    for folder in (place.bundle, place.lower, place.root):
        folder.mkdir(parents=True, exist_ok=True)
    # A short name is looked up among the neighbours first, then among the shared machines: so it
    # follows whether they stand, whichever was created first.
    search = dict.fromkeys((stack.domain, stack.shared_domain))
    resolver = (
        f"nameserver {DNS_ADDRESS}\nsearch {' '.join(search)}\noptions timeout:2 attempts:3\n"
    )
    hosts = f"127.0.0.1 localhost\n{machine.address} {machine.private_dns} {machine.name}\n"
    _give_file(place, machine, "/etc/resolv.conf", resolver.encode())
    _give_file(place, machine, "/etc/hosts", hosts.encode())
    _give_file(place, machine, "/etc/hostname", f"{machine.name}\n".encode())
    _give_file(place, machine, USER_DATA, machine.user_data.encode(), mode=0o700)
    _give_file(place, machine, AGENT, agent)
    _give_file(place, machine, _INSTANCE_DATA, instance_data(Resident(stack, machine)).encode())
    (place.bundle / "config.json").write_text(json.dumps(oci_config(place, machine)))


def _give_file(
    place: MachineLayout, machine: Machine, path: str, content: bytes, *, mode: int = 0o644
) -> None:
    """Put a file into the upper layer, which nothing runs on yet."""
    folder = place.upper
    for part in Path(path.lstrip("/")).parts[:-1]:
        folder = folder / part
        if not folder.exists():
            _make_folder(folder, machine)
    target = place.upper / path.lstrip("/")
    target.write_bytes(content)
    target.chmod(mode)
    os.chown(target, machine.uid_base, machine.uid_base)


def _make_folder(folder: Path, machine: Machine) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    os.chown(folder, machine.uid_base, machine.uid_base)


def start(
    place: MachineLayout, stack: Stack, machine: Machine, user_namespaces: UserNamespaces
) -> None:
    """Boot a machine that has been laid out. Raises OperationError (E_MACHINE_START)."""
    image_root = images.root_of(place.layout, stack.image_of(machine).digest)

    def boot() -> None:
        kernel.unshare_mounts()
        leave_hybrid_hierarchy()
        _mount_root(place, machine, image_root, user_namespaces)
        _run_container(place)

    try:
        kernel.in_own_thread(boot)
    except OSError as error:
        raise OperationError("E_MACHINE_START", f"{machine.name} cannot start: {error}") from error


def main_pid(place: MachineLayout) -> int | None:
    """The host pid of the machine's first process, or None if it does not run."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        status = json.loads((place.layout.crun_root / place.container_id / "status").read_text())
        pid = int(status["pid"])
        # The pid may have been given to another process since: the cgroup tells.
        if kernel.is_alive(pid) and place.cgroup in Path(f"/proc/{pid}/cgroup").read_text():
            return pid
    return None


def remove_container(place: MachineLayout) -> None:
    """Kill the machine and forget it. Idempotent."""
    for pid in cgroup_pids(place.cgroup):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
    # What is held still does not even die (cgroup-v1/freezer-subsystem).
    thaw_above(place.cgroup)
    thaw(place.cgroup)
    _wait_until_dead(place)
    # What crun wrote down is removed by hand: `crun delete` takes 15 ms and refuses a hybrid
    # hierarchy.
    state = place.layout.crun_root / place.container_id
    if state.exists():
        remove_tree(state)
    remove_cgroups(place.cgroup)


def exec_argv(place: MachineLayout, argv: Sequence[str], tty: bool) -> list[str]:
    """The command line that runs ``argv`` in the machine, also where crun needs the hybrid
    hierarchy out of its sight."""
    crun = _crun_argv(place.layout, "exec", *(["--tty"] if tty else []), place.container_id, *argv)
    if not os.path.ismount(_HYBRID):
        return crun
    script = f'umount {_HYBRID} && exec "$@"'
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *crun]


def leave_hybrid_hierarchy() -> None:
    """Hide the unified hierarchy beside v1 from the calling thread: crun refuses the mixture."""
    if os.path.ismount(_HYBRID):
        kernel.unmount(_HYBRID, kernel.MNT_DETACH)


def _wait_until_dead(place: MachineLayout) -> None:
    end = time.monotonic() + _DIE_TIMEOUT_S
    while cgroup_pids(place.cgroup):
        if time.monotonic() > end:
            raise OperationError(
                "E_MACHINE_KILL",
                f"the processes of {place.container_id} do not die",
                hint=KILL_MEND,
            )
        time.sleep(0.001)


def _mount_root(
    place: MachineLayout, machine: Machine, image_root: Path, user_namespaces: UserNamespaces
) -> None:
    user_namespace = user_namespaces.whole_range(machine.uid_base)
    kernel.bind_idmapped(image_root, place.lower, user_namespace)
    options = f"lowerdir={place.lower},upperdir={place.upper},workdir={place.work}"
    kernel.mount("overlay", place.root, "overlay", kernel.MS_NODEV, options)
    log = _inside(place, _LOG_DIR, machine)
    kernel.mount(place.log, log, None, kernel.MS_BIND)
    if machine.volume is not None:
        target = _inside(place, machine.volume.directory, machine)
        kernel.bind_idmapped(place.volume, target, user_namespace)
    if machine.deploy is None:
        return
    if machine.mount is not None:
        target = _inside(place, f"{machine.deploy.directory}/current", machine)
        _bind_code(machine.mount, target, machine, user_namespaces)
    elif machine.deploy.keep:
        target = _inside(place, f"{machine.deploy.directory}/{_KEPT}", machine)
        kernel.bind_idmapped(place.kept, target, user_namespace)


def _bind_code(
    folder: Path, target: Path, machine: Machine, user_namespaces: UserNamespaces
) -> None:
    """A developer's folder: the machine's root stands for its owner and for nobody else.

    Were all ids mapped, that root could leave a setuid file of the host's root in it. So a
    folder that belongs to the host's root can only be read.
    """
    status = folder.stat()
    descriptor = user_namespaces.owner_only(status.st_uid, status.st_gid, machine.uid_base)
    kernel.bind_idmapped(folder, target, descriptor, read_only=0 in (status.st_uid, status.st_gid))


def _inside(place: MachineLayout, path: str, machine: Machine) -> Path:
    """A mount point in the new root, made with the machine's own root as its owner.

    Nothing has run in this root yet, so no link in it can lead elsewhere but the image's own,
    which are refused.
    """
    target = place.root
    for part in Path(path.lstrip("/")).parts:
        target = target / part
        if target.is_symlink():
            raise OperationError("E_MOUNT_POINT", f"{path} passes through a link in the image")
        if not target.exists():
            target.mkdir()
            os.chown(target, machine.uid_base, machine.uid_base)
    return target


def _run_container(place: MachineLayout) -> None:
    argv = _crun_argv(place.layout, "run", "-d", "-b", str(place.bundle), place.container_id)
    with place.console.open("ab") as output:
        done = subprocess.run(
            argv,
            executable=crun_program(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=60,
            check=False,
        )
    if done.returncode != 0:
        raise OperationError(
            "E_MACHINE_START",
            f"{place.name} cannot start: {tail(end_of_console(place), 5)}",
        )


def _crun_argv(layout: Layout, *arguments: str) -> list[str]:
    return ["crun", f"--root={layout.crun_root}", "--cgroup-manager=cgroupfs", *arguments]


def _make_user_namespace(id_map: _IdMap) -> int:
    """A user namespace needs a process to be born in; the descriptor outlives it."""
    child = subprocess.Popen(
        ["unshare", "--user", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    try:
        own = Path("/proc/self/ns/user").readlink()
        end = time.monotonic() + 5
        while Path(f"/proc/{child.pid}/ns/user").readlink() == own:
            if time.monotonic() > end:
                raise HostError(
                    "E_USER_NAMESPACE",
                    "this host makes no user namespaces",
                    hint="sysctl user.max_user_namespaces says how many it may; greenroom "
                    "doctor checks the host",
                )
            time.sleep(0.0002)
        Path(f"/proc/{child.pid}/uid_map").write_text(id_map.uids)
        Path(f"/proc/{child.pid}/gid_map").write_text(id_map.gids)
        return os.open(f"/proc/{child.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        child.kill()
        child.wait()


def run_agent(place: MachineLayout, command: str, timeout_s: int) -> dict[str, Any]:
    """Run a command of the agent inside the machine; the JSON object on its last line.

    The agent's failures are in the object, its exit code (1) says no more. Time and output are
    bounded from inside and from outside: the agent's file is the machine's to change. Raises
    OperationError if the machine cannot be entered or the agent printed no object.
    """
    bounded = ["timeout", "--kill-after=2", str(timeout_s), "python3", "-I", "-S", AGENT, command]
    output = run_bounded(exec_argv(place, bounded, tty=False), timeout_s=timeout_s + 5)
    try:
        value = json.loads(output.strip().rpartition("\n")[2])
    except (json.JSONDecodeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise OperationError("E_AGENT", f"{place.name}: the agent printed no report")
    return value
