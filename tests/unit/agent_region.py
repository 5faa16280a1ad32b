"""A region of one: metadata, buckets and wait handles on 127.0.0.1, and machines below a folder."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import tarfile
import threading
import urllib.parse
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from greenroom.agent.config import Restore
from greenroom.agent.paths import Paths
from greenroom.agent.progress import Progress

TOKEN = "a-token"
TAGS = {"role": "backend", "branch": "feature_x", "monitoring": "false"}
METADATA = {
    "instance-id": "i-0123456789abcdef0",
    "instance-type": "t3.small",
    "local-ipv4": "127.0.0.1",
    "security-groups": "backend\nbase",
}


class Region:
    """What the server knows and what it was asked. ``failures`` are statuses to answer first."""

    def __init__(self) -> None:
        self.tags = dict(TAGS)
        self.metadata = dict(METADATA)
        self.objects: dict[str, bytes] = {}
        self.forbidden: set[str] = set()
        self.pages: dict[str, tuple[int, bytes]] = {}
        self.signals: list[dict] = []
        self.signal_headers: list[dict] = []
        self.healths: list[dict] = []
        self.failures: list[int] = []
        self.requests: list[str] = []
        self.connections = 0
        self.url = ""
        self.port = 0

    def put(self, bucket: str, key: str, content: bytes, *, checksum: bool = True) -> str:
        """An object and, beside it, its checksum; returns the sha256."""
        digest = hashlib.sha256(content).hexdigest()
        self.objects[f"{bucket}/{key}"] = content
        self.objects.pop(f"{bucket}/{key}.sha256", None)
        if checksum:
            self.objects[f"{bucket}/{key}.sha256"] = f"{digest}  {key}\n".encode()
        return digest

    def bucket_url(self, bucket: str) -> str:
        return f"{self.url}/s3/{bucket}"


class RegionHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    region: Region

    def setup(self) -> None:
        self.region.connections += 1
        super().setup()

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.region.requests.append(f"PUT {self.path}")
        if self.region.failures:
            self._answer(self.region.failures.pop(0))
        elif self.path == "/latest/api/token":
            known = "X-aws-ec2-metadata-token-ttl-seconds" in self.headers
            self._answer(200 if known else 400, TOKEN.encode() if known else b"")
        elif self.path.startswith("/signal/"):
            self.region.signals.append(json.loads(body))
            self.region.signal_headers.append(dict(self.headers))
            self._answer(200)
        elif self.path.startswith("/health/"):
            self.region.healths.append(json.loads(body))
            self._answer(200)
        else:
            self._answer(404)

    def do_GET(self) -> None:
        self.region.requests.append(f"GET {self.path}")
        path = urllib.parse.unquote(self.path)
        if self.region.failures:
            self._answer(self.region.failures.pop(0))
        elif path.startswith("/latest/"):
            self._metadata(path.removeprefix("/latest/"))
        elif path.startswith("/s3/"):
            self._object(path.removeprefix("/s3/"))
        elif path in self.region.pages:
            self._answer(*self.region.pages[path])
        else:
            self._answer(404)

    def _metadata(self, path: str) -> None:
        if self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
            self._answer(401)
            return
        known = {f"meta-data/{name}": value for name, value in self.region.metadata.items()}
        known["meta-data/tags/instance/"] = "\n".join(self.region.tags)
        known |= {f"meta-data/tags/instance/{k}": v for k, v in self.region.tags.items()}
        if path in known:
            self._answer(200, known[path].encode())
        else:
            self._answer(404)

    def _object(self, key: str) -> None:
        if key in self.region.forbidden:
            self._answer(403)
        elif key in self.region.objects:
            self._answer(200, self.region.objects[key])
        else:
            self._answer(404)


def running_region():
    """A region that answers until the block is left."""
    return serving(Region(), RegionHandler)


@contextmanager
def serving(region, answers):
    """``region`` on a port of its own, answering with ``answers`` until the block is left."""
    handler = type("Handler", (answers,), {"region": region})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    region.port = server.server_address[1]
    region.url = f"http://127.0.0.1:{region.port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield region
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def restore_of(bucket_url: str, mode: str) -> Restore:
    """The photo feed's restore, from a bucket of extracts at ``bucket_url``."""
    return Restore(
        engine="mariadb",
        directory="/data",
        service="mariadb",
        database="photos",
        user="photos",
        mode=mode,
        source="extract",
        bucket_url=bucket_url,
        manifest_key="extract/manifest.json",
    )


def tar_gz(files: dict[str, str]) -> bytes:
    """An archive of text files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            member.mode = 0o644
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def tar_of(*members: tarfile.TarInfo) -> bytes:
    """An archive of members without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member in members:
            tar.addfile(member)
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """One member of a hostile archive."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def boot_document(region: Region, **changes: object) -> dict:
    """A boot.json that does nothing but gather facts and signal."""
    return {
        "version": 1,
        "machine": "backend1",
        "environment": "photos/feature-x",
        "branch": "feature_x",
        "signal_url": f"{region.url}/signal/0123",
        "deadline_s": 20.0,
        "services": [],
        "drill": False,
        "restore": None,
        "deploy": None,
        "checks": [],
        **changes,
    }


def write_boot(paths: Paths, document: object) -> None:
    Path(paths.boot).parent.mkdir(parents=True, exist_ok=True)
    Path(paths.boot).write_text(json.dumps(document))


def machine_paths(root: Path, region: Region | None = None) -> Paths:
    """A machine below ``root``."""
    return Paths(root=str(root), metadata_url=region.url if region else "http://127.0.0.1:1")


def quiet_progress(paths: Paths) -> Progress:
    return Progress(paths.phase, quiet=True)


def install_command(folder: Path, name: str, script: str) -> None:
    """A program for PATH, in place of the real one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


S6_SVSTAT = """#!/bin/sh
# A state is «up pid since exitcode signal»: one line of the file a call, the last one stays.
for dir; do :; done
[ -f "$dir/states" ] || exit 1
head -n 1 "$dir/states"
[ "$(wc -l < "$dir/states")" -gt 1 ] && sed -i 1d "$dir/states"
exit 0
"""
S6_SVC = """#!/bin/sh
echo "$1 $(basename "$2")" >> "$2/../calls"
[ -f "$2/after" ] && mv "$2/after" "$2/states"
exit 0
"""
DOWN = "false -1 @1 0 NA"
UP = "true 100 @2 -1 NA"
UP_AGAIN = "true 200 @4 -1 NA"
DIED = "false -1 @3 1 NA"


def install_s6(paths: Paths, folder: Path, monkeypatch) -> None:
    """s6's commands as far as the agent uses them, first in PATH."""
    install_command(folder, "s6-svstat", S6_SVSTAT)
    install_command(folder, "s6-svc", S6_SVC)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    Path(paths.services).mkdir(parents=True, exist_ok=True)


def add_service(
    paths: Paths, name: str, *after_start: str, before: str = DOWN, log: str = ""
) -> None:
    """A service that is ``before`` until s6-svc is called, and then one state per question.

    Its status file is none that the agent knows, so that s6's commands are asked.
    """
    folder = Path(paths.services, name)
    (folder / "supervise").mkdir(parents=True)
    (folder / "supervise/status").write_text("of another version")
    (folder / "states").write_text(before + "\n")
    (folder / "after").write_text("".join(f"{state}\n" for state in after_start))
    if log:
        path = Path(paths.log(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(log)


def service_calls(paths: Paths) -> list[str]:
    """What s6-svc was called with, in order."""
    calls = Path(paths.services, "calls")
    return calls.read_text().splitlines() if calls.exists() else []
