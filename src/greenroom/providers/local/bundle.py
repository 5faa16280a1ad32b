"""The OCI bundle of a machine: what it may do, as data (OCI runtime-spec, config.md)."""

from __future__ import annotations

import platform
import resource
from typing import Any

from greenroom.model.stack import Machine
from greenroom.providers.local.layout import MachineLayout

ID_RANGE = 65536
SCAN_DIR = "/etc/greenroom/service"
"""Where s6-svscan finds a machine's services."""
_MIB = 1024 * 1024

USER_DATA = "/var/lib/cloud/instance/user-data.txt"
"""Where cloud-init keeps the script that it ran."""

USER_DATA_LOG_DIR = "/var/log/greenroom/user-data"

_FIRST_PROGRAM = (
    # At a later boot the machine may have removed the folder.
    f"[ -d {USER_DATA_LOG_DIR} ] || mkdir -p {USER_DATA_LOG_DIR}; "
    f"{USER_DATA} >> {USER_DATA_LOG_DIR}/current 2>&1 & exec s6-svscan {SCAN_DIR}"
)
"""Runs the user data beside the supervisor, which is the first process from then on: neither
waits for the other, and the user data needs no process that supervises it."""

_CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
)
"""A server's ordinary needs. No NET_ADMIN (own rules), no NET_RAW (spoofing), no SYS_ADMIN."""

_FORBIDDEN_SYSCALLS = (
    "acct",
    "add_key",
    "bpf",
    "clock_adjtime",
    "clock_settime",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mount",
    "mount_setattr",
    "move_mount",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pivot_root",
    "process_vm_writev",
    "quotactl",
    "reboot",
    "request_key",
    "setns",
    "settimeofday",
    "swapoff",
    "swapon",
    "syslog",
    "umount2",
    "unshare",
    "userfaultfd",
    "vmsplice",
)
_CLONE_NEW_NAMESPACES = tuple(1 << bit for bit in (17, 25, 26, 27, 28, 29, 30))
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (clone(2))."""
_LAST_FAMILY = 45
_OWN_FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: all that a server needs. AF_VSOCK, among the others,
would lead past the region's firewall (address_families(7))."""
_FOREIGN_FAMILIES = tuple(n for n in range(_LAST_FAMILY + 1) if n not in _OWN_FAMILIES)
_ARCHITECTURES = {
    "x86_64": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    "aarch64": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
}
_ENOSYS = 38
_EAFNOSUPPORT = 97


def oci_config(place: MachineLayout, machine: Machine) -> dict[str, Any]:
    """config.json: the machine's process, namespaces, limits and system-call filter.

    The root filesystem is already mounted at ``place.root`` by the thread that starts crun, with
    the log folder, the volume and a developer's code mounted inside it.
    """
    return {
        "ociVersion": "1.0.2",
        "hostname": machine.name,
        "root": {"path": str(place.root), "readonly": False},
        "process": _process(),
        "mounts": _mounts(),
        "linux": {
            "namespaces": [
                *({"type": kind} for kind in ("pid", "ipc", "uts", "mount", "user")),
                {"type": "network", "path": str(place.namespace)},
            ],
            "uidMappings": [_id_mapping(machine)],
            "gidMappings": [_id_mapping(machine)],
            "cgroupsPath": place.cgroup,
            "resources": {
                "memory": {"limit": machine.memory_mib * _MIB},
                "pids": {"limit": machine.pids},
            },
            "seccomp": _seccomp(),
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/acpi"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger"],
        },
    }


def _id_mapping(machine: Machine) -> dict[str, int]:
    return {"containerID": 0, "hostID": machine.uid_base, "size": ID_RANGE}


def _process() -> dict[str, Any]:
    # The hard limit of whoever starts us cannot always be raised, so it is taken as it is.
    open_files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], ID_RANGE)
    kinds = ("bounding", "effective", "permitted")
    return {
        "terminal": False,
        "user": {"uid": 0, "gid": 0},
        "args": ["/bin/sh", "-c", _FIRST_PROGRAM],
        "env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
            "LANG=C.UTF-8",
        ],
        "cwd": "/",
        "capabilities": {kind: list(_CAPABILITIES) for kind in kinds},
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": open_files, "soft": open_files}],
        "noNewPrivileges": True,
    }


def _mounts() -> list[dict[str, Any]]:
    quiet = ["nosuid", "noexec", "nodev"]
    return [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": quiet},
        {
            "destination": "/dev",
            "type": "tmpfs",
            "source": "tmpfs",
            "options": ["nosuid", "strictatime", "mode=755", "size=1m"],
        },
        {
            "destination": "/dev/pts",
            "type": "devpts",
            "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        },
        {
            "destination": "/dev/shm",
            "type": "tmpfs",
            "source": "shm",
            "options": [*quiet, "mode=1777", "size=64m"],
        },
    ]


def _seccomp() -> dict[str, Any]:
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": _ARCHITECTURES.get(platform.machine(), []),
        "syscalls": [
            {"names": list(_FORBIDDEN_SYSCALLS), "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
            *(_refuse_clone_flag(flag) for flag in _CLONE_NEW_NAMESPACES),
            *(_refuse_socket("SCMP_CMP_EQ", family) for family in _FOREIGN_FAMILIES),
            _refuse_socket("SCMP_CMP_GT", _LAST_FAMILY),
            # clone3 hides its flags from the filter; ENOSYS makes the C library use clone.
            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS},
        ],
    }


def _refuse_clone_flag(flag: int) -> dict[str, Any]:
    condition = {"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}
    return {"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "args": [condition]}


def _refuse_socket(comparison: str, family: int) -> dict[str, Any]:
    condition = {"index": 0, "value": family, "op": comparison}
    return {
        "names": ["socket", "socketpair"],
        "action": "SCMP_ACT_ERRNO",
        "errnoRet": _EAFNOSUPPORT,
        "args": [condition],
    }
