"""The bare server: the same binary, configuration and data in a chroot, with nothing around it."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import answers
import site_of_bench as site

from greenroom.providers.local import kernel

_SCRIPT = """\
set -e
mount --bind "$1" "$2/data"
mount -t tmpfs run "$2/run"
mount -t proc proc "$2/proc"
install -d -m 777 "$2/run/mysqld"
ip link set lo up
echo ready
read go
exec chroot "$2" mariadbd --user=mysql 2> /dev/null
"""


def first_query_s(golden: Path) -> float:
    """Seconds from the start of mariadbd to the answer to its first query, on a fresh clone."""
    clone = site.POOL / "bare"
    root = site.image_root("mariadb")
    (root / "data").mkdir(exist_ok=True)
    site.clone(golden, clone)
    argv = ["setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--net", "--pid", "--fork"]
    argv += ["--kill-child", "sh", "-c", _SCRIPT, "sh", str(clone), str(root)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    try:
        if process.stdout.readline() != "ready\n":
            raise site.BenchError("the bare server's namespaces could not be made")
        child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
        network = Path(f"/proc/{child}/ns/net")
        started = time.monotonic()
        process.stdin.write("go\n")
        process.stdin.flush()
        kernel.in_network(network, lambda: answers.wait_for([answers.mariadb("127.0.0.1")]))
        return time.monotonic() - started
    finally:
        process.kill()
        process.wait()
        _remove(clone)


def _remove(clone: Path) -> None:
    """The server's last writes may come while its kernel side ends."""
    end = time.monotonic() + 30
    while clone.exists():
        shutil.rmtree(clone, ignore_errors=True)
        if time.monotonic() > end:
            raise site.BenchError(f"{clone} cannot be removed")
