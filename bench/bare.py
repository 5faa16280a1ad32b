"""The bare server: the same binary, configuration and data in a chroot, with nothing around it."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
# Not by exec: a server that changes its user is not told of its parent's end any more (prctl(2)),
# but this shell is, and all of its process namespace ends with it.
chroot "$2" mariadbd --user=mysql 2> /dev/null
exit 0
"""


@dataclass(frozen=True, slots=True)
class Bare:
    """A server's namespaces; ``start`` lets it begin. ``pid`` is that of their first process."""

    process: subprocess.Popen[str]
    pid: int
    root: Path

    def start(self) -> None:
        """Start the server and return as soon as it has answered a query."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        network = Path(f"/proc/{self.pid}/ns/net")
        kernel.in_network(network, lambda: answers.wait_for([answers.mariadb("127.0.0.1")]))

    def execute(self, sql: str) -> None:
        """Run statements as the database's root."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid"]
        argv = [*enter, "chroot", str(self.root), "mariadb", "--user=root"]
        subprocess.run(argv, input=sql, text=True, check=True)


def first_query_s(golden: Path) -> float:
    """Seconds from the start of mariadbd to the answer to its first query, on a fresh clone."""
    clone = site.POOL / "bare"
    site.clone(golden, clone)
    try:
        with server(clone) as bare:
            return site.timed(bare.start)
    finally:
        _remove(clone)


@contextmanager
def server(volume: Path) -> Iterator[Bare]:
    """What a server on that volume needs, made before any clock starts; killed at the end."""
    root = site.image_root("mariadb")
    (root / "data").mkdir(exist_ok=True)
    argv = ["setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--net", "--pid", "--fork"]
    argv += ["--kill-child", "sh", "-c", _SCRIPT, "sh", str(volume), str(root)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        if process.stdout.readline() != "ready\n":
            raise site.BenchError("the bare server's namespaces could not be made")
        child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
        yield Bare(process, int(child), root)
    finally:
        process.kill()
        process.wait()


def _remove(clone: Path) -> None:
    """The server's last writes may come while its kernel side ends."""
    end = time.monotonic() + 30
    while clone.exists():
        shutil.rmtree(clone, ignore_errors=True)
        if time.monotonic() > end:
            raise site.BenchError(f"{clone} cannot be removed")
